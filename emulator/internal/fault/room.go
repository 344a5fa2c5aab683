package fault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Errors of Add and Remove.
var (
	ErrTaken   = errors.New("fault: id in use")
	ErrUnknown = errors.New("fault: unknown")
	ErrFull    = errors.New("fault: too many faults")
)

const (
	most      = 1000    // faults at once
	mostHeld  = 10_000  // held at once; as long as there are so many, nothing else goes wrong
	mostSites = 100_000 // remembered by Observe; what comes then is counted only
	mostTurns = 100_000 // connections that are counted; those that come then have no turn
	mostKeys  = 100_000 // passages that a share tells apart; those that come then count as one
)

// Options make a Room. The zero value works.
type Options struct {
	Clock clock.Clock       // nil: clock.Real
	Note  func(events.Step) // hears of each fault that happens; nil: nobody does
	Seed  uint64            // of faults that have none of their own
	// Changed hears of each fault that is added or taken away, before that has any effect. It must not ask the room. Nil: nobody does.
	Changed func(f Fault, there bool)
}

// Room holds the faults there are and what they hold back. All methods may be called at once. Close it.
type Room struct {
	clock   clock.Clock
	note    func(events.Step)
	changes func(f Fault, there bool)
	seed    uint64
	asked   atomic.Uint32 // a bit for each step where something is to be done

	turn sync.Mutex // of what is due to pass; before mu

	mu       sync.Mutex
	changed  sync.Cond // held, or ours
	faults   []*active
	made     int
	closed   bool
	observes bool
	counts   map[Step]int
	sites    []Site
	turns    map[string]int // of connections, while there is somebody to whom they matter
	opened   int
	held     []*held // in the order in which they were
	running  int     // of what was held, on its way
	begun    uint64
	timers   sync.WaitGroup
}

// active is a fault with what it has done.
type active struct {
	Fault
	seed     [2]uint64
	met      map[uint64]int // how often a passage was met, by its key; of a share
	turn     int            // of a connection, behind
	before   int            // that were opened before the fault was there
	seen     int
	injected int
	ends     bool  // something is to be done when it has gone
	waiting  *held // for the next to overtake it
}

// State is a fault and what it has done.
type State struct {
	Fault
	Seen     int // passages that it is for
	Injected int // of these, those that went wrong
}

// New returns a room without faults.
func New(o Options) *Room {
	r := &Room{clock: o.Clock, note: o.Note, changes: o.Changed, seed: o.Seed, counts: make(map[Step]int)}
	if r.clock == nil {
		r.clock = clock.Real{}
	}
	if r.note == nil {
		r.note = func(events.Step) {}
	}
	if r.changes == nil {
		r.changes = func(Fault, bool) {}
	}
	r.changed.L = &r.mu
	return r
}

// Add adds a fault and returns it with its id. The error says everything that is wrong with it.
func (r *Room) Add(f Fault) (Fault, error) {
	if err := f.Check(); err != nil {
		return f, fmt.Errorf("fault: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) == most {
		return f, fmt.Errorf("%w: at most %d", ErrFull, most)
	}
	if f.ID != "" && r.find(f.ID) >= 0 {
		return f, fmt.Errorf("%w: %q", ErrTaken, f.ID)
	}
	for f.ID == "" {
		r.made++
		if id := fmt.Sprintf("f%d", r.made); r.find(id) < 0 {
			f.ID = id
		}
	}
	r.changes(f, true)
	name := fnv.New64a()
	_, _ = name.Write([]byte(f.ID)) // so that faults of one seed do not throw the same dice; a hash takes everything
	r.faults = append(r.faults, &active{
		Fault: f, seed: [2]uint64{cmp.Or(f.Seed, r.seed), name.Sum64()}, met: map[uint64]int{}, turn: turnOf(f.Connection), before: r.opened,
	})
	r.ask()
	return f, nil
}

// find needs the lock.
func (r *Room) find(id string) int {
	return slices.IndexFunc(r.faults, func(a *active) bool { return a.ID == id })
}

// Remove takes a fault away. What it holds back goes on at once.
func (r *Room) Remove(id string) error {
	r.mu.Lock()
	i := r.find(id)
	if i < 0 {
		r.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	gone := r.faults[i]
	r.faults = slices.Delete(r.faults, i, i+1)
	r.changes(gone.Fault, false)
	r.ask()
	r.mu.Unlock()
	r.release(func(h *held) bool { return h.by == gone })
	return nil
}

// Clear takes all faults away.
func (r *Room) Clear() {
	r.mu.Lock()
	for _, a := range r.faults {
		r.changes(a.Fault, false)
	}
	r.faults = nil
	r.ask()
	r.mu.Unlock()
	r.release(func(*held) bool { return true })
}

// List returns the faults in the order in which they were added.
func (r *Room) List() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]State, len(r.faults))
	for i, a := range r.faults {
		out[i] = State{a.Fault, a.seen, a.injected}
	}
	return out
}

// ask needs the lock. It tells On where anything is to be done.
func (r *Room) ask() {
	var bits uint32
	counts := r.observes
	for _, a := range r.faults {
		bits |= bit(a.Step)
		if a.turn > 0 || a.Share > 0 {
			bits |= bit(Connection)
			counts = true
		}
	}
	if !counts {
		r.turns, r.opened = nil, 0
	}
	if r.observes {
		bits = ^uint32(0)
	}
	if r.closed {
		bits = 0
	}
	r.asked.Store(bits)
}

func bit(s Step) uint32 {
	switch s {
	case Registry:
		return 1
	case Publish:
		return 2
	case Match:
		return 4
	case Invoke:
		return 8
	case API:
		return 16
	case Send:
		return 32
	case Connection:
		return 64
	}
	return 0
}

// On says whether At has anything to say at a step. It costs next to nothing, so that nobody need make a Point for nothing.
func (r *Room) On(s Step) bool { return r != nil && r.asked.Load()&bit(s) != 0 }

// Hit is what is to be done at a passage. The zero value is: nothing.
type Hit struct {
	Fault           // zero: nothing goes wrong here
	N     int       // the how manieth passage of those that the fault is for; from 1
	Came  time.Time // when it came, by the house's clock
	by    *active
	over  []*held // what passes after this
	slot  *held   // of Reorder: what the next lets go
}

// At tells what goes wrong with what passes now. When it says true, Pass or Stay must follow.
func (r *Room) At(p Point) (Hit, bool) {
	if !r.On(p.Step) {
		return Hit{}, false
	}
	now := r.clock.Now()
	r.mu.Lock()
	r.number(&p)
	r.observe(&p)
	hit := Hit{Came: now}
	for _, a := range r.faults {
		if r.closed || !a.isFor(&p) {
			continue
		}
		a.seen++
		chosen := a.choose(&p)
		if w := a.waiting; w != nil { // this overtakes: it is no turn of its own
			a.waiting = nil
			hit.over = append(hit.over, w)
			continue
		}
		if chosen && hit.by == nil && len(r.held) < mostHeld {
			a.injected++
			hit.Fault, hit.N, hit.by = a.Fault, a.seen, a
			if a.Action == Reorder {
				a.waiting = &held{by: a}
				hit.slot = a.waiting
			}
		}
	}
	r.mu.Unlock()
	if hit.by != nil {
		r.note(hit.step(&p))
	}
	return hit, hit.by != nil || len(hit.over) > 0
}

// number needs the lock. It gives a connection its turn when it comes, and finds it out later.
func (r *Room) number(p *Point) {
	if p.Connection == "" {
		return
	}
	p.Turn = r.turns[p.Connection]
	if p.Turn > 0 || p.Step != Connection {
		return
	}
	r.opened++
	if len(r.turns) < mostTurns {
		if r.turns == nil {
			r.turns = map[string]int{}
		}
		r.turns[p.Connection], p.Turn = r.opened, r.opened
	}
}

// choose says whether it is this one's turn. Each passage has dice of its own, so that what they say depends on nothing else.
func (a *active) choose(p *Point) bool {
	share := a.Share == 0
	if !share {
		key := p.key(fnv.New64a())
		if _, known := a.met[key]; !known && len(a.met) == mostKeys {
			key = 0
		}
		a.met[key]++
		dice := rand.New(rand.NewPCG(a.seed[0]^key, a.seed[1]+uint64(a.met[key])))
		share = dice.Float64() < a.Share
	}
	return share && a.seen > a.After && (a.Next == 0 || a.injected < a.Next)
}

func (h Hit) step(p *Point) events.Step {
	what := map[Step]string{
		Registry: "a request to the registry", Publish: "a record on its way to the triggers", Match: "an event for " + p.who(),
		Invoke: "a call of " + p.who(), API: p.who(), Send: "a message for " + p.who(), Connection: "the connection " + p.who(),
	}[p.Step]
	data := map[string]any{"fault": h.ID, "step": h.Step, "action": h.Action, "occurrence": h.N}
	if p.Connection != "" {
		data["connection"] = p.Connection
	}
	return events.Step{
		At: h.Came, Events: p.ids(), Room: "fault", What: events.StepFault, Who: h.ID,
		Text: fmt.Sprintf("%s, number %d: %s", what, h.N, h.What()), Data: data,
	}
}

// Close ends all faults: what is held back goes on at once, in its order, and nothing goes wrong any more. It waits until what it let go
// has passed, or until ctx ends.
func (r *Room) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.ask()
	r.mu.Unlock()
	r.release(func(*held) bool { return true })
	if err := r.Quiet(ctx); err != nil {
		return err
	}
	r.timers.Wait()
	return nil
}
