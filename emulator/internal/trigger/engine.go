package trigger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Errors of the engine.
var (
	// ErrClosed is returned by Set and Remove after Close, and by Quiet when what it waits for will not be read any more.
	ErrClosed = errors.New("trigger: closed")
	// ErrUnknown is returned for an ID that no trigger has.
	ErrUnknown = errors.New("trigger: unknown")
)

// MaxHeld is how many events one trigger holds unless Options.MaxHeld says otherwise.
const MaxHeld = 10_000

// Options are the engine's doors. Done and Note are called from several goroutines at once.
type Options struct {
	Clock clock.Clock // nil: clock.Real
	// Next returns the next record and its position, in order. It blocks until there is one or ctx ends.
	Next func(ctx context.Context) (seq uint64, r events.Record, err error)
	// Done hears of each record once: when every trigger that matched has handed on or given up all of its events.
	Done func(seq uint64)
	// Note takes the trace. It may block: then the trigger, or the reading, that notes waits.
	Note func(events.Step)
	// MaxHeld bounds the events that one trigger has read and not handed on. When a trigger is full, reading waits, for all
	// triggers: nothing is lost. 0 means the constant MaxHeld; a Window.Count above it counts instead.
	MaxHeld int
	// Through stands before each event that a trigger wants, so that things go wrong on purpose. put gives the event to the trigger, by
	// so much later than it was published; over says that put will not be called any more, and must be called once. Both may be called
	// later, until Close begins: it must not begin before. Nil: every event goes to its trigger.
	// Asked says whether there is anything to ask; it is called for each event.
	Asked   func() bool
	Through func(t Trigger, ev events.Event, put func(late time.Duration), over func())
}

// Engine runs triggers. All methods may be called at once; Run is called once.
type Engine struct {
	clock   clock.Clock
	next    func(context.Context) (uint64, events.Record, error)
	done    func(uint64)
	note    func(events.Step)
	maxHeld int
	asked   func() bool
	through func(Trigger, events.Event, func(time.Duration), func())
	index   index

	reading     context.Context // ends when Close begins
	stopReading context.CancelFunc
	closing     chan struct{}   // closed when nothing more is read and open batches are to go
	handing     context.Context // the targets'; ends when Close runs out of time
	stopHanding context.CancelCauseFunc
	owners      sync.WaitGroup // goroutines of triggers that have work
	abandoned   atomic.Int64   // events in hand when handing ended

	mu      sync.Mutex
	changed sync.Cond             // what follows has changed
	busy    int                   // owners at work
	begun   uint64                // times that one began
	resting map[*runner]time.Time // owners that wait until their open batch is due, and when that is
	read    uint64                // position of the last record that the triggers have
	reader  chan struct{}         // closed when Run returns; nil before Run
	ended   bool                  // nothing more is read
}

// New returns an engine without triggers. It reads nothing before Run.
func New(o Options) *Engine {
	e := &Engine{
		clock: o.Clock, next: o.Next, done: o.Done, note: o.Note, maxHeld: cmp.Or(o.MaxHeld, MaxHeld),
		asked: o.Asked, through: o.Through,
		index:   newIndex(),
		closing: make(chan struct{}),
		resting: map[*runner]time.Time{},
	}
	if e.clock == nil {
		e.clock = clock.Real{}
	}
	if e.asked == nil {
		e.asked = func() bool { return e.through != nil }
	}
	if e.done == nil {
		e.done = func(uint64) {}
	}
	if e.note == nil {
		e.note = func(events.Step) {}
	}
	e.changed.L = &e.mu
	e.reading, e.stopReading = context.WithCancel(context.Background())
	e.handing, e.stopHanding = context.WithCancelCause(context.Background())
	return e
}

// Set adds a trigger, or replaces the one with the same ID. The open batch of a replaced one goes out at once, by the definition
// that its events matched; later events follow it by the new one. The counters go on.
func (e *Engine) Set(t Trigger) error {
	if err := t.validate(); err != nil {
		return fmt.Errorf("trigger: set %q: %w", t.ID, err)
	}
	if e.reading.Err() != nil {
		return ErrClosed
	}
	if r, replaced := e.index.set(e, newDefinition(t, e.maxHeld)); replaced {
		r.flush(false)
	}
	return nil
}

// Remove takes a trigger away. Its open batch goes out at once; Remove does not wait for the target, Quiet and Close do.
func (e *Engine) Remove(id string) error {
	if e.reading.Err() != nil {
		return ErrClosed
	}
	r, ok := e.index.remove(id)
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	r.flush(true)
	return nil
}

// State is a trigger and what it does.
type State struct {
	Trigger   Trigger
	Waiting   int       // events in the open batch
	Due       time.Time // when the open batch goes at the latest; zero without one
	Held      int       // events in hand: in the open batch, waiting for the target, with the target
	Matched   uint64    // events that it wanted, also while paused
	Delivered uint64    // deliveries that a target took
	Lost      uint64    // deliveries given up, and events that came while paused
}

// Triggers returns all triggers in the order in which they were added.
func (e *Engine) Triggers() []State {
	_, states := e.index.all()
	return states
}

// validate reports the first thing that the engine cannot work with.
func (t Trigger) validate() error {
	switch {
	case t.ID == "":
		return errors.New("no ID")
	case len(t.Match.Types) == 0:
		return errors.New("no Match.Types, want at least one")
	case t.Window.Count < 1:
		return fmt.Errorf("got Window.Count %d, want at least 1", t.Window.Count)
	case t.Window.Bytes < 0:
		return fmt.Errorf("got Window.Bytes %d, want 0 or more", t.Window.Bytes)
	case t.Window.Cutoff <= 0:
		return fmt.Errorf("got Window.Cutoff %v, want more than 0", t.Window.Cutoff)
	case len(t.Actions) == 0:
		return errors.New("no Actions, want at least one")
	}
	for i, a := range t.Actions {
		if a.Pack == nil || a.Target == nil {
			return fmt.Errorf("no Pack or no Target in Actions[%d]", i)
		}
	}
	return nil
}
