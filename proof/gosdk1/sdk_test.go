// Package gosdk1_test drives a running regcast with version 1 of Yandex Cloud's Go SDK, as its users do:
//
//	regcast exec -- go test ./...
package gosdk1_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	ws "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggersv2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
	ycsdk "github.com/yandex-cloud/go-sdk"
)

// environment is what `regcast exec` sets.
func environment(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set; run me under: regcast exec -- go test ./...", name)
	}
	return v
}

// house is the SDK of one user.
type house struct {
	*ycsdk.SDK
	ctx          context.Context
	address      string
	folder, mark string
}

// eachWire runs a test over TLS and in the clear, through the one port.
func eachWire(t *testing.T, test func(t *testing.T, h *house)) {
	for name, plain := range map[string]bool{"tls": false, "plain": true} {
		t.Run(name, func(t *testing.T) {
			config := ycsdk.Config{
				Credentials: ycsdk.NewIAMTokenCredentials(environment(t, "YC_TOKEN")),
				Endpoint:    environment(t, "YC_ENDPOINT"), Plaintext: plain,
			}
			if !plain { // the roots of SSL_CERT_FILE, on every system
				pem, err := os.ReadFile(environment(t, "SSL_CERT_FILE"))
				if err != nil {
					t.Fatal(err)
				}
				roots := x509.NewCertPool()
				roots.AppendCertsFromPEM(pem)
				config.TLSConfig = &tls.Config{RootCAs: roots}
			}
			sdk, err := ycsdk.Build(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sdk.Shutdown(context.Background()) })
			test(t, &house{SDK: sdk, ctx: t.Context(), address: config.Endpoint, folder: environment(t, "YC_FOLDER_ID"), mark: "sdk1-" + name})
		})
	}
}

// wait waits as the SDK does, and returns what the operation made.
func wait[M proto.Message](t *testing.T, h *house, op *operation.Operation, err error) M {
	t.Helper()
	wrapped, err := h.WrapOperation(op, err)
	if err != nil {
		t.Fatal(err)
	}
	if err := wrapped.Wait(h.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := wrapped.Metadata(); err != nil {
		t.Fatal(err)
	}
	m, err := wrapped.Response()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := m.(M)
	if !ok {
		t.Fatalf("got %T, want %T", m, got)
	}
	return got
}

func (h *house) registry(t *testing.T) *cr.Registry {
	t.Helper()
	op, err := h.ContainerRegistry().Registry().Create(h.ctx, &cr.CreateRegistryRequest{FolderId: h.folder, Name: h.mark})
	r := wait[*cr.Registry](t, h, op, err)
	t.Cleanup(func() {
		_, _ = h.ContainerRegistry().Registry().Delete(context.Background(), &cr.DeleteRegistryRequest{RegistryId: r.Id}) // the test may have
	})
	return r
}

const specification = `openapi: 3.0.0
info: {title: proof, version: 1.0.0}
paths:
  /ws:
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {'*': ''}}
`

func (h *house) gateway(t *testing.T) *apigateway.ApiGateway {
	t.Helper()
	op, err := h.Serverless().APIGateway().ApiGateway().Create(h.ctx, &apigateway.CreateApiGatewayRequest{
		FolderId: h.folder, Name: h.mark, Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: specification},
	})
	g := wait[*apigateway.ApiGateway](t, h, op, err)
	t.Cleanup(func() {
		_, _ = h.Serverless().APIGateway().ApiGateway().Delete(context.Background(), &apigateway.DeleteApiGatewayRequest{ApiGatewayId: g.Id})
	})
	return g
}

// dial opens a socket of a gateway, by the path that works whatever resolves host names.
func (h *house) dial(t *testing.T, gatewayID string) (*websocket.Conn, string) {
	t.Helper()
	c, r, err := websocket.Dial(h.ctx, "ws://"+h.address+"/gw/"+gatewayID+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c, r.Header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
}

// push tells regcast of an image, as a push would.
func (h *house) push(t *testing.T, registry, repository string) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{
		"kind": "tag", "registry_id": registry, "repository": repository, "tag": "latest",
	})
	r, err := http.Post("http://"+h.address+"/_regcast/events", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode/100 != 2 {
		text, _ := io.ReadAll(r.Body)
		t.Fatalf("%s: %s", r.Status, text)
	}
}

func read(t *testing.T, ctx context.Context, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestEndpoints(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		l, err := h.ApiEndpoint().ApiEndpoint().List(h.ctx, &endpoint.ListApiEndpointsRequest{})
		is.NoErr(err)
		ids := map[string]string{}
		for _, e := range l.Endpoints {
			ids[e.Id] = e.Address
		}
		for _, id := range []string{"iam", "operation", "resource-manager", "container-registry", "serverless-apigateway", "serverless-functions",
			"serverless-triggers", "serverless-containers", "apigateway-connections", "serverless-gateway-connections", "endpoint"} {
			is.Equal(ids[id], h.address)
		}
	})
}

func TestIAM(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		op, err := h.IAM().ServiceAccount().Create(h.ctx, &iam.CreateServiceAccountRequest{FolderId: h.folder, Name: h.mark})
		a := wait[*iam.ServiceAccount](t, h, op, err)
		got, err := h.IAM().ServiceAccount().Get(h.ctx, &iam.GetServiceAccountRequest{ServiceAccountId: a.Id})
		is.NoErr(err)
		is.True(proto.Equal(got, a))
		op, err = h.IAM().ServiceAccount().Update(h.ctx, &iam.UpdateServiceAccountRequest{
			ServiceAccountId: a.Id, Description: "told", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}},
		})
		is.Equal(wait[*iam.ServiceAccount](t, h, op, err).Description, "told")
		l, err := h.IAM().ServiceAccount().List(h.ctx, &iam.ListServiceAccountsRequest{FolderId: h.folder, Filter: `name="` + h.mark + `"`})
		is.NoErr(err)
		is.Equal(len(l.ServiceAccounts), 1)

		member := &access.AccessBinding{RoleId: "api-gateway.websocketBroadcaster", Subject: &access.Subject{Id: a.Id, Type: "serviceAccount"}}
		change := func(action access.AccessBindingAction) {
			op, err := h.ResourceManager().Folder().UpdateAccessBindings(h.ctx, &access.UpdateAccessBindingsRequest{
				ResourceId: h.folder, AccessBindingDeltas: []*access.AccessBindingDelta{{Action: action, AccessBinding: member}},
			})
			wait[*access.AccessBindingsOperationResult](t, h, op, err)
		}
		change(access.AccessBindingAction_ADD)
		bs, err := h.ResourceManager().Folder().ListAccessBindings(h.ctx, &access.ListAccessBindingsRequest{ResourceId: h.folder})
		is.NoErr(err)
		found := false
		for _, b := range bs.AccessBindings {
			found = found || proto.Equal(b, member)
		}
		is.True(found)
		change(access.AccessBindingAction_REMOVE)

		key, err := h.IAM().AWSCompatibility().AccessKey().Create(h.ctx, &awscompatibility.CreateAccessKeyRequest{ServiceAccountId: a.Id})
		is.NoErr(err)
		is.True(key.Secret != "")
		op, err = h.IAM().AWSCompatibility().AccessKey().Delete(h.ctx, &awscompatibility.DeleteAccessKeyRequest{AccessKeyId: key.AccessKey.Id})
		is.NoErr(err)
		token, err := h.CreateIAMTokenForServiceAccount(h.ctx, a.Id)
		is.NoErr(err)
		is.True(strings.HasPrefix(token.IamToken, "t1.") && strings.Count(token.IamToken, ".") == 2)

		op, err = h.IAM().ServiceAccount().Delete(h.ctx, &iam.DeleteServiceAccountRequest{ServiceAccountId: a.Id})
		wrapped, err := h.WrapOperation(op, err)
		is.NoErr(err)
		is.NoErr(wrapped.Wait(h.ctx))
		_, err = h.IAM().ServiceAccount().Get(h.ctx, &iam.GetServiceAccountRequest{ServiceAccountId: a.Id})
		is.Equal(status.Code(err), codes.NotFound)
		f, err := h.ResourceManager().Folder().Get(h.ctx, &resourcemanager.GetFolderRequest{FolderId: h.folder})
		is.NoErr(err)
		c, err := h.ResourceManager().Cloud().Get(h.ctx, &resourcemanager.GetCloudRequest{CloudId: f.CloudId})
		is.NoErr(err)
		is.Equal(c.Id, environment(t, "YC_CLOUD_ID"))
	})
}

func TestRegistry(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		r := h.registry(t)
		got, err := h.ContainerRegistry().Registry().Get(h.ctx, &cr.GetRegistryRequest{RegistryId: r.Id})
		is.NoErr(err)
		is.True(proto.Equal(got, r))
		op, err := h.ContainerRegistry().Repository().Upsert(h.ctx, &cr.UpsertRepositoryRequest{Name: r.Id + "/app"})
		repository := wait[*cr.Repository](t, h, op, err)
		byName, err := h.ContainerRegistry().Repository().GetByName(h.ctx, &cr.GetRepositoryByNameRequest{RepositoryName: r.Id + "/app"})
		is.NoErr(err)
		is.True(proto.Equal(byName, repository))
		images, err := h.ContainerRegistry().Image().List(h.ctx, &cr.ListImagesRequest{RegistryId: r.Id})
		is.NoErr(err)
		is.Equal(len(images.Images), 0)
		_, err = h.ContainerRegistry().Image().Get(h.ctx, &cr.GetImageRequest{ImageId: "crpnone"})
		is.Equal(status.Code(err), codes.NotFound)
		_, err = h.ContainerRegistry().Registry().Create(h.ctx, &cr.CreateRegistryRequest{FolderId: h.folder, Name: h.mark})
		is.Equal(status.Code(err), codes.AlreadyExists)
		_, err = h.ContainerRegistry().Registry().Create(h.ctx, &cr.CreateRegistryRequest{FolderId: h.folder, Name: "No Good"})
		is.Equal(status.Code(err), codes.InvalidArgument)
	})
}

func TestTriggerOfVersion1ReachesASocket(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		r, g := h.registry(t), h.gateway(t)
		c, id := h.dial(t, g.Id)
		service := h.Serverless().Triggers().Trigger()
		op, err := service.Create(h.ctx, &triggers.CreateTriggerRequest{FolderId: h.folder, Name: h.mark, Rule: &triggers.Trigger_Rule{
			Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: &triggers.Trigger_ContainerRegistry{
				EventType:  []triggers.Trigger_ContainerRegistryEventType{triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
				RegistryId: r.Id,
				Action: &triggers.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{
					GatewayWebsocketBroadcast: &triggers.GatewayWebsocketBroadcast{
						GatewayId: g.Id, Path: "/ws", ServiceAccountId: "ajeregcastaccount000",
					},
				},
			}},
		}})
		trigger := wait[*triggers.Trigger](t, h, op, err)
		t.Cleanup(func() {
			_, _ = service.Delete(context.Background(), &triggers.DeleteTriggerRequest{TriggerId: trigger.Id}) // the test may have
		})
		is.True(trigger.Rule.GetContainerRegistry().BatchSettings == nil) // nothing is filled in
		h.push(t, r.Id, "app")
		is.True(strings.Contains(read(t, h.ctx, c), r.Id+"/app"))

		op, err = service.Pause(h.ctx, &triggers.PauseTriggerRequest{TriggerId: trigger.Id})
		is.Equal(wait[*triggers.Trigger](t, h, op, err).Status, triggers.Trigger_PAUSED)
		h.push(t, r.Id, "lost")
		op, err = service.Resume(h.ctx, &triggers.ResumeTriggerRequest{TriggerId: trigger.Id})
		is.Equal(wait[*triggers.Trigger](t, h, op, err).Status, triggers.Trigger_ACTIVE)
		h.push(t, r.Id, "again")
		is.True(strings.Contains(read(t, h.ctx, c), r.Id+"/again"))

		// The socket, by its id.
		connections := h.Serverless().APIGatewayWebsocket().Connection()
		info, err := connections.Get(h.ctx, &ws.GetConnectionRequest{ConnectionId: id})
		is.NoErr(err)
		is.Equal(info.GatewayId, g.Id)
		_, err = connections.Send(h.ctx, &ws.SendToConnectionRequest{ConnectionId: id, Data: []byte("hello"), Type: ws.SendToConnectionRequest_TEXT})
		is.NoErr(err)
		is.Equal(read(t, h.ctx, c), "hello")
		_, err = connections.Disconnect(h.ctx, &ws.DisconnectRequest{ConnectionId: id})
		is.NoErr(err)
		_, _, err = c.Read(h.ctx)
		is.Equal(websocket.CloseStatus(err), websocket.StatusNormalClosure)
		_, err = connections.Get(h.ctx, &ws.GetConnectionRequest{ConnectionId: id})
		is.Equal(status.Code(err), codes.NotFound)
	})
}

func TestTriggerOfVersion2(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		r, g := h.registry(t), h.gateway(t)
		c, _ := h.dial(t, g.Id)
		service := h.Serverless().TriggersV2().Trigger()
		op, err := service.Create(h.ctx, &triggersv2.CreateTriggerRequest{FolderId: h.folder, Name: h.mark,
			Source: &triggersv2.Source{Source: &triggersv2.Source_ContainerRegistry{ContainerRegistry: &triggersv2.ContainerRegistry{
				EventType:  []triggersv2.ContainerRegistryEventType{triggersv2.ContainerRegistryEventType_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
				RegistryId: r.Id, BatchSettings: &triggersv2.BatchSettings{MaxCount: 1, Cutoff: durationpb.New(time.Second)},
			}}},
			Action: []*triggersv2.Action{{
				Action: &triggersv2.Action_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggersv2.GatewayWebsocketBroadcast{
					GatewayId: g.Id, Path: "/ws", ServiceAccountId: "ajeregcastaccount000",
				}},
				Transformer: &triggersv2.Transformer{Transformer: &triggersv2.Transformer_Jq{Jq: "{image: .messages[0].details.repository_name}"}},
			}},
		})
		trigger := wait[*triggersv2.Trigger](t, h, op, err)
		h.push(t, r.Id, "app")
		is.Equal(read(t, h.ctx, c), `{"image":"`+r.Id+`/app"}`)
		got, err := service.Get(h.ctx, &triggersv2.GetTriggerRequest{TriggerId: trigger.Id})
		is.NoErr(err)
		is.True(proto.Equal(got, trigger))
		op, err = service.Delete(h.ctx, &triggersv2.DeleteTriggerRequest{TriggerId: trigger.Id})
		wrapped, err := h.WrapOperation(op, err)
		is.NoErr(err)
		is.NoErr(wrapped.Wait(h.ctx))
		_, err = service.Get(h.ctx, &triggersv2.GetTriggerRequest{TriggerId: trigger.Id})
		is.Equal(status.Code(err), codes.NotFound)
	})
}

func TestFunction(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		service := h.Serverless().Functions().Function()
		op, err := service.Create(h.ctx, &functions.CreateFunctionRequest{FolderId: h.folder, Name: h.mark})
		f := wait[*functions.Function](t, h, op, err)
		var content bytes.Buffer
		archive := zip.NewWriter(&content)
		file, _ := archive.Create("index.go")
		_, _ = io.WriteString(file, "package main\n\nfunc Handler(in struct{ Name string }) (string, error) { return \"hello \" + in.Name, nil }\n")
		is.NoErr(archive.Close())
		op, err = service.CreateVersion(h.ctx, &functions.CreateFunctionVersionRequest{
			FunctionId: f.Id, Runtime: "golang123", Entrypoint: "index.Handler", Resources: &functions.Resources{Memory: 128 << 20},
			ExecutionTimeout: durationpb.New(3 * time.Second),
			PackageSource:    &functions.CreateFunctionVersionRequest_Content{Content: content.Bytes()},
		})
		v := wait[*functions.Version](t, h, op, err)
		is.Equal(v.Tags, []string{"$latest"})
		r, err := http.Post(f.HttpInvokeUrl+"?integration=raw", "application/json", strings.NewReader(`{"Name": "you"}`))
		is.NoErr(err)
		defer func() { _ = r.Body.Close() }()
		text, _ := io.ReadAll(r.Body)
		is.Equal(strings.Trim(string(text), `"`), "hello you")
		is.Equal(r.Header.Get("X-Function-Version-Id"), v.Id)
		l, err := service.ListVersions(h.ctx, &functions.ListFunctionsVersionsRequest{
			Id: &functions.ListFunctionsVersionsRequest_FunctionId{FunctionId: f.Id},
		})
		is.NoErr(err)
		is.Equal(len(l.Versions), 1)
		op, err = service.Delete(h.ctx, &functions.DeleteFunctionRequest{FunctionId: f.Id})
		wrapped, err := h.WrapOperation(op, err)
		is.NoErr(err)
		is.NoErr(wrapped.Wait(h.ctx))
	})
}

func TestContainer(t *testing.T) {
	eachWire(t, func(t *testing.T, h *house) {
		is := is.New(t)
		paths := make(chan string, 1)
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths <- r.URL.Path
		}))
		defer app.Close()
		service := h.Serverless().Containers().Container()
		op, err := service.Create(h.ctx, &containers.CreateContainerRequest{FolderId: h.folder, Name: h.mark})
		c := wait[*containers.Container](t, h, op, err)
		op, err = service.DeployRevision(h.ctx, &containers.DeployContainerRevisionRequest{
			ContainerId: c.Id, Resources: &containers.Resources{Memory: 128 << 20},
			ImageSpec: &containers.ImageSpec{ImageUrl: "cr.yandex/crp/app:1", Environment: map[string]string{"REGCAST_URL": app.URL}},
		})
		wait[*containers.Revision](t, h, op, err)
		r, err := http.Post(strings.TrimSuffix(c.Url, "/")+"/hook", "application/json", strings.NewReader("{}"))
		is.NoErr(err)
		is.NoErr(r.Body.Close())
		is.Equal(r.StatusCode, http.StatusOK)
		is.Equal(<-paths, "/hook")
		op, err = service.Delete(h.ctx, &containers.DeleteContainerRequest{ContainerId: c.Id})
		wrapped, err := h.WrapOperation(op, err)
		is.NoErr(err)
		is.NoErr(wrapped.Wait(h.ctx))
	})
}
