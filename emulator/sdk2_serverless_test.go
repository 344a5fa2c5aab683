package emulator_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	sockets2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggers2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
)

// specification has a path for sockets and one for anybody.
const specification = `openapi: 3.0.0
info: {title: made, version: 1.0.0}
paths:
  /ws:
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {'*': ''}}
  /hello:
    get:
      x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {text/plain: "hello"}}
`

// gateway makes a gateway that is deleted when the test ends.
func (c *cloud) gateway(name string) *apigateway.ApiGateway {
	service := apigateway.NewApiGatewayServiceClient(c)
	made := wait[*apigateway.ApiGateway](c)(service.Create(c.t.Context(), &apigateway.CreateApiGatewayRequest{
		FolderId: c.folder, Name: name, Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: specification},
	}))
	c.t.Cleanup(func() {
		_, _ = service.Delete(context.Background(), &apigateway.DeleteApiGatewayRequest{ApiGatewayId: made.Id}) // the test may have
	})
	return made
}

func useGateways(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := apigateway.NewApiGatewayServiceClient(c)
	made := c.gateway("gateways")
	same(t, made)(service.Get(ctx, &apigateway.GetApiGatewayRequest{ApiGatewayId: made.Id}))
	list, err := service.List(ctx, &apigateway.ListApiGatewayRequest{FolderId: c.folder, Filter: `name="gateways"`})
	is.NoErr(err)
	is.Equal(len(list.ApiGateways), 1)
	res, body := fetch(t, c.Client(), "http://"+made.Domain+"/hello")
	is.Equal(res.StatusCode, http.StatusOK)
	is.Equal(body, "hello")
	updated := strings.Replace(specification, `"hello"`, `"goodbye"`, 1)
	wait[*apigateway.ApiGateway](c)(service.Update(ctx, &apigateway.UpdateApiGatewayRequest{
		ApiGatewayId: made.Id, Spec: &apigateway.UpdateApiGatewayRequest_OpenapiSpec{OpenapiSpec: updated}, UpdateMask: mask("openapi_spec"),
	}))
	_, body = fetch(t, c.Client(), "http://"+made.Domain+"/hello")
	is.Equal(body, "goodbye")
	spec, err := service.GetOpenapiSpec(ctx, &apigateway.GetOpenapiSpecRequest{ApiGatewayId: made.Id})
	is.NoErr(err)
	is.True(strings.Contains(spec.OpenapiSpec, "goodbye"))

	socket := c.Dial("ws://" + made.Domain + "/ws")
	connections := sockets2.NewConnectionServiceClient(c)
	connection, err := connections.Get(ctx, &sockets2.GetConnectionRequest{ConnectionId: socket.ID()})
	is.NoErr(err)
	is.Equal(connection.GatewayId, made.Id)
	_, err = connections.Send(ctx, &sockets2.SendToConnectionRequest{
		ConnectionId: socket.ID(), Data: []byte("sent"), Type: sockets2.SendToConnectionRequest_TEXT,
	})
	is.NoErr(err)
	is.Equal(string(socket.Read()), "sent")
	_, err = connections.Disconnect(ctx, &sockets2.DisconnectRequest{ConnectionId: socket.ID()})
	is.NoErr(err)
	code[*sockets2.Connection](t, codes.NotFound)(connections.Get(ctx, &sockets2.GetConnectionRequest{ConnectionId: socket.ID()}))

	wait[*emptypb.Empty](c)(service.Stop(ctx, &apigateway.StopApiGatewayRequest{ApiGatewayId: made.Id}))
	res, _ = fetch(t, c.Client(), "http://"+made.Domain+"/hello")
	is.True(res.StatusCode != http.StatusOK)
	wait[*apigateway.ApiGateway](c)(service.Resume(ctx, &apigateway.ResumeApiGatewayRequest{ApiGatewayId: made.Id}))
	res, _ = fetch(t, c.Client(), "http://"+made.Domain+"/hello")
	is.Equal(res.StatusCode, http.StatusOK)
	wait[*emptypb.Empty](c)(service.Delete(ctx, &apigateway.DeleteApiGatewayRequest{ApiGatewayId: made.Id}))
	code[*apigateway.ApiGateway](t, codes.NotFound)(service.Get(ctx, &apigateway.GetApiGatewayRequest{ApiGatewayId: made.Id}))
}

func useTriggers(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := triggers.NewTriggerServiceClient(c)
	registry, gateway := c.registry("triggers"), c.gateway("triggers")
	socket := c.Dial("ws://" + gateway.Domain + "/ws")
	made := wait[*triggers.Trigger](c)(service.Create(ctx, &triggers.CreateTriggerRequest{FolderId: c.folder, Name: "made", Rule: &triggers.Trigger_Rule{
		Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: &triggers.Trigger_ContainerRegistry{
			EventType:  []triggers.Trigger_ContainerRegistryEventType{triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
			RegistryId: registry.Id,
			Action: &triggers.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggers.GatewayWebsocketBroadcast{
				GatewayId: gateway.Id, Path: "/ws", ServiceAccountId: c.Defaults().ServiceAccountID,
			}},
		}},
	}}))
	same(t, made)(service.Get(ctx, &triggers.GetTriggerRequest{TriggerId: made.Id}))
	list, err := service.List(ctx, &triggers.ListTriggersRequest{FolderId: c.folder, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.Triggers), 1)
	c.Push(registry.Id + "/app:v1")
	socket.Expect("create-image-tag")

	made.Rule.GetContainerRegistry().Tag = "v3"
	updated := wait[*triggers.Trigger](c)(service.Update(ctx, &triggers.UpdateTriggerRequest{
		TriggerId: made.Id, Rule: made.Rule, UpdateMask: mask("rule.container_registry.tag"),
	}))
	is.Equal(updated.Name, "made")
	c.Push(registry.Id + "/app:v2")
	c.Push(registry.Id + "/app:v3")
	is.Equal(socket.Expect("create-image-tag")[0].Details.Tag, "v3")
	is.Equal(wait[*triggers.Trigger](c)(service.Pause(ctx, &triggers.PauseTriggerRequest{TriggerId: made.Id})).Status, triggers.Trigger_PAUSED)
	c.Push(registry.Id + "/lost:v3")
	is.Equal(wait[*triggers.Trigger](c)(service.Resume(ctx, &triggers.ResumeTriggerRequest{TriggerId: made.Id})).Status, triggers.Trigger_ACTIVE)
	c.Push(registry.Id + "/found:v3")
	is.Equal(socket.Expect("create-image-tag")[0].Details.RepositoryName, registry.Id+"/found")
	history, err := service.ListOperations(ctx, &triggers.ListTriggerOperationsRequest{TriggerId: made.Id})
	is.NoErr(err)
	is.Equal(len(history.Operations), 4)
	same(t, history.Operations[0])(operation.NewOperationServiceClient(c).Get(ctx, &operation.GetOperationRequest{
		OperationId: history.Operations[0].Id,
	}))
	wait[*emptypb.Empty](c)(service.Delete(ctx, &triggers.DeleteTriggerRequest{TriggerId: made.Id}))
	code[*triggers.Trigger](t, codes.NotFound)(service.Get(ctx, &triggers.GetTriggerRequest{TriggerId: made.Id}))
}

func useTriggers2(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := triggers2.NewTriggerServiceClient(c)
	registry, gateway := c.registry("triggers2"), c.gateway("triggers2")
	socket := c.Dial("ws://" + gateway.Domain + "/ws")
	jq := func(program string) *triggers2.Action {
		return &triggers2.Action{
			Action: &triggers2.Action_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggers2.GatewayWebsocketBroadcast{
				GatewayId: gateway.Id, Path: "/ws", ServiceAccountId: c.Defaults().ServiceAccountID,
			}},
			Transformer: &triggers2.Transformer{Transformer: &triggers2.Transformer_Jq{Jq: program}},
		}
	}
	made := wait[*triggers2.Trigger](c)(service.Create(ctx, &triggers2.CreateTriggerRequest{FolderId: c.folder, Name: "made-2",
		Source: &triggers2.Source{Source: &triggers2.Source_ContainerRegistry{ContainerRegistry: &triggers2.ContainerRegistry{
			EventType:  []triggers2.ContainerRegistryEventType{triggers2.ContainerRegistryEventType_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
			RegistryId: registry.Id, BatchSettings: &triggers2.BatchSettings{MaxCount: 1, Cutoff: durationpb.New(time.Second)},
		}}},
		Action: []*triggers2.Action{jq(`"first"`)},
	}))
	same(t, made)(service.Get(ctx, &triggers2.GetTriggerRequest{TriggerId: made.Id}))
	list, err := service.List(ctx, &triggers2.ListTriggersRequest{FolderId: c.folder, Filter: `name="made-2"`})
	is.NoErr(err)
	is.Equal(len(list.Triggers), 1)
	c.Push(registry.Id + "/app:v1")
	is.Equal(string(socket.Read()), "first")
	updated := wait[*triggers2.Trigger](c)(service.Update(ctx, &triggers2.UpdateTriggerRequest{
		TriggerId: made.Id, Action: []*triggers2.Action{jq(`"second"`)}, UpdateMask: mask("action"),
	}))
	is.True(proto.Equal(updated.Source, made.Source))
	c.Push(registry.Id + "/app:v2")
	is.Equal(string(socket.Read()), "second")
	is.Equal(wait[*triggers2.Trigger](c)(service.Pause(ctx, &triggers2.PauseTriggerRequest{TriggerId: made.Id})).Status, triggers2.Trigger_PAUSED)
	is.Equal(wait[*triggers2.Trigger](c)(service.Resume(ctx, &triggers2.ResumeTriggerRequest{TriggerId: made.Id})).Status, triggers2.Trigger_ACTIVE)
	history, err := service.ListOperations(ctx, &triggers2.ListTriggerOperationsRequest{TriggerId: made.Id})
	is.NoErr(err)
	is.Equal(len(history.Operations), 4)
	wait[*emptypb.Empty](c)(service.Delete(ctx, &triggers2.DeleteTriggerRequest{TriggerId: made.Id}))
	code[*triggers2.Trigger](t, codes.NotFound)(service.Get(ctx, &triggers2.GetTriggerRequest{TriggerId: made.Id}))
}

// zipped is a zip file of one file.
func zipped(t *testing.T, name, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	file, err := archive.Create(name)
	if err == nil {
		_, err = io.WriteString(file, text)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func useFunctions(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := functions.NewFunctionServiceClient(c)
	made := wait[*functions.Function](c)(service.Create(ctx, &functions.CreateFunctionRequest{FolderId: c.folder, Name: "made"}))
	same(t, made)(service.Get(ctx, &functions.GetFunctionRequest{FunctionId: made.Id}))
	list, err := service.List(ctx, &functions.ListFunctionsRequest{FolderId: c.folder, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.Functions), 1)
	wait[*functions.Function](c)(service.Update(ctx, &functions.UpdateFunctionRequest{
		FunctionId: made.Id, Description: "greets", UpdateMask: mask("description"),
	}))
	version := wait[*functions.Version](c)(service.CreateVersion(ctx, &functions.CreateFunctionVersionRequest{
		FunctionId: made.Id, Runtime: "golang123", Entrypoint: "index.Handler", Resources: &functions.Resources{Memory: 128 << 20},
		ExecutionTimeout: durationpb.New(3 * time.Second),
		PackageSource: &functions.CreateFunctionVersionRequest_Content{Content: zipped(t, "index.go",
			"package main\n\nfunc Handler(in struct{ Name string }) (string, error) { return \"hello \" + in.Name, nil }\n")},
	}))
	same(t, version)(service.GetVersion(ctx, &functions.GetFunctionVersionRequest{FunctionVersionId: version.Id}))
	same(t, version)(service.GetVersionByTag(ctx, &functions.GetFunctionVersionByTagRequest{FunctionId: made.Id, Tag: "$latest"}))
	wait[*functions.Version](c)(service.SetTag(ctx, &functions.SetFunctionTagRequest{FunctionVersionId: version.Id, Tag: "stable"}))
	res, err := c.Client().Post(made.HttpInvokeUrl+"?integration=raw&tag=stable", "application/json", strings.NewReader(`{"Name": "you"}`))
	is.NoErr(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.Equal(strings.Trim(string(body), `"`), "hello you")
	wait[*emptypb.Empty](c)(service.Delete(ctx, &functions.DeleteFunctionRequest{FunctionId: made.Id}))
	code[*functions.Function](t, codes.NotFound)(service.Get(ctx, &functions.GetFunctionRequest{FunctionId: made.Id}))
}

func useContainers(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	paths := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths <- r.URL.Path }))
	defer app.Close()
	service := containers.NewContainerServiceClient(c)
	made := wait[*containers.Container](c)(service.Create(ctx, &containers.CreateContainerRequest{FolderId: c.folder, Name: "made"}))
	wait[*containers.Revision](c)(service.DeployRevision(ctx, &containers.DeployContainerRevisionRequest{
		ContainerId: made.Id, Resources: &containers.Resources{Memory: 128 << 20},
		ImageSpec: &containers.ImageSpec{ImageUrl: "cr.yandex/crp/app:1", Environment: map[string]string{"REGCAST_URL": app.URL}},
	}))
	wait[*containers.Container](c)(service.Update(ctx, &containers.UpdateContainerRequest{
		ContainerId: made.Id, Description: "listens", UpdateMask: mask("description"),
	}))
	list, err := service.List(ctx, &containers.ListContainersRequest{FolderId: c.folder, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.Containers), 1)
	same(t, list.Containers[0])(service.Get(ctx, &containers.GetContainerRequest{ContainerId: made.Id}))
	res, err := c.Client().Post(strings.TrimSuffix(made.Url, "/")+"/hook", "application/json", strings.NewReader("{}"))
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	is.Equal(<-paths, "/hook")
	wait[*emptypb.Empty](c)(service.Delete(ctx, &containers.DeleteContainerRequest{ContainerId: made.Id}))
	code[*containers.Container](t, codes.NotFound)(service.Get(ctx, &containers.GetContainerRequest{ContainerId: made.Id}))
}

func useLogging(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := logging.NewLogGroupServiceClient(c)
	made := wait[*logging.LogGroup](c)(service.Create(ctx, &logging.CreateLogGroupRequest{FolderId: c.folder, Name: "made"}))
	same(t, made)(service.Get(ctx, &logging.GetLogGroupRequest{LogGroupId: made.Id}))
	list, err := service.List(ctx, &logging.ListLogGroupsRequest{FolderId: c.folder, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.Groups), 1)
	wait[*logging.LogGroup](c)(service.Update(ctx, &logging.UpdateLogGroupRequest{
		LogGroupId: made.Id, Description: "told", UpdateMask: mask("description"),
	}))
	_, err = logging.NewLogIngestionServiceClient(c).Write(ctx, &logging.WriteRequest{
		Destination: &logging.Destination{Destination: &logging.Destination_LogGroupId{LogGroupId: made.Id}},
		Resource:    &logging.LogEntryResource{Type: "app", Id: "one"},
		Entries:     []*logging.IncomingLogEntry{{Message: "written", Timestamp: made.CreatedAt}},
	})
	is.NoErr(err)
	read, err := logging.NewLogReadingServiceClient(c).Read(ctx, &logging.ReadRequest{Selector: &logging.ReadRequest_Criteria{
		Criteria: &logging.Criteria{LogGroupId: made.Id},
	}})
	is.NoErr(err)
	is.Equal(len(read.Entries), 1)
	is.Equal(read.Entries[0].Message, "written")
	wait[*emptypb.Empty](c)(service.Delete(ctx, &logging.DeleteLogGroupRequest{LogGroupId: made.Id}))
	code[*logging.LogGroup](t, codes.NotFound)(service.Get(ctx, &logging.GetLogGroupRequest{LogGroupId: made.Id}))
}
