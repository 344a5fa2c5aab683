package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

func TestTear(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		c := h.raw(t)
		is.NoErr(h.Send("1", text("whole")))
		f, ok := c.frame()
		is.True(ok && string(f.Payload) == "whole")
		is.NoErr(h.Tear("1"))
		is.NoErr(h.Send("1", text("a message that is cut"))) // whoever sends does not know
		rest, err := io.ReadAll(c.in)
		is.NoErr(err)
		want := bytesOf(ws.NewTextFrame([]byte("a message that is cut")))
		is.Equal(rest, want[:len(want)/2])
		end := <-h.ends
		is.Equal(end.code, 1006)
		is.True(errors.Is(h.Send("1", text("x")), gateway.ErrGone))
		is.NoErr(h.Drained(t.Context()))
	})
}

// However short a frame is, and however many leave together, one of them is cut in its middle.
func TestTearNeverBetweenFrames(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		for _, ms := range [][]gateway.Message{{text("")}, {text("1")}, {text("same"), text("same")}} {
			c := h.raw(t)
			id := h.On("/ws")[0]
			is.NoErr(h.Tear(id))
			is.Equal(h.Broadcast(t.Context(), "/ws", ms)[0].Connections, 0) // nobody has got it
			rest, err := io.ReadAll(c.in)
			is.NoErr(err)
			var all []byte
			for _, m := range ms {
				all = append(all, bytesOf(ws.NewTextFrame(m.Data))...)
			}
			is.True(len(rest) > 0 && len(rest) < len(all) && len(rest) != len(all)/len(ms))
			is.Equal((<-h.ends).code, 1006)
		}
	})
}

func TestCut(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		c := h.dial(t, "/ws")
		is.NoErr(h.Cut("1"))
		_, _, err := c.ReadMessage()
		is.True(websocket.IsCloseError(err, websocket.CloseAbnormalClosure)) // not a word
		is.Equal((<-h.ends).code, 1006)
		is.True(errors.Is(h.Cut("1"), gateway.ErrGone))
	})
}

func TestStall(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) { o.Limits.Backlog, o.KeepSlow = 3000, true })
		c := h.raw(t)
		is.NoErr(h.Stall("1"))
		long := strings.Repeat("x", 1000)
		is.NoErr(h.Send("1", text(long)))
		is.NoErr(h.Send("1", text(long)))
		is.True(errors.Is(h.Send("1", text(long)), gateway.ErrBusy)) // as with a client that does not read
		is.NoErr(h.Drained(t.Context()))                             // and nobody waits for it
		h.Resume()
		for range 2 {
			f, ok := c.frame()
			is.True(ok && string(f.Payload) == long)
		}
		is.NoErr(h.Send("1", text("on")))
		f, ok := c.frame()
		is.True(ok && string(f.Payload) == "on")
		is.NoErr(h.Drained(t.Context()))
	})
}

// A stalled connection is closed as slow like any, and does not outlive the time that it has for that.
func TestStallUntilGivenUp(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) { o.Limits.Backlog = 1000 })
		h.raw(t)
		is.NoErr(h.Stall("1"))
		is.True(errors.Is(h.Send("1", text(strings.Repeat("x", 2000))), gateway.ErrSlow))
		is.Equal((<-h.news).Cause, gateway.Slow)
		h.clock.Advance(5 * time.Second)
		is.Equal((<-h.ends).code, 1008)
		is.NoErr(h.Drained(t.Context()))
	})
}

func TestFaultsOfSending(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false, func(o *gateway.Options, _ *house) {
		o.Faults = gateway.Faults{
			Send: func(id, path string, m gateway.Message, send func() error) error {
				if string(m.Data) == "twice" {
					_ = send()
				}
				if string(m.Data) == "busy" {
					return gateway.ErrBusy
				}
				return send()
			},
			Broadcast: func(ctx context.Context, path string, ms []gateway.Message, send func(context.Context, []gateway.Message) []gateway.Sent) []gateway.Sent {
				if path != "/ws" {
					return []gateway.Sent{{Err: gateway.ErrClosed}}
				}
				return send(ctx, append(ms, ms...))[:len(ms)]
			},
		}
	})
	c := h.raw(t)
	is.NoErr(h.Send("1", text("twice")))
	is.True(errors.Is(h.Send("1", text("busy")), gateway.ErrBusy))
	is.Equal(h.Broadcast(t.Context(), "/ws", []gateway.Message{text("all")}), []gateway.Sent{{Connections: 1}})
	is.Equal(h.Broadcast(t.Context(), "/other", []gateway.Message{text("all")}), []gateway.Sent{{Err: gateway.ErrClosed}})
	for _, want := range []string{"twice", "twice", "all", "all"} {
		f, ok := c.frame()
		is.True(ok && string(f.Payload) == want)
	}
	is.True(errors.Is(h.Send("2", text("twice")), gateway.ErrGone))
}

func TestFaultsOfOpening(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		opened, late := make(chan string, 1), make(chan struct{})
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) {
			o.Faults.Open = func(r *http.Request, s gateway.Socket) gateway.Opening {
				switch r.URL.Path {
				case "/no":
					return gateway.Opening{Status: 429, Text: "too many"}
				case "/torn":
					return gateway.Opening{Torn: true}
				case "/slow":
					return gateway.Opening{Slow: true, Opened: func() { opened <- s.ID }}
				case "/late":
					return gateway.Opening{Closed: func() { <-late }}
				}
				return gateway.Opening{}
			}
		})
		_, res, err := websocket.DefaultDialer.Dial(h.url("/no"), nil)
		is.True(err != nil)
		is.Equal(res.StatusCode, 429)
		is.True(<-h.refused != nil)

		torn := h.dial(t, "/torn")
		is.Equal(h.Broadcast(t.Context(), "/torn", []gateway.Message{text("hello")})[0].Connections, 0)
		_, _, err = torn.ReadMessage()
		is.True(err != nil)
		<-h.ends

		slow := h.dial(t, "/slow")
		id := <-opened
		is.NoErr(h.Send(id, text("hello")))
		h.Resume()
		_, data, err := slow.ReadMessage()
		is.NoErr(err)
		is.Equal(string(data), "hello")

		is.NoErr(h.dial(t, "/late").Close())
		select {
		case <-h.ends:
			t.Fatal("its end is told at once")
		default:
		}
		close(late)
		is.Equal((<-h.ends).info.Path, "/late")
	})
}
