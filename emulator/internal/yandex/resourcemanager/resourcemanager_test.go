package resourcemanager_test

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resourcemanager"
)

func createFolder(t *testing.T, h *house, cloud, name string) *pb.Folder {
	t.Helper()
	m, f := done(t, &pb.CreateFolderMetadata{}, &pb.Folder{})(h.folders.Create(t.Context(), &pb.CreateFolderRequest{
		CloudId: cloud, Name: name, Description: "of " + name, Labels: map[string]string{"a": "b"}}))
	is.New(t).Equal(m.FolderId, f.Id)
	return f
}

func TestTheDefaults(t *testing.T) {
	is, j := is.New(t), keep(t)
	var first proto.Message
	for range 2 {
		h := open(t, j, nil)
		clouds, err := h.clouds.List(t.Context(), &pb.ListCloudsRequest{Filter: `name="regcast"`})
		is.NoErr(err)
		is.Equal(len(clouds.Clouds), 1)
		folders, err := h.folders.List(t.Context(), &pb.ListFoldersRequest{CloudId: cloudID})
		is.NoErr(err)
		is.Equal(len(folders.Folders), 1)
		is.Equal(folders.Folders[0].Name, "default")
		is.Equal(folders.Folders[0].Status, pb.Folder_ACTIVE)
		if first != nil {
			is.True(proto.Equal(first, folders.Folders[0])) // also when it was made
		}
		first = folders.Folders[0]
		is.Equal(h.CloudOf(folderID), cloudID)
		is.NoErr(h.CheckFolder(t.Context(), folderID))
	}
	h := open(t, j, nil)
	_, err := h.folders.Delete(t.Context(), &pb.DeleteFolderRequest{FolderId: folderID})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	_, err = h.clouds.Delete(t.Context(), &pb.DeleteCloudRequest{CloudId: cloudID})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	_, err = h.folders.Update(t.Context(), &pb.UpdateFolderRequest{FolderId: folderID, Name: "mine"})
	is.NoErr(err)
	f, err := open(t, j, nil).folders.Get(t.Context(), &pb.GetFolderRequest{FolderId: folderID})
	is.NoErr(err)
	is.Equal(f.Name, "mine")
}

func TestTheLifeOfAFolder(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	f := createFolder(t, h, cloudID, "team")
	is.True(strings.HasPrefix(f.Id, "b1g"))
	is.True(proto.Equal(f, &pb.Folder{Id: f.Id, CloudId: cloudID, CreatedAt: timestamppb.New(noon), Name: "team", Description: "of team",
		Labels: map[string]string{"a": "b"}, Status: pb.Folder_ACTIVE}))
	_, err := h.folders.Create(t.Context(), &pb.CreateFolderRequest{CloudId: cloudID, Name: "team"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	_, err = h.folders.Create(t.Context(), &pb.CreateFolderRequest{CloudId: "b1gnone", Name: "x"})
	is.Equal(status.Code(err), codes.NotFound)

	m, updated := done(t, &pb.UpdateFolderMetadata{}, &pb.Folder{})(h.folders.Update(t.Context(), &pb.UpdateFolderRequest{
		FolderId: f.Id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}, Description: "new", Name: "ignored"}))
	is.Equal(m.FolderId, f.Id)
	is.Equal(updated.Name, "team")
	is.Equal(updated.Description, "new")
	_, updated = done(t, &pb.UpdateFolderMetadata{}, &pb.Folder{})(h.folders.Update(t.Context(), &pb.UpdateFolderRequest{FolderId: f.Id}))
	is.Equal(updated.Name, "team") // without a name there is no folder
	is.Equal(updated.Description, "")
	_, err = h.folders.Update(t.Context(), &pb.UpdateFolderRequest{FolderId: f.Id, Name: "default"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	_, err = h.folders.Update(t.Context(), &pb.UpdateFolderRequest{FolderId: f.Id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"cloud_id"}}})
	is.Equal(status.Code(err), codes.InvalidArgument)

	ops, err := h.folders.ListOperations(t.Context(), &pb.ListFolderOperationsRequest{FolderId: f.Id, PageSize: 1})
	is.NoErr(err)
	is.Equal(ops.Operations[0].Description, "Update folder")
	ops, err = h.folders.ListOperations(t.Context(), &pb.ListFolderOperationsRequest{FolderId: f.Id, PageToken: ops.NextPageToken})
	is.NoErr(err)
	is.Equal(ops.Operations[len(ops.Operations)-1].Description, "Create folder")

	h = open(t, j, nil)
	is.Equal(h.CloudOf(f.Id), cloudID)
	is.NoErr(h.CheckFolder(t.Context(), f.Id))
	// The provider of Terraform asks for the end at once, yc for one in seven days.
	deleteAfter := timestamppb.New(noon.AddDate(0, 0, 7))
	dm, _ := done(t, &pb.DeleteFolderMetadata{}, &emptypb.Empty{})(h.folders.Delete(t.Context(), &pb.DeleteFolderRequest{FolderId: f.Id, DeleteAfter: deleteAfter}))
	is.Equal(dm.FolderId, f.Id)
	is.True(proto.Equal(dm.DeleteAfter, deleteAfter))
	is.Equal(status.Code(h.CheckFolder(t.Context(), f.Id)), codes.NotFound)
	is.Equal(h.CloudOf(f.Id), "")
	_, err = h.folders.Get(t.Context(), &pb.GetFolderRequest{FolderId: f.Id})
	is.Equal(status.Code(err), codes.NotFound)
	is.Equal(open(t, j, nil).CloudOf(f.Id), "")
}

func TestAFolderWithSomethingInItStays(t *testing.T) {
	is := is.New(t)
	contents := map[string][]string{}
	h := open(t, nil, func(o *resourcemanager.Options) { o.Contents = func(id string) []string { return contents[id] } })
	f := createFolder(t, h, cloudID, "team")
	contents[f.Id] = []string{"trigger a1s1", "a", "b", "c", "d", "e", "f"}
	_, err := h.folders.Delete(t.Context(), &pb.DeleteFolderRequest{FolderId: f.Id})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	is.True(strings.Contains(err.Error(), "trigger a1s1, a, b, c, d and 2 more"))
	delete(contents, f.Id)
	_, err = h.folders.Delete(t.Context(), &pb.DeleteFolderRequest{FolderId: f.Id})
	is.NoErr(err)
}

func TestTheLifeOfACloud(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	m, c := done(t, &pb.CreateCloudMetadata{}, &pb.Cloud{})(h.clouds.Create(t.Context(), &pb.CreateCloudRequest{OrganizationId: "bpf1", Name: "mine"}))
	is.Equal(m.CloudId, c.Id)
	_, err := h.clouds.Create(t.Context(), &pb.CreateCloudRequest{OrganizationId: "bpf1", Name: "mine"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	_, err = h.clouds.Create(t.Context(), &pb.CreateCloudRequest{OrganizationId: "bpf2", Name: "mine"})
	is.NoErr(err)
	in1, err := h.clouds.List(t.Context(), &pb.ListCloudsRequest{OrganizationId: "bpf1"})
	is.NoErr(err)
	is.Equal(len(in1.Clouds), 1)

	// Whoever makes a cloud owns it.
	owners, err := h.clouds.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: c.Id})
	is.NoErr(err)
	is.Equal(owners.AccessBindings[0].RoleId, "resource-manager.clouds.owner")
	is.Equal(owners.AccessBindings[0].Subject.Id, "aje1")

	// Folders of different clouds may share a name.
	f := createFolder(t, h, c.Id, "default")
	is.Equal(open(t, j, nil).CloudOf(f.Id), c.Id)
	_, err = h.clouds.Delete(t.Context(), &pb.DeleteCloudRequest{CloudId: c.Id})
	is.Equal(status.Code(err), codes.FailedPrecondition)
	is.True(strings.Contains(err.Error(), f.Id))
	_, err = h.folders.Delete(t.Context(), &pb.DeleteFolderRequest{FolderId: f.Id})
	is.NoErr(err)

	_, updated := done(t, &pb.UpdateCloudMetadata{}, &pb.Cloud{})(h.clouds.Update(t.Context(), &pb.UpdateCloudRequest{CloudId: c.Id, Description: "new"}))
	is.Equal(updated.Name, "mine")
	is.Equal(updated.Description, "new")
	got, err := open(t, j, nil).clouds.Get(t.Context(), &pb.GetCloudRequest{CloudId: c.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, updated))
	ops, err := h.clouds.ListOperations(t.Context(), &pb.ListCloudOperationsRequest{CloudId: c.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 2)

	done(t, &pb.DeleteCloudMetadata{}, &emptypb.Empty{})(h.clouds.Delete(t.Context(), &pb.DeleteCloudRequest{CloudId: c.Id}))
	_, err = h.clouds.Get(t.Context(), &pb.GetCloudRequest{CloudId: c.Id})
	is.Equal(status.Code(err), codes.NotFound)
	is.Equal(len(h.bindings.Of(c.Id)), 0)
}

func binding(role, account string) *access.AccessBinding {
	return &access.AccessBinding{RoleId: role, Subject: &access.Subject{Id: account, Type: "serviceAccount"}}
}

func TestAccessBindings(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, nil)
	a, b, c := binding("editor", "ajea"), binding("viewer", "ajeb"), binding("viewer", "ajec")
	add, remove := access.AccessBindingAction_ADD, access.AccessBindingAction_REMOVE
	for name, client := range map[string]interface {
		set(*access.SetAccessBindingsRequest) []*access.AccessBindingDelta
		update(*access.UpdateAccessBindingsRequest) []*access.AccessBindingDelta
		list() []*access.AccessBinding
	}{
		folderID: onFolder{t, h}, cloudID: onCloud{t, h},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			set := client.set(&access.SetAccessBindingsRequest{ResourceId: name, AccessBindings: []*access.AccessBinding{a, b}})
			is.Equal(len(set), 2)
			set = client.set(&access.SetAccessBindingsRequest{ResourceId: name, AccessBindings: []*access.AccessBinding{b, c}})
			is.Equal(len(set), 2)
			is.True(set[0].Action == remove && proto.Equal(set[0].AccessBinding, a))
			is.True(set[1].Action == add && proto.Equal(set[1].AccessBinding, c))
			updated := client.update(&access.UpdateAccessBindingsRequest{ResourceId: name, AccessBindingDeltas: []*access.AccessBindingDelta{
				{Action: add, AccessBinding: b}, {Action: add, AccessBinding: a}, {Action: remove, AccessBinding: c}}})
			is.Equal(len(updated), 2) // b was there
			is.Equal(len(client.list()), 2)
		})
	}
	is.Equal(len(open(t, j, nil).bindings.Of(folderID)), 2)
	_, err := h.folders.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: "b1gnone"})
	is.Equal(status.Code(err), codes.NotFound)
}

type onFolder struct {
	t *testing.T
	h *house
}

func (f onFolder) set(r *access.SetAccessBindingsRequest) []*access.AccessBindingDelta {
	_, result := done(f.t, &access.SetAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(f.h.folders.SetAccessBindings(f.t.Context(), r))
	return result.EffectiveDeltas
}

func (f onFolder) update(r *access.UpdateAccessBindingsRequest) []*access.AccessBindingDelta {
	m, result := done(f.t, &access.UpdateAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(f.h.folders.UpdateAccessBindings(f.t.Context(), r))
	is.New(f.t).Equal(m.ResourceId, r.ResourceId)
	return result.EffectiveDeltas
}

func (f onFolder) list() []*access.AccessBinding {
	r, err := f.h.folders.ListAccessBindings(f.t.Context(), &access.ListAccessBindingsRequest{ResourceId: folderID})
	is.New(f.t).NoErr(err)
	return r.AccessBindings
}

type onCloud onFolder

func (c onCloud) set(r *access.SetAccessBindingsRequest) []*access.AccessBindingDelta {
	_, result := done(c.t, &access.SetAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(c.h.clouds.SetAccessBindings(c.t.Context(), r))
	return result.EffectiveDeltas
}

func (c onCloud) update(r *access.UpdateAccessBindingsRequest) []*access.AccessBindingDelta {
	_, result := done(c.t, &access.UpdateAccessBindingsMetadata{}, &access.AccessBindingsOperationResult{})(c.h.clouds.UpdateAccessBindings(c.t.Context(), r))
	return result.EffectiveDeltas
}

func (c onCloud) list() []*access.AccessBinding {
	r, err := c.h.clouds.ListAccessBindings(c.t.Context(), &access.ListAccessBindingsRequest{ResourceId: cloudID})
	is.New(c.t).NoErr(err)
	return r.AccessBindings
}

// Who has a role on one folder sees that folder and its cloud, and changes neither.
func TestRolesAreAskedFor(t *testing.T) {
	is := is.New(t)
	mine := ""
	h := open(t, nil, func(o *resourcemanager.Options) {
		o.Authorize = func(_ context.Context, role string, on ...string) error {
			if mine == "" || on[0] == mine && role == "resource-manager.auditor" {
				return nil
			}
			return status.Errorf(codes.PermissionDenied, "lacks %s", role)
		}
	})
	f := createFolder(t, h, cloudID, "mine")
	other, err := h.clouds.Create(t.Context(), &pb.CreateCloudRequest{OrganizationId: "bpf1", Name: "other"})
	is.NoErr(err)
	otherCloud := &pb.CreateCloudMetadata{}
	is.NoErr(other.Metadata.UnmarshalTo(otherCloud))

	mine = f.Id
	folders, err := h.folders.List(t.Context(), &pb.ListFoldersRequest{CloudId: cloudID})
	is.NoErr(err)
	is.Equal(len(folders.Folders), 1)
	clouds, err := h.clouds.List(t.Context(), &pb.ListCloudsRequest{})
	is.NoErr(err)
	is.Equal(len(clouds.Clouds), 1)
	_, err = h.clouds.Get(t.Context(), &pb.GetCloudRequest{CloudId: cloudID})
	is.NoErr(err)

	ctx := t.Context()
	for role, call := range map[string]func() error{
		"auditor Get": func() error { _, err := h.folders.Get(ctx, &pb.GetFolderRequest{FolderId: folderID}); return err },
		"auditor cloud": func() error {
			_, err := h.clouds.Get(ctx, &pb.GetCloudRequest{CloudId: otherCloud.CloudId})
			return err
		},
		"editor Create": func() error {
			_, err := h.folders.Create(ctx, &pb.CreateFolderRequest{CloudId: cloudID, Name: "x"})
			return err
		},
		"editor Update": func() error { _, err := h.folders.Update(ctx, &pb.UpdateFolderRequest{FolderId: f.Id}); return err },
		"editor Delete": func() error { _, err := h.folders.Delete(ctx, &pb.DeleteFolderRequest{FolderId: f.Id}); return err },
		"admin Set": func() error {
			_, err := h.folders.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{ResourceId: f.Id})
			return err
		},
		"admin Update": func() error {
			_, err := h.folders.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{ResourceId: f.Id})
			return err
		},
		"editor Create cloud": func() error {
			_, err := h.clouds.Create(ctx, &pb.CreateCloudRequest{OrganizationId: "bpf1", Name: "x"})
			return err
		},
		"editor Update cloud": func() error { _, err := h.clouds.Update(ctx, &pb.UpdateCloudRequest{CloudId: cloudID}); return err },
		"admin Delete cloud":  func() error { _, err := h.clouds.Delete(ctx, &pb.DeleteCloudRequest{CloudId: cloudID}); return err },
		"auditor operations": func() error {
			_, err := h.clouds.ListOperations(ctx, &pb.ListCloudOperationsRequest{CloudId: cloudID})
			return err
		},
		"auditor folder's": func() error {
			_, err := h.folders.ListOperations(ctx, &pb.ListFolderOperationsRequest{FolderId: folderID})
			return err
		},
		"auditor bindings": func() error {
			_, err := h.clouds.ListAccessBindings(ctx, &access.ListAccessBindingsRequest{ResourceId: cloudID})
			return err
		},
		"admin bindings": func() error {
			_, err := h.clouds.SetAccessBindings(ctx, &access.SetAccessBindingsRequest{ResourceId: cloudID})
			return err
		},
		"admin cloud's bindings": func() error {
			_, err := h.clouds.UpdateAccessBindings(ctx, &access.UpdateAccessBindingsRequest{ResourceId: cloudID})
			return err
		},
	} {
		role, _, _ = strings.Cut(role, " ")
		err := call()
		is.Equal(status.Code(err), codes.PermissionDenied)
		is.Equal(status.Convert(err).Message(), "lacks resource-manager."+role)
	}
}
