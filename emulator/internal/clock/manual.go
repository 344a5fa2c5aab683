package clock

import (
	"context"
	"time"
)

// Manual is a clock that moves only when somebody moves it. The zero value is not usable: see NewManual.
type Manual struct{ w *Warp }

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual {
	m := &Manual{w: &Warp{moves: make(chan struct{}, 1), speed: 1, frozen: true}}
	m.w.goOn(time.Now(), start.UTC())
	return m
}

// Now returns where the clock stands.
func (m *Manual) Now() time.Time { return m.w.Now() }

// NewTimer returns a timer that fires when the clock has been moved by d.
func (m *Manual) NewTimer(d time.Duration) Timer { return m.w.NewTimer(d) }

// Next returns when the next timer is due, and false when none is pending.
func (m *Manual) Next() (time.Time, bool) { return m.w.Next() }

// State returns where the clock stands. It is always frozen.
func (m *Manual) State() State { return m.w.State() }

// Handled returns when every tick has been dealt with; see Warp.
func (m *Manual) Handled(ctx context.Context) error { return m.w.Handled(ctx) }

// Moving tells whether somebody moves the clock on.
func (m *Manual) Moving() bool { return m.w.Moving() }

// Fired counts the ticks until now.
func (m *Manual) Fired() uint64 { return m.w.Fired() }

// Advance moves the clock by d and fires every timer that falls due, in the order of their times.
// It does not wait for what they set off, and what that sets is due at the next move.
func (m *Manual) Advance(d time.Duration) {
	m.w.moves <- struct{}{}
	defer func() { <-m.w.moves }()
	w := m.w
	w.mu.Lock()
	defer w.mu.Unlock()
	machine, now := w.stop() // whoever asks for the time meanwhile gets that of the end
	end := now.Add(d)
	for next := w.next(end); next != nil; next = w.next(end) {
		next.fire(next.due)
	}
	w.goOn(machine, end)
}

// AdvanceBy moves the clock by d as Warp.AdvanceBy does.
func (m *Manual) AdvanceBy(ctx context.Context, d time.Duration, settle func(context.Context) error) error {
	return m.w.AdvanceBy(ctx, d, settle)
}

// AdvanceTo moves the clock to t as Warp.AdvanceTo does.
func (m *Manual) AdvanceTo(ctx context.Context, t time.Time, settle func(context.Context) error) error {
	return m.w.AdvanceTo(ctx, t, settle)
}
