package journal

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	maxNotes     = 65_536
	maxNoteBytes = 64 << 20
	packBytes    = 256 << 10 // notes written together have no more, unless one alone has
	noteTimeout  = 30 * time.Second
)

// notes writes what nobody waits for. While one message is on its way, the next notes gather, and they leave together: so a lone note
// is written at once, and a thousand cost little more than one.
type notes struct {
	write func(context.Context, []note) error // makes one message of some notes
	done  chan struct{}                       // closed when run has returned

	mu     sync.Mutex
	cond   sync.Cond // anything below has changed
	queue  []note
	count  int // notes not yet written: those in queue and those on their way
	bytes  int
	closed bool
	lost   error // the first since somebody was told
}

// note is a note, or somebody who waits for those before it.
type note struct {
	topic   Topic
	data    []byte
	written chan struct{} // closed when those before are written or lost; nil for a note
}

func startNotes(write func(context.Context, []note) error) *notes {
	n := &notes{write: write, done: make(chan struct{})}
	n.cond.L = &n.mu
	go n.run()
	return n
}

func (n *notes) add(topic Topic, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for !n.closed && (n.count >= maxNotes || n.bytes >= maxNoteBytes) {
		n.cond.Wait()
	}
	if n.closed {
		return
	}
	n.queue = append(n.queue, note{topic: topic, data: data})
	n.count++
	n.bytes += len(data)
	n.cond.Broadcast()
}

// wait returns when the notes made before are written or lost; which of both is for sync or close to tell.
func (n *notes) wait(ctx context.Context) error {
	written := make(chan struct{})
	n.mu.Lock()
	n.queue = append(n.queue, note{written: written})
	n.cond.Broadcast()
	n.mu.Unlock()
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *notes) sync(ctx context.Context) error {
	if err := n.wait(ctx); err != nil {
		return err
	}
	return n.tell()
}

// close returns when the waiting notes are written.
func (n *notes) close() error {
	n.mu.Lock()
	n.closed = true
	n.cond.Broadcast()
	n.mu.Unlock()
	<-n.done
	return n.tell()
}

// tell tells of lost notes once.
func (n *notes) tell() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.lost
	n.lost = nil
	return err
}

func (n *notes) run() {
	defer close(n.done)
	var batch []note
	for {
		n.mu.Lock()
		for len(n.queue) == 0 && !n.closed {
			n.cond.Wait()
		}
		if len(n.queue) == 0 {
			n.mu.Unlock()
			return
		}
		batch, n.queue = n.queue, batch[:0]
		n.mu.Unlock()
		for rest := batch; len(rest) > 0; {
			if rest[0].written != nil {
				close(rest[0].written)
				rest = rest[1:]
				continue
			}
			size, k := 0, 0
			for k < len(rest) && rest[k].written == nil && mix(rest[0].topic, rest[k].topic) && (k == 0 || size+len(rest[k].data) <= packBytes) {
				size += len(rest[k].data)
				k++
			}
			err := n.together(rest[:k])
			rest = rest[k:]
			n.mu.Lock()
			if err != nil && n.lost == nil {
				n.lost = fmt.Errorf("journal: notes lost: %w", err)
			}
			n.count -= k
			n.bytes -= size
			n.cond.Broadcast()
			n.mu.Unlock()
		}
		clear(batch) // lets go of the data
		if len(batch) > 4096 {
			batch = nil // and of the room that a burst took
		}
	}
}

// mix says whether notes may be one message. What is refused is refused alone.
func mix(a, b Topic) bool { return a == b || checkNote(a) == nil && checkNote(b) == nil }

// together writes notes as one message.
func (n *notes) together(some []note) error {
	if err := checkNote(some[0].topic); err != nil {
		return err
	}
	if err := checkSize(some[0].data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	return n.write(ctx, some)
}
