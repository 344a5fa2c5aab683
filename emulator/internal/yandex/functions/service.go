package functions

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type op = operation.Operation

// Get returns a function.
func (s *Service) Get(ctx context.Context, r *pb.GetFunctionRequest) (*pb.Function, error) {
	f, err := s.may(ctx, viewer, r.FunctionId)
	return f.Message, err
}

// List returns the functions of a folder.
func (s *Service) List(ctx context.Context, r *pb.ListFunctionsRequest) (*pb.ListFunctionsResponse, error) {
	if err := s.inFolder(ctx, viewer, r.FolderId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.functions.Messages(func(f *pb.Function) bool { return f.FolderId == r.FolderId }), r)
	return &pb.ListFunctionsResponse{Functions: page, NextPageToken: next}, err
}

// Create makes a function without a version.
func (s *Service) Create(ctx context.Context, r *pb.CreateFunctionRequest) (*op, error) {
	if err := s.inFolder(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.functions.Free(r.FolderId, r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	f := &pb.Function{
		Id: id, FolderId: r.FolderId, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, Labels: r.Labels,
		HttpInvokeUrl: s.o.URL(id), Status: pb.Function_ACTIVE,
	}
	if err := s.functions.Put(ctx, resource.Item[*pb.Function]{Message: f}); err != nil {
		return nil, err
	}
	return s.done(ctx, id, "Create function", &pb.CreateFunctionMetadata{FunctionId: id}, f)
}

// Update changes what a function is called.
func (s *Service) Update(ctx context.Context, r *pb.UpdateFunctionRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	f, err := s.may(ctx, editor, r.FunctionId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(f.Message, r, r.UpdateMask, "name", "description", "labels"); err != nil {
		return nil, err
	}
	if err := s.functions.Free(f.Message.FolderId, f.Message.Name, f.Message.Id); err != nil {
		return nil, err
	}
	if err := s.functions.Put(ctx, f); err != nil {
		return nil, err
	}
	return s.done(ctx, r.FunctionId, "Update function", &pb.UpdateFunctionMetadata{FunctionId: r.FunctionId}, f.Message)
}

// Delete takes a function and all its versions away.
func (s *Service) Delete(ctx context.Context, r *pb.DeleteFunctionRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, editor, r.FunctionId); err != nil {
		return nil, err
	}
	for _, v := range s.ofFunction(r.FunctionId) {
		if err := s.remove(ctx, v.Id); err != nil {
			return nil, err
		}
	}
	if err := s.o.Bindings.Forget(ctx, r.FunctionId); err != nil {
		return nil, err
	}
	if err := s.functions.Delete(ctx, r.FunctionId); err != nil { // last: who was broken off can ask again
		return nil, err
	}
	return s.done(ctx, r.FunctionId, "Delete function", &pb.DeleteFunctionMetadata{FunctionId: r.FunctionId}, &emptypb.Empty{})
}

// ListOperations returns what was done to a function.
func (s *Service) ListOperations(ctx context.Context, r *pb.ListFunctionOperationsRequest) (*pb.ListFunctionOperationsResponse, error) {
	if _, err := s.may(ctx, viewer, r.FunctionId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.FunctionId), r)
	return &pb.ListFunctionOperationsResponse{Operations: page, NextPageToken: next}, err
}

// ListRuntimes names what is emulated of the runtimes.
func (s *Service) ListRuntimes(context.Context, *pb.ListRuntimesRequest) (*pb.ListRuntimesResponse, error) {
	return &pb.ListRuntimesResponse{Runtimes: []string{runtime}}, nil
}

// ListScalingPolicies returns none: to set one is not emulated.
func (s *Service) ListScalingPolicies(ctx context.Context, r *pb.ListScalingPoliciesRequest) (*pb.ListScalingPoliciesResponse, error) {
	_, err := s.may(ctx, viewer, r.FunctionId)
	return &pb.ListScalingPoliciesResponse{}, err
}

// ListAccessBindings returns who may do what with a function.
func (s *Service) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.may(ctx, viewer, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

// SetAccessBindings replaces the bindings of a function.
func (s *Service) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Nothing)
}

// UpdateAccessBindings adds and removes bindings of a function.
func (s *Service) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.may(ctx, admin, r.ResourceId); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Nothing)
}
