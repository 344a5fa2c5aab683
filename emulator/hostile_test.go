package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
)

// spec is a gateway with sockets.
const spec = `openapi: 3.0.0
info: {title: t, version: "1"}
paths:
  /in:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {"*": ""}}}
`

// finished waits for nothing: the operation must be done, and well.
func finished(op *operation.Operation, err error) error {
	switch {
	case err != nil:
		return err
	case !op.Done:
		return fmt.Errorf("%s is not done", op.Description)
	}
	return status.ErrorProto(op.GetError())
}

// life is one client's: it makes a registry, an account, a gateway and a trigger, changes and deletes them.
func (h *rights) life(ctx context.Context, name string) error {
	c, folder := h.as(h.developer), h.Defaults().FolderID
	registries, accounts := cr.NewRegistryServiceClient(c), iam.NewServiceAccountServiceClient(c)
	gateways, events := apigateway.NewApiGatewayServiceClient(c), triggers.NewTriggerServiceClient(c)
	var registry, account, gateway, trigger string
	return errors.Join(
		func() error {
			op, err := registries.Create(ctx, &cr.CreateRegistryRequest{FolderId: folder, Name: name})
			if err := finished(op, err); err != nil {
				return err
			}
			var about cr.CreateRegistryMetadata
			err = op.Metadata.UnmarshalTo(&about)
			registry = about.RegistryId
			return err
		}(),
		func() error {
			op, err := accounts.Create(ctx, &iam.CreateServiceAccountRequest{FolderId: folder, Name: name})
			if err := finished(op, err); err != nil {
				return err
			}
			var about iam.CreateServiceAccountMetadata
			err = op.Metadata.UnmarshalTo(&about)
			account = about.ServiceAccountId
			return err
		}(),
		func() error {
			op, err := gateways.Create(ctx, &apigateway.CreateApiGatewayRequest{FolderId: folder, Name: name,
				Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: spec}})
			if err := finished(op, err); err != nil {
				return err
			}
			var about apigateway.CreateApiGatewayMetadata
			err = op.Metadata.UnmarshalTo(&about)
			gateway = about.ApiGatewayId
			return err
		}(),
		func() error {
			op, err := events.Create(ctx, &triggers.CreateTriggerRequest{FolderId: folder, Name: name, Rule: broadcastRule(registry, gateway, account)})
			if err := finished(op, err); err != nil {
				return err
			}
			var about triggers.CreateTriggerMetadata
			err = op.Metadata.UnmarshalTo(&about)
			trigger = about.TriggerId
			return err
		}(),
		finished(events.Pause(ctx, &triggers.PauseTriggerRequest{TriggerId: trigger})),
		finished(gateways.Update(ctx, &apigateway.UpdateApiGatewayRequest{ApiGatewayId: gateway, Description: "changed",
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}})),
		finished(events.Resume(ctx, &triggers.ResumeTriggerRequest{TriggerId: trigger})),
		finished(registries.Update(ctx, &cr.UpdateRegistryRequest{RegistryId: registry, Labels: map[string]string{"a": "b"},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}}})),
		finished(events.Delete(ctx, &triggers.DeleteTriggerRequest{TriggerId: trigger})),
		finished(gateways.Delete(ctx, &apigateway.DeleteApiGatewayRequest{ApiGatewayId: gateway})),
		finished(accounts.Delete(ctx, &iam.DeleteServiceAccountRequest{ServiceAccountId: account})),
		finished(registries.Delete(ctx, &cr.DeleteRegistryRequest{RegistryId: registry})),
	)
}

func broadcastRule(registry, gateway, account string) *triggers.Trigger_Rule {
	return &triggers.Trigger_Rule{Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: &triggers.Trigger_ContainerRegistry{
		RegistryId: registry,
		EventType:  []triggers.Trigger_ContainerRegistryEventType{triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
		Action: &triggers.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggers.GatewayWebsocketBroadcast{
			GatewayId: gateway, Path: "/in", ServiceAccountId: account,
		}},
	}}}
}

// Many who make, change and delete at once neither disturb each other nor the events on their way.
func TestManyClientsWhileEventsFlow(t *testing.T) {
	for name, strict := range map[string]bool{"strict": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := openRights(t, emulator.Config{StrictAuth: strict})
			ws := h.Dial("/ws")
			const clients, pushes = 100, 300
			failed := make(chan error, clients)
			for n := range clients {
				go func() { failed <- h.life(t.Context(), fmt.Sprintf("client-%d", n)) }()
			}
			for n := range pushes {
				h.emit(fmt.Sprintf("v%d", n))
			}
			for n := range pushes { // all, in order
				is.Equal(ws.Expect("create-image-tag")[0].Details.Tag, fmt.Sprintf("v%d", n))
			}
			for range clients {
				is.NoErr(<-failed)
			}
			h.Flush()
			is.Equal(len(h.Triggers()), 1) // the default ones are left
			is.Equal(len(h.Gateways()), 1)
			list, err := cr.NewRegistryServiceClient(h.as(h.developer)).List(t.Context(), &cr.ListRegistriesRequest{FolderId: h.Defaults().FolderID})
			is.NoErr(err)
			is.Equal(len(list.Registries), 1)
		})
	}
}

// What no client would send ends in a refusal or a closed connection, and nobody else notices.
func TestGarbage(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true})
	random := rand.New(rand.NewPCG(1, 2))
	junk := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	const service = "/yandex.cloud.serverless.triggers.v1.TriggerService/Create"
	for _, sent := range [][]byte{
		junk(4096),
		append([]byte{0x16, 3, 1, 0xff, 0xff}, junk(70_000)...), // TLS, it says
		append([]byte{0x16}, junk(3)...),
		append([]byte(preface), junk(4096)...),
		append([]byte(preface), bytes.Repeat([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}, 20_000)...), // settings, again and again
		[]byte("POST " + service + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\x00\xff\xff\xff\xff"),
		[]byte("GET /" + strings.Repeat("a/", 1<<19) + " HTTP/1.1\r\nHost: x\r\n\r\n"),
		[]byte("CONNECT api.cloud.yandex.net:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic " + strings.Repeat("A", 1<<16) + "\r\n\r\n"),
	} {
		conn, err := net.Dial("tcp", h.Addr())
		is.NoErr(err)
		go func() { // it may be hung up on in the middle
			_, _ = conn.Write(sent)
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		is.NoErr(conn.SetReadDeadline(time.Now().Add(patience)))
		_, err = io.Copy(io.Discard, conn)
		var slow net.Error
		is.True(!errors.As(err, &slow) || !slow.Timeout()) // it is answered or hung up on
		_ = conn.Close()
	}

	post := func(path, kind string, body io.Reader) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL()+path, body)
		is.NoErr(err)
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Authorization", h.developer)
		res, err := h.Client().Do(r)
		is.NoErr(err)
		defer res.Body.Close()
		got, err := io.ReadAll(io.LimitReader(res.Body, 4096))
		is.NoErr(err)
		return res.StatusCode, string(got)
	}
	for _, body := range [][]byte{nil, junk(1000), []byte("{"), []byte("[]"), []byte(`{"folderId":7}`), []byte(`{"rule":` + strings.Repeat(`{"rule":`, 100_000)),
		[]byte(`{"labels":{"a":` + strings.Repeat("[", 100_000)), []byte(`{"name":"` + strings.Repeat("a", 1<<20) + `"}`)} {
		code, told := post("/triggers/v1/triggers", "application/json", bytes.NewReader(body))
		if code != 400 || !strings.Contains(told, `"code":3`) {
			t.Errorf("%.40q…: got %d %.200s", body, code, told)
		}
	}
	for _, path := range []string{"/triggers/v1/triggers", service, "/container-registry/v1/registries", "/functions/v1/versions"} {
		code, told := post(path, "application/json", io.LimitReader(zeros{}, 70<<20)) // more than any call takes
		if code < 400 || code == 500 || code == 401 {
			t.Errorf("%s: got %d %.200s", path, code, told)
		}
	}

	long := strings.Repeat("a", 1_000_000)
	registries := cr.NewRegistryServiceClient(h.as(h.developer))
	_, err := registries.List(t.Context(), &cr.ListRegistriesRequest{FolderId: h.Defaults().FolderID, PageToken: long})
	is.Equal(status.Code(err), codes.InvalidArgument)
	_, err = registries.List(t.Context(), &cr.ListRegistriesRequest{FolderId: h.Defaults().FolderID, PageToken: long[:100]})
	is.Equal(status.Code(err), codes.InvalidArgument)
	_, err = registries.Get(t.Context(), &cr.GetRegistryRequest{RegistryId: long})
	is.Equal(status.Code(err), codes.InvalidArgument)
	_, err = registries.List(t.Context(), &cr.ListRegistriesRequest{FolderId: h.Defaults().FolderID, Filter: `name="` + long[:900] + `"`})
	is.NoErr(err)
	code, _ := h.ask("GET", "/container-registry/v1/registries?folderId="+h.Defaults().FolderID+"&pageToken="+long[:500_000], h.developer, "")
	is.Equal(code, 400)
	code, _ = h.ask("GET", "/container-registry/v1/registries?folderId="+h.Defaults().FolderID, "Bearer t1."+long[:500_000]+".a", "")
	is.Equal(code, 401)

	ws := h.Dial("/ws") // and all is well
	h.emit("v1")
	ws.Expect("create-image-tag")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
