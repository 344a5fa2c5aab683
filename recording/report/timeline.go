package report

import (
	"fmt"
	"slices"
	"time"
)

// lane is a row of the timeline.
type lane int

const (
	laneEvents lane = iota
	laneBatches
	laneDelivered
	laneInvocations
	laneFrames
	laneSockets
	laneLost
	laneFaults
	lanes
)

const buckets = 180

// timeline counts what happened in each of so many parts of the run. Long times in which nothing happened are short on it: a clock that
// is advanced by a day would leave nothing of what happened before and after.
type timeline struct {
	first  time.Time
	span   time.Duration // as it is drawn; at least a millisecond
	cuts   []cut         // in order
	counts [lanes][buckets]int
	totals [lanes]int
	links  [buckets]*event // the first event that is shown
	at     int             // the bucket up to which the number of open sockets is filled in
	open   int
}

// cut is a gap that is drawn short.
type cut struct {
	gap
	drawn time.Duration // how long it is drawn
}

func newTimeline(v surveyed) *timeline {
	t := &timeline{first: v.first, span: max(v.last.Sub(v.first), time.Millisecond)}
	for _, g := range v.gaps {
		rest := t.span - g.long
		if g.long < rest/2 || g.long < time.Second || rest <= 0 {
			break
		}
		c := cut{g, rest / 20}
		t.cuts = append(t.cuts, c)
		t.span = rest + c.drawn
	}
	slices.SortFunc(t.cuts, func(a, b cut) int { return a.from.Compare(b.from) })
	return t
}

// drawn is how far from the beginning a moment is drawn.
func (t *timeline) drawn(at time.Time) time.Duration {
	d := at.Sub(t.first)
	for _, c := range t.cuts {
		switch in := at.Sub(c.from); {
		case in >= c.long:
			d -= c.long - c.drawn
		case in > 0:
			d -= in - time.Duration(float64(in)/float64(c.long)*float64(c.drawn))
		}
	}
	return d
}

// really is how far from the beginning that is which is drawn so far from it.
func (t *timeline) really(drawn time.Duration) time.Duration {
	for _, c := range t.cuts {
		switch in := drawn - c.from.Sub(t.first); {
		case in >= c.drawn:
			drawn += c.long - c.drawn
		case in > 0:
			return drawn - in + time.Duration(float64(in)/float64(c.drawn)*float64(c.long))
		}
	}
	return drawn
}

func (t *timeline) bucket(at time.Time) int {
	return min(max(int(float64(t.drawn(at))/float64(t.span)*buckets), 0), buckets-1)
}

// percent is where a moment is on the axis.
func (t *timeline) percent(at time.Time) float64 {
	return min(max(float64(t.drawn(at))/float64(t.span)*100, 0), 100)
}

func (t *timeline) count(l lane, at time.Time) {
	t.counts[l][t.bucket(at)]++
	t.totals[l]++
}

// sockets notes how many are open from a moment on. A part of the run shows its most.
func (t *timeline) sockets(at time.Time, open int) {
	b := t.bucket(at)
	t.fill(b)
	t.open = open
	t.counts[laneSockets][b] = max(t.counts[laneSockets][b], open)
	t.totals[laneSockets] = max(t.totals[laneSockets], open)
}

func (t *timeline) fill(to int) {
	for t.at < to {
		t.at++
		t.counts[laneSockets][t.at] = max(t.counts[laneSockets][t.at], t.open)
	}
}

func (t *timeline) linkTo(e *event) {
	if b := t.bucket(e.at); t.links[b] == nil && !e.at.IsZero() {
		t.links[b] = e
	}
}

func (r *story) writeTimeline(p *page) {
	t := r.timeline
	t.fill(buckets - 1)
	each := duration(t.span / buckets)
	p.put(`<section id="timeline" aria-labelledby="h-timeline"><h2 id="h-timeline">Timeline</h2>
<p class="lead">Each bar is {} of the run; a row's highest bar is its largest number.`, each)
	for i, c := range t.cuts {
		if i == 0 {
			p.put(` Drawn short, where nothing happened:`)
		}
		p.put(` {} at +{}.`, duration(c.long), duration(c.from.Sub(t.first)))
	}
	p.put(`</p>
<div class="timeline">
`)
	for _, l := range []struct {
		lane
		name, class, unit string
	}{
		{laneEvents, "Events", "event", "published"},
		{laneBatches, "Batches", "batch", "left their windows"},
		{laneDelivered, "Deliveries", "delivered", "taken by targets"},
		{laneInvocations, "Invocations", "invoked", "started"},
		{laneFrames, "Frames", "frame", "sent and received"},
		{laneSockets, "Sockets", "socket", "open"},
		{laneLost, "Losses, errors", "lost", ""},
		{laneFaults, "Faults", "fault", "injected"},
	} {
		counts := &t.counts[l.lane]
		most := 0
		for _, n := range counts {
			most = max(most, n)
		}
		if most == 0 {
			continue
		}
		p.put(`<div class="lane lane-{}"><span class="lane-name">{}</span> <span class="lane-most num">{}</span>`, l.class, l.name, lanesMost(l.lane, t, most))
		p.put(`<svg class="plot" width="100%" height="34" role="img" aria-label="{}">`,
			fmt.Sprintf("%s over time: at most %d at once, %s", l.name, most, count(t.totals[l.lane], "in all", "in all")))
		for b := 0; b < buckets; b++ {
			n, from := counts[b], b
			if n == 0 {
				continue
			}
			wide := 0.86
			if l.lane == laneSockets { // a state, not things that happen: no gaps
				for b+1 < buckets && counts[b+1] == n {
					b++
				}
				wide = float64(b - from + 1)
			}
			h := max(30*float64(n)/float64(most), 2)
			link := l.lane == laneEvents && t.links[b] != nil
			if link {
				p.put(`<a href="{}" tabindex="-1">`, fragment(anchor(t.links[b].ID)))
			}
			p.put(`<rect x="{}%" y="{}" width="{}%" height="{}"><title>{}</title></rect>`, 100*float64(from)/buckets, 32-h, 100*wide/buckets, h,
				fmt.Sprintf("%s %s at +%s", number(n), l.unit, duration(t.really(t.span*time.Duration(from)/buckets))))
			if link {
				p.put(`</a>`)
			}
		}
		p.put("</svg></div>\n")
	}
	r.axis(p)
	p.put("</div>\n")
	r.writeClock(p)
	p.put("</section>\n")
}

func lanesMost(l lane, t *timeline, most int) string {
	if l == laneSockets {
		return "≤ " + number(most)
	}
	return number(t.totals[l])
}

// axis is a scale in round steps from the beginning of the run.
func (r *story) axis(p *page) {
	t := r.timeline
	p.put(`<div class="lane axis" aria-hidden="true"><span class="lane-name"></span><span class="lane-most"></span><svg width="100%" height="22">`)
	unit := roundStep(t.span / 6)
	for at := time.Duration(0); at <= t.span; at += unit {
		x := 100 * float64(at) / float64(t.span)
		anchor := "middle"
		switch {
		case at == 0:
			anchor = "start"
		case x > 97:
			anchor = "end"
		}
		p.put(`<line x1="{}%" x2="{}%" y1="0" y2="5"/><text x="{}%" y="17" text-anchor="{}">+{}</text>`, x, x, x, markup(anchor), duration(t.really(at)))
	}
	for _, c := range t.cuts {
		x := t.percent(c.from.Add(c.long / 2))
		p.put(`<line class="cut" x1="{}%" x2="{}%" y1="-4" y2="4"/>`, x, x)
	}
	for _, c := range r.clock.kept() {
		x := t.percent(c.at)
		p.put(`<line class="moved" x1="{}%" x2="{}%" y1="0" y2="22"/>`, x, x)
	}
	p.put("</svg></div>\n")
}

// roundStep is the next duration that people count in.
func roundStep(d time.Duration) time.Duration {
	for unit := time.Microsecond; ; {
		for _, n := range []time.Duration{1, 2, 5, 10, 20, 50, 100, 200, 500} {
			if unit < time.Second && n*unit >= d {
				return n * unit
			}
		}
		if unit < time.Second {
			unit *= 1000
			continue
		}
		for _, s := range []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600} {
			if step := time.Duration(s) * time.Second; step >= d {
				return step
			}
		}
		day := 24 * time.Hour
		return (d + day - 1) / day * day
	}
}

func (r *story) writeClock(p *page) {
	moves := r.clock.kept()
	if len(moves) == 0 {
		return
	}
	p.put(`<h3 id="clock">The clock was moved {}</h3>
<table class="clock num"><thead><tr><th scope="col">At</th><th scope="col">What</th><th scope="col">How</th></tr></thead><tbody>
`, count(r.clock.seen, "time", "times"))
	if left := r.clock.seen - len(moves); left > 0 {
		p.put("<tr><td></td><td colspan=\"2\">the first {} are left out</td></tr>\n", number(left))
	}
	for _, c := range moves {
		how := ""
		switch {
		case c.By != 0:
			how = "by " + duration(c.By)
		case c.Speed != 0:
			how = fmt.Sprintf("%g seconds a second", c.Speed)
		}
		p.put("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", r.when(c.at), c.What, how)
	}
	p.put("</tbody></table>\n")
}
