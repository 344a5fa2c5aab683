package gateway

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// readSize is how much is read at once.
const readSize = 16 << 10

// state is where a connection is in its life.
type state uint8

const (
	open    state = iota
	closing       // a close frame of ours is queued or sent; the peer has until a deadline
	over          // the socket is closed
)

// wire is how bytes get in and out of a socket. All methods are called under the connection's lock and do not block.
type wire interface {
	// write sends what the socket takes at once, which may be nothing.
	write(p []byte) (int, error)
	// wait sees to it that the queue, which is not empty, is sent when the socket takes more.
	wait()
	// resume is wait after a stall, in which the socket may have taken more unheard.
	resume()
	// closeWrite tells the peer that nothing more comes, if the transport can.
	closeWrite()
	close()
}

// conn is one connection. Locks are taken in the order conn, Gateway, path; the deadlines' and the backlogs' locks come last.
type conn struct {
	g       *Gateway
	info    Info // but for LastActiveAt
	active  atomic.Int64
	message func(string, Message)
	closed  func(Info, int, string)
	wire    wire

	due   time.Time // with index: of the deadlines, under their lock
	index int
	path  *path // with slot: under the path's lock
	slot  int

	had uint32 // the pass of its path that it has had, or was too late for; under the lock

	// Of whoever reads; the lock hands them on.
	in   *reader
	deaf bool // what comes is thrown away

	mu      sync.Mutex
	state   state
	queue   queue
	counted bool      // the queue counts in the gateway's backlogs
	ending  bool      // so does the end, until it is dealt with
	torn    bool      // the next frame is cut in the middle
	stalled bool      // nothing is written
	reading bool      // somebody reads, and will see to the end of the connection
	drained func()    // what to do when the queue is empty; nil: nothing
	until   time.Time // how long a closing connection has
	code    int       // with reason: what ended the connection
	reason  string
}

// Info describes the connection.
func (c *conn) Info() Info {
	info := c.info
	info.LastActiveAt = time.Unix(0, c.active.Load()).UTC()
	return info
}

func (c *conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == open
}

// send queues frames; it never blocks.
func (c *conn) send(frames []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.push(entry{frames: frames})
	c.settle(err, frames)
	return err
}

// cast is send for a pass over the path.
func (c *conn) cast(frames []byte, pass uint32) (took bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.push(entry{frames: frames})
	if err != nil {
		c.settle(err, frames)
		return false
	}
	c.had = pass
	return true
}

// post is send for a message to this connection alone.
func (c *conn) post(m Message) error {
	told, err := c.postNow(m)
	await(told)
	return err
}

func (c *conn) postNow(m Message) (told <-chan struct{}, err error) {
	if len(m.Data) > c.g.limits.Message {
		err = ErrTooBig
	}
	var frames []byte
	if err == nil {
		frames = c.g.encode([]Message{m})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.push(entry{frames: frames})
	}
	if err == errTorn { // whoever sends does not know
		told = c.tellSent(m, nil)
		c.tear(frames)
		return told, nil
	}
	told = c.tellSent(m, err)
	c.settle(err, frames)
	return told, err
}

// push queues an entry. After an error the caller must call settle.
func (c *conn) push(e entry) error {
	if c.state != open {
		return ErrGone
	}
	if c.torn {
		return errTorn
	}
	o := &c.g.options
	if o.KeepSlow && !c.queue.empty() && c.queue.size+len(e.frames)+entryCost > c.g.limits.Backlog {
		return ErrBusy
	}
	if o.SentCounts {
		c.active.Store(c.g.clock.Now().UnixNano())
	}
	c.enqueue(e)
	switch {
	case c.state != open:
		return ErrGone
	case c.queue.size > c.g.limits.Backlog && !o.KeepSlow:
		return ErrSlow
	}
	return nil
}

// settle ends a connection that did not take frames as it should.
func (c *conn) settle(err error, frames []byte) {
	if err == errTorn {
		c.tear(frames)
	}
	if err != ErrSlow {
		return
	}
	c.queue.cut()
	c.shortened()
	c.close(codePolicy, "the client reads too slowly", Slow, ByGateway)
}

// enqueue writes what the socket takes at once and queues the rest.
func (c *conn) enqueue(e entry) {
	idle := c.queue.empty()
	if idle && !c.stalled {
		n, err := c.wire.write(e.frames)
		if err != nil {
			c.hangUp()
			return
		}
		if n == len(e.frames) {
			return
		}
		e.sent = n
	}
	c.queue.add(e)
	if c.stalled {
		return
	}
	if idle {
		c.count(true)
	}
	c.wire.wait()
}

// shortened settles the accounts after the queue, which was not empty, got shorter.
func (c *conn) shortened() {
	if !c.queue.empty() {
		if c.held() {
			c.count(false)
		}
		return
	}
	c.count(false)
	if c.drained != nil {
		c.drained()
	}
}

// close ends an open connection from our side: it queues the close frame and gives the peer time to answer.
func (c *conn) close(code int, reason string, cause Cause, by Party) (told <-chan struct{}) {
	told = c.part(code, reason, by)
	if news := c.g.options.Closed; news != nil && cause != "" {
		closed := Closed{Info: c.Info(), Cause: cause, Code: code, Reason: reason}
		c.g.backlogs.add(1)
		c.g.conns.Go(func() {
			defer c.g.backlogs.add(-1)
			news(closed)
		})
	}
	c.enqueue(entry{frames: closeFrame(code, reason)})
	return told
}

func (c *conn) drop(code int, reason string, by Party) (told <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return nil, ErrGone
	}
	return c.close(code, reason, "", by), nil
}

// goAway is close with code 1001.
func (c *conn) goAway(why string, cause Cause) {
	c.close(codeGoingAway, cmp.Or(c.g.options.GoingAway, why), cause, ByGateway)
}

// part takes an open connection from its path and says what ended it.
func (c *conn) part(code int, reason string, by Party) (told <-chan struct{}) {
	c.state, c.code, c.reason = closing, code, reason
	c.g.leave(c)
	c.until = c.g.clock.Now().Add(closeWait)
	c.g.deadlines.set(c, c.until)
	if code == codeAbnormal || by == ByClient && !c.stalled { // no peer is waited for: who hears of the end must not find all quiet
		c.countEnd()
	}
	return c.tellEnded(by)
}

// whenDrained does f when the queue is empty, which may be now.
func (c *conn) whenDrained(f func()) {
	c.drained = f
	if c.state != over && c.queue.empty() {
		f()
	}
}

// hangUp closes the socket, whatever waits.
func (c *conn) hangUp() {
	if c.state == over {
		return
	}
	if c.state == open {
		c.part(codeAbnormal, "", ByClient)
	}
	c.state, c.drained = over, nil
	c.countEnd()
	c.wire.close()
	if !c.queue.empty() {
		c.queue = queue{}
		c.count(false)
	}
	c.g.deadlines.unset(c)
	if !c.reading {
		c.g.conns.Go(c.end)
	}
}

// countEnd has the gateway's backlogs count the end of the connection, until it has been dealt with.
func (c *conn) countEnd() {
	if !c.ending {
		c.ending = true
		c.g.backlogs.add(1)
	}
}

// end is the last that happens to a connection, once, when it is over and nobody reads any more.
func (c *conn) end() {
	defer c.g.conns.Done()
	defer c.g.backlogs.add(-1)
	c.g.forget(c)
	if c.g.options.Ended != nil {
		c.path.news.calm() // its end is told
	}
	if c.closed != nil {
		c.closed(c.Info(), c.code, c.reason)
	}
}

// check looks whether the connection's time is up.
func (c *conn) check(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.info.ConnectedAt.Add(c.g.limits.Life)
	idle := time.Unix(0, c.active.Load()).Add(c.g.limits.Idle)
	switch {
	case c.state == over:
	case c.state == closing && c.until.After(now):
		c.g.deadlines.set(c, c.until)
	case c.state == closing:
		c.hangUp()
	case !now.Before(old):
		c.goAway("the connection's time is over", Old)
	case !now.Before(idle):
		c.goAway("the client was silent for too long", Idle)
	case idle.Before(old):
		c.g.deadlines.set(c, idle)
	default:
		c.g.deadlines.set(c, old)
	}
}

// hear takes bytes from the client, which it may change.
func (c *conn) hear(p []byte) {
	for len(p) > 0 && !c.deaf {
		if c.in == nil {
			c.in = &reader{message: c.g.limits.Message, frame: c.g.limits.Frame}
		}
		got, rest, ok, v := c.in.next(p)
		if v != nil {
			c.refuse(v)
			return
		}
		if ok {
			c.take(got)
		}
		p = rest
	}
	if c.in != nil && c.in.atRest() {
		c.in = nil
	}
}

func (c *conn) take(got received) {
	switch got.op {
	case ws.OpText, ws.OpBinary:
		c.receive(Message{Data: got.data, Binary: got.op == ws.OpBinary})
	case ws.OpPing:
		if _, heard := c.touch(nil); heard {
			_ = c.send(control(ws.NewPongFrame(got.data))) // a connection that is gone needs no pong
		}
	case ws.OpClose:
		code, reason, v := parseClose(got.data)
		if v != nil {
			c.refuse(v)
			return
		}
		c.leaving(code, reason)
	}
}

func (c *conn) receive(m Message) {
	c.g.backlogs.add(1) // before it is told
	defer c.g.backlogs.add(-1)
	told, heard := c.touch(&m)
	if !heard {
		return
	}
	await(told)
	if c.message != nil {
		c.message(c.info.ID, m)
	}
}

// touch notes that the client is active, and says whether it is still listened to.
func (c *conn) touch(m *Message) (told <-chan struct{}, heard bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return nil, false
	}
	c.active.Store(c.g.clock.Now().UnixNano())
	if m != nil {
		told = c.tellReceived(*m)
	}
	return told, true
}

// leaving is the client's close frame: the first of the two is answered, after the second the socket is closed.
func (c *conn) leaving(code int, reason string) {
	c.deaf, c.in = true, nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == open {
		if told := c.part(code, reason, ByClient); told != nil { // the answer is behind that
			c.mu.Unlock()
			<-told
			c.mu.Lock()
		}
		if !c.g.options.EchoReason {
			reason = ""
		}
		if c.state == closing {
			c.enqueue(entry{frames: closeFrame(code, reason)})
		}
	}
	c.whenDrained(c.hangUp)
}

// refuse closes a connection whose client broke the rules. What it still sends is thrown away until it hangs up, because closing
// a socket with bytes unread would take the close frame back.
func (c *conn) refuse(v *violation) {
	c.deaf, c.in = true, nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == open {
		cause := Violation
		if v.code == codeTooBig {
			cause = Oversize
		}
		c.close(v.code, v.text, cause, ByGateway)
	}
	c.whenDrained(c.wire.closeWrite)
}

// vanish is the end of what can be read.
func (c *conn) vanish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp()
}
