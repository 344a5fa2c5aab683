package apigateway

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
)

// ListAccessBindings returns who has which role on a gateway.
func (s *Service) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.get(ctx, viewer, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a gateway.
func (s *Service) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*operation.Operation, error) {
	if _, err := s.get(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	if err := s.o.Bindings.Set(ctx, r.ResourceId, r.AccessBindings); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ResourceId, "operation_set_access_bindings", &access.SetAccessBindingsMetadata{ResourceId: r.ResourceId}, &emptypb.Empty{})
}

// UpdateAccessBindings adds bindings of a gateway and takes some away.
func (s *Service) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
	if _, err := s.get(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	if _, err := s.o.Bindings.Update(ctx, r.ResourceId, r.AccessBindingDeltas); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ResourceId, "operation_update_access_bindings", &access.UpdateAccessBindingsMetadata{ResourceId: r.ResourceId}, &emptypb.Empty{})
}
