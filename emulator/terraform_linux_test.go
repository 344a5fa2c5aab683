package emulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	triggers2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// deployment is deploy/yandex as Terraform keeps it: what Terraform's provider calls for each resource is called here, with the values of
// the files, the same masks, and every type and every certificate checked as it does.
type deployment struct {
	*configuration
	em                *emulatortest.Emulator
	framework, plugin *cloud   // the provider's halves
	refresh           []func() // reads what was made, as each plan does, and compares: a difference would be a change that nobody wanted

	accounts map[string]*iam.ServiceAccount
	registry *cr.Registry
	made     map[string]*functions.Function
	versions map[string]*functions.Version
	gateway  *apigateway.ApiGateway
	one      *triggers.Trigger
	two      *triggers2.Trigger
}

// TestTerraform applies, plans, uses, changes, plans and destroys. A role that lacks is refused here, so those of main.tf are enough.
func TestTerraform(t *testing.T) {
	data := trusted(t)
	if data == "" {
		return
	}
	is := is.New(t)
	lines := make(chan string, 100)
	em := emulatortest.Start(t, emulator.Config{Data: data, StrictAuth: true, FunctionLog: func(_, line string) {
		if strings.Contains(line, "broadcast of") {
			lines <- line
		}
	}})
	d := &deployment{
		configuration: readConfiguration(t), em: em, framework: discovering(t, em), plugin: resolving(t, em),
		accounts: map[string]*iam.ServiceAccount{}, made: map[string]*functions.Function{}, versions: map[string]*functions.Version{},
	}
	d.variables["folder_id"] = em.Defaults().FolderID
	d.variables["table_endpoint"] = em.URL()
	d.attributes["local.table_endpoint"] = em.URL()
	d.attributes["local.bucket"] = "" // nothing is captured
	d.attributes["aws_dynamodb_table.connections.name"] = d.get("aws_dynamodb_table", "connections", "name")

	d.apply()
	d.plan()
	socket := em.Dial("ws://" + d.gateway.Domain + "/all")
	for _, tag := range []string{"v1", "v2"} {
		ref, err := name.ParseReference(host(em) + "/" + d.registry.Id + "/team/app:" + tag)
		is.NoErr(err)
		image, err := random.Image(64, 1)
		is.NoErr(err)
		is.NoErr(remote.Write(ref, image, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: "iam", Password: developer}))))
		got := socket.Expect("create-image", "create-image-tag")
		is.Equal(got[1].Details.RepositoryName, d.registry.Id+"/team/app")
		is.Equal(got[1].Details.Tag, tag)
		is.True(strings.Contains(<-lines, "broadcast of 2")) // by the other trigger, in one batch as well
		d.change()
		d.plan()
	}
	d.destroy()
}

func (d *deployment) plan() {
	d.t.Helper()
	for range 2 {
		for _, refresh := range d.refresh {
			refresh()
		}
	}
}

// keep registers how a resource is read, and what must be found.
func keep[M proto.Message](d *deployment, get func() (M, error), want M) {
	d.t.Helper()
	same(d.t, want)(get())
	d.refresh = append(d.refresh, func() { d.t.Helper(); same(d.t, want)(get()) })
}

// change changes one thing of each resource that can change, as an edit of the files would. A second time it changes them back.
func (d *deployment) change() {
	ctx := d.t.Context()
	labels := map[string]string{"team": "a"}
	if d.registry.Labels != nil {
		labels = nil
	}

	d.registry.Labels = labels
	same(d.t, d.registry)(wait[*cr.Registry](d.framework)(cr.NewRegistryServiceClient(d.framework).Update(ctx, &cr.UpdateRegistryRequest{
		RegistryId: d.registry.Id, Name: d.registry.Name, Labels: labels, UpdateMask: mask("labels"),
	})), nil)

	// The state has the beginning of all times for an account that never expires, and sends it, outside of the mask.
	account := d.accounts["caller"]
	account.Labels = labels
	wait[*iam.ServiceAccount](d.framework)(iam.NewServiceAccountServiceClient(d.framework).Update(ctx, &iam.UpdateServiceAccountRequest{
		ServiceAccountId: account.Id, Name: account.Name, Description: account.Description, Labels: labels,
		ExpiresAt: timestamppb.New(time.Unix(0, 0)), UpdateMask: mask("labels"),
	}))

	e := d.entries()[0]
	f := d.made[e.key]
	f.Labels = labels
	wait[*functions.Function](d.plugin)(functions.NewFunctionServiceClient(d.plugin).Update(ctx, &functions.UpdateFunctionRequest{
		FunctionId: f.Id, Name: f.Name, Description: f.Description, Labels: labels, UpdateMask: mask("labels"),
	}))
	env := d.versions[e.key].Environment
	env["REGCAST_LOG_LEVEL"] = "debug"
	d.version(e, env)

	d.gateway.Labels = labels
	wait[*apigateway.ApiGateway](d.plugin)(apigateway.NewApiGatewayServiceClient(d.plugin).Update(ctx, &apigateway.UpdateApiGatewayRequest{
		ApiGatewayId: d.gateway.Id, Name: d.gateway.Name, Description: d.gateway.Description, Labels: labels,
		UpdateMask: mask("openapi_spec", "labels"),
		Spec: &apigateway.UpdateApiGatewayRequest_OpenapiSpec{
			OpenapiSpec: strings.ReplaceAll(d.specification(), "'*': pong", "'*': pong again"),
		},
	}))

	// No mask: all there is. The rule is sent again, as it was.
	d.one.Labels, d.one.Description = labels, "changed "+d.one.Description
	same(d.t, d.one)(wait[*triggers.Trigger](d.plugin)(triggers.NewTriggerServiceClient(d.plugin).Update(ctx, &triggers.UpdateTriggerRequest{
		TriggerId: d.one.Id, Name: d.one.Name, Description: d.one.Description, Labels: labels, Rule: d.one.Rule,
	})), nil)

	d.two.Labels = labels
	d.two.Source.GetContainerRegistry().BatchSettings.Cutoff.Seconds++
	same(d.t, d.two)(wait[*triggers2.Trigger](d.framework)(triggers2.NewTriggerServiceClient(d.framework).Update(ctx, &triggers2.UpdateTriggerRequest{
		TriggerId: d.two.Id, Name: d.two.Name, Description: d.two.Description, Labels: labels, Source: d.two.Source, Action: d.two.Action,
		UpdateMask: mask("labels", "source.container_registry.batch_settings.cutoff"),
	})), nil)
}

// destroy deletes in the reverse order. What is deleted is not found, so that Terraform forgets it.
func (d *deployment) destroy() {
	ctx := d.t.Context()
	one, two := triggers.NewTriggerServiceClient(d.plugin), triggers2.NewTriggerServiceClient(d.framework)
	wait[*emptypb.Empty](d.framework)(two.Delete(ctx, &triggers2.DeleteTriggerRequest{TriggerId: d.two.Id}))
	code[*triggers2.Trigger](d.t, codes.NotFound)(two.Get(ctx, &triggers2.GetTriggerRequest{TriggerId: d.two.Id}))
	wait[*emptypb.Empty](d.plugin)(one.Delete(ctx, &triggers.DeleteTriggerRequest{TriggerId: d.one.Id}))
	code[*triggers.Trigger](d.t, codes.NotFound)(one.Get(ctx, &triggers.GetTriggerRequest{TriggerId: d.one.Id}))

	gateways := apigateway.NewApiGatewayServiceClient(d.plugin)
	wait[*emptypb.Empty](d.plugin)(gateways.Delete(ctx, &apigateway.DeleteApiGatewayRequest{ApiGatewayId: d.gateway.Id}))
	code[*apigateway.ApiGateway](d.t, codes.NotFound)(gateways.Get(ctx, &apigateway.GetApiGatewayRequest{ApiGatewayId: d.gateway.Id}))

	service := functions.NewFunctionServiceClient(d.plugin)
	for _, f := range d.made {
		caller := binding(d.get("yandex_function_iam_member", "caller", "role"), d.get("yandex_function_iam_member", "caller", "member"))
		wait[*emptypb.Empty](d.plugin)(service.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
			ResourceId: f.Id, AccessBindingDeltas: delta(access.AccessBindingAction_REMOVE, caller),
		}))
		same(d.t, &access.ListAccessBindingsResponse{})(service.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: f.Id}))
		wait[*emptypb.Empty](d.plugin)(service.Delete(ctx, &functions.DeleteFunctionRequest{FunctionId: f.Id}))
		code[*functions.Function](d.t, codes.NotFound)(service.Get(ctx, &functions.GetFunctionRequest{FunctionId: f.Id}))
		code[*functions.Version](d.t, codes.NotFound)(
			service.GetVersionByTag(ctx, &functions.GetFunctionVersionByTagRequest{FunctionId: f.Id, Tag: "$latest"}))
	}

	keys := awscompatibility.NewAccessKeyServiceClient(d.plugin)
	key := d.attributes["yandex_iam_service_account_static_access_key.functions.id"]
	if _, err := keys.Delete(ctx, &awscompatibility.DeleteAccessKeyRequest{AccessKeyId: key}); err != nil { // not waited for
		d.t.Fatal(err)
	}
	code[*awscompatibility.AccessKey](d.t, codes.NotFound)(keys.Get(ctx, &awscompatibility.GetAccessKeyRequest{AccessKeyId: key}))

	d.destroyRest()
}

// destroyRest deletes what the rest was for. A registry is deleted only when its images are.
func (d *deployment) destroyRest() {
	const kind = "yandex_resourcemanager_folder_iam_member"
	ctx := d.t.Context()
	folders := resourcemanager.NewFolderServiceClient(d.framework)
	for key := range d.accounts {
		b := binding(d.get(kind, key, "role"), d.get(kind, key, "member"))
		wait[*access.AccessBindingsOperationResult](d.framework)(folders.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
			ResourceId: d.framework.folder, AccessBindingDeltas: delta(access.AccessBindingAction_REMOVE, b),
		}))
		left, err := folders.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: d.framework.folder, PageSize: 1000})
		if err != nil || has(left.AccessBindings, b) {
			d.t.Fatalf("%s is still there, or %v", b, err)
		}
	}

	images := cr.NewImageServiceClient(d.framework)
	pushed, err := images.List(ctx, &cr.ListImagesRequest{RegistryId: d.registry.Id})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, image := range pushed.Images {
		wait[*emptypb.Empty](d.framework)(images.Delete(ctx, &cr.DeleteImageRequest{ImageId: image.Id}))
	}
	registries := cr.NewRegistryServiceClient(d.framework)
	wait[*emptypb.Empty](d.framework)(registries.Delete(ctx, &cr.DeleteRegistryRequest{RegistryId: d.registry.Id}))
	code[*cr.Registry](d.t, codes.NotFound)(registries.Get(ctx, &cr.GetRegistryRequest{RegistryId: d.registry.Id}))

	accounts := iam.NewServiceAccountServiceClient(d.framework)
	for _, a := range d.accounts {
		wait[*emptypb.Empty](d.framework)(accounts.Delete(ctx, &iam.DeleteServiceAccountRequest{ServiceAccountId: a.Id}))
		code[*iam.ServiceAccount](d.t, codes.NotFound)(accounts.Get(ctx, &iam.GetServiceAccountRequest{ServiceAccountId: a.Id}))
	}
}
