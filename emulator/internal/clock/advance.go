package clock

import (
	"context"
	"fmt"
	"time"
)

// AdvanceBy moves the clock on by d from where it stands when its turn comes; see AdvanceTo.
func (w *Warp) AdvanceBy(ctx context.Context, d time.Duration, settle func(context.Context) error) error {
	return w.move(ctx, func(now time.Time) time.Time { return now.Add(d) }, settle)
}

// AdvanceTo moves the clock on to t and fires what is due until then, one timer at a time in the order of their times, and of their
// setting where these are the same. The clock shows each timer's time when it fires, and stands still until settle has returned: before
// the first, after each, and at t. So what settle waits for may set timers that are honoured in their turn.
// When settle fails the clock stays where it is. Who comes while the clock is being moved waits. After it, the clock goes on as it did.
// A t before now is ErrPast; a nil settle waits for nothing.
func (w *Warp) AdvanceTo(ctx context.Context, t time.Time, settle func(context.Context) error) error {
	return w.move(ctx, func(time.Time) time.Time { return t }, settle)
}

func (w *Warp) move(ctx context.Context, to func(now time.Time) time.Time, settle func(context.Context) error) error {
	if settle == nil {
		settle = func(ctx context.Context) error { return ctx.Err() }
	}
	select {
	case w.moves <- struct{}{}:
		defer func() { <-w.moves }()
	case <-ctx.Done():
		return fmt.Errorf("clock: somebody else is moving it: %w", ctx.Err())
	}
	end, err := w.hold(to)
	if err != nil {
		return err
	}
	defer w.release()
	for more := true; more; {
		if err := settle(ctx); err != nil {
			return fmt.Errorf("clock: advance to %s, at %s: %w", end.Format(time.RFC3339Nano), w.Now().Format(time.RFC3339Nano), err)
		}
		more = w.step(end)
	}
	return nil
}

// hold makes the clock stand still for who moves it.
func (w *Warp) hold(to func(now time.Time) time.Time) (end time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	machine, now := w.stop()
	defer func() { w.goOn(machine, now) }()
	t := to(now)
	switch {
	case t.Before(now):
		return time.Time{}, fmt.Errorf("clock: from %s to %s: %w", now.Format(time.RFC3339Nano), t.Format(time.RFC3339Nano), ErrPast)
	case t.Year() > 9999:
		return time.Time{}, fmt.Errorf("clock: from %s: %w", now.Format(time.RFC3339Nano), ErrFar)
	}
	w.moving = true
	return now.Add(t.Sub(now)), nil // on the machine's monotonic scale, as now is
}

func (w *Warp) release() { w.change(func() { w.moving = false }) }

// step fires the next timer that is due by end, or goes to end; false when it was there and there is nothing left to do.
func (w *Warp) step(end time.Time) (more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	machine, now := w.stop()
	next := w.next(end)
	if next == nil {
		w.goOn(machine, end)
		return now.Before(end)
	}
	if next.due.After(now) { // else real time has made it due and nobody has fired it yet
		now = next.due
	}
	w.goOn(machine, now)
	next.fire(now)
	return true
}

// next returns the timer that is due first, nil when none is by end.
func (w *Warp) next(end time.Time) *warpTimer {
	if len(w.timers) == 0 || w.timers[0].due.After(end) {
		return nil
	}
	return w.timers[0]
}
