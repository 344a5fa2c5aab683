package journal

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryOptions configures a Memory. The zero value works.
type MemoryOptions struct {
	// MaxBytes is what the entries may take together before the oldest go; 64 bytes are added for each. 0: 256 MiB.
	MaxBytes int64
}

// Memory is a Journal that lasts as long as the process. It works inside testing/synctest when it is made there: it has no
// goroutine, and a Note is written before it returns.
type Memory struct {
	hub *hub
	max int64

	mu      sync.Mutex
	closed  bool
	entries []Entry // without gaps
	next    uint64  // position of the next entry
	bytes   int64
	values  map[string][]byte
	lost    error // the first lost note since somebody was told
}

var _ Journal = (*Memory)(nil)

// NewMemory returns an empty journal.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	return &Memory{hub: newHub(), max: o.MaxBytes, next: 1, values: map[string][]byte{}}
}

func weight(e Entry) int64 { return int64(len(e.Data)) + 64 }

// Append writes entries.
func (m *Memory) Append(ctx context.Context, topic Topic, data ...[]byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkAppend(topic, data); err != nil {
		return 0, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return 0, ErrClosed
	}
	at := time.Now().UTC()
	for _, d := range data {
		e := Entry{Seq: m.next, At: at, Topic: topic, Data: d}
		m.next++
		m.entries = append(m.entries, e)
		m.bytes += weight(e)
	}
	last := m.next - 1
	for m.bytes > m.max && len(m.entries) > 1 {
		m.bytes -= weight(m.entries[0])
		m.entries[0] = Entry{} // the slice holds on to it until it grows
		m.entries = m.entries[1:]
	}
	m.mu.Unlock()
	m.hub.tell(topic, last)
	return last, nil
}

// Note writes an entry. One that no Append would take is lost.
func (m *Memory) Note(topic Topic, data []byte) {
	err := checkNote(topic)
	if err == nil {
		_, err = m.Append(context.Background(), topic, data)
	}
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.lost == nil {
			m.lost = fmt.Errorf("journal: notes lost: %w", err)
		}
	}
}

// Sync has nothing to wait for.
func (m *Memory) Sync(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.tell()
}

// Settle has nothing to wait for.
func (m *Memory) Settle(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}

// tell tells of lost notes once. It needs the lock.
func (m *Memory) tell() error {
	err := m.lost
	m.lost = nil
	return err
}

// Read yields the entries from position from on.
func (m *Memory) Read(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error] {
	m.mu.Lock()
	to := m.next - 1
	m.mu.Unlock()
	return read(ctx, m.reader(from, topics), to)
}

// Follow yields the entries from position from on, and those to come.
func (m *Memory) Follow(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error] {
	return m.hub.follow(ctx, m.reader(from, topics), topics)
}

// Bounds returns the positions of the oldest and of the last entry.
func (m *Memory) Bounds(ctx context.Context) (first, last uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, 0, ErrClosed
	}
	return m.next - uint64(len(m.entries)), m.next - 1, ctx.Err()
}

// Put keeps a value.
func (m *Memory) Put(ctx context.Context, name string, value []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkSize(value); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.values[name] = append([]byte{}, value...)
	return nil
}

// Get returns a value.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	return bytes.Clone(m.values[name]), ctx.Err()
}

// Values returns the values under a name.
func (m *Memory) Values(ctx context.Context, under string) (map[string][]byte, error) {
	if err := checkName(under); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	out := make(map[string][]byte)
	for name, v := range m.values {
		if strings.HasPrefix(name, under+".") {
			out[name] = bytes.Clone(v)
		}
	}
	return out, ctx.Err()
}

// Remove forgets a value.
func (m *Memory) Remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(m.values, name)
	return nil
}

// Close ends every Follow and forgets the entries. Its error tells, like Sync's, that notes were lost.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed = true
	m.entries, m.values = nil, nil
	close(m.hub.ending)
	return m.tell()
}

func (m *Memory) reader(from uint64, topics []Topic) func() (reader, error) {
	return func() (reader, error) { return &memoryReader{m: m, from: from, topics: topics}, nil }
}

type memoryReader struct {
	m      *Memory
	from   uint64
	topics []Topic
}

// next copies at most as many entries as do not keep writers waiting.
func (r *memoryReader) next(ctx context.Context) (entries []Entry, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, false, ErrClosed
	}
	first := m.next - uint64(len(m.entries))
	r.from = max(r.from, first)
	if r.from >= m.next {
		return nil, false, nil
	}
	some := m.entries[r.from-first:]
	some = some[:min(len(some), 256)]
	for _, e := range some {
		if len(r.topics) == 0 || slices.Contains(r.topics, e.Topic) {
			entries = append(entries, e)
		}
	}
	r.from += uint64(len(some))
	return entries, r.from < m.next, nil
}

func (*memoryReader) close() {}
