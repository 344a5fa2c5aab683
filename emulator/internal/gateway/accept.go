package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Socket is a connection to be let in, and the doors out of it.
type Socket struct {
	ID          string      // unique among the connections of the gateway
	Path        string      // opaque: what Broadcast names
	Header      http.Header // more headers of the 101 answer
	Subprotocol string      // the one chosen; empty: none
	Since       time.Time   // what Info says of when it came, and its life is counted from; zero: now
	First       *Message    // sent before anything else
	// Message hears what the client says: one message at a time, in order. While it runs the socket is not read, so a slow one
	// slows this client only. The data are the callee's to keep.
	Message func(id string, m Message)
	// Closed is called once when the connection is over and Message has returned, whoever ended it. The code is the client's if it
	// closed first (1005: it gave none), ours if we did, and 1006 when the client vanished.
	Closed func(info Info, code int, reason string)
}

// Accept turns a request into a connection. The handler of the request returns when Accept does. On an error the request has been
// answered: as Check says, 503 when the gateway takes no more.
func (g *Gateway) Accept(w http.ResponseWriter, r *http.Request, s Socket) error {
	if bad := g.Check(r); bad != nil {
		for name, values := range bad.Header {
			w.Header()[name] = values
		}
		http.Error(w, bad.Text, bad.Status)
		return bad
	}
	refuse := func(status int, err error) error {
		http.Error(w, err.Error(), status)
		return fmt.Errorf("gateway: accept %s: %w", s.ID, err)
	}
	var opening Opening
	if through := g.options.Faults.Open; through != nil {
		if opening = through(r, s); opening.Status != 0 {
			return refuse(opening.Status, errors.New(opening.Text))
		}
		s.Closed = opening.late(s.Closed)
	}
	hello, err := switching(r.Header.Get("Sec-Websocket-Key"), s.Subprotocol, s.Header)
	if err != nil {
		return refuse(http.StatusInternalServerError, err)
	}
	if s.First != nil {
		if len(s.First.Data) > g.limits.Message {
			return refuse(http.StatusInternalServerError, ErrTooBig)
		}
		hello = append(hello, g.encode([]Message{*s.First})...)
	}

	now := g.clock.Now()
	since := s.Since
	if since.IsZero() {
		since = now
	}
	c := &conn{g: g, message: s.Message, closed: s.Closed, info: Info{
		ID: s.ID, Path: s.Path, SourceIP: host(r.RemoteAddr), UserAgent: r.UserAgent(), Subprotocol: s.Subprotocol, ConnectedAt: since,
	}}
	c.active.Store(now.UnixNano())
	defer func() { // without the lock
		if opening.Opened != nil && c.wire != nil {
			opening.Opened()
		}
	}()
	// The connection is on its path before the client can know of it, and the lock lets nothing pass before hello.
	c.mu.Lock()
	defer c.mu.Unlock()
	switch err := g.join(c); {
	case errors.Is(err, ErrTaken):
		return refuse(http.StatusInternalServerError, err)
	case err != nil:
		return refuse(http.StatusServiceUnavailable, err)
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		c.state = over
		g.leave(c)
		g.forget(c)
		g.conns.Done()
		return refuse(http.StatusInternalServerError, err)
	}
	g.deadlines.set(c, c.info.ConnectedAt.Add(min(g.limits.Life, g.limits.Idle)))
	start := g.attachWire(c, bare(nc))
	told := c.tellOpened(r)
	if s.First != nil {
		c.tellSent(*s.First, nil)
	}
	await(told) // with the lock: a pass that has to end first has begun without c
	c.enqueue(entry{frames: hello, whole: true})
	c.torn, c.stalled = opening.Torn, opening.Slow
	start(early(rw.Reader))
	return nil
}

// attachPlain gives c a wire for any net.Conn.
func attachPlain(c *conn, nc net.Conn) (start func(early []byte)) {
	w := &plain{c: c, nc: nc}
	c.wire, c.reading = w, true
	return func(early []byte) { c.g.conns.Go(func() { w.listen(early) }) }
}

// early is what the client sent behind its handshake.
func early(r *bufio.Reader) []byte {
	p, _ := r.Peek(r.Buffered()) // what is buffered can be peeked
	return append([]byte(nil), p...)
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
