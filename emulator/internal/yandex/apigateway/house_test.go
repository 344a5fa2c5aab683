package apigateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
	sockets "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/websocket/v1"
)

const chat = `openapi: 3.0.0
info: {title: chat, version: "1"}
paths:
  /chat:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {'*': ""}}}
    get:
      x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {'*': "chat's page"}}
`

// house is the services over a running cloud, behind a real listener: gRPC, REST and below /gw/<id>/ the gateways.
type house struct {
	pb.ApiGatewayServiceClient
	sockets sockets.ConnectionServiceClient
	service *apigateway.Service
	cloud   *yandex.Cloud
	store   *resource.Store
	clock   *clock.Manual
	server  *httptest.Server
	warned  []string
	close   func()
}

func open(t *testing.T, values resource.Values, more ...func(*apigateway.Options)) *house {
	t.Helper()
	is := is.New(t)
	h := &house{clock: clock.NewManual(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))}
	warn := func(s string) { h.warned = append(h.warned, s) }
	room := gateway.New(gateway.Options{Clock: h.clock})
	h.cloud = yandex.New(yandex.Options{Gateway: room, Clock: h.clock, Context: t.Context(), Warn: warn})
	h.store = resource.New(resource.Options{Clock: h.clock, Values: values})
	bindings, err := resource.OpenBindings(t.Context(), h.store)
	is.NoErr(err)
	o := apigateway.Options{Store: h.store, Bindings: bindings, Runner: h.cloud, Warn: warn,
		LogGroup: func(folder string) string { return "e23" + folder }}
	for _, f := range more {
		f(&o)
	}
	h.service, err = apigateway.New(t.Context(), o)
	is.NoErr(err)
	api := wire.New(wire.Options{Clock: h.clock})
	h.service.Register(api)
	operation.RegisterOperationServiceServer(api, h.store.Operations())
	is.NoErr(api.Start())
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := h.service.GatewayFor(r.Host); ok {
			h.cloud.ServeGateway(w, r, id)
			return
		}
		below, isGateway := strings.CutPrefix(r.URL.Path, "/gw/")
		if !isGateway {
			api.ServeHTTP(w, r)
			return
		}
		id, _, _ := strings.Cut(below, "/")
		http.StripPrefix("/gw/"+id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.cloud.ServeGateway(w, r, id) })).ServeHTTP(w, r)
	}))
	h.server.Config.Protocols = &protocols
	h.server.Start()
	conn, err := grpc.NewClient("passthrough:///"+h.server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	is.NoErr(err)
	h.ApiGatewayServiceClient, h.sockets = pb.NewApiGatewayServiceClient(conn), sockets.NewConnectionServiceClient(conn)
	closed := false
	h.close = func() {
		if closed {
			return
		}
		closed = true
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = room.Close(now) // sockets that a test left open are cut
		_ = conn.Close()
		_ = api.Close(context.Background())
		h.server.Close()
		h.store.Close()
	}
	t.Cleanup(h.close)
	return h
}

// ended checks an operation and returns its response.
func ended[M proto.Message](t *testing.T, op *operation.Operation, err error, metadata string) (response M) {
	t.Helper()
	is := is.New(t)
	is.NoErr(err)
	is.True(op.Done)
	is.Equal(op.Metadata.TypeUrl, "type.googleapis.com/yandex.cloud."+metadata)
	m, err := op.GetResponse().UnmarshalNew()
	is.NoErr(err)
	response, ok := m.(M)
	if !ok {
		t.Fatalf("got a %T, want %T", m, response)
	}
	return response
}

const ofGateways = "serverless.apigateway.v1."

// make creates a gateway.
func (h *house) make(t *testing.T, name, spec string) *pb.ApiGateway {
	t.Helper()
	op, err := h.Create(t.Context(), &pb.CreateApiGatewayRequest{FolderId: "folder", Name: name, Spec: &pb.CreateApiGatewayRequest_OpenapiSpec{OpenapiSpec: spec}})
	return ended[*pb.ApiGateway](t, op, err, ofGateways+"CreateApiGatewayMetadata")
}

// dial opens a socket and returns its id too.
func (h *house) dial(t *testing.T, gatewayID, path string) (*websocket.Conn, string) {
	t.Helper()
	c, res, err := websocket.Dial(t.Context(), h.server.URL+"/gw/"+gatewayID+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, res.Header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
}

// page asks a gateway, by its path or by a host of its own.
func (h *house) page(t *testing.T, path, host string) (int, string) {
	t.Helper()
	is := is.New(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.server.URL+path, nil)
	is.NoErr(err)
	r.Host = host
	res, err := h.server.Client().Do(r)
	is.NoErr(err)
	body, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return res.StatusCode, string(body)
}

// rest asks the API.
func (h *house) rest(t *testing.T, method, path, body string) (int, map[string]any) {
	t.Helper()
	is := is.New(t)
	r, err := http.NewRequestWithContext(t.Context(), method, h.server.URL+path, strings.NewReader(body))
	is.NoErr(err)
	res, err := h.server.Client().Do(r)
	is.NoErr(err)
	var out map[string]any
	is.NoErr(json.NewDecoder(res.Body).Decode(&out))
	is.NoErr(res.Body.Close())
	return res.StatusCode, out
}

// closed waits for a socket's end.
func closed(t *testing.T, c *websocket.Conn) websocket.StatusCode {
	t.Helper()
	_, _, err := c.Read(t.Context())
	return websocket.CloseStatus(err)
}

// refused is a status, its fields each with what is wrong with it.
func refused(err error) (codes.Code, map[string]string) {
	out := make(map[string]string)
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				out[v.Field] += v.Description
			}
		}
	}
	return status.Code(err), out
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
