// Package containers is the cloud's ContainerService. Images are not run: a container's requests go to a URL on this machine, which its
// active revision names in the variable URLVariable.
package containers

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// URLVariable is the environment variable of a revision's image that says where the container's requests go.
const URLVariable = "REGCAST_URL"

// Options are the service's doors.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize

	// URL is where a container is invoked over HTTP.
	URL func(containerID string) string
	// Folder tells whether there is such a folder, and ServiceAccount whether there is such an account. Nil: there is.
	Folder         func(ctx context.Context, id string) error
	ServiceAccount func(ctx context.Context, id string) error
	// Warn hears of revisions that cannot be called. Nil: nobody does.
	Warn func(string)
}

// Service is the ContainerService. Its methods may be called at once.
type Service struct {
	pb.UnimplementedContainerServiceServer

	o          Options
	changing   sync.Mutex
	containers *resource.Collection[*pb.Container]
	revisions  *resource.Collection[*pb.Revision]
}

const (
	prefix = "bba"

	viewer = "serverless-containers.viewer"
	editor = "serverless-containers.editor"
	admin  = "serverless-containers.admin"
)

// New opens what was kept.
func New(ctx context.Context, o Options) (*Service, error) {
	s := &Service{o: o}
	if s.o.Warn == nil {
		s.o.Warn = func(string) {}
	}
	var err error
	if s.containers, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Container]{Name: "container"}); err != nil {
		return nil, err
	}
	s.revisions, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Revision]{
		Name: "container-revision", Folder: (*pb.Revision).GetContainerId, Label: func(*pb.Revision) string { return "" },
	})
	return s, err
}

// Register serves the calls.
func (s *Service) Register(r grpc.ServiceRegistrar) { pb.RegisterContainerServiceServer(r, s) }

// Declared is a container of the house's configuration.
type Declared struct {
	ID, FolderID string
	URL          string // where its requests go
	File         string // what declares it
}

// Declare adds a container of the configuration with one revision.
func (s *Service) Declare(d Declared) error {
	if err := checkURL(d.URL); err != nil {
		return fmt.Errorf("%s: container %s: %w", d.File, d.ID, err)
	}
	now := s.o.Store.Now()
	err := s.containers.Declare(resource.Item[*pb.Container]{File: d.File, Message: &pb.Container{
		Id: d.ID, FolderId: d.FolderID, CreatedAt: now, Name: d.ID, Url: s.o.URL(d.ID), Status: pb.Container_ACTIVE,
	}})
	if err != nil {
		return err
	}
	return s.revisions.Declare(resource.Item[*pb.Revision]{File: d.File, Message: &pb.Revision{
		Id: prefix + "rev-" + d.ID, ContainerId: d.ID, CreatedAt: now, Status: pb.Revision_ACTIVE,
		Image: &pb.Image{Environment: map[string]string{URLVariable: d.URL}},
	}})
}

// Target is the URL that a container's requests go to. The error is NOT_FOUND, also of one without a revision, or UNIMPLEMENTED when the
// revision does not say where it runs.
func (s *Service) Target(id string) (string, error) {
	if !s.containers.Look(id, func(*pb.Container) {}) {
		return "", status.Errorf(codes.NotFound, "there is no %s", id)
	}
	var to string
	var at time.Time
	found := false
	s.revisions.Each(func(r *pb.Revision) bool {
		if r.ContainerId != id || r.Status != pb.Revision_ACTIVE {
			return true
		}
		if made := r.CreatedAt.AsTime(); !found || made.After(at) { // two are active while one takes the place of another
			to, at, found = r.Image.GetEnvironment()[URLVariable], made, true
		}
		return true
	})
	if !found {
		return "", status.Errorf(codes.NotFound, "%s has no revision", id)
	}
	if to == "" {
		return "", notEmulated(fmt.Sprintf("running the image of the container %s; set %s=http://127.0.0.1:PORT in its revision's environment, to where it runs", id, URLVariable))
	}
	return to, nil
}

// Any tells whether there is a container.
func (s *Service) Any() bool {
	any := false
	s.containers.Each(func(*pb.Container) bool { any = true; return false })
	return any
}

// Chain is a container's folder, after the container itself: where roles on it are looked for.
func (s *Service) Chain(id string) []string {
	out := []string{id}
	s.containers.Look(id, func(c *pb.Container) { out = append(out, c.FolderId) })
	return out
}

// In lists the containers of a folder, in no order.
func (s *Service) In(folder string) []string {
	var out []string
	s.containers.Each(func(c *pb.Container) bool {
		if c.FolderId == folder {
			out = append(out, c.Id)
		}
		return true
	})
	return out
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%s: got %q, want a URL such as http://127.0.0.1:9000", URLVariable, s)
	}
	return nil
}

func (s *Service) may(ctx context.Context, role, id string) (resource.Item[*pb.Container], error) {
	c, err := s.containers.Get(id)
	if err != nil {
		return c, err
	}
	return c, s.o.Authorize.Check(ctx, role, c.Message.Id, c.Message.FolderId)
}

func (s *Service) inFolder(ctx context.Context, role, folder string) error {
	if s.o.Folder != nil {
		if err := s.o.Folder(ctx, folder); err != nil {
			return err
		}
	}
	return s.o.Authorize.Check(ctx, role, folder)
}
