package triggers_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/triggers"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

const (
	folder   = "b1gmine"
	gate     = "d5dmine"
	registry = "crpmine"
	agent    = "ajemine"

	spec = `openapi: 3.0.0
paths:
  /rooms/{room}:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
  /lobby:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
`
)

// house is the service with all that it works on: the engine, a gateway with sockets, and real clients.
type house struct {
	t       *testing.T
	clock   *clock.Manual
	cloud   *yandex.Cloud
	service *triggers.Service
	engine  *trigger.Engine
	in      chan events.Event // what happens
	done    chan uint64
	v1      v1.TriggerServiceClient
	v2      v2.TriggerServiceClient
	ops     operation.OperationServiceClient
	api     string // the URL of both APIs
	sockets string // of gateways: this, an id, a path
	close   func()

	mu    sync.Mutex
	warns []string
	steps []events.Step
}

// plan is what a test wants otherwise.
type plan struct {
	values  resource.Values // nil: in memory
	cloud   yandex.Options
	options triggers.Options
	declare func(*house) error
	unready bool // no gateway
}

func build(t *testing.T, changes ...func(*plan)) *house {
	t.Helper()
	is := is.New(t)
	h := &house{t: t, in: make(chan events.Event), done: make(chan uint64, 10_000),
		clock: clock.NewManual(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))}
	var p plan
	for _, change := range changes {
		change(&p)
	}
	room := gateway.New(gateway.Options{Clock: h.clock})
	p.cloud.Gateway, p.cloud.Clock, p.cloud.Note, p.cloud.Warn = room, h.clock, h.note, h.warn
	h.cloud = yandex.New(p.cloud)
	if !p.unready {
		is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: gate, File: "spec.yaml", Spec: []byte(spec)}))
	}
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "default-gateway.yaml", Spec: yandex.DefaultGateway()}))

	seq := uint64(0)
	h.engine = trigger.New(trigger.Options{Clock: h.clock, Note: h.note, Done: func(seq uint64) { h.done <- seq },
		Next: func(ctx context.Context) (uint64, events.Record, error) {
			select {
			case e := <-h.in:
				seq++
				return seq, events.Record{Changes: []events.Change{e.Change}, Events: []events.Event{e}}, nil
			case <-ctx.Done():
				return 0, events.Record{}, ctx.Err()
			}
		}})
	store := resource.New(resource.Options{Clock: h.clock, Values: p.values})
	p.options.Store, p.options.Cloud, p.options.Set, p.options.Remove, p.options.Warn = store, h.cloud, h.engine.Set, h.engine.Remove, h.warn
	var err error
	h.service, err = triggers.New(t.Context(), p.options)
	is.NoErr(err)
	if p.declare != nil {
		is.NoErr(p.declare(h))
	}
	ran := make(chan error, 1)
	go func() { ran <- h.engine.Run(context.Background()) }()

	api := wire.New(wire.Options{})
	h.service.Register(api)
	operation.RegisterOperationServiceServer(api, store.Operations())
	is.NoErr(api.Start())
	server := httptest.NewUnstartedServer(api)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	is.NoErr(err)
	h.v1, h.v2, h.ops = v1.NewTriggerServiceClient(conn), v2.NewTriggerServiceClient(conn), operation.NewOperationServiceClient(conn)
	h.api = server.URL

	sockets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		http.StripPrefix("/"+id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.cloud.ServeGateway(w, r, id)
		})).ServeHTTP(w, r)
	}))
	h.sockets = sockets.URL + "/"
	h.close = sync.OnceFunc(func() {
		is.NoErr(conn.Close())
		is.NoErr(api.Close(context.Background()))
		server.Close()
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = h.engine.Close(now) // what waits for another attempt is cut short
		is.NoErr(<-ran)
		store.Close()
		_ = room.Close(now) // sockets that a test left open are cut
		sockets.Close()
	})
	t.Cleanup(h.close)
	return h
}

// kept has the house keep what clients make in a journal.
func kept(j journal.Journal) func(*plan) { return func(p *plan) { p.values = j } }

func (h *house) warn(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warns = append(h.warns, s)
}

func (h *house) note(s events.Step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps = append(h.steps, s)
}

// told returns the texts of the steps so far that say what.
func (h *house) told(what string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.steps {
		if s.What == what {
			out = append(out, s.Text)
		}
	}
	return out
}

// push has a tag attached; it returns when the engine reads that.
func (h *house) push(tag string) events.Event {
	h.t.Helper()
	e := happened(h.t, events.TagAttached, tag)
	h.in <- e
	return e
}

// handled waits until the engine is through with n records.
func (h *house) handled(n int) {
	h.t.Helper()
	for range n {
		select {
		case <-h.done:
		case <-h.t.Context().Done():
			h.t.Fatal("the records are not done")
		}
	}
}

func happened(t *testing.T, kind events.Kind, tag string) events.Event {
	t.Helper()
	e, ok := words.Wording{}.Word(0, events.Change{Kind: kind, Registry: registry, Repository: "ubuntu", Tag: tag, Digest: "sha256:00",
		At: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)})
	if !ok {
		t.Fatal("nothing is said of it")
	}
	return e
}

// socket opens a connection to a path of the house's gateway.
func (h *house) socket(path string) *websocket.Conn {
	h.t.Helper()
	c, res, err := websocket.Dial(h.t.Context(), h.sockets+gate+path,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		h.t.Fatalf("dial %s: %v %v", path, res, err)
	}
	h.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// frame reads the next message.
func (h *house) frame(c *websocket.Conn) string {
	h.t.Helper()
	_, data, err := c.Read(h.t.Context())
	is.New(h.t).NoErr(err)
	return string(data)
}

// arrives has a tag attached and waits for the event on a socket.
func (h *house) arrives(c *websocket.Conn, tag string) {
	h.t.Helper()
	e := h.push(tag)
	is.New(h.t).Equal(h.frame(c), message(e))
}

// message is how a batch arrives.
func message(es ...events.Event) string {
	bodies := make([]string, len(es))
	for i, e := range es {
		bodies[i] = string(e.Body)
	}
	return `{"messages":[` + strings.Join(bodies, ",") + `]}`
}

// finished checks an operation against what the protos declare, and fills response.
func finished(t *testing.T, op *operation.Operation, err error, description string, metadata, response proto.Message) string {
	t.Helper()
	is := is.New(t)
	is.NoErr(err)
	is.Equal(op.Description, description)
	is.True(op.Done)
	is.NoErr(op.Metadata.UnmarshalTo(metadata)) // it fails for another type
	is.True(op.GetResponse() != nil)
	is.NoErr(op.GetResponse().UnmarshalTo(response))
	id := metadata.(interface{ GetTriggerId() string }).GetTriggerId()
	is.Equal(op.Id[:3], "a1s")
	return id
}

// same compares messages.
func same(t *testing.T, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Fatalf("got\n%v\nwant\n%v", got, want)
	}
}

// refused checks the code of an error and that its text has a part.
func refused(t *testing.T, err error, code codes.Code, part string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), part) {
		t.Fatalf("got %v, want %v with %q", err, code, part)
	}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func seconds(n int) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Second) }

// broadcastV1 is a rule that sends tags to /lobby, count at once within 10 s.
func broadcastV1(count int64) *v1.Trigger_Rule {
	return &v1.Trigger_Rule{Rule: &v1.Trigger_Rule_ContainerRegistry{ContainerRegistry: &v1.Trigger_ContainerRegistry{
		EventType:     []v1.Trigger_ContainerRegistryEventType{v1.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
		RegistryId:    registry,
		BatchSettings: &v1.BatchSettings{Size: count, Cutoff: seconds(10)},
		Action: &v1.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &v1.GatewayWebsocketBroadcast{
			GatewayId: gate, Path: "/lobby", ServiceAccountId: agent}},
	}}}
}

func sourceV2(count int64) *v2.Source {
	return &v2.Source{Source: &v2.Source_ContainerRegistry{ContainerRegistry: &v2.ContainerRegistry{
		EventType: []v2.ContainerRegistryEventType{v2.ContainerRegistryEventType_CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE,
			v2.ContainerRegistryEventType_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG},
		RegistryId:    registry,
		BatchSettings: &v2.BatchSettings{MaxCount: count, Cutoff: seconds(10)},
	}}}
}

func broadcastV2(path string) *v2.Action {
	return &v2.Action{Action: &v2.Action_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &v2.GatewayWebsocketBroadcast{
		GatewayId: gate, Path: path, ServiceAccountId: agent}}}
}

// createV1 makes a trigger of v1 and returns its id.
func (h *house) createV1(name string, rule *v1.Trigger_Rule) string {
	h.t.Helper()
	op, err := h.v1.Create(h.t.Context(), &v1.CreateTriggerRequest{FolderId: folder, Name: name, Rule: rule})
	return finished(h.t, op, err, "Create trigger", &v1.CreateTriggerMetadata{}, &v1.Trigger{})
}

func (h *house) createV2(name string, source *v2.Source, actions ...*v2.Action) string {
	h.t.Helper()
	op, err := h.v2.Create(h.t.Context(), &v2.CreateTriggerRequest{FolderId: folder, Name: name, Source: source, Action: actions})
	return finished(h.t, op, err, "Create trigger", &v2.CreateTriggerMetadata{}, &v2.Trigger{})
}

// rest sends a request of the REST API.
func (h *house) rest(method, path, body string) (int, string) {
	h.t.Helper()
	is := is.New(h.t)
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.api+path, strings.NewReader(body))
	is.NoErr(err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	is.NoErr(err)
	got, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return res.StatusCode, string(got)
}

func opID(id string) *operation.GetOperationRequest {
	return &operation.GetOperationRequest{OperationId: id}
}
