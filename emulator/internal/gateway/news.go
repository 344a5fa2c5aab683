package gateway

import (
	"net/http"
	"sync"
)

// What a gateway tells by Options.Opened, Sent, Received and Ended is told in the order in which it happens, path by path. A broadcast is
// told when it has been written to everybody, and while that lasts the news of a connection that it has reached already, or that has come
// too late for it, wait until then; so does what comes of them: the answer to a handshake, to a close, to who sends. So those that were told to be open when a broadcast is told are those that got it.

// SentFrame is a message to a connection, or to all of a path: see Options.Sent.
type SentFrame struct {
	Path        string // of the connection; empty when there is none with this id
	ID          string // of the connection; empty: a broadcast
	Message     Message
	Connections int   // that took it
	Err         error // why it was not taken: ErrGone, ErrTooBig, ErrSlow, ErrBusy
}

// Party is who ended a connection.
type Party string

// Parties.
const (
	ByClient   Party = "client" // it said so, or vanished
	ByGateway  Party = "gateway"
	ByFunction Party = "function" // or somebody else who called the management API
)

// teller keeps the news of a path in their order.
type teller struct {
	mu      sync.Mutex // held while the funcs of Options hear; after the lock of a connection
	pass    uint32     // number of the pass; changed under the path's lock as well
	running bool       // the pass goes on
	held    []func()
	over    chan struct{} // closed at the end of the pass; nil until somebody waits for it
}

// end tells what the pass was about, and then what has waited for it.
func (t *teller) end(news func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news()
	for _, held := range t.held {
		held()
	}
	t.running, t.held = false, nil
	if t.over != nil {
		close(t.over)
		t.over = nil
	}
}

// wait is closed when the pass that runs is over; nil: none does. The caller holds the lock.
func (t *teller) wait() <-chan struct{} {
	if t.running && t.over == nil {
		t.over = make(chan struct{})
	}
	return t.over
}

// calm returns when no pass runs.
func (t *teller) calm() {
	t.mu.Lock()
	over := t.wait()
	t.mu.Unlock()
	await(over)
}

// tell has news of a connection told. It returns what is closed when that is done; nil: it is. The caller holds the connection's lock.
func (c *conn) tell(news func()) (told <-chan struct{}) {
	t := &c.path.news
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running && c.had == t.pass {
		t.held = append(t.held, news)
		return t.wait()
	}
	news()
	return nil
}

func await(told <-chan struct{}) {
	if told != nil {
		<-told
	}
}

func (c *conn) tellOpened(r *http.Request) (told <-chan struct{}) {
	hear := c.g.options.Opened
	if hear == nil {
		return nil
	}
	return c.tell(func() { hear(c.Info(), r) })
}

func (c *conn) tellSent(m Message, err error) (told <-chan struct{}) {
	hear := c.g.options.Sent
	if hear == nil {
		return nil
	}
	f := SentFrame{Path: c.info.Path, ID: c.info.ID, Message: m, Err: err}
	if err == nil {
		f.Connections = 1
	}
	return c.tell(func() { hear(f) })
}

func (c *conn) tellReceived(m Message) (told <-chan struct{}) {
	hear := c.g.options.Received
	if hear == nil {
		return nil
	}
	return c.tell(func() { hear(c.info.ID, c.info.Path, m) })
}

func (c *conn) tellEnded(by Party) (told <-chan struct{}) {
	hear := c.g.options.Ended
	if hear == nil {
		return nil
	}
	info, code, reason := c.Info(), c.code, c.reason
	return c.tell(func() { hear(info, code, reason, by) })
}

// Refused tells Options.Sent of a message that did not come as far as Send, since a façade has refused it.
func (g *Gateway) Refused(f SentFrame) { g.tellSent(f) }

func (g *Gateway) tellSent(f SentFrame) {
	if g.options.Sent != nil {
		g.options.Sent(f)
	}
}
