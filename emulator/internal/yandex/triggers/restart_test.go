package triggers_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

func TestWhatClientsMadeIsThereAfterARestart(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	j, err := journal.OpenStream(ctx, journal.StreamOptions{Dir: t.TempDir()})
	is.NoErr(err)
	defer func() { is.NoErr(j.Close()) }()
	h := build(t, kept(j), targets)
	rule := ruleV1(invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function}))
	one := h.createV1("one", rule)
	two := h.createV2("two", sourceV2(1), broadcastV2("/lobby"), broadcastV2("/rooms/{room}"))
	paused := h.createV1("", broadcastV1(1))
	gone := h.createV2("gone", sourceV2(1), broadcastV2("/lobby"))
	_, err = h.v1.Pause(ctx, &v1.PauseTriggerRequest{TriggerId: paused})
	is.NoErr(err)
	_, err = h.v1.Delete(ctx, &v1.DeleteTriggerRequest{TriggerId: gone})
	is.NoErr(err)
	before, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder})
	is.NoErr(err)
	h.close()

	h = build(t, kept(j), targets)
	after, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder})
	is.NoErr(err)
	same(t, after, before)
	got, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: one})
	is.NoErr(err)
	same(t, got.Rule, rule) // v1's own words too
	_, err = h.v2.Get(ctx, &v2.GetTriggerRequest{TriggerId: gone})
	refused(t, err, codes.NotFound, "")
	states := map[string]bool{}
	for _, s := range h.engine.Triggers() {
		states[s.Trigger.ID] = s.Trigger.Paused
	}
	is.Equal(states, map[string]bool{one: false, two: false, paused: true})
	lobby := h.socket("/lobby")
	h.arrives(lobby, "1")
}

// What this version of regcast does not understand is listed and does not stop the start.
func TestABrokenTriggerIsToldOf(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	j := journal.NewMemory(journal.MemoryOptions{})
	h := build(t, kept(j))
	good := h.createV1("good", broadcastV1(1))
	h.close()
	is.NoErr(j.Put(ctx, "resource.trigger.a1sbroken", []byte(`{"message": {"id": "a1sbroken", "folderId": "b1gmine", "name": "broken",
		"source": {"timer": {"cronExpression": "* * * * ? *"}}, "action": [{"gatewayWebsocketBroadcast":
		{"gatewayId": "d5dmine", "path": "/lobby", "serviceAccountId": "ajemine"}}], "status": "ACTIVE", "fromTheFuture": 1}}`)))
	is.NoErr(j.Put(ctx, "resource.trigger.a1sbent", []byte(`{"message": {"id": "a1sbent", "folderId": "b1gmine", "name": "bent",
		"source": {"containerRegistry": {"registryId": "crpmine", "eventType": ["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"]}},
		"action": [{"gatewayWebsocketBroadcast": {"gatewayId": "d5dmine", "path": "/lobby", "serviceAccountId": "ajemine"},
		"retryPolicy": {"retryAttempts": "9", "interval": "10s"}}], "status": "ACTIVE"}}`)))

	h = build(t, kept(j))
	is.Equal(len(h.engine.Triggers()), 1)
	warned := strings.Join(h.warns, "\n")
	is.True(strings.Contains(warned, "the trigger broken does not run: not emulated: timer triggers (source.timer)"))
	is.True(strings.Contains(warned, "the trigger bent does not run: action[0].retry_policy.retry_attempts: got "))
	for id, want := range map[string]v2.Trigger_Status{good: v2.Trigger_ACTIVE, "a1sbroken": v2.Trigger_ERROR, "a1sbent": v2.Trigger_ERROR} {
		two, err := h.v2.Get(ctx, &v2.GetTriggerRequest{TriggerId: id})
		is.NoErr(err)
		is.Equal(two.Status, want)
	}
	one, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: "a1sbent"})
	is.NoErr(err)
	is.Equal(one.Status, v1.Trigger_PAUSED) // v1 has no word for it
	_, err = h.v1.Resume(ctx, &v1.ResumeTriggerRequest{TriggerId: "a1sbent"})
	refused(t, err, codes.InvalidArgument, "retry_attempts")

	mended, err := h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: "a1sbent", UpdateMask: mask("action"), Action: []*v2.Action{broadcastV2("/lobby")}})
	got := &v2.Trigger{}
	finished(t, mended, err, "Update trigger", &v2.UpdateTriggerMetadata{}, got)
	is.Equal(got.Status, v2.Trigger_ACTIVE)
	is.Equal(len(h.engine.Triggers()), 2)
	_, err = h.v2.Delete(ctx, &v2.DeleteTriggerRequest{TriggerId: "a1sbroken"}) // though it does not run
	is.NoErr(err)
}

func TestAGatewayThatIsGoneAfterARestartStopsNothing(t *testing.T) {
	is := is.New(t)
	j := journal.NewMemory(journal.MemoryOptions{})
	h := build(t, kept(j))
	id := h.createV1("", broadcastV1(1))
	h.close()
	h = build(t, kept(j), func(p *plan) { p.unready = true })
	got, err := h.v1.Get(t.Context(), &v1.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	is.Equal(got.Status, v1.Trigger_ACTIVE)
	h.push("1")
	h.handled(1)
	is.Equal(h.told("lost"), []string{"there is no gateway d5dmine"})
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: gate, File: "spec.yaml", Spec: []byte(spec)})) // and when it comes back
	h.arrives(h.socket("/lobby"), "2")
}

const file = `id: a1sfile1
folder_id: b1gmine
name: first
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpmine
    gateway_websocket_broadcast: {gateway_id: d5dmine, path: /lobby, service_account_id: ajemine}
status: PAUSED
---
id: a1sfile2
name: second
created_at: "2025-01-02T03:04:05Z"
labels: {team-color: blue}
source:
  containerRegistry:
    eventType: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registryId: crpmine
    tag: 22.04
action:
  - gatewayWebsocketBroadcast: {gatewayId: d5dmine, path: /lobby, serviceAccountId: ajemine}
    filter: {jq: "true"}
`

func declare(text string) func(*plan) {
	return func(p *plan) {
		p.declare = func(h *house) error { return h.service.Declare("triggers.yaml", []byte(text)) }
	}
}

func TestTriggersOfAFile(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	j := journal.NewMemory(journal.MemoryOptions{})
	h := build(t, kept(j), declare(file))
	one, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: "a1sfile1"})
	is.NoErr(err)
	rule := broadcastV1(1)
	rule.GetContainerRegistry().BatchSettings = nil // as the file has it
	same(t, one, &v1.Trigger{Id: "a1sfile1", FolderId: folder, Name: "first", Rule: rule, CreatedAt: one.CreatedAt, Status: v1.Trigger_PAUSED})
	is.Equal(one.CreatedAt.AsTime(), h.clock.Now()) // the start
	two, err := h.v2.Get(ctx, &v2.GetTriggerRequest{TriggerId: "a1sfile2"})
	is.NoErr(err)
	is.Equal([]string{two.FolderId, two.Labels["team-color"], two.Source.GetContainerRegistry().Tag, two.CreatedAt.AsTime().String()},
		[]string{yandex.FolderID, "blue", "22.04", "2025-01-02 03:04:05 +0000 UTC"})
	is.True(two.Source.GetContainerRegistry().BatchSettings == nil && two.Action[0].Filter != nil)

	lobby := h.socket("/lobby")
	h.arrives(lobby, "22.04")
	_, err = h.v1.Resume(ctx, &v1.ResumeTriggerRequest{TriggerId: "a1sfile1"})
	is.NoErr(err)
	h.arrives(lobby, "1")
	_, err = h.v2.Delete(ctx, &v2.DeleteTriggerRequest{TriggerId: "a1sfile2"})
	is.NoErr(err)
	h.close()

	h = build(t, kept(j), declare(file)) // as the file says
	all, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: yandex.FolderID})
	is.NoErr(err)
	is.Equal(len(all.Triggers), 1)
	one, err = h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: "a1sfile1"})
	is.NoErr(err)
	is.Equal(one.Status, v1.Trigger_PAUSED)
	is.Equal(len(h.engine.Triggers()), 2)
}

func TestAWrongFileIsRefusedByLine(t *testing.T) {
	is := is.New(t)
	h := build(t)
	for wrong, want := range map[string]string{
		strings.Replace(file, "gateway_id: d5dmine", "gateway_id: d5dgone", 1): `triggers.yaml:8: rule.container_registry.gateway_websocket_broadcast.gateway_id: ` +
			`got "d5dgone", which is no gateway here; want one of d5dmine, d5dregcastgateway000`,
		strings.Replace(file, "path: /lobby", "path: /hall", 1): `triggers.yaml:8: rule.container_registry.gateway_websocket_broadcast.path: ` +
			`got "/hall", which is no path key of the gateway d5dmine; want one of /lobby, /rooms/{room}`,
		strings.Replace(file, "a1sfile2", "a1sfile1", 1): `triggers.yaml:11: id: got "a1sfile1", which triggers.yaml:1 has; want an id of its own`,
	} {
		err := h.service.Declare("triggers.yaml", []byte(wrong))
		is.True(err != nil)
		is.Equal(err.Error(), want)
	}
	is.Equal(len(h.engine.Triggers()), 0)
	is.NoErr(h.service.Declare("triggers.yaml", []byte(file)))
}

func byDefault(p *plan) { p.declare = func(h *house) error { return h.service.DeclareDefault() } }

func TestTheDefaultTrigger(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	j := journal.NewMemory(journal.MemoryOptions{})
	h := build(t, kept(j), byDefault)
	get := &v1.GetTriggerRequest{TriggerId: yandex.TriggerID}
	got, err := h.v1.Get(ctx, get)
	is.NoErr(err)
	is.Equal([]string{got.Name, got.FolderId, got.Rule.GetContainerRegistry().RegistryId}, []string{yandex.TriggerName, yandex.FolderID, yandex.RegistryID})
	is.Equal(len(h.engine.Triggers()), 1)
	h.close()

	h = build(t, kept(j), byDefault)
	again, err := h.v1.Get(ctx, get)
	is.NoErr(err)
	same(t, again, got)
	_, err = h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: yandex.TriggerID, UpdateMask: mask("source.container_registry.tag"),
		Source: &v2.Source{Source: &v2.Source_ContainerRegistry{ContainerRegistry: &v2.ContainerRegistry{Tag: "mine"}}}})
	is.NoErr(err)
	h.close()

	h = build(t, kept(j), byDefault) // changed, it stays so
	again, err = h.v1.Get(ctx, get)
	is.NoErr(err)
	is.Equal(again.Rule.GetContainerRegistry().Tag, "mine")
	is.Equal(len(h.engine.Triggers()), 1)
	_, err = h.v1.Delete(ctx, &v1.DeleteTriggerRequest{TriggerId: yandex.TriggerID})
	is.NoErr(err)
	h.close()

	h = build(t, kept(j), byDefault) // and deleted as well
	_, err = h.v1.Get(ctx, get)
	refused(t, err, codes.NotFound, "")
	is.Equal(len(h.engine.Triggers()), 0)
}

func TestNoDefaultTriggerWithoutItsPath(t *testing.T) {
	is := is.New(t)
	h := build(t, func(p *plan) {
		p.declare = func(h *house) error {
			if err := h.cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "mine.yaml", Spec: []byte(spec)}); err != nil {
				return err
			}
			return h.service.DeclareDefault()
		}
	})
	is.Equal(len(h.engine.Triggers()), 0)
	is.Equal(h.warns[len(h.warns)-1], "the gateway d5dregcastgateway000 has no path /ws: there is no default trigger")
}
