package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// Two clients of other hands talk with the gateway.
func TestClients(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		big := strings.Repeat("ж", 64<<10) // 128 KiB
		echo := func(h *house) {
			h.socket = func(s *gateway.Socket) {
				s.Message = func(id string, m gateway.Message) {
					if err := h.Send(id, m); err != nil {
						t.Error(err)
					}
				}
			}
		}
		t.Run("gorilla", func(t *testing.T) {
			is := is.New(t)
			h := newHouse(t, plain)
			echo(h)
			c := h.dial(t, "/ws")
			for _, s := range []string{"", "hello", big[:32<<10]} {
				is.NoErr(c.WriteMessage(websocket.TextMessage, []byte(s)))
				kind, got, err := c.ReadMessage()
				is.NoErr(err)
				is.Equal(kind, websocket.TextMessage)
				is.Equal(string(got), s)
			}
			is.NoErr(c.WriteMessage(websocket.BinaryMessage, []byte{0xff, 0}))
			kind, got, err := c.ReadMessage()
			is.NoErr(err)
			is.Equal(kind, websocket.BinaryMessage)
			is.Equal(got, []byte{0xff, 0})

			w, err := c.NextWriter(websocket.TextMessage) // gorilla cuts it into frames of its buffer's size
			is.NoErr(err)
			for i := 0; i < len(big); i += 1 << 10 {
				_, err = w.Write([]byte(big[i : i+1<<10]))
				is.NoErr(err)
			}
			is.NoErr(w.Close())
			_, got, err = c.ReadMessage()
			is.NoErr(err)
			is.True(string(got) == big)

			is.NoErr(c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4321, "bye"), time.Time{}))
			_, _, err = c.ReadMessage()
			is.True(websocket.IsCloseError(err, 4321))
			end := <-h.ends
			is.Equal(end.code, 4321)
			is.Equal(end.reason, "bye")
		})
		t.Run("coder", func(t *testing.T) {
			is := is.New(t)
			h := newHouse(t, plain)
			echo(h)
			ctx := t.Context()
			c, _, err := coder.Dial(ctx, h.url("/ws"), nil)
			is.NoErr(err)
			defer c.CloseNow()
			c.SetReadLimit(1 << 20)
			for _, s := range []string{"", "hello", big[:32<<10]} {
				is.NoErr(c.Write(ctx, coder.MessageText, []byte(s)))
				kind, got, err := c.Read(ctx)
				is.NoErr(err)
				is.Equal(kind, coder.MessageText)
				is.Equal(string(got), s)
			}
			ctx = c.CloseRead(ctx)
			is.NoErr(c.Ping(ctx))
			is.NoErr(c.Close(coder.StatusNormalClosure, "done"))
			end := <-h.ends
			is.Equal(end.code, 1000)
			is.Equal(end.reason, "done")
			is.Equal(h.Count(), 0)
		})
	})
}

func TestAcceptTellsFirst(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		h.socket = func(s *gateway.Socket) {
			s.First, s.Subprotocol = &gateway.Message{Data: []byte("first")}, "graphql-ws"
			s.Header = map[string][]string{"X-Connection-Id": {s.ID}}
		}
		dialer := websocket.Dialer{Subprotocols: []string{"mqtt", "graphql-ws"}}
		c, resp, err := dialer.Dial(h.url("/ws"), map[string][]string{"User-Agent": {"tester"}})
		is.NoErr(err)
		defer c.Close()
		is.Equal(resp.Header.Get("X-Connection-Id"), "1")
		is.Equal(c.Subprotocol(), "graphql-ws")
		is.Equal(h.Broadcast(t.Context(), "/ws", []gateway.Message{text("second")})[0].Connections, 1)
		for _, want := range []string{"first", "second"} {
			_, got, err := c.ReadMessage()
			is.NoErr(err)
			is.Equal(string(got), want)
		}
		info, err := h.Get("1")
		is.NoErr(err)
		is.Equal(info, gateway.Info{
			ID: "1", Path: "/ws", SourceIP: "127.0.0.1", UserAgent: "tester", Subprotocol: "graphql-ws", ConnectedAt: start, LastActiveAt: start,
		})
		is.Equal(h.List(), []gateway.Info{info})
	})
}

func TestBroadcast(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		is.Equal(h.Broadcast(t.Context(), "/a", []gateway.Message{text("lost")}), []gateway.Sent{{}}) // nobody is there
		a1, a2, b := h.dial(t, "/a"), h.dial(t, "/a"), h.dial(t, "/b")
		sent := h.Broadcast(t.Context(), "/a", []gateway.Message{text("one"), {Data: make([]byte, 128<<10+1)}, {Data: []byte{1}, Binary: true}})
		is.Equal(sent, []gateway.Sent{{Connections: 2}, {TooBig: true}, {Connections: 2}})
		is.Equal(h.Broadcast(t.Context(), "/b", []gateway.Message{text("b")}), []gateway.Sent{{Connections: 1}})
		for _, c := range []*websocket.Conn{a1, a2} {
			kind, got, err := c.ReadMessage()
			is.NoErr(err)
			is.Equal(kind, websocket.TextMessage)
			is.Equal(string(got), "one")
			kind, got, err = c.ReadMessage()
			is.NoErr(err)
			is.Equal(kind, websocket.BinaryMessage)
			is.Equal(got, []byte{1})
		}
		_, got, err := b.ReadMessage()
		is.NoErr(err)
		is.Equal(string(got), "b")
		is.NoErr(h.Drained(t.Context()))
	})
}

func TestSendAndDrop(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		c := h.dial(t, "/ws")
		big := make([]byte, 128<<10)
		is.NoErr(h.Send("1", gateway.Message{Data: big, Binary: true}))
		is.True(errors.Is(h.Send("1", gateway.Message{Data: make([]byte, 128<<10+1)}), gateway.ErrTooBig))
		is.True(errors.Is(h.Send("2", text("x")), gateway.ErrGone))
		is.True(errors.Is(h.Drop("2", 1000, "", gateway.ByFunction), gateway.ErrGone))
		is.NoErr(h.Drop("1", 1000, "", gateway.ByFunction))
		is.True(errors.Is(h.Drop("1", 1000, "", gateway.ByFunction), gateway.ErrGone)) // at once
		is.True(errors.Is(h.Send("1", text("x")), gateway.ErrGone))
		_, err := h.Get("1")
		is.True(errors.Is(err, gateway.ErrGone))
		is.Equal(h.Broadcast(t.Context(), "/ws", []gateway.Message{text("x")})[0].Connections, 0)

		_, got, err := c.ReadMessage() // what was sent before is not lost
		is.NoErr(err)
		is.Equal(len(got), len(big))
		_, _, err = c.ReadMessage()
		is.True(websocket.IsCloseError(err, 1000))
		end := <-h.ends
		is.Equal(end.code, 1000)
		is.Equal(end.info.ID, "1")
		is.Equal(len(h.news), 0) // the caller knows
	})
}

func TestClose(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		c := h.dial(t, "/ws")
		deaf := h.raw(t) // never answers
		ctx, cancel := context.WithCancel(t.Context())
		closed := make(chan error, 1)
		go func() { closed <- h.Close(ctx) }()
		_, _, err := c.ReadMessage()
		is.True(websocket.IsCloseError(err, 1001))
		is.Equal((<-h.ends).info.ID, "1") // it has answered
		is.Equal(frames(t, deaf, 1), "close 1001")
		is.Equal(len(closed), 0)
		cancel()
		is.True(errors.Is(<-closed, context.Canceled))
		is.Equal((<-h.ends).code, 1001)
		_, _, err = websocket.DefaultDialer.Dial(h.url("/ws"), nil)
		is.True(errors.Is(err, websocket.ErrBadHandshake))
		is.True(errors.Is(<-h.refused, gateway.ErrClosed))
		is.NoErr(h.Close(t.Context())) // again
	})
}

func TestConnectionLimit(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false, func(o *gateway.Options, _ *house) { o.Limits.Connections = 1 })
	h.dial(t, "/ws")
	_, resp, err := websocket.DefaultDialer.Dial(h.url("/ws"), nil)
	is.True(err != nil)
	is.Equal(resp.StatusCode, 503)
	is.True(errors.Is(<-h.refused, gateway.ErrFull))
	is.NoErr(h.Drop("1", 1000, "", gateway.ByFunction))
	h.dial(t, "/ws")
}

// Everybody who is there when a broadcast is called gets it, in the order of the calls, whatever comes and goes meanwhile.
func TestBroadcastsAreOrdered(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		h.socket = func(s *gateway.Socket) { s.Header = map[string][]string{"X-Id": {s.ID}} }
		const clients, calls, each = 8, 100, 3
		stop, churned := make(chan struct{}), make(chan struct{})
		go func() { // others come, are dropped, and hang up
			defer close(churned)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				c, resp, err := websocket.DefaultDialer.Dial(h.url("/ws"), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n%2 == 0 {
					if err := h.Drop(resp.Header.Get("X-Id"), 1000, "", gateway.ByFunction); err != nil {
						t.Error(err)
					}
				}
				c.Close()
			}
		}()
		done := make(chan error, clients)
		for range clients {
			c := h.dial(t, "/ws")
			go func() {
				for i := range calls * each {
					_, got, err := c.ReadMessage()
					if err != nil {
						done <- err
						return
					}
					if want := fmt.Sprint(i/each, " ", i%each); string(got) != want {
						done <- fmt.Errorf("message %d is %q, want %q", i, got, want)
						return
					}
				}
				done <- nil
			}()
		}
		for i := range calls {
			var ms []gateway.Message
			for j := range each {
				ms = append(ms, text(fmt.Sprint(i, " ", j)))
			}
			for _, sent := range h.Broadcast(t.Context(), "/ws", ms) {
				is.True(sent.Connections >= clients)
			}
		}
		for range clients {
			is.NoErr(<-done)
		}
		close(stop)
		<-churned
	})
}

// Broadcasts called at once reach everybody in one order.
func TestBroadcastsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		const clients, callers, calls = 4, 4, 50
		heard := make(chan []string, clients)
		for range clients {
			c := h.dial(t, "/ws")
			go func() {
				var all []string
				for range callers * calls {
					_, got, err := c.ReadMessage()
					if err != nil {
						t.Error(err)
						break
					}
					all = append(all, string(got))
				}
				heard <- all
			}()
		}
		for caller := range callers {
			go func() {
				for call := range calls {
					m := text(fmt.Sprintf("%d %02d", caller, call))
					if sent := h.Broadcast(t.Context(), "/ws", []gateway.Message{m}); sent[0].Connections != clients {
						t.Error(sent)
					}
				}
			}()
		}
		first := <-heard
		for range clients - 1 {
			is.Equal(<-heard, first)
		}
		slices.SortStableFunc(first, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
		is.True(slices.IsSorted(first)) // each caller's in its order
	})
}
