package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	maxNotes     = 65_536
	maxNoteBytes = 64 << 20
	packBytes    = 256 << 10 // notes written together have no more, unless one alone has
	noteTimeout  = 30 * time.Second

	// packedHeader marks a message of several notes: each has its length before it.
	packedHeader = "Regcast-Packed"
)

// notes writes what nobody waits for. While one message is on its way, the next notes gather, and they leave together: so a lone note
// is written at once, and a thousand cost little more than one.
type notes struct {
	publish func(context.Context, Topic, *nats.Msg) (uint64, error)
	done    chan struct{} // closed when run has returned

	mu     sync.Mutex
	cond   sync.Cond // anything below has changed
	queue  []note
	count  int // notes not yet written: those in queue and those on their way
	bytes  int
	closed bool
}

// note is a note, or somebody who waits for those before it.
type note struct {
	topic  Topic
	data   []byte
	synced chan error
}

func startNotes(publish func(context.Context, Topic, *nats.Msg) (uint64, error)) *notes {
	n := &notes{publish: publish, done: make(chan struct{})}
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

func (n *notes) sync(ctx context.Context) error {
	synced := make(chan error, 1)
	n.mu.Lock()
	n.queue = append(n.queue, note{synced: synced})
	n.cond.Broadcast()
	n.mu.Unlock()
	select {
	case err := <-synced:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close returns when the waiting notes are written.
func (n *notes) close() error {
	synced := make(chan error, 1)
	n.mu.Lock()
	n.closed = true
	n.queue = append(n.queue, note{synced: synced})
	n.cond.Broadcast()
	n.mu.Unlock()
	<-n.done
	return <-synced
}

func (n *notes) run() {
	defer close(n.done)
	var lost error // since somebody was told
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
			if rest[0].synced != nil {
				rest[0].synced <- lost
				lost, rest = nil, rest[1:]
				continue
			}
			size, k := 0, 0
			for k < len(rest) && rest[k].synced == nil && rest[k].topic == rest[0].topic && (k == 0 || size+len(rest[k].data) <= packBytes) {
				size += len(rest[k].data)
				k++
			}
			if err := n.write(rest[:k]); err != nil {
				lost = errors.Join(lost, fmt.Errorf("journal: %d notes lost: %w", k, err))
			}
			rest = rest[k:]
			n.mu.Lock()
			n.count -= k
			n.bytes -= size
			n.cond.Broadcast()
			n.mu.Unlock()
		}
		clear(batch) // the data
	}
}

func (n *notes) write(together []note) error {
	topic := together[0].topic
	if err := checkTopic(topic); err != nil {
		return err
	}
	m := &nats.Msg{Data: together[0].data}
	if len(together) > 1 {
		m.Header = nats.Header{packedHeader: {"1"}}
		m.Data = pack(together)
	}
	if err := checkSize(m.Data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTimeout)
	defer cancel()
	_, err := n.publish(ctx, topic, m)
	return err
}

func pack(together []note) []byte {
	size := 0
	for _, w := range together {
		size += len(w.data) + binary.MaxVarintLen32
	}
	data := make([]byte, 0, size)
	for _, w := range together {
		data = binary.AppendUvarint(data, uint64(len(w.data)))
		data = append(data, w.data...)
	}
	return data
}

// unpack appends to entries what pack has put into e.
func unpack(entries []Entry, e Entry) ([]Entry, error) {
	for rest := e.Data; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return nil, fmt.Errorf("journal: entry %d: broken", e.Seq)
		}
		rest = rest[n:]
		e.Data, rest = rest[:size:size], rest[size:]
		e.more = len(rest) > 0
		entries = append(entries, e)
	}
	return entries, nil
}
