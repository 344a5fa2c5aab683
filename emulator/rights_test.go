package emulator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
)

// rights is an emulator whose Yandex Cloud asks for tokens and roles, and its developer.
type rights struct {
	*emulatortest.Emulator
	t         *testing.T
	developer string // the Authorization
}

func openRights(t *testing.T, cfg emulator.Config) *rights {
	t.Helper()
	cfg.FunctionLog = logged(t)
	h := &rights{Emulator: emulatortest.Start(t, cfg), t: t}
	for _, variable := range h.YandexEnv() {
		if token, ok := strings.CutPrefix(variable, "YC_TOKEN="); ok {
			h.developer = "Bearer " + token
		}
	}
	return h
}

// as is a client with an authorization.
func (h *rights) as(authorization string) *grpc.ClientConn {
	return dialAs(h.t, h.Emulator, authorization)
}

// account makes a service account without any role, and gets its authorization.
func (h *rights) account(name string) (id, authorization string) {
	h.t.Helper()
	developer := h.as(h.developer)
	op, err := iam.NewServiceAccountServiceClient(developer).Create(h.t.Context(),
		&iam.CreateServiceAccountRequest{FolderId: h.Defaults().FolderID, Name: name})
	id = madeBy[*iam.ServiceAccount](h.t, op, err).Id
	token, err := iam.NewIamTokenServiceClient(developer).CreateForServiceAccount(h.t.Context(),
		&iam.CreateIamTokenForServiceAccountRequest{ServiceAccountId: id})
	if err != nil {
		h.t.Fatal(err)
	}
	return id, "Bearer " + token.IamToken
}

// bind gives a role on the default folder.
func (h *rights) bind(role, account string) {
	h.t.Helper()
	op, err := resourcemanager.NewFolderServiceClient(h.as(h.developer)).UpdateAccessBindings(h.t.Context(),
		&access.UpdateAccessBindingsRequest{ResourceId: h.Defaults().FolderID, AccessBindingDeltas: adding(role, account)})
	madeBy[*access.AccessBindingsOperationResult](h.t, op, err)
}

// ask is a request of REST, or of HTTP.
func (h *rights) ask(method, path, authorization, body string) (int, string) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.URL()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	res, err := h.Client().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, string(got)
}

// refuses checks that a call fails, by gRPC and by REST, with what belongs together.
func (h *rights) refuses(code codes.Code, text string, err error, httpStatus int, body string) {
	h.t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		h.t.Errorf("by gRPC: got %v, want %v: …%s…", err, code, text)
	}
	var told struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal([]byte(body), &told); err != nil {
		h.t.Fatalf("%s: %v", body, err)
	}
	want := map[codes.Code]int{codes.Unauthenticated: 401, codes.PermissionDenied: 403}[code]
	if httpStatus != want || told.Code != int(code) || !strings.Contains(told.Message, text) {
		h.t.Errorf("by REST: got %d %s, want %d: …%s…", httpStatus, body, want, text)
	}
}

// emit tells of a tag, and returns the event's id.
func (h *rights) emit(tag string) string {
	h.t.Helper()
	ids, err := h.Emit(h.t.Context(), events.Change{Kind: events.TagAttached, Registry: h.Defaults().RegistryID, Repository: "app", Tag: tag,
		Digest: "sha256:" + strings.Repeat("0", 64)})
	if err != nil {
		h.t.Fatal(err)
	}
	return ids[0]
}

// steps are those of an event, once the house is quiet.
func (h *rights) steps(event, what string) []string {
	h.t.Helper()
	h.Flush()
	trace, err := h.Trace(h.t.Context(), event)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, s := range trace.Steps {
		if s.What == what {
			out = append(out, s.Text)
		}
	}
	return out
}

// trigger makes a trigger for tags that does one thing, in the place of the default one.
func (h *rights) trigger(authorization string, rule *triggers.Trigger_ContainerRegistry) (*operation.Operation, error) {
	rule.RegistryId = h.Defaults().RegistryID
	rule.EventType = []triggers.Trigger_ContainerRegistryEventType{triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG}
	return triggers.NewTriggerServiceClient(h.as(authorization)).Create(h.t.Context(), &triggers.CreateTriggerRequest{
		FolderId: h.Defaults().FolderID, Rule: &triggers.Trigger_Rule{Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: rule}},
	})
}

func (h *rights) withoutDefaultTrigger() {
	h.t.Helper()
	op, err := triggers.NewTriggerServiceClient(h.as(h.developer)).Delete(h.t.Context(), &triggers.DeleteTriggerRequest{TriggerId: "a1sregcasttrigger000"})
	if err != nil || op.GetError() != nil {
		h.t.Fatal(err, op)
	}
}

// broadcasting makes a trigger that broadcasts as an account.
func (h *rights) broadcasting(authorization, account string) (*operation.Operation, error) {
	return h.trigger(authorization, &triggers.Trigger_ContainerRegistry{
		Action: &triggers.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggers.GatewayWebsocketBroadcast{
			GatewayId: h.Defaults().GatewayID, Path: "/ws", ServiceAccountId: account,
		}},
	})
}

// follow reads the journal until a line of it has a text.
func (h *rights) follow() (until func(text string)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	h.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL()+"/_regcast/journal?follow=true", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	res, err := h.Client().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewReader(res.Body)
	return func(text string) {
		h.t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				h.t.Fatalf("the journal never said %s: %v", text, err)
			}
			if strings.Contains(line, text) {
				return
			}
		}
	}
}

// Without strict auth the same goes through, and the trace says what the cloud would have said.
func TestMissingRolesAreTold(t *testing.T) {
	is := is.New(t)
	const spec = `openapi: 3.0.0
info: {title: t, version: "1"}
paths:
  /hello:
    get:
      x-yc-apigateway-integration: {type: cloud_functions, function_id: d4ehello, service_account_id: ajesomebody000000000}
`
	h := openRights(t, emulator.Config{
		Functions: map[string]emulator.Function{
			"d4ehello": function(func(context.Context, []byte) ([]byte, error) { return []byte(`{"statusCode":200,"body":"hello"}`), nil }),
		},
		Gateways: []emulator.Gateway{{ID: "d5dhello", File: emulator.File{Name: "hello.yaml", Data: []byte(spec)}}},
	})
	const unpermitted = "unpermitted"
	ws := h.Dial("/ws")
	is.Equal(h.steps(h.emit("v1"), unpermitted), nil) // the default account may
	ws.Expect("create-image-tag")

	h.withoutDefaultTrigger()
	robot, _ := h.account("robot")
	op, err := h.broadcasting(h.developer, robot)
	madeBy[*triggers.Trigger](t, op, err)
	event := h.emit("v2")
	is.Equal(ws.Expect("create-image-tag")[0].Details.Tag, "v2")
	told := h.steps(event, unpermitted)
	is.Equal(len(told), 1)
	is.True(strings.Contains(told[0], robot+" lacks api-gateway.websocketBroadcaster") && strings.Contains(told[0], "the cloud would refuse it"))
	is.Equal(len(h.steps(event, events.StepDelivered)), 1)
	h.bind("api-gateway.websocketBroadcaster", robot)
	is.Equal(h.steps(h.emit("v3"), unpermitted), nil)

	until := h.follow()
	code, body := h.ask("GET", "/gw/d5dhello/hello", "", "")
	is.Equal([]any{code, body}, []any{200, "hello"})
	until("ajesomebody000000000")
}

// Out of the box nothing of the cloud would refuse anything.
func TestTheDefaultsLackNoRole(t *testing.T) {
	for _, strict := range []bool{false, true} {
		is := is.New(t)
		h := openRights(t, emulator.Config{StrictAuth: strict})
		ws := h.Dial("/ws")
		event := h.emit("v1")
		ws.Expect("create-image-tag")
		h.Flush()
		trace, err := h.Trace(t.Context(), event)
		is.NoErr(err)
		is.True(!slices.ContainsFunc(trace.Steps, func(s events.Step) bool { return s.What == "unpermitted" || s.What == events.StepLost }))
	}
}
