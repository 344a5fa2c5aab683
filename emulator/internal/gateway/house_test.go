package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
)

const handshake = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nUser-Agent: test\r\n\r\n"

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// ending is what Socket.Closed heard.
type ending struct {
	info   gateway.Info
	code   int
	reason string
}

// said is what Socket.Message heard.
type said struct {
	id string
	m  gateway.Message
}

// house is a gateway behind a server: the connection ids are 1, 2, …, the path is the request's.
type house struct {
	*gateway.Gateway
	clock   *clock.Manual
	server  *httptest.Server
	socket  func(*gateway.Socket) // may change what is accepted
	said    chan said
	ends    chan ending
	news    chan gateway.Closed
	refused chan error
	ids     atomic.Int64
}

type houseOption func(*gateway.Options, *house)

func newHouse(t testing.TB, plain bool, options ...houseOption) *house {
	h := &house{
		clock: clock.NewManual(start), said: make(chan said, 1000), ends: make(chan ending, 1000),
		news: make(chan gateway.Closed, 1000), refused: make(chan error, 1000),
	}
	o := gateway.Options{Clock: h.clock, Closed: func(c gateway.Closed) { h.news <- c }}
	for _, option := range options {
		option(&o, h)
	}
	h.Gateway = gateway.New(o)
	if plain {
		gateway.Plain(h.Gateway)
	}
	h.server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(func() {
		h.server.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // clients that are still there need not answer
		_ = h.Close(ctx)
	})
	return h
}

func (h *house) serve(w http.ResponseWriter, r *http.Request) {
	s := gateway.Socket{
		ID: fmt.Sprint(h.ids.Add(1)), Path: r.URL.Path,
		Message: func(id string, m gateway.Message) { h.said <- said{id, m} },
		Closed:  func(info gateway.Info, code int, reason string) { h.ends <- ending{info, code, reason} },
	}
	if h.socket != nil {
		h.socket(&s)
	}
	if err := h.Accept(w, r, s); err != nil {
		h.refused <- err
	}
}

func (h *house) url(path string) string { return "ws" + h.server.URL[len("http"):] + path }

// dial opens a socket as gorilla's client does.
func (h *house) dial(t testing.TB, path string) *websocket.Conn {
	t.Helper()
	c, resp, err := websocket.DefaultDialer.Dial(h.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { c.Close() })
	return c
}

// raw is a client that writes bytes and reads frames.
type raw struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

// raw opens a socket by hand; early is sent in one piece with the handshake.
func (h *house) raw(t testing.TB, early ...[]byte) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", h.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil { // a gateway that says nothing fails the test
		t.Fatal(err)
	}
	return shake(t, nc, early...)
}

func shake(t testing.TB, nc net.Conn, early ...[]byte) *raw {
	t.Helper()
	hello := []byte(handshake)
	for _, p := range early {
		hello = append(hello, p...)
	}
	r := &raw{t, nc, bufio.NewReader(nc)}
	r.send(hello)
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered %s", resp.Status)
	}
	return r
}

func (r *raw) send(p []byte) {
	r.t.Helper()
	if _, err := r.Write(p); err != nil {
		r.t.Fatal(err)
	}
}

// frame reads one frame; false: the server has hung up.
func (r *raw) frame() (ws.Frame, bool) {
	r.t.Helper()
	h, err := ws.ReadHeader(r.in)
	if err != nil {
		return ws.Frame{}, false
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(r.in, p); err != nil {
		r.t.Fatalf("a frame ends early: %v", err)
	}
	return ws.Frame{Header: h, Payload: p}, true
}

// masked is a frame as a client sends it.
func masked(op ws.OpCode, fin bool, payload string) []byte {
	return bytesOf(ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(payload)), [4]byte{1, 2, 3, 4}))
}

func bytesOf(f ws.Frame) []byte { return ws.MustCompileFrame(f) }

func text(s string) gateway.Message { return gateway.Message{Data: []byte(s)} }

// both runs a test over the plain wire and the platform's own.
func both(t *testing.T, test func(t *testing.T, plain bool)) {
	t.Run("plain", func(t *testing.T) { test(t, true) })
	t.Run("own", func(t *testing.T) { test(t, false) })
}
