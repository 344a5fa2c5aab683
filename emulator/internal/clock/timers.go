package clock

import "time"

// warpTimer is a timer of a Warp; all of it but the channel is under the clock's lock.
type warpTimer struct {
	clock *Warp
	c     chan time.Time
	due   time.Time
	order uint64
	index int  // in the queue; -1: not in it
	fired bool // and neither stopped nor reset since
}

// NewTimer returns a timer that fires when d of the house's time has passed.
func (w *Warp) NewTimer(d time.Duration) Timer {
	t := &warpTimer{clock: w, c: make(chan time.Time, 1), index: -1}
	t.Reset(d)
	return t
}

func (t *warpTimer) C() <-chan time.Time { return t.c }

func (t *warpTimer) Reset(d time.Duration) {
	t.reset(func(now time.Time) time.Time { return now.Add(d) })
}

func (t *warpTimer) ResetTo(due time.Time) {
	// On the clock's own scale, which follows the machine's monotonic one: a time from elsewhere need not have that.
	t.reset(func(now time.Time) time.Time { return now.Add(due.Sub(now)) })
}

func (t *warpTimer) reset(due func(now time.Time) time.Time) {
	w := t.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	t.drop()
	now := w.pace.Load().now(time.Now())
	t.due = due(now)
	if !t.due.After(now) {
		t.fire(now)
	} else {
		w.order++
		t.order = w.order
		w.timers.push(t)
		w.wake(now)
	}
	w.handled()
}

func (t *warpTimer) Stop() {
	w := t.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	t.drop()
	if len(w.timers) == 0 {
		w.rest() // nothing holds on to a clock that nobody uses
	}
	w.handled()
}

// drop takes the timer off the clock and throws away a tick nobody has received.
func (t *warpTimer) drop() {
	if t.index >= 0 {
		t.clock.timers.remove(t.index)
	}
	if t.fired {
		t.fired = false
		t.clock.unhandled--
		select {
		case <-t.c:
		default:
		}
	}
}

func (t *warpTimer) fire(now time.Time) {
	if t.index >= 0 {
		t.clock.timers.remove(t.index)
	}
	t.fired = true
	t.clock.fired++
	t.clock.unhandled++
	t.c <- now // there is room: it fires once after each drop
}

// handled tells those who wait that nothing is left to deal with.
func (w *Warp) handled() {
	if w.unhandled == 0 && w.calm != nil {
		close(w.calm)
		w.calm = nil
	}
}

// queue is a heap: the timer that is due first is at the front.
type queue []*warpTimer

func (q queue) less(i, j int) bool {
	a, b := q[i], q[j]
	return a.due.Before(b.due) || a.order < b.order && !b.due.Before(a.due)
}

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) push(t *warpTimer) {
	t.index = len(*q)
	*q = append(*q, t)
	q.up(t.index)
}

func (q *queue) remove(i int) {
	t, last := (*q)[i], len(*q)-1
	q.swap(i, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	t.index = -1
	if i < last && !q.down(i) {
		q.up(i)
	}
}

func (q queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q queue) down(i int) (moved bool) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q); child++ {
			if q.less(child, least) {
				least = child
			}
		}
		if least == i {
			return moved
		}
		q.swap(i, least)
		i, moved = least, true
	}
}
