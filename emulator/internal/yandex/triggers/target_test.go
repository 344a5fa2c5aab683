package triggers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/triggers"
)

// handler is a function in this process.
type handler func(ctx context.Context, payload []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

func TestAFunctionAndAContainerAreCalled(t *testing.T) {
	is := is.New(t)
	called, posted := make(chan string, 1), make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posted <- r.URL.Path + " " + string(body)
	}))
	defer server.Close()
	functions := runner.New(runner.Options{Dir: t.TempDir()})
	defer func() { is.NoErr(functions.Close(context.Background())) }()
	is.NoErr(functions.Set(t.Context(), runner.Function{Name: function, Timeout: time.Minute,
		Handler: handler(func(_ context.Context, payload []byte) ([]byte, error) {
			called <- string(payload)
			return nil, nil
		})}))
	h := build(t, targets, func(p *plan) {
		p.cloud.Invoke = functions.Invoke
		p.cloud.Container = func(string) (string, error) { return server.URL, nil }
	})
	h.createV1("", ruleV1(invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function})))
	h.createV2("container", sourceV2(1), &v2.Action{Action: &v2.Action_InvokeContainer{
		InvokeContainer: &v2.InvokeContainer{ContainerId: container, Path: "/in"}}})
	e := h.push("1")
	is.Equal(<-called, message(e))
	is.Equal(<-posted, "/in "+message(e))
	h.handled(1)
}

// direct is a registrar that gives the service out without a server.
type direct struct{ v2 v2.TriggerServiceServer }

func (d *direct) RegisterService(_ *grpc.ServiceDesc, impl any) {
	if s, ok := impl.(v2.TriggerServiceServer); ok {
		d.v2 = s
	}
}

// Whatever text a client sends is echoed, or refused by the field.
func FuzzTexts(f *testing.F) {
	room := gateway.New(gateway.Options{})
	f.Cleanup(func() { _ = room.Close(context.Background()) })
	cloud := yandex.New(yandex.Options{Gateway: room})
	if err := cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "default-gateway.yaml", Spec: yandex.DefaultGateway()}); err != nil {
		f.Fatal(err)
	}
	engine := trigger.New(trigger.Options{})
	s, err := triggers.New(context.Background(), triggers.Options{Store: resource.New(resource.Options{}), Cloud: cloud, Set: engine.Set, Remove: engine.Remove})
	if err != nil {
		f.Fatal(err)
	}
	d := &direct{}
	s.Register(d)
	for _, text := range []string{"", "é", "\u0080\u2028😀\x7f\x00\\u00e9\"", "null", "~", "# no", "a: b", "*a", "<<", "2025-01-02", "0x1", "%"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, program string) {
		if !utf8.ValidString(text) || !utf8.ValidString(program) {
			return // protobuf refuses it
		}
		source, action := sourceV2(1), broadcastV2(text)
		action.GetGatewayWebsocketBroadcast().GatewayId = yandex.GatewayID
		source.GetContainerRegistry().ImageName = text
		action.Filter = &v2.Filter{Condition: &v2.Filter_Jq{Jq: program}}
		op, err := d.v2.Create(t.Context(), &v2.CreateTriggerRequest{FolderId: folder, Name: "my-trigger", Description: text, Source: source, Action: []*v2.Action{action}})
		if err != nil {
			for _, field := range fields(err) {
				switch field {
				case "description", "action[0].gateway_websocket_broadcast.path", "action[0].filter.jq":
				default:
					t.Fatalf("%q: %v", text, err)
				}
			}
			if status.Code(err) != codes.InvalidArgument || len(fields(err)) == 0 {
				t.Fatal(err)
			}
			return
		}
		got := &v2.Trigger{}
		if err := op.GetResponse().UnmarshalTo(got); err != nil {
			t.Fatal(err)
		}
		same(t, got.Source, source)
		same(t, got.Action[0], action)
		if got.Description != text {
			t.Fatalf("got %q, want %q", got.Description, text)
		}
		if _, err := d.v2.Delete(t.Context(), &v2.DeleteTriggerRequest{TriggerId: got.Id}); err != nil {
			t.Fatal(err)
		}
	})
}
