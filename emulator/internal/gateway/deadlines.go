package gateway

import (
	"container/heap"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// deadlines looks at each connection when something of it may be due, with one timer for all. Activity does not move a connection
// in the heap: one that has been active since is found so when it is looked at, and put back.
type deadlines struct {
	clock clock.Clock

	mu      sync.Mutex
	timer   clock.Timer
	looking bool // at what was due; the timer is set after that
	heap    byDue
}

func (d *deadlines) init(c clock.Clock) {
	d.clock = c
	d.timer = c.NewTimer(time.Hour)
	d.timer.Stop()
}

// set has c looked at at t, in place of any other time.
func (d *deadlines) set(c *conn, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.due = t
	if c.index > 0 {
		heap.Fix(&d.heap, c.index-1)
	} else {
		heap.Push(&d.heap, c)
	}
	if c.index == 1 && !d.looking {
		d.timer.ResetTo(t)
	}
}

// unset has c looked at no more.
func (d *deadlines) unset(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.index > 0 {
		heap.Remove(&d.heap, c.index-1)
	}
}

func (d *deadlines) run(stop <-chan struct{}) {
	defer d.timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-d.timer.C():
		}
		now := d.clock.Now()
		for _, c := range d.take(now) {
			c.check(now)
		}
		d.rest()
	}
}

// rest sets the timer for what is due next.
func (d *deadlines) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looking = false
	if len(d.heap) > 0 {
		d.timer.ResetTo(d.heap[0].due)
	} else {
		d.timer.Stop()
	}
}

// take returns the connections that are due.
func (d *deadlines) take(now time.Time) []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looking = true
	var due []*conn
	for len(d.heap) > 0 && !d.heap[0].due.After(now) {
		due = append(due, heap.Pop(&d.heap).(*conn))
	}
	return due
}

// byDue is a heap whose members know their place, counted from 1; 0 is outside.
type byDue []*conn

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h byDue) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *byDue) Push(x any) {
	c := x.(*conn)
	*h = append(*h, c)
	c.index = len(*h)
}

func (h *byDue) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.index = 0
	return c
}
