package gateway

import (
	"context"
	"errors"
	"net/http"
)

// Faults are doors where things go wrong on purpose: each stands before something that the gateway does. Nil: nothing.
type Faults struct {
	// Open is asked about a connection whose handshake is in order.
	Open func(*http.Request, Socket) Opening
	// Send stands before a message to a connection that there is; send sends it. It may call send never, later or twice.
	Send func(id, path string, m Message, send func() error) error
	// Broadcast stands before messages for a path.
	Broadcast func(ctx context.Context, path string, ms []Message, send func(context.Context, []Message) []Sent) []Sent
}

// Opening is what becomes of a connection. The zero value: it is let in, and all is well.
type Opening struct {
	Status int    // not 0: it is refused with this status and
	Text   string // this text
	Torn   bool   // see Tear; the answer to the handshake is not cut
	Slow   bool   // see Stall; the answer to the handshake is sent
	Opened func() // called when it is open
	Closed func() // called before Socket.Closed, which waits for it
}

// errTorn is what push says when the frame is to be cut.
var errTorn = errors.New("gateway: the frame is cut")

func (o Opening) late(closed func(Info, int, string)) func(Info, int, string) {
	if o.Closed == nil || closed == nil {
		return closed
	}
	return func(info Info, code int, reason string) {
		o.Closed()
		closed(info, code, reason)
	}
}

// Tear has the next frame for a connection cut in the middle, and the connection with it.
func (g *Gateway) Tear(id string) error { return g.with(id, func(c *conn) { c.torn = true }) }

// Cut ends a connection without a word, as if the network had gone.
func (g *Gateway) Cut(id string) error {
	return g.with(id, func(c *conn) {
		c.part(codeAbnormal, "", ByGateway)
		c.hangUp()
	})
}

// Stall has a connection take nothing any more, as if its client did not read. Drained does not wait for it.
func (g *Gateway) Stall(id string) error {
	return g.with(id, func(c *conn) {
		c.stalled = true
		c.count(false)
	})
}

// Resume ends all stalls.
func (g *Gateway) Resume() {
	for _, c := range g.all() {
		c.resume()
	}
}

func (c *conn) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stalled {
		return
	}
	c.stalled = false
	if c.state != over && !c.queue.empty() {
		c.count(true)
		c.wire.resume()
	}
}

// Rest tells that an Opening.Closed only waits for its time, until it calls resume: Drained does not wait for it meanwhile.
func (g *Gateway) Rest() (resume func()) {
	g.backlogs.add(-1)
	return func() { g.backlogs.add(1) }
}

// On returns the ids of the open connections of a path.
func (g *Gateway) On(path string) []string {
	var ids []string
	for _, info := range g.List() {
		if info.Path == path {
			ids = append(ids, info.ID)
		}
	}
	return ids
}

// with does something with an open connection.
func (g *Gateway) with(id string, do func(*conn)) error {
	c := g.find(id)
	if c == nil {
		return ErrGone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return ErrGone
	}
	do(c)
	return nil
}

// held says whether what waits, which is something, is kept by a stall. What the gateway itself has begun with is not.
func (c *conn) held() bool { return c.stalled && !c.queue.entries[0].whole }

// pieces are what may be written of what waits.
func (c *conn) pieces(p [][]byte) [][]byte {
	p = c.queue.peek(p)
	if c.stalled {
		p = p[:1]
	}
	return p
}

// tear sends the first half of frames, and hangs up when that is out.
func (c *conn) tear(frames []byte) {
	n := len(frames) / 2
	if boundary(frames, n) == n {
		n++
	}
	c.part(codeAbnormal, "", ByGateway)
	c.enqueue(entry{frames: frames[:n], whole: true})
	c.whenDrained(c.hangUp)
}

// count keeps the gateway's account of connections for which something waits.
func (c *conn) count(waits bool) {
	switch {
	case waits && !c.counted:
		c.g.backlogs.add(1)
	case !waits && c.counted:
		c.g.backlogs.add(-1)
	}
	c.counted = waits
}
