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

// In a bubble, over a pipe that holds nothing: a broadcast does not wait for the reader, frames that wait leave together, and the
// bubble's time closes the connection.
func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		ends := make(chan int, 1)
		g := gateway.New(gateway.Options{Clock: clock.Real{}})
		l := one{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			is.NoErr(g.Accept(w, r, gateway.Socket{ID: "1", Path: "/ws", Closed: func(_ gateway.Info, code int, _ string) { ends <- code }}))
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		client, theirs := net.Pipe()
		l.conn <- theirs
		r := shake(t, client)

		began := time.Now()
		for range 2 {
			is.Equal(g.Broadcast(t.Context(), "/ws", []gateway.Message{text("a"), text("b"), text("c")})[2].Connections, 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is.Equal(g.Drained(ctx), context.DeadlineExceeded) // nobody has read
		buf := make([]byte, 100)
		n, err := client.Read(buf)
		is.NoErr(err)
		is.Equal(n, 3*3) // one write
		is.Equal(frames(t, r, 3), "text 'a', text 'b', text 'c'")
		is.NoErr(g.Drained(t.Context()))

		r.send(masked(0x9, true, "p"))
		is.Equal(frames(t, r, 1), "pong 'p'")
		is.Equal(frames(t, r, 1), "close 1001")
		is.Equal(time.Since(began), 10*time.Minute+time.Second)
		is.Equal(frames(t, r, 1), "") // hung up on, for it does not answer
		is.Equal(time.Since(began), 10*time.Minute+6*time.Second)
		is.Equal(<-ends, 1001)

		is.NoErr(g.Close(t.Context()))
		is.NoErr(server.Close())
		is.Equal(<-served, http.ErrServerClosed)
		client.Close()
	})
}
