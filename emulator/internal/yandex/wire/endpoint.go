package wire

import (
	"context"
	"net"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// addressed are the ids that ApiEndpointService has: those that SDKs, yc and Terraform map services to; some services have two names.
func addressed() []string {
	return []string{
		"apigateway-connections",
		"container-registry",
		"endpoint",
		"iam",
		"log-ingestion",
		"log-reading",
		"logging",
		"operation",
		"resource-manager",
		"resourcemanager",
		"serverless-apigateway",
		"serverless-containers",
		"serverless-functions",
		"serverless-gateway-connections",
		"serverless-triggers",
	}
}

// endpoints is ApiEndpointService: everything is where the client asked.
type endpoints struct{ ids []string }

func (e endpoints) Get(ctx context.Context, r *endpoint.GetApiEndpointRequest) (*endpoint.ApiEndpoint, error) {
	for _, id := range e.ids {
		if id == r.GetApiEndpointId() {
			return &endpoint.ApiEndpoint{Id: id, Address: address(ctx)}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "API endpoint %q not found", r.GetApiEndpointId())
}

// List answers everything on one page whatever page size is asked for: clients look for their ids on the first one.
func (e endpoints) List(ctx context.Context, _ *endpoint.ListApiEndpointsRequest) (*endpoint.ListApiEndpointsResponse, error) {
	list := &endpoint.ListApiEndpointsResponse{}
	for _, id := range e.ids {
		list.Endpoints = append(list.Endpoints, &endpoint.ApiEndpoint{Id: id, Address: address(ctx)})
	}
	return list, nil
}

// address is the host and port that the client used.
func address(ctx context.Context) string {
	c := callOf(ctx)
	if _, _, err := net.SplitHostPort(c.host); err == nil {
		return c.host
	}
	port := "80"
	if c.tls {
		port = "443"
	}
	return net.JoinHostPort(trimBrackets(c.host), port)
}

// trimBrackets makes [::1] what JoinHostPort takes.
func trimBrackets(host string) string {
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}
