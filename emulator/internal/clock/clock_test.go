package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Both clocks keep the same promises; move lets d pass.
func TestTimers(t *testing.T) {
	for name, run := range map[string]func(*testing.T, func(t *testing.T, c clock.Clock, move func(time.Duration))){
		"manual": func(t *testing.T, test func(*testing.T, clock.Clock, func(time.Duration))) {
			c := clock.NewManual(start)
			test(t, c, c.Advance)
		},
		"real": func(t *testing.T, test func(*testing.T, clock.Clock, func(time.Duration))) {
			synctest.Test(t, func(t *testing.T) {
				test(t, clock.Real{}, pass)
			})
		},
		"warp": func(t *testing.T, test func(*testing.T, clock.Clock, func(time.Duration))) {
			synctest.Test(t, func(t *testing.T) {
				test(t, clock.NewWarp(time.Time{}), pass)
			})
		},
		"warp, elsewhen": func(t *testing.T, test func(*testing.T, clock.Clock, func(time.Duration))) {
			synctest.Test(t, func(t *testing.T) {
				test(t, clock.NewWarp(start), pass)
			})
		},
		"warp, frozen": func(t *testing.T, test func(*testing.T, clock.Clock, func(time.Duration))) {
			c := clock.NewWarp(start)
			c.Freeze()
			test(t, c, func(d time.Duration) {
				if err := c.AdvanceBy(t.Context(), d, nil); err != nil {
					t.Fatal(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, c clock.Clock, move func(time.Duration)) {
				is := is.New(t)
				began := c.Now()
				timer := c.NewTimer(time.Minute)
				move(59 * time.Second)
				is.True(!ticked(timer)) // not yet due
				move(time.Second)
				is.True(ticked(timer)) // due
				is.Equal(c.Now().Sub(began), time.Minute)

				timer.Reset(time.Second)
				timer.Stop()
				move(time.Minute)
				is.True(!ticked(timer)) // stopped

				timer.Reset(time.Second)
				move(time.Second)
				timer.Reset(time.Minute)
				is.True(!ticked(timer)) // the tick of before the reset is gone
				move(time.Minute)
				is.True(ticked(timer))

				timer.Reset(0)
				move(0)
				is.True(ticked(timer)) // due at once

				timer.ResetTo(c.Now().Add(time.Minute))
				move(time.Minute - 1)
				is.True(!ticked(timer))
				move(1)
				is.True(ticked(timer))
				timer.ResetTo(c.Now().Add(-time.Minute))
				move(0)
				is.True(ticked(timer)) // it has passed
				timer.Stop()
			})
		})
	}
}

func TestManualFiresInOrder(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	late, early := c.NewTimer(3*time.Second), c.NewTimer(time.Second)
	next, ok := c.Next()
	is.True(ok)
	is.Equal(next, start.Add(time.Second))
	c.Advance(10 * time.Second)
	is.Equal((<-early.C()), start.Add(time.Second)) // the tick carries its own time, not the end of the move
	is.Equal((<-late.C()), start.Add(3*time.Second))
	_, ok = c.Next()
	is.True(!ok)
}

// pass lets time of the bubble pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func ticked(t clock.Timer) bool {
	select {
	case <-t.C():
		return true
	default:
		return false
	}
}

func TestFrozenStandsAtItsStart(t *testing.T) {
	is := is.New(t)
	c := clock.NewFrozen(start)
	is.True(c.Now().Equal(start))
	is.True(c.State().Frozen)
	is.NoErr(c.AdvanceBy(t.Context(), time.Minute, nil))
	is.True(c.Now().Equal(start.Add(time.Minute)))
	c.Resume()
	is.True(!c.Now().Before(start.Add(time.Minute)))
}
