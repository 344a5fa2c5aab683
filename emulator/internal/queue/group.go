package queue

import "time"

// group is a message group of a FIFO queue: in the order of sending, and in one pair of hands at a time.
type group struct {
	key     string
	entries []*entry
	held    int // in flight
}

// next offers the group's first message when it can be taken.
func (l *line) next(g *group) {
	if g == nil || len(g.entries) == 0 {
		return
	}
	first := g.entries[0]
	if g.held > 0 || first.state != visible {
		l.ready.drop(first)
		return
	}
	l.ready.put(first)
	l.tell()
}

// dedup knows for a while what a FIFO queue was sent.
type dedup struct {
	seen  map[string]sighting
	order []string // by time
}

type sighting struct {
	sent Sent
	at   time.Time
}

// find returns what was sent by the same key within the window.
func (d *dedup) find(key string, now time.Time) (Sent, bool) {
	for len(d.order) > 0 && now.Sub(d.seen[d.order[0]].at) >= dedupFor {
		delete(d.seen, d.order[0])
		d.order = d.order[1:]
	}
	s, ok := d.seen[key]
	return s.sent, ok
}

func (d *dedup) add(key string, sent Sent, at time.Time) {
	d.seen[key] = sighting{sent, at}
	d.order = append(d.order, key)
}
