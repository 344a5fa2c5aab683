package emulator_test

import (
	"context"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	cr "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"
	"github.com/yandex-cloud/go-sdk/v2/credentials"
	"github.com/yandex-cloud/go-sdk/v2/pkg/iamkey"
	"github.com/yandex-cloud/go-sdk/v2/pkg/options"
	iamsdk "github.com/yandex-cloud/go-sdk/v2/services/iam/v1"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// Version 2 of the SDK in the clear: its resolver leads there.
func TestVersion2OfTheSDK(t *testing.T) {
	if data := trusted(t); data != "" {
		everyService(t, plain(t, emulatortest.Start(t, emulator.Config{Data: data})))
	}
}

// everyService makes, gets, lists, changes, uses and deletes what each service keeps.
func everyService(t *testing.T, c *cloud) {
	for name, test := range map[string]func(*testing.T, *cloud){
		"endpoints": useEndpoints, "accounts": useAccounts, "folders": useFolders, "registries": useRegistries, "gateways": useGateways,
		"triggers": useTriggers, "triggers of version 2": useTriggers2, "functions": useFunctions, "containers": useContainers,
		"logging": useLogging,
	} {
		t.Run(name, func(t *testing.T) { test(t, newCloud(t, c.Emulator, c.ClientConnInterface)) })
	}
}

// same is what a resource that was got back must be.
func same[M proto.Message](t *testing.T, want M) func(M, error) {
	return func(got M, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// code is what an answer must be that is an error.
func code[M any](t *testing.T, want codes.Code) func(M, error) {
	return func(_ M, err error) {
		t.Helper()
		if status.Code(err) != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
}

func useEndpoints(t *testing.T, c *cloud) {
	is := is.New(t)
	service := endpoint.NewApiEndpointServiceClient(c)
	list, err := service.List(t.Context(), &endpoint.ListApiEndpointsRequest{})
	is.NoErr(err)
	for _, e := range list.Endpoints {
		same(t, e)(service.Get(t.Context(), &endpoint.GetApiEndpointRequest{ApiEndpointId: e.Id}))
	}
	code[*endpoint.ApiEndpoint](t, codes.NotFound)(service.Get(t.Context(), &endpoint.GetApiEndpointRequest{ApiEndpointId: "compute"}))
}

// With the SDK's own client of this service, whose operations it unpacks by itself.
func useAccounts(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	conn := c.ClientConnInterface.(built)
	service := iamsdk.NewServiceAccountClient(conn)
	op, err := service.Create(ctx, &iam.CreateServiceAccountRequest{FolderId: c.folder, Name: "made", Labels: map[string]string{"a": "1"}})
	is.NoErr(err)
	made, err := op.Wait(ctx)
	is.NoErr(err)
	is.Equal(op.Metadata().ServiceAccountId, made.Id)
	same(t, made)(service.Get(ctx, &iam.GetServiceAccountRequest{ServiceAccountId: made.Id}))
	list, err := service.List(ctx, &iam.ListServiceAccountsRequest{FolderId: c.folder, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.ServiceAccounts), 1)
	update, err := service.Update(ctx, &iam.UpdateServiceAccountRequest{ServiceAccountId: made.Id, Description: "told", UpdateMask: mask("description")})
	is.NoErr(err)
	updated, err := update.Wait(ctx)
	is.NoErr(err)
	is.Equal(updated.Description, "told")
	is.Equal(updated.Name, "made")
	is.Equal(updated.Labels, made.Labels)

	// A key signs tokens that are exchanged for others.
	keys := iam.NewKeyServiceClient(c)
	key, err := keys.Create(ctx, &iam.CreateKeyRequest{ServiceAccountId: made.Id})
	is.NoErr(err)
	signs, err := credentials.ServiceAccountKey(iamkey.New(key))
	is.NoErr(err)
	as := plain(t, c.Emulator, options.WithCredentials(signs))
	same(t, updated)(iam.NewServiceAccountServiceClient(as).Get(ctx, &iam.GetServiceAccountRequest{ServiceAccountId: made.Id}))
	wait[*emptypb.Empty](c)(keys.Delete(ctx, &iam.DeleteKeyRequest{KeyId: key.Key.Id}))

	apiKeys := iam.NewApiKeyServiceClient(c)
	apiKey, err := apiKeys.Create(ctx, &iam.CreateApiKeyRequest{ServiceAccountId: made.Id})
	is.NoErr(err)
	same(t, apiKey.ApiKey)(apiKeys.Get(ctx, &iam.GetApiKeyRequest{ApiKeyId: apiKey.ApiKey.Id}))
	wait[*emptypb.Empty](c)(apiKeys.Delete(ctx, &iam.DeleteApiKeyRequest{ApiKeyId: apiKey.ApiKey.Id}))

	accessKeys := awscompatibility.NewAccessKeyServiceClient(c)
	accessKey, err := accessKeys.Create(ctx, &awscompatibility.CreateAccessKeyRequest{ServiceAccountId: made.Id})
	is.NoErr(err)
	is.True(accessKey.Secret != "")
	same(t, accessKey.AccessKey)(accessKeys.Get(ctx, &awscompatibility.GetAccessKeyRequest{AccessKeyId: accessKey.AccessKey.Id}))
	wait[*emptypb.Empty](c)(accessKeys.Delete(ctx, &awscompatibility.DeleteAccessKeyRequest{AccessKeyId: accessKey.AccessKey.Id}))
	code[*awscompatibility.AccessKey](t, codes.NotFound)(
		accessKeys.Get(ctx, &awscompatibility.GetAccessKeyRequest{AccessKeyId: accessKey.AccessKey.Id}))

	gone, err := service.Delete(ctx, &iam.DeleteServiceAccountRequest{ServiceAccountId: made.Id})
	is.NoErr(err)
	_, err = gone.Wait(ctx)
	is.NoErr(err)
	code[*iam.ServiceAccount](t, codes.NotFound)(service.Get(ctx, &iam.GetServiceAccountRequest{ServiceAccountId: made.Id}))
}

func useFolders(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := resourcemanager.NewFolderServiceClient(c)
	made := wait[*resourcemanager.Folder](c)(service.Create(ctx, &resourcemanager.CreateFolderRequest{CloudId: c.Defaults().CloudID, Name: "made"}))
	same(t, made)(service.Get(ctx, &resourcemanager.GetFolderRequest{FolderId: made.Id}))
	list, err := service.List(ctx, &resourcemanager.ListFoldersRequest{CloudId: made.CloudId, Filter: `name="made"`})
	is.NoErr(err)
	is.Equal(len(list.Folders), 1)
	wait[*resourcemanager.Folder](c)(service.Update(ctx, &resourcemanager.UpdateFolderRequest{
		FolderId: made.Id, Labels: map[string]string{"a": "1"}, UpdateMask: mask("labels"),
	}))
	// Something can be made there, and somebody can be let in.
	registries := cr.NewRegistryServiceClient(c)
	registry := wait[*cr.Registry](c)(registries.Create(ctx, &cr.CreateRegistryRequest{FolderId: made.Id, Name: "there"}))
	wait[*emptypb.Empty](c)(registries.Delete(ctx, &cr.DeleteRegistryRequest{RegistryId: registry.Id}))
	binding := &access.AccessBinding{
		RoleId: "viewer", Subject: &access.Subject{Id: c.Defaults().ServiceAccountID, Type: "serviceAccount"},
	}
	wait[*access.AccessBindingsOperationResult](c)(service.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{
		ResourceId: made.Id, AccessBindings: []*access.AccessBinding{binding},
	}))
	bindings, err := service.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: made.Id})
	is.NoErr(err)
	is.Equal(len(bindings.AccessBindings), 1)
	same(t, binding)(bindings.AccessBindings[0], nil)
	history, err := service.ListOperations(ctx, &resourcemanager.ListFolderOperationsRequest{FolderId: made.Id})
	is.NoErr(err)
	is.Equal(len(history.Operations), 3)
	wait[*emptypb.Empty](c)(service.Delete(ctx, &resourcemanager.DeleteFolderRequest{FolderId: made.Id}))

	clouds := resourcemanager.NewCloudServiceClient(c)
	all, err := clouds.List(ctx, &resourcemanager.ListCloudsRequest{})
	is.NoErr(err)
	same(t, all.Clouds[0])(clouds.Get(ctx, &resourcemanager.GetCloudRequest{CloudId: c.Defaults().CloudID}))
}

// registry makes a registry that is deleted when the test ends.
func (c *cloud) registry(name string) *cr.Registry {
	service := cr.NewRegistryServiceClient(c)
	made := wait[*cr.Registry](c)(service.Create(c.t.Context(), &cr.CreateRegistryRequest{FolderId: c.folder, Name: name}))
	c.t.Cleanup(func() { _, _ = service.Delete(context.Background(), &cr.DeleteRegistryRequest{RegistryId: made.Id}) }) // the test may have
	return made
}

func useRegistries(t *testing.T, c *cloud) {
	is := is.New(t)
	ctx := t.Context()
	service := cr.NewRegistryServiceClient(c)
	made := c.registry("registries")
	same(t, made)(service.Get(ctx, &cr.GetRegistryRequest{RegistryId: made.Id}))
	list, err := service.List(ctx, &cr.ListRegistriesRequest{FolderId: c.folder, Filter: `name="registries"`})
	is.NoErr(err)
	is.Equal(len(list.Registries), 1)
	updated := wait[*cr.Registry](c)(service.Update(ctx, &cr.UpdateRegistryRequest{
		RegistryId: made.Id, Name: "renamed", Labels: map[string]string{"a": "1"}, UpdateMask: mask("labels"),
	}))
	is.Equal(updated.Name, "registries")
	is.Equal(updated.Labels, map[string]string{"a": "1"})

	repositories := cr.NewRepositoryServiceClient(c)
	repository := wait[*cr.Repository](c)(repositories.Upsert(ctx, &cr.UpsertRepositoryRequest{Name: made.Id + "/team/app"}))
	same(t, repository)(repositories.Get(ctx, &cr.GetRepositoryRequest{RepositoryId: repository.Id}))
	same(t, repository)(repositories.GetByName(ctx, &cr.GetRepositoryByNameRequest{RepositoryName: repository.Name}))

	digest := c.Push(made.Id + "/team/app:v1")
	images := cr.NewImageServiceClient(c)
	pushed, err := images.List(ctx, &cr.ListImagesRequest{RepositoryName: repository.Name})
	is.NoErr(err)
	is.Equal(len(pushed.Images), 1)
	is.Equal(pushed.Images[0].Digest, digest)
	is.Equal(pushed.Images[0].Tags, []string{"v1"})
	same(t, pushed.Images[0])(images.Get(ctx, &cr.GetImageRequest{ImageId: pushed.Images[0].Id}))
	code[*operation.Operation](t, codes.FailedPrecondition)(service.Delete(ctx, &cr.DeleteRegistryRequest{RegistryId: made.Id}))
	wait[*emptypb.Empty](c)(images.Delete(ctx, &cr.DeleteImageRequest{ImageId: pushed.Images[0].Id}))
	wait[*emptypb.Empty](c)(repositories.Delete(ctx, &cr.DeleteRepositoryRequest{RepositoryId: repository.Id}))
	wait[*emptypb.Empty](c)(service.Delete(ctx, &cr.DeleteRegistryRequest{RegistryId: made.Id}))
	code[*cr.Registry](t, codes.NotFound)(service.Get(ctx, &cr.GetRegistryRequest{RegistryId: made.Id}))
}
