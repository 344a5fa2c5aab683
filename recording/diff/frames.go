package diff

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/recording"
)

// frames says what a pairing of messages means to whoever gets them. failed are messages that were sent and not taken.
func (c *comparison) frames(kind pairing, s *Subject, w, g *item, failed []*item) {
	switch kind {
	case paired:
		if !c.agree(w, g, w.leaves, g.leaves) {
			c.changed(Changed, s, w, g, "")
		}
		if before, now, late := c.late(w, g); late {
			c.differ(Later, s, w, g, fmt.Sprintf("it came %s later: after %s, then after %s", short(now-before), short(now), short(before)))
		}
	case edited:
		c.changed(Changed, s, w, g, "")
	case moved:
		c.agree(w, g, w.leaves, g.leaves)
		c.differ(Reordered, s, w, g, "it comes at another place among the others")
	case twice:
		c.differ(Doubled, s, nil, g, "it came again")
	case unequal:
		if g != nil {
			c.lacks(Extra, s, nil, g, "it did not come then")
			return
		}
		text := "it does not come now"
		for _, f := range failed {
			if f.side != w.side && match(w, f) {
				text = "it was sent and not taken: " + f.frame.Error
			}
		}
		c.lacks(Lost, s, w, nil, text)
	}
}

// inputDiffers says what was pushed otherwise.
func (c *comparison) inputDiffers(kind pairing, w, g *item) {
	s := c.report.subject("input", "registry")
	if kind == unequal {
		it := w
		if it == nil {
			it = g
		}
		for _, name := range it.each {
			c.said(absent, name) // what does not follow from it need not be said
		}
	}
	switch {
	case kind == paired:
	case kind == edited:
		c.differ(Input, s, w, g, "something else was pushed")
	case kind == moved:
		c.differ(Input, s, w, g, "this was pushed at another point")
	case g == nil:
		c.differ(Input, s, w, nil, "this was not pushed now")
	default:
		c.differ(Input, s, nil, g, "this was pushed now, not then")
	}
}

// differ reports a difference between two items; either may be nil.
func (c *comparison) differ(kind Kind, s *Subject, w, g *item, text string) *Difference {
	d := Difference{Kind: kind, Text: text}
	if w != nil {
		d.Line[0], d.Want, d.Events = w.line, excerpt(w.data), clipped(w.events)
	}
	if g != nil {
		d.Line[1], d.Got = g.line, excerpt(g.data)
		if w == nil {
			d.Events = clipped(g.events)
		}
	}
	return c.report.add(s, d)
}

// changed reports how two documents differ, if they do.
func (c *comparison) changed(kind Kind, s *Subject, w, g *item, text string) {
	isBinary := func(it *item) bool { return it.frame != nil && it.frame.Binary }
	details, more := c.documents(w, g, w.data, g.data, isBinary(w), isBinary(g))
	if len(details) == 0 && more == 0 {
		if w.names == g.names {
			return // of an id that is bound by now
		}
		details = []Detail{{Path: ".", Want: fmt.Sprint(w.events), Got: fmt.Sprint(g.events), Text: "of other events"}}
	}
	d := Difference{Kind: kind, Text: text, Details: details, More: more, Events: clipped(w.events)}
	d.Line = [2]int64{w.line, g.line}
	d.Want, d.Got = excerpt(w.data), excerpt(g.data)
	c.report.add(s, d)
}

const (
	maxEvents  = 16  // of a difference
	maxExcerpt = 400 // bytes
)

func clipped(events []string) []string { return events[:min(len(events), maxEvents)] }

// excerpt is the beginning of a message for people.
func excerpt(data []byte) string {
	if !utf8.Valid(data) {
		return plural(len(data), "byte")
	}
	if len(data) <= maxExcerpt {
		return string(data)
	}
	n := maxExcerpt
	for n > 0 && !utf8.RuneStart(data[n]) {
		n--
	}
	return string(data[:n]) + "…"
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// short writes a duration without digits that nobody reads.
func short(d time.Duration) string {
	switch {
	case d.Abs() >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d.Abs() >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.String()
}

// function is what ran in both runs under one name.
type function struct {
	c       *comparison
	bag     *bag
	subject *Subject
	runs    [2]int
	total   [2]float64 // milliseconds
}

func (c *comparison) function(name string) *function {
	f := c.functions[name]
	if f == nil {
		f = &function{c: c, subject: c.report.subject("function", name)}
		f.bag = c.bag("function "+name, f.same, f.left)
		c.functions[name] = f
	}
	return f
}

func (f *function) took(side int, r *recording.Invocation) {
	f.subject.Messages[side]++
	if r.Error == "" {
		f.runs[side]++
		f.total[side] += r.DurationMS
	}
}

// slower notes a function that takes half as long again, if that is more than 10 ms.
func (f *function) slower() {
	if f.runs[0] == 0 || f.runs[1] == 0 {
		return
	}
	before, now := f.total[0]/float64(f.runs[0]), f.total[1]/float64(f.runs[1])
	if now > 1.5*before && now > before+10 {
		f.c.report.note(Difference{Kind: Slower, Where: f.subject.String(),
			Text: fmt.Sprintf("it takes %.1f ms by the machine's clock, then %.1f ms (means of %d and %d runs)", now, before, f.runs[1], f.runs[0])})
	}
}

func (f *function) same(_ *bag, w, g *item) {
	if !f.c.agree(w, g, w.leaves, g.leaves) {
		f.c.changed(Invoked, f.subject, w, g, "it was called with something else")
	}
	f.answers(w, g)
}

// answers compares what came of two calls.
func (f *function) answers(w, g *item) {
	f.c.ids.bind(f.c.hash(w.run.ID), f.c.hash(g.run.ID))
	a, b := w.run, g.run
	switch {
	case a.Error == "" && b.Error != "":
		f.answer(Failing, w, g, "it fails now: "+b.Error+": "+excerpt(b.Output))
	case a.Error != "" && b.Error == "":
		f.answer(Fixed, w, g, "it fails no longer; then: "+a.Error+": "+excerpt(a.Output))
	case a.Error != b.Error:
		f.answer(Failing, w, g, fmt.Sprintf("it fails in another way: %s, then %s", b.Error, a.Error))
	default:
		details, more := f.c.documents(w, g, a.Output, b.Output, false, false)
		if len(details) > 0 || more > 0 {
			d := f.answer(Output, w, g, "it answers something else")
			d.Details, d.More = details, more
		}
	}
}

func (f *function) answer(kind Kind, w, g *item, text string) *Difference {
	d := f.c.differ(kind, f.subject, w, g, text)
	d.Want, d.Got = excerpt(w.run.Output), excerpt(g.run.Output)
	return d
}

// left pairs calls that differ in ids alone, then calls of the same events with other inputs; the rest is missing, or more than there were.
func (f *function) left(b *bag, want, got []*item) {
	used, alike := map[*item]bool{}, map[uint64][]*item{}
	for _, w := range want {
		alike[w.strong()] = append(alike[w.strong()], w)
	}
	for _, g := range got {
		if all := alike[g.strong()]; len(all) > 0 {
			w, _ := f.c.counterpart(g, all)
			if w == nil {
				w = all[0]
			}
			alike[g.strong()] = slices.DeleteFunc(all, func(it *item) bool { return it == w })
			used[w], used[g] = true, true
			f.c.seen(b.salt, g)
			f.same(b, w, g)
		}
	}
	for _, g := range got {
		if used[g] || b.c.wasSeen(b.salt, g) {
			continue
		}
		for _, w := range want {
			if !used[w] && (share(w, g) || len(want) == len(got) && w.names == 0 && g.names == 0) {
				used[w], used[g] = true, true
				f.c.changed(Invoked, f.subject, w, g, "it was called with something else")
				f.answers(w, g)
				break
			}
		}
	}
	for _, w := range want {
		if !used[w] {
			f.c.lacks(Missing, f.subject, w, nil, "it was not called with this now")
		}
	}
	for _, g := range got {
		switch {
		case used[g]:
		case b.c.wasSeen(b.salt, g):
			f.c.differ(Retried, f.subject, nil, g, "it was called again"+failure(g))
		default:
			f.c.lacks(Retried, f.subject, nil, g, "it was called with this now, not then"+failure(g))
		}
	}
}

func failure(g *item) string {
	if g.run.Error == "" {
		return ""
	}
	return ", and failed: " + g.run.Error
}
