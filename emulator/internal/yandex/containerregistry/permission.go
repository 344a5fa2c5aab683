package containerregistry

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// Permissions of addresses are kept and listed, and bind nobody: whoever pushes to an emulator comes from the machine it runs on, not
// from the addresses that a deployment names.

// ListIpPermission returns the permissions of a registry.
func (s registries) ListIpPermission(ctx context.Context, r *pb.ListIpPermissionRequest) (*pb.ListIpPermissionsResponse, error) {
	if _, err := s.may(ctx, viewer, r.RegistryId); err != nil {
		return nil, err
	}
	return &pb.ListIpPermissionsResponse{Permissions: s.permitted(r.RegistryId)}, nil
}

// SetIpPermission replaces the permissions of a registry.
func (s registries) SetIpPermission(ctx context.Context, r *pb.SetIpPermissionRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.may(ctx, admin, r.RegistryId)
	if err != nil {
		return nil, err
	}
	if err := s.permit(ctx, it, r.IpPermission); err != nil {
		return nil, err
	}
	return s.done(ctx, r.RegistryId, "Set IP permissions", &pb.SetIpPermissionMetadata{RegistryId: r.RegistryId}, &emptypb.Empty{})
}

// UpdateIpPermission adds and removes permissions of a registry. Adding what is there changes nothing, nor does removing what is not.
func (s registries) UpdateIpPermission(ctx context.Context, r *pb.UpdateIpPermissionRequest) (*operation.Operation, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	it, err := s.may(ctx, admin, r.RegistryId)
	if err != nil {
		return nil, err
	}
	all := s.permitted(r.RegistryId)
	for i, d := range r.IpPermissionDeltas {
		same := func(p *pb.IpPermission) bool { return proto.Equal(p, d.IpPermission) }
		switch d.Action {
		case pb.IpPermissionAction_ADD:
			all = append(all, d.IpPermission)
		case pb.IpPermissionAction_REMOVE:
			all = slices.DeleteFunc(all, same)
		default:
			return nil, resource.Invalid(fmt.Sprintf("ip_permission_deltas[%d].action", i), "got none, want ADD or REMOVE")
		}
	}
	if err := s.permit(ctx, it, all); err != nil {
		return nil, err
	}
	return s.done(ctx, r.RegistryId, "Update IP permissions", &pb.UpdateIpPermissionMetadata{RegistryId: r.RegistryId}, &emptypb.Empty{})
}

func (s registries) permitted(registryID string) []*pb.IpPermission {
	it, err := s.permissions.Get(registryID)
	if err != nil {
		return nil // nobody has set any
	}
	return it.Message.IpPermission
}

// permit keeps the permissions of a registry, each once.
func (s registries) permit(ctx context.Context, it resource.Item[*pb.Registry], all []*pb.IpPermission) error {
	if err := s.keep(ctx, it); err != nil {
		return err
	}
	var unique []*pb.IpPermission
	for _, p := range all {
		if !slices.ContainsFunc(unique, func(u *pb.IpPermission) bool { return proto.Equal(u, p) }) {
			unique = append(unique, p)
		}
	}
	return s.permissions.Put(ctx, resource.Item[*pb.SetIpPermissionRequest]{
		Message: &pb.SetIpPermissionRequest{RegistryId: it.Message.Id, IpPermission: unique},
	})
}
