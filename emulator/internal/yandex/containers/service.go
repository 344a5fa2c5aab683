package containers

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type op = operation.Operation

// Get returns a container.
func (s *Service) Get(ctx context.Context, r *pb.GetContainerRequest) (*pb.Container, error) {
	c, err := s.may(ctx, viewer, r.ContainerId)
	return c.Message, err
}

// List returns the containers of a folder.
func (s *Service) List(ctx context.Context, r *pb.ListContainersRequest) (*pb.ListContainersResponse, error) {
	if err := s.inFolder(ctx, viewer, r.FolderId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.containers.Messages(func(c *pb.Container) bool { return c.FolderId == r.FolderId }), r)
	return &pb.ListContainersResponse{Containers: page, NextPageToken: next}, err
}

// Create makes a container without a revision.
func (s *Service) Create(ctx context.Context, r *pb.CreateContainerRequest) (*op, error) {
	if err := s.inFolder(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.containers.Free(r.FolderId, r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	c := &pb.Container{
		Id: id, FolderId: r.FolderId, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, Labels: r.Labels,
		Url: s.o.URL(id), Status: pb.Container_ACTIVE,
	}
	if err := s.containers.Put(ctx, resource.Item[*pb.Container]{Message: c}); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, id, "Create container", &pb.CreateContainerMetadata{ContainerId: id}, c)
}

// Update changes what a container is called.
func (s *Service) Update(ctx context.Context, r *pb.UpdateContainerRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, err := s.may(ctx, editor, r.ContainerId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(c.Message, r, r.UpdateMask, "name", "description", "labels"); err != nil {
		return nil, err
	}
	if err := s.containers.Free(c.Message.FolderId, c.Message.Name, c.Message.Id); err != nil {
		return nil, err
	}
	if err := s.containers.Put(ctx, c); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ContainerId, "Update container", &pb.UpdateContainerMetadata{ContainerId: r.ContainerId}, c.Message)
}

// Delete takes a container and its revisions away.
func (s *Service) Delete(ctx context.Context, r *pb.DeleteContainerRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, editor, r.ContainerId); err != nil {
		return nil, err
	}
	for _, rev := range s.of(r.ContainerId) {
		if err := s.revisions.Delete(ctx, rev.Id); err != nil {
			return nil, err
		}
	}
	if err := s.o.Bindings.Forget(ctx, r.ContainerId); err != nil {
		return nil, err
	}
	if err := s.containers.Delete(ctx, r.ContainerId); err != nil { // last: who was broken off can ask again
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ContainerId, "Delete container", &pb.DeleteContainerMetadata{ContainerId: r.ContainerId}, &emptypb.Empty{})
}

func (s *Service) of(containerID string) []*pb.Revision {
	return s.revisions.Messages(func(r *pb.Revision) bool { return r.ContainerId == containerID })
}

// ListOperations returns what was done to a container.
func (s *Service) ListOperations(ctx context.Context, r *pb.ListContainerOperationsRequest) (*pb.ListContainerOperationsResponse, error) {
	if _, err := s.may(ctx, viewer, r.ContainerId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.ContainerId), r)
	return &pb.ListContainerOperationsResponse{Operations: page, NextPageToken: next}, err
}

// ListAccessBindings returns who may do what with a container.
func (s *Service) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.may(ctx, viewer, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a container.
func (s *Service) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds and removes bindings of a container.
func (s *Service) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}
