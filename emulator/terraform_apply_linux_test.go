package emulator_test

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggers2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
)

func (d *deployment) apply() {
	for _, account := range []string{"caller", "functions"} {
		d.account(account)
	}
	d.makeRegistry()
	d.member("functions")
	d.member("caller")
	d.accessKey()
	for _, e := range d.entries() {
		d.function(e)
	}
	d.makeGateway()
	d.trigger1()
	d.trigger2()
}

// account is of the framework's half: Create, then Get.
func (d *deployment) account(key string) {
	const kind = "yandex_iam_service_account"
	ctx, service := d.t.Context(), iam.NewServiceAccountServiceClient(d.framework)
	r := &iam.CreateServiceAccountRequest{
		FolderId: d.framework.folder, Name: d.get(kind, key, "name"), Description: d.get(kind, key, "description"),
	}
	made := wait[*iam.ServiceAccount](d.framework)(service.Create(ctx, r))
	d.attributes[kind+"."+key+".id"] = made.Id
	want := &iam.ServiceAccount{
		Id: made.Id, FolderId: r.FolderId, CreatedAt: made.CreatedAt, Name: r.Name, Description: r.Description, Status: iam.ServiceAccount_ACTIVE,
	}
	d.accounts[key] = want
	keep(d, func() (*iam.ServiceAccount, error) {
		got, err := service.Get(ctx, &iam.GetServiceAccountRequest{ServiceAccountId: made.Id})
		if err == nil {
			got.LastAuthenticatedAt = nil // the provider knows nothing of it
		}
		return got, err
	}, want)
}

func (d *deployment) makeRegistry() {
	const kind = "yandex_container_registry"
	ctx, service := d.t.Context(), cr.NewRegistryServiceClient(d.framework)
	r := &cr.CreateRegistryRequest{FolderId: d.framework.folder, Name: d.get(kind, "regcast", "name")}
	made := wait[*cr.Registry](d.framework)(service.Create(ctx, r))
	d.attributes["local.registry_id"] = made.Id
	d.registry = &cr.Registry{Id: made.Id, FolderId: r.FolderId, Name: r.Name, Status: cr.Registry_ACTIVE, CreatedAt: made.CreatedAt}
	keep(d, func() (*cr.Registry, error) { return service.Get(ctx, &cr.GetRegistryRequest{RegistryId: made.Id}) }, d.registry)
}

// binding is what a role and a member of the files are to the API.
func binding(role, member string) *access.AccessBinding {
	kind, id, _ := strings.Cut(member, ":")
	return &access.AccessBinding{RoleId: role, Subject: &access.Subject{Type: kind, Id: id}}
}

func delta(action access.AccessBindingAction, b *access.AccessBinding) []*access.AccessBindingDelta {
	return []*access.AccessBindingDelta{{Action: action, AccessBinding: b}}
}

func has(bindings []*access.AccessBinding, b *access.AccessBinding) bool {
	return slices.ContainsFunc(bindings, func(other *access.AccessBinding) bool { return proto.Equal(other, b) })
}

// member is a role on the folder: a delta, then all bindings, of which the provider wants to find its own.
func (d *deployment) member(key string) {
	const kind = "yandex_resourcemanager_folder_iam_member"
	ctx, service := d.t.Context(), resourcemanager.NewFolderServiceClient(d.framework)
	folder, b := d.get(kind, key, "folder_id"), binding(d.get(kind, key, "role"), d.get(kind, key, "member"))
	for range 2 { // one that is there already is no error
		wait[*access.AccessBindingsOperationResult](d.framework)(service.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
			ResourceId: folder, AccessBindingDeltas: delta(access.AccessBindingAction_ADD, b),
		}))
	}
	keep(d, func() (*access.AccessBinding, error) {
		all, err := service.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: folder, PageSize: 1000})
		if err != nil || !has(all.AccessBindings, b) {
			return nil, err
		}
		return b, nil
	}, b)
}

// accessKey is of the plugin's half, and no operation.
func (d *deployment) accessKey() {
	const kind = "yandex_iam_service_account_static_access_key"
	ctx, service := d.t.Context(), awscompatibility.NewAccessKeyServiceClient(d.plugin)
	r := &awscompatibility.CreateAccessKeyRequest{
		ServiceAccountId: d.get(kind, "functions", "service_account_id"), Description: d.get(kind, "functions", "description"),
	}
	made, err := service.Create(ctx, r)
	if err != nil {
		d.t.Fatal(err)
	}
	if made.Secret == "" || made.AccessKey.KeyId == "" {
		d.t.Fatalf("got %v, want a key and its secret", made)
	}
	d.attributes[kind+".functions.id"] = made.AccessKey.Id
	keep(d, func() (*awscompatibility.AccessKey, error) {
		return service.Get(ctx, &awscompatibility.GetAccessKeyRequest{AccessKeyId: made.AccessKey.Id})
	}, &awscompatibility.AccessKey{
		Id: made.AccessKey.Id, ServiceAccountId: r.ServiceAccountId, Description: r.Description, KeyId: made.AccessKey.KeyId, CreatedAt: made.AccessKey.CreatedAt,
	})
}

// source has the entry points of functions/yandex and none of their dependencies, which only dist/yandex.zip has.
const source = `package main

import (
	"encoding/json"
	"fmt"
)

type answer struct {
	StatusCode int ` + "`json:\"statusCode\"`" + `
}

func Connect([]byte) (answer, error)    { return answer{200}, nil }
func Message([]byte) (answer, error)    { return answer{200}, nil }
func Disconnect([]byte) (answer, error) { return answer{200}, nil }

func Broadcast(in struct{ Messages []json.RawMessage }) (string, error) {
	fmt.Println("broadcast of", len(in.Messages))
	return "", nil
}
`

// function is of the plugin's half: Create, CreateVersion, and to read Get and the version that is tagged $latest.
func (d *deployment) function(e entry) {
	const kind = "yandex_function"
	ctx, service := d.t.Context(), functions.NewFunctionServiceClient(d.plugin)
	d.attributes["each.key"], d.attributes["each.value.entrypoint"] = e.key, e.entrypoint
	d.attributes["each.value.seconds - 5"] = strconv.FormatInt(e.seconds-5, 10)
	r := &functions.CreateFunctionRequest{
		FolderId: d.plugin.folder, Name: d.get(kind, "regcast", "name"), Description: d.get(kind, "regcast", "description"),
	}
	made := wait[*functions.Function](d.plugin)(service.Create(ctx, r))
	d.attributes[`yandex_function.regcast["`+e.key+`"].id`] = made.Id
	d.made[e.key] = &functions.Function{
		Id: made.Id, FolderId: r.FolderId, CreatedAt: made.CreatedAt, Name: r.Name, Description: r.Description,
		Status: functions.Function_ACTIVE, HttpInvokeUrl: made.HttpInvokeUrl,
	}
	keep(d, func() (*functions.Function, error) {
		return service.Get(ctx, &functions.GetFunctionRequest{FunctionId: made.Id})
	}, d.made[e.key])
	d.versions[e.key] = &functions.Version{}
	d.version(e, d.environment(kind, "regcast"))
	keep(d, func() (*functions.Version, error) {
		return service.GetVersionByTag(ctx, &functions.GetFunctionVersionByTagRequest{FunctionId: made.Id, Tag: "$latest"})
	}, d.versions[e.key])
	d.functionMember(made.Id)
}

// version makes a version of a function the latest.
func (d *deployment) version(e entry, env map[string]string) {
	const kind = "yandex_function"
	r := &functions.CreateFunctionVersionRequest{
		FunctionId: d.made[e.key].Id, Runtime: d.get(kind, "regcast", "runtime"), Entrypoint: e.entrypoint,
		Resources: &functions.Resources{Memory: d.number(kind, "regcast", "memory") << 20}, ExecutionTimeout: &durationpb.Duration{Seconds: e.seconds},
		ServiceAccountId: d.get(kind, "regcast", "service_account_id"), Environment: env,
		PackageSource: &functions.CreateFunctionVersionRequest_Content{Content: zipped(d.t, "index.go", source)},
	}
	made := wait[*functions.Version](d.plugin)(functions.NewFunctionServiceClient(d.plugin).CreateVersion(d.t.Context(), r))
	want := &functions.Version{
		Id: made.Id, FunctionId: r.FunctionId, CreatedAt: made.CreatedAt, Runtime: r.Runtime, Entrypoint: r.Entrypoint, Resources: r.Resources,
		ExecutionTimeout: r.ExecutionTimeout, ServiceAccountId: r.ServiceAccountId, ImageSize: made.ImageSize,
		Status: functions.Version_ACTIVE, Tags: []string{"$latest"}, Environment: r.Environment,
	}
	same(d.t, want)(made, nil)
	proto.Reset(d.versions[e.key])
	proto.Merge(d.versions[e.key], want)
}

// functionMember is a role on a function, by the framework's half; here the operation's response is nothing.
func (d *deployment) functionMember(id string) {
	const kind = "yandex_function_iam_member"
	ctx, service := d.t.Context(), functions.NewFunctionServiceClient(d.framework)
	b := binding(d.get(kind, "caller", "role"), d.get(kind, "caller", "member"))
	wait[*emptypb.Empty](d.framework)(service.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
		ResourceId: id, AccessBindingDeltas: delta(access.AccessBindingAction_ADD, b),
	}))
	keep(d, func() (*access.ListAccessBindingsResponse, error) {
		return service.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: id, PageSize: 1000})
	}, &access.ListAccessBindingsResponse{AccessBindings: []*access.AccessBinding{b}})
}

// makeGateway is of the plugin's half, which never reads a specification back.
func (d *deployment) makeGateway() {
	const kind = "yandex_api_gateway"
	ctx, service := d.t.Context(), apigateway.NewApiGatewayServiceClient(d.plugin)
	r := &apigateway.CreateApiGatewayRequest{
		FolderId: d.plugin.folder, Name: d.get(kind, "regcast", "name"), Description: d.get(kind, "regcast", "description"),
		Spec: &apigateway.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: d.specification()},
	}
	made := wait[*apigateway.ApiGateway](d.plugin)(service.Create(ctx, r))
	if made.Domain == "" || made.LogGroupId == "" {
		d.t.Fatalf("got %v, want a domain and a log group", made)
	}
	d.attributes[kind+".regcast.id"] = made.Id
	d.gateway = &apigateway.ApiGateway{
		Id: made.Id, FolderId: r.FolderId, CreatedAt: made.CreatedAt, Name: r.Name, Description: r.Description, Status: apigateway.ApiGateway_ACTIVE,
		Domain: made.Domain, LogGroupId: made.LogGroupId, ExecutionTimeout: made.ExecutionTimeout, // these are computed
	}
	keep(d, func() (*apigateway.ApiGateway, error) {
		return service.Get(ctx, &apigateway.GetApiGatewayRequest{ApiGatewayId: made.Id})
	}, d.gateway)
}

// trigger1 is of the plugin's half. Its blocks cannot be changed, so what is filled in would replace the trigger.
func (d *deployment) trigger1() {
	const kind = "yandex_function_trigger"
	ctx, service := d.t.Context(), triggers.NewTriggerServiceClient(d.plugin)
	get := func(argument string) string { return d.get(kind, "regcast", argument) }
	var events []triggers.Trigger_ContainerRegistryEventType
	for argument, event := range map[string]triggers.Trigger_ContainerRegistryEventType{ // in no order
		"create_image":     triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE,
		"delete_image":     triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE,
		"create_image_tag": triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG,
		"delete_image_tag": triggers.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG,
	} {
		if get(argument) == "true" {
			events = append(events, event)
		}
	}
	r := &triggers.CreateTriggerRequest{
		FolderId: d.plugin.folder, Name: get("name"), Description: get("description"), Rule: &triggers.Trigger_Rule{
			Rule: &triggers.Trigger_Rule_ContainerRegistry{ContainerRegistry: &triggers.Trigger_ContainerRegistry{
				EventType: events, RegistryId: get("registry_id"), ImageName: get("image_name"), Tag: get("tag"),
				BatchSettings: &triggers.BatchSettings{
					Size: d.number(kind, "regcast", "batch_size"), Cutoff: &durationpb.Duration{Seconds: d.number(kind, "regcast", "batch_cutoff")},
				},
				Action: &triggers.Trigger_ContainerRegistry_InvokeFunction{InvokeFunction: &triggers.InvokeFunctionWithRetry{
					FunctionId: get("id"), ServiceAccountId: get("service_account_id"), RetrySettings: &triggers.RetrySettings{
						RetryAttempts: d.number(kind, "regcast", "retry_attempts"),
						Interval:      &durationpb.Duration{Seconds: d.number(kind, "regcast", "retry_interval")},
					},
				}},
			}},
		},
	}
	made := wait[*triggers.Trigger](d.plugin)(service.Create(ctx, r))
	d.one = &triggers.Trigger{
		Id: made.Id, FolderId: r.FolderId, CreatedAt: made.CreatedAt, Name: r.Name, Description: r.Description, Rule: r.Rule, Status: triggers.Trigger_ACTIVE,
	}
	keep(d, func() (*triggers.Trigger, error) {
		return service.Get(ctx, &triggers.GetTriggerRequest{TriggerId: made.Id})
	}, d.one)
}

// trigger2 is of the framework's half. The order of events and actions must be kept.
func (d *deployment) trigger2() {
	const kind = "yandex_serverless_triggers"
	ctx, service := d.t.Context(), triggers2.NewTriggerServiceClient(d.framework)
	get := func(argument string) string { return d.get(kind, "regcast", argument) }
	var events []triggers2.ContainerRegistryEventType
	for line := range strings.Lines(d.block(kind, "regcast")) {
		if event, ok := triggers2.ContainerRegistryEventType_value[strings.Trim(strings.TrimSpace(line), `",`)]; ok {
			events = append(events, triggers2.ContainerRegistryEventType(event))
		}
	}
	r := &triggers2.CreateTriggerRequest{
		FolderId: get("folder_id"), Name: get("name"), Description: get("description"),
		Source: &triggers2.Source{Source: &triggers2.Source_ContainerRegistry{ContainerRegistry: &triggers2.ContainerRegistry{
			EventType: events, RegistryId: get("registry_id"), ImageName: get("image_name"), Tag: get("tag"),
			BatchSettings: &triggers2.BatchSettings{
				MaxCount: d.number(kind, "regcast", "max_count"), Cutoff: &durationpb.Duration{Seconds: d.number(kind, "regcast", "cutoff")},
			},
		}}},
		Action: []*triggers2.Action{{Action: &triggers2.Action_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &triggers2.GatewayWebsocketBroadcast{
			GatewayId: get("gateway_id"), Path: get("path"), ServiceAccountId: get("service_account_id"),
		}}}},
	}
	made := wait[*triggers2.Trigger](d.framework)(service.Create(ctx, r))
	d.two = &triggers2.Trigger{
		Id: made.Id, FolderId: r.FolderId, CreatedAt: made.CreatedAt, Name: r.Name, Description: r.Description, Source: r.Source, Action: r.Action,
		Status: triggers2.Trigger_ACTIVE,
	}
	keep(d, func() (*triggers2.Trigger, error) {
		return service.Get(ctx, &triggers2.GetTriggerRequest{TriggerId: made.Id})
	}, d.two)
}
