package wire_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

// triggerService is a small service: triggers in a map. ListOperations is left out.
type triggerService struct {
	triggers.UnimplementedTriggerServiceServer

	mu   sync.Mutex
	made int
	by   map[string]*triggers.Trigger
	last *operation.Operation // that Create answered

	// creating, when set, is called in Create under the call's context.
	creating func(ctx context.Context, r *triggers.CreateTriggerRequest) error
}

func (s *triggerService) Create(ctx context.Context, r *triggers.CreateTriggerRequest) (*operation.Operation, error) {
	if s.creating != nil {
		if err := s.creating(ctx, r); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	t := &triggers.Trigger{Id: "a1s" + strconv.Itoa(s.made), FolderId: r.GetFolderId(), Name: r.GetName(), Labels: r.GetLabels(), Rule: r.GetRule()}
	s.by[t.GetId()] = t
	op, err := done("op"+t.GetId(), &triggers.CreateTriggerMetadata{TriggerId: t.GetId()}, t)
	s.last = op
	return op, err
}

func (s *triggerService) Get(_ context.Context, r *triggers.GetTriggerRequest) (*triggers.Trigger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.by[r.GetTriggerId()]
	if t == nil {
		return nil, status.Errorf(codes.NotFound, "Trigger %s not found", r.GetTriggerId())
	}
	return t, nil
}

func (s *triggerService) List(_ context.Context, r *triggers.ListTriggersRequest) (*triggers.ListTriggersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &triggers.ListTriggersResponse{}
	for _, id := range slices.Sorted(maps.Keys(s.by)) {
		if s.by[id].GetFolderId() == r.GetFolderId() && int64(len(list.GetTriggers())) < max(r.GetPageSize(), 1) {
			list.Triggers = append(list.Triggers, s.by[id])
		}
	}
	return list, nil
}

func (s *triggerService) Update(_ context.Context, r *triggers.UpdateTriggerRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.by[r.GetTriggerId()]
	if t == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "Trigger %s is not there", r.GetTriggerId())
	}
	t = &triggers.Trigger{Id: t.GetId(), FolderId: t.GetFolderId(), Name: r.GetName(), Rule: r.GetRule()}
	s.by[t.GetId()] = t
	return done("up"+t.GetId(), &triggers.UpdateTriggerMetadata{TriggerId: t.GetId()}, t)
}

func (s *triggerService) Delete(_ context.Context, r *triggers.DeleteTriggerRequest) (*operation.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.by[r.GetTriggerId()]; !there {
		return nil, status.Errorf(codes.NotFound, "Trigger %s not found", r.GetTriggerId())
	}
	delete(s.by, r.GetTriggerId())
	return done("del"+r.GetTriggerId(), &triggers.DeleteTriggerMetadata{TriggerId: r.GetTriggerId()}, &emptypb.Empty{})
}

func (s *triggerService) Pause(_ context.Context, r *triggers.PauseTriggerRequest) (*operation.Operation, error) {
	return nil, status.Errorf(codes.Aborted, "Trigger %s changed meanwhile", r.GetTriggerId())
}

func (s *triggerService) Resume(context.Context, *triggers.ResumeTriggerRequest) (*operation.Operation, error) {
	panic("resuming was forgotten")
}

func done(id string, metadata, response proto.Message) (*operation.Operation, error) {
	m, err := anypb.New(metadata)
	if err != nil {
		return nil, err
	}
	r, err := anypb.New(response)
	if err != nil {
		return nil, err
	}
	return &operation.Operation{Id: id, Done: true, Metadata: m, Result: &operation.Operation_Response{Response: r}}, nil
}

type operationService struct {
	operation.UnimplementedOperationServiceServer
}

func (operationService) Get(_ context.Context, r *operation.GetOperationRequest) (*operation.Operation, error) {
	return &operation.Operation{Id: r.GetOperationId(), Done: true}, nil
}

func (operationService) Cancel(_ context.Context, r *operation.CancelOperationRequest) (*operation.Operation, error) {
	return &operation.Operation{Id: r.GetOperationId(), Description: "cancelled"}, nil
}

type repositoryService struct {
	containerregistry.UnimplementedRepositoryServiceServer
}

func (repositoryService) GetByName(_ context.Context, r *containerregistry.GetRepositoryByNameRequest) (*containerregistry.Repository, error) {
	return &containerregistry.Repository{Id: "crr1", Name: r.GetRepositoryName()}, nil
}

// house is a started server behind a plain and a TLS listener.
type house struct {
	is       *is.I
	server   *wire.Server
	triggers *triggerService
	plain    *httptest.Server
	tls      *httptest.Server
}

func open(t testing.TB, o wire.Options) *house {
	t.Helper()
	server := wire.New(o)
	service := registerThese(server)
	h := serve(t, server)
	h.triggers = service
	return h
}

func registerThese(r grpc.ServiceRegistrar) *triggerService {
	service := &triggerService{by: map[string]*triggers.Trigger{}}
	triggers.RegisterTriggerServiceServer(r, service)
	operation.RegisterOperationServiceServer(r, operationService{})
	containerregistry.RegisterRepositoryServiceServer(r, &repositoryService{})
	return service
}

func registerSome(r grpc.ServiceRegistrar) { registerThese(r) }

// serve starts a server whose services are registered.
func serve(t testing.TB, server *wire.Server) *house {
	t.Helper()
	h := &house{is: is.New(t), server: server}
	h.is.NoErr(server.Start())
	h.listen(t)
	return h
}

func (h *house) listen(t testing.TB) {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	h.plain = httptest.NewUnstartedServer(h.server)
	h.plain.Config.Protocols = &protocols
	h.plain.Start()
	h.tls = httptest.NewUnstartedServer(h.server)
	h.tls.EnableHTTP2 = true
	h.tls.StartTLS()
	t.Cleanup(func() {
		h.is.NoErr(h.server.Close(context.Background()))
		h.plain.Close()
		h.tls.Close()
	})
}

// dial returns a plain gRPC connection.
func (h *house) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	return h.dialWith(t, h.plain.Listener.Addr().String(), insecure.NewCredentials())
}

func (h *house) dialTLS(t testing.TB) *grpc.ClientConn {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(h.tls.Certificate())
	return h.dialWith(t, h.tls.Listener.Addr().String(), credentials.NewClientTLSFromCert(pool, ""))
}

func (h *house) dialWith(t testing.TB, address string, c credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	h.is.NoErr(err)
	t.Cleanup(func() { h.is.NoErr(conn.Close()) })
	return conn
}

// reply is a REST answer.
type reply struct {
	code   int
	header http.Header
	text   string
	body   map[string]any
}

// rest sends a request; headers are "Name: value".
func (h *house) rest(t testing.TB, verb, path, body string, headers ...string) reply {
	t.Helper()
	var in io.Reader = http.NoBody
	if body != "" {
		in = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), verb, h.plain.URL+path, in)
	h.is.NoErr(err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := h.plain.Client().Do(request)
	h.is.NoErr(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	h.is.NoErr(err)
	r := reply{code: response.StatusCode, header: response.Header, text: string(text)}
	decoder := json.NewDecoder(bytes.NewReader(text))
	h.is.NoErr(decoder.Decode(&r.body)) // every answer is JSON
	return r
}

func (r reply) message() string { s, _ := r.body["message"].(string); return s }

// fails checks an error body and returns its message.
func (h *house) fails(r reply, httpStatus int, code codes.Code) string {
	h.is.Helper()
	h.is.Equal(r.code, httpStatus)
	h.is.Equal(r.header.Get("Content-Type"), "application/json")
	h.is.True(r.header.Get("Date") != "")
	for name := range r.header {
		h.is.True(!strings.HasPrefix(name, "Grpc-"))
	}
	h.is.Equal(r.body["code"], float64(code))
	h.is.True(r.message() != "")
	details, _ := r.body["details"].([]any)
	var requests int
	for _, d := range details {
		if d := d.(map[string]any); d["@type"] == "type.googleapis.com/google.rpc.RequestInfo" {
			h.is.Equal(d["requestId"], r.header.Get("X-Request-Id"))
			requests++
		}
	}
	h.is.Equal(requests, 1)
	return r.message()
}
