package gateway

import (
	"context"
	"sync"
)

// entryCost is what an entry counts for beside its bytes, so that many tiny frames are bounded too.
const entryCost = 64

// What goes out of a queue at once, and so how long a broadcast may wait for the lock of a socket that takes bytes again.
const (
	flushPieces = 64
	flushSize   = 128 << 10
)

// queue is what waits for one socket: pieces shared with other sockets, in order.
type queue struct {
	entries []entry
	size    int // bytes, with entryCost
	lent    int // bytes at the front that are being written without the lock
}

type entry struct {
	frames []byte
	sent   int  // how much of it the socket has taken
	whole  bool // begins with what is no frame (the handshake's answer)
}

func (q *queue) empty() bool { return len(q.entries) == 0 }

func (q *queue) add(e entry) {
	q.entries = append(q.entries, e)
	q.size += len(e.frames) - e.sent + entryCost
}

// peek appends the first pieces, about flushSize bytes of them.
func (q *queue) peek(pieces [][]byte) [][]byte {
	left := flushSize
	for i := 0; i < len(q.entries) && i < flushPieces && left > 0; i++ {
		p := q.entries[i].frames[q.entries[i].sent:]
		p = p[:min(len(p), left)]
		pieces = append(pieces, p)
		left -= len(p)
	}
	return pieces
}

// advance takes off n bytes that have been sent.
func (q *queue) advance(n int) {
	q.size -= n
	done := 0
	for done < len(q.entries) && n > 0 {
		e := &q.entries[done]
		rest := len(e.frames) - e.sent
		if n < rest {
			e.sent += n
			break
		}
		n -= rest
		done++
	}
	q.size -= done * entryCost
	clear(q.entries[:done])
	q.entries = q.entries[done:]
	if len(q.entries) == 0 {
		q.entries = nil // a socket at rest owns no buffer
	}
}

// cut throws away every frame that has not been begun.
func (q *queue) cut() {
	begun, lent := q.entries, q.lent
	*q = queue{lent: lent}
	for _, e := range begun {
		if !e.whole {
			e.frames = e.frames[:boundary(e.frames, min(e.sent+lent, len(e.frames)))]
		}
		if e.sent == len(e.frames) {
			return
		}
		lent -= min(lent, len(e.frames)-e.sent)
		q.add(e)
	}
}

// backlogs counts what is on its way: connections for which something waits, and funcs of sockets that are called.
type backlogs struct {
	mu      sync.Mutex
	waiting int
	begun   uint64
	none    chan struct{} // closed when waiting reaches zero; nil when nobody asked
}

func (b *backlogs) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting += n
	if n > 0 {
		b.begun++
	}
	if b.waiting == 0 && b.none != nil {
		close(b.none)
		b.none = nil
	}
}

func (b *backlogs) empty(ctx context.Context) error {
	b.mu.Lock()
	if b.waiting == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.none == nil {
		b.none = make(chan struct{})
	}
	none := b.none
	b.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
