// Package port lets one address serve TLS and plain: the first byte that a client sends tells which it speaks.
//
// A plain connection comes out as what came in, a *net.TCPConn where the system lets it be looked at without taking anything from it,
// since the gateway writes straight to the sockets that it knows. One of TLS comes out as a *tls.Conn that has yet to shake hands, as
// net/http wants it.
package port

import (
	"container/list"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshake is the type of the record that every TLS connection begins with. No plain protocol that is spoken here begins with it.
const handshake = 0x16

// What Options that say nothing mean.
const (
	defaultWait   = 30 * time.Second
	defaultSilent = 16_384
)

// Options make a Listener.
type Options struct {
	// TLS is this side of the connections that speak it.
	TLS *tls.Config
	// Wait is how long a client may take for its first byte; then it is hung up on. 0: 30 s.
	Wait time.Duration
	// Silent is how many clients may be waited for at once. One more, and the one that has said nothing for the longest time is hung up
	// on. 0: 16,384.
	Silent int
}

// Listener is a net.Listener whose connections have said what they speak. Accept waits for none that has not.
type Listener struct {
	inner  net.Listener
	o      Options
	sorted chan accepted
	closed chan struct{}
	once   sync.Once
	err    error // of closing
	work   sync.WaitGroup

	mu     sync.Mutex
	silent list.List // of net.Conn, the longest silent first
	over   bool
}

type accepted struct {
	conn net.Conn
	err  error
}

// Listen takes the connections of inner, which is the Listener's to close from here on. Close it, also when it is not served.
func Listen(inner net.Listener, o Options) *Listener {
	if o.Wait == 0 {
		o.Wait = defaultWait
	}
	if o.Silent == 0 {
		o.Silent = defaultSilent
	}
	l := &Listener{inner: inner, o: o, sorted: make(chan accepted), closed: make(chan struct{})}
	l.work.Go(l.accept)
	return l
}

// Accept returns the next connection that has sent its first byte.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.sorted:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Addr is the inner listener's.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close ends Accept and hangs up on whoever has not come out of it.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.err = l.inner.Close()
		l.mu.Lock()
		l.over = true
		for at := l.silent.Front(); at != nil; at = at.Next() {
			_ = at.Value.(net.Conn).Close()
		}
		l.mu.Unlock()
		l.work.Wait()
	})
	return l.err
}

// accept runs until the listener is closed.
func (l *Listener) accept() {
	for {
		conn, err := l.inner.Accept()
		if err != nil {
			// Whoever serves decides whether to try again, and when: until it asks for the next, this waits.
			if !l.put(accepted{err: err}) {
				return
			}
			continue
		}
		if _, ok := conn.(*tls.Conn); ok { // the inner listener's own
			l.put(accepted{conn: conn})
			continue
		}
		at := l.wait(conn)
		l.work.Go(func() { l.sort(conn, at) })
	}
}

// put hands a connection to Accept; one that nobody takes any more is closed.
func (l *Listener) put(a accepted) bool {
	select {
	case l.sorted <- a:
		return true
	case <-l.closed:
		if a.conn != nil {
			_ = a.conn.Close()
		}
		return false
	}
}

// sort waits for the first byte.
func (l *Listener) sort(conn net.Conn, at *list.Element) {
	err := conn.SetReadDeadline(time.Now().Add(l.o.Wait))
	var first byte
	if err == nil {
		first, conn, err = look(conn)
	}
	l.spoke(at)
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil { // it said nothing, so there is nobody to tell
		_ = conn.Close()
		return
	}
	if first == handshake && l.o.TLS != nil {
		conn = tls.Server(conn, l.o.TLS)
	}
	l.put(accepted{conn: conn})
}

func (l *Listener) wait(conn net.Conn) *list.Element {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = conn.Close()
	}
	if l.silent.Len() >= l.o.Silent { // its own goroutine sees it, and takes it off the list
		longest := l.silent.Front()
		_ = longest.Value.(net.Conn).Close()
		l.silent.Remove(longest)
	}
	return l.silent.PushBack(conn)
}

func (l *Listener) spoke(at *list.Element) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent.Remove(at)
}

// take reads the first byte, and returns a connection that gives it back.
func take(conn net.Conn) (byte, net.Conn, error) {
	b := &begun{Conn: conn}
	for {
		n, err := conn.Read(b.first[:])
		if n > 0 {
			return b.first[0], b, nil
		}
		if err != nil {
			return 0, conn, err
		}
	}
}

// begun is a connection of which the first byte has been read.
type begun struct {
	net.Conn
	first [1]byte
	given bool // whoever reads is one at a time
}

func (b *begun) Read(p []byte) (int, error) {
	if b.given || len(p) == 0 {
		return b.Conn.Read(p)
	}
	b.given = true
	return copy(p, b.first[:]), nil
}

// CloseWrite is the connection's own.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return b.Conn.Close()
}
