package resourcemanager

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type folderService struct {
	pb.UnimplementedFolderServiceServer
	*Service
}

// may returns a folder on which the caller has a role.
func (s *folderService) may(ctx context.Context, role, id string) (resource.Item[*pb.Folder], error) {
	f, err := s.folders.Get(id)
	if err != nil {
		return f, err
	}
	return f, s.o.Authorize.Check(ctx, role, id)
}

func (s *folderService) Get(ctx context.Context, r *pb.GetFolderRequest) (*pb.Folder, error) {
	f, err := s.may(ctx, auditor, r.FolderId)
	return f.Message, err
}

// List returns those folders of a cloud that the caller may know of.
func (s *folderService) List(ctx context.Context, r *pb.ListFoldersRequest) (*pb.ListFoldersResponse, error) {
	if _, err := s.clouds.Get(r.CloudId); err != nil {
		return nil, err
	}
	var visible []*pb.Folder
	for _, f := range s.folders.Messages(func(f *pb.Folder) bool { return f.CloudId == r.CloudId }) {
		if s.o.Authorize.Check(ctx, auditor, f.Id) == nil {
			visible = append(visible, f)
		}
	}
	page, next, err := resource.List(visible, r)
	return &pb.ListFoldersResponse{Folders: page, NextPageToken: next}, err
}

func (s *folderService) Create(ctx context.Context, r *pb.CreateFolderRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.clouds.Get(r.CloudId); err != nil {
		return nil, err
	}
	if err := s.o.Authorize.Check(ctx, editor, r.CloudId); err != nil {
		return nil, err
	}
	if err := s.folders.Free(r.CloudId, r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	f := &pb.Folder{
		Id: id, CloudId: r.CloudId, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, Labels: r.Labels,
		Status: pb.Folder_ACTIVE,
	}
	if err := s.folders.Put(ctx, resource.Item[*pb.Folder]{Message: f}); err != nil {
		return nil, err
	}
	s.place(id, r.CloudId)
	return s.done(ctx, id, "Create folder", &pb.CreateFolderMetadata{FolderId: id}, f)
}

func (s *folderService) Update(ctx context.Context, r *pb.UpdateFolderRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	f, err := s.may(ctx, editor, r.FolderId)
	if err != nil {
		return nil, err
	}
	name := f.Message.Name
	if err := resource.Update(f.Message, r, r.UpdateMask, "name", "description", "labels"); err != nil {
		return nil, err
	}
	if f.Message.Name == "" { // the request may leave it out, the folder may not
		f.Message.Name = name
	}
	if err := s.folders.Free(f.Message.CloudId, f.Message.Name, r.FolderId); err != nil {
		return nil, err
	}
	if err := s.folders.Put(ctx, f); err != nil {
		return nil, err
	}
	return s.done(ctx, r.FolderId, "Update folder", &pb.UpdateFolderMetadata{FolderId: r.FolderId}, f.Message)
}

// Delete takes an empty folder away at once, whatever delete_after says.
func (s *folderService) Delete(ctx context.Context, r *pb.DeleteFolderRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	if s.isDefault(r.FolderId) {
		return nil, status.Errorf(codes.FailedPrecondition, "Folder %s is the default one, which stays", r.FolderId)
	}
	if s.o.Contents != nil {
		if in := s.o.Contents(r.FolderId); len(in) > 0 {
			return nil, notEmpty("Folder", r.FolderId, in)
		}
	}
	if err := s.folders.Delete(ctx, r.FolderId); err != nil {
		return nil, err
	}
	s.place(r.FolderId, "")
	if err := s.o.Bindings.Forget(ctx, r.FolderId); err != nil {
		return nil, err
	}
	return s.done(ctx, r.FolderId, "Delete folder", &pb.DeleteFolderMetadata{FolderId: r.FolderId, DeleteAfter: r.DeleteAfter}, &emptypb.Empty{})
}

// notEmpty names some of what is in the way of a deletion.
func notEmpty(what, id string, in []string) error {
	const named = 5
	more := ""
	if len(in) > named {
		in, more = in[:named], fmt.Sprintf(" and %d more", len(in)-named)
	}
	return status.Errorf(codes.FailedPrecondition, "%s %s is not empty; delete what is in it first: %s%s", what, id, strings.Join(in, ", "), more)
}

func (s *folderService) ListOperations(ctx context.Context, r *pb.ListFolderOperationsRequest) (*pb.ListFolderOperationsResponse, error) {
	if _, err := s.may(ctx, auditor, r.FolderId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.FolderId), r)
	return &pb.ListFolderOperationsResponse{Operations: page, NextPageToken: next}, err
}

func (s *folderService) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.may(ctx, auditor, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

func (s *folderService) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*op, error) {
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Effective)
}

func (s *folderService) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*op, error) {
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Effective)
}
