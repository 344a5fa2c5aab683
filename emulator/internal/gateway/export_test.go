package gateway

import "github.com/gobwas/ws"

// Plain makes the gateway use the plain wire for every connection.
func Plain(g *Gateway) { g.attachWire = attachPlain }

// Reader is the frame reader by itself.
type Reader struct{ r reader }

// NewReader returns a reader with these limits.
func NewReader(message, frame int) *Reader {
	return &Reader{reader{message: message, frame: frame}}
}

// Next is the reader's next.
func (r *Reader) Next(p []byte) (op ws.OpCode, data, rest []byte, ok bool, code int) {
	got, rest, ok, v := r.r.next(p)
	if v != nil {
		return 0, nil, nil, false, v.code
	}
	return got.op, got.data, rest, ok, 0
}

// AtRest is the reader's atRest.
func (r *Reader) AtRest() bool { return r.r.atRest() }

// Hold takes the turn to write to a path until release is called.
func Hold(g *Gateway, key string) (release func()) {
	p := g.paths[key]
	p.turn <- struct{}{}
	return func() { <-p.turn }
}

// AtWrite has f called once, when something is written to a connection.
func AtWrite(g *Gateway, id string, f func()) {
	c := g.find(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire = &hookedWire{c.wire, c, f}
}

type hookedWire struct {
	wire
	c *conn
	f func()
}

func (w *hookedWire) write(p []byte) (int, error) {
	w.c.wire = w.wire
	w.f()
	return w.wire.write(p)
}
