package gateway_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

func adjust(change func(*gateway.Options)) houseOption {
	return func(o *gateway.Options, _ *house) { change(o) }
}

func TestFragments(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, adjust(func(o *gateway.Options) { o.Fragments = []int{3, 0, 2} }))
		c := h.raw(t)
		is.NoErr(h.Send("1", gateway.Message{Data: []byte("abcdefgh")}))
		is.NoErr(h.Send("1", gateway.Message{}))
		for _, want := range []struct {
			op   ws.OpCode
			fin  bool
			data string
		}{
			{ws.OpText, false, "abc"}, {ws.OpContinuation, false, "d"}, {ws.OpContinuation, false, "ef"},
			{ws.OpContinuation, true, "gh"}, {ws.OpText, true, ""},
		} {
			f, ok := c.frame()
			is.True(ok)
			is.Equal(f.Header.OpCode, want.op)
			is.Equal(f.Header.Fin, want.fin)
			is.Equal(string(f.Payload), want.data)
		}
	})
}

func TestCloseCanEchoTheReason(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, adjust(func(o *gateway.Options) { o.EchoReason = true }))
		c := h.dial(t, "/ws")
		is.NoErr(c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "lunch"), time.Time{}))
		_, _, err := c.ReadMessage()
		var closed *websocket.CloseError
		is.True(errors.As(err, &closed))
		is.Equal(*closed, websocket.CloseError{Code: 4000, Text: "lunch"})
	})
}

func TestSentCanCountAsActivity(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, adjust(func(o *gateway.Options) { o.SentCounts, o.GoingAway = true, "Going away" }))
		c := h.dial(t, "/ws")
		h.clock.Advance(9 * time.Minute)
		is.NoErr(h.Send("1", gateway.Message{Data: []byte("x")}))
		info, err := h.Get("1")
		is.NoErr(err)
		is.Equal(info.LastActiveAt, start.Add(9*time.Minute))
		h.clock.Advance(9 * time.Minute) // 18 minutes after it came: not idle
		_, data, err := c.ReadMessage()
		is.NoErr(err)
		is.Equal(string(data), "x")
		h.clock.Advance(time.Minute)
		_, _, err = c.ReadMessage()
		var closed *websocket.CloseError
		is.True(errors.As(err, &closed))
		is.Equal(*closed, websocket.CloseError{Code: 1001, Text: "Going away"})
	})
}

func TestSince(t *testing.T) {
	is := is.New(t)
	h := newHouse(t, false)
	h.socket = func(s *gateway.Socket) { s.Since = start.Add(-55 * time.Minute) }
	c := h.dial(t, "/ws")
	info, err := h.Get("1")
	is.NoErr(err)
	is.Equal(info.ConnectedAt, start.Add(-55*time.Minute))
	h.clock.Advance(5 * time.Minute) // its hour is over
	_, _, err = c.ReadMessage()
	is.True(websocket.IsCloseError(err, 1001))
}

func TestSlowCanStay(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain, adjust(func(o *gateway.Options) { o.KeepSlow, o.Limits.Backlog = true, 1<<20 }))
		c := h.dial(t, "/ws")
		m := gateway.Message{Data: bytes.Repeat([]byte("x"), 100<<10)}
		sent := 0
		var err error
		for ; err == nil; sent++ {
			err = h.Send("1", m)
		}
		is.Equal(err, gateway.ErrBusy)
		for range sent - 1 { // what was taken arrives
			_, data, err := c.ReadMessage()
			is.NoErr(err)
			is.Equal(len(data), len(m.Data))
		}
		is.NoErr(h.Drained(t.Context()))
		is.NoErr(h.Send("1", gateway.Message{Data: []byte("again")}))
		_, data, err := c.ReadMessage()
		is.NoErr(err)
		is.True(strings.HasPrefix(string(data), "again"))
	})
}
