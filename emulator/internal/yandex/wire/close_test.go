package wire_test

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	gzipping "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

func TestClose(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	entered, release := make(chan struct{}), make(chan struct{})
	h.triggers.creating = func(context.Context, *triggers.CreateTriggerRequest) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	var running sync.WaitGroup
	running.Go(func() {
		_, err := client.Create(t.Context(), pushes("one"))
		h.is.NoErr(err) // what runs ends well
	})
	<-entered
	closed, waits := make(chan error, 1), awaited{context.Background(), make(chan struct{})}
	running.Go(func() { closed <- h.server.Close(waits) })
	<-waits.by // Close has begun
	h.fails(h.rest(t, "GET", "/endpoints", ""), 503, codes.Unavailable)
	select {
	case <-closed:
		t.Fatal("closed while a call ran")
	default:
	}
	close(release)
	h.is.NoErr(<-closed)
	running.Wait()
}

// awaited says when somebody waits for it.
type awaited struct {
	context.Context
	by chan struct{}
}

func (a awaited) Done() <-chan struct{} {
	close(a.by)
	return a.Context.Done()
}

func TestCloseCancels(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	entered, ended := make(chan struct{}), make(chan error, 1)
	h.triggers.creating = func(ctx context.Context, _ *triggers.CreateTriggerRequest) error {
		entered <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	var running sync.WaitGroup
	running.Go(func() {
		_, err := client.Create(t.Context(), pushes("one"))
		h.is.True(err != nil)
	})
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.is.True(errors.Is(h.server.Close(ctx), context.Canceled))
	h.is.Equal(<-ended, context.Canceled) // Close waited for it
	running.Wait()
}

func TestDeadlinesAndCancellations(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	entered, ended := make(chan time.Time), make(chan error, 1)
	h.triggers.creating = func(ctx context.Context, _ *triggers.CreateTriggerRequest) error {
		deadline, _ := ctx.Deadline()
		entered <- deadline
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	cancelled := func(parent context.Context, call func(ctx context.Context)) (deadline time.Time) {
		ctx, cancel := context.WithCancel(parent)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() { deadline = <-entered; cancel() })
		call(ctx)
		running.Wait()
		h.is.Equal(<-ended, context.Canceled) // the service has heard of it
		return deadline
	}
	create := func(ctx context.Context) {
		_, err := client.Create(ctx, pushes("one"))
		h.is.Equal(status.Code(err), codes.Canceled)
	}
	h.is.True(cancelled(t.Context(), create).IsZero())
	want := time.Now().Add(time.Hour)
	hour, cancel := context.WithDeadline(t.Context(), want)
	defer cancel()
	h.is.True(cancelled(hour, create).Sub(want).Abs() < time.Minute)

	cancelled(t.Context(), func(ctx context.Context) {
		request, err := http.NewRequestWithContext(ctx, "POST", h.plain.URL+"/triggers/v1/triggers", strings.NewReader(created))
		h.is.NoErr(err)
		_, err = h.plain.Client().Do(request)
		h.is.True(errors.Is(err, context.Canceled))
	})
}

func TestGzip(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dialTLS(t))
	_, err := client.Create(t.Context(), pushes("small"), grpc.UseCompressor(gzipping.Name))
	h.is.NoErr(err)

	var body strings.Builder
	writer := gzip.NewWriter(&body)
	_, err = io.WriteString(writer, created)
	h.is.NoErr(err)
	h.is.NoErr(writer.Close())
	r := h.rest(t, "POST", "/triggers/v1/triggers", body.String(), "Content-Encoding: gzip")
	h.is.Equal(r.code, 200)
	h.is.Equal(r.header.Get("X-Request-Id") != "", true)
	// net/http asks for gzip by itself; an error is said in plain.
	h.fails(h.rest(t, "GET", "/triggers/v1/triggers/none", "", "Accept-Encoding: gzip"), 404, codes.NotFound)
}

// The largest archive that CreateVersion takes gets through, as gRPC and as base64.
func TestLargeMessages(t *testing.T) {
	h := open(t, wire.Options{})
	var got int
	h.triggers.creating = func(_ context.Context, r *triggers.CreateTriggerRequest) error {
		got = len(r.GetRule().GetContainerRegistry().GetImageName())
		return nil
	}
	large := pushes("large")
	large.GetRule().GetContainerRegistry().ImageName = strings.Repeat("x", 52_428_800)
	_, err := triggers.NewTriggerServiceClient(h.dial(t)).Create(t.Context(), large, grpc.MaxCallSendMsgSize(1<<30), grpc.MaxCallRecvMsgSize(1<<30))
	h.is.NoErr(err)
	h.is.Equal(got, 52_428_800)

	server := wire.New(wire.Options{})
	functions.RegisterFunctionServiceServer(server, reachedFunctions{})
	h = serve(t, server)
	r := h.rest(t, "POST", "/functions/v1/versions", `{"functionId":"d4e1","runtime":"golang123","entrypoint":"index.Handler",`+
		`"resources":{"memory":"134217728"},"executionTimeout":"3s","content":"`+strings.Repeat("UEsD", 52_428_800/3)+`"}`)
	h.is.Equal(h.fails(r, 400, codes.OutOfRange), "reached")
}

func TestEndpoints(t *testing.T) {
	h := open(t, wire.Options{})
	for _, conn := range []*grpc.ClientConn{h.dial(t), h.dialTLS(t)} {
		client := endpoint.NewApiEndpointServiceClient(conn)
		list, err := client.List(t.Context(), &endpoint.ListApiEndpointsRequest{})
		h.is.NoErr(err)
		seen := map[string]bool{}
		for _, e := range list.GetEndpoints() {
			h.is.Equal("passthrough:///"+e.GetAddress(), conn.Target()) // where the client came
			seen[e.GetId()] = true
		}
		for _, id := range []string{"iam", "operation", "resource-manager", "resourcemanager", "container-registry", "serverless-apigateway",
			"serverless-functions", "serverless-triggers", "serverless-containers", "apigateway-connections", "serverless-gateway-connections",
			"endpoint", "logging", "log-reading", "log-ingestion"} {
			h.is.True(seen[id])
		}
		one, err := client.Get(t.Context(), &endpoint.GetApiEndpointRequest{ApiEndpointId: "iam"})
		h.is.NoErr(err)
		h.is.Equal("passthrough:///"+one.GetAddress(), conn.Target())
		_, err = client.Get(t.Context(), &endpoint.GetApiEndpointRequest{ApiEndpointId: "compute"})
		h.is.Equal(status.Code(err), codes.NotFound)
	}
	r := h.rest(t, "GET", "/endpoints?pageSize=1", "")
	h.is.Equal(len(r.body["endpoints"].([]any)), 15)
	h.is.Equal(r.body["nextPageToken"], nil)
	for host, want := range map[string]string{
		"api.localhost": "api.localhost:80", "api.localhost:8080": "api.localhost:8080", "[::1]": "[::1]:80", "[::1]:8080": "[::1]:8080",
	} {
		request, err := http.NewRequestWithContext(t.Context(), "GET", h.plain.URL+"/endpoints/iam", nil)
		h.is.NoErr(err)
		request.Host = host
		response, err := h.plain.Client().Do(request)
		h.is.NoErr(err)
		body, err := io.ReadAll(response.Body)
		h.is.NoErr(err)
		h.is.NoErr(response.Body.Close())
		h.is.Equal(string(body), `{"id":"iam","address":"`+want+`"}`)
	}
}
