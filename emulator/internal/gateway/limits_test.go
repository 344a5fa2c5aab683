package gateway_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// A client that is silent for ten minutes is closed; its messages and pings count, its pongs and what it is sent do not.
func TestIdle(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		lively, silent := h.raw(t), h.raw(t)
		h.clock.Advance(10*time.Minute - time.Second)
		lively.send(masked(ws.OpPing, true, "p"))
		silent.send(join(masked(ws.OpPong, true, "p"))) // neither of the two is heard
		is.NoErr(h.Send("2", text("hello")))
		f, ok := lively.frame()
		is.True(ok)
		is.Equal(describe(f), "pong 'p'")

		h.clock.Advance(time.Second)
		news := <-h.news
		is.Equal(news.Cause, gateway.Idle)
		is.Equal(news.Info.ID, "2")
		is.Equal(frames(t, silent, 2), "text 'hello', close 1001")
		is.Equal(h.Count(), 1)

		lively.send(masked(ws.OpText, true, "message"))
		<-h.said
		h.clock.Advance(10*time.Minute - time.Second)
		is.Equal(len(h.news), 0)
		info, err := h.Get("1")
		is.NoErr(err)
		is.Equal(info.LastActiveAt, start.Add(10*time.Minute))
		h.clock.Advance(time.Second)
		is.Equal((<-h.news).Info.ID, "1")
		is.Equal(frames(t, lively, 1), "close 1001")
	})
}

func TestLife(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		r := h.raw(t)
		for range 6 {
			h.clock.Advance(9 * time.Minute)
			r.send(masked(ws.OpPing, true, ""))
			is.Equal(frames(t, r, 1), "pong ''")
		}
		h.clock.Advance(6*time.Minute - time.Second)
		is.Equal(h.Count(), 1)
		h.clock.Advance(time.Second)
		is.Equal((<-h.news).Cause, gateway.Old)
		is.Equal(frames(t, r, 1), "close 1001")
	})
}

// A client that does not answer a close is hung up on.
func TestCloseIsNotAnswered(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		r := h.raw(t)
		is.NoErr(h.Drop("1", 4000, "because", gateway.ByFunction))
		is.Equal(frames(t, r, 1), "close 4000")
		h.clock.Advance(5 * time.Second)
		is.Equal(frames(t, r, 1), "") // the end
		is.Equal((<-h.ends).code, 4000)
	})
}

func TestTooBigIsNews(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false)
	r := h.raw(t)
	r.send(long(32<<10 + 1))
	news := <-h.news
	is.Equal(news.Cause, gateway.Oversize)
	is.Equal(news.Code, 1009)
	is.Equal(frames(t, r, 2), "close 1009")
	r.Close()
	is.Equal((<-h.ends).code, 1009)
}

// A client that reads nothing is closed, with whole frames and a reason if it looks up in time. The others notice nothing.
func TestSlowReader(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) { o.Limits.Backlog = 1 << 20 })
		quick, slow := h.dial(t, "/ws"), h.raw(t)
		message := strings.Repeat("x", 100<<10)
		sent := 0
		for n := 2; n == 2; sent++ {
			n = h.Broadcast(t.Context(), "/ws", []gateway.Message{text(message)})[0].Connections
			_, got, err := quick.ReadMessage()
			is.NoErr(err)
			is.Equal(len(got), len(message))
		}
		news := <-h.news
		is.Equal(news.Cause, gateway.Slow)
		is.Equal(news.Info.ID, "2")
		is.True(errors.Is(h.Send("2", text("x")), gateway.ErrGone))

		whole := 0
		for {
			f, ok := slow.frame()
			is.True(ok)
			if f.Header.OpCode == ws.OpClose {
				is.Equal(binary.BigEndian.Uint16(f.Payload), uint16(1008))
				break
			}
			is.Equal(string(f.Payload), message)
			whole++
		}
		is.True(whole < sent)
		slow.Close()
		is.Equal((<-h.ends).code, 1008)
		is.NoErr(h.Drained(t.Context()))
	})
}

// What a socket does not take at once waits, and arrives.
func TestBacklog(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, func(o *gateway.Options, _ *house) { o.Limits.Backlog = 64 << 20 })
		c := h.dial(t, "/ws")
		const n, size = 300, 100 << 10 // far more than the kernel's buffers
		for i := range byte(n / 100) {
			ms := make([]gateway.Message, 100)
			for j := range ms {
				ms[j] = gateway.Message{Data: make([]byte, size), Binary: true}
				ms[j].Data[0], ms[j].Data[size-1] = i, byte(j)
			}
			is.Equal(h.Broadcast(t.Context(), "/ws", ms)[0].Connections, 1)
		}
		for i := range n {
			_, got, err := c.ReadMessage()
			is.NoErr(err)
			is.Equal(len(got), size)
			is.Equal(got[0], byte(i/100))
			is.Equal(got[size-1], byte(i%100))
		}
		is.NoErr(h.Drained(t.Context()))
	})
}

func TestSlowSenderHoldsNobodyUp(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		half := masked(ws.OpText, true, "slow")
		slow, quick := h.raw(t), h.raw(t)
		slow.send(half[:7])
		quick.send(masked(ws.OpText, true, "quick"))
		is.Equal((<-h.said).id, "2")
		slow.send(half[7:])
		is.Equal(string((<-h.said).m.Data), "slow")
	})
}

// A callback that takes long stops the reading of its own socket only, and messages stay in order.
func TestSlowCallback(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		release := make(chan struct{})
		h.socket = func(s *gateway.Socket) {
			hear := s.Message
			s.Message = func(id string, m gateway.Message) {
				if string(m.Data) == "wait" {
					<-release
				}
				hear(id, m)
			}
		}
		stuck, other := h.raw(t), h.raw(t)
		stuck.send(join(masked(ws.OpText, true, "wait"), masked(ws.OpText, true, "then"), masked(ws.OpClose, true, "")))
		other.send(masked(ws.OpText, true, "meanwhile"))
		is.Equal(string((<-h.said).m.Data), "meanwhile")
		is.Equal(h.Broadcast(t.Context(), "/ws", []gateway.Message{text("out")})[0].Connections, 2)
		is.Equal(frames(t, stuck, 1), "text 'out'") // it can still be written to
		close(release)
		is.Equal(string((<-h.said).m.Data), "wait")
		is.Equal(string((<-h.said).m.Data), "then")
		is.Equal((<-h.ends).code, 1005)
	})
}

// A connection that its peer drops leaves nothing behind.
func TestVanishing(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		c := h.dial(t, "/ws")
		is.NoErr(c.Close()) // without a close frame
		end := <-h.ends
		is.Equal(end.code, 1006)
		is.Equal(end.reason, "")
		is.Equal(h.Count(), 0)
		is.Equal(len(h.List()), 0)
		is.Equal(len(h.news), 0) // that is the client's doing
		is.True(errors.Is(h.Send("1", text("x")), gateway.ErrGone))
	})
}

// frames describes the next n frames, or fewer if the gateway hangs up.
func frames(t *testing.T, r *raw, n int) string {
	t.Helper()
	var heard []string
	for range n {
		f, ok := r.frame()
		if !ok {
			break
		}
		heard = append(heard, describe(f))
	}
	return strings.Join(heard, ", ")
}
