package containerregistry

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type repositories struct{ *Service }

// Get returns a repository.
func (s repositories) Get(ctx context.Context, r *pb.GetRepositoryRequest) (*pb.Repository, error) {
	return s.mayRepository(ctx, viewer, r.RepositoryId)
}

// GetByName returns a repository.
func (s repositories) GetByName(ctx context.Context, r *pb.GetRepositoryByNameRequest) (*pb.Repository, error) {
	name, err := s.named(ctx, "repository_name", r.RepositoryName)
	if err != nil {
		return nil, err
	}
	return message(name), nil
}

// List returns the repositories of a registry or a folder, by name.
func (s repositories) List(ctx context.Context, r *pb.ListRepositoriesRequest) (*pb.ListRepositoriesResponse, error) {
	order, err := parseOrder(cmp.Or(r.OrderBy, "name"), map[string]comparison{"name": byName})
	if err != nil {
		return nil, resource.Invalid("order_by", err.Error())
	}
	all, err := s.within(ctx, r.RegistryId, r.FolderId)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(all))
	for i, name := range all {
		rows[i] = row{repository: name}
	}
	page, next, err := s.cursors.page(rows, r, strings.Join([]string{"repositories", r.RegistryId, r.FolderId, r.OrderBy}, " "), order...)
	if err != nil {
		return nil, err
	}
	out := &pb.ListRepositoriesResponse{NextPageToken: next}
	for _, w := range page {
		out.Repositories = append(out.Repositories, message(w.repository))
	}
	return out, nil
}

// Upsert makes a repository known before there is an image; one that is there stays as it is.
func (s repositories) Upsert(ctx context.Context, r *pb.UpsertRepositoryRequest) (*operation.Operation, error) {
	name, err := s.split("name", r.Name)
	if err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.may(ctx, pusher, name.registry)
	if err != nil {
		return nil, err
	}
	if !s.there(name) {
		if err := s.keep(ctx, it); err != nil {
			return nil, err
		}
		if err := s.repositories.Put(ctx, resource.Item[*pb.Repository]{Message: message(name)}); err != nil {
			return nil, err
		}
	}
	return s.done(ctx, name.id(), "Upsert repository", &pb.UpsertRepositoryMetadata{RepositoryId: name.id()}, message(name))
}

// Delete takes away a repository that has no images.
func (s repositories) Delete(ctx context.Context, r *pb.DeleteRepositoryRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	m, err := s.mayRepository(ctx, pusher, r.RepositoryId)
	if err != nil {
		return nil, err
	}
	name := nameOf(m)
	ctx = context.WithoutCancel(ctx)
	err = s.o.Room.DeleteRepository(ctx, name.registry, name.name, false)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return nil, fromRoom(err, "Repository "+m.Name)
	}
	if err := s.forgetRepository(ctx, name); err != nil {
		return nil, err
	}
	return s.done(ctx, m.Id, "Delete repository", &pb.DeleteRepositoryMetadata{RepositoryId: m.Id}, &emptypb.Empty{})
}

// ListAccessBindings returns who may do what with a repository.
func (s repositories) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.mayRepository(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a repository.
func (s repositories) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.mayRepository(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds and removes bindings of a repository.
func (s repositories) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.mayRepository(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}

// message is a repository as the APIs tell it.
func message(n repositoryName) *pb.Repository { return &pb.Repository{Id: n.id(), Name: n.String()} }

func nameOf(m *pb.Repository) repositoryName {
	id, name, _ := strings.Cut(m.GetName(), "/")
	return repositoryName{id, name}
}

// there tells whether there is a repository: one that was made, or that a push has made.
func (s *Service) there(n repositoryName) bool {
	if _, ok := s.o.Room.Repository(n.registry, n.name); ok {
		return true
	}
	_, err := s.repositories.Get(n.id())
	return err == nil
}

// mayRepository returns a repository on which the caller has a role, that is on it, its registry or the folder.
func (s *Service) mayRepository(ctx context.Context, role, id string) (*pb.Repository, error) {
	it, err := s.repositories.Get(id)
	name := nameOf(it.Message)
	if err != nil {
		t, found := s.index.find(id)
		if !found || t.digest != "" || !s.there(t.repository) {
			return nil, err
		}
		name = t.repository
	}
	return message(name), s.mayIn(ctx, role, name)
}

// mayIn tells whether the caller has a role on a repository.
func (s *Service) mayIn(ctx context.Context, role string, n repositoryName, more ...string) error {
	it, err := s.registry(n.registry)
	if err != nil {
		return err
	}
	return s.o.Authorize.Check(ctx, role, append(more, n.id(), n.registry, it.Message.FolderId)...)
}

// named finds a repository by its name, for a viewer.
func (s *Service) named(ctx context.Context, field, text string) (repositoryName, error) {
	name, err := s.split(field, text)
	if err != nil {
		return name, err
	}
	if !s.there(name) {
		return name, notFound("Repository " + name.String())
	}
	return name, s.mayIn(ctx, viewer, name)
}

// within lists the repositories of a registry, or of a folder where no registry is named, for a viewer and in no order.
func (s *Service) within(ctx context.Context, registryID, folderID string) ([]repositoryName, error) {
	var ids []string
	switch {
	case registryID != "":
		if _, err := s.may(ctx, viewer, registryID); err != nil {
			return nil, err
		}
		ids = []string{registryID}
	case folderID != "":
		if err := s.mayFolder(ctx, viewer, folderID); err != nil {
			return nil, err
		}
		for _, m := range s.inFolder(folderID) {
			ids = append(ids, m.Id)
		}
	default:
		return nil, resource.Invalid("registry_id", "got none, want a registry's id, or that of a folder as folder_id")
	}
	of := make(map[string]bool, len(ids))
	for _, id := range ids {
		of[id] = true
	}
	all := make(map[repositoryName]bool)
	for _, p := range s.o.Room.Repositories("") {
		if of[p.Registry] {
			all[repositoryName{p.Registry, p.Name}] = true
		}
	}
	for _, name := range s.upserted(ids...) {
		all[name] = true
	}
	out := make([]repositoryName, 0, len(all))
	for name := range all {
		out = append(out, name)
	}
	return out, nil
}

// upserted lists the repositories of registries that clients made.
func (s *Service) upserted(registryIDs ...string) []repositoryName {
	of := make(map[string]bool, len(registryIDs))
	for _, id := range registryIDs {
		of[id] = true
	}
	var out []repositoryName
	for _, m := range s.repositories.Messages(func(m *pb.Repository) bool { return of[nameOf(m).registry] }) {
		out = append(out, nameOf(m))
	}
	return out
}

// forgetRepository drops what is kept of a repository.
func (s *Service) forgetRepository(ctx context.Context, n repositoryName) error {
	if err := s.o.Bindings.Forget(ctx, n.id()); err != nil {
		return err
	}
	return forget(ctx, s.repositories, n.id())
}

// forget deletes from a collection what may not be in it.
func forget[M proto.Message](ctx context.Context, c *resource.Collection[M], id string) error {
	if _, err := c.Get(id); err != nil {
		return nil
	}
	return c.Delete(ctx, id)
}
