package wire_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

type who struct{}

type watched struct {
	grpc_health_v1.UnimplementedHealthServer
}

func (watched) Watch(r *grpc_health_v1.HealthCheckRequest, s grpc_health_v1.Health_WatchServer) error {
	if r.GetService() != s.Context().Value(who{}) {
		return status.Error(codes.PermissionDenied, "not yours")
	}
	for range 2 {
		if err := s.Send(&grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}); err != nil {
			return err
		}
	}
	panic("enough")
}

// The served services have no streams; one that has is not broken by what stands round it.
func TestStream(t *testing.T) {
	calls := make(chan wire.Call, 10)
	server := wire.New(wire.Options{
		Note: func(c wire.Call) { calls <- c },
		Authenticate: func(ctx context.Context, _, authorization string) (context.Context, error) {
			if authorization == "" {
				return nil, status.Error(codes.Unauthenticated, "who?")
			}
			return context.WithValue(ctx, who{}, authorization), nil
		},
	})
	grpc_health_v1.RegisterHealthServer(server, watched{})
	h := serve(t, server)
	client := grpc_health_v1.NewHealthClient(h.dial(t))
	me := metadata.AppendToOutgoingContext(t.Context(), "authorization", "me", "x-request-id", "r")
	watch := func(ctx context.Context, service string) (got int, err error) {
		stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		h.is.NoErr(err)
		for ; err == nil; got++ {
			_, err = stream.Recv()
		}
		return got - 1, err
	}
	got, err := watch(me, "me")
	h.is.Equal(got, 2)
	h.is.Equal(status.Code(err), codes.Internal)
	h.is.Equal(requestInfo(err), "r")
	call := <-calls
	h.is.Equal(call.Method, "/grpc.health.v1.Health/Watch")
	h.is.Equal(call.Code, codes.Internal)
	h.is.True(call.Panic != "")
	_, err = watch(me, "you")
	h.is.Equal(status.Code(err), codes.PermissionDenied)
	_, err = watch(t.Context(), "me")
	h.is.Equal(status.Code(err), codes.Unauthenticated)
	_, err = client.Check(me, &grpc_health_v1.HealthCheckRequest{})
	h.is.Equal(status.Convert(err).Message(), "not emulated: grpc.health.v1.Health/Check")
}
