package yandex_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const mine = "d5dmine" // the gateway of a house

// house is a cloud with one gateway behind a real listener.
type house struct {
	t     *testing.T
	cloud *yandex.Cloud
	clock *clock.Manual
	url   string
	steps chan events.Step
	warns []string
}

func build(t *testing.T, spec string, more ...func(*yandex.Options)) *house {
	t.Helper()
	h := &house{t: t, steps: make(chan events.Step, 100), clock: clock.NewManual(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))}
	room := gateway.New(gateway.Options{Clock: h.clock})
	o := yandex.Options{
		Gateway: room, Clock: h.clock, Context: t.Context(),
		Note: func(s events.Step) { h.steps <- s },
		Warn: func(s string) { h.warns = append(h.warns, s) },
	}
	for _, f := range more {
		f(&o)
	}
	h.cloud = yandex.New(o)
	if spec != "" {
		is.New(t).NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "spec.yaml", Spec: []byte(spec)}))
	}
	is.New(t).NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "default-gateway.yaml", Spec: yandex.DefaultGateway()}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		http.StripPrefix("/"+id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.cloud.ServeGateway(w, r, id)
		})).ServeHTTP(w, r)
	}))
	h.url = server.URL + "/"
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = room.Close(now) // sockets that a test left open are cut
		server.Close()
	})
	return h
}

// answer is what a plain request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (h *house) ask(method, path string, header ...string) answer {
	h.t.Helper()
	return h.send(method, path, "", header...)
}

// send is ask with a body.
func (h *house) send(method, path, body string, header ...string) answer {
	h.t.Helper()
	is := is.New(h.t)
	r, err := http.NewRequest(method, h.url+mine+path, strings.NewReader(body))
	is.NoErr(err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(r)
	is.NoErr(err)
	got, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	return answer{res.StatusCode, res.Header, string(got)}
}

// dial opens a socket on a path of a gateway; the answer is what the handshake got.
func (h *house) dial(gatewayID, path string, o *websocket.DialOptions) (*websocket.Conn, answer) {
	h.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if o == nil {
		o = &websocket.DialOptions{}
	}
	o.HTTPClient = client
	c, res, err := websocket.Dial(h.t.Context(), h.url+gatewayID+path, o)
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
	return c, a
}

// open is dial that must succeed on the house's own gateway.
func (h *house) open(path string) *websocket.Conn {
	h.t.Helper()
	c, a := h.dial(mine, path, nil)
	if c == nil {
		h.t.Fatalf("dial %s: %d %s", path, a.status, a.body)
	}
	return c
}

// frame reads the next message; binary ones are marked.
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

// function is a door to one function, d4emine, whose calls the test answers.
type function struct {
	requests chan runner.Request
	answers  chan result
}

type result struct {
	runner.Response
	err error
}

const its = "d4emine"

func newFunction() *function {
	return &function{requests: make(chan runner.Request, 100), answers: make(chan result, 100)}
}

func (f *function) wire(o *yandex.Options) {
	o.Functions = func() []string { return []string{"d4eother", its} }
	o.Invoke = func(ctx context.Context, function string, r runner.Request) (runner.Response, error) {
		if function != its {
			return runner.Response{}, runner.ErrNoFunction
		}
		f.requests <- r
		select {
		case a := <-f.answers:
			return a.Response, a.err
		case <-ctx.Done():
			return runner.Response{}, ctx.Err()
		}
	}
}

// says is what a function gives back; failing is how it fails.
func says(payload string) result { return result{Response: runner.Response{Payload: []byte(payload)}} }

func failing(payload string) result {
	return result{Response: runner.Response{FunctionError: "Unhandled", Payload: []byte(payload)}}
}
