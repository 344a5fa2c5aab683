package gateway_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
)

// one is a listener for a single connection in memory.
type one struct {
	conn chan net.Conn
	done chan struct{}
}

func (l one) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l one) Close() error   { close(l.done); return nil }
func (l one) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// pipe is a gateway in a bubble with one connection over a pipe that holds nothing. shut ends both.
func pipe(t *testing.T) (g *gateway.Gateway, r *raw, ends chan int, shut func()) {
	is := is.New(t)
	ends = make(chan int, 1)
	g = gateway.New(gateway.Options{Clock: clock.Real{}})
	l := one{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		is.NoErr(g.Accept(w, r, gateway.Socket{ID: "1", Path: "/ws", Closed: func(_ gateway.Info, code int, _ string) { ends <- code }}))
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	client, theirs := net.Pipe()
	l.conn <- theirs
	return g, shake(t, client), ends, func() {
		client.Close()
		is.NoErr(g.Close(t.Context()))
		is.NoErr(server.Close())
		is.Equal(<-served, http.ErrServerClosed)
	}
}

// A broadcast does not wait for the reader, its frames leave together, and the bubble's time closes the connection.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		g, r, ends, shut := pipe(t)
		defer shut()
		began := time.Now()
		for range 2 {
			is.Equal(g.Broadcast(t.Context(), "/ws", []gateway.Message{text("a"), text("b"), text("c")})[2].Connections, 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is.Equal(g.Drained(ctx), context.DeadlineExceeded) // nobody has read
		is.Equal(r.write(), 3*3)
		is.Equal(frames(t, r, 3), "text 'a', text 'b', text 'c'")
		is.NoErr(g.Drained(t.Context()))

		r.send(masked(0x9, true, "p"))
		is.Equal(frames(t, r, 1), "pong 'p'")
		is.Equal(frames(t, r, 1), "close 1001")
		is.Equal(time.Since(began), 10*time.Minute+time.Second)
		is.Equal(frames(t, r, 1), "") // hung up on, for it does not answer
		is.Equal(time.Since(began), 10*time.Minute+6*time.Second)
		is.Equal(<-ends, 1001)
	})
}

// Broadcasts that wait for their turn leave in one write; one whose context ends meanwhile does not leave.
func TestBroadcastsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		g, r, _, shut := pipe(t)
		defer shut()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		is.Equal(g.Broadcast(ctx, "/ws", []gateway.Message{text("late")}), []gateway.Sent{{}})

		release := gateway.Hold(g, "/ws")
		ctx, cancel = context.WithCancel(t.Context())
		sent := make(chan int, 4)
		for _, s := range []string{"a", "b", "impatient", "c"} {
			turn := t.Context()
			if s == "impatient" {
				turn = ctx
			}
			go func() { sent <- g.Broadcast(turn, "/ws", []gateway.Message{text(s)})[0].Connections }()
			synctest.Wait() // it waits for its turn
		}
		cancel()
		is.Equal(<-sent, 0)
		release()
		for range 3 {
			is.Equal(<-sent, 1)
		}
		is.Equal(r.write(), 3*3)
	})
}

// write reads what the gateway wrote at once, and returns its size.
func (r *raw) write() int {
	r.t.Helper()
	n, err := r.Read(make([]byte, 100))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}
