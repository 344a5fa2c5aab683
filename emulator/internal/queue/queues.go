package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Queues are the queues of one house. All methods may be called at once.
type Queues struct {
	clock  clock.Clock
	note   func(events.Step)
	random io.Reader

	handling     context.Context // of Handle and Dead; ends when Close runs out of time
	stopHandling context.CancelFunc
	closing      chan struct{}
	timer        clock.Timer   // the timekeeper's
	buried       chan struct{} // to the undertaker: there is somebody
	keepers      sync.WaitGroup

	mu        sync.Mutex
	lines     map[string]*line
	consumers map[*consumer]bool
	file      *file // nil: memory alone
	number    uint64
	life      [4]byte // in receipts: those of another life name nothing
	receipts  uint32
	armed     time.Time // when the timekeeper wakes; zero: it does not
	begun     uint64    // messages that came, batches, and dead that are to be handed over
	corpses   []corpse
	waiters   []chan struct{} // of Quiet
	steps     []events.Step   // to be noted when the lock is free
	closed    bool
}

// New returns queues with what Dir holds. Nothing of a queue moves before it is Set.
func New(o Options) (*Queues, error) {
	q := &Queues{
		clock: o.Clock, note: o.Note, random: cmp.Or[io.Reader](o.Random, rand.Reader),
		closing: make(chan struct{}), buried: make(chan struct{}, 1),
		lines: map[string]*line{}, consumers: map[*consumer]bool{},
	}
	if q.clock == nil {
		q.clock = clock.Real{}
	}
	if q.note == nil {
		q.note = func(events.Step) {}
	}
	if _, err := io.ReadFull(q.random, q.life[:]); err != nil {
		return nil, fmt.Errorf("queue: random: %w", err)
	}
	if o.Dir != "" {
		if err := q.load(o.Dir); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	q.handling, q.stopHandling = context.WithCancel(context.Background())
	q.timer = q.clock.NewTimer(time.Hour)
	q.timer.Stop()
	q.keepers.Go(q.keepTime)
	q.keepers.Go(q.bury)
	return q, nil
}

// Set adds a queue, or gives the one with the same name another definition; its messages stay.
func (q *Queues) Set(def Queue) error {
	if def.Name == "" {
		return errors.New("queue: set: no name")
	}
	q.mu.Lock()
	defer q.unlock()
	if q.closed {
		return ErrClosed
	}
	l := q.line(def.Name)
	l.define(def, q.clock.Now())
	q.touch(l)
	return nil
}

// List returns the definitions by name.
func (q *Queues) List() []Queue {
	q.mu.Lock()
	defer q.unlock()
	var out []Queue
	for _, l := range q.lines {
		if l.defined {
			out = append(out, l.def)
		}
	}
	slices.SortFunc(out, func(a, b Queue) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Counts tells where a queue's messages are. It says ErrNoQueue.
func (q *Queues) Counts(name string) (Counts, error) {
	var c Counts
	err := q.with(name, func(l *line, _ time.Time) error {
		c = Counts{Visible: l.count[visible], InFlight: l.count[inFlight], Delayed: l.count[delayed]}
		return nil
	})
	return c, err
}

// Purge deletes all messages of a queue, also those in flight. It says ErrNoQueue.
func (q *Queues) Purge(name string) error {
	return q.with(name, func(l *line, _ time.Time) error {
		for _, e := range l.entries {
			if e.state != dying {
				q.file.gone(e)
				l.remove(e)
			}
		}
		return q.flush()
	})
}

// line returns the line of a name, and makes it when there is none. It needs the lock.
func (q *Queues) line(name string) *line {
	l := q.lines[name]
	if l == nil {
		l = newLine(name)
		l.dead = func(e *entry, why Reason, now time.Time) { q.giveUp(l, e, why, now) }
		q.lines[name] = l
	}
	return l
}

// with does something with a queue as it stands now.
func (q *Queues) with(name string, do func(l *line, now time.Time) error) error {
	q.mu.Lock()
	defer q.unlock()
	l := q.lines[name]
	switch {
	case q.closed:
		return ErrClosed
	case l == nil || !l.defined:
		return fmt.Errorf("%w: %q", ErrNoQueue, name)
	}
	now := q.clock.Now()
	q.advance(now) // all: another line's dead come to this one
	defer q.touch(l)
	return do(l, now)
}

// unlock ends every change.
func (q *Queues) unlock() {
	if q.file.stale() && !q.closed {
		q.rewrite()
	}
	steps := q.steps
	q.steps = nil
	if len(q.waiters) > 0 && (q.closed || q.quiet()) {
		for _, w := range q.waiters {
			close(w)
		}
		q.waiters = nil
	}
	q.mu.Unlock()
	for _, s := range steps {
		q.note(s)
	}
}

// touch has the timekeeper wake in time.
func (q *Queues) touch(l *line) {
	if due := l.due(); !due.IsZero() && (q.armed.IsZero() || due.Before(q.armed)) {
		q.armed = due
		q.arm(q.timer, due)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is on its way
	}
}

func (q *Queues) keepTime() {
	defer q.timer.Stop()
	for {
		select {
		case <-q.timer.C():
			q.tick()
		case <-q.closing:
			return
		}
	}
}

// tick does what time has brought to all lines, and sets the timer for what comes next.
func (q *Queues) tick() {
	q.mu.Lock()
	defer q.unlock()
	q.advance(q.clock.Now())
	q.armed = time.Time{}
	q.timer.Stop()
	for _, l := range q.lines {
		if l.defined {
			q.touch(l)
		}
	}
}

func (q *Queues) advance(now time.Time) {
	for _, l := range q.lines {
		if l.defined {
			l.advance(now)
		}
	}
}

// arm sets the timer for a time.
func (q *Queues) arm(timer clock.Timer, due time.Time) clock.Timer {
	if timer == nil {
		timer = q.clock.NewTimer(time.Hour)
	}
	timer.ResetTo(due)
	return timer
}

// Quiet returns when no consumer has a message that it could take, a batch whose window is over, or a handler at work, and nothing
// given up waits for Dead. It does not wait for what is delayed, or rests after a failure, or waits in an open window. It returns
// ErrClosed and ctx's error.
func (q *Queues) Quiet(ctx context.Context) error {
	q.mu.Lock()
	if q.closed {
		q.unlock()
		return ErrClosed
	}
	q.advance(q.clock.Now())
	if q.quiet() {
		q.unlock()
		return nil
	}
	w := make(chan struct{})
	q.waiters = append(q.waiters, w)
	q.unlock()
	select {
	case <-w:
	case <-ctx.Done():
		return fmt.Errorf("queue: quiet: %w", ctx.Err())
	}
	q.mu.Lock()
	defer q.unlock()
	if q.closed {
		return ErrClosed
	}
	return nil
}

// Begun grows with all that is begun: between two calls that return the same nothing came, and nothing was handed to a consumer.
func (q *Queues) Begun() uint64 {
	q.mu.Lock()
	defer q.unlock()
	return q.begun
}

func (q *Queues) quiet() bool {
	if len(q.corpses) > 0 {
		return false
	}
	for c := range q.consumers {
		if c.busy() {
			return false
		}
	}
	return true
}

// Close stops consumers, gives back what waits in open windows, and waits for handlers. When ctx ends it cancels their contexts and
// waits for them to return.
func (q *Queues) Close(ctx context.Context) error {
	q.mu.Lock()
	first := !q.closed
	q.closed = true
	consumers := maps.Clone(q.consumers)
	q.unlock()
	if !first {
		return nil
	}
	close(q.closing)
	defer q.stopHandling()
	defer context.AfterFunc(ctx, q.stopHandling)()
	for c := range consumers {
		c.run.Wait()
	}
	q.keepers.Wait()
	q.mu.Lock()
	defer q.unlock()
	return q.file.close()
}

// receipt names a receive.
func (q *Queues) receipt(e *entry) string {
	q.receipts++
	raw := make([]byte, 0, 16)
	raw = append(raw, q.life[:]...)
	raw = binary.BigEndian.AppendUint64(raw, e.number)
	raw = binary.BigEndian.AppendUint32(raw, q.receipts)
	return base64.URLEncoding.EncodeToString(raw)
}

// find returns the message that a receipt names, whoever has received it since; nil: it is gone.
func (l *line) find(receipt string) (*entry, error) {
	raw, err := base64.URLEncoding.DecodeString(receipt)
	if err != nil || len(raw) != 16 {
		return nil, ErrReceipt
	}
	e := l.entries[binary.BigEndian.Uint64(raw[4:])]
	if e == nil || e.state == dying {
		return nil, nil
	}
	return e, nil
}

// held returns the message that a receipt names; nil: it is gone, or has been received again since.
func (l *line) held(receipt string) (*entry, error) {
	e, err := l.find(receipt)
	if e == nil || e.Receipt != receipt {
		return nil, err
	}
	return e, nil
}

// newID makes a random UUID.
func (q *Queues) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(q.random, b[:]); err != nil {
		return "", fmt.Errorf("queue: random: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
