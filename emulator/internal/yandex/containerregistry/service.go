// Package containerregistry is Container Registry's control plane: the cloud's RegistryService, RepositoryService and ImageService over
// what the registry room holds.
//
// Images are the room's alone. Registries and repositories are those that clients made, which are kept, and those that came into being
// with a push, which are listed as long as the room lists them.
package containerregistry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// Options are the service's doors.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize
	// Room is the registry whose images these are.
	Room *registry.Registry
	// Folder tells whether there is such a folder. Nil: there is.
	Folder func(ctx context.Context, id string) error
}

// Service is the three services. Its methods may be called at once.
type Service struct {
	o            Options
	changing     sync.Mutex // one change at a time
	registries   *resource.Collection[*pb.Registry]
	repositories *resource.Collection[*pb.Repository] // those that Upsert made
	permissions  *resource.Collection[*pb.SetIpPermissionRequest]
	index        index
	cursors      cursors
}

const (
	prefix = "crp"

	viewer       = "container-registry.viewer"
	editor       = "container-registry.editor"
	admin        = "container-registry.admin"
	pusher       = "container-registry.images.pusher"
	forceDeleter = "container-registry.registries.forceDeleter" // which no other role contains

	// DefaultName is the name of the registry that exists without any set-up.
	DefaultName = "regcast-default"
)

// New opens what was kept.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{o: o, index: index{room: o.Room}}
	var err error
	if s.registries, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Registry]{Name: "registry"}); err != nil {
		return nil, err
	}
	if s.repositories, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Repository]{Name: "repository"}); err != nil {
		return nil, err
	}
	s.permissions, err = resource.Open(ctx, o.Store, resource.Kind[*pb.SetIpPermissionRequest]{
		Name: "ip-permissions", ID: (*pb.SetIpPermissionRequest).GetRegistryId,
	})
	return s, err
}

// Register serves the calls.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterRegistryServiceServer(r, registries{s})
	pb.RegisterRepositoryServiceServer(r, repositories{s})
	pb.RegisterImageServiceServer(r, images{s})
}

// DeclareDefault adds the registry of images whose name names none, unless a client has deleted it.
func (s *Service) DeclareDefault() {
	s.registries.DeclareDefault(resource.Item[*pb.Registry]{Message: &pb.Registry{
		Id: yandex.RegistryID, FolderId: yandex.FolderID, Name: DefaultName, Status: pb.Registry_ACTIVE,
		// The same at every start, so that nobody sees a change.
		CreatedAt: timestamppb.New(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)),
	}})
}

// Known tells whether a registry is there: one that was made, or that a push has made. A push to any other makes it.
func (s *Service) Known(registryID string) bool {
	_, err := s.registry(registryID)
	return err == nil
}

// registry returns one that was made, or that a push has made, or NOT_FOUND.
func (s *Service) registry(id string) (resource.Item[*pb.Registry], error) {
	it, err := s.registries.Get(id)
	if err == nil || id == "" {
		return it, err
	}
	pushed := s.o.Room.Repositories(id)
	if len(pushed) == 0 {
		return it, err
	}
	return resource.Item[*pb.Registry]{Message: fromPush(pushed)}, nil
}

// fromPush is a registry that nobody has made, by its repositories: it is as old as the oldest.
func fromPush(repositories []registry.RepositoryInfo) *pb.Registry {
	var oldest time.Time
	for _, p := range repositories {
		if oldest.IsZero() || !p.Created.IsZero() && p.Created.Before(oldest) {
			oldest = p.Created
		}
	}
	return &pb.Registry{Id: repositories[0].Registry, FolderId: yandex.FolderID, Status: pb.Registry_ACTIVE, CreatedAt: at(oldest)}
}

// inFolder returns the registries of a folder in no order. Those that pushes have made are in the default one.
func (s *Service) inFolder(id string) []*pb.Registry {
	all := s.registries.Messages(nil)
	made := make(map[string]bool, len(all))
	var out []*pb.Registry
	for _, m := range all {
		made[m.Id] = true
		if m.FolderId == id {
			out = append(out, m)
		}
	}
	if id != yandex.FolderID {
		return out
	}
	pushed := make(map[string][]registry.RepositoryInfo)
	for _, p := range s.o.Room.Repositories("") {
		if !made[p.Registry] {
			pushed[p.Registry] = append(pushed[p.Registry], p)
		}
	}
	for _, repositories := range pushed {
		out = append(out, fromPush(repositories))
	}
	return out
}

// may returns a registry on which the caller has a role, that is on it or its folder.
func (s *Service) may(ctx context.Context, role, registryID string) (resource.Item[*pb.Registry], error) {
	it, err := s.registry(registryID)
	if err != nil {
		return it, err
	}
	return it, s.o.Authorize.Check(ctx, role, registryID, it.Message.FolderId)
}

// mayFolder tells whether there is a folder, and the caller has a role on it.
func (s *Service) mayFolder(ctx context.Context, role, folderID string) error {
	if s.o.Folder != nil {
		if err := s.o.Folder(ctx, folderID); err != nil {
			return err
		}
	}
	return s.o.Authorize.Check(ctx, role, folderID)
}

// keep makes a registry that a push has made one that is kept: whoever changes something about it must find it again.
func (s *Service) keep(ctx context.Context, it resource.Item[*pb.Registry]) error {
	if _, err := s.registries.Get(it.Message.Id); err == nil {
		return nil
	}
	return s.registries.Put(ctx, it)
}

func (s *Service) done(ctx context.Context, id, description string, metadata, response proto.Message) (*operation.Operation, error) {
	return s.o.Store.Done(ctx, id, description, metadata, response)
}

// fromRoom words what the room refuses.
func fromRoom(err error, what string) error {
	switch {
	case errors.Is(err, registry.ErrUnknown):
		return notFound(what)
	case errors.Is(err, registry.ErrNotEmpty):
		return notEmpty(what)
	case err != nil:
		return status.Errorf(codes.Unavailable, "%s: %v", what, err)
	}
	return nil
}

// notFound and notEmpty take what as it begins a sentence: "Image crp…".
func notFound(what string) error { return status.Errorf(codes.NotFound, "%s not found", what) }

func notEmpty(what string) error {
	return status.Errorf(codes.FailedPrecondition, "%s is not empty: delete its images first", what)
}

// at is a time as the APIs tell it; nil when it is not known.
func at(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t.UTC())
}

// split reads a repository's name as requests spell it: with the registry's id, or without for the default registry.
func (s *Service) split(field, name string) (repositoryName, error) {
	id, repository, ok := s.o.Room.Split(name)
	if !ok {
		return repositoryName{}, resource.Invalid(field, fmt.Sprintf("got %q, want <registry id>/<name>", name))
	}
	return repositoryName{id, repository}, nil
}
