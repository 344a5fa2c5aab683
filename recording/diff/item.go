package diff

import (
	"slices"
	"time"

	"github.com/regcast/regcast/recording"
)

// item is a line that waits for the line of the other run that corresponds to it.
type item struct {
	side   *side
	line   int64
	at     time.Time
	before time.Duration // since the last input of its run
	print
	data   []byte
	events []string // as this run calls them
	names  uint64   // of the events that are known, in order; 0: none
	each   []uint64 // the same, one by one; 0: not known
	frame  *recording.Frame
	run    *recording.Invocation
	said   *decision
	mark   *mark // of a message to one socket: between which broadcasts
	missed int   // of a broadcast: open sockets that did not take it
	size   int   // bytes that it keeps
}

// match says whether a, of want, and b, of got, are the same message, as far as can be told before ids are bound.
func match(a, b *item) bool {
	return a.key == b.key && (a.names == b.names || a.names == 0 || b.names == 0)
}

// share says whether both are of some event.
func share(a, b *item) bool {
	return slices.ContainsFunc(a.each, func(n uint64) bool { return n != 0 && slices.Contains(b.each, n) })
}

// strong is what tells an item from the others of its lane.
func (it *item) strong() uint64 { return mix(it.key, it.names) }

// agree binds the volatile values of two documents with the same key, and says whether they may be each other's. The order is that of
// the document, so that always the same id is the one that does not fit.
func (c *comparison) agree(a, b *item, la, lb []leaf) bool {
	if len(la) != len(lb) {
		return false
	}
	var few [16]int
	order := few[:min(len(la), len(few))]
	if len(la) > len(few) {
		order = make([]int, len(la))
	}
	for i, l := range la {
		order[l.nth] = i
	}
	for _, i := range order {
		if la[i].path != lb[i].path || la[i].class != lb[i].class || !c.agreeLeaf(a, b, la[i], lb[i]) {
			return false
		}
	}
	return true
}

func (c *comparison) agreeLeaf(a, b *item, la, lb leaf) bool {
	switch la.class {
	case id:
		return c.ids.bind(la.value, lb.value)
	case moment:
		return c.agreeTime(a, b, la.number, lb.number)
	case length:
		return c.near(la.number, lb.number, max(c.later, time.Duration(la.number/10)))
	}
	return true
}

// near avoids the overflow of a subtraction: times may be centuries apart.
func (c *comparison) near(a, b int64, tolerance time.Duration) bool {
	d := float64(a) - float64(b)
	if d > 1e15 || d < -1e15 {
		return false
	}
	return time.Duration(a-b).Abs() <= tolerance
}

// agreeTime says whether two times are as far apart as something that they belong to: nothing (a replay keeps when something was
// pushed), the runs, the lines, an event, or the opening of a socket that was there when the recordings began.
func (c *comparison) agreeTime(a, b *item, ta, tb int64) bool {
	shifted := func(by time.Duration) bool { return c.near(ta+int64(by), tb, c.later) }
	if shifted(0) || shifted(b.at.Sub(a.at)) || shifted(b.side.start.Sub(a.side.start)) {
		return true
	}
	for i, e := range a.events {
		if i >= len(b.events) || i >= 64 {
			break
		}
		ea, oka := a.side.event(e)
		eb, okb := b.side.event(b.events[i])
		if oka && okb && ea.name == eb.name && (shifted(eb.at.Sub(ea.at)) || shifted(eb.pushed.Sub(ea.pushed))) {
			return true
		}
	}
	for _, s := range c.since {
		if c.near(s[0], ta, c.later) && c.near(s[1], tb, c.later) {
			return true
		}
	}
	return false
}

// late says by how much b came later than a after what caused it, beyond what is allowed.
func (c *comparison) late(a, b *item) (before, now time.Duration, ok bool) {
	before, now = a.at.Sub(a.side.start), b.at.Sub(b.side.start)
	if len(a.events) > 0 && len(b.events) > 0 {
		ea, oka := a.side.event(a.events[0])
		eb, okb := b.side.event(b.events[0])
		if oka && okb && ea.name == eb.name {
			before, now = a.at.Sub(ea.at), b.at.Sub(eb.at)
			return before, now, now-before > max(c.later, before/10)
		}
	}
	if b.before-a.before < now-before { // of two measures the one that says less
		before, now = a.before, b.before
	}
	return before, now, now-before > max(c.later, before/10)
}
