package aws_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/events"
)

var start = time.Date(2026, 9, 25, 0, 22, 29, 887_000_000, time.UTC)

const (
	account = "123456789012"
	apiID   = "34jmzjm04l"
	apiHost = apiID + ".execute-api.us-east-1.amazonaws.com"
)

// function is a function of a house.
type function func(ctx context.Context, payload []byte) (string, error)

// says is a function that always answers the same.
func says(text string) function {
	return func(context.Context, []byte) (string, error) { return text, nil }
}

// raises is a function that fails.
type raises struct{ kind, message string }

func (r raises) Error() string { return r.message }

// invocation is what a function was invoked with.
type invocation struct {
	function string
	payload  []byte
	trace    string
}

// house is a cloud behind a real listener, with functions in this process. Its API has the stages dev and other and, if the test does
// not say otherwise, the routes $connect, $disconnect, $default and echo, which replies.
type house struct {
	t      *testing.T
	cloud  *aws.Cloud
	room   *gateway.Gateway
	clock  *clock.Manual
	server *httptest.Server
	steps  chan events.Step
	calls  chan invocation
	timers chan time.Duration // that the cloud has set

	mu        sync.Mutex
	functions map[string]function
	warns     []string
}

type change func(*aws.Options, *gateway.Options, *template.API)

func build(t *testing.T, changes ...change) *house {
	t.Helper()
	h := &house{
		t: t, clock: clock.NewManual(start), steps: make(chan events.Step, 1000), calls: make(chan invocation, 1000),
		timers: make(chan time.Duration, 1000),
		functions: map[string]function{
			"connect": says(`{"statusCode":200}`), "disconnect": says(`{"statusCode":200}`),
			"default": says(`{"statusCode":200,"body":"unheard"}`), "echo": says(`{"statusCode":200,"body":"heard"}`),
		},
	}
	api := template.API{
		LogicalID: "Ws", ID: apiID, Name: "ws", At: template.Place{File: "template.yaml", Line: 7}, RouteSelection: "$request.body.action",
		Stages: []template.Stage{{Name: "dev"}, {Name: "other"}},
		Routes: []template.Route{
			{Key: "$connect", Function: "connect"}, {Key: "$disconnect", Function: "disconnect"},
			{Key: "$default", Function: "default"}, {Key: "echo", Function: "echo", Reply: true},
		},
	}
	g := aws.SocketOptions(h.clock)
	o := aws.Options{
		Account: account, Clock: watched{h.clock, h.timers}, Invoke: h.invoke,
		Note: func(s events.Step) { h.steps <- s },
		Warn: func(s string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.warns = append(h.warns, s)
		},
	}
	for _, change := range changes {
		change(&o, &g, &api)
	}
	h.room = gateway.New(g)
	o.Gateway = h.room
	h.cloud = aws.New(o)
	is.New(t).NoErr(h.cloud.AddAPI(api, logical))
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.cloud.ServeAPI(w, r) {
			http.Error(w, "not ours", http.StatusTeapot)
		}
	}))
	h.server.Listener = gateway.KeepHeads(h.server.Listener)
	h.server.Config.ConnContext = gateway.KeepHead
	h.server.Start()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = h.cloud.Close(now) // sockets that a test left open are cut
		h.server.Close()
	})
	return h
}

// logical names a function as its logical id does, and knows no function "nobody".
func logical(id string) string {
	if id == "nobody" {
		return ""
	}
	return id
}

func (h *house) set(name string, f function) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.functions[name] = f
}

func (h *house) invoke(ctx context.Context, name string, q runner.Request) (runner.Response, error) {
	h.calls <- invocation{name, q.Payload, q.TraceID}
	h.mu.Lock()
	f := h.functions[name]
	h.mu.Unlock()
	if f == nil {
		return runner.Response{}, runner.ErrNoFunction
	}
	text, err := f(ctx, q.Payload)
	if r, ok := err.(raises); ok {
		payload, err := json.Marshal(map[string]string{"errorType": r.kind, "errorMessage": r.message})
		return runner.Response{ID: "req", Payload: payload, FunctionError: "Unhandled"}, err
	}
	return runner.Response{ID: "req", Payload: []byte(text)}, err
}

// watched is a clock that tells of timers.
type watched struct {
	*clock.Manual
	timers chan time.Duration
}

func (w watched) NewTimer(d time.Duration) clock.Timer {
	t := w.Manual.NewTimer(d)
	w.timers <- d
	return t
}

// pass waits until the cloud has set a timer and lets its time pass.
func (h *house) pass(d time.Duration) {
	for <-h.timers != d {
	}
	h.clock.Advance(d)
}

// call is the next invocation of a function; others are passed over.
func (h *house) call(name string) invocation {
	h.t.Helper()
	for {
		select {
		case c := <-h.calls:
			if c.function == name {
				return c
			}
		case <-h.t.Context().Done():
			h.t.Fatalf("%s was not invoked", name)
		}
	}
}

// step is the next step of a kind.
func (h *house) step(what string) events.Step {
	h.t.Helper()
	for {
		if s := <-h.steps; s.What == what {
			return s
		}
	}
}

// answer is what a plain request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (h *house) ask(method, path, body string, header ...string) answer {
	h.t.Helper()
	is := is.New(h.t)
	r, err := http.NewRequest(method, h.server.URL+path, strings.NewReader(body))
	is.NoErr(err)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	is.NoErr(err)
	data, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return answer{res.StatusCode, res.Header, string(data)}
}

// dial opens a socket; the answer is what the handshake got.
func (h *house) dial(path string, o *websocket.DialOptions) (*websocket.Conn, answer) {
	h.t.Helper()
	if o == nil {
		o = &websocket.DialOptions{}
	}
	o.HTTPClient = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c, res, err := websocket.Dial(h.t.Context(), h.server.URL+path, o)
	if res == nil {
		h.t.Fatalf("dial %s: %v", path, err)
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if err != nil {
		body, _ := io.ReadAll(res.Body)
		a.body = string(body)
		return nil, a
	}
	h.t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(1 << 20)
	return c, a
}

// open is dial that must succeed; it returns the connection's id, too.
func (h *house) open(path string) (*websocket.Conn, string) {
	h.t.Helper()
	c, a := h.dial(path, nil)
	if c == nil {
		h.t.Fatalf("dial %s: %d %s", path, a.status, a.body)
	}
	return c, h.step(aws.StepOpened).Data["connection_id"].(string)
}

func (h *house) frame(c *websocket.Conn) string {
	h.t.Helper()
	kind, data, err := c.Read(h.t.Context())
	is.New(h.t).NoErr(err)
	if kind == websocket.MessageBinary {
		return "binary:" + string(data)
	}
	return string(data)
}

func (h *house) say(c *websocket.Conn, text string) {
	h.t.Helper()
	is.New(h.t).NoErr(c.Write(h.t.Context(), websocket.MessageText, []byte(text)))
}

// ending reads until the socket is closed, and returns how.
func (h *house) ending(c *websocket.Conn) websocket.CloseError {
	h.t.Helper()
	for {
		if _, _, err := c.Read(h.t.Context()); err != nil {
			var e websocket.CloseError
			if !asClose(err, &e) {
				h.t.Fatal(err)
			}
			return e
		}
	}
}

// raw is a client that writes bytes.
type raw struct {
	net.Conn
	in *bufio.Reader
}

// raw sends a handshake as it stands and returns the head of the answer.
func (h *house) raw(request string) (*raw, string) {
	h.t.Helper()
	is := is.New(h.t)
	nc, err := net.Dial("tcp", h.server.Listener.Addr().String())
	is.NoErr(err)
	h.t.Cleanup(func() { _ = nc.Close() })
	is.NoErr(nc.SetDeadline(time.Now().Add(20 * time.Second))) // a cloud that says nothing fails the test
	_, err = io.WriteString(nc, strings.ReplaceAll(request, "\n", "\r\n"))
	is.NoErr(err)
	c := &raw{nc, bufio.NewReader(nc)}
	var head strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		is.NoErr(err)
		if line == "\r\n" {
			return c, head.String()
		}
		head.WriteString(line)
	}
}

func (c *raw) send(t *testing.T, f ws.Frame) {
	t.Helper()
	is.New(t).NoErr(ws.WriteFrame(c, ws.MaskFrame(f)))
}

func (c *raw) frame(t *testing.T) ws.Frame {
	t.Helper()
	is := is.New(t)
	h, err := ws.ReadHeader(c.in)
	is.NoErr(err)
	p := make([]byte, h.Length)
	_, err = io.ReadFull(c.in, p)
	is.NoErr(err)
	return ws.Frame{Header: h, Payload: p}
}

const handshake = `GET /dev?token=a&token=b&q=a%2Bb+c HTTP/1.1
Host: 127.0.0.1:8080
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Version: 13
Origin: https://example.org
User-Agent: ua
X-Probe: one

`

func asClose(err error, e *websocket.CloseError) bool { return errors.As(err, e) }
