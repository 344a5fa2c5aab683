package report

import (
	"cmp"
	"strings"
	"time"
)

// write makes the page.
func (r *story) write(p *page) {
	p.begin(r.title())
	p.top("report of a run", r.title(), r.about(), r.o.Note)
	r.writeNav(p)
	p.put("<main id=\"main\">\n")
	r.writeTroubles(p)
	r.writeFigures(p)
	r.writeTimeline(p)
	r.writeTables(p)
	r.writeEvents(p)
	r.writeInvocations(p)
	r.writeFrames(p)
	r.writeSockets(p)
	r.writeSetting(p)
	p.put("</main>\n")
	p.foot(count(r.read, "line", "lines") + ". Times are UTC, by the clock of the house.")
	p.end()
}

func (r *story) title() string { return cmp.Or(r.o.Name, "A run of regcast") }

func (r *story) fileName() string { return cmp.Or(r.o.Name, "FILE") }

func (r *story) about() string {
	if r.read == 0 || r.first.IsZero() {
		return "There is nothing in it."
	}
	words := []string{r.first.UTC().Format(dateAndTime), "over " + duration(r.last.Sub(r.first))}
	if r.header.Regcast != "" {
		words = append(words, "recorded by regcast "+r.header.Regcast)
	}
	if d := r.header.Now.Sub(r.header.Created); !r.header.Now.IsZero() && (d > time.Second || d < -time.Second) {
		words = append(words, "its clock had been moved by "+duration(d))
	}
	return strings.Join(words, " · ")
}

// when is a moment of the run: with its day where the run has several.
func (r *story) when(at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	if r.first.UTC().YearDay() != r.last.UTC().YearDay() || r.last.Sub(r.first) > 24*time.Hour {
		return at.UTC().Format(dayAndTime)
	}
	return at.UTC().Format(timeOnly)
}

// shown words how many of how many are on the page.
func (r *story) shown(n, of int) string {
	if n >= of {
		return number(n)
	}
	return number(n) + " of " + number(of)
}

func (r *story) writeNav(p *page) {
	p.nav([]choice{{"lost", "lost"}, {"failed", "errors"}, {"fault", "faults"}, {"unmatched", "unmatched"}}, []section{
		{"troubles", "Losses and errors", r.figures.lost + r.figures.failed + r.figures.faults, true},
		{"timeline", "Timeline", 0, true},
		{"tables", "Triggers, functions", len(r.triggers.rows) + len(r.programs.rows), false},
		{"events", "Events", r.figures.events, true},
		{"invocations", "Invocations", r.figures.invocations, false},
		{"frames", "Frames", r.figures.frames + r.figures.received, false},
		{"sockets", "Sockets", r.sockets.seen, false},
		{"setting", "Setting", 0, true},
	})
}

// writeTroubles comes first: what was lost is what a reader must not miss.
func (r *story) writeTroubles(p *page) {
	f := r.figures
	loud := "calm"
	switch {
	case f.lost > 0 || f.failed > 0 || r.broken != nil || r.badSeen > 0:
		loud = "loud"
	case f.faults > 0:
		loud = "wary"
	}
	p.put(`<section id="troubles" class="{}" aria-labelledby="h-troubles"><h2 id="h-troubles">`, loud)
	if f.lost+f.failed+f.faults == 0 {
		p.put(`Nothing was lost, nothing failed`)
	} else {
		var words []string
		for _, w := range []struct {
			n         int
			one, many string
		}{{f.lost, "loss", "losses"}, {f.failed, "error", "errors"}, {f.faults, "injected fault", "injected faults"}} {
			if w.n > 0 {
				words = append(words, count(w.n, w.one, w.many))
			}
		}
		p.put(`{}`, strings.Join(words, ", "))
	}
	p.put("</h2>\n")
	r.writeBreaks(p)
	if notes := r.notes.first; len(notes) > 0 {
		if left := r.notes.seen - len(notes); left > 0 {
			p.put("<p class=\"left-out\"><strong>{} left out</strong>: here are the first losses, then the latest errors and faults.</p>\n", count(left, "line is", "lines are"))
		}
		p.put(`<table class="troubles"><thead><tr><th scope="col" class="num">At</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">Why</th><th scope="col">Events</th></tr></thead><tbody>
`)
		for _, s := range notes {
			p.put(`<tr class="item is-{}" data-state="{}"><td class="num">{}</td><th scope="row">{}</th><td class="who">{}</td><td class="text">{}</td><td>`,
				s.class(), s.kind.String(), r.when(s.At), s.What, s.Who, s.Text)
			for i, id := range s.Events {
				if i == 3 {
					p.put(`and {} more`, number(len(s.Events)-i))
					break
				}
				r.writeEventLink(p, id)
				p.put(` `)
			}
			p.put("</td></tr>\n")
		}
		p.put("</tbody></table>\n")
	}
	p.put("</section>\n")
}

func (k kind) String() string {
	switch k {
	case lost:
		return "lost"
	case failed:
		return "failed"
	case faulted:
		return "fault"
	}
	return "calm"
}

// writeBreaks says what is missing of the recording itself.
func (r *story) writeBreaks(p *page) {
	switch {
	case r.broken != nil:
		p.put("<p class=\"broken\"><strong>The recording breaks off</strong> after {}: {}</p>\n", count(r.read, "line", "lines"), r.broken.Error())
	case !r.ended:
		p.put("<p class=\"quiet\">The recording has no last line: it was not ended, so more may have happened.</p>\n")
	}
	if r.badSeen > 0 {
		p.put("<p class=\"broken\"><strong>{} not be used:</strong></p>\n<ul class=\"broken\">", count(r.badSeen, "line could", "lines could"))
		for _, err := range r.bad {
			p.put("<li>{}</li>\n", err.Error())
		}
		p.put("</ul>\n")
	}
	if r.unknown > 0 {
		p.put("<p class=\"left-out\">{} of kinds that this version of regcast does not know.</p>\n", count(r.unknown, "line is", "lines are"))
	}
	if len(r.o.Only) > 0 || !r.o.From.IsZero() || !r.o.To.IsZero() {
		var words []string
		if !r.o.From.IsZero() {
			words = append(words, "from "+r.o.From.UTC().Format(dateAndTime))
		}
		if !r.o.To.IsZero() {
			words = append(words, "to "+r.o.To.UTC().Format(dateAndTime))
		}
		if len(r.o.Only) > 0 {
			words = append(words, "what tells of "+strings.Join(r.o.Only, ", "))
		}
		p.put("<p class=\"left-out\">This page is of a part of the run: {}.</p>\n", strings.Join(words, ", "))
	}
}

func (r *story) writeFigures(p *page) {
	f := r.figures
	p.put("<dl class=\"figures\">\n")
	figure := func(n int, name, more string) {
		p.put("<div><dt>{}</dt><dd><b class=\"num\">{}</b> <span>{}</span></dd></div>\n", name, number(n), more)
	}
	more := func(n int, what string) string {
		if n == 0 {
			return ""
		}
		return number(n) + " " + what
	}
	figure(f.events, "Events", more(f.unmatched, "nobody wanted"))
	if f.batches > 0 {
		figure(f.batches, "Batches", "of "+fixed(time.Duration(f.batched), time.Duration(f.batches), 1)+" events")
	}
	figure(f.deliveries, "Deliveries", "")
	figure(f.invocations, "Invocations", more(f.cold, "cold"))
	figure(f.frames, "Frames sent", more(f.sent, "times taken"))
	if f.received > 0 {
		figure(f.received, "Received", "from clients")
	}
	if r.sockets.seen > 0 {
		figure(r.sockets.seen, "Sockets", more(r.sockets.most, "at once"))
	}
	p.put("</dl>\n")
}

// writeTables are what each trigger and each function did.
func (r *story) writeTables(p *page) {
	if len(r.triggers.rows)+len(r.programs.rows) == 0 {
		return
	}
	p.put("<section id=\"tables\" aria-labelledby=\"h-tables\"><h2 id=\"h-tables\">Triggers, functions</h2>\n")
	took := func(s spread) (string, string) {
		if s.sum == 0 {
			return "", ""
		}
		return duration(s.mean()), duration(s.max)
	}
	if len(r.triggers.rows) > 0 {
		p.put(`<table><thead><tr><th scope="col">Trigger, queue</th><th scope="col" class="num">Batches</th><th scope="col" class="num">Events in them</th><th scope="col" class="num">Delivered</th><th scope="col" class="num">Filtered out</th><th scope="col" class="num">Lost</th><th scope="col" class="num">Delivery, mean</th><th scope="col" class="num">longest</th></tr></thead><tbody>
`)
		for _, name := range r.triggers.names() {
			t := r.triggers.rows[name]
			mean, most := took(t.took)
			p.put(`<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num{}">{}</td><td class="num">{}</td><td class="num">{}</td></tr>
`, name, number(t.batches), number(t.events), number(t.delivered), number(t.skipped), bad(t.lost), number(t.lost), mean, most)
		}
		p.put("</tbody></table>\n")
	}
	if len(r.programs.rows) > 0 {
		p.put(`<table><thead><tr><th scope="col">Function</th><th scope="col" class="num">Invocations</th><th scope="col" class="num">Cold</th><th scope="col" class="num">Errors</th><th scope="col" class="num">Duration, mean</th><th scope="col" class="num">longest</th></tr></thead><tbody>
`)
		for _, name := range r.programs.names() {
			t := r.programs.rows[name]
			mean, most := took(t.took)
			p.put(`<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num{}">{}</td><td class="num">{}</td><td class="num">{}</td></tr>
`, name, number(t.runs), number(t.cold), bad(t.errors), number(t.errors), mean, most)
		}
		p.put("</tbody></table>\n")
	}
	p.put("</section>\n")
}

func bad(n int) markup {
	if n == 0 {
		return ""
	}
	return " bad"
}
