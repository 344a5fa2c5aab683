// Package clock is the only place where the house learns what time it is.
//
// Real follows the machine (and, inside testing/synctest, the bubble). Warp follows it until it is frozen, moved on, or made faster.
// Manual stands still until it is moved.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and makes timers.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer that fires once, d from now; at once when d is not positive.
	NewTimer(d time.Duration) Timer
}

// Timer is a time.Timer behind an interface. As with Go 1.23's timers, no stale tick is received after Stop or Reset.
type Timer interface {
	C() <-chan time.Time
	// Reset makes the timer fire d from now, whether or not it has fired.
	Reset(d time.Duration)
	// ResetTo makes the timer fire at t, whatever moves the clock meanwhile: at once when that has passed.
	ResetTo(t time.Time)
	Stop()
}

// Movable is a clock that can be moved on. Warp and Manual are.
type Movable interface {
	Clock
	State() State
	// Next returns when the next timer is due, and false when none is set.
	Next() (time.Time, bool)
	// Handled returns when every tick has been dealt with: whoever received it has called Reset or Stop.
	Handled(ctx context.Context) error
	// Fired counts the ticks until now.
	Fired() uint64
	// AdvanceBy and AdvanceTo move the clock on and fire what is due; see Warp.
	AdvanceBy(ctx context.Context, d time.Duration, settle func(context.Context) error) error
	AdvanceTo(ctx context.Context, t time.Time, settle func(context.Context) error) error
	// Moving tells whether somebody moves it on: then it stands still, and what is due now has had its tick or gets it in its turn.
	Moving() bool
}

// Wakes tells whether who waits until due is about to wake. While a clock is moved on nobody is: who has had a tick is waited for by
// Handled, and who has not gets it when the house is quiet, since of several that are due at once one comes after another.
func Wakes(c Clock, due time.Time) bool {
	if due.After(c.Now()) {
		return false
	}
	m, ok := c.(Movable)
	return !ok || !m.Moving()
}

// Real is the machine's clock.
type Real struct{}

// Now returns time.Now in UTC.
func (Real) Now() time.Time { return time.Now().UTC() }

// NewTimer returns a timer of package time.
func (Real) NewTimer(d time.Duration) Timer { return realTimer{time.NewTimer(d)} }

type realTimer struct{ t *time.Timer }

func (r realTimer) C() <-chan time.Time   { return r.t.C }
func (r realTimer) Reset(d time.Duration) { r.t.Reset(d) }
func (r realTimer) ResetTo(t time.Time)   { r.t.Reset(time.Until(t)) }
func (r realTimer) Stop()                 { r.t.Stop() }
