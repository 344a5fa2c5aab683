package emulator_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
)

// What clients of the cloud have made is in a recording's header, and a rerun has it; what nobody has touched is there as its file.
func TestARerunHasWhatClientsMade(t *testing.T) {
	is := is.New(t)
	untouched := emulator.File{Name: "untouched.yaml", Data: []byte(`
name: untouched
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE]
    registry_id: crpregcastregistry00
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`)}
	paused := emulator.File{Name: "paused.yaml", Data: bytes.ReplaceAll(untouched.Data, []byte("untouched"), []byte("paused-later"))}
	var gatewayID string
	var inForce recording.Configuration
	run := record(t, emulator.Config{Triggers: []emulator.File{untouched, paused}}, func(em *emulatortest.Emulator) {
		h := &rights{Emulator: em, t: t}
		c, folder := h.as("Bearer "+em.YandexEnv()[0]), em.Defaults().FolderID
		op, err := apigateway.NewApiGatewayServiceClient(c).Create(t.Context(), &apigateway.CreateApiGatewayRequest{FolderId: folder, Name: "mine",
			Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: spec}})
		gatewayID = madeBy[*apigateway.ApiGateway](t, op, err).Id
		service := triggers.NewTriggerServiceClient(c)
		op, err = service.Create(t.Context(), &triggers.CreateTriggerRequest{FolderId: folder, Name: "mine",
			Rule: broadcastRule(em.Defaults().RegistryID, gatewayID, em.Defaults().ServiceAccountID)})
		is.NoErr(finished(op, err))
		for _, info := range em.Triggers() {
			if info.Name == "paused-later" {
				op, err = service.Pause(t.Context(), &triggers.PauseTriggerRequest{TriggerId: info.ID})
				is.NoErr(finished(op, err))
			}
		}
		ws := em.Dial(strings.Replace(em.URL(), "http", "ws", 1) + "/gw/" + gatewayID + "/in")
		em.Push("team/app:v1")
		ws.Expect("create-image-tag")
		inForce = em.Header().Configuration
	})
	is.Equal(len(inForce.Triggers), 3) // the header of a recording that begins now
	is.Equal(inForce.Triggers[0], recording.File{Name: untouched.Name, Data: string(untouched.Data)})
	is.Equal(len(inForce.Gateways), 1)
	is.Equal(inForce.Gateways[0].ID, gatewayID)

	r, err := recording.NewReader(bytes.NewReader(run))
	is.NoErr(err)
	c := r.Header().Configuration // of one that began before
	is.Equal(c.Triggers, []recording.File{{Name: untouched.Name, Data: string(untouched.Data)}})
	is.Equal(len(c.Gateways), 0)

	cfg, notices := rerun.Config(c, os.ReadFile)
	is.Equal(len(notices), 1) // untouched.yaml is not there; what clients made never was
	cfg.InMemory = true
	var out bytes.Buffer
	var again *emulator.Emulator
	_, err = rerun.Run(t.Context(), r, cfg, rerun.Options{Out: &out, Notice: func(s string) { t.Error(s) },
		Started: func(em *emulator.Emulator) error { again = em; return nil }})
	is.NoErr(err)
	is.Equal(len(again.Triggers()), 3)
	for _, info := range again.Triggers() {
		is.Equal(info.Paused, info.Name == "paused-later")
	}
	r, err = recording.NewReader(&out)
	is.NoErr(err)
	frames := 0
	for line, err := range r.Lines() {
		is.NoErr(err)
		if line.Frame != nil && line.Frame.Gateway == gatewayID && line.Frame.Sent == 1 {
			frames++
		}
	}
	is.Equal(frames, 1)
}
