package logging

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
)

const (
	viewer = "logging.viewer"
	editor = "logging.editor"
	admin  = "logging.admin"
)

// Get returns a log group.
func (s *Service) Get(ctx context.Context, r *pb.GetLogGroupRequest) (*pb.LogGroup, error) {
	return s.group(ctx, viewer, r.LogGroupId)
}

// List returns the log groups of a folder.
func (s *Service) List(ctx context.Context, r *pb.ListLogGroupsRequest) (*pb.ListLogGroupsResponse, error) {
	if err := s.inFolder(ctx, viewer, r.FolderId); err != nil {
		return nil, err
	}
	s.DefaultGroup(r.FolderId)
	page, next, err := resource.List(s.groups.Messages(func(g *pb.LogGroup) bool { return g.FolderId == r.FolderId }), r)
	return &pb.ListLogGroupsResponse{Groups: page, NextPageToken: next}, err
}

// Stats tells how much is in a group.
func (s *Service) Stats(ctx context.Context, r *pb.GetLogGroupStatsRequest) (*pb.GetLogGroupStatsResponse, error) {
	if _, err := s.group(ctx, viewer, r.LogGroupId); err != nil {
		return nil, err
	}
	out := &pb.GetLogGroupStatsResponse{LogGroupId: r.LogGroupId}
	for _, e := range s.o.Log.all(r.LogGroupId) {
		out.Records++
		out.Bytes += int64(e.size)
	}
	return out, nil
}

// ListResources tells who has entries in a group.
func (s *Service) ListResources(ctx context.Context, r *pb.ListResourcesRequest) (*pb.ListResourcesResponse, error) {
	if _, err := s.group(ctx, viewer, r.LogGroupId); err != nil {
		return nil, err
	}
	found := make(map[string]map[string]bool)
	for _, e := range s.o.Log.all(r.LogGroupId) {
		if e.ResourceType == "" || r.Type != "" && e.ResourceType != r.Type {
			continue
		}
		if found[e.ResourceType] == nil {
			found[e.ResourceType] = make(map[string]bool)
		}
		found[e.ResourceType][e.ResourceID] = true
	}
	out := &pb.ListResourcesResponse{}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		out.Resources = append(out.Resources, &pb.LogGroupResource{Type: kind, Ids: slices.Sorted(maps.Keys(found[kind]))})
	}
	return out, nil
}

// Create makes a log group.
func (s *Service) Create(ctx context.Context, r *pb.CreateLogGroupRequest) (*operation.Operation, error) {
	if err := s.inFolder(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	s.DefaultGroup(r.FolderId)
	id, err := s.o.Store.NewID(idPrefix)
	if err != nil {
		return nil, err
	}
	g := &pb.LogGroup{Id: id, FolderId: r.FolderId, CloudId: yandex.CloudID, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description,
		Labels: r.Labels, Status: pb.LogGroup_ACTIVE, RetentionPeriod: r.RetentionPeriod, DataStream: r.DataStream}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.put(ctx, g); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, id, "Create log group", &pb.CreateLogGroupMetadata{LogGroupId: id}, g)
}

// put keeps a group. The caller holds the lock.
func (s *Service) put(ctx context.Context, g *pb.LogGroup) error {
	switch {
	case g.DataStream != "":
		return status.Error(codes.Unimplemented, "not emulated: data_stream; want a log group without one")
	case g.RetentionPeriod.AsDuration() < 0:
		return resource.Invalid("retention_period", "got less than nothing, want 0s or more")
	}
	if err := s.groups.Free(g.FolderId, g.Name, g.Id); err != nil {
		return err
	}
	return s.groups.Put(ctx, resource.Item[*pb.LogGroup]{Message: g})
}

// Update changes a log group.
func (s *Service) Update(ctx context.Context, r *pb.UpdateLogGroupRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(ctx, editor, r.LogGroupId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(g, r, r.UpdateMask, "name", "description", "labels", "retention_period", "data_stream"); err != nil {
		return nil, err
	}
	if err := s.put(ctx, g); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, g.Id, "Update log group", &pb.UpdateLogGroupMetadata{LogGroupId: g.Id}, g)
}

// Delete removes a log group and what is in it.
func (s *Service) Delete(ctx context.Context, r *pb.DeleteLogGroupRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(ctx, editor, r.LogGroupId)
	if err != nil {
		return nil, err
	}
	if g.Id == defaultID(g.FolderId) {
		return nil, status.Errorf(codes.Unimplemented, "not emulated: deleting the default log group, %s; the folder %s logs there", g.Id, g.FolderId)
	}
	if err := s.o.Bindings.Forget(ctx, g.Id); err != nil {
		return nil, err
	}
	if err := s.groups.Delete(ctx, g.Id); err != nil { // after that: who was broken off can ask again
		return nil, err
	}
	s.o.Log.forget(g.Id)
	return s.o.Store.Done(ctx, g.Id, "Delete log group", &pb.DeleteLogGroupMetadata{LogGroupId: g.Id}, &emptypb.Empty{})
}

// ListOperations returns what was done to a group, the last first.
func (s *Service) ListOperations(ctx context.Context, r *pb.ListOperationsRequest) (*pb.ListOperationsResponse, error) {
	if _, err := s.group(ctx, viewer, r.LogGroupId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.LogGroupId), r)
	return &pb.ListOperationsResponse{Operations: page, NextPageToken: next}, err
}

// ListAccessBindings returns who has which role on a group.
func (s *Service) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.group(ctx, viewer, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a group.
func (s *Service) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.group(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds bindings of a group and takes some away.
func (s *Service) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.group(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}
