package fault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// swap is how long what is reordered waits for another that overtakes it.
const swap = time.Second

// held is something that passes later: when it is due, when another has overtaken it, or when its fault has gone; once.
type held struct {
	by   *active
	due  time.Time // zero: it has no time
	pass func()
	gone chan struct{} // closed when it is held no more
	free bool          // it has been overtaken before it was held
}

// Pass takes something by a step where nobody waits for it: do lets it pass, so much later than it was to. It calls do never, now,
// later or twice, and then end, which may be nil. Actions other than drop, delay, duplicate and reorder are the caller's: to Pass they
// are like none.
func (r *Room) Pass(h Hit, do func(late time.Duration), end func()) {
	if end == nil {
		end = func() {}
	}
	switch h.Action {
	case Drop:
		end()
	case Delay, Reorder:
		r.hold(h, func() {
			late := time.Duration(0)
			if h.Action == Delay {
				late = h.Delay
			}
			do(late)
			end()
		})
	case Duplicate:
		do(0)
		do(0)
		end()
	default:
		do(0)
		end()
	}
	r.Passed(h)
}

// Stay keeps a caller as long as what it does is held back. It returns ctx's error when that ends before. Passed must follow when it has
// been done.
func (r *Room) Stay(ctx context.Context, h Hit) error {
	if h.Action != Delay && h.Action != Reorder {
		return nil
	}
	return r.wait(ctx, h, h.due())
}

// Until keeps a caller until ctx ends, at most until a time from now by the house's clock (0: none), or until the fault has gone.
func (r *Room) Until(ctx context.Context, h Hit, limit time.Duration) error {
	due := time.Time{}
	if limit > 0 {
		due = h.at.Add(limit)
	}
	return r.wait(ctx, h, due)
}

func (r *Room) wait(ctx context.Context, h Hit, due time.Time) error {
	x := r.keep(h, due, func() {})
	select {
	case <-x.gone:
		return nil
	case <-ctx.Done():
		r.letGo(x)
		return context.Cause(ctx)
	}
}

// Passed lets go what a hit has overtaken.
func (r *Room) Passed(h Hit) {
	for _, x := range h.over {
		r.letGo(x)
	}
}

// Later does something after a time by the house's clock, or when the fault has gone; 0: only then.
func (r *Room) Later(h Hit, d time.Duration, do func()) {
	due := time.Time{}
	if d > 0 {
		due = r.clock.Now().Add(d)
	}
	r.keep(h, due, do)
}

func (h Hit) due() time.Time {
	d := h.Delay
	if h.Action == Reorder && d == 0 {
		d = swap
	}
	return h.at.Add(d)
}

func (r *Room) hold(h Hit, pass func()) { r.keep(h, h.due(), pass) }

// keep holds something. When the fault has gone already it passes now.
func (r *Room) keep(h Hit, due time.Time, pass func()) *held {
	x := h.slot
	if x == nil {
		x = &held{by: h.by}
	}
	r.mu.Lock()
	x.due, x.pass, x.gone = due, pass, make(chan struct{})
	r.held = append(r.held, x)
	over := r.closed || x.free || !slices.Contains(r.faults, h.by)
	if !over && !due.IsZero() {
		timer := r.arm(due) // before anybody can move the clock
		r.timers.Go(func() { r.tick(x, timer) })
	}
	r.mu.Unlock()
	if over {
		r.letGo(x)
	}
	return x
}

// tick lets x go when it is due.
func (r *Room) tick(x *held, timer clock.Timer) {
	defer timer.Stop()
	select {
	case <-timer.C():
		r.letGo(x)
	case <-x.gone:
	}
}

// arm makes a timer for a time. A clock that is moved by hand between reading it and making the timer would make that late, so look
// again; a few times only, as the real clock always moves.
func (r *Room) arm(due time.Time) clock.Timer {
	now := r.clock.Now()
	timer := r.clock.NewTimer(due.Sub(now))
	for range 4 {
		then := r.clock.Now()
		if then.Sub(now) < time.Microsecond {
			break
		}
		now = then
		timer.Reset(due.Sub(now))
	}
	return timer
}

// letGo lets x pass, unless it has.
func (r *Room) letGo(x *held) {
	r.mu.Lock()
	i := slices.Index(r.held, x)
	if i < 0 {
		x.free = true
		r.mu.Unlock()
		return
	}
	r.held = slices.Delete(r.held, i, i+1)
	if x.by != nil && x.by.waiting == x {
		x.by.waiting = nil
	}
	r.running++
	r.mu.Unlock()
	x.pass()
	close(x.gone)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	r.changed.Broadcast()
}

// release lets go what is to, the oldest first.
func (r *Room) release(what func(*held) bool) {
	r.mu.Lock()
	all := slices.Clone(r.held)
	r.mu.Unlock()
	for _, x := range all {
		if what(x) {
			r.letGo(x)
		}
	}
}

// Quiet returns when nothing is held back that is due, and what was let go has passed. It does not wait for what is due later.
func (r *Room) Quiet(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.quiet() {
		if ctx.Err() != nil {
			return fmt.Errorf("fault: quiet: %w", ctx.Err())
		}
		r.changed.Wait()
	}
	return nil
}

// quiet needs the lock.
func (r *Room) quiet() bool {
	if r.running > 0 {
		return false
	}
	now := r.clock.Now()
	return !slices.ContainsFunc(r.held, func(x *held) bool { return !x.due.IsZero() && !x.due.After(now) })
}
