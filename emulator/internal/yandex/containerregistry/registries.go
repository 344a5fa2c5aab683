package containerregistry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type registries struct{ *Service }

// Get returns a registry.
func (s registries) Get(ctx context.Context, r *pb.GetRegistryRequest) (*pb.Registry, error) {
	it, err := s.may(ctx, viewer, r.RegistryId)
	if err != nil {
		return nil, err
	}
	return it.Message, nil
}

// List returns the registries of a folder.
func (s registries) List(ctx context.Context, r *pb.ListRegistriesRequest) (*pb.ListRegistriesResponse, error) {
	if err := s.mayFolder(ctx, viewer, r.FolderId); err != nil {
		return nil, err
	}
	all := s.inFolder(r.FolderId)
	slices.SortFunc(all, func(a, b *pb.Registry) int {
		return cmp.Or(created(a).Compare(created(b)), cmp.Compare(a.Id, b.Id))
	})
	page, next, err := resource.List(all, r)
	return &pb.ListRegistriesResponse{Registries: page, NextPageToken: next}, err
}

// created is when a registry was made; zero when it is not known.
func created(m *pb.Registry) time.Time {
	if m.CreatedAt == nil {
		return time.Time{}
	}
	return m.CreatedAt.AsTime()
}

// Create makes an empty registry.
func (s registries) Create(ctx context.Context, r *pb.CreateRegistryRequest) (*operation.Operation, error) {
	if err := s.mayFolder(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	if r.Secure {
		return nil, status.Error(codes.Unimplemented, "not emulated: secure (scan policies); create the registry without it")
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.registries.Free(r.FolderId, r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	m := &pb.Registry{
		Id: id, FolderId: r.FolderId, Name: r.Name, Status: pb.Registry_ACTIVE, CreatedAt: s.o.Store.Now(), Labels: r.Labels,
	}
	if err := s.registries.Put(ctx, resource.Item[*pb.Registry]{Message: m}); err != nil {
		return nil, err
	}
	return s.done(ctx, id, "Create registry", &pb.CreateRegistryMetadata{RegistryId: id}, m)
}

// Update changes name and labels.
func (s registries) Update(ctx context.Context, r *pb.UpdateRegistryRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.may(ctx, editor, r.RegistryId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(it.Message, r, r.UpdateMask, "name", "labels"); err != nil {
		return nil, err
	}
	if err := s.registries.Free(it.Message.FolderId, it.Message.Name, r.RegistryId); err != nil {
		return nil, err
	}
	if err := s.registries.Put(ctx, it); err != nil {
		return nil, err
	}
	return s.done(ctx, r.RegistryId, "Update registry", &pb.UpdateRegistryMetadata{RegistryId: r.RegistryId}, it.Message)
}

// Delete takes away a registry that has no images, with its empty repositories.
func (s registries) Delete(ctx context.Context, r *pb.DeleteRegistryRequest) (*operation.Operation, error) {
	return s.remove(ctx, editor, r.RegistryId, false)
}

// ForceDelete takes away a registry with all its images, each of which is told of as when it is deleted.
func (s registries) ForceDelete(ctx context.Context, r *pb.DeleteRegistryRequest) (*operation.Operation, error) {
	return s.remove(ctx, forceDeleter, r.RegistryId, true)
}

func (s registries) remove(ctx context.Context, role, id string, withImages bool) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, role, id); err != nil {
		return nil, err
	}
	what := "Registry " + id
	pushed := s.o.Room.Repositories(id)
	if !withImages && slices.ContainsFunc(pushed, func(p registry.RepositoryInfo) bool { return p.Images > 0 }) {
		return nil, notEmpty(what)
	}
	ctx = context.WithoutCancel(ctx) // a client that hangs up must not leave half a registry
	for _, p := range pushed {
		err := s.o.Room.DeleteRepository(ctx, id, p.Name, withImages)
		if err != nil && !errors.Is(err, registry.ErrUnknown) {
			return nil, fromRoom(err, what)
		}
		if err := s.forgetRepository(ctx, repositoryName{id, p.Name}); err != nil {
			return nil, err
		}
	}
	for _, name := range s.upserted(id) {
		if err := s.forgetRepository(ctx, name); err != nil {
			return nil, err
		}
	}
	if err := forget(ctx, s.permissions, id); err != nil {
		return nil, err
	}
	if err := s.o.Bindings.Forget(ctx, id); err != nil {
		return nil, err
	}
	if err := forget(ctx, s.registries, id); err != nil {
		return nil, err
	}
	return s.done(ctx, id, "Delete registry", &pb.DeleteRegistryMetadata{RegistryId: id}, &emptypb.Empty{})
}

// ListAccessBindings returns who may do what with a registry.
func (s registries) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a registry.
func (s registries) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.mayBind(ctx, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds and removes bindings of a registry.
func (s registries) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.mayBind(ctx, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}

// mayBind tells whether the caller may bind roles on a registry, which is kept from then on. The lock is held.
func (s registries) mayBind(ctx context.Context, id string) error {
	it, err := s.may(ctx, admin, id)
	if err != nil {
		return err
	}
	return s.keep(ctx, it)
}
