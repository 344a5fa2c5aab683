// Package gateway holds the sockets: connections by path, their frames, queues and limits, in no cloud's words.
//
// Doors in: Accept, Broadcast, Send, Drop, Get. Doors out: the funcs of Socket and Options. A path is an opaque key; a façade
// chooses it (gateway id and route template) and words everything that clients and integrations see.
//
// One message is one frame, whatever its size, unless Options.Fragments says otherwise. A frame for many sockets is encoded once and
// shared; it is written straight to each socket without blocking, and what a socket does not take waits in its bounded queue. On Linux
// a socket at rest owns no goroutine and no buffer; elsewhere, and for TLS and in-memory connections, it costs one goroutine that reads.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Errors of Send, Drop, Get and Accept.
var (
	ErrGone   = errors.New("gateway: no such connection")
	ErrTooBig = errors.New("gateway: message too big")
	ErrSlow   = errors.New("gateway: the connection does not keep up and was closed")
	ErrClosed = errors.New("gateway: closed")
	ErrFull   = errors.New("gateway: too many connections")
	ErrTaken  = errors.New("gateway: connection id in use")
	ErrBusy   = errors.New("gateway: the connection's queue is full") // with Options.KeepSlow
)

// closeWait is how long a peer has to answer our close.
const closeWait = 5 * time.Second

// Options make a Gateway. The zero value works.
type Options struct {
	Clock  clock.Clock // nil: clock.Real
	Limits Limits
	// Origins lists who may connect from a browser: patterns of path.Match for "host" or "scheme://host". Empty: anybody.
	Origins []string
	// Closed hears that the gateway itself closed a connection, and why. It is called from goroutines of the gateway, for several
	// connections at once, and must not block for long. Drop and Close are not news.
	Closed func(Closed)

	// What follows tells what happens, in its order: see news.go. They are called with locks held, so they must not call the gateway, and
	// while they block the path stands still. Nil: nobody is told.
	Opened   func(Info, *http.Request)                          // before the first frame; the request is theirs during the call
	Sent     func(SentFrame)                                    // once for each message, and once for a broadcast's
	Received func(id, path string, m Message)                   // before Socket.Message; the data must not change
	Ended    func(info Info, code int, reason string, by Party) // whoever ended it; nothing is sent to it after

	// Faults are doors for what goes wrong on purpose. The zero value: nothing does.
	Faults Faults

	// KeepSlow leaves a connection open whose queue is full: what does not fit is refused with ErrBusy. Else it is closed as slow.
	KeepSlow bool
	// SentCounts keeps a connection from being idle by what is sent to it, too.
	SentCounts bool
	// EchoReason answers a client's close with its reason, not with its code alone.
	EchoReason bool
	// GoingAway is the reason given with code 1001. Empty: the gateway says why.
	GoingAway string
	// Fragments are the sizes of the frames of an outgoing message, in turn, the last again and again, for clients that must put
	// messages together. None: one message is one frame.
	Fragments []int
}

// Limits bound what a connection may do. Zero fields have the defaults given.
type Limits struct {
	Message     int           // bytes of a message, either way: 128 KiB
	Frame       int           // bytes of an incoming frame: 32 KiB
	Life        time.Duration // of a connection: 60 minutes
	Idle        time.Duration // without a message or ping from the client (see Options.SentCounts): 10 minutes
	Backlog     int           // bytes that wait for one connection: 16 MiB. More closes it: a slow reader slows nobody
	Connections int           // open at once: no limit
}

// Message is what a WebSocket message carries.
type Message struct {
	Data   []byte
	Binary bool
	// For the record.
	Events []string // ids of the events inside, where they are known
	Sender string   // the invocation that sends it, by its id or trace, where that is known
}

// Info describes a connection.
type Info struct {
	ID, Path            string
	SourceIP, UserAgent string
	Subprotocol         string
	ConnectedAt         time.Time
	LastActiveAt        time.Time // the last message or ping from the client, or message to it with Options.SentCounts
}

// Cause says why the gateway closed a connection.
type Cause string

// Causes.
const (
	Slow      Cause = "slow"      // its queue was full; close code 1008
	Idle      Cause = "idle"      // Limits.Idle; 1001
	Old       Cause = "old"       // Limits.Life; 1001
	Oversize  Cause = "oversize"  // Limits.Message or Limits.Frame; 1009
	Violation Cause = "violation" // of the WebSocket protocol; 1002 or 1007
)

// Closed is news of a connection that the gateway closed.
type Closed struct {
	Info   Info
	Cause  Cause
	Code   int // sent to the client
	Reason string
}

// Gateway holds connections. Close it.
type Gateway struct {
	options   Options
	clock     clock.Clock
	limits    Limits
	deadlines deadlines
	backlogs  backlogs
	buffers   sync.Pool // of *[readSize]byte, lent to whoever reads
	poller    poller
	// attachWire gives a connection its wire and returns what starts it.
	attachWire func(*conn, net.Conn) (start func(early []byte))

	conns sync.WaitGroup // connections that are not over, and all their goroutines
	stop  chan struct{}
	timer sync.WaitGroup // the goroutine of the deadlines
	once  sync.Once      // closes stop

	mu     sync.RWMutex
	closed bool
	open   int              // connections that are neither closing nor over
	ids    map[string]*conn // all that are not over
	paths  map[string]*path // those with connections
}

// New returns a gateway without connections.
func New(o Options) *Gateway {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	l := &o.Limits
	l.Message = cmp.Or(l.Message, 128<<10)
	l.Frame = cmp.Or(l.Frame, 32<<10)
	l.Life = cmp.Or(l.Life, time.Hour)
	l.Idle = cmp.Or(l.Idle, 10*time.Minute)
	l.Backlog = cmp.Or(l.Backlog, 16<<20)
	g := &Gateway{
		options: o, clock: o.Clock, limits: o.Limits,
		stop: make(chan struct{}),
		ids:  make(map[string]*conn), paths: make(map[string]*path),
	}
	g.buffers.New = func() any { return new([readSize]byte) }
	g.attachWire = g.attach
	g.deadlines.init(o.Clock)
	g.timer.Go(func() { g.deadlines.run(g.stop) })
	return g
}

// Send queues a message for one connection.
func (g *Gateway) Send(id string, m Message) error {
	c := g.find(id)
	if c == nil {
		err := ErrGone
		if len(m.Data) > g.limits.Message {
			err = ErrTooBig
		}
		g.tellSent(SentFrame{ID: id, Message: m, Err: err})
		return err
	}
	if through := g.options.Faults.Send; through != nil {
		return through(id, c.info.Path, m, func() error { return c.post(m) })
	}
	return c.post(m)
}

// Drop closes a connection after what waits for it has been sent. The code must be one that may be sent, as 1000.
func (g *Gateway) Drop(id string, code int, reason string, by Party) error {
	c := g.find(id)
	if c == nil {
		return ErrGone
	}
	told, err := c.drop(code, reason, by)
	await(told)
	return err
}

// Get describes an open connection.
func (g *Gateway) Get(id string) (Info, error) {
	c := g.find(id)
	if c == nil || !c.isOpen() {
		return Info{}, ErrGone
	}
	return c.Info(), nil
}

// List describes all open connections, the oldest first.
func (g *Gateway) List() []Info {
	var infos []Info
	for _, c := range g.all() {
		if c.isOpen() {
			infos = append(infos, c.Info())
		}
	}
	slices.SortFunc(infos, func(a, b Info) int {
		return cmp.Or(a.ConnectedAt.Compare(b.ConnectedAt), cmp.Compare(a.ID, b.ID))
	})
	return infos
}

// Count returns how many connections are open.
func (g *Gateway) Count() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.open
}

// Begun grows with all that is begun: between two calls that return the same nothing came that Drained would have waited for.
func (g *Gateway) Begun() uint64 {
	g.backlogs.mu.Lock()
	defer g.backlogs.mu.Unlock()
	return g.backlogs.begun
}

// Drained returns when nothing waits in any connection's queue, and no func of a Socket or of Options is being called for a message or an end. A peer that does not read delays it until it is closed as slow.
func (g *Gateway) Drained(ctx context.Context) error { return g.backlogs.empty(ctx) }

// Close closes every connection with 1001, waits until their peers have answered and every func of every Socket has returned.
// When ctx ends, or closeWait after, the peers are no longer waited for. It must not be called from such a func.
func (g *Gateway) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	for _, c := range g.all() {
		c.mu.Lock()
		if c.state == open {
			c.goAway("the server stops", "")
		}
		c.mu.Unlock()
	}
	over := make(chan struct{})
	go func() {
		g.conns.Wait()
		close(over)
	}()
	var err error
	select {
	case <-over:
	case <-ctx.Done():
		err = context.Cause(ctx)
		for _, c := range g.all() {
			c.vanish()
		}
		<-over
	}
	g.once.Do(func() { close(g.stop) })
	g.timer.Wait()
	g.poller.close()
	return err
}

// join lets a connection in, whose lock the caller holds.
func (g *Gateway) join(c *conn) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return ErrClosed
	case g.limits.Connections > 0 && g.open >= g.limits.Connections:
		return ErrFull
	case g.ids[c.info.ID] != nil:
		return ErrTaken
	}
	p := g.paths[c.info.Path]
	if p == nil {
		p = newPath()
		g.paths[c.info.Path] = p
	}
	g.ids[c.info.ID] = c
	g.open++
	g.conns.Add(1)
	p.add(c)
	return nil
}

// leave takes a connection from its path: broadcasts no longer reach it. The caller holds the connection's lock.
func (g *Gateway) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if c.path.remove(c) == 0 && g.paths[c.info.Path] == c.path {
		delete(g.paths, c.info.Path)
	}
}

// forget drops a connection that is over.
func (g *Gateway) forget(c *conn) {
	g.mu.Lock()
	delete(g.ids, c.info.ID)
	g.mu.Unlock()
}

func (g *Gateway) find(id string) *conn {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.ids[id]
}

func (g *Gateway) all() []*conn {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*conn, 0, len(g.ids))
	for _, c := range g.ids {
		all = append(all, c)
	}
	return all
}
