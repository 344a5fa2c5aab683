package emulator

import (
	"context"
	"errors"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// When a replay does what.

// turn is reach for a record, which somebody can hold back.
func (r *replay) turn(ctx context.Context, at, asked time.Time) (time.Time, error) {
	control := r.options.Control
	if control == nil {
		return r.reach(ctx, at, time.Since(asked))
	}
	flush := func() error { return r.write(ctx) }
	if r.options.Virtual || r.options.Speed <= 0 {
		if err := control.pass(ctx, flush); err != nil {
			return time.Time{}, err
		}
		return r.reach(ctx, at, 0)
	}
	if _, err := r.reach(ctx, at, time.Since(asked)); err != nil {
		return time.Time{}, err
	}
	came := r.emulator.clock.Now()
	err := control.pass(ctx, flush)
	now := r.emulator.clock.Now()
	r.start = r.start.Add(now.Sub(came)) // what follows keeps its distance
	return now, err
}

// reach waits, or moves the clock, until it is time for what was recorded at at, and returns the time of the house. Waiting for the input
// (somebody has paused) shifts what follows.
func (r *replay) reach(ctx context.Context, at time.Time, waited time.Duration) (time.Time, error) {
	e := r.emulator
	now := e.clock.Now()
	gap := at.Sub(r.first)
	switch {
	case r.options.Virtual:
		due := r.start.Add(gap)
		if err := r.linger(ctx, gap); err != nil {
			return now, err
		}
		if !due.After(now) {
			return now, nil
		}
		return due, r.move(ctx, due)
	case r.options.Speed <= 0:
		return now, nil
	}
	due := r.start.Add(time.Duration(float64(gap) / r.options.Speed))
	if late := min(waited, now.Sub(due)); late > 0 {
		r.start = r.start.Add(late)
		return now, nil
	}
	timer := e.clock.NewTimer(due.Sub(now))
	defer timer.Stop()
	for {
		early, changed := false, (<-chan struct{})(nil)
		if r.options.Control != nil {
			early, _, changed = r.options.Control.state()
		}
		if early {
			now = e.clock.Now()
			r.start = r.start.Add(min(now.Sub(due), 0))
			return now, nil
		}
		select {
		case <-timer.C():
			return e.clock.Now(), nil
		case <-changed:
		case <-ctx.Done():
			return now, context.Cause(ctx)
		}
	}
}

// linger waits by the machine's clock until it is time for what was recorded so long after the first line.
func (r *replay) linger(ctx context.Context, gap time.Duration) error {
	if r.options.Speed <= 0 {
		return nil
	}
	wait := time.Until(r.began.Add(time.Duration(float64(gap) / r.options.Speed)))
	if wait <= 0 {
		return nil
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// move moves the clock. The house must be quiet before the clock passes anything that somebody may wait for: a timer that is set, and one
// that what was just published will set. Where there are triggers that broadcast and nothing else, that is not before their shortest
// cutoff, so that a dense recording need not settle for every line.
func (r *replay) move(ctx context.Context, to time.Time) error {
	if r.quantum > 0 && to.Before(r.settled.Add(r.quantum)) {
		if next, ok := r.emulator.clock.(clock.Movable).Next(); !ok || next.After(to) {
			return r.advance(ctx, to, nil) // what is gathered is written later than it happened, and says when that was
		}
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if err := r.advance(ctx, to, r.settle); err != nil {
		return err
	}
	r.settled = to
	return nil
}

// advance moves the clock, unless somebody else has moved it further meanwhile.
func (r *replay) advance(ctx context.Context, to time.Time, settle func(context.Context) error) error {
	err := r.emulator.clock.(clock.Movable).AdvanceTo(ctx, to, settle)
	if errors.Is(err, clock.ErrPast) {
		return nil
	}
	return err
}

// plainWindow is the shortest cutoff of triggers that all broadcast; 0 when there is anything else that waits for its time.
func (e *Emulator) plainWindow() time.Duration {
	shortest := time.Hour
	for _, s := range e.triggers.Triggers() {
		if s.Trigger.OneByOne { // a function or a container
			return 0
		}
		shortest = min(shortest, s.Trigger.Window.Cutoff)
	}
	if e.stack != nil {
		return 0
	}
	return shortest
}
