package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/recording"
)

// path is what all sockets of a gateway's path get.
type path struct {
	name    string
	c       *comparison
	lane    *lane
	subject *Subject
	failed  []*item
}

func (c *comparison) path(gateway, name string) *path {
	key := [2]string{gateway, name}
	p := c.broadcast[key]
	if p == nil {
		p = &path{c: c, name: gateway + " " + name}
		p.subject = c.report.subject("path", strings.TrimSpace(p.name))
		p.lane = c.newLane("broadcast "+p.name, func(kind pairing, w, g *item) { p.verdict(kind, w, g) })
		c.broadcast[key] = p
	}
	return p
}

func (p *path) add(it *item) {
	if it.frame.Error != "" {
		p.failed = remember(p.failed, it)
		return
	}
	p.subject.Messages[it.side.index]++
	p.lane.add(it)
}

func (p *path) verdict(kind pairing, w, g *item) {
	if kind == paired && g.missed > w.missed {
		p.c.differ(Lost, p.subject, w, g, fmt.Sprintf("%d of the sockets open on the path did not take it, then %d", g.missed, w.missed))
	}
	p.c.frames(kind, p.subject, w, g, p.failed)
}

// socket is one connection in both runs.
type socket struct {
	c       *comparison
	name    uint64
	number  int // in the order of their first news
	path    *path
	subject *Subject
	met     [2]bool
	opened  [2]*end
	closed  [2]*end
	in, out *lane
	failed  []*item // what it did not take
	settled bool
}

// end is one of the two ends of a socket's life.
type end struct {
	side   *side
	line   int64
	socket *recording.Socket
	mark   *mark
}

func (c *comparison) socket(name uint64, gateway, at, url string, turn int) *socket {
	k := c.sockets[name]
	if k != nil {
		return k
	}
	where := strings.TrimSpace(gateway + " " + at)
	if strings.HasPrefix(url, at) {
		where = gateway + " " + url
	} else if url != "" {
		where += " " + url
	}
	k = &socket{c: c, name: name, number: c.opened, path: c.path(gateway, at)}
	c.opened++
	k.subject = c.report.subject("socket", fmt.Sprintf("%s #%d", where, turn+1))
	k.in = c.newLane("in "+k.subject.Name, k.heard)
	k.out = c.newLane("out "+k.subject.Name, k.verdict)
	c.sockets[name] = k
	return k
}

func (k *socket) end(s *side, o *recording.Socket) *end {
	e := &end{side: s, line: s.line, socket: o, mark: &mark{then: func() { k.settle(false) }}}
	k.path.lane.place(s.index, e.mark)
	return e
}

func (k *socket) add(it *item) {
	switch {
	case it.frame.In:
		k.in.add(it)
	case it.frame.Error != "":
		k.failed = remember(k.failed, it)
	default:
		k.subject.Messages[it.side.index]++
		it.mark = &mark{}
		k.path.lane.place(it.side.index, it.mark)
		k.out.add(it)
	}
}

// remember keeps the last few messages that were not taken: they are the reason of a loss.
func remember(failed []*item, it *item) []*item {
	if len(failed) >= 64 {
		failed = slices.Delete(failed, 0, 32)
	}
	return append(failed, it)
}

// heard says what the client did otherwise.
func (k *socket) heard(kind pairing, w, g *item) {
	switch {
	case kind == paired && k.c.agree(w, g, w.leaves, g.leaves):
	case kind == paired || kind == edited:
		k.c.changed(Input, k.subject, w, g, "the client sent something else")
	case g == nil:
		k.c.differ(Input, k.subject, w, nil, "the client did not send this now")
	case w == nil:
		k.c.differ(Input, k.subject, nil, g, "the client sent this now, not then")
	default:
		k.c.differ(Input, k.subject, w, g, "the client sent this at another point")
	}
}

func (k *socket) verdict(kind pairing, w, g *item) {
	if k.missing() {
		return // said of the socket
	}
	k.c.frames(kind, k.subject, w, g, k.failed)
	if kind != paired {
		return
	}
	order := func() {
		if w.mark.known && g.mark.known && w.mark.row != g.mark.row {
			k.c.differ(Reordered, k.subject, w, g, fmt.Sprintf("it came after %s of the path, then after %d",
				plural(g.mark.row, "broadcast"), w.mark.row))
		}
	}
	if order(); !w.mark.known || !g.mark.known {
		w.mark.then, g.mark.then = order, order
	}
}

// missing says that only one of the runs has the socket; all of both must be read.
func (k *socket) missing() bool { return k.met[0] != k.met[1] }

// settle says how the socket itself differs once both runs have closed it, or have ended.
func (k *socket) settle(all bool) {
	if k.settled {
		return
	}
	if !all {
		for i := range k.closed {
			if k.closed[i] == nil || !k.closed[i].mark.known || k.opened[i] != nil && !k.opened[i].mark.known {
				return
			}
		}
	}
	k.settled = true
	k.in.finish()
	k.out.finish()
	delete(k.c.sockets, k.name)
	if k.missing() {
		got := k.path.lane.rows
		switch {
		case k.met[0]:
			k.differ(Refused, fmt.Sprintf("it did not open; it had got %s of its own then, and what was broadcast",
				plural(int(k.subject.Messages[0]), "message")), k.opened[0], nil)
		default:
			k.differ(Extra, fmt.Sprintf("it did not open then; it got %s of its own, of %s on its path",
				plural(int(k.subject.Messages[1]), "message"), plural(got, "broadcast")), nil, k.opened[1])
		}
		return
	}
	k.missedBroadcasts()
	w, g := k.closed[0], k.closed[1]
	switch {
	case w == nil && g == nil:
	case w == nil:
		k.differ(Closed, "then it stayed open; now it was closed: "+g.text(), w, g)
	case g == nil:
		k.differ(Closed, "then it was closed ("+w.text()+"); now it stayed open", w, g)
	case w.socket.Code != g.socket.Code || w.socket.By != g.socket.By || w.reason() != g.reason():
		k.differ(Closed, "then "+w.text()+", now "+g.text(), w, g)
	}
}

// text says how a socket was closed.
func (e *end) text() string {
	s := fmt.Sprint(e.socket.Code)
	if e.socket.By != "" {
		s += " by the " + e.socket.By
	}
	if e.socket.Reason != "" {
		s += ": " + e.socket.Reason
	}
	return s
}

func (e *end) reason() uint64 {
	x := scanner{side: e.side, near: e.side.start}
	return x.loose(1, e.socket.Reason)
}

// missedBroadcasts compares while which broadcasts the socket was open.
func (k *socket) missedBroadcasts() {
	var from, to [2]int
	for i := range from {
		to[i] = k.path.lane.rows
		if e := k.opened[i]; e != nil && e.mark.known {
			from[i] = e.mark.row
		}
		if e := k.closed[i]; e != nil && e.mark.known {
			to[i] = e.mark.row
		}
	}
	tell := func(kind Kind, from, to int, text string) {
		if from >= to {
			return
		}
		d := Difference{Kind: kind, Text: fmt.Sprintf("%s %s", plural(to-from, "broadcast"), text)}
		for row := max(from, to-len(k.path.lane.recent), k.path.lane.rows-len(k.path.lane.recent)); row < to && len(d.Events) < maxEvents; row++ {
			d.Events = append(d.Events, k.path.lane.recent[row%len(k.path.lane.recent)]...)
		}
		k.c.report.add(k.subject, d)
	}
	tell(Lost, from[0], min(to[0], from[1]), "of then came before it opened now")
	tell(Lost, max(from[0], to[1]), to[0], "of then came after it was closed now")
	tell(Extra, from[1], min(to[1], from[0]), "came now that it opened too late for then")
	tell(Extra, max(from[1], to[0]), to[1], "came now after the point at which it was closed then")
}

func (k *socket) differ(kind Kind, text string, w, g *end) {
	d := Difference{Kind: kind, Text: text}
	if w != nil {
		d.Line[0] = w.line
	}
	if g != nil {
		d.Line[1] = g.line
	}
	k.c.report.add(k.subject, d)
}
