package functions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// runtime is the one that is emulated; older and newer Go is built in its place, with a warning.
const runtime = "golang123"

// CreateVersion unpacks, builds and tags a version, which takes as long as the build does.
func (s *Service) CreateVersion(ctx context.Context, r *pb.CreateFunctionVersionRequest) (*op, error) {
	if _, err := s.may(ctx, editor, r.FunctionId); err != nil {
		return nil, err
	}
	if err := check(r); err != nil {
		return nil, err
	}
	if r.ServiceAccountId != "" && s.o.ServiceAccount != nil {
		if err := s.o.ServiceAccount(ctx, r.ServiceAccountId); err != nil {
			return nil, err
		}
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.o.Dir, id)
	discard := func() { _ = os.RemoveAll(dir) } // Restore removes what is left
	size, err := s.source(ctx, r, dir)
	if err != nil {
		discard()
		return nil, err
	}
	if !strings.HasPrefix(r.Runtime, runtime) {
		s.o.Warn(fmt.Sprintf("function %s: the runtime %s is built with this machine's Go", r.FunctionId, r.Runtime))
	}
	if r.Connectivity.GetNetworkId() != "" {
		s.o.Warn(fmt.Sprintf("function %s: not emulated: connectivity; it has this machine's network", r.FunctionId))
	}
	v := &pb.Version{
		Id: id, FunctionId: r.FunctionId, Description: r.Description, CreatedAt: s.o.Store.Now(), Runtime: r.Runtime,
		Entrypoint: r.Entrypoint, Resources: r.Resources, ExecutionTimeout: r.ExecutionTimeout, ServiceAccountId: r.ServiceAccountId,
		ImageSize: size, Status: pb.Version_ACTIVE, Environment: r.Environment, NamedServiceAccounts: r.NamedServiceAccounts,
		Concurrency: r.Concurrency, Connectivity: r.Connectivity, LogOptions: r.LogOptions, TmpfsSize: r.TmpfsSize,
		MetadataOptions: r.MetadataOptions,
	}
	s.mu.Lock()
	s.pending[id] = r.FunctionId
	s.mu.Unlock()
	about := &pb.CreateFunctionVersionMetadata{FunctionVersionId: id}
	created, err := s.o.Store.Begin(ctx, r.FunctionId, "Create function version", about, func(ctx context.Context) (proto.Message, error) {
		defer func() {
			s.mu.Lock()
			delete(s.pending, id)
			s.mu.Unlock()
		}()
		err := s.add(ctx, v, r.Tag)
		it, none := s.versions.Get(id)
		if none != nil {
			discard()
		}
		return it.Message, cmp.Or(err, none)
	})
	if err != nil {
		discard()
	}
	return created, err
}

// CreateFunctionVersion is CreateVersion's old name.
func (s *Service) CreateFunctionVersion(ctx context.Context, r *pb.CreateFunctionVersionRequest) (*op, error) {
	return s.CreateVersion(ctx, r)
}

// check refuses what the proto's own rules do not.
func check(r *pb.CreateFunctionVersionRequest) error {
	switch {
	case len(r.Secrets) > 0:
		return notEmulated("secrets of Lockbox")
	case len(r.StorageMounts) > 0:
		return notEmulated("storage mounts")
	case len(r.Mounts) > 0:
		return notEmulated("mounts")
	case r.AsyncInvocationConfig != nil:
		return notEmulated("asynchronous invocation")
	case !strings.HasPrefix(r.Runtime, "golang"):
		return notEmulated("the runtime " + r.Runtime + "; emulated: " + runtime)
	}
	if file, name, ok := strings.Cut(r.Entrypoint, "."); !ok || file == "" || name == "" || strings.Contains(name, ".") {
		return resource.Invalid("entrypoint", fmt.Sprintf("got %q, want <file without .go>.<Name>, such as index.Handler", r.Entrypoint))
	}
	const most = 4 << 10
	n := 0
	for k, v := range r.Environment {
		n += len(k) + len(v)
	}
	if n > most {
		return resource.Invalid("environment", fmt.Sprintf("got %d bytes, want at most %d", n, most))
	}
	return nil
}

// source unpacks a version's source and returns the size of what came.
func (s *Service) source(ctx context.Context, r *pb.CreateFunctionVersionRequest, dir string) (int64, error) {
	switch from := r.PackageSource.(type) {
	case *pb.CreateFunctionVersionRequest_Content:
		return int64(len(from.Content)), unpack(from.Content, dir)
	case *pb.CreateFunctionVersionRequest_VersionId:
		v, err := s.versions.Get(from.VersionId)
		if err != nil {
			return 0, err
		}
		if _, err := s.may(ctx, viewer, v.Message.FunctionId); err != nil { // it may be another one's
			return 0, err
		}
		if s.nameOf(v.Message.Id) != v.Message.Id {
			return 0, status.Errorf(codes.FailedPrecondition, "Version %s is of %s, which has no source to copy", v.Message.Id, v.File)
		}
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.o.Dir, v.Message.Id))); err != nil {
			return 0, status.Errorf(codes.Internal, "source: %v", err)
		}
		return v.Message.ImageSize, nil
	case *pb.CreateFunctionVersionRequest_Package:
		return 0, notEmulated("packages in Object Storage; send the zip file as content")
	}
	return 0, resource.Invalid("package_source", "got none of package, content and version_id, want content, a zip file")
}

// add builds a version, gives it its tags and keeps it.
func (s *Service) add(ctx context.Context, v *pb.Version, tags []string) error {
	switch err := s.o.Set(ctx, s.program(v)); {
	case err != nil && ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case err != nil:
		return status.Errorf(codes.InvalidArgument, "the function cannot be built: %v", err)
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	f, err := s.functions.Get(v.FunctionId) // it may have been deleted meanwhile
	if err == nil {
		v.Tags = []string{latest}
		for _, tag := range tags {
			if !slices.Contains(v.Tags, tag) {
				v.Tags = append(v.Tags, tag)
			}
		}
		// Of a function that a file declares it is there until the next start, which must not find two with the tag $latest.
		err = s.versions.Put(ctx, resource.Item[*pb.Version]{Message: v, File: f.File})
	}
	if err != nil {
		_ = s.o.Remove(ctx, v.Id) // nobody can call it, whatever this says
		return err
	}
	for _, tag := range v.Tags { // after that, so that there is always one with the tag
		if err := s.untag(ctx, v.FunctionId, tag, v.Id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) ofFunction(id string) []*pb.Version {
	return s.versions.Messages(func(v *pb.Version) bool { return v.FunctionId == id })
}

// remove takes a version away: what is kept first, so that nobody is sent to what no longer runs.
func (s *Service) remove(ctx context.Context, id string) error {
	if err := s.versions.Delete(ctx, id); err != nil {
		return err
	}
	if err := s.o.Remove(ctx, s.nameOf(id)); err != nil && !errors.Is(err, runner.ErrNoFunction) {
		return status.Errorf(codes.Internal, "version %s: %v", id, err)
	}
	if err := os.RemoveAll(filepath.Join(s.o.Dir, id)); err != nil {
		return status.Errorf(codes.Internal, "version %s: %v", id, err)
	}
	return nil
}

// GetVersion returns a version.
func (s *Service) GetVersion(ctx context.Context, r *pb.GetFunctionVersionRequest) (*pb.Version, error) {
	v, err := s.versions.Get(r.FunctionVersionId)
	if err != nil {
		return nil, err
	}
	_, err = s.may(ctx, viewer, v.Message.FunctionId)
	return v.Message, err
}

// GetFunctionVersion is GetVersion's old name.
func (s *Service) GetFunctionVersion(ctx context.Context, r *pb.GetFunctionVersionRequest) (*pb.Version, error) {
	return s.GetVersion(ctx, r)
}

// ListVersions returns the versions of a function or of a folder's functions.
func (s *Service) ListVersions(ctx context.Context, r *pb.ListFunctionsVersionsRequest) (*pb.ListFunctionsVersionsResponse, error) {
	var wanted func(*pb.Version) bool
	if id := r.GetFunctionId(); id != "" {
		if _, err := s.may(ctx, viewer, id); err != nil {
			return nil, err
		}
		wanted = func(v *pb.Version) bool { return v.FunctionId == id }
	} else {
		if err := s.inFolder(ctx, viewer, r.GetFolderId()); err != nil {
			return nil, err
		}
		ids := s.In(r.GetFolderId())
		wanted = func(v *pb.Version) bool { return slices.Contains(ids, v.FunctionId) }
	}
	page, next, err := resource.List(s.versions.Messages(wanted), r)
	return &pb.ListFunctionsVersionsResponse{Versions: page, NextPageToken: next}, err
}

// ListFunctionVersions is ListVersions' old name.
func (s *Service) ListFunctionVersions(ctx context.Context, r *pb.ListFunctionsVersionsRequest) (*pb.ListFunctionsVersionsResponse, error) {
	return s.ListVersions(ctx, r)
}

// DeleteVersion takes a version away that no tag names.
func (s *Service) DeleteVersion(ctx context.Context, r *pb.DeleteFunctionVersionRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.versions.Get(r.FunctionVersionId)
	if err != nil {
		return nil, err
	}
	if _, err := s.may(ctx, editor, it.Message.FunctionId); err != nil {
		return nil, err
	}
	if len(it.Message.Tags) > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "Version %s has tags: %s", r.FunctionVersionId, strings.Join(it.Message.Tags, ", "))
	}
	if err := s.remove(ctx, r.FunctionVersionId); err != nil {
		return nil, err
	}
	return s.done(ctx, it.Message.FunctionId, "Delete function version",
		&pb.DeleteFunctionVersionMetadata{FunctionVersionId: r.FunctionVersionId}, &emptypb.Empty{})
}
