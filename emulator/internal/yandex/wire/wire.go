// Package wire speaks Yandex Cloud's APIs: gRPC and REST from the same descriptors, on one http.Handler.
//
// It knows no resource. Services register with it as with a grpc.Server; it checks requests against the validation options of their
// protos, gives every answer its request ids, replays answers by idempotency key, words errors as the cloud does, and refuses what is
// not emulated.
package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/endpoint"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // clients may send and ask for gzip

	"github.com/regcast/regcast/emulator/internal/clock"
)

// maxMessage is more than CreateVersion's largest content, 52,428,800 bytes.
const maxMessage = 64 << 20

// Options make a Server; the zero value works.
type Options struct {
	// Clock tells how long a call took and when an idempotency key is forgotten; nil: the machine's.
	Clock clock.Clock
	// Random feeds request ids; nil: crypto/rand.
	Random io.Reader
	// Authenticate looks at the authorization of a call (header or metadata "authorization", "" when there is none) and may put who
	// calls into the context. Its errors are grpc statuses. method is "/service/Method". ApiEndpointService is open to everybody, as
	// clients ask it before they have a token. Nil: everybody may.
	Authenticate func(ctx context.Context, method, authorization string) (context.Context, error)
	// NotEmulated lists the methods, "/service/Method", that the registered services leave out: they are refused before their requests are
	// checked. One that a service leaves out and that is not here is refused after that.
	NotEmulated []string
	// Note hears of every call when it is over; nil: nobody does.
	Note func(Call)
}

// Call is what Note hears.
type Call struct {
	// Method is "/service/Method", or "VERB /path" of a request that is no method's.
	Method string
	// Request is the request id: the caller's own, or made here.
	Request string
	Code    codes.Code
	// Message is the error's, "" for OK.
	Message string
	// Panic is the stack when a service panicked.
	Panic    string
	Duration time.Duration
}

// Server is a grpc.ServiceRegistrar and an http.Handler. Register the services, Start, serve, Close.
type Server struct {
	options Options
	random  sync.Mutex // guards options.Random
	grpc    *grpc.Server
	replays *replays

	services map[string]bool // by their full names
	methods  map[string]*method
	routes   []Route
	// collections are the literal beginnings of all routes, also of services that are not registered and have a package in common with
	// those that are: of those it names the service.
	collections map[string]string
	longest     int                          // of them: what a path has after that is not looked at, however long it is
	rest        func() (http.Handler, error) // made at the first request

	mu      sync.Mutex
	started bool
	closing bool
	running int
	idle    chan struct{} // closed when closing and nothing runs
}

// New returns a server with ApiEndpointService.
func New(o Options) *Server {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	s := &Server{
		options:  o,
		replays:  newReplays(o.Clock),
		services: map[string]bool{},
		idle:     make(chan struct{}),
	}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return notEmulated("this method") }), // stream refuses before
	)
	endpoint.RegisterApiEndpointServiceServer(s, endpoints{ids: addressed()})
	return s
}

// RegisterService adds a service. It panics after Start, for a service that is there already, and for an impl that does not implement it:
// these are mistakes of the program.
func (s *Server) RegisterService(d *grpc.ServiceDesc, impl any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		panic(fmt.Sprintf("wire: %s registered after Start", d.ServiceName))
	}
	if s.services[d.ServiceName] {
		panic(fmt.Sprintf("wire: %s registered twice", d.ServiceName))
	}
	if want := reflect.TypeOf(d.HandlerType).Elem(); !reflect.TypeOf(impl).Implements(want) {
		panic(fmt.Sprintf("wire: %T does not implement %s", impl, d.ServiceName))
	}
	s.services[d.ServiceName] = true
	s.grpc.RegisterService(d, impl)
}

// Start reads the descriptors of the registered services. It fails when an option in one of them is not understood, so that none is
// passed over in silence.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errors.New("wire: started twice")
	}
	if err := s.describe(); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	s.rest, s.started = sync.OnceValues(s.transcoder), true
	return nil
}

// Routes lists every method of every registered service with its REST bindings, in a stable order. Call it after Start.
func (s *Server) Routes() []Route { return slices.Clone(s.routes) }

// Close turns new calls away (UNAVAILABLE), waits for those that run until ctx ends, then cancels them and waits for their return.
// It answers ctx's error when it had to cancel.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		if s.running == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = fmt.Errorf("wire: close: %w", ctx.Err())
	}
	s.grpc.Stop()
	return err
}

// enter says whether a call may begin; leave ends it.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || s.closing {
		return false
	}
	s.running++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 && s.closing {
		close(s.idle)
	}
}
