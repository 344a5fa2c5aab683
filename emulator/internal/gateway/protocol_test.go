package gateway_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// join puts frames together.
func join(ps ...[]byte) []byte { return bytes.Join(ps, nil) }

// with changes the first bytes of a frame.
func with(frame []byte, head ...byte) []byte {
	copy(frame, head)
	return frame
}

func masks(op ws.OpCode, fin bool, payload []byte) []byte { return masked(op, fin, string(payload)) }

func status(code uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

// protocol is what a client sends, and what it hears from a gateway that echoes messages, until the gateway hangs up. A case that
// does not make the gateway hang up is followed by a close with 1000.
var protocol = []struct {
	name string
	send []byte
	hear string
}{
	// Messages.
	{"empty text", masked(ws.OpText, true, ""), "text ''"},
	{"empty binary", masked(ws.OpBinary, true, ""), "binary ''"},
	{"text of 125, 126, 127", join(long(125), long(126), long(127)), "text 125, text 126, text 127"},
	{"text of 32 KiB", long(32 << 10), "text 32768"},
	{"binary keeps any byte", masks(ws.OpBinary, true, []byte{0xff, 0xfe, 0}), "binary 'fffe00'"},

	// Fragments.
	{"two fragments", join(masked(ws.OpText, false, "a"), masked(ws.OpContinuation, true, "b")), "text 'ab'"},
	{"empty fragments", join(masked(ws.OpText, false, ""), masked(ws.OpContinuation, false, ""), masked(ws.OpContinuation, true, "")), "text ''"},
	{"ping between fragments", join(masked(ws.OpText, false, "a"), masked(ws.OpPing, true, "p"), masked(ws.OpContinuation, true, "b")), "pong 'p', text 'ab'"},
	{"four fragments of 32 KiB", join(fragment(ws.OpBinary, false), fragment(0, false), fragment(0, false), fragment(0, true)), "binary 131072"},
	{"continuation of nothing", masked(ws.OpContinuation, true, "x"), "close 1002"},
	{"continuation after the end", join(masked(ws.OpText, true, "x"), masked(ws.OpContinuation, true, "x")), "text 'x', close 1002"},
	{"text within fragments", join(masked(ws.OpText, false, "x"), masked(ws.OpText, true, "x")), "close 1002"},

	// Control frames.
	{"ping", masked(ws.OpPing, true, ""), "pong ''"},
	{"ping with bytes", masks(ws.OpPing, true, []byte{0, 0xff}), "pong '00ff'"},
	{"ping of 125", masked(ws.OpPing, true, strings.Repeat("p", 125)), "pong 125"},
	{"ping of 126", masked(ws.OpPing, true, strings.Repeat("p", 126)), "close 1002"},
	{"ten pings", bytes.Repeat(masked(ws.OpPing, true, "p"), 10), strings.Repeat("pong 'p', ", 9) + "pong 'p'"},
	{"pong nobody asked for", masked(ws.OpPong, true, "x"), ""},
	{"fragmented ping", masked(ws.OpPing, false, "p"), "close 1002"},
	{"continued ping", join(masked(ws.OpPing, false, "p"), masked(ws.OpContinuation, true, "p")), "close 1002"},

	// Bits and opcodes without a meaning.
	{"rsv1", with(masked(ws.OpText, true, "x"), 0xc1), "close 1002"},
	{"rsv2", with(masked(ws.OpText, true, "x"), 0xa1), "close 1002"},
	{"rsv3 on ping", with(masked(ws.OpPing, true, "x"), 0x99), "close 1002"},
	{"opcode 3", masked(3, true, "x"), "close 1002"},
	{"opcode 7", masked(7, true, ""), "close 1002"},
	{"opcode 11", masked(11, true, ""), "close 1002"},
	{"opcode 15 after text", join(masked(ws.OpText, true, "x"), masked(15, true, "")), "text 'x', close 1002"},
	{"no mask", bytesOf(ws.NewTextFrame([]byte("x"))), "close 1002"},
	{"no mask on ping", bytesOf(ws.NewPingFrame(nil)), "close 1002"},
	{"length in two bytes though it is short", []byte{0x81, 0xfe, 0, 1, 0, 0, 0, 0, 'x'}, "close 1002"},
	{"length in eight bytes though it is short", []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}, "close 1002"},
	{"length with its highest bit", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "close 1002"},

	// Text.
	{"runes of all lengths", masked(ws.OpText, true, "aж€😀"), "text 'aж€😀'"},
	{"a rune in pieces", join(masked(ws.OpText, false, "\xf0\x9f"), masked(ws.OpContinuation, false, ""), masked(ws.OpContinuation, true, "\x98\x80")), "text '😀'"},
	{"noncharacters", masked(ws.OpText, true, "\uffff\U0010ffff"), "text '\uffff\U0010ffff'"},
	{"a byte that is none", masked(ws.OpText, true, "a\xffb"), "close 1007"},
	{"a rune that is too long", masked(ws.OpText, true, "\xc0\x80"), "close 1007"},
	{"a surrogate", masked(ws.OpText, true, "\xed\xa0\x80"), "close 1007"},
	{"past the last rune", masked(ws.OpText, true, "\xf4\x90\x80\x80"), "close 1007"},
	{"half a rune", masked(ws.OpText, true, "\xf0\x9f\x98"), "close 1007"},
	{"half a rune, then another", join(masked(ws.OpText, false, "\xf0\x9f"), masked(ws.OpContinuation, true, "a")), "close 1007"},
	{"wrong before the end", masked(ws.OpText, false, "a\xff"), "close 1007"}, // at once

	// Limits.
	{"frame of 32 KiB and 1", long(32<<10 + 1)[:8], "close 1009"}, // its header is enough
	{"frame of 2^62", []byte{0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "close 1009"},
	{"message of 128 KiB and 1", join(fragment(ws.OpBinary, false), fragment(0, false), fragment(0, false), fragment(0, false), masked(0, true, "x")), "close 1009"},

	// Closing.
	{"close", masked(ws.OpClose, true, ""), "close"},
	{"close with a code", masks(ws.OpClose, true, status(1000, "")), "close 1000"},
	{"close with a reason of 123", masks(ws.OpClose, true, status(3000, strings.Repeat("r", 123))), "close 3000"},
	{"close of 126", masks(ws.OpClose, true, status(1000, strings.Repeat("r", 124))), "close 1002"},
	{"close of 1 byte", masked(ws.OpClose, true, "x"), "close 1002"},
	{"close with a reason that is no text", masks(ws.OpClose, true, status(1000, "\xff")), "close 1007"},
	{"text after close", join(masked(ws.OpClose, true, ""), masked(ws.OpText, true, "x")), "close"},
	{"ping after close", join(masked(ws.OpClose, true, ""), masked(ws.OpPing, true, "x")), "close"},
	{"close twice", join(masked(ws.OpClose, true, ""), masks(ws.OpClose, true, status(1001, ""))), "close"},
	{"close within fragments", join(masked(ws.OpText, false, "x"), masks(ws.OpClose, true, status(1001, ""))), "close 1001"},
}

func long(n int) []byte { return masked(ws.OpText, true, strings.Repeat("x", n)) }

func fragment(op ws.OpCode, fin bool) []byte { return masked(op, fin, strings.Repeat("x", 32<<10)) }

func TestProtocol(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		h := newHouse(t, plain)
		h.socket = func(s *gateway.Socket) {
			s.Message = func(id string, m gateway.Message) { _ = h.Send(id, m) } // fails when the client closed meanwhile
		}
		hear := func(t *testing.T, send []byte, want string, deliver func(*raw, []byte)) {
			is := is.New(t)
			if !strings.Contains(want, "close") {
				send = join(send, masks(ws.OpClose, true, status(1000, "")))
				want = strings.TrimPrefix(want+", close 1000", ", ")
			}
			r := h.raw(t)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				deliver(r, send)
			}()
			var heard []string
			for f, ok := r.frame(); ok; f, ok = r.frame() {
				heard = append(heard, describe(f))
			}
			is.Equal(strings.Join(heard, ", "), want)
			r.Close()
			<-sent
			<-h.ends
			for len(h.news) > 0 {
				<-h.news
			}
		}
		for _, c := range protocol {
			t.Run(c.name, func(t *testing.T) {
				hear(t, c.send, c.hear, func(r *raw, p []byte) { _, _ = r.Write(p) }) // the gateway may hang up first
				if len(c.send) < 1<<10 {
					hear(t, c.send, c.hear, func(r *raw, p []byte) {
						for i := range p {
							_, _ = r.Write(p[i : i+1])
						}
					})
				}
			})
		}
		for code := range uint16(5002) {
			valid := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
			if code%500 > 18 && code%500 < 499 {
				continue // the ranges' ends are what matters
			}
			want := "close 1002"
			if valid {
				want = fmt.Sprint("close ", code)
			}
			hear(t, masks(ws.OpClose, true, status(code, "")), want, func(r *raw, p []byte) { _, _ = r.Write(p) })
		}
	})
}

// describe words a frame as the table does.
func describe(f ws.Frame) string {
	p := f.Payload
	switch f.Header.OpCode {
	case ws.OpClose:
		if len(p) < 2 {
			return "close"
		}
		return fmt.Sprint("close ", binary.BigEndian.Uint16(p))
	case ws.OpPong:
		return "pong " + short(p, bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r > '~' }))
	case ws.OpBinary:
		return "binary " + short(p, true)
	case ws.OpText:
		return "text " + short(p, false)
	}
	return fmt.Sprintf("%#v", f.Header)
}

func short(p []byte, hex bool) string {
	switch {
	case len(p) > 100:
		return fmt.Sprint(len(p))
	case hex:
		return fmt.Sprintf("'%x'", p)
	}
	return fmt.Sprintf("'%s'", p)
}

// What the client sent in one piece with its handshake is not lost.
func TestEarlyBytes(t *testing.T) {
	both(t, func(t *testing.T, plain bool) {
		is := is.New(t)
		h := newHouse(t, plain)
		early := masked(ws.OpText, true, "early")
		r := h.raw(t, early, early[:3])
		is.Equal(string((<-h.said).m.Data), "early")
		r.send(early[3:])
		is.Equal(string((<-h.said).m.Data), "early")
	})
}

// However the bytes are split, the reader says the same.
func FuzzReader(f *testing.F) {
	for _, c := range protocol {
		if len(c.send) < 1<<10 {
			f.Add(c.send, []byte{1, 2, 3})
		}
	}
	f.Add(join(long(300), fragment(ws.OpText, false)[:400]), []byte{200, 200})
	f.Fuzz(func(t *testing.T, sent, cuts []byte) {
		const message, frame = 600, 400
		whole, half := gateway.NewReader(message, frame), gateway.NewReader(message, frame)
		want, ended := says(whole, bytes.Clone(sent))
		var got []string
		rest, over := bytes.Clone(sent), false
		for i := 0; len(rest) > 0 && !over; i++ {
			n := len(rest)
			if i < len(cuts) {
				n = min(int(cuts[i]), n)
			}
			var said []string
			said, over = says(half, rest[:n:n])
			got, rest = append(got, said...), rest[n:]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("in pieces: %q, whole: %q", got, want)
		}
		if !ended && whole.AtRest() != half.AtRest() {
			t.Fatal("one is at rest, the other is not")
		}
	})
}

// says feeds a reader and lists what comes out.
func says(r *gateway.Reader, p []byte) (said []string, ended bool) {
	for len(p) > 0 {
		op, data, rest, ok, code := r.Next(p)
		if code != 0 {
			return append(said, fmt.Sprint("violation ", code)), true
		}
		if ok {
			said = append(said, fmt.Sprintf("%d %x", op, data))
		}
		p = rest
	}
	return said, false
}
