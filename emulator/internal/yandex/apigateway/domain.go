package apigateway

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

// AddDomain lets a gateway answer requests to a host of its own, such as ws.example.com or *.example.com.
func (s *Service) AddDomain(ctx context.Context, r *pb.AddDomainRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, r.ApiGatewayId)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(strings.ToLower(r.DomainName), ".")
	if !isDomain(name) {
		return nil, resource.Invalid("domain_name", fmt.Sprintf("got %.100q, want a host name such as ws.example.com or *.example.com", r.DomainName))
	}
	if owner, taken := s.routes.owner(name); taken {
		return nil, status.Errorf(codes.AlreadyExists, "Domain %s is already attached to the API gateway %s", name, owner)
	}
	id, err := s.o.Store.NewID(idPrefix)
	if err != nil {
		return nil, err
	}
	it.Message.AttachedDomains = append(it.Message.AttachedDomains,
		&pb.AttachedDomain{DomainId: id, CertificateId: r.CertificateId, Enabled: true, Domain: name})
	if err := s.gateways.Put(ctx, it); err != nil {
		return nil, err
	}
	s.routes.set(it.Message)
	return s.o.Store.Done(ctx, r.ApiGatewayId, "operation_add_domain", &pb.AddDomainMetadata{
		ApiGatewayId: r.ApiGatewayId, DomainId: id, DomainName: name, CertificateId: r.CertificateId}, &emptypb.Empty{})
}

// RemoveDomain takes a host from a gateway.
func (s *Service) RemoveDomain(ctx context.Context, r *pb.RemoveDomainRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.get(ctx, editor, r.ApiGatewayId)
	if err != nil {
		return nil, err
	}
	all := it.Message.AttachedDomains
	i := slices.IndexFunc(all, func(d *pb.AttachedDomain) bool { return d.DomainId == r.DomainId })
	if i < 0 {
		return nil, status.Errorf(codes.NotFound, "Domain %s of the API gateway %s not found", r.DomainId, r.ApiGatewayId)
	}
	it.Message.AttachedDomains = slices.Delete(all, i, i+1)
	if err := s.gateways.Put(ctx, it); err != nil {
		return nil, err
	}
	s.routes.set(it.Message)
	return s.o.Store.Done(ctx, r.ApiGatewayId, "operation_remove_domain",
		&pb.RemoveDomainMetadata{ApiGatewayId: r.ApiGatewayId, DomainId: r.DomainId}, &emptypb.Empty{})
}

// isDomain tells whether a name, in lower case, can be the host of requests.
func isDomain(name string) bool {
	labels := strings.Split(strings.TrimPrefix(name, "*."), ".")
	if len(name) > 253 || len(labels) < 2 || net.ParseIP(name) != nil {
		return false
	}
	return !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	})
}
