package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// row is a line of a waterfall.
type row struct {
	from, to time.Time // equal: a moment
	what     string
	class    string
	who      string
	text     string
	link     string // of the text
}

// rows are what became of an event, in order.
func (e *event) rows() []row {
	var out []row
	if e.known {
		text := "from " + e.origin
		if e.seq > 0 {
			text += ", as entry " + number(int(e.seq)) + " of the journal"
		}
		if e.again > 0 {
			text += "; published again " + count(e.again, "time", "times")
		}
		out = append(out, row{from: e.at, to: e.at, what: "published", class: "event", who: e.Source, text: text})
	}
	for _, s := range e.steps {
		out = append(out, row{from: s.At.Add(-s.took), to: s.At, what: s.What, class: s.class(), who: s.Who, text: s.Text})
	}
	for _, in := range e.runs {
		text := "invocation " + number(in.number)
		if n := len(in.Events); n > 1 {
			text += ", with " + count(n-1, "other event", "other events")
		}
		if in.InitMS > 0 {
			text += ", after a cold start of " + duration(millis(in.InitMS))
		}
		class := "invoked"
		if in.Error != "" {
			text, class = text+": "+in.Error+": "+failure(in.output), "lost"
		}
		r := row{from: in.Started, to: in.Started.Add(millis(in.DurationMS)), what: "invoked", class: class, who: in.Function, text: text}
		if in.number > 0 {
			r.link = "invocation-" + strconv.Itoa(in.number)
		}
		out = append(out, r)
	}
	for _, f := range e.frames {
		r := row{from: f.first, to: f.last, what: "sent", class: "frame", who: f.gateway + f.path, text: "frame " + number(f.number) + ", " + f.receivers(),
			link: "frame-" + strconv.Itoa(f.number)}
		if f.in {
			r.what = "received"
		}
		if f.failure != "" {
			r.what, r.class = "not sent", "lost"
		}
		out = append(out, r)
	}
	// A batch waits from the moment of publishing on, so a match is noted later than the waiting that it causes.
	slices.SortStableFunc(out, func(a, b row) int { return cmp.Or(a.stage()-b.stage(), a.from.Compare(b.from)) })
	e.waits(out)
	return out
}

// stage is what comes first, whatever the clock says.
func (r row) stage() int {
	switch r.class {
	case "event":
		return 0
	case "matched":
		return 1
	}
	return 2
}

// waits gives steps that tell of an open batch their length: until the trigger goes on.
func (e *event) waits(rows []row) {
	for i := range rows {
		if rows[i].what != events.StepWaiting {
			continue
		}
		for _, next := range rows[i+1:] {
			if next.who == rows[i].who && next.what != events.StepWaiting || next.what == events.StepBatched {
				rows[i].to = next.from
				break
			}
		}
	}
}

func (s *step) class() string {
	switch s.kind {
	case lost, failed:
		return "lost"
	case faulted:
		return "fault"
	}
	switch s.What {
	case events.StepMatched:
		return "matched"
	case events.StepWaiting:
		return "waiting"
	case events.StepBatched:
		return "batch"
	case events.StepDelivered:
		return "delivered"
	case events.StepUnmatched, events.StepSkipped:
		return "unmatched"
	}
	return "other"
}

func (r *story) writeWaterfall(p *page, e *event, rows []row) {
	if len(rows) == 0 {
		return
	}
	first, last := rows[0].from, rows[0].to
	for _, x := range rows {
		if x.to.After(last) {
			last = x.to
		}
	}
	whole := max(last.Sub(first), time.Microsecond)
	unit, digits, name := time.Millisecond, 2, "ms"
	if whole >= 10*time.Second {
		unit, digits, name = time.Second, 3, "s"
	}
	p.put(`<table class="waterfall"><caption class="quiet">The walk of {}</caption><thead><tr><th scope="col" class="num">After, {}</th><th scope="col">Step</th>`+
		`<th scope="col">Who</th><th scope="col">What happened</th><th scope="col" class="num">Took</th><th scope="col" class="plot">{}</th></tr></thead><tbody>
`, e.ID, name, duration(whole))
	percent := func(d time.Duration) float64 { return min(max(100*float64(d)/float64(whole), 0), 100) }
	for _, x := range rows {
		took := ""
		if x.to.After(x.from) {
			took = duration(x.to.Sub(x.from))
		}
		p.put(`<tr class="is-{}"><td class="num">{}</td><th scope="row">{}</th><td class="who">{}</td><td class="text">`, x.class,
			fixed(x.from.Sub(first), unit, digits), x.what, x.who)
		if x.link != "" {
			p.put(`<a href="{}">{}</a>`, fragment(x.link), x.text)
		} else {
			p.put(`{}`, x.text)
		}
		p.put(`</td><td class="num">{}</td>`, took)
		p.plot(percent(x.from.Sub(first)), percent(x.to.Sub(first)))
		p.put("</tr>\n")
	}
	if e.left > 0 {
		p.put(`<tr><td></td><td colspan="5">{} more are left out</td></tr>
`, count(e.left, "step", "steps"))
	}
	p.put("</tbody></table>\n")
}

func (r *story) writeEvents(p *page) {
	p.put(`<section id="events" aria-labelledby="h-events"><h2 id="h-events">Events <span class="count">{}</span></h2>
`, r.shown(len(r.order), r.figures.events))
	r.leftOut(p)
	if len(r.order) == 0 {
		p.put("<p class=\"lead\">No event was published.</p>\n")
	}
	p.put("<div class=\"list\">\n")
	for _, e := range r.order {
		r.writeEvent(p, e)
	}
	p.put("</div></section>\n")
}

// leftOut says plainly what the page does not show, and how to see it.
func (r *story) leftOut(p *page) {
	known := 0
	for _, e := range r.order {
		if e.known {
			known++
		}
	}
	left := r.figures.events - known
	for _, e := range r.order {
		left -= e.again
	}
	if left <= 0 {
		return
	}
	p.put(`<p class="left-out"><strong>{} left out.</strong> This page shows {} in detail: first those that were lost, failed or met a fault, then the latest.
To see others: <code>regcast report {} --from TIME --to TIME</code>, <code>--filter EVENT-ID</code>, or more of them with <code>--events N</code>.</p>
`, count(left, "event is", "events are"), number(len(r.order)), r.fileName())
}

func (r *story) writeEvent(p *page, e *event) {
	rows := e.rows()
	state, badges := e.state()
	first, last := e.at, e.at
	for _, x := range rows {
		if x.to.After(last) {
			last = x.to
		}
	}
	name, what := image(e.Change), e.Type
	if !e.known {
		name, what = "published before these lines", "event"
	}
	p.put(`<details class="item event" id="{}" data-state="{}"><summary><span class="num time">{}</span><h3><span class="type">{}</span> <span class="image">{}</span></h3><span class="badges">`,
		anchor(e.ID), state, r.when(e.at), what, name)
	for _, b := range badges {
		p.put(`<span class="badge {}">{}</span>`, b.class, b.text)
	}
	p.put(`</span><span class="num took">{}</span></summary>
<div class="inside"><dl class="facts"><div><dt>Event</dt><dd><a class="mono" href="{}">{}</a></dd></div>`, duration(last.Sub(first)), fragment(anchor(e.ID)), e.ID)
	if e.known {
		p.put(`<div><dt>Cloud</dt><dd>{}</dd></div>`, e.Source)
	}
	if e.Change.Digest != "" {
		p.put(`<div><dt>Digest</dt><dd class="mono">{}</dd></div>`, e.Change.Digest)
	}
	p.put("</dl>\n")
	r.writeWaterfall(p, e, rows)
	if e.known {
		r.writePayload(p, "As the cloud words it", e.body, false)
	}
	p.put("</div></details>\n")
}

type badge struct{ class, text string }

// state is what became of an event in one word, for the filter, and in a few for people.
func (e *event) state() (string, []badge) {
	var states []string
	var badges []badge
	add := func(n int, state, class, one, many string) {
		if n > 0 {
			states = append(states, state)
			badges = append(badges, badge{class, count(n, one, many)})
		}
	}
	add(e.lost, "lost", "lost", "loss", "losses")
	add(e.failed, "failed", "lost", "error", "errors")
	add(e.faults, "fault", "fault", "fault", "faults")
	if e.unmatched && !e.matched {
		states = append(states, "unmatched")
		badges = append(badges, badge{"unmatched", "nobody wants it"})
	}
	sent := 0
	for _, f := range e.frames {
		if !f.in {
			sent += f.sent
		}
	}
	if sent > 0 {
		badges = append(badges, badge{"frame", "to " + count(sent, "socket", "sockets")})
	}
	if len(states) == 0 {
		states = append(states, "calm")
	}
	return strings.Join(states, " "), badges
}
