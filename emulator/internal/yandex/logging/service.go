// Package logging is the cloud's logging: the last entries of all logs, in memory, which LogReadingService reads and LogIngestionService
// writes, and the log groups that they are in.
package logging

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
)

// Options of a Service. Store, Bindings and Log are needed.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize
	Log       *Log

	// Folder says why a folder that a request names is not there. Nil: every folder is.
	Folder func(ctx context.Context, id string) error
}

// Service is the three services of logging.
type Service struct {
	pb.UnimplementedLogGroupServiceServer
	o      Options
	groups *resource.Collection[*pb.LogGroup]

	mu       sync.Mutex      // round a change of a group
	defaults map[string]bool // folders whose default group is there
}

// New opens the kept groups. Entries are not kept.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Folder == nil {
		o.Folder = func(context.Context, string) error { return nil }
	}
	groups, err := resource.Open(ctx, o.Store, resource.Kind[*pb.LogGroup]{Name: "log-group"})
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, groups: groups, defaults: make(map[string]bool)}
	s.DefaultGroup(yandex.FolderID)
	return s, nil
}

// Register serves the services.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterLogGroupServiceServer(r, s)
	pb.RegisterLogReadingServiceServer(r, &reader{service: s})
	pb.RegisterLogIngestionServiceServer(r, &ingester{service: s})
}

const (
	idPrefix     = "e23"
	defaultName  = "default"
	defaultGroup = "e23regcastdefault000" // of the folder that exists without any set-up
	retention    = 72 * time.Hour
)

// DefaultGroup is the id of a folder's default log group, where what names no other group is logged. It is there from now on, and is
// the same at every start.
func (s *Service) DefaultGroup(folderID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := defaultID(folderID)
	if s.defaults[folderID] {
		return id
	}
	s.groups.DeclareDefault(resource.Item[*pb.LogGroup]{Message: &pb.LogGroup{
		Id: id, FolderId: folderID, CloudId: yandex.CloudID, CreatedAt: timestamppb.New(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)),
		Name: defaultName, Status: pb.LogGroup_ACTIVE, RetentionPeriod: durationpb.New(retention),
	}})
	s.defaults[folderID] = true
	return id
}

func defaultID(folderID string) string {
	if folderID == yandex.FolderID {
		return defaultGroup
	}
	sum := sha256.Sum256([]byte(folderID))
	return (idPrefix + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:])))[:len(defaultGroup)]
}

// group finds a group on which the caller has the role.
func (s *Service) group(ctx context.Context, role, id string) (*pb.LogGroup, error) {
	it, err := s.groups.Get(id)
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "Log group %s not found", id)
	}
	return it.Message, s.o.Authorize.Check(ctx, role, id, it.Message.FolderId)
}

// inFolder tells whether there is a folder, and the caller has a role on it.
func (s *Service) inFolder(ctx context.Context, role, id string) error {
	if err := s.o.Folder(ctx, id); err != nil {
		return err
	}
	return s.o.Authorize.Check(ctx, role, id)
}
