package wire_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggersv2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// violations are an error's, as "field: description", sorted.
func violations(err error) []string {
	var all []string
	for _, d := range status.Convert(err).Details() {
		if bad, is := d.(*errdetails.BadRequest); is {
			for _, v := range bad.GetFieldViolations() {
				all = append(all, v.GetField()+": "+v.GetDescription())
			}
		}
	}
	slices.Sort(all)
	return all
}

// The methods that TestRules calls say that they were reached.
var errReached = status.Error(codes.OutOfRange, "reached")

type (
	reachedTriggers struct {
		triggersv2.UnimplementedTriggerServiceServer
	}
	reachedContainers struct {
		containers.UnimplementedContainerServiceServer
	}
	reachedLogs struct {
		logging.UnimplementedLogIngestionServiceServer
	}
	reachedAccounts struct {
		iam.UnimplementedServiceAccountServiceServer
	}
	reachedFunctions struct {
		functions.UnimplementedFunctionServiceServer
	}
)

func (reachedTriggers) Create(context.Context, *triggersv2.CreateTriggerRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedTriggers) Update(context.Context, *triggersv2.UpdateTriggerRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedContainers) DeployRevision(context.Context, *containers.DeployContainerRevisionRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedContainers) ListRevisions(context.Context, *containers.ListContainersRevisionsRequest) (*containers.ListContainersRevisionsResponse, error) {
	return nil, errReached
}

func (reachedLogs) Write(context.Context, *logging.WriteRequest) (*logging.WriteResponse, error) {
	return nil, errReached
}

func (reachedAccounts) Create(context.Context, *iam.CreateServiceAccountRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedAccounts) Update(context.Context, *iam.UpdateServiceAccountRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedAccounts) SetAccessBindings(context.Context, *access.SetAccessBindingsRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedFunctions) CreateVersion(context.Context, *functions.CreateFunctionVersionRequest) (*operation.Operation, error) {
	return nil, errReached
}

func (reachedFunctions) SetTag(context.Context, *functions.SetFunctionTagRequest) (*operation.Operation, error) {
	return nil, errReached
}

func TestEveryViolationAtOnce(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	broken := pushes("Un Named")
	broken.FolderId = ""
	broken.Labels = map[string]string{"Upper": "x", "fine": strings.Repeat("v", 64)}
	push := broken.GetRule().GetContainerRegistry()
	push.EventType = []triggers.Trigger_ContainerRegistryEventType{1, 99}
	push.BatchSettings = &triggers.BatchSettings{Size: 1001}
	push.GetGatewayWebsocketBroadcast().Path = ""
	_, err := client.Create(t.Context(), broken)
	h.is.Equal(status.Code(err), codes.InvalidArgument)
	got := violations(err)
	want := []string{
		"folder_id: is required",
		`labels["Upper"].key: got "Upper", want a match of [a-z][-_./\@0-9a-z]*`,
		`labels["fine"]: got 64 characters, want at most 63`,
		`name: got "Un Named", want nothing or a match of [a-z][-a-z0-9]{1,61}[a-z0-9]`,
		"rule.container_registry.batch_settings.cutoff: is required",
		"rule.container_registry.batch_settings.size: got 1001, want 0-1000",
		"rule.container_registry.event_type[1]: got 99, want one of CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE (1), " +
			"CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE (2), CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG (3), CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG (4)",
		"rule.container_registry.gateway_websocket_broadcast.path: is required",
	}
	slices.Sort(want)
	h.is.Equal(got, want)
	message := status.Convert(err).Message()
	h.is.True(strings.HasPrefix(message, "Request validation error: folder_id: is required; name: got"))
	for _, one := range want {
		h.is.True(strings.Contains(message, one))
	}
	h.is.Equal(h.triggers.made, 0) // the service was not asked

	r := h.rest(t, "POST", "/triggers/v1/triggers", `{"folderId":"b1g1"}`)
	h.is.Equal(h.fails(r, 400, codes.InvalidArgument), "Request validation error: rule: is required")
	h.is.Equal(r.body["details"].([]any)[0], map[string]any{
		"@type":           "type.googleapis.com/google.rpc.BadRequest",
		"fieldViolations": []any{map[string]any{"field": "rule", "description": "is required"}},
	})
}

func TestNotStricterThanTheProto(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	unnamed := pushes("")
	unnamed.GetRule().GetContainerRegistry().GetBatchSettings().Size = 0
	_, err := client.Create(t.Context(), unnamed) // optional and empty
	h.is.NoErr(err)
	// Terraform's: no mask.
	_, err = client.Update(t.Context(), &triggers.UpdateTriggerRequest{TriggerId: "a1s1", Name: "named", Rule: pushes("").GetRule()})
	h.is.NoErr(err)
}

// Every kind of rule, each at its border, in messages of the services that are served.
func TestRules(t *testing.T) {
	server := wire.New(wire.Options{})
	triggersv2.RegisterTriggerServiceServer(server, reachedTriggers{})
	containers.RegisterContainerServiceServer(server, reachedContainers{})
	logging.RegisterLogIngestionServiceServer(server, reachedLogs{})
	iam.RegisterServiceAccountServiceServer(server, reachedAccounts{})
	functions.RegisterFunctionServiceServer(server, reachedFunctions{})
	h := serve(t, server)
	conn := h.dial(t)
	v2 := func(change func(*triggersv2.CreateTriggerRequest)) *triggersv2.CreateTriggerRequest {
		r := &triggersv2.CreateTriggerRequest{FolderId: "b1g1", Name: "pushes",
			Source: &triggersv2.Source{Source: &triggersv2.Source_ContainerRegistry{ContainerRegistry: &triggersv2.ContainerRegistry{
				EventType: []triggersv2.ContainerRegistryEventType{1}, RegistryId: "crp1", BatchSettings: &triggersv2.BatchSettings{Cutoff: durationpb.New(1e9)},
			}}},
			Action: []*triggersv2.Action{{Action: &triggersv2.Action_GatewayWebsocketBroadcast{
				GatewayWebsocketBroadcast: &triggersv2.GatewayWebsocketBroadcast{GatewayId: "d5d1", Path: "/", ServiceAccountId: "aje1"}}}},
		}
		change(r)
		return r
	}
	const (
		createV2  = "/yandex.cloud.serverless.triggers.v2.TriggerService/Create"
		deploy    = "/yandex.cloud.serverless.containers.v1.ContainerService/DeployRevision"
		revisions = "/yandex.cloud.serverless.containers.v1.ContainerService/ListRevisions"
		write     = "/yandex.cloud.logging.v1.LogIngestionService/Write"
		updateV2  = "/yandex.cloud.serverless.triggers.v2.TriggerService/Update"
		account   = "/yandex.cloud.iam.v1.ServiceAccountService/Create"
		rename    = "/yandex.cloud.iam.v1.ServiceAccountService/Update"
		bindings  = "/yandex.cloud.iam.v1.ServiceAccountService/SetAccessBindings"
		version   = "/yandex.cloud.serverless.functions.v1.FunctionService/CreateVersion"
		tag       = "/yandex.cloud.serverless.functions.v1.FunctionService/SetTag"
	)
	revision := func(change func(*containers.DeployContainerRevisionRequest)) *containers.DeployContainerRevisionRequest {
		r := &containers.DeployContainerRevisionRequest{ContainerId: "bba1", Resources: &containers.Resources{Memory: 134217728},
			ImageSpec: &containers.ImageSpec{ImageUrl: "cr.yandex/crp1/app"}}
		change(r)
		return r
	}
	entry := func(e *logging.IncomingLogEntry) *logging.WriteRequest {
		return &logging.WriteRequest{Destination: &logging.Destination{Destination: &logging.Destination_FolderId{FolderId: "b1g1"}},
			Resource: &logging.LogEntryResource{Type: "serverless.function"}, Entries: []*logging.IncomingLogEntry{e}}
	}
	mask := func(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
	const sources = "timer, ymq, yds, mail, billing_budget, logging, object_storage, container_registry, iot_message, iot_broker_message, " +
		"telegram_message, yandex_messenger, max_message, yandex_forms"
	now := timestamppb.New(time.Unix(2e9, 0))
	for name, c := range map[string]struct {
		method  string
		request proto.Message
		want    []string
	}{
		"all is well":         {createV2, v2(func(*triggersv2.CreateTriggerRequest) {}), nil},
		"a list may be empty": {createV2, v2(func(r *triggersv2.CreateTriggerRequest) { r.Action = nil }), []string{"action: got no elements, want more than 0"}},
		"within a list": {createV2, v2(func(r *triggersv2.CreateTriggerRequest) {
			r.Action[0].RetryPolicy = &triggersv2.RetryPolicy{RetryAttempts: 6, Interval: durationpb.New(61e9)}
			r.Action[0].Filter = &triggersv2.Filter{Condition: &triggersv2.Filter_Jq{Jq: strings.Repeat("x", 1025)}}
		}), []string{"action[0].filter.jq: got 1025 characters, want at most 1024", "action[0].retry_policy.interval: got 1m1s, want 10s-1m",
			"action[0].retry_policy.retry_attempts: got 6, want 1-5"}},
		"at the borders": {createV2, v2(func(r *triggersv2.CreateTriggerRequest) {
			r.Action[0].RetryPolicy = &triggersv2.RetryPolicy{RetryAttempts: 5, Interval: durationpb.New(10e9)}
			r.Action[0].Filter = &triggersv2.Filter{Condition: &triggersv2.Filter_Jq{Jq: strings.Repeat("ж", 1024)}} // characters, not bytes
		}), nil},
		"a duration beyond counting": {createV2, v2(func(r *triggersv2.CreateTriggerRequest) {
			r.Action[0].RetryPolicy = &triggersv2.RetryPolicy{Interval: &durationpb.Duration{Seconds: 315576000000}}
		}), []string{"action[0].retry_policy.interval: got 315576000000s, want 10s-1m"}},
		"one of":               {revisions, &containers.ListContainersRevisionsRequest{}, []string{"id: got none, want exactly one of folder_id, container_id"}},
		"one of, an empty one": {revisions, &containers.ListContainersRevisionsRequest{Id: &containers.ListContainersRevisionsRequest_FolderId{}}, nil},
		"unique": {deploy, revision(func(r *containers.DeployContainerRevisionRequest) {
			r.Connectivity = &containers.Connectivity{}
			h.is.NoErr(protojson.Unmarshal([]byte(`{"networkId":"enp1","subnetIds":["a","b","a",""]}`), r.Connectivity)) // deprecated
		}), []string{`connectivity.subnet_ids[2]: got "a" again, want every element once`, "connectivity.subnet_ids[3]: got 0 characters, want more than 0"}},
		"memory": {deploy, revision(func(r *containers.DeployContainerRevisionRequest) {
			r.Resources.Memory, r.ExecutionTimeout = 1, durationpb.New(3601e9)
		}), []string{"execution_timeout: got 1h0m1s, want 0s-3600s", "resources.memory: got 1, want 134217728-8589934592"}},
		"keys": {deploy, revision(func(r *containers.DeployContainerRevisionRequest) {
			r.ImageSpec.Environment = map[string]string{"9LIVES": strings.Repeat("x", 4097), "PATH": ""}
		}), []string{`image_spec.environment["9LIVES"]: got 4097 characters, want at most 4096`,
			`image_spec.environment["9LIVES"].key: got "9LIVES", want a match of [a-zA-Z][a-zA-Z0-9_]*`}},
		"bytes of a message": {write, entry(&logging.IncomingLogEntry{Timestamp: now, JsonPayload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"x": structpb.NewStringValue(strings.Repeat("x", 1<<20))}}}), []string{"entries[0].json_payload: got 1048591 bytes, want at most 1048576"}},
		"bytes of a string": {write, entry(&logging.IncomingLogEntry{Timestamp: now, Message: strings.Repeat("ж", 1<<19) + "x"}),
			[]string{"entries[0].message: got 1048577 bytes, want at most 1048576"}},
		"time": {account, &iam.CreateServiceAccountRequest{FolderId: "b1g1", Name: "robot", ExpiresAt: &timestamppb.Timestamp{Seconds: 5e9}},
			[]string{"expires_at: got 2128-06-11T08:53:20Z, want 19700101T000000.000000000-21051231T235959.999999999"}},
		"size": {bindings, &access.SetAccessBindingsRequest{ResourceId: "aje1", AccessBindings: slices.Repeat([]*access.AccessBinding{
			{RoleId: "viewer", Subject: &access.Subject{Id: "aje2", Type: "serviceAccount"}}}, 1001)}, []string{"access_bindings: got 1001 elements, want at most 1000"}},
		"content": {version, &functions.CreateFunctionVersionRequest{FunctionId: "d4e1", Runtime: "golang123", Entrypoint: "index.Handler",
			Resources:     &functions.Resources{Memory: 134217728},
			PackageSource: &functions.CreateFunctionVersionRequest_Content{Content: make([]byte, 52428801)}}, []string{"content: got 52428801 bytes, want at most 52428800"}},
		"the whole of a string": {tag, &functions.SetFunctionTagRequest{FunctionVersionId: "d4e1", Tag: "stable\n"},
			[]string{`tag: got "stable\n", want a match of [a-z][-_0-9a-z]*`}},
		"without a mask everything": {rename, &iam.UpdateServiceAccountRequest{ServiceAccountId: "aje1"}, []string{"name: is required"}},
		"with a mask what it names": {rename, &iam.UpdateServiceAccountRequest{ServiceAccountId: "aje1", Name: "Not Named", Description: strings.Repeat("x", 257), UpdateMask: mask("description")},
			[]string{"description: got 257 characters, want at most 256"}},
		"with a mask the id":     {rename, &iam.UpdateServiceAccountRequest{UpdateMask: mask("description")}, []string{"service_account_id: is required"}},
		"a mask for everything":  {rename, &iam.UpdateServiceAccountRequest{ServiceAccountId: "aje1", UpdateMask: mask("*")}, []string{"name: is required"}},
		"a mask without a value": {rename, &iam.UpdateServiceAccountRequest{ServiceAccountId: "aje1", UpdateMask: mask("name")}, []string{"name: is required"}},
		"a deep mask": {updateV2, &triggersv2.UpdateTriggerRequest{TriggerId: "a1s1", UpdateMask: mask("source.container_registry.batch_settings.cutoff"),
			Source: &triggersv2.Source{Source: &triggersv2.Source_ContainerRegistry{ContainerRegistry: &triggersv2.ContainerRegistry{
				BatchSettings: &triggersv2.BatchSettings{MaxBytes: 1 << 30}}}}}, []string{"source.container_registry.batch_settings.cutoff: is required"}},
		"a mask and a oneof":    {updateV2, &triggersv2.UpdateTriggerRequest{TriggerId: "a1s1", Source: &triggersv2.Source{}, UpdateMask: mask("source")}, []string{"source.source: got none, want exactly one of " + sources}},
		"a mask beside a oneof": {updateV2, &triggersv2.UpdateTriggerRequest{TriggerId: "a1s1", Source: &triggersv2.Source{}, UpdateMask: mask("labels")}, nil},
		"a mask and a list": {updateV2, &triggersv2.UpdateTriggerRequest{TriggerId: "a1s1", Action: []*triggersv2.Action{{RetryPolicy: &triggersv2.RetryPolicy{RetryAttempts: 6, Interval: durationpb.New(10e9)},
			Action: &triggersv2.Action_InvokeFunction{InvokeFunction: &triggersv2.InvokeFunction{FunctionId: "d4e1"}}}}, UpdateMask: mask("action")},
			[]string{"action[0].retry_policy.retry_attempts: got 6, want 1-5"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			err := conn.Invoke(t.Context(), c.method, c.request, c.request.ProtoReflect().New().Interface())
			slices.Sort(c.want)
			is.Equal(violations(err), c.want)
			if c.want == nil {
				is.Equal(status.Convert(err).Message(), "reached")
			}
		})
	}
}

// What a client sends must not fill the answer's headers: some clients take 8 KB.
func TestViolationsAreBounded(t *testing.T) {
	h := open(t, wire.Options{})
	broken := pushes("x" + strings.Repeat("é", 5000))
	push := broken.GetRule().GetContainerRegistry()
	push.EventType = slices.Repeat([]triggers.Trigger_ContainerRegistryEventType{99}, 1000)
	var trailer metadata.MD
	_, err := triggers.NewTriggerServiceClient(h.dial(t)).Create(t.Context(), broken, grpc.Trailer(&trailer))
	all := violations(err)
	h.is.True(len(all) > 5)
	h.is.True(slices.ContainsFunc(all, func(v string) bool { return strings.HasPrefix(v, "name: ") && strings.Contains(v, "é…") }))
	message := status.Convert(err).Message()
	named := strings.Count(message, ": got ")
	h.is.True(strings.HasSuffix(message, fmt.Sprintf("; and %d more", 1001-named)))
	h.is.True(len(message)+len(trailer.Get("grpc-status-details-bin")[0])*4/3 < 8<<10)
}
