package journal

import (
	"slices"
	"sync"
)

const (
	tailSlots = 1024
	tailBytes = 4 << 20
)

// tail keeps the last messages that this process wrote, so that a follower that is up to date costs the engine nothing and hears of an
// entry a moment after its writer. What is not here is read from the engine: the tail may forget what it likes.
type tail struct {
	max int // bytes

	mu    sync.RWMutex
	slots []slot // a message is in the slot of its position modulo their number
	low   uint64 // positions from low up to high may be here; one is not while its writer has yet to bring it
	high  uint64
	bytes int
	added chan struct{} // closed with the next add; nil: nobody waits for it
}

type slot struct {
	seq     uint64
	size    int
	topic   Topic
	entries []Entry
}

// newTail takes the limit of the stream: what the stream has dropped must not be here either.
func newTail(maxBytes int64) *tail {
	return &tail{max: int(min(maxBytes/4, tailBytes)), slots: make([]slot, tailSlots)}
}

// add keeps the entries of one message. Messages may come out of order, as their writers do.
func (t *tail) add(seq uint64, topic Topic, entries []Entry) {
	size := 100 // about what a message takes besides its data
	for _, e := range entries {
		size += len(e.Data)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.high == 0 {
		t.low = seq
	}
	t.high = max(t.high, seq)
	for t.low <= t.high && (t.high-t.low >= tailSlots || t.bytes+size > t.max) {
		if s := &t.slots[t.low%tailSlots]; s.seq == t.low {
			t.bytes -= s.size
			*s = slot{}
		}
		t.low++
	}
	if seq >= t.low {
		t.slots[seq%tailSlots] = slot{seq: seq, size: size, topic: topic, entries: entries}
		t.bytes += size
	}
	if t.added != nil {
		close(t.added)
		t.added = nil
	}
}

// coming returns what to wait for when the writer of a message has yet to bring it, though a later one is here; nil: it will not come.
func (t *tail) coming(seq uint64) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq < t.low || seq >= t.high || t.slots[seq%tailSlots].seq == seq {
		return nil
	}
	if t.added == nil {
		t.added = make(chan struct{})
	}
	return t.added
}

// next returns entries from position from on, as far as there is no gap, and the position to go on from.
func (t *tail) next(from uint64, topics []Topic) (entries []Entry, then uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for ; ; from++ {
		s := &t.slots[from%tailSlots]
		if s.seq != from {
			return entries, from
		}
		switch {
		case len(topics) == 0 || slices.Contains(topics, s.topic):
			entries = append(entries, s.entries...)
		case s.topic == mixed:
			entries = some(entries, s.entries, topics)
		}
	}
}
