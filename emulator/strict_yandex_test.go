package emulator_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
	fn "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
)

func TestYandexStrictAuthAsksWhoCalls(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	h := openRights(t, emulator.Config{StrictAuth: true, Clock: clock})
	folder := h.Defaults().FolderID
	call := func(authorization string) (int, string, error) {
		_, err := cr.NewRegistryServiceClient(h.as(authorization)).List(t.Context(), &cr.ListRegistriesRequest{FolderId: folder})
		code, body := h.ask("GET", "/container-registry/v1/registries?folderId="+folder, authorization, "")
		return code, body, err
	}
	refused := func(authorization, text string) {
		t.Helper()
		code, body, err := call(authorization)
		h.refuses(codes.Unauthenticated, text, err, code, body)
	}
	accepted := func(authorization string) {
		t.Helper()
		code, _, err := call(authorization)
		is.NoErr(err)
		is.Equal(code, 200)
	}
	refused("", "token is missing")
	refused("Bearer t1.of.somebody", "The token is invalid")
	refused("Basic dTpw", "scheme")
	accepted(h.developer)

	// Where clients begin: addresses and a first token need none.
	list, err := endpoint.NewApiEndpointServiceClient(h.as("")).List(t.Context(), &endpoint.ListApiEndpointsRequest{})
	is.NoErr(err)
	is.True(len(list.Endpoints) > 10)
	code, _ := h.ask("GET", "/endpoints", "", "")
	is.Equal(code, 200)
	first, err := iam.NewIamTokenServiceClient(h.as("")).Create(t.Context(), &iam.CreateIamTokenRequest{
		Identity: &iam.CreateIamTokenRequest_YandexPassportOauthToken{YandexPassportOauthToken: "y0_regcast_developer"}})
	is.NoErr(err)
	accepted("Bearer " + first.IamToken)
	code, body := h.ask("POST", "/iam/v1/tokens", "", `{"yandexPassportOauthToken":"y0_somebody"}`)
	is.Equal(code, 401)
	is.True(strings.Contains(body, `"code":16`))

	robot, authorization := h.account("robot")
	h.bind("viewer", robot)
	accepted(authorization)
	clock.Advance(12*time.Hour + time.Second)
	refused(authorization, "expired")
	refused("Bearer "+first.IamToken, "expired")
	accepted(h.developer) // who has it in the environment, for as long as regcast runs

	token, err := iam.NewIamTokenServiceClient(h.as(h.developer)).CreateForServiceAccount(t.Context(),
		&iam.CreateIamTokenForServiceAccountRequest{ServiceAccountId: robot})
	is.NoErr(err)
	authorization = "Bearer " + token.IamToken
	accepted(authorization)
	_, err = iam.NewIamTokenServiceClient(h.as(authorization)).Revoke(t.Context(), &iam.RevokeIamTokenRequest{IamToken: token.IamToken})
	is.NoErr(err)
	refused(authorization, "revoked")

	// Sockets by REST are beside the other APIs; the metadata service of the port is the developer's.
	ws := h.Dial("/ws")
	path := "/apigateways/websocket/v1/connections/" + h.Connections()[0].ID + ":send"
	for _, authorization := range []string{"", authorization, "Bearer t1.of.somebody"} {
		code, body = h.ask("POST", path, authorization, `{"data":"aGk=","type":"TEXT"}`)
		is.Equal(code, 401)
		is.True(strings.Contains(body, `"code":16`))
	}
	code, _ = h.ask("POST", path, h.developer, `{"data":"aGk=","type":"TEXT"}`)
	is.Equal(code, 200)
	is.Equal(string(ws.Read()), "hi")
}

func TestYandexStrictAuthAsksForRoles(t *testing.T) {
	h := openRights(t, emulator.Config{StrictAuth: true})
	d := h.Defaults()
	developer := h.as(h.developer)
	folders, clouds := resourcemanager.NewFolderServiceClient(developer), resourcemanager.NewCloudServiceClient(developer)
	for where, bind := range map[string]func(*access.UpdateAccessBindingsRequest) (*operation.Operation, error){
		"folder": func(r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
			r.ResourceId = d.FolderID
			return folders.UpdateAccessBindings(t.Context(), r)
		},
		"cloud": func(r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
			r.ResourceId = d.CloudID
			return clouds.UpdateAccessBindings(t.Context(), r)
		},
		"resource": func(r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
			r.ResourceId = d.RegistryID
			return cr.NewRegistryServiceClient(developer).UpdateAccessBindings(t.Context(), r)
		},
	} {
		t.Run(where, func(t *testing.T) {
			is := is.New(t)
			account, authorization := h.account("on-" + where)
			registries := cr.NewRegistryServiceClient(h.as(authorization))
			path := "/container-registry/v1/registries/" + d.RegistryID
			read := func() (int, string, error) {
				_, err := registries.Get(t.Context(), &cr.GetRegistryRequest{RegistryId: d.RegistryID})
				code, body := h.ask("GET", path, authorization, "")
				return code, body, err
			}
			write := func() (int, string, error) {
				_, err := registries.Update(t.Context(), &cr.UpdateRegistryRequest{RegistryId: d.RegistryID,
					UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}}, Labels: map[string]string{"by": where}})
				code, body := h.ask("PATCH", path, authorization, `{"updateMask":"labels","labels":{"rest":"`+where+`"}}`)
				return code, body, err
			}
			denied := func(role string, err error, code int, body string) {
				t.Helper()
				h.refuses(codes.PermissionDenied, "serviceAccount "+account+" lacks "+role, err, code, body)
			}
			give := func(role string) {
				t.Helper()
				op, err := bind(&access.UpdateAccessBindingsRequest{AccessBindingDeltas: adding(role, account)})
				is.NoErr(errors.Join(err, status.ErrorProto(op.GetError())))
			}
			code, body, err := read()
			denied("container-registry.viewer", err, code, body)
			give("container-registry.viewer")
			code, _, err = read()
			is.NoErr(err)
			is.Equal(code, 200)
			code, body, err = write()
			denied("container-registry.editor", err, code, body)
			give("container-registry.editor")
			code, _, err = write()
			is.NoErr(err)
			is.Equal(code, 200)
			// Roles of one service say nothing of another.
			_, err = triggers.NewTriggerServiceClient(h.as(authorization)).List(t.Context(), &triggers.ListTriggersRequest{FolderId: d.FolderID})
			is.Equal(status.Code(err), codes.PermissionDenied)
		})
	}
}

// What a trigger's account may not is lost, with what to do about it in the trace; the next event finds it mended.
func TestYandexStrictAuthOfBroadcasts(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true})
	h.withoutDefaultTrigger()
	robot, _ := h.account("robot")
	op, err := h.broadcasting(h.developer, robot)
	madeBy[*triggers.Trigger](t, op, err)
	ws := h.Dial("/ws")
	lost := h.steps(h.emit("v1"), events.StepLost)
	is.Equal(len(lost), 1)
	folder := h.Defaults().FolderID
	for _, want := range []string{"403", "the service account " + robot + " lacks api-gateway.websocketBroadcaster on the folder " + folder,
		"regcast yc resource-manager folder add-access-binding " + folder + " --role api-gateway.websocketBroadcaster --subject serviceAccount:" + robot} {
		if !strings.Contains(lost[0], want) {
			t.Errorf("%s lacks %s", lost[0], want)
		}
	}
	h.bind("api-gateway.websocketBroadcaster", robot)
	is.Equal(h.steps(h.emit("v2"), events.StepLost), nil)
	is.Equal(ws.Expect("create-image-tag")[0].Details.Tag, "v2") // and nothing before it
}

// Functions and containers: what may not be called fails as if it had failed itself, again and again, and goes where the dead letters are.
func TestYandexStrictAuthOfCalls(t *testing.T) {
	box := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		box <- string(body)
	}))
	defer server.Close()
	for _, tc := range []struct {
		name, role string
		rule       func(account string, retry *triggers.RetrySettings, dead *triggers.PutQueueMessage) *triggers.Trigger_ContainerRegistry
	}{
		{"function", "functions.functionInvoker", func(account string, retry *triggers.RetrySettings, dead *triggers.PutQueueMessage) *triggers.Trigger_ContainerRegistry {
			return &triggers.Trigger_ContainerRegistry{Action: &triggers.Trigger_ContainerRegistry_InvokeFunction{
				InvokeFunction: &triggers.InvokeFunctionWithRetry{FunctionId: "d4ebox", ServiceAccountId: account, RetrySettings: retry, DeadLetterQueue: dead}}}
		}},
		{"container", "serverless-containers.containerInvoker", func(account string, retry *triggers.RetrySettings, dead *triggers.PutQueueMessage) *triggers.Trigger_ContainerRegistry {
			return &triggers.Trigger_ContainerRegistry{Action: &triggers.Trigger_ContainerRegistry_InvokeContainer{
				InvokeContainer: &triggers.InvokeContainerWithRetry{ContainerId: "bbabox", ServiceAccountId: account, RetrySettings: retry, DeadLetterQueue: dead}}}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			clock := emulatortest.NewClock()
			h := openRights(t, emulator.Config{
				StrictAuth: true, Clock: clock, Containers: []emulator.Container{{ID: "bbabox", URL: server.URL}},
				Functions: map[string]emulator.Function{"d4ebox": function(func(_ context.Context, payload []byte) ([]byte, error) {
					box <- string(payload)
					return []byte("null"), nil
				})},
			})
			h.withoutDefaultTrigger()
			robot, _ := h.account("robot")
			op, err := h.trigger(h.developer, tc.rule(robot, &triggers.RetrySettings{RetryAttempts: 1, Interval: durationpb.New(10 * time.Second)},
				&triggers.PutQueueMessage{QueueId: "yrn:yc:ymq:ru-central1:" + h.Defaults().FolderID + ":dead", ServiceAccountId: robot}))
			madeBy[*triggers.Trigger](t, op, err)
			until := h.follow()
			refused := h.emit("v1")
			until(`"retry"`)
			clock.Advance(10 * time.Second)
			until(`"lost"`)
			lost := h.steps(refused, events.StepLost)
			is.Equal(len(lost), 1)
			for _, want := range []string{"given up after 2 attempts: 403 permission denied", robot + " lacks " + tc.role, "add-access-binding", ":dead"} {
				if !strings.Contains(lost[0], want) {
					t.Errorf("%s lacks %s", lost[0], want)
				}
			}
			is.Equal(len(box), 0) // nobody was called
			dead := h.Queues()
			is.Equal(len(dead), 1)
			is.Equal(dead[0].Name, "dead")
			h.bind(tc.role, robot)
			h.emit("v2")
			is.True(strings.Contains(<-box, `"tag":"v2"`))
			h.Flush()
		})
	}
}

func TestYandexStrictAuthOfFunctionsOverHTTP(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true, Functions: map[string]emulator.Function{
		"d4ehello": function(func(context.Context, []byte) ([]byte, error) { return []byte(`"hello"`), nil }),
	}})
	invoke := func(authorization string) int {
		code, _ := h.ask("POST", "/functions/d4ehello?integration=raw", authorization, "{}")
		return code
	}
	robot, authorization := h.account("robot")
	is.Equal(invoke(""), 403)
	is.Equal(invoke("Bearer t1.of.somebody"), 401)
	is.Equal(invoke(authorization), 403)
	is.Equal(invoke(h.developer), 200)
	functions := fn.NewFunctionServiceClient(h.as(h.developer))
	set := func(role, id, kind string) {
		_, err := functions.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: "d4ehello",
			AccessBindings: []*access.AccessBinding{{RoleId: role, Subject: &access.Subject{Id: id, Type: kind}}}})
		is.NoErr(err)
	}
	set("functions.functionInvoker", robot, "serviceAccount")
	is.Equal([]int{invoke(authorization), invoke("")}, []int{200, 403})
	set("functions.functionInvoker", "allAuthenticatedUsers", "system")
	is.Equal([]int{invoke(authorization), invoke("")}, []int{200, 403})
	set("functions.functionInvoker", "allUsers", "system") // what `allow-unauthenticated-invoke` does
	is.Equal([]int{invoke(authorization), invoke("")}, []int{200, 200})
}

func TestYandexStrictAuthOfSockets(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true})
	ws := h.Dial("/ws")
	id := h.Connections()[0].ID
	robot, authorization := h.account("robot")
	sockets := websocket.NewConnectionServiceClient(h.as(authorization))
	path := "/apigateways/websocket/v1/connections/" + id
	send := func() (int, string, error) {
		_, err := sockets.Send(t.Context(), &websocket.SendToConnectionRequest{ConnectionId: id, Data: []byte("by gRPC"), Type: websocket.SendToConnectionRequest_TEXT})
		code, body := h.ask("POST", path+":send", authorization, `{"type":"TEXT","data":"`+base64.StdEncoding.EncodeToString([]byte("by REST"))+`"}`)
		return code, body, err
	}
	const lacks = "lacks api-gateway.websocketWriter"
	for _, role := range []string{"", "functions.admin", "api-gateway.admin"} {
		if role != "" {
			h.bind(role, robot)
		}
		code, body, err := send()
		h.refuses(codes.PermissionDenied, lacks, err, code, body)
	}
	_, err := sockets.Get(t.Context(), &websocket.GetConnectionRequest{ConnectionId: id})
	code, body := h.ask("GET", path, authorization, "")
	h.refuses(codes.PermissionDenied, lacks, err, code, body)
	_, err = sockets.Disconnect(t.Context(), &websocket.DisconnectRequest{ConnectionId: id})
	code, body = h.ask("DELETE", path, authorization, "")
	h.refuses(codes.PermissionDenied, lacks, err, code, body)

	h.bind("api-gateway.websocketWriter", robot)
	code, _, err = send()
	is.NoErr(err)
	is.Equal(code, 200)
	is.Equal(string(ws.Read()), "by gRPC")
	is.Equal(string(ws.Read()), "by REST")
}

// Who makes a trigger or a function that acts as an account must be allowed to use the account, wherever that is.
func TestYandexStrictAuthOfActingAsAnAccount(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true})
	author, authorization := h.account("author")
	robot, _ := h.account("robot")
	h.bind("functions.editor", author)
	h.bind("container-registry.images.puller", author)
	_, err := h.broadcasting(authorization, robot)
	is.Equal(status.Code(err), codes.PermissionDenied)
	is.True(strings.Contains(err.Error(), "lacks iam.serviceAccounts.user"))
	functions := fn.NewFunctionServiceClient(h.as(authorization))
	op, err := functions.Create(t.Context(), &fn.CreateFunctionRequest{FolderId: h.Defaults().FolderID, Name: "acting"})
	made := madeBy[*fn.Function](t, op, err)
	_, err = functions.CreateVersion(t.Context(), version(t, made.Id, robot))
	is.Equal(status.Code(err), codes.PermissionDenied)

	accounts := iam.NewServiceAccountServiceClient(h.as(h.developer))
	_, err = accounts.UpdateAccessBindings(t.Context(),
		&access.UpdateAccessBindingsRequest{ResourceId: robot, AccessBindingDeltas: adding("iam.serviceAccounts.user", author)})
	is.NoErr(err)
	op, err = h.broadcasting(authorization, robot)
	madeBy[*triggers.Trigger](t, op, err)
}

// Docker's own tokens are not the cloud's: what is pushed needs none. But a registry is made by who may, not by a push.
func TestYandexStrictAuthOfPushes(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{StrictAuth: true})
	h.Push("app:v1")
	const unknown = "crp00000000000000000"
	code, body := h.ask("POST", "/v2/"+unknown+"/app/blobs/uploads/", "", "")
	is.Equal(code, 404)
	is.True(strings.Contains(body, "NAME_UNKNOWN") && strings.Contains(body, unknown))
	op, err := cr.NewRegistryServiceClient(h.as(h.developer)).Create(t.Context(), &cr.CreateRegistryRequest{FolderId: h.Defaults().FolderID, Name: "mine"})
	h.Push(madeBy[*cr.Registry](t, op, err).Id + "/app:v1")

	open := emulatortest.Start(t, emulator.Config{})
	open.Push(unknown + "/app:v1") // without strict auth the first push makes it
}
