// Package yandex is the façade of Yandex Cloud: it reads the cloud's triggers and gateway specifications and words everything that
// clients see, with the rooms doing the work.
//
// Its files, by the beginnings of their names:
//
//	document                 a file of YAML or JSON, and what is wrong with it, line by line
//	spec                     the specification of a gateway, as it is read
//	gateway                  the gateways there are: requests, sockets, releases, logs
//	authorizer, integration  who may call an operation of a gateway, and what answers it
//	connection               sending to sockets and closing them
//	trigger                  declarations of triggers, compiled for the engine, and the targets of their actions
//	functions, call          functions, and functions and containers that are called directly
//	outward, permission      what gateways and triggers share: the way to containers and servers, and who may take it
package yandex

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// Options are what the cloud is made of. Gateway is needed, all else has a usable zero value.
type Options struct {
	Gateway *gateway.Gateway
	Clock   clock.Clock       // nil: clock.Real
	Random  io.Reader         // where ids come from; nil: crypto/rand. Reads are one at a time.
	Note    func(events.Step) // hears of connections that open and close; nil: nobody does
	Warn    func(string)      // hears once, when it is added, of what is accepted and not emulated; nil: nobody does

	// Invoke calls a function; Functions lists the ids there are, and may change. Nil: there is none.
	Invoke    func(ctx context.Context, function string, r runner.Request) (runner.Response, error)
	Functions func() []string
	// Resolve gives the name that Invoke knows the version with a tag of a function by, and the version's id, or says why there is none.
	// Nil: the function's id, whatever the tag is.
	Resolve func(functionID, tag string) (name, versionID string, err error)
	// DeadLetter puts what a trigger has given up, the ids of its events with it, into a queue, named by ARN. Nil: there are no queues.
	DeadLetter func(ctx context.Context, queueID string, body []byte, events []string) error
	// Context ends the calls to functions that sockets and requests have set off, which go on when the client has left.
	// Nil: they end by themselves.
	Context context.Context
	// Closing is closed when regcast is stopping: triggers then no longer wait before they try again. Nil: never.
	Closing <-chan struct{}

	// Container gives the base URL of a container, or says why there is none: an *Error with CodeUnimplemented, that it does not run here.
	// Nil: there are no containers.
	Container func(id string) (url string, err error)
	// Transport makes the requests that gateways send out: to http integrations, containers and keys of tokens.
	// Nil: NewTransport's, without idle connections.
	Transport http.RoundTripper
	// Invoked hears of each call to a container, as the function "container:ID", and to an http integration, "http:HOST/PATH", when it is
	// over. Nil: nobody does.
	Invoked func(runner.Invocation)
	// IAMToken gives the token of a service account, which http integrations may send along. Nil: Token, for everybody.
	IAMToken func(serviceAccountID string) (string, error)
	// Log hears of each request to a gateway and of each event of a socket, when it is over. It must not block. Nil: nobody does.
	Log func(GatewayLog)

	// Permit says why a service account may not act in a role on a resource of a kind: "function", "container" or "gateway".
	// An empty account is nobody in particular. Nil: everybody may. With StrictAuth what is not permitted fails as in the cloud,
	// else it goes through and a step tells of it.
	Permit     func(serviceAccountID, role, kind, id string) error
	StrictAuth bool
	// Authenticate judges the Authorization header of a REST call to the ConnectionService. Its error is an *Error, of
	// CodeUnauthenticated or CodePermissionDenied. Nil: everybody may.
	Authenticate func(authorization string) error

	// Admit says why the sender of an Authorization header may not act in a role on a resource of a kind, as Permit has them: it is
	// asked before a function or a container is called over HTTP, and a connection is dealt with over REST. Its error is an *Error.
	// Nil: everybody may.
	Admit func(authorization, role, kind, id string) error

	// TagOnCreateImage copies the pushed tag into CreateImage events: see words.Wording.
	TagOnCreateImage bool
}

// Cloud is one emulated cloud.
type Cloud struct {
	gateways    *gateways
	connections connections
	wording     words.Wording
	wiring      wiring
	warn        func(string)

	mu  sync.Mutex
	ids map[string]place // triggers by id
}

// New makes a cloud without gateways and triggers.
func New(o Options) *Cloud {
	d := &door{sockets: o.Gateway, clock: o.Clock, mint: &minter{random: o.Random}, note: o.Note, ctx: o.Context}
	if d.clock == nil {
		d.clock = clock.Real{}
	}
	if d.mint.random == nil {
		d.mint.random = rand.Reader
	}
	if d.note == nil {
		d.note = func(events.Step) {}
	}
	if d.ctx == nil {
		d.ctx = context.Background()
	}
	d.containers, d.outward = containers{o.Container}, outward{o.Transport, d.clock, d.mint, o.Invoked}
	d.token, d.log, d.issuers = o.IAMToken, o.Log, &issuers{}
	d.authenticate, d.admit = o.Authenticate, o.Admit
	if d.containers.url == nil {
		d.containers.url = func(id string) (string, error) {
			return "", fmt.Errorf("got %s, which is no container here; there is none", quote(id))
		}
	}
	if d.outward.transport == nil {
		t := NewTransport()
		t.DisableKeepAlives = true // nobody would close them
		d.outward.transport = t
	}
	if d.token == nil {
		d.token = func(string) (string, error) { return Token, nil }
	}
	d.permits = &permits{ask: o.Permit, strict: o.StrictAuth, clock: d.clock, note: d.note}
	d.functions = &functions{invoke: o.Invoke, ids: o.Functions, resolve: o.Resolve}
	if o.Invoke == nil || o.Functions == nil {
		d.functions = &functions{
			invoke: func(context.Context, string, runner.Request) (runner.Response, error) {
				return runner.Response{}, runner.ErrNoFunction
			},
			ids: func() []string { return nil },
		}
	}
	c := &Cloud{
		gateways: &gateways{door: d, byID: make(map[string]*gatewayHandler)},
		wording:  words.Wording{CloudID: CloudID, FolderID: FolderID, TagOnCreateImage: o.TagOnCreateImage},
		warn:     o.Warn,
		ids:      make(map[string]place),
	}
	if c.warn == nil {
		c.warn = func(string) {}
	}
	c.connections = connections{o.Gateway, c.gateways}
	c.wiring = wiring{
		broadcast: o.Gateway.Broadcast, paths: c.gateways.paths, gateways: c.gateways.ids,
		functions: d.functions, containers: d.containers, outward: d.outward, permits: d.permits,
		deadLetter: o.DeadLetter, clock: d.clock, note: d.note, closing: o.Closing,
	}
	return c
}

// ServeGateway serves a request to a gateway; the request's path starts at the gateway's root.
func (c *Cloud) ServeGateway(w http.ResponseWriter, r *http.Request, gatewayID string) {
	h := c.gateways.handler(gatewayID)
	if h == nil {
		write(w, r, failed(http.StatusNotFound, fmt.Sprintf("there is no gateway %s; there is %s",
			quote(gatewayID), oneOf(c.gateways.ids()))))
		return
	}
	h.ServeHTTP(w, r)
}

// Word says what happened in the cloud's words: the events of the changes, in order.
func (c *Cloud) Word(changes []events.Change) []events.Event {
	var out []events.Event
	for i, change := range changes {
		if e, ok := c.wording.Word(i, change); ok {
			out = append(out, e)
		}
	}
	return out
}
