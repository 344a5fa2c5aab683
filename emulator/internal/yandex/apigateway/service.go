// Package apigateway is the cloud's ApiGatewayService and ConnectionService: it keeps the gateways that clients, files and the defaults
// declare, and sets those that run accordingly.
package apigateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

// Runner runs gateways and holds their sockets: *yandex.Cloud does. Errors of Connection, Send and Disconnect are *yandex.Error.
type Runner interface {
	SetGateway(yandex.GatewayDefinition) error
	RemoveGateway(id string) error

	Connection(id string) (yandex.Connection, error)
	Send(id string, data []byte, t yandex.DataType) error
	Disconnect(id string) error
}

// Options of a Service. Store, Bindings and Runner are needed.
type Options struct {
	Store     *resource.Store
	Bindings  *resource.Bindings
	Authorize resource.Authorize
	Runner    Runner

	// Folder says why a folder that a request names is not there. Nil: every folder is.
	Folder func(ctx context.Context, id string) error
	// Domain is where clients reach a gateway, without a scheme and with the port. Nil: <id>.apigw.localhost.
	Domain func(gatewayID string) string
	// LogGroup is the id of a folder's default log group. Nil: gateways name none.
	LogGroup func(folderID string) string
	// Warn hears of what is kept and has no effect, and of kept gateways that cannot run any more. Nil: nobody does.
	Warn func(string)
}

const (
	viewer = "api-gateway.viewer"
	editor = "api-gateway.editor"
	admin  = "api-gateway.admin"
	writer = "api-gateway.websocketWriter"
)

// Service is the ApiGatewayService.
type Service struct {
	pb.UnimplementedApiGatewayServiceServer
	o        Options
	gateways *resource.Collection[*pb.ApiGateway]

	mu     sync.Mutex      // round a change: reading, deciding, keeping and running
	broken map[string]bool // gateways that are kept and do not run, as their specification cannot be read any more

	routes routes
}

// New opens the kept gateways and runs them.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Domain == nil {
		o.Domain = func(id string) string { return id + ".apigw.localhost" }
	}
	if o.LogGroup == nil {
		o.LogGroup = func(string) string { return "" }
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Folder == nil {
		o.Folder = func(context.Context, string) error { return nil }
	}
	kept, err := resource.Open(ctx, o.Store, resource.Kind[*pb.ApiGateway]{Name: "api-gateway"})
	if err != nil {
		return nil, err
	}
	s := &Service{o: o, gateways: kept, broken: make(map[string]bool)}
	kept.Feed(func(it item) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.run(it)
	}, func(id string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.halt(id)
	})
	for _, it := range kept.All(nil) {
		if err := s.run(it); err != nil {
			o.Warn(fmt.Sprintf("the gateway %s is kept and cannot run: %v; update or delete it", it.Message.Id, err))
		}
	}
	return s, nil
}

// Register serves both services.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterApiGatewayServiceServer(r, s)
	websocket.RegisterConnectionServiceServer(r, &connections{service: s})
}

// run makes what runs what is kept.
func (s *Service) run(it item) error {
	g := it.Message
	err := s.o.Runner.SetGateway(yandex.GatewayDefinition{
		ID: g.Id, File: called(it), Spec: it.Extra, Variables: variables(g.Variables),
		Stopped: g.Status == pb.ApiGateway_STOPPED, ExecutionTimeout: g.ExecutionTimeout.AsDuration(), Canary: canary(g),
	})
	s.broken[g.Id] = err != nil
	s.routes.set(proto.CloneOf(g))
	return err
}

// item is a gateway with its specification, as it was sent.
type item = resource.Item[*pb.ApiGateway]

// called is what messages call a gateway's specification.
func called(it item) string {
	switch {
	case it.File != "":
		return it.File
	case it.Message.Name != "":
		return "gateway " + it.Message.Name
	}
	return "gateway " + it.Message.Id
}

// view is a gateway as clients see it: what follows from where it runs is not kept.
func (s *Service) view(g *pb.ApiGateway) *pb.ApiGateway {
	g.Domain, g.LogGroupId = s.o.Domain(g.Id), s.o.LogGroup(g.FolderId)
	if s.broken[g.Id] {
		g.Status = pb.ApiGateway_ERROR
	}
	return g
}

// get finds a gateway on which the caller has the role.
func (s *Service) get(ctx context.Context, role, id string) (item, error) {
	it, err := s.gateways.Get(id)
	if err != nil {
		return it, status.Errorf(codes.NotFound, "API gateway %s not found", id)
	}
	return it, s.o.Authorize.Check(ctx, role, id, it.Message.FolderId)
}

// Get returns a gateway.
func (s *Service) Get(ctx context.Context, r *pb.GetApiGatewayRequest) (*pb.ApiGateway, error) {
	it, err := s.get(ctx, viewer, r.ApiGatewayId)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view(it.Message), nil
}

// List returns the gateways of a folder.
func (s *Service) List(ctx context.Context, r *pb.ListApiGatewayRequest) (*pb.ListApiGatewayResponse, error) {
	if err := s.inFolder(ctx, viewer, r.FolderId); err != nil {
		return nil, err
	}
	all := s.gateways.Messages(func(g *pb.ApiGateway) bool { return g.FolderId == r.FolderId })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range all {
		s.view(g)
	}
	page, next, err := resource.List(all, r)
	return &pb.ListApiGatewayResponse{ApiGateways: page, NextPageToken: next}, err
}

// ListOperations returns what was done to a gateway, the last first.
func (s *Service) ListOperations(ctx context.Context, r *pb.ListOperationsRequest) (*pb.ListOperationsResponse, error) {
	if _, err := s.get(ctx, viewer, r.ApiGatewayId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.ApiGatewayId), r)
	return &pb.ListOperationsResponse{Operations: page, NextPageToken: next}, err
}

// violations names every problem of a specification as one of the request's field.
func violations(err error) error {
	var wrong *yandex.FileError
	if !errors.As(err, &wrong) {
		return resource.Invalid(specField, err.Error())
	}
	out := make([]resource.Violation, len(wrong.Problems))
	for i, p := range wrong.Problems {
		out[i] = resource.Violation{Field: specField, Description: "line " + strings.TrimPrefix(p, specField+":")}
	}
	return resource.InvalidFields(out...)
}

// inFolder tells whether there is a folder, and the caller has a role on it.
func (s *Service) inFolder(ctx context.Context, role, id string) error {
	if err := s.o.Folder(ctx, id); err != nil {
		return err
	}
	return s.o.Authorize.Check(ctx, role, id)
}
