package guard

import (
	"io"
	"net"
	"sync"
)

// calls is the listener of the tunnels that end here.
type calls struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newCalls() *calls {
	return &calls{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (c *calls) put(conn net.Conn) {
	select {
	case c.conns <- conn:
	case <-c.closed:
		_ = conn.Close()
	}
}

func (c *calls) Accept() (net.Conn, error) {
	select {
	case conn := <-c.conns:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *calls) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *calls) Addr() net.Addr { return here{} }

type here struct{}

func (here) Network() string { return "tcp" }
func (here) String() string  { return "regcast" }

// begun is a connection of which some bytes have been read already.
type begun struct {
	net.Conn
	early []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.early) > 0 {
		n := copy(p, b.early)
		b.early = b.early[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

// CloseWrite is the connection's own.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return b.Conn.Close()
}

// pipes are the tunnels that pass through.
type pipes struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	done   sync.WaitGroup
}

// join copies both ways until both have ended.
func (p *pipes) join(near, far net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_, _ = near.Close(), far.Close()
		return
	}
	if p.open == nil {
		p.open = make(map[net.Conn]struct{})
	}
	p.open[near], p.open[far] = struct{}{}, struct{}{}
	p.done.Go(func() {
		var back sync.WaitGroup
		back.Go(func() { carry(near, far) })
		carry(far, near)
		back.Wait()
		_, _ = near.Close(), far.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, near)
		delete(p.open, far)
	})
}

// carry copies until the source ends, and tells the other side.
func carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = to.Close()
}

func (p *pipes) close() {
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}
