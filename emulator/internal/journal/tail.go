package journal

import (
	"cmp"
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
	return &tail{max: tailMax(maxBytes), slots: make([]slot, tailSlots)}
}

func tailMax(maxBytes int64) int { return int(min(maxBytes/4, tailBytes)) }

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

// lane keeps the last changes by themselves. They are few among all that is noted of what became of them, and who reads nothing else need
// not ask the engine whether there are more, which would have it load whole files to count. They are written one message after another.
type lane struct {
	max int // bytes

	mu     sync.RWMutex
	from   uint64 // every message of changes at this position and behind is here
	slots  []slot // in order
	bytes  int
	unsure bool // whether the last write came through
}

// add keeps a message that was written behind all others of its topic.
func (l *lane) add(seq uint64, entries []Entry) {
	size := 100
	for _, e := range entries {
		size += len(e.Data)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsure {
		l.slots, l.bytes, l.from, l.unsure = nil, 0, seq, false
	}
	n := 0
	for n < len(l.slots) && l.bytes+size > l.max {
		l.bytes -= l.slots[n].size
		l.from = l.slots[n].seq + 1
		n++
	}
	l.slots = slices.Delete(l.slots, 0, n)
	if size > l.max {
		l.from = seq + 1
		return
	}
	l.slots = append(l.slots, slot{seq: seq, size: size, entries: entries})
	l.bytes += size
}

// failed tells of a write of which nobody knows whether it came through.
func (l *lane) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure = true
}

// next returns the entries from position from on and the position to go on from; not ok: there may be others.
func (l *lane) next(from uint64) (entries []Entry, then uint64, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.unsure || from < l.from {
		return nil, from, false
	}
	i, _ := slices.BinarySearchFunc(l.slots, from, func(s slot, from uint64) int { return cmp.Compare(s.seq, from) })
	for _, s := range l.slots[i:] {
		entries = append(entries, s.entries...)
		from = s.seq + 1
	}
	return entries, from, true
}
