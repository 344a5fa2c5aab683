package clock_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// slack is how far from now, of the house, a timer may be either way: the machine's timers count whole nanoseconds.
const slack = time.Microsecond

// model is a clock as simple as can be.
type model struct {
	now    time.Time
	frozen bool
	speed  float64
	timers []modelTimer
}

type modelTimer struct {
	due   time.Time
	set   bool
	fired bool // and not received
}

// pass moves the model by real time.
func (m *model) pass(d time.Duration) {
	if !m.frozen {
		m.now = m.now.Add(time.Duration(float64(d) * m.speed))
	}
}

// FuzzWarp does the same to a clock and to its model.
func FuzzWarp(f *testing.F) {
	f.Add([]byte{0, 10, 0, 20, 5, 15, 3, 0, 5, 30, 6, 10, 4, 0, 5, 40})
	f.Add([]byte{0, 1, 0, 1, 7, 3, 5, 9, 1, 0, 2, 1, 6, 200, 7, 0, 5, 7, 3, 0, 0, 3, 6, 3})
	f.Add([]byte{0, 100, 7, 4, 5, 1, 7, 1, 5, 1, 3, 0, 6, 50, 4, 0, 6, 1, 1, 0, 0, 0, 2, 0, 5, 100})
	f.Fuzz(func(t *testing.T, ops []byte) {
		synctest.Test(t, func(t *testing.T) { compare(t, ops[:min(len(ops), 400)]) })
	})
}

func compare(t *testing.T, ops []byte) {
	c := clock.NewWarp(start)
	m := &model{now: start, speed: 1}
	var timers []clock.Timer
	defer func() {
		for _, timer := range timers {
			timer.Stop()
		}
	}()
	real := time.Now()
	for ; len(ops) >= 2; ops = ops[2:] {
		x := time.Duration(ops[1]) * time.Millisecond
		set := func(i int, d time.Duration) { m.timers[i] = modelTimer{due: m.now.Add(d), set: true} }
		switch op := ops[0] % 8; {
		case op == 0 || len(timers) == 0 && op < 3:
			timers = append(timers, c.NewTimer(x))
			m.timers = append(m.timers, modelTimer{})
			set(len(timers)-1, x)
		case op == 1:
			i := int(ops[1]) % len(timers)
			timers[i].Reset(x)
			set(i, x)
		case op == 2:
			i := int(ops[1]) % len(timers)
			timers[i].Stop()
			m.timers[i] = modelTimer{}
		case op == 3:
			c.Freeze()
			m.frozen = true
		case op == 4:
			c.Resume()
			m.frozen = false
		case op == 5:
			time.Sleep(x + 16)
		case op == 6:
			advance(t, c, m, timers, x)
			real = time.Now()
		case op == 7:
			m.speed = float64(int(1) << (ops[1] % 5))
			if err := c.SetSpeed(m.speed); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		m.pass(time.Since(real))
		real = time.Now()
		if got := c.Now(); !got.Equal(m.now) {
			t.Fatalf("op %d: it is %v, want %v", ops[0]%8, got, m.now)
		}
		for i := range m.timers {
			look(t, c, &m.timers[i], timers[i], i)
		}
	}
}

// advance moves both; the timers must fire in order, each at its time.
func advance(t *testing.T, c *clock.Warp, m *model, timers []clock.Timer, d time.Duration) {
	end := m.now.Add(d)
	var want []time.Time
	for i := range m.timers {
		if w := &m.timers[i]; w.set && !w.fired && !w.due.After(end) {
			if !w.due.After(m.now.Add(slack)) {
				return // may have fired
			}
			want = append(want, w.due)
		}
	}
	slices.SortFunc(want, time.Time.Compare)
	var got []time.Time
	err := c.AdvanceBy(t.Context(), d, func(context.Context) error {
		time.Sleep(time.Hour) // which does not count
		for i, timer := range timers {
			if ticked(timer) {
				got = append(got, c.Now())
				timer.Stop()
				m.timers[i] = modelTimer{}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Fatalf("advance by %v: fired at %v, want %v", d, got, want)
	}
	m.now = end
}

// look takes a tick that has come and says whether it should have.
func look(t *testing.T, c *clock.Warp, m *modelTimer, timer clock.Timer, i int) {
	t.Helper()
	has := ticked(timer)
	switch now := c.Now(); {
	case has && !m.set:
		t.Fatalf("timer %d fired, and was stopped", i)
	case has && m.due.After(now):
		t.Fatalf("timer %d fired at %v, which is before %v", i, now, m.due)
	case !has && m.set && m.due.Add(slack).Before(now):
		t.Fatalf("timer %d has not fired at %v, due at %v", i, now, m.due)
	case has:
		timer.Stop()
		*m = modelTimer{}
	}
}
