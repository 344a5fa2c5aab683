package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/regcast/regcast/recording/diff"
)

// DiffOptions say how a comparison is called on its page.
type DiffOptions struct {
	Want, Got string // the names of the two runs
	Note      string // as in Options
}

// WriteDiff makes the page of a comparison.
func WriteDiff(w io.Writer, d diff.Report, o DiffOptions) error {
	c := comparison{Report: d, o: o}
	c.o.Want, c.o.Got = cmp.Or(o.Want, "then"), cmp.Or(o.Got, "now")
	p := newPage(w)
	c.write(p)
	if err := p.flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

type comparison struct {
	diff.Report
	o DiffOptions
}

func (c *comparison) write(p *page) {
	title := c.o.Want + " → " + c.o.Got
	p.begin(title)
	p.top("two runs compared", title, "What a user would notice of the second run, against the first.", c.o.Note)
	kinds := c.kinds()
	choices := make([]choice, len(kinds))
	for i, k := range kinds {
		choices[i] = choice{string(k), string(k)}
	}
	p.nav(choices, []section{
		{"summary", "Summary", 0, true}, {"differences", "Differences", c.Total(), false}, {"notes", "Notes", len(c.Notes), false},
		{"subjects", "Compared", len(c.Subjects), false},
	})
	p.put("<main id=\"main\">\n")
	c.writeSummary(p, kinds)
	c.writeDifferences(p)
	c.writeNotes(p)
	c.writeSubjects(p)
	p.put("</main>\n")
	p.foot(count(c.Total(), "difference", "differences") + ".")
	p.end()
}

// kinds are those that there are, the gravest first.
func (c *comparison) kinds() []diff.Kind {
	var out []diff.Kind
	for k, n := range c.Counts {
		if n > 0 {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b diff.Kind) int {
		return cmp.Or(cmp.Compare(grave(b), grave(a)), cmp.Compare(c.Counts[b], c.Counts[a]), cmp.Compare(a, b))
	})
	return out
}

// grave is 2 for what loses, doubles or fails, 0 for what is better than before.
func grave(k diff.Kind) int {
	switch k {
	case diff.Lost, diff.Doubled, diff.Failing, diff.GivenUp, diff.Refused, diff.Unfired, diff.Missing:
		return 2
	case diff.Fixed, diff.Kept:
		return 0
	}
	return 1
}

func kindClass(k diff.Kind) string { return [...]string{"better", "fault", "lost"}[grave(k)] }

// meaning says a kind in a sentence.
func meaning(k diff.Kind) string {
	switch k {
	case diff.Input:
		return "the runs were not given the same"
	case diff.Refused:
		return "a socket that opened then does not open now"
	case diff.Lost:
		return "a message that came then does not come now"
	case diff.Doubled:
		return "a message, or an event at a trigger, comes more often now"
	case diff.Extra:
		return "a message, or a socket, that was not there then"
	case diff.Changed:
		return "a message says something else"
	case diff.Reordered:
		return "a message comes at another place"
	case diff.Later:
		return "a message comes later than is allowed"
	case diff.Closed:
		return "a socket was closed in another way"
	case diff.Failing:
		return "a function fails now, or in another way"
	case diff.Fixed:
		return "a function no longer fails"
	case diff.Missing:
		return "a function is not called now"
	case diff.Retried:
		return "a function is called more often now"
	case diff.Invoked:
		return "a function is called with something else"
	case diff.Output:
		return "a function answers something else"
	case diff.Unfired:
		return "an event fired a trigger then and does not now"
	case diff.Fired:
		return "an event fires a trigger now and did not then"
	case diff.GivenUp:
		return "events are lost on their way now"
	case diff.Kept:
		return "events that were lost are not any more"
	case diff.Waiting:
		return "what came in one run still waits at the end of the other"
	case diff.Batch:
		return "events are gathered in other batches"
	}
	return ""
}

func (c *comparison) writeSummary(p *page, kinds []diff.Kind) {
	if c.Same() {
		p.put(`<section id="summary" class="calm" aria-labelledby="h-summary"><h2 id="h-summary">The same: there is nothing that a user would notice</h2></section>
`)
		return
	}
	loud := "wary"
	if len(kinds) > 0 && grave(kinds[0]) == 2 {
		loud = "loud"
	}
	p.put(`<section id="summary" class="{}" aria-labelledby="h-summary"><h2 id="h-summary">{}</h2>
<table><thead><tr><th scope="col">What</th><th scope="col" class="num">Times</th><th scope="col">Which means</th></tr></thead><tbody>
`, loud, count(c.Total(), "difference", "differences"))
	for _, k := range kinds {
		p.put("<tr class=\"is-{}\"><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"text\">{}</td></tr>\n", kindClass(k), string(k), number(c.Counts[k]), meaning(k))
	}
	p.put("</tbody></table></section>\n")
}

func (c *comparison) writeDifferences(p *page) {
	if c.Total() == 0 {
		return
	}
	p.put(`<section id="differences" aria-labelledby="h-differences"><h2 id="h-differences">Differences <span class="count">{}</span></h2>
<p class="lead">In the order in which they happened.</p>
`, number(c.Total()))
	if c.More > 0 {
		p.put("<p class=\"left-out\"><strong>{} left out.</strong> To see more: <code>--limit N</code>.</p>\n", count(c.More, "difference is", "differences are"))
	}
	p.put("<div class=\"list\">\n")
	for i, d := range c.Differences {
		c.writeDifference(p, i+1, d)
	}
	p.put("</div></section>\n")
}

func (c *comparison) writeDifference(p *page, n int, d diff.Difference) {
	open := ""
	if n <= 20 {
		open = " open"
	}
	p.put(`<details class="item difference" id="difference-{}" data-state="{}"{}><summary><span class="num time">{}</span><h3><span class="type"><span class="badge {}">{}</span></span> <span class="where">{}</span></h3><span class="badges"></span><span class="num took">{}</span></summary>
<div class="inside">`, n, string(d.Kind), markup(open), number(n), kindClass(d.Kind), string(d.Kind), d.Where, lineOf(d.Line))
	if d.Text != "" {
		p.put("<p>{}</p>\n", d.Text)
	}
	if len(d.Events) > 0 {
		p.put("<p class=\"about\"><span class=\"quiet\">{}</span> <span class=\"mono\">{}</span></p>\n", count(len(d.Events), "event", "events"), strings.Join(d.Events, " "))
	}
	if len(d.Details) > 0 {
		p.put(`<table class="places"><thead><tr><th scope="col">Where</th><th scope="col">{}</th><th scope="col">{}</th><th scope="col"></th></tr></thead><tbody>
`, c.o.Want, c.o.Got)
		for _, at := range d.Details {
			p.put("<tr><th scope=\"row\" class=\"mono\">{}</th><td class=\"mono then\">{}</td><td class=\"mono now\">{}</td><td class=\"who\">{}</td></tr>\n", at.Path, at.Want, at.Got, at.Text)
		}
		if d.More > 0 {
			p.put("<tr><td colspan=\"4\">and {}</td></tr>\n", count(d.More, "more place", "more places"))
		}
		p.put("</tbody></table>\n")
	}
	if d.Want != "" || d.Got != "" {
		p.put("<div class=\"pair\">")
		c.writeSide(p, "then", c.o.Want, d.Want)
		c.writeSide(p, "now", c.o.Got, d.Got)
		p.put("</div>\n")
	}
	p.put("</div></details>\n")
}

func (c *comparison) writeSide(p *page, class, name, document string) {
	p.put("<div class=\"{}\"><h4>{}</h4>", class, name)
	if document == "" {
		p.put("<p class=\"quiet\">nothing</p></div>")
		return
	}
	data := newPayload([]byte(document))
	data.json = strings.HasPrefix(document, "{") || strings.HasPrefix(document, "[") // its end may be cut off
	p.put("<pre tabindex=\"0\">{}</pre></div>", data.String())
}

// lineOf says where something stands in the two runs.
func lineOf(line [2]int64) string {
	if line == [2]int64{} {
		return ""
	}
	word := func(n int64) string {
		if n == 0 {
			return "–"
		}
		return strconv.FormatInt(n, 10)
	}
	return word(line[0]) + " → " + word(line[1])
}

func (c *comparison) writeNotes(p *page) {
	if len(c.Notes) == 0 {
		return
	}
	p.put(`<section id="notes" aria-labelledby="h-notes"><h2 id="h-notes">Notes <span class="count">{}</span></h2>
<p class="lead">What does not make the runs differ.</p>
<table><thead><tr><th scope="col">What</th><th scope="col">Where</th><th scope="col">How</th></tr></thead><tbody>
`, number(len(c.Notes)))
	for _, d := range c.Notes {
		p.put("<tr class=\"item\" data-state=\"note\"><th scope=\"row\">{}</th><td class=\"who\">{}</td><td class=\"text\">{}</td></tr>\n", string(d.Kind), d.Where, d.Text)
	}
	p.put("</tbody></table></section>\n")
}

func (c *comparison) writeSubjects(p *page) {
	if len(c.Subjects) == 0 {
		return
	}
	const enough = 1000
	p.put(`<section id="subjects" aria-labelledby="h-subjects"><h2 id="h-subjects">Compared <span class="count">{}</span></h2>
`, number(len(c.Subjects)))
	list := c.Subjects
	if left := len(list) - enough; left > 0 {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b diff.Subject) int { return cmp.Compare(b.Differences, a.Differences) })
		list = list[:enough]
		p.put("<p class=\"left-out\"><strong>{} left out</strong>, those with the fewest differences.</p>\n", count(left, "is", "are"))
	}
	p.put(`<table><thead><tr><th scope="col">What</th><th scope="col">Name</th><th scope="col" class="num">Messages, {}</th><th scope="col" class="num">{}</th><th scope="col" class="num">Differences</th></tr></thead><tbody>
`, c.o.Want, c.o.Got)
	for _, s := range list {
		p.put("<tr class=\"item\" data-state=\"subject\"><td>{}</td><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num{}\">{}</td></tr>\n",
			s.Kind, s.Name, number(int(s.Messages[0])), number(int(s.Messages[1])), bad(s.Differences), number(s.Differences))
	}
	p.put("</tbody></table></section>\n")
}
