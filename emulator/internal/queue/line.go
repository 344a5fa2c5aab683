package queue

import (
	"cmp"
	"slices"
	"time"
)

// entry is a message in a line.
type entry struct {
	Received
	number uint64 // its turn, and its name in the file
	state  state
	until  time.Time // delayed, or in flight, until then; zero in flight: until its holder says
	took   time.Time // when it was received last
	rests  bool      // in flight, in nobody's hands
	size   int64     // what it counts of the queue's bytes
	framed int64     // what it takes in the file
	group  *group    // FIFO
	place  [slots]int
}

type state uint8

const (
	visible state = iota
	delayed
	inFlight
	dying // in the undertaker's hands
	states
)

// line is one queue at work. It is guarded by the lock of Queues.
type line struct {
	def     Queue
	defined bool // by Set; messages of the file wait for it
	entries map[uint64]*entry
	ready   pile
	later   pile
	aging   pile
	groups  map[string]*group
	known   dedup
	bytes   int64
	count   [states]int
	arrived chan struct{} // closed when something can be taken; nil when nobody waits for it
	dead    func(*entry, Reason, time.Time)
}

func newLine(name string) *line {
	l := &line{def: Queue{Name: name}, entries: map[uint64]*entry{}, known: dedup{seen: map[string]sighting{}}}
	l.clear()
	return l
}

func (l *line) clear() {
	l.ready = pile{slot: byTurn, less: func(a, b *entry) bool { return a.number < b.number }}
	l.later = pile{slot: byTime, less: func(a, b *entry) bool { return a.until.Before(b.until) }}
	l.aging = pile{slot: byAge, less: func(a, b *entry) bool { return a.SentAt.Before(b.SentAt) }}
	l.groups = map[string]*group{}
	l.count = [states]int{}
}

// define gives the line its definition and every message the place that it has by it.
func (l *line) define(def Queue, now time.Time) {
	l.def, l.defined = def, true
	l.clear()
	all := make([]*entry, 0, len(l.entries))
	for _, e := range l.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.number, b.number) })
	for _, e := range all {
		e.place, e.group = [slots]int{}, nil
		l.count[e.state]++
		if e.state != dying {
			l.join(e)
		}
	}
	for _, e := range all {
		if e.state != dying {
			l.settle(e, now)
		}
	}
}

// add takes a new message.
func (l *line) add(e *entry, now time.Time) {
	l.entries[e.number] = e
	l.bytes += e.size
	l.count[e.state]++
	l.join(e)
	l.settle(e, now)
}

func (l *line) join(e *entry) {
	if !l.def.FIFO {
		return
	}
	g := l.groups[e.Group]
	if g == nil {
		g = &group{key: e.Group}
		l.groups[e.Group] = g
	}
	e.group = g
	g.entries = append(g.entries, e)
	if e.state == inFlight {
		g.held++
	}
}

// leave takes a message out of its place; it is still an entry.
func (l *line) leave(e *entry) {
	l.ready.drop(e)
	l.later.drop(e)
	l.aging.drop(e)
	g := e.group
	if g == nil {
		return
	}
	if i := slices.Index(g.entries, e); i == 0 {
		g.entries[0] = nil // the usual one, without a copy of the rest
		g.entries = g.entries[1:]
	} else if i > 0 {
		g.entries = slices.Delete(g.entries, i, i+1)
	}
	if e.state == inFlight {
		g.held--
	}
	e.group = nil
	if len(g.entries) == 0 {
		delete(l.groups, g.key)
	}
	l.next(g)
}

// remove forgets a message.
func (l *line) remove(e *entry) {
	l.leave(e)
	l.count[e.state]--
	l.bytes -= e.size
	delete(l.entries, e.number)
}

// settle puts a message where its until says.
func (l *line) settle(e *entry, now time.Time) {
	switch {
	case e.state == inFlight && e.until.IsZero():
	case e.state != visible && e.until.After(now):
		l.later.drop(e)
		l.later.put(e)
		l.next(e.group)
	default:
		l.show(e, now)
	}
}

// show makes a message visible, or gives it up.
func (l *line) show(e *entry, now time.Time) {
	l.later.drop(e)
	switch {
	case e.Receives > 0 && l.def.MaxReceives > 0 && e.Receives >= l.def.MaxReceives:
		l.giveUp(e, Exhausted, now)
		return
	case !now.Before(l.expiry(e)):
		l.giveUp(e, Expired, now)
		return
	}
	l.become(e, visible)
	l.aging.put(e)
	if l.def.FIFO {
		l.next(e.group)
	} else {
		l.ready.put(e)
		l.tell()
	}
}

func (l *line) giveUp(e *entry, why Reason, now time.Time) {
	l.leave(e)
	l.become(e, dying)
	l.dead(e, why, now)
}

func (l *line) become(e *entry, s state) {
	if e.group != nil {
		if e.state == inFlight {
			e.group.held--
		}
		if s == inFlight {
			e.group.held++
		}
	}
	l.count[e.state]--
	l.count[s]++
	e.state = s
}

func (l *line) expiry(e *entry) time.Time { return e.SentAt.Add(cmp.Or(l.def.Retention, Retention)) }

// advance does what time has brought.
func (l *line) advance(now time.Time) {
	for e := l.later.first(); e != nil && !e.until.After(now); e = l.later.first() {
		l.show(e, now)
	}
	for e := l.aging.first(); e != nil && !now.Before(l.expiry(e)); e = l.aging.first() {
		l.giveUp(e, Expired, now)
	}
}

// due is when advance has something to do next; zero: never.
func (l *line) due() time.Time {
	var t time.Time
	if e := l.later.first(); e != nil {
		t = e.until
	}
	if e := l.aging.first(); e != nil {
		if x := l.expiry(e); t.IsZero() || x.Before(t) {
			t = x
		}
	}
	return t
}

// space bounds what take takes. A first message that is too big goes alone; full tells that something was left for its size.
type space struct {
	count int
	bytes int
	size  func(Received) int // nil: bytes do not count
	some  bool
	full  bool
}

func (r *space) fits(e *entry) bool {
	if r.count == 0 {
		return false
	}
	if r.size != nil {
		size := r.size(e.Received)
		if size > r.bytes && r.some {
			r.full = true
			return false
		}
		r.bytes = max(0, r.bytes-size)
	}
	r.count--
	r.some = true
	return true
}

// take puts messages into somebody's hands until a time; zero: until he says. receipt makes their names.
func (l *line) take(now, until time.Time, r *space, receipt func(*entry) string) []*entry {
	var out []*entry
	for e := l.ready.first(); e != nil && r.fits(e); e = l.ready.first() {
		out = append(out, l.hold(e, now, until, receipt))
		if g := e.group; g != nil {
			// What follows in the group may come along, in the same hands.
			for _, e := range g.entries[1:] {
				if e.state != visible || !r.fits(e) {
					break
				}
				out = append(out, l.hold(e, now, until, receipt))
			}
		}
		if r.full {
			break
		}
	}
	return out
}

func (l *line) hold(e *entry, now, until time.Time, receipt func(*entry) string) *entry {
	l.ready.drop(e)
	l.aging.drop(e)
	l.become(e, inFlight)
	e.until, e.took, e.rests = until, now, false
	e.Receives++
	if e.FirstReceived.IsZero() {
		e.FirstReceived = now
	}
	e.Receipt = receipt(e)
	if !until.IsZero() {
		l.later.put(e)
	}
	return e
}

// tell wakes those who wait for a message.
func (l *line) tell() {
	if l.arrived != nil {
		close(l.arrived)
		l.arrived = nil
	}
}

// wait returns what is closed when something can be taken.
func (l *line) wait() <-chan struct{} {
	if l.arrived == nil {
		l.arrived = make(chan struct{})
	}
	return l.arrived
}

func weight(m *Message) int {
	n := len(m.Body)
	for name, a := range m.Attributes {
		n += len(name) + len(a.Type) + len(a.Value)
	}
	return n
}
