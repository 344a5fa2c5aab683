package clock

import (
	"slices"
	"sync"
	"time"
)

// Manual is a clock that moves only by Advance. The zero value is not usable: see NewManual.
type Manual struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer // pending, in no order
}

// NewManual returns a clock that stands at start.
func NewManual(start time.Time) *Manual { return &Manual{now: start.UTC()} }

// Now returns where the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock by d and fires every timer that falls due, in the order of their times.
// It does not wait for what they set off.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.now.Add(d)
	for {
		next := m.earliest()
		if next == nil || next.due.After(end) {
			break
		}
		if next.due.After(m.now) {
			m.now = next.due
		}
		next.fire(m.now)
	}
	m.now = end
}

// Next returns when the next timer is due, and false when none is pending.
func (m *Manual) Next() (time.Time, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.earliest(); t != nil {
		return t.due, true
	}
	return time.Time{}, false
}

// NewTimer returns a timer that fires when the clock has been moved by d.
func (m *Manual) NewTimer(d time.Duration) Timer {
	t := &manualTimer{clock: m, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

func (m *Manual) earliest() *manualTimer {
	var first *manualTimer
	for _, t := range m.timers {
		if first == nil || t.due.Before(first.due) {
			first = t
		}
	}
	return first
}

type manualTimer struct {
	clock *Manual
	c     chan time.Time
	due   time.Time
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Reset(d time.Duration) {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.drop()
	t.due = t.clock.now.Add(d)
	t.clock.timers = append(t.clock.timers, t)
	if d <= 0 {
		t.fire(t.clock.now)
	}
}

func (t *manualTimer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.drop()
}

// drop takes the timer off the clock and throws away a tick nobody has received.
func (t *manualTimer) drop() {
	if i := slices.Index(t.clock.timers, t); i >= 0 {
		t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	}
	select {
	case <-t.c:
	default:
	}
}

func (t *manualTimer) fire(now time.Time) {
	t.drop()
	t.c <- now
}
