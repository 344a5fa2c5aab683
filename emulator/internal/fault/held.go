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
	due  time.Time      // zero: it has no time
	pass func(due bool) // due: its time has come; else it has been overtaken, or its fault has gone
	gone chan struct{}  // closed when it is held no more
	free bool           // it has been overtaken before it was held
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
		r.hold(h, h.due(), func(bool) {
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

// Stay keeps a caller as long as what it does is held back: no time at all, unless the action is delay or reorder. It returns ctx's error
// when that ends before. pause, which may be nil, hears until when at most, when the timer for it is set, and returns what is called at
// the end. Passed must follow when the caller has done what it does.
func (r *Room) Stay(ctx context.Context, h Hit, pause func(due time.Time) (resume func())) error {
	if h.Action != Delay && h.Action != Reorder {
		return nil
	}
	return r.wait(ctx, h, h.due(), pause)
}

// Linger keeps a caller until a time, or until the fault has gone; the zero time: only until then. ctx and pause are as with Stay.
func (r *Room) Linger(ctx context.Context, h Hit, due time.Time, pause func(due time.Time) (resume func())) error {
	return r.wait(ctx, h, due, pause)
}

func (r *Room) wait(ctx context.Context, h Hit, due time.Time, pause func(time.Time) func()) error {
	passed := make(chan struct{})
	goOn := make(chan struct{})
	x, over := r.keep(h, due, func(bool) {
		close(passed)
		<-goOn // whoever waits is at work before anybody thinks that all is quiet
	})
	if over {
		close(goOn)
		r.letGo(x, false)
		return nil
	}
	resume := func() {}
	if pause != nil && !due.IsZero() {
		resume = pause(due)
	}
	var err error
	select {
	case <-passed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	resume()
	close(goOn)
	if err != nil {
		r.letGo(x, false)
	}
	return err
}

// Passed lets go what a hit has overtaken.
func (r *Room) Passed(h Hit) {
	for _, x := range h.over {
		r.letGo(x, false)
	}
}

// Later does something after a time by the house's clock. It does not do it when the fault goes before.
func (r *Room) Later(h Hit, d time.Duration, do func()) {
	r.hold(h, r.clock.Now().Add(d), func(due bool) {
		if due {
			do()
		}
	})
}

// Finally does something, once for a fault however often it is called, when that has gone.
func (r *Room) Finally(h Hit, do func()) {
	r.mu.Lock()
	first := !h.by.ends
	h.by.ends = true
	r.mu.Unlock()
	if first {
		r.hold(h, time.Time{}, func(bool) { do() })
	}
}

func (h Hit) due() time.Time {
	d := h.Delay
	if h.Action == Reorder && d == 0 {
		d = swap
	}
	return h.Came.Add(d)
}

// hold is keep for what nobody waits for.
func (r *Room) hold(h Hit, due time.Time, pass func(due bool)) {
	if x, over := r.keep(h, due, pass); over {
		r.letGo(x, false)
	}
}

// keep holds something. over: it is to be let go at once, since its fault has gone, or it has been overtaken.
func (r *Room) keep(h Hit, due time.Time, pass func(due bool)) (x *held, over bool) {
	x = h.slot
	if x == nil {
		x = &held{by: h.by}
	}
	r.mu.Lock()
	x.due, x.pass, x.gone = due, pass, make(chan struct{})
	r.held = append(r.held, x)
	r.begun++
	over = r.closed || x.free || !slices.Contains(r.faults, h.by)
	if !over && !due.IsZero() {
		timer := r.arm(due) // before anybody can move the clock
		r.timers.Go(func() { r.tick(x, timer) })
	}
	r.mu.Unlock()
	return x, over
}

// tick lets x go when it is due.
func (r *Room) tick(x *held, timer clock.Timer) {
	defer timer.Stop()
	select {
	case <-timer.C():
		r.letDue()
		r.letGo(x, true) // if it is not gone by then
	case <-x.gone:
	}
}

// letDue lets go all that is due, one after another, what was due first first: so the order does not depend on the scheduler.
func (r *Room) letDue() {
	r.turn.Lock()
	defer r.turn.Unlock()
	for {
		now := r.clock.Now()
		var next *held
		r.mu.Lock()
		for _, x := range r.held {
			if !x.due.IsZero() && !x.due.After(now) && (next == nil || x.due.Before(next.due)) {
				next = x
			}
		}
		r.mu.Unlock()
		if next == nil {
			return
		}
		r.letGo(next, true)
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
func (r *Room) letGo(x *held, due bool) {
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
	r.begun++
	r.mu.Unlock()
	x.pass(due)
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
			r.letGo(x, false)
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

// Begun grows with all that is begun: between two calls that return the same nothing was held back or let go.
func (r *Room) Begun() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

// quiet needs the lock.
func (r *Room) quiet() bool {
	if r.running > 0 {
		return false
	}
	return !slices.ContainsFunc(r.held, func(x *held) bool { return !x.due.IsZero() && clock.Wakes(r.clock, x.due) })
}
