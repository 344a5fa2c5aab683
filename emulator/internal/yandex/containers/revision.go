package containers

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// DeployRevision makes a revision the active one.
func (s *Service) DeployRevision(ctx context.Context, r *pb.DeployContainerRevisionRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, err := s.may(ctx, editor, r.ContainerId)
	if err != nil {
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
	spec := r.GetImageSpec()
	if _, given := spec.GetEnvironment()[URLVariable]; !given {
		s.o.Warn(fmt.Sprintf("container %s: not emulated: running the image %s; set %s in its environment to where it runs", r.ContainerId, spec.GetImageUrl(), URLVariable))
	}
	if r.Connectivity.GetNetworkId() != "" {
		s.o.Warn(fmt.Sprintf("container %s: not emulated: connectivity; it has this machine's network", r.ContainerId))
	}
	rev := &pb.Revision{
		Id: id, ContainerId: r.ContainerId, Description: r.Description, CreatedAt: s.o.Store.Now(), Resources: r.Resources,
		Image: &pb.Image{
			ImageUrl: spec.GetImageUrl(), Command: spec.GetCommand(), Args: spec.GetArgs(), Environment: spec.GetEnvironment(),
			WorkingDir: spec.GetWorkingDir(),
		},
		ExecutionTimeout: r.ExecutionTimeout, Concurrency: r.Concurrency, ServiceAccountId: r.ServiceAccountId, Connectivity: r.Connectivity,
		ProvisionPolicy: r.ProvisionPolicy, LogOptions: r.LogOptions, ScalingPolicy: r.ScalingPolicy, Runtime: r.Runtime,
		MetadataOptions: r.MetadataOptions,
	}
	// Of a container that a file declares it is there until the next start, which must not find two that are active.
	if err := s.activate(ctx, resource.Item[*pb.Revision]{Message: rev, File: c.File}); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ContainerId, "Deploy container revision", &pb.DeployContainerRevisionMetadata{ContainerRevisionId: id}, rev)
}

// check refuses what the proto's own rules do not.
func check(r *pb.DeployContainerRevisionRequest) error {
	switch {
	case len(r.Secrets) > 0:
		return notEmulated("secrets of Lockbox")
	case len(r.StorageMounts) > 0:
		return notEmulated("storage mounts")
	case len(r.Mounts) > 0:
		return notEmulated("mounts")
	case r.AsyncInvocationConfig != nil:
		return notEmulated("asynchronous invocation")
	}
	if to, given := r.GetImageSpec().GetEnvironment()[URLVariable]; given {
		if err := checkURL(to); err != nil {
			return resource.Invalid("image_spec.environment", err.Error())
		}
	}
	return nil
}

func notEmulated(what string) error { return status.Error(codes.Unimplemented, "not emulated: "+what) }

// activate makes one revision the active one, and the others obsolete.
func (s *Service) activate(ctx context.Context, next resource.Item[*pb.Revision]) error {
	rev := next.Message
	rev.Status = pb.Revision_ACTIVE
	if err := s.revisions.Put(ctx, next); err != nil {
		return err
	}
	for _, it := range s.revisions.All(func(r *pb.Revision) bool {
		return r.ContainerId == rev.ContainerId && r.Id != rev.Id && r.Status == pb.Revision_ACTIVE
	}) {
		it.Message.Status = pb.Revision_OBSOLETE
		if err := s.revisions.Put(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// Rollback makes an earlier revision the active one again.
func (s *Service) Rollback(ctx context.Context, r *pb.RollbackContainerRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	c, err := s.may(ctx, editor, r.ContainerId)
	if err != nil {
		return nil, err
	}
	rev, err := s.revisions.Get(r.RevisionId)
	if err != nil {
		return nil, err
	}
	if rev.Message.ContainerId != r.ContainerId {
		return nil, resource.Invalid("revision_id", fmt.Sprintf("got %s, which is a revision of %s", r.RevisionId, rev.Message.ContainerId))
	}
	if err := s.activate(ctx, rev); err != nil {
		return nil, err
	}
	about := &pb.RollbackContainerMetadata{ContainerId: r.ContainerId, RevisionId: r.RevisionId}
	return s.o.Store.Done(ctx, r.ContainerId, "Rollback container", about, c.Message)
}

// GetRevision returns a revision.
func (s *Service) GetRevision(ctx context.Context, r *pb.GetContainerRevisionRequest) (*pb.Revision, error) {
	rev, err := s.revisions.Get(r.ContainerRevisionId)
	if err != nil {
		return nil, err
	}
	_, err = s.may(ctx, viewer, rev.Message.ContainerId)
	return rev.Message, err
}

// ListRevisions returns the revisions of a container or of a folder's containers.
func (s *Service) ListRevisions(ctx context.Context, r *pb.ListContainersRevisionsRequest) (*pb.ListContainersRevisionsResponse, error) {
	ids := []string{r.GetContainerId()}
	if r.GetContainerId() != "" {
		if _, err := s.may(ctx, viewer, r.GetContainerId()); err != nil {
			return nil, err
		}
	} else {
		if err := s.inFolder(ctx, viewer, r.GetFolderId()); err != nil {
			return nil, err
		}
		ids = s.In(r.GetFolderId())
	}
	page, next, err := resource.List(s.revisions.Messages(func(rev *pb.Revision) bool { return slices.Contains(ids, rev.ContainerId) }), r)
	return &pb.ListContainersRevisionsResponse{Revisions: page, NextPageToken: next}, err
}
