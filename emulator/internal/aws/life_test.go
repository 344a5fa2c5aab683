package aws_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

func TestBinaryIsRefused(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.open("/dev")
	is.NoErr(c.Write(t.Context(), websocket.MessageBinary, []byte{1}))
	is.Equal(h.ending(c), websocket.CloseError{Code: 1003, Reason: "Binary is not supported"})
	is.True(strings.Contains(string(h.call("disconnect").payload), `"disconnectStatusCode":1003`))
}

func TestSizes(t *testing.T) {
	big := strings.Repeat("x", 32<<10)
	fragments := func(n int) []ws.Frame {
		var all []ws.Frame
		for i := range n {
			op := ws.OpContinuation
			if i == 0 {
				op = ws.OpText
			}
			all = append(all, ws.NewFrame(op, i == n-1, []byte(big)))
		}
		return all
	}
	for name, test := range map[string]struct {
		frames []ws.Frame
		fits   bool
	}{
		"frame of 32 KB":      {fragments(1), true},
		"frame over 32 KB":    {[]ws.Frame{ws.NewTextFrame([]byte(big + "x"))}, false},
		"message of 128 KB":   {fragments(4), true},
		"message over 128 KB": {append(fragments(5)[:4], ws.NewFrame(ws.OpContinuation, true, []byte("x"))), false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			c, _ := h.raw(handshake)
			for _, f := range test.frames {
				c.send(t, f)
			}
			if test.fits {
				h.call("default")
				return
			}
			f := c.frame(t)
			is.Equal(f.Header.OpCode, ws.OpClose)
			code, _ := ws.ParseCloseFrameData(f.Payload)
			is.Equal(int(code), 1009)
		})
	}
}

func TestPingsAreAnswered(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.raw(handshake)
	c.send(t, ws.NewPingFrame([]byte("p")))
	f := c.frame(t)
	is.Equal(f.Header.OpCode, ws.OpPong)
	is.Equal(string(f.Payload), "p")
}

func TestIdle(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	h.clock.Advance(9 * time.Minute)
	is.Equal(h.ask("POST", "/dev/@connections/"+id, "x").status, 200) // what is sent counts, too
	h.clock.Advance(9 * time.Minute)
	is.Equal(h.frame(c), "x")
	h.clock.Advance(time.Minute) // and no ping comes: the next that is read is the end
	is.Equal(h.ending(c), websocket.CloseError{Code: 1001, Reason: "Going away"})
	got := string(h.call("disconnect").payload)
	is.True(strings.Contains(got, `"disconnectStatusCode":1001`))
	is.True(strings.Contains(got, `"disconnectReason":"Going away"`))
}

func TestLife(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	for range 15 {
		h.clock.Advance(8 * time.Minute)
		h.ask("POST", "/dev/@connections/"+id, "x")
	}
	is.Equal(h.ending(c), websocket.CloseError{Code: 1001, Reason: "Going away"})
}

func TestCloseIsEchoed(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.raw(handshake)
	c.send(t, ws.NewCloseFrame(ws.NewCloseFrameBody(4321, "done <here>")))
	f := c.frame(t)
	code, reason := ws.ParseCloseFrameData(f.Payload)
	is.Equal(int(code), 4321)
	is.Equal(reason, "done <here>")
}

func TestDisconnectEventBytes(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.raw(handshake)
	c.send(t, ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "probe <complete>")))
	got := string(h.call("disconnect").payload)
	got = strings.ReplaceAll(plain(got), "HOST", "host")
	is.Equal(got, `{"headers":{"Host":"host","x-api-key":"","X-Forwarded-For":"","x-restapi":""},`+
		`"multiValueHeaders":{"Host":["host"],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},`+
		`"requestContext":{"routeKey":"$disconnect","disconnectStatusCode":1000,"eventType":"DISCONNECT","extendedRequestId":"REQUEST",`+
		`"requestTime":"25/Sep/2026:00:22:29 +0000","messageDirection":"IN","disconnectReason":"probe <complete>","stage":"dev",`+
		`"connectedAt":1790295749887,"requestTimeEpoch":1790295749887,"identity":{"userAgent":"ua","sourceIp":"127.0.0.1"},`+
		`"requestId":"REQUEST","domainName":"`+apiHost+`","connectionId":"ID","apiId":"`+apiID+`"},"isBase64Encoded":false}`)
}

func TestDisconnectRunsAfterTheSocketIsGone(t *testing.T) {
	is := is.New(t)
	h := build(t)
	done := make(chan int, 1)
	h.set("disconnect", func(_ context.Context, payload []byte) (string, error) {
		var e struct{ RequestContext struct{ ConnectionID string } }
		is.NoErr(json.Unmarshal(payload, &e))
		done <- h.ask("POST", "/dev/@connections/"+e.RequestContext.ConnectionID, "x").status
		return "", raises{"Error", "nobody hears of it"}
	})
	c, _ := h.open("/dev")
	is.NoErr(c.Close(1000, ""))
	is.Equal(<-done, 410)
}

func TestVanishedClient(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.open("/dev")
	is.NoErr(c.CloseNow())
	got := string(h.call("disconnect").payload)
	is.True(strings.Contains(got, `"disconnectStatusCode":1006`))
	is.True(strings.Contains(got, `"disconnectReason":""`))
}

func TestCloseOfTheCloudInvokesDisconnect(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.open("/dev")
	closed := make(chan error)
	go func() { closed <- h.cloud.Close(t.Context()) }()
	is.Equal(h.ending(c), websocket.CloseError{Code: 1001, Reason: "Going away"})
	is.NoErr(<-closed)
	is.True(strings.Contains(string(h.call("disconnect").payload), `"disconnectStatusCode":1001`))
}

// A $disconnect that hangs does not keep the cloud from closing.
func TestCloseOfTheCloudIsBounded(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("disconnect", func(ctx context.Context, _ []byte) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	c, _ := h.open("/dev")
	closed := make(chan error)
	go func() { closed <- h.cloud.Close(t.Context()) }()
	h.ending(c)
	h.call("disconnect")
	h.pass(10 * time.Second)
	is.NoErr(<-closed)
	is.Equal(h.ask("GET", "/dev", "").status, 503)
}

func TestFragments(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, g *gateway.Options, _ *template.API) { g.Fragments = []int{3, 4} })
	c, _ := h.raw(handshake)
	id := h.step(aws.StepOpened).Data["connection_id"].(string)
	h.ask("POST", "/dev/@connections/"+id, "abcdefghi")
	for _, want := range []struct {
		op   ws.OpCode
		fin  bool
		text string
	}{{ws.OpText, false, "abc"}, {ws.OpContinuation, false, "defg"}, {ws.OpContinuation, true, "hi"}} {
		f := c.frame(t)
		is.Equal(f.Header.OpCode, want.op)
		is.Equal(f.Header.Fin, want.fin)
		is.Equal(string(f.Payload), want.text)
	}
}
