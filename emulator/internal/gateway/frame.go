package gateway

import (
	"bytes"
	"strings"

	"github.com/gobwas/ws"
)

// Close codes of RFC 6455 that the gateway itself uses.
const (
	codeGoingAway = 1001
	codeProtocol  = 1002
	codeNoStatus  = 1005
	codeAbnormal  = 1006
	codeInvalid   = 1007
	codePolicy    = 1008
	codeTooBig    = 1009
)

// encode makes the frames of messages in one piece of memory.
func (g *Gateway) encode(ms []Message) []byte {
	size := 0
	for _, m := range ms {
		size += ws.MaxHeaderSize + len(m.Data)
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	for _, m := range ms {
		op := ws.OpText
		if m.Binary {
			op = ws.OpBinary
		}
		rest := m.Data
		for i := 0; ; i++ {
			n := g.fragment(i, len(rest))
			put(b, ws.NewFrame(op, n == len(rest), rest[:n]))
			if n == len(rest) {
				break
			}
			op, rest = ws.OpContinuation, rest[n:]
		}
	}
	return b.Bytes()
}

// fragment is how much of what is left of a message goes into its frame i.
func (g *Gateway) fragment(i, left int) int {
	sizes := g.options.Fragments
	if len(sizes) == 0 {
		return left
	}
	return min(max(sizes[min(i, len(sizes)-1)], 1), left)
}

func closeFrame(code int, reason string) []byte {
	var body []byte
	if code != codeNoStatus {
		reason = strings.ToValidUTF8(reason[:min(len(reason), ws.MaxControlFramePayloadSize-2)], "")
		body = ws.NewCloseFrameBody(ws.StatusCode(code), reason)
	}
	return control(ws.NewCloseFrame(body))
}

func control(f ws.Frame) []byte {
	var b bytes.Buffer
	put(&b, f)
	return b.Bytes()
}

func put(b *bytes.Buffer, f ws.Frame) {
	ws.MustWriteFrame(b, f) // a bytes.Buffer takes everything
}

// boundary returns where the frame ends that holds byte at of frames, or at if a frame begins there.
func boundary(frames []byte, at int) int {
	end := 0
	for end < at {
		r := bytes.NewReader(frames[end:])
		h, err := ws.ReadHeader(r)
		if err != nil {
			return len(frames) // cannot be: the frames are our own
		}
		end = len(frames) - r.Len() + int(h.Length)
	}
	return end
}

// mayBeSent says which close codes may appear in a frame: those with a meaning in the IANA registry, and the free ranges.
func mayBeSent(code ws.StatusCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}
