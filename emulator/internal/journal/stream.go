package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamOptions configures a Stream.
type StreamOptions struct {
	// Dir is the folder of the journal's files. It is made when it is not there.
	Dir string
	// MaxBytes is what the entries may take on disk before the oldest go. 0: 1 GiB.
	MaxBytes int64
	// Warn is told what the engine complains of, such as damaged files that it mended. nil: nobody is told.
	Warn func(string)
}

// Stream is a Journal on an embedded NATS JetStream.
type Stream struct {
	hub     *hub
	tail    *tail
	changes lane
	commits commits
	notes   *notes
	lock    *flock.Flock
	engine  *engine
	// Reads have a connection of their own: the engine answers them in the goroutine that takes a connection's writes.
	writes, reads *nats.Conn
	js            jetstream.JetStream
	stream        jetstream.Stream
	values        jetstream.KeyValue
	last          atomic.Uint64   // highest position; nobody else writes, so every acknowledged one is known
	lost          chan struct{}   // closed when the engine has hung up
	sound         context.Context // ends when the engine cannot write any more; its cause says why
	broke         context.CancelCauseFunc

	mu     sync.RWMutex // guards closed, and calls.Add against calls.Wait
	closed bool
	calls  sync.WaitGroup // writes that run
}

var _ Journal = (*Stream)(nil)

const (
	streamName    = "REGCAST"
	subjectPrefix = "regcast." // followed by the topic
	valuesBucket  = "regcast"
)

// OpenStream opens the journal in a folder, or makes it. A folder that another process has is refused with ErrInUse.
func OpenStream(ctx context.Context, o StreamOptions) (*Stream, error) {
	if o.Dir == "" {
		return nil, errors.New("journal: open: Dir is empty")
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	s := &Stream{hub: newHub(), tail: newTail(o.MaxBytes), changes: lane{max: tailMax(o.MaxBytes)}, lost: make(chan struct{})}
	s.sound, s.broke = context.WithCancelCause(context.Background())
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: open %s: %w", o.Dir, err), s.release())
	}
	s.commits.write = s.write
	s.notes = startNotes(s.writeNotes)
	return s, nil
}

func (s *Stream) open(ctx context.Context, o StreamOptions) (err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	if s.lock, err = lockDir(o.Dir); err != nil {
		return err
	}
	if s.engine, err = startEngine(o.Dir, o.Warn, func(err error) {
		s.broke(fmt.Errorf("the files cannot be written any more; see to that and start again: %w", err))
	}); err != nil {
		return err
	}
	if s.writes, err = s.engine.connect(sync.OnceFunc(func() { close(s.lost) })); err != nil {
		return err
	}
	if s.reads, err = s.engine.connect(func() {}); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.writes); err != nil {
		return err
	}
	if s.stream, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{subjectPrefix + ">"},
		Storage:     jetstream.FileStorage,
		MaxBytes:    o.MaxBytes,
		Discard:     jetstream.DiscardOld,
		Duplicates:  100 * time.Millisecond, // the least that the server takes; nothing here has a message ID
		AllowDirect: true,                   // for reads
		// With one replica and this mode the server has written a message to its file before it acknowledges it.
		Replicas:    1,
		PersistMode: jetstream.DefaultPersistMode,
	}); err != nil {
		return err
	}
	s.last.Store(s.stream.CachedInfo().State.LastSeq)
	s.changes.from = s.last.Load() + 1
	if err := s.tellLost(ctx, o.Warn); err != nil {
		return err
	}
	s.values, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: valuesBucket, Storage: jetstream.FileStorage})
	return err
}

// tellLost tells what the engine has cut off the files because it could not be read. The server says so only with all
// details, and nats.go leaves it out of what it decodes.
func (s *Stream) tellLost(ctx context.Context, warn func(string)) error {
	answer, err := s.writes.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+streamName, []byte(`{"deleted_details":true}`))
	if err != nil {
		return err
	}
	var info struct {
		State struct {
			Lost struct {
				Bytes uint64 `json:"bytes"`
			} `json:"lost"`
		} `json:"state"`
	}
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		return err
	}
	if lost := info.State.Lost.Bytes; lost > 0 {
		warn(fmt.Sprintf("the journal's files were damaged: %d bytes could not be read and are dropped", lost))
	}
	return nil
}

// release gives back what open has taken, as far as it came.
func (s *Stream) release() error {
	for _, c := range []*nats.Conn{s.writes, s.reads} {
		if c != nil {
			c.Close()
		}
	}
	if s.engine != nil {
		s.engine.stop()
	}
	if s.lock != nil {
		return s.lock.Close()
	}
	return nil
}

// begin announces a call that the end must wait for.
func (s *Stream) begin() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Append writes entries. Those that are appended at the same time are written together.
func (s *Stream) Append(ctx context.Context, topic Topic, data ...[]byte) (uint64, error) {
	if err := checkAppend(topic, data); err != nil {
		return 0, err
	}
	if err := s.begin(); err != nil {
		return 0, err
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("journal: append: %w", err)
	}
	seq, err := s.commits.append(topic, data...)
	if err != nil {
		return 0, fmt.Errorf("journal: append: %w", err)
	}
	return seq, nil
}

// write makes one message of some entries.
func (s *Stream) write(ctx context.Context, topic Topic, lines [][]byte) (uint64, error) {
	at := time.Now().UTC()
	entries := make([]Entry, len(lines))
	for i, line := range lines {
		entries[i] = Entry{Topic: topic, Data: line}
	}
	return s.publish(ctx, topic, at, frame(at, lines), entries)
}

// writeNotes makes one message of some notes.
func (s *Stream) writeNotes(ctx context.Context, notes []note) error {
	at := time.Now().UTC()
	topic, same := notes[0].topic, true
	entries, lines := make([]Entry, len(notes)), make([][]byte, len(notes))
	for i, n := range notes {
		entries[i], lines[i] = Entry{Topic: n.topic, Data: n.data}, n.data
		same = same && n.topic == topic
	}
	data := []byte(nil)
	if same {
		data = frame(at, lines)
	} else {
		topic, data = mixed, mixedFrame(at, notes)
	}
	_, err := s.publish(ctx, topic, at, data, entries)
	return err
}

// publish writes a message and tells of its entries.
func (s *Stream) publish(ctx context.Context, topic Topic, at time.Time, data []byte, entries []Entry) (uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.sound, cancel)()
	ack, err := s.js.Publish(ctx, subjectPrefix+string(topic), data)
	if s.sound.Err() != nil {
		err = context.Cause(s.sound)
	}
	if err != nil {
		if topic == Changes {
			s.changes.failed()
		}
		return 0, err
	}
	for i := range entries {
		e := &entries[i]
		e.Seq, e.At, e.More = ack.Sequence, at, i < len(entries)-1
	}
	s.tail.add(ack.Sequence, topic, entries)
	if topic == Changes {
		s.changes.add(ack.Sequence, entries)
	}
	for last := s.last.Load(); ack.Sequence > last && !s.last.CompareAndSwap(last, ack.Sequence); last = s.last.Load() {
	}
	var told []Topic
	for _, e := range entries {
		if !slices.Contains(told, e.Topic) {
			told = append(told, e.Topic)
			s.hub.tell(e.Topic, ack.Sequence)
		}
	}
	return ack.Sequence, nil
}

// Note writes an entry soon. Notes that wait at the same time are written as one.
func (s *Stream) Note(topic Topic, data []byte) { s.notes.add(topic, data) }

// Sync returns when every note made before can be read.
func (s *Stream) Sync(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	return s.notes.sync(ctx)
}

// Settle returns when every note made before is written or lost.
func (s *Stream) Settle(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	return s.notes.wait(ctx)
}

// Read yields the entries from position from on.
func (s *Stream) Read(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error] {
	return read(ctx, s.reader(from, topics), s.last.Load())
}

// Follow yields the entries from position from on, and those to come.
func (s *Stream) Follow(ctx context.Context, from uint64, topics ...Topic) iter.Seq2[Entry, error] {
	return s.hub.follow(ctx, s.reader(from, topics), topics)
}

// Bounds returns the positions of the oldest and of the last entry.
func (s *Stream) Bounds(ctx context.Context) (first, last uint64, err error) {
	if err := s.begin(); err != nil {
		return 0, 0, err
	}
	defer s.calls.Done()
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("journal: bounds: %w", err)
	}
	return max(info.State.FirstSeq, 1), info.State.LastSeq, nil
}

// Put keeps a value, after the notes made before.
func (s *Stream) Put(ctx context.Context, name string, value []byte) error {
	if err := checkSize(value); err != nil {
		return err
	}
	return s.change(ctx, "put", name, func(ctx context.Context) error {
		_, err := s.values.Put(ctx, name, value)
		return err
	})
}

// Remove forgets a value.
func (s *Stream) Remove(ctx context.Context, name string) error {
	return s.change(ctx, "remove", name, func(ctx context.Context) error { return s.values.Purge(ctx, name) })
}

// change changes a value, after the notes made before.
func (s *Stream) change(ctx context.Context, what, name string, do func(context.Context) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.sound, cancel)()
	err := s.notes.wait(ctx)
	if err == nil {
		err = do(ctx)
	}
	if s.sound.Err() != nil {
		err = context.Cause(s.sound)
	}
	if err != nil {
		return fmt.Errorf("journal: %s %s: %w", what, name, err)
	}
	return nil
}

// Values returns the values under a name.
func (s *Stream) Values(ctx context.Context, under string) (map[string][]byte, error) {
	if err := checkName(under); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	out := make(map[string][]byte)
	w, err := s.values.Watch(ctx, under+".>", jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("journal: values %s: %w", under, err)
	}
	defer func() { _ = w.Stop() }() // everything has been read
	for {
		select {
		case v, open := <-w.Updates():
			if v == nil { // the end of what there is, or of the watch
				if !open {
					return nil, fmt.Errorf("journal: values %s: broken off", under)
				}
				return out, nil
			}
			out[v.Key()] = v.Value()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Get returns a value.
func (s *Stream) Get(ctx context.Context, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	v, err := s.values.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: get %s: %w", name, err)
	}
	return v.Value(), nil
}

// Close writes the waiting notes, ends every Follow, stops the engine and gives back the folder. Its error tells, like Sync's, that
// notes were lost.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	err := s.notes.close()
	close(s.hub.ending)
	return errors.Join(err, s.release())
}
