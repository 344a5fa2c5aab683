package clock_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
)

func TestWarpFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c := clock.NewWarp(start)
		timer := c.NewTimer(time.Minute)
		defer timer.Stop()
		pass(20 * time.Second)
		c.Freeze()
		pass(time.Hour)
		is.True(!ticked(timer)) // its time stands still
		is.Equal(c.Now(), start.Add(20*time.Second))
		is.Equal(c.State(), clock.State{Now: c.Now(), Frozen: true, Speed: 1, Ahead: time.Until(c.Now())})
		c.Freeze() // twice is once
		c.Resume()
		pass(39 * time.Second)
		is.True(!ticked(timer))
		pass(time.Second)
		is.True(ticked(timer)) // what was left of its time has passed
		is.Equal(c.Now(), start.Add(time.Minute))
	})
}

func TestWarpSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c := clock.NewWarp(start)
		timer := c.NewTimer(2 * time.Minute)
		defer timer.Stop()
		is.NoErr(c.SetSpeed(60))
		pass(time.Second)
		is.Equal(c.Now(), start.Add(time.Minute))
		is.True(!ticked(timer))
		pass(time.Second + time.Nanosecond)
		is.True(ticked(timer))
		is.NoErr(c.SetSpeed(0.5))
		timer.Reset(time.Minute)
		pass(2*time.Minute - time.Millisecond)
		is.True(!ticked(timer))
		pass(2 * time.Millisecond)
		is.True(ticked(timer))
		is.NoErr(c.SetSpeed(1))
		before := c.Now()
		pass(time.Second)
		is.Equal(c.Now().Sub(before), time.Second)

		c.Freeze()
		is.NoErr(c.SetSpeed(60)) // for later
		before = c.Now()
		pass(time.Second)
		is.Equal(c.Now(), before)
		c.Resume()
		pass(time.Second)
		is.Equal(c.Now().Sub(before), time.Minute)

		for _, x := range []float64{0, -1, 1e7, 1e-4, math.NaN(), math.Inf(1)} {
			is.True(errors.Is(c.SetSpeed(x), clock.ErrSpeed))
		}
		is.Equal(c.State().Speed, 60.0)
	})
}

// Time stands still while somebody moves it: what settle takes of the machine's time is not the house's.
func TestWarpAdvanceWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c := clock.NewWarp(start)
		var told []time.Duration
		timer := c.NewTimer(time.Minute)
		defer timer.Stop()
		err := c.AdvanceBy(t.Context(), 5*time.Minute, func(context.Context) error {
			told = append(told, c.Now().Sub(start))
			time.Sleep(time.Hour)
			if ticked(timer) && len(told) < 4 {
				timer.Reset(time.Minute) // honoured in its turn
			}
			return nil
		})
		is.NoErr(err)
		is.Equal(told, []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute})
		pass(time.Second)
		is.Equal(c.Now(), start.Add(5*time.Minute+time.Second)) // it runs on
		is.Equal(c.State().Ahead, time.Until(c.Now()))
	})
}

func TestWarpFiresInOrder(t *testing.T) {
	is := is.New(t)
	c := clock.NewWarp(start)
	c.Freeze()
	var timers []clock.Timer
	for _, d := range []time.Duration{3, 1, 2, 1, 9} {
		timers = append(timers, c.NewTimer(d*time.Second))
	}
	next, ok := c.Next()
	is.True(ok)
	is.Equal(next, c.Now().Add(time.Second))
	began := c.Now()
	var fired []string
	is.NoErr(c.AdvanceBy(t.Context(), 5*time.Second, func(context.Context) error {
		for i, timer := range timers {
			select {
			case at := <-timer.C():
				fired = append(fired, fmt.Sprint(i, " at ", at.Sub(began)))
				is.Equal(at, c.Now()) // the clock shows each timer's time
				timer.Stop()
			default:
			}
		}
		return nil
	}))
	is.Equal(fired, []string{"1 at 1s", "3 at 1s", "2 at 2s", "0 at 3s"})
	is.Equal(c.Now().Sub(began), 5*time.Second)
	is.Equal(c.Fired(), uint64(4))
	timers[4].Stop()
	_, ok = c.Next()
	is.True(!ok)
}

func TestWarpAdvanceThatFails(t *testing.T) {
	is := is.New(t)
	c := clock.NewWarp(start)
	c.Freeze()
	now := c.Now()
	is.True(errors.Is(c.AdvanceTo(t.Context(), now.Add(-1), nil), clock.ErrPast))
	is.True(errors.Is(c.AdvanceBy(t.Context(), -time.Second, nil), clock.ErrPast))
	is.True(errors.Is(c.AdvanceTo(t.Context(), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), nil), clock.ErrFar))
	is.Equal(c.Now(), now)

	timer := c.NewTimer(time.Minute)
	defer timer.Stop()
	calls, enough := 0, errors.New("enough")
	err := c.AdvanceBy(t.Context(), time.Hour, func(context.Context) error {
		if calls++; calls == 2 {
			return enough
		}
		return nil
	})
	is.True(errors.Is(err, enough))
	is.Equal(c.Now(), now.Add(time.Minute)) // as far as it came
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	is.True(errors.Is(c.AdvanceBy(ended, time.Hour, nil), context.Canceled))
	is.Equal(c.Now(), now.Add(time.Minute))
	is.NoErr(c.AdvanceTo(t.Context(), c.Now(), nil)) // nowhere
}

// Who moves a clock that is being moved waits, and is moved from where the other left it.
func TestWarpAdvancesQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c := clock.NewWarp(start)
		c.Freeze()
		in := 0
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				is.NoErr(c.AdvanceBy(t.Context(), time.Minute, func(context.Context) error {
					in++
					is.Equal(in, 1)
					time.Sleep(time.Second)
					in--
					return nil
				}))
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		is.True(errors.Is(c.AdvanceBy(ctx, time.Minute, nil), context.DeadlineExceeded))
		is.NoErr(c.SetSpeed(2)) // changes what comes after
		c.Resume()
		wait.Wait()
		is.Equal(c.Now().Sub(start), 5*time.Minute)
		pass(time.Second)
		is.Equal(c.Now().Sub(start), 5*time.Minute+2*time.Second)
	})
}

func TestHandledWaitsForWhoReceives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		c := clock.NewManual(start)
		a, b := c.NewTimer(time.Second), c.NewTimer(time.Second)
		is.NoErr(c.Handled(t.Context()))
		c.Advance(time.Second)
		done := false
		go func() {
			is.NoErr(c.Handled(t.Context()))
			done = true
		}()
		<-a.C()
		<-b.C()
		b.Reset(time.Second)
		synctest.Wait()
		is.True(!done) // received is not dealt with
		a.Stop()
		synctest.Wait()
		is.True(done)
		b.Reset(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is.True(errors.Is(c.Handled(ctx), context.DeadlineExceeded))
		b.Stop()
		is.NoErr(c.Handled(t.Context()))
	})
}

// Whatever is done to a clock meanwhile, nobody sees it go back.
func TestWarpNeverGoesBack(t *testing.T) {
	c := clock.NewWarp(start)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := c.Now()
			for {
				select {
				case <-done:
					return
				default:
				}
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%v came after %v", now, last)
					return
				}
				last = now
			}
		})
	}
	for i := range 3000 {
		switch i % 5 {
		case 0:
			c.Freeze()
		case 1, 4:
			if err := c.AdvanceBy(t.Context(), time.Microsecond, nil); err != nil {
				t.Fatal(err)
			}
		case 2:
			c.Resume()
		case 3:
			if err := c.SetSpeed(float64(1 + i%7)); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
}
