package containerregistry_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/containerregistry"
)

func TestARegistryOfAClient(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	op, err := h.registries.Create(ctx, &pb.CreateRegistryRequest{
		FolderId: otherFolder, Name: "mine", Labels: map[string]string{"a": "b"},
	})
	is.NoErr(err)
	var made pb.Registry
	is.NoErr(op.GetResponse().UnmarshalTo(&made))
	is.True(strings.HasPrefix(made.Id, "crp") && len(made.Id) == 20)
	is.True(h.service.Known(made.Id))
	is.Equal(made.CreatedAt.AsTime(), start)
	is.Equal(made.Status, pb.Registry_ACTIVE)
	is.Equal(code(h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: otherFolder, Name: "mine"})), codes.AlreadyExists)
	is.Equal(code(h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: "b1g00000000000000000"})), codes.NotFound)
	is.Equal(code(h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: otherFolder, Name: "UP"})), codes.InvalidArgument)
	is.Equal(code(h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: otherFolder, Secure: true})), codes.Unimplemented)
	h.create("mine") // in another folder

	_, err = h.registries.Update(ctx, &pb.UpdateRegistryRequest{
		RegistryId: made.Id, Name: "ignored", Labels: map[string]string{"c": "d"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels"}},
	})
	is.NoErr(err)
	made.Labels = map[string]string{"c": "d"}
	h = h.restart()
	got, err := h.registries.Get(ctx, &pb.GetRegistryRequest{RegistryId: made.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, &made))
	is.Equal(code(h.registries.Update(ctx, &pb.UpdateRegistryRequest{RegistryId: made.Id, UpdateMask: &fieldmaskpb.FieldMask{
		Paths: []string{"status"}}})), codes.InvalidArgument)
	is.Equal(code(h.registries.Update(ctx, &pb.UpdateRegistryRequest{RegistryId: "crp00000000000000000"})), codes.NotFound)
	is.Equal(code(h.registries.Get(ctx, &pb.GetRegistryRequest{RegistryId: "crp00000000000000000"})), codes.NotFound)

	h.clock.Advance(time.Second)
	second, err := h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: otherFolder, Name: "second"})
	is.NoErr(err)
	is.NoErr(second.GetResponse().UnmarshalTo(&made))
	is.Equal(code(h.registries.Update(ctx, &pb.UpdateRegistryRequest{RegistryId: made.Id, Name: "mine"})), codes.AlreadyExists)
	page, err := h.registries.List(ctx, &pb.ListRegistriesRequest{FolderId: otherFolder, PageSize: 1})
	is.NoErr(err)
	is.Equal(page.Registries[0].Name, "mine")
	page, err = h.registries.List(ctx, &pb.ListRegistriesRequest{FolderId: otherFolder, PageSize: 1, PageToken: page.NextPageToken})
	is.NoErr(err)
	is.Equal(page.Registries[0].Name, "second")
	is.Equal(page.NextPageToken, "")
	is.Equal(code(h.registries.List(ctx, &pb.ListRegistriesRequest{FolderId: "b1g00000000000000000"})), codes.NotFound)
}

func TestARegistryWithImagesIsDeletedByForceOnly(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	registry := h.create("mine")
	_, err := h.repositories.Upsert(ctx, &pb.UpsertRepositoryRequest{Name: registry + "/empty"})
	is.NoErr(err)
	a, _ := h.push(registry+"/app:v1", 1)
	b, _ := h.push(registry+"/lib:v1", 1)
	h.events()

	_, err = h.registries.Delete(ctx, &pb.DeleteRegistryRequest{RegistryId: registry})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	is.True(strings.Contains(status.Convert(err).Message(), registry))
	repository, err := h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: registry + "/app"})
	is.NoErr(err)
	is.Equal(code(h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: repository.Id})), codes.FailedPrecondition)
	is.Equal(len(h.events()), 0)

	_, err = h.registries.ForceDelete(ctx, &pb.DeleteRegistryRequest{RegistryId: registry})
	is.NoErr(err)
	got := h.events()
	slices.Sort(got)
	want := []string{"delete-image " + a, "delete-image " + b, "delete-image-tag " + a + " v1", "delete-image-tag " + b + " v1"}
	slices.Sort(want)
	is.Equal(got, want)
	for range 2 {
		is.True(!h.service.Known(registry))
		is.Equal(code(h.registries.Get(ctx, &pb.GetRegistryRequest{RegistryId: registry})), codes.NotFound)
		is.Equal(code(h.registries.Delete(ctx, &pb.DeleteRegistryRequest{RegistryId: registry})), codes.NotFound)
		is.Equal(code(h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: repository.Id})), codes.NotFound)
		is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: a})), codes.NotFound)
		is.Equal(code(h.repositories.List(ctx, &pb.ListRepositoriesRequest{RegistryId: registry})), codes.NotFound)
		h = h.restart()
	}
	h.push(registry+"/app:v1", 1) // which makes it anew, without the name
	again, err := h.registries.Get(ctx, &pb.GetRegistryRequest{RegistryId: registry})
	is.NoErr(err)
	is.Equal(again.Name, "")
	list, err := h.repositories.List(ctx, &pb.ListRepositoriesRequest{RegistryId: registry})
	is.NoErr(err)
	is.Equal(len(list.Repositories), 1) // the empty one is gone
}

func TestARegistryWhoseImagesAreGoneIsDeleted(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	id, _ := h.push("app:v1", 1)
	_, err := h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: id})
	is.NoErr(err)
	_, err = h.registries.Delete(ctx, &pb.DeleteRegistryRequest{RegistryId: yandex.RegistryID})
	is.NoErr(err)
	for range 2 {
		is.True(!h.service.Known(yandex.RegistryID)) // the default one stays deleted
		list, err := h.registries.List(ctx, &pb.ListRegistriesRequest{FolderId: yandex.FolderID})
		is.NoErr(err)
		is.Equal(len(list.Registries), 0)
		h = h.restart()
	}
}

func TestARepositoryBeforeItsImages(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	registry := h.create("mine")
	var made []*pb.Repository
	for range 2 { // the second time changes nothing
		op, err := h.repositories.Upsert(ctx, &pb.UpsertRepositoryRequest{Name: registry + "/team/app"})
		is.NoErr(err)
		m := &pb.Repository{}
		is.NoErr(op.GetResponse().UnmarshalTo(m))
		made = append(made, m)
	}
	is.Equal(made[0].Name, registry+"/team/app")
	is.True(proto.Equal(made[0], made[1]))
	is.Equal(code(h.repositories.Upsert(ctx, &pb.UpsertRepositoryRequest{Name: "crp00000000000000000/app"})), codes.NotFound)

	h = h.restart()
	h.push(registry+"/team/app:v1", 1)
	h.push(registry+"/base:v1", 1)
	get := func() *pb.Repository {
		t.Helper()
		got, err := h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: made[0].Id})
		is.NoErr(err)
		return got
	}
	is.True(proto.Equal(get(), made[0])) // the push has not made another
	names := func(r *pb.ListRepositoriesRequest) string {
		t.Helper()
		var out []string
		for {
			list, err := h.repositories.List(ctx, r)
			is.NoErr(err)
			for _, m := range list.Repositories {
				out = append(out, strings.TrimPrefix(m.Name, registry+"/"))
			}
			if r.PageToken = list.NextPageToken; r.PageToken == "" {
				return strings.Join(out, " ")
			}
		}
	}
	is.Equal(names(&pb.ListRepositoriesRequest{RegistryId: registry}), "base team/app")
	is.Equal(names(&pb.ListRepositoriesRequest{RegistryId: registry, PageSize: 1, OrderBy: "name desc"}), "team/app base")
	is.Equal(names(&pb.ListRepositoriesRequest{FolderId: yandex.FolderID, Filter: `name="` + registry + `/base"`}), "base")
	is.Equal(names(&pb.ListRepositoriesRequest{FolderId: otherFolder}), "")
	is.Equal(code(h.repositories.List(ctx, &pb.ListRepositoriesRequest{})), codes.InvalidArgument)
	is.Equal(code(h.repositories.List(ctx, &pb.ListRepositoriesRequest{RegistryId: registry, OrderBy: "id"})), codes.InvalidArgument)

	list, err := h.images.List(ctx, &pb.ListImagesRequest{RepositoryName: registry + "/team/app"})
	is.NoErr(err)
	_, err = h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: list.Images[0].Id})
	is.NoErr(err)
	is.True(proto.Equal(get(), made[0])) // it is empty, and there
	_, err = h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: made[0].Id})
	is.NoErr(err)
	h = h.restart()
	is.Equal(names(&pb.ListRepositoriesRequest{RegistryId: registry}), "base")
	is.Equal(code(h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: made[0].Id})), codes.NotFound)
	is.Equal(code(h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: registry + "/team/app"})), codes.NotFound)
	is.Equal(code(h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: made[0].Id})), codes.NotFound)
}

func TestPermissionsOfAddressesAreKept(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	const pushed = "crp00000000000pushed"
	h.push(pushed+"/app:v1", 1)
	pull := func(ip string) *pb.IpPermission { return &pb.IpPermission{Action: pb.IpPermission_PULL, Ip: ip} }
	_, err := h.registries.SetIpPermission(ctx, &pb.SetIpPermissionRequest{
		RegistryId: pushed, IpPermission: []*pb.IpPermission{pull("10.0.0.1"), pull("10.0.0.1"), pull("10.0.0.2")},
	})
	is.NoErr(err)
	_, err = h.registries.UpdateIpPermission(ctx, &pb.UpdateIpPermissionRequest{RegistryId: pushed, IpPermissionDeltas: []*pb.IpPermissionDelta{
		{Action: pb.IpPermissionAction_REMOVE, IpPermission: pull("10.0.0.1")},
		{Action: pb.IpPermissionAction_REMOVE, IpPermission: pull("10.0.0.9")},
		{Action: pb.IpPermissionAction_ADD, IpPermission: pull("10.0.0.2")},
		{Action: pb.IpPermissionAction_ADD, IpPermission: &pb.IpPermission{Action: pb.IpPermission_PUSH, Ip: "10.0.0.2"}},
	}})
	is.NoErr(err)
	h = h.restart()
	list := func(id string) string {
		t.Helper()
		got, err := h.registries.ListIpPermission(ctx, &pb.ListIpPermissionRequest{RegistryId: id})
		is.NoErr(err)
		var out []string
		for _, p := range got.Permissions {
			out = append(out, fmt.Sprint(p.Action, " ", p.Ip))
		}
		return strings.Join(out, ", ")
	}
	is.Equal(list(pushed), "PULL 10.0.0.2, PUSH 10.0.0.2")
	is.Equal(list(yandex.RegistryID), "")
	h.push(pushed+"/app:v2", 1) // they bind nobody
	_, err = h.registries.ForceDelete(ctx, &pb.DeleteRegistryRequest{RegistryId: pushed})
	is.NoErr(err)
	h.push(pushed+"/app:v1", 1)
	is.Equal(list(pushed), "")
	is.Equal(code(h.registries.ListIpPermission(ctx, &pb.ListIpPermissionRequest{RegistryId: "crp00000000000000000"})), codes.NotFound)
}

// Each call asks for the role that the documentation names, on the resource and on what contains it, before it does anything.
func TestEachCallAsksForItsRole(t *testing.T) {
	is := is.New(t)
	var mu sync.Mutex
	var asked []string
	var deny bool
	h := open(t, func(o *containerregistry.Options) {
		o.Authorize = func(_ context.Context, role string, on ...string) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, role+" on "+strings.Join(on, " "))
			if deny {
				return status.Error(codes.PermissionDenied, "Permission denied")
			}
			return nil
		}
	})
	ctx := t.Context()
	id, folder := yandex.RegistryID, yandex.FolderID
	image, _ := h.push("app:v1", 1)
	r, err := h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: id + "/app"})
	is.NoErr(err)
	onRegistry, onRepository := " on "+id+" "+folder, " on "+r.Id+" "+id+" "+folder
	onImage := " on " + image + " " + r.Id + " " + id + " " + folder
	mu.Lock()
	deny = true
	mu.Unlock()
	for _, c := range []struct {
		want string
		code codes.Code
	}{
		{"container-registry.viewer" + onRegistry, code(h.registries.Get(ctx, &pb.GetRegistryRequest{RegistryId: id}))},
		{"container-registry.viewer on " + folder, code(h.registries.List(ctx, &pb.ListRegistriesRequest{FolderId: folder}))},
		{"container-registry.editor on " + folder, code(h.registries.Create(ctx, &pb.CreateRegistryRequest{FolderId: folder}))},
		{"container-registry.editor" + onRegistry, code(h.registries.Update(ctx, &pb.UpdateRegistryRequest{RegistryId: id}))},
		{"container-registry.editor" + onRegistry, code(h.registries.Delete(ctx, &pb.DeleteRegistryRequest{RegistryId: id}))},
		{"container-registry.registries.forceDeleter" + onRegistry,
			code(h.registries.ForceDelete(ctx, &pb.DeleteRegistryRequest{RegistryId: id}))},
		{"container-registry.admin" + onRegistry, code(h.registries.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: id}))},
		{"container-registry.admin" + onRegistry, code(h.registries.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{ResourceId: id}))},
		{"container-registry.admin" + onRegistry, code(h.registries.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
			ResourceId: id, AccessBindingDeltas: []*access.AccessBindingDelta{delta()}}))},
		{"container-registry.viewer" + onRegistry, code(h.registries.ListIpPermission(ctx, &pb.ListIpPermissionRequest{RegistryId: id}))},
		{"container-registry.admin" + onRegistry, code(h.registries.SetIpPermission(ctx, &pb.SetIpPermissionRequest{RegistryId: id}))},
		{"container-registry.admin" + onRegistry, code(h.registries.UpdateIpPermission(ctx, &pb.UpdateIpPermissionRequest{RegistryId: id,
			IpPermissionDeltas: []*pb.IpPermissionDelta{{Action: pb.IpPermissionAction_ADD,
				IpPermission: &pb.IpPermission{Action: pb.IpPermission_PULL, Ip: "10.0.0.1"}}}}))},
		{"container-registry.viewer" + onRepository, code(h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: r.Id}))},
		{"container-registry.viewer" + onRepository, code(h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: r.Name}))},
		{"container-registry.viewer" + onRegistry, code(h.repositories.List(ctx, &pb.ListRepositoriesRequest{RegistryId: id}))},
		{"container-registry.images.pusher" + onRegistry, code(h.repositories.Upsert(ctx, &pb.UpsertRepositoryRequest{Name: id + "/new"}))},
		{"container-registry.images.pusher" + onRepository, code(h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: r.Id}))},
		{"container-registry.admin" + onRepository, code(h.repositories.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: r.Id}))},
		{"container-registry.admin" + onRepository, code(h.repositories.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{ResourceId: r.Id}))},
		{"container-registry.admin" + onRepository, code(h.repositories.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
			ResourceId: r.Id, AccessBindingDeltas: []*access.AccessBindingDelta{delta()}}))},
		{"container-registry.viewer" + onImage, code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: image}))},
		{"container-registry.images.pusher" + onImage, code(h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: image}))},
		{"container-registry.viewer" + onRegistry, code(h.images.List(ctx, &pb.ListImagesRequest{RegistryId: id}))},
		{"container-registry.viewer on " + folder, code(h.images.List(ctx, &pb.ListImagesRequest{FolderId: folder}))},
		{"container-registry.viewer" + onRepository, code(h.images.List(ctx, &pb.ListImagesRequest{RepositoryName: r.Name}))},
	} {
		is.Equal(c.code, codes.PermissionDenied) // c.want
		is.True(slices.Contains(asked, c.want))
		mu.Lock()
		asked = slices.Delete(asked, slices.Index(asked, c.want), slices.Index(asked, c.want)+1)
		mu.Unlock()
	}
	is.Equal(len(h.events()), 2) // of the push: nothing has been deleted
	is.True(!h.service.Known("new"))
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: "crp00000000000000000"})), codes.NotFound)
}

func delta() *access.AccessBindingDelta {
	return &access.AccessBindingDelta{Action: access.AccessBindingAction_ADD, AccessBinding: &access.AccessBinding{
		RoleId: "viewer", Subject: &access.Subject{Id: "allUsers", Type: "system"},
	}}
}

// A role that somebody has on a registry of a push makes it a registry that is kept.
func TestBindingsKeepARegistry(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	const pushed = "crp00000000000pushed"
	id, _ := h.push(pushed+"/app:v1", 1)
	_, err := h.registries.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{
		ResourceId: pushed, AccessBindingDeltas: []*access.AccessBindingDelta{delta()},
	})
	is.NoErr(err)
	_, err = h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: id})
	is.NoErr(err)
	repository, err := h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: pushed + "/app"})
	is.NoErr(err)
	_, err = h.repositories.Delete(ctx, &pb.DeleteRepositoryRequest{RepositoryId: repository.Id})
	is.NoErr(err)
	h = h.restart()
	is.True(h.service.Known(pushed))
	list, err := h.registries.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: pushed})
	is.NoErr(err)
	is.True(proto.Equal(list.AccessBindings[0], delta().AccessBinding))
	is.Equal(code(h.registries.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: "crp00000000000000000"})), codes.NotFound)
}
