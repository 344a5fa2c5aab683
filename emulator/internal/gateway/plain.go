package gateway

import (
	"net"
	"sync"
)

var _ wire = (*plain)(nil)

// plain is a wire of any net.Conn: one goroutine reads, and one writes while something waits.
type plain struct {
	c       *conn
	nc      net.Conn
	writing bool
	closing sync.WaitGroup // the goroutine of close
}

// listen reads until the peer has gone, beginning with what has been read already.
func (w *plain) listen(early []byte) {
	w.c.hear(early)
	buf := w.c.g.buffers.Get().(*[readSize]byte)
	defer w.c.g.buffers.Put(buf)
	for {
		n, err := w.nc.Read(buf[:])
		w.c.hear(buf[:n])
		if err != nil {
			w.c.vanish()
			w.closing.Wait()
			w.c.end()
			return
		}
	}
}

func (w *plain) write([]byte) (int, error) { return 0, nil }

func (w *plain) wait() {
	if !w.writing {
		w.writing = true
		w.c.g.conns.Go(w.flush)
	}
}

func (w *plain) resume() { w.wait() }

func (w *plain) flush() {
	c := w.c
	pieces := make(net.Buffers, 0, flushPieces)
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.state != over && !c.queue.empty() && !c.held() {
		pieces = c.pieces(pieces[:0])
		out := pieces
		for _, p := range pieces {
			c.queue.lent += len(p)
		}
		c.mu.Unlock()
		n, err := out.WriteTo(w.nc)
		c.mu.Lock()
		c.queue.lent = 0
		if c.state == over {
			break
		}
		c.queue.advance(int(n))
		if err != nil {
			c.hangUp()
			break
		}
		c.shortened()
	}
	w.writing = false
}

func (w *plain) closeWrite() {
	if nc, ok := w.nc.(*net.TCPConn); ok {
		_ = nc.CloseWrite()
	}
}

// close has a goroutine for it, because TLS says goodbye and may wait to do so.
func (w *plain) close() { w.closing.Go(func() { _ = w.nc.Close() }) }
