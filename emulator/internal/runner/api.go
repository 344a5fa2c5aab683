package runner

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// api is the runtime API of one process, on its own listener on the loopback interface.
type api struct {
	def    *definition
	clock  clock.Clock
	server *http.Server
	addr   string
	served chan struct{}    // closed when the server has ended
	work   chan *invocation // room for one: what the next next gets
	ready  chan struct{}    // closed when the init phase is over
	broken chan *failure    // room for one: what the process says is the end of it
	gone   chan struct{}    // closed when nothing more is given
	posts  sync.WaitGroup   // answers on their way through a handler; Add is called under mu unless ended

	mu         sync.Mutex
	ended      bool // no answer is taken any more
	state      state
	current    *invocation // from give until runtime and extensions ask for the next
	extensions map[string]*extension
}

// state is how far the runtime is, in Lambda's words.
type state string

const (
	started   state = "Started"
	initError state = "InitError"
	ready     state = "Ready"
	running   state = "Running"
	answering state = "InvocationResponse"
	failing   state = "InvocationErrorResponse"
	answered  state = "ResponseSent"
)

func newAPI(d *definition, c clock.Clock) (*api, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtime API: %w", err)
	}
	a := &api{
		def: d, clock: c, addr: listener.Addr().String(), state: started, extensions: map[string]*extension{},
		served: make(chan struct{}), work: make(chan *invocation, 1), ready: make(chan struct{}), broken: make(chan *failure, 1), gone: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") })
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", a.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", a.error)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", a.initError)
	a.routeExtensions(mux)
	a.server = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)} // no timeouts: next waits as long as it must
	go func() {
		defer close(a.served)
		_ = a.server.Serve(listener)
	}()
	return a, nil
}

// give hands an invocation to the runtime, which has asked for it, and to the extensions.
func (a *api) give(in *invocation, deadline time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = in
	in.deadline = deadline
	for _, x := range a.extensions {
		x.invoke(a.def, in)
	}
	a.work <- in
}

// settle waits for answers that are on their way through a handler, and takes no more; the process has exited.
func (a *api) settle() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.posts.Wait()
}

// close ends the API and waits for its listener. Handlers end with their connections.
func (a *api) close() {
	close(a.gone)
	_ = a.server.Close()
	<-a.served
	a.settle()
}

// advance moves on when the runtime and every extension ask for the next. The caller holds mu.
func (a *api) advance() {
	if a.state != ready {
		return
	}
	for _, x := range a.extensions {
		if x.busy {
			return
		}
	}
	if a.current != nil && a.current.isAnswered() {
		close(a.current.released)
		a.current = nil
		return
	}
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
}

func (a *api) next(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	switch a.state {
	case started, answered:
		a.state = ready
		a.advance()
	case ready: // asked again, say on a new connection
	default:
		defer a.mu.Unlock()
		forbid(w, a.state, ready)
		return
	}
	a.mu.Unlock()
	select {
	case in := <-a.work:
		a.mu.Lock()
		a.state = running
		a.mu.Unlock()
		a.write(w, in)
	case <-r.Context().Done():
	case <-a.gone:
		panic(http.ErrAbortHandler) // no answer: there is none that means "no more"
	}
}

func (a *api) write(w http.ResponseWriter, in *invocation) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(in.Payload)))
	h.Set("Lambda-Runtime-Aws-Request-Id", in.ID)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
	for name, value := range map[string]string{
		"Lambda-Runtime-Invoked-Function-Arn": a.def.ARN,
		"Lambda-Runtime-Trace-Id":             in.TraceID,
		"Lambda-Runtime-Client-Context":       in.ClientContext,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	_, _ = w.Write(in.Payload) // when the connection breaks, the process ends or the time runs out
}

// claim takes the right to answer the current invocation; it refuses any other and any other state.
func (a *api) claim(w http.ResponseWriter, r *http.Request, to state) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended || a.current == nil || a.current.ID != r.PathValue("id"):
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	case a.state != running:
		forbid(w, a.state, to)
	default:
		a.state = to
		a.posts.Add(1)
		return a.current
	}
	return nil
}

// sent notes that the answer is in.
func (a *api) sent() {
	a.mu.Lock()
	a.state = answered
	a.mu.Unlock()
	a.posts.Done()
}

func (a *api) response(w http.ResponseWriter, r *http.Request) {
	in := a.claim(w, r, answering)
	if in == nil {
		return
	}
	defer a.sent()
	a.crash(in, r)
	limit := MaxResponse
	switch mode := r.Header.Get("Lambda-Runtime-Function-Response-Mode"); mode {
	case "":
	case "streaming":
		limit = MaxStream
	default:
		in.answer(a.clock, errorBody("Runtime.InvalidResponseModeHeader", "RequestId: "+in.ID+" Error: response mode "+mode), unhandled)
		refuse(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
		return
	}
	body, err := read(r, limit)
	switch {
	case errors.Is(err, errBig):
		in.answer(a.clock, errorBody("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", limit)), unhandled)
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", limit))
	case err != nil:
		in.answer(a.clock, errorBody("Runtime.TruncatedResponse", "RequestId: "+in.ID+" Error: Response was cut off"), unhandled)
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
	default:
		functionError := ""
		if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" { // the function failed when it had begun to answer
			body, functionError = trailed(kind, r.Trailer.Get("Lambda-Runtime-Function-Error-Body")), unhandled
		}
		in.answer(a.clock, body, functionError)
		accept(w)
	}
}

// crash ends an answer that is to be lost: the environment kills the process.
func (a *api) crash(in *invocation, r *http.Request) {
	if in.Crash {
		_, _ = read(r, MaxStream) // it has done its work
		a.fail(crashed())
		panic(http.ErrAbortHandler)
	}
}

// trailed returns the error payload that came in trailers.
func trailed(kind, encoded string) []byte {
	if body, err := base64.StdEncoding.DecodeString(encoded); err == nil && len(body) > 0 {
		return body
	}
	return errorBody(kind, "")
}

func (a *api) error(w http.ResponseWriter, r *http.Request) {
	in := a.claim(w, r, failing)
	if in == nil {
		return
	}
	defer a.sent()
	a.crash(in, r)
	body, err := read(r, MaxResponse)
	if err != nil || len(body) == 0 {
		body = errorBody("Runtime.Unknown", "RequestId: "+in.ID+" Error: the runtime's error could not be read")
	}
	in.answer(a.clock, body, unhandled)
	accept(w)
}

func (a *api) initError(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	from := a.state
	taken := from == started && !a.ended
	if taken {
		a.state = initError
		a.posts.Add(1)
	}
	a.mu.Unlock()
	if !taken {
		forbid(w, from, initError)
		return
	}
	defer a.posts.Done()
	body, err := read(r, MaxResponse)
	var document errorDocument
	if err != nil || json.Unmarshal(body, &document) != nil {
		document.Message = "the runtime's error could not be read"
		body = nil
	}
	if kind := r.Header.Get("Lambda-Runtime-Function-Error-Type"); document.Type == "" {
		document.Type = kind
	}
	accept(w)
	_ = http.NewResponseController(w).Flush() // the process may be killed as soon as it is known
	a.fail(&failure{kind: document.Type, message: document.Message, payload: body, status: "error"})
}

// fail tells the environment that the process is of no more use. Only the first reason counts.
func (a *api) fail(f *failure) {
	select {
	case a.broken <- f:
	default:
	}
}

var errBig = errors.New("body too big")

// read reads a body of at most limit bytes. A longer one is read on for a while: a client in the middle of it would not see the answer.
func read(r *http.Request, limit int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err == nil && len(body) > limit {
		_, _ = io.CopyN(io.Discard, r.Body, 10*int64(limit))
		return nil, errBig
	}
	return body, err
}

func accept(w http.ResponseWriter) {
	answerJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func forbid(w http.ResponseWriter, from, to state) {
	refuse(w, http.StatusForbidden, "InvalidStateTransition",
		fmt.Sprintf("State transition from %s to %s failed for runtime. Error: State transition is not allowed", from, to))
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	answerJSON(w, status, errorDocument{Message: message, Type: kind})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v) // maps and structs of strings cannot fail
	body = append(body, '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
