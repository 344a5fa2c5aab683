package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var _ wire = (*polled)(nil)

// polled is a wire straight to a socket. Nobody waits for it in a read or a write: the poller lends it a goroutine when bytes have
// come, or when it takes bytes again.
//
// The descriptor stays the net.Conn's, and stays non-blocking. It is used under the connection's lock and only until close, so it
// cannot be another socket's. Go's own poller sees the same readiness, and has nobody to wake.
type polled struct {
	c        *conn
	nc       net.Conn
	fd       int
	poller   *poller
	flushing bool
}

// attach gives c a polled wire if nc is a socket by itself, and a plain one if it is not (TLS, pipes, wrappers).
func (g *Gateway) attach(c *conn, nc net.Conn) func(early []byte) {
	w := &polled{c: c, nc: nc, poller: &g.poller}
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		raw, err := nc.(syscall.Conn).SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { w.fd = int(fd) })
		}
		if err == nil {
			err = g.poller.open()
		}
		if err == nil {
			c.wire, c.reading = w, true
			return w.start
		}
	}
	return attachPlain(c, nc)
}

// start has the poller watch the socket. It is called under the connection's lock.
func (w *polled) start(early []byte) {
	c := w.c
	if c.state == over {
		c.g.conns.Go(c.end)
		return
	}
	if err := w.poller.add(w); err != nil {
		c.hangUp()
		c.g.conns.Go(c.end)
		return
	}
	if len(early) == 0 {
		c.reading = false
		return
	}
	c.g.conns.Go(func() {
		c.hear(early)
		w.read()
	})
}

func (w *polled) write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(w.fd, p[done:])
		switch {
		case err == nil:
			done += n
		case errors.Is(err, unix.EAGAIN): // from here on the poller is told when there is room
			return done, nil
		case !errors.Is(err, unix.EINTR):
			return done, fmt.Errorf("gateway: write: %w", err)
		}
	}
	return done, nil
}

// wait has nothing to do: the socket has refused bytes, so the edge will come.
func (w *polled) wait() {}

func (w *polled) resume() {
	if !w.flushing {
		w.flushing = true
		w.c.g.conns.Go(w.flush)
	}
}

func (w *polled) closeWrite() { _ = unix.Shutdown(w.fd, unix.SHUT_WR) }

func (w *polled) close() {
	w.poller.remove(w.fd)
	_ = w.nc.Close()
}

// ready is called by the poller.
func (w *polled) ready(events uint32) {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == over {
		return
	}
	if events&unix.EPOLLOUT != 0 && !c.queue.empty() && !w.flushing && !c.held() {
		w.flushing = true
		c.g.conns.Go(w.flush)
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	if !c.reading {
		c.reading = true
		c.g.conns.Go(w.read)
	}
}

// read takes what has come until there is no more.
func (w *polled) read() {
	buf := w.c.g.buffers.Get().(*[readSize]byte)
	defer w.c.g.buffers.Put(buf)
	for {
		n, err := w.readSome(buf[:])
		switch {
		case err == nil:
			w.c.hear(buf[:n])
		case errors.Is(err, unix.EAGAIN):
			return
		default:
			w.c.vanish()
			w.c.end()
			return
		}
	}
}

// readSome gives up reading, under the same lock, when there is nothing: so the next edge finds nobody reading.
func (w *polled) readSome(p []byte) (int, error) {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.state == over {
			return 0, net.ErrClosed
		}
		n, err := unix.Read(w.fd, p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			c.reading = false
		case err == nil && n == 0:
			err = io.EOF
		}
		return n, err
	}
}

// flush sends what waits until the socket takes no more.
func (w *polled) flush() {
	for w.flushSome(make([][]byte, 0, flushPieces)) {
	}
}

func (w *polled) flushSome(pieces [][]byte) (more bool) {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { w.flushing = more }()
	if c.state == over || c.queue.empty() || c.held() {
		return false
	}
	n, err := unix.Writev(w.fd, c.pieces(pieces))
	switch {
	case errors.Is(err, unix.EINTR):
		return true
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil:
		c.hangUp()
		return false
	}
	c.queue.advance(n)
	c.shortened()
	return c.state != over && !c.queue.empty()
}

// poller waits for many sockets with one goroutine and no thread: its epoll descriptor is itself watched by Go's poller.
type poller struct {
	once  sync.Once
	err   error
	epoll *os.File
	fd    int
	over  sync.WaitGroup

	mu    sync.RWMutex
	wires []*polled // by descriptor
}

// open starts the poller at its first use.
func (p *poller) open() error {
	p.once.Do(func() { p.err = p.run() })
	return p.err
}

func (p *poller) run() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that os.NewFile lets Go's poller watch it
		_ = unix.Close(fd)
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	p.fd, p.epoll = fd, os.NewFile(uintptr(fd), "epoll")
	raw, err := p.epoll.SyscallConn()
	if err == nil {
		err = p.epoll.SetReadDeadline(time.Time{}) // fails if it does not
	}
	if err != nil {
		_ = p.epoll.Close()
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	p.over.Go(func() { p.poll(raw) })
	return nil
}

// poll runs until the descriptor is closed.
func (p *poller) poll(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, 128)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			n, err = unix.EpollWait(int(fd), events, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
		if err != nil {
			return
		}
		for _, e := range events[:max(n, 0)] {
			if w := p.find(int(e.Fd)); w != nil {
				w.ready(e.Events)
			}
		}
	}
}

func (p *poller) find(fd int) *polled {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.wires[fd]
}

// add watches a socket for edges in both directions.
func (p *poller) add(w *polled) error {
	p.mu.Lock()
	for w.fd >= len(p.wires) {
		p.wires = append(p.wires, nil)
	}
	p.wires[w.fd] = w
	p.mu.Unlock()
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(w.fd)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, w.fd, &event); err != nil {
		return fmt.Errorf("gateway: epoll: %w", err)
	}
	return nil
}

// remove forgets a socket; closing it takes it out of the epoll set.
func (p *poller) remove(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < len(p.wires) {
		p.wires[fd] = nil
	}
}

func (p *poller) close() {
	if p.epoll == nil {
		return
	}
	_ = p.epoll.Close()
	p.over.Wait()
}
