package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/events"
)

// judgements is the bag of what was matched with which triggers.
const judgements = "events"

// sameMatch compares which triggers wanted an event.
func (c *comparison) sameMatch(_ *bag, w, g *item) {
	for _, t := range w.said.triggers {
		if !slices.Contains(g.said.triggers, t) {
			c.fired(Unfired, t, w, g, "it fired then and does not now: "+cmp.Or(g.said.near[t], g.said.text, "nothing says why"))
		}
	}
	for _, t := range g.said.triggers {
		if !slices.Contains(w.said.triggers, t) {
			c.fired(Fired, t, w, g, "it fires now and did not then: "+cmp.Or(w.said.near[t], w.said.text, "nothing says why"))
		}
	}
}

// fired reports of a trigger and an event once.
func (c *comparison) fired(kind Kind, trigger string, w, g *item, text string) {
	it := w
	if it == nil {
		it = g
	}
	where := "trigger " + trigger
	for _, name := range it.each {
		if c.unfired[mix(c.hash(absent), name)] {
			return
		}
		c.said(where, name)
	}
	c.differ(kind, c.report.subject("trigger", trigger), w, g, text)
}

// absent is where events are said that were pushed in one run only.
const absent = "absent"

// said remembers that a trigger's event is reported, and says whether it was already. What is forgotten is said twice.
func (c *comparison) said(where string, name uint64) bool {
	key := mix(c.hash(where), name)
	if c.unfired[key] || c.unfired[mix(c.hash(absent), name)] || name == 0 {
		return name != 0
	}
	if len(c.unfired) > crowd {
		clear(c.unfired)
	}
	c.unfired[key] = true
	return false
}

func (c *comparison) leftMatches(b *bag, want, got []*item) {
	for _, w := range want {
		for _, t := range w.said.triggers {
			c.fired(Unfired, t, w, nil, "it fired then; now nobody asked it")
		}
	}
	for _, g := range got {
		if c.wasSeen(b.salt, g) {
			continue // asked again after a restart
		}
		for _, t := range g.said.triggers {
			c.fired(Fired, t, nil, g, "it fires now; then nobody asked it")
		}
	}
}

// sameDecision has nothing to say: what was decided and of which events is the key.
func (c *comparison) sameDecision(*bag, *item, *item) {}

// leftDecisions compares what became of events whose batches are not the same in both runs.
func (c *comparison) leftDecisions(b *bag, want, got []*item) {
	s := c.report.place(b.where)
	got = slices.DeleteFunc(got, func(g *item) bool {
		again := g.said.what == events.StepDelivered && c.wasSeen(b.salt, g)
		if again {
			c.differ(Doubled, s, nil, g, "handed on again: "+g.said.text)
		}
		return again
	})
	for _, group := range c.groups(want, got) {
		c.group(b, s, group)
	}
}

// groups gathers items of both runs and of one action that have events in common, directly or through others. Items of no known event
// stand alone.
func (c *comparison) groups(want, got []*item) [][2][]*item {
	all := slices.Concat(want, got)
	parent := make([]int, len(all))
	var root func(int) int
	root = func(i int) int {
		if parent[i] != i {
			parent[i] = root(parent[i])
		}
		return parent[i]
	}
	first := map[uint64]int{}
	for i, it := range all {
		parent[i] = i
		for _, name := range it.each {
			if name == 0 {
				continue
			}
			name = mix(name, c.hash(it.said.action))
			if j, ok := first[name]; ok {
				parent[root(i)] = root(j)
			} else {
				first[name] = i
			}
		}
	}
	index := map[int]int{}
	var out [][2][]*item
	for i, it := range all {
		r := root(i)
		n, ok := index[r]
		if !ok {
			n = len(out)
			index[r] = n
			out = append(out, [2][]*item{})
		}
		out[n][it.side.index] = append(out[n][it.side.index], it)
	}
	return out
}

// fate is what became of an event in one run.
type fate struct {
	delivered, lost, skipped *item
}

func (c *comparison) group(b *bag, s *Subject, group [2][]*item) {
	var fates [2]map[uint64]fate
	for side, items := range group {
		fates[side] = map[uint64]fate{}
		for _, it := range items {
			if it.names == 0 {
				c.alone(s, it)
				continue
			}
			for _, name := range it.each {
				f := fates[side][name]
				switch it.said.what {
				case events.StepDelivered:
					f.delivered = it
				case events.StepLost:
					f.lost = it
				default:
					f.skipped = it
				}
				fates[side][name] = f
			}
		}
	}
	told := map[*item]bool{}
	batch := false
	each := func(items []*item, f func(it *item, name uint64)) {
		for _, it := range items {
			for _, name := range it.each {
				if name != 0 {
					f(it, name)
				}
			}
		}
	}
	tell := func(kind Kind, w, g *item, name uint64, text string) {
		it := w
		if it == nil || kind == GivenUp && g != nil {
			it = g
		}
		if c.said(b.where, name) || told[it] {
			return
		}
		told[it] = true
		switch {
		case kind == GivenUp:
		case g == nil:
			kind, text = c.orWaiting(kind, text, 1, name)
		case w == nil:
			kind, text = c.orWaiting(kind, text, 0, name)
		}
		c.differ(kind, s, w, g, text)
	}
	each(group[0], func(it *item, name uint64) {
		f, ok := fates[1][name]
		switch it.said.what {
		case events.StepDelivered:
			switch {
			case f.delivered != nil:
				batch = true
			case f.lost != nil:
				tell(GivenUp, it, f.lost, name, "lost now: "+f.lost.said.text)
			case f.skipped != nil:
				tell(Unfired, it, f.skipped, name, "skipped now: "+f.skipped.said.text)
			default:
				tell(Unfired, it, nil, name, "handed on then and not now")
			}
		case events.StepLost:
			switch {
			case f.delivered != nil:
				tell(Kept, it, f.delivered, name, "no longer lost; then: "+it.said.text)
			case f.lost != nil:
				batch = true
			case !ok:
				tell(Kept, it, nil, name, "not lost now; then: "+it.said.text)
			}
		case events.StepSkipped:
			if f.skipped == nil && f.delivered == nil && f.lost == nil {
				tell(Fired, it, nil, name, "not skipped now; then: "+it.said.text)
			}
		}
	})
	each(group[1], func(it *item, name uint64) {
		f := fates[0][name]
		switch it.said.what {
		case events.StepDelivered:
			switch {
			case f.delivered != nil || f.lost != nil:
			case f.skipped != nil:
				tell(Fired, f.skipped, it, name, "handed on now; skipped then: "+f.skipped.said.text)
			default:
				tell(Fired, nil, it, name, "handed on now and not then")
			}
		case events.StepLost:
			if f.delivered == nil && f.lost == nil {
				tell(GivenUp, nil, it, name, "lost now: "+it.said.text)
			}
		case events.StepSkipped:
			if f.delivered == nil && f.skipped == nil {
				tell(Unfired, nil, it, name, "skipped now: "+it.said.text)
			}
		}
	})
	if batch {
		d := Difference{Kind: Batch, Text: "the batches are not the same", Want: batches(group[0]), Got: batches(group[1])}
		d.Line = [2]int64{group[0][0].line, group[1][0].line}
		for _, it := range group[0] {
			d.Events = clipped(append(d.Events, it.events...))
		}
		c.report.add(s, d)
	}
}

// alone reports a step of which it is not known what it is about.
func (c *comparison) alone(s *Subject, it *item) {
	w, g, when := it, (*item)(nil), "then and not now: "
	if it.side.index == 1 {
		w, g, when = nil, it, "now and not then: "
	}
	kind := Batch
	if it.said.what == events.StepLost {
		kind = GivenUp
		if g == nil {
			kind = Kept
		}
	}
	c.differ(kind, s, w, g, it.said.what+" "+when+it.said.text)
}

// batches writes the events of each item together: a b | c.
func batches(items []*item) string {
	var out []string
	for i, it := range items {
		if i == maxEvents {
			out = append(out, fmt.Sprintf("%d more", len(items)-i))
			break
		}
		text := strings.Join(clipped(it.events), " ")
		if n := len(it.events) - maxEvents; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		if it.said.what != events.StepDelivered {
			text += " (" + it.said.what + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}
