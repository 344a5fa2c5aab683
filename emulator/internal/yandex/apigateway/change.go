package apigateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

const (
	specField = "openapi_spec"
	maxSpec   = 3_670_016 // 3.5 MB

	idPrefix = "d5d"
	// executionTimeout is that of gateways that name none.
	executionTimeout = 300 * time.Second
)

// Create keeps and runs a new gateway.
func (s *Service) Create(ctx context.Context, r *pb.CreateApiGatewayRequest) (*operation.Operation, error) {
	if err := s.inFolder(ctx, editor, r.FolderId); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(idPrefix)
	if err != nil {
		return nil, err
	}
	it := item{Extra: []byte(r.GetOpenapiSpec()), Message: &pb.ApiGateway{
		Id: id, FolderId: r.FolderId, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, Labels: r.Labels,
		Status: pb.ApiGateway_ACTIVE, Connectivity: r.Connectivity, LogOptions: r.LogOptions, Variables: r.Variables, Canary: r.Canary,
		ExecutionTimeout: r.ExecutionTimeout,
	}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.put(ctx, it); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, id, "operation_create", &pb.CreateApiGatewayMetadata{ApiGatewayId: id}, s.view(it.Message))
}

// Update changes a gateway that runs. Sockets of paths that stay are not touched.
func (s *Service) Update(ctx context.Context, r *pb.UpdateApiGatewayRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, r.ApiGatewayId)
	if err != nil {
		return nil, err
	}
	err = resource.Update(it.Message, r, r.UpdateMask, "name", "description", "labels", specField, "connectivity", "log_options", "variables",
		"canary", "execution_timeout")
	if err != nil {
		return nil, err
	}
	if resource.Named(r.UpdateMask, specField) {
		it.Extra = []byte(r.GetOpenapiSpec())
	}
	if err := s.put(ctx, it); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ApiGatewayId, "operation_update", &pb.UpdateApiGatewayMetadata{ApiGatewayId: r.ApiGatewayId}, s.view(it.Message))
}

// put checks a gateway as a client wants it, keeps and runs it. The caller holds the lock.
func (s *Service) put(ctx context.Context, it item) error {
	g := it.Message
	if g.ExecutionTimeout.AsDuration() == 0 {
		g.ExecutionTimeout = durationpb.New(executionTimeout)
	}
	if err := s.check(it); err != nil {
		return err
	}
	if err := s.gateways.Free(g.FolderId, g.Name, g.Id); err != nil {
		return err
	}
	if err := s.gateways.Put(ctx, it); err != nil {
		return err
	}
	if g.Connectivity.GetNetworkId() != "" || len(g.Connectivity.GetSubnetId()) > 0 {
		s.o.Warn(fmt.Sprintf("%s: not emulated: connectivity; it has this machine's network", called(it)))
	}
	if err := s.run(it); err != nil { // it has been checked
		return status.Errorf(codes.Internal, "API gateway %s: %v", g.Id, err)
	}
	return nil
}

// check says what of a gateway cannot be.
func (s *Service) check(it item) error {
	var wrong []resource.Violation
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, resource.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
	}
	g := it.Message
	if d := g.ExecutionTimeout.AsDuration(); d < 0 || d > 10*time.Minute {
		refuse("execution_timeout", "got %v, want 0s to 600s", d)
	}
	valued := func(field string, all map[string]*pb.VariableInput) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if all[name].GetVariableValue() == nil {
				refuse(field+name, "got nothing, want one of string_value, int_value, double_value, bool_value")
			}
		}
	}
	valued("variables.", g.Variables)
	valued("canary.variables.", g.Canary.GetVariables())
	if n := len(it.Extra); n == 0 {
		refuse(specField, "got nothing, want an OpenAPI 3.0 specification, YAML or JSON")
	} else if n > maxSpec {
		refuse(specField, "got %d bytes, want at most %d", n, maxSpec)
	}
	if c := g.Canary; c != nil && (c.Weight < 1 || c.Weight > 99) {
		refuse("canary.weight", "got %d, want 1 to 99 percent", c.Weight)
	}
	if len(wrong) > 0 {
		return resource.InvalidFields(wrong...)
	}
	if _, err := yandex.CheckSpec(specField, it.Extra, variables(g.Variables)); err != nil {
		return violations(err)
	}
	if c := canary(g); c != nil {
		if _, err := yandex.CheckSpec(specField, it.Extra, c.Variables); err != nil {
			return violations(err)
		}
	}
	return nil
}

// canary is a gateway's canary, its variables in the place of the gateway's.
func canary(g *pb.ApiGateway) *yandex.Canary {
	if g.Canary == nil {
		return nil
	}
	all := variables(g.Variables)
	maps.Copy(all, variables(g.Canary.Variables))
	return &yandex.Canary{Weight: int(g.Canary.Weight), Variables: all}
}

// variables writes the values of variables as they stand in specifications.
func variables(in map[string]*pb.VariableInput) map[string]string {
	out := make(map[string]string, len(in))
	for name, v := range in {
		switch v := v.GetVariableValue().(type) {
		case *pb.VariableInput_StringValue:
			out[name] = v.StringValue
		case *pb.VariableInput_IntValue:
			out[name] = strconv.FormatInt(v.IntValue, 10)
		case *pb.VariableInput_DoubleValue:
			out[name] = strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
		case *pb.VariableInput_BoolValue:
			out[name] = strconv.FormatBool(v.BoolValue)
		}
	}
	return out
}

// Delete removes a gateway and closes its sockets.
func (s *Service) Delete(ctx context.Context, r *pb.DeleteApiGatewayRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.ApiGatewayId
	if _, err := s.get(ctx, editor, id); err != nil {
		return nil, err
	}
	if err := s.o.Bindings.Forget(ctx, id); err != nil {
		return nil, err
	}
	if err := s.gateways.Delete(ctx, id); err != nil { // after that: who was broken off can ask again
		return nil, err
	}
	if err := s.halt(id); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, id, "operation_delete", &pb.DeleteApiGatewayMetadata{ApiGatewayId: id}, &emptypb.Empty{})
}

// halt takes away what runs a gateway. The caller holds the lock.
func (s *Service) halt(id string) error {
	s.routes.remove(id)
	broken := s.broken[id]
	delete(s.broken, id)
	if broken {
		return nil
	}
	if err := s.o.Runner.RemoveGateway(id); err != nil {
		return status.Errorf(codes.Internal, "API gateway %s: %v", id, err)
	}
	return nil
}

// Stop closes a gateway's sockets and lets nobody in until it is resumed.
func (s *Service) Stop(ctx context.Context, r *pb.StopApiGatewayRequest) (*operation.Operation, error) {
	if _, err := s.turn(ctx, r.ApiGatewayId, pb.ApiGateway_STOPPED); err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ApiGatewayId, "operation_stop", &pb.StopApiGatewayMetadata{ApiGatewayId: r.ApiGatewayId}, &emptypb.Empty{})
}

// Resume lets clients in again.
func (s *Service) Resume(ctx context.Context, r *pb.ResumeApiGatewayRequest) (*operation.Operation, error) {
	g, err := s.turn(ctx, r.ApiGatewayId, pb.ApiGateway_ACTIVE)
	if err != nil {
		return nil, err
	}
	return s.o.Store.Done(ctx, r.ApiGatewayId, "operation_resume", &pb.ResumeApiGatewayMetadata{ApiGatewayId: r.ApiGatewayId}, g)
}

// turn stops a gateway or lets it go on. One that is as wanted stays so.
func (s *Service) turn(ctx context.Context, id string, to pb.ApiGateway_Status) (*pb.ApiGateway, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, id)
	if err != nil {
		return nil, err
	}
	if s.broken[id] {
		return nil, status.Errorf(codes.FailedPrecondition, "API gateway %s has the status ERROR: its specification cannot be read; want it updated or deleted", id)
	}
	if it.Message.Status != to {
		it.Message.Status = to
		if err := s.gateways.Put(ctx, it); err != nil {
			return nil, err
		}
		if err := s.run(it); err != nil {
			return nil, status.Errorf(codes.Internal, "API gateway %s: %v", id, err)
		}
	}
	return s.view(it.Message), nil
}
