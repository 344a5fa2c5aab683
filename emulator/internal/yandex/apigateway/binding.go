package apigateway

import (
	"context"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.get(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds bindings of a gateway and takes some away.
func (s *Service) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.get(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}
