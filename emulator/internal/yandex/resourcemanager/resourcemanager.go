// Package resourcemanager serves the cloud's CloudService and FolderService: clouds, the folders in them, and who has which role on
// either.
package resourcemanager

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type op = operation.Operation

// The prefix of ids, and the roles that calls need.
const (
	prefix = "b1g"

	auditor = "resource-manager.auditor"
	editor  = "resource-manager.editor"
	admin   = "resource-manager.admin"
)

// Options of a Service. Store and Bindings are needed.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize
	// Contents says what is in a folder, each as "trigger a1s…": a folder that has something is not deleted. Nil: nothing ever is.
	Contents func(folderID string) []string
}

// Service is the clouds and folders.
type Service struct {
	o       Options
	clouds  *resource.Collection[*pb.Cloud]
	folders *resource.Collection[*pb.Folder]

	changing sync.Mutex // round a check and the change that rests on it

	mu      sync.RWMutex
	cloudOf map[string]string // by folder, for CloudOf
	fixed   map[string]bool   // ids of the defaults
}

// New opens the clouds and folders that were kept.
func New(ctx context.Context, o Options) (*Service, error) {
	clouds, err := resource.Open(ctx, o.Store, resource.Kind[*pb.Cloud]{
		Name: "cloud", Folder: func(c *pb.Cloud) string { return c.OrganizationId },
	})
	if err != nil {
		return nil, err
	}
	folders, err := resource.Open(ctx, o.Store, resource.Kind[*pb.Folder]{
		Name: "folder", Folder: func(f *pb.Folder) string { return f.CloudId },
	})
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, clouds: clouds, folders: folders, cloudOf: make(map[string]string), fixed: make(map[string]bool)}
	for _, f := range folders.Messages(nil) {
		s.cloudOf[f.Id] = f.CloudId
	}
	folders.Feed(
		func(it resource.Item[*pb.Folder]) error { s.place(it.Message.Id, it.Message.CloudId); return nil },
		func(id string) error { s.place(id, ""); return nil },
	)
	return s, nil
}

// Register makes the services known.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterCloudServiceServer(r, &cloudService{Service: s})
	pb.RegisterFolderServiceServer(r, &folderService{Service: s})
}

// began is when what exists without any set-up says that it was made: the same at every start, so that nothing seems to have changed.
func began() *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
}

// DeclareDefault adds the cloud, named "regcast", and the folder in it, named "default", that exist without any set-up. They cannot be
// deleted, as all that files declare is in them.
func (s *Service) DeclareDefault(cloudID, folderID, organizationID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clouds.DeclareDefault(resource.Item[*pb.Cloud]{Message: &pb.Cloud{
		Id: cloudID, CreatedAt: began(), Name: "regcast", OrganizationId: organizationID,
	}})
	s.folders.DeclareDefault(resource.Item[*pb.Folder]{Message: &pb.Folder{
		Id: folderID, CloudId: cloudID, CreatedAt: began(), Name: "default", Status: pb.Folder_ACTIVE,
	}})
	s.cloudOf[folderID] = cloudID
	s.fixed[cloudID], s.fixed[folderID] = true, true
}

// CheckFolder answers NOT_FOUND for an id that no folder has.
func (s *Service) CheckFolder(_ context.Context, id string) error {
	if s.CloudOf(id) == "" {
		return status.Errorf(codes.NotFound, "Folder %s not found", id)
	}
	return nil
}

// CloudOf returns the cloud that a folder is in; empty when there is no such folder.
func (s *Service) CloudOf(folderID string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cloudOf[folderID]
}

func (s *Service) place(folderID, cloudID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cloudID == "" {
		delete(s.cloudOf, folderID)
		return
	}
	s.cloudOf[folderID] = cloudID
}

func (s *Service) isDefault(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fixed[id]
}

func (s *Service) done(ctx context.Context, on, description string, metadata, response proto.Message) (*op, error) {
	return s.o.Store.Done(ctx, on, description, metadata, response)
}
