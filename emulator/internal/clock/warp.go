package clock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of SetSpeed: from a thousandth of real time to eleven days a second.
const (
	MinSpeed = 1e-3
	MaxSpeed = 1e6
)

// Errors of those who move a Warp.
var (
	ErrPast  = errors.New("a clock never goes back")
	ErrSpeed = fmt.Errorf("a speed is from %g to %.0f", MinSpeed, MaxSpeed)
	ErrFar   = errors.New("the time is after the year 9999")
)

// Warp is a clock over the machine's (inside testing/synctest, the bubble's): it runs with it until somebody freezes it, moves it on, or
// gives it another speed. Its methods may be called at once. The zero value is not usable: see NewWarp.
//
// The receiver of a tick calls Reset or Stop on the timer when it is through with what the tick set off, or when somebody else can
// see that it is on its way: until then Handled waits.
type Warp struct {
	pace  atomic.Pointer[pace]
	moves chan struct{} // one place: who moves the clock on has it

	mu     sync.Mutex
	frozen bool
	moving bool // stands still while somebody moves it
	speed  float64
	timers queue
	order  uint64      // of the timers
	below  *time.Timer // the one real timer; nil before it is needed
	wakes  time.Time   // what below is set for; zero: it is not

	fired     uint64
	unhandled int
	calm      chan struct{} // closed when unhandled comes to zero; nil: nobody waits
}

// pace says how the house's time follows from the machine's. It is never changed, only replaced, so that Now takes no lock.
type pace struct {
	anchor time.Time     // of the machine
	at     time.Time     // the house's, at the anchor
	ahead  time.Duration // at − anchor
	speed  float64       // 0: stands still
}

// now returns the house's time at a machine's.
func (p *pace) now(machine time.Time) time.Time {
	switch p.speed {
	case 0:
		return p.at
	case 1:
		return machine.UTC().Add(p.ahead)
	}
	return p.at.Add(time.Duration(float64(machine.Sub(p.anchor)) * p.speed))
}

// State tells of a clock.
type State struct {
	Now    time.Time
	Frozen bool
	Speed  float64       // seconds a second when it is not frozen
	Ahead  time.Duration // of the machine's clock
}

// NewWarp returns a clock that runs from start, or from now when start is zero.
func NewWarp(start time.Time) *Warp {
	w := &Warp{moves: make(chan struct{}, 1), speed: 1}
	now := time.Now()
	ahead := time.Duration(0)
	if !start.IsZero() {
		ahead = start.Sub(now)
	}
	w.pace.Store(&pace{anchor: now, at: now.UTC().Add(ahead), ahead: ahead, speed: 1})
	return w
}

// NewFrozen returns a clock that stands at start, or at now when start is zero, to the nanosecond.
func NewFrozen(start time.Time) *Warp {
	w := NewWarp(start)
	w.frozen = true
	still := *w.pace.Load()
	still.speed = 0
	w.pace.Store(&still)
	return w
}

// Now returns the house's time in UTC.
func (w *Warp) Now() time.Time {
	if p := w.pace.Load(); p != nil {
		now := p.now(time.Now())
		if w.pace.Load() == p { // or somebody may have stopped the clock before this time
			return now
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pace.Load().now(time.Now())
}

// Freeze stops the clock. Timers fire no more until it is moved on or resumes.
func (w *Warp) Freeze() { w.change(func() { w.frozen = true }) }

// Resume lets a frozen clock run on from where it stands, at the speed that was set last.
func (w *Warp) Resume() { w.change(func() { w.frozen = false }) }

// SetSpeed makes x seconds pass in one of the machine's. A frozen clock stays frozen.
func (w *Warp) SetSpeed(x float64) error {
	if !(x >= MinSpeed && x <= MaxSpeed) { // nor NaN
		return fmt.Errorf("clock: speed %g: %w", x, ErrSpeed)
	}
	w.change(func() { w.speed = x })
	return nil
}

// State returns what the clock does. While somebody moves it, it is not called frozen for that.
func (w *Warp) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	machine := time.Now()
	now := w.pace.Load().now(machine)
	return State{Now: now, Frozen: w.frozen, Speed: w.speed, Ahead: now.Sub(machine)}
}

// Next returns when the next timer is due, and false when none is set.
func (w *Warp) Next() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.timers) == 0 {
		return time.Time{}, false
	}
	return w.timers[0].due, true
}

// Fired counts the ticks until now.
func (w *Warp) Fired() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fired
}

// Moving tells whether somebody moves the clock on.
func (w *Warp) Moving() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.moving
}

// Handled returns when every tick has been dealt with.
func (w *Warp) Handled(ctx context.Context) error {
	w.mu.Lock()
	if w.unhandled == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.calm == nil {
		w.calm = make(chan struct{})
	}
	calm := w.calm
	w.mu.Unlock()
	select {
	case <-calm:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("clock: a timer has fired and is not dealt with: %w", ctx.Err())
	}
}

// change sets what the pace follows from.
func (w *Warp) change(set func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	machine, now := w.stop()
	set()
	w.goOn(machine, now)
}

// stop takes the time for those who change the pace. Until goOn nobody learns a later one.
func (w *Warp) stop() (machine, now time.Time) {
	p := w.pace.Swap(nil)
	machine = time.Now()
	return machine, p.now(machine)
}

// goOn makes the clock go on from a time as frozen, moving and speed say.
func (w *Warp) goOn(machine, at time.Time) {
	p := &pace{anchor: machine, at: at, ahead: at.Sub(machine), speed: w.speed}
	if w.frozen || w.moving {
		p.speed = 0
	}
	w.pace.Store(p)
	w.rest()
	w.wake(at)
}

// wake sets the real timer for the first of the house's; what wakes earlier than need be is left.
func (w *Warp) wake(now time.Time) {
	p := w.pace.Load()
	if len(w.timers) == 0 || p.speed == 0 {
		return
	}
	due := w.timers[0].due
	if !w.wakes.IsZero() && !due.Before(w.wakes) {
		return
	}
	wait := due.Sub(now)
	if p.speed != 1 {
		wait = time.Duration(float64(wait)/p.speed) + 1 // rounded up: never before it is due
	}
	w.wakes = due
	if w.below == nil {
		w.below = time.AfterFunc(wait, w.fireDue)
		return
	}
	w.below.Reset(wait)
}

// rest takes the real timer's call back.
func (w *Warp) rest() {
	if !w.wakes.IsZero() {
		w.below.Stop()
		w.wakes = time.Time{}
	}
}

// fireDue is what the real timer calls. A call that came too late to be taken back finds nothing due.
func (w *Warp) fireDue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakes = time.Time{}
	p := w.pace.Load()
	if p.speed == 0 {
		return
	}
	now := p.now(time.Now())
	for len(w.timers) > 0 && !w.timers[0].due.After(now) {
		w.timers[0].fire(now)
	}
	w.wake(now)
}
