package report

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

func (r *story) writeInvocations(p *page) {
	runs := r.runs.first
	if r.figures.invocations == 0 {
		return
	}
	p.put(`<section id="invocations" aria-labelledby="h-invocations"><h2 id="h-invocations">Invocations <span class="count">{}</span></h2>
<div class="list">
`, r.shown(len(runs), r.figures.invocations))
	for _, in := range runs {
		state := "calm"
		if in.Error != "" {
			state = "failed"
		}
		p.put(`<details class="item invocation" id="invocation-{}" data-state="{}"><summary><span class="num time">{}</span><h3><span class="type">{}</span> <span class="image">{}</span></h3><span class="badges">`,
			number(in.number), state, r.when(in.Started), in.Function, in.ID)
		if in.Error != "" {
			p.put(`<span class="badge lost">{}</span>`, in.Error)
		}
		if in.InitMS > 0 {
			p.put(`<span class="badge cold">cold start {}</span>`, duration(millis(in.InitMS)))
		}
		if n := len(in.Log) + in.LogCut; n > 0 {
			p.put(`<span class="badge">{}</span>`, count(n, "log line", "log lines"))
		}
		p.put(`</span><span class="num took">{}</span></summary>
<div class="inside">`, duration(millis(in.DurationMS)))
		r.writeEventLinks(p, in.Events)
		if len(in.Log) > 0 || in.LogCut > 0 {
			p.put(`<h4>Log</h4><pre class="log" tabindex="0">{}</pre>`, strings.Join(in.Log, "\n"))
			if in.LogCut > 0 {
				p.put(`<p class="quiet">{} left out</p>`, count(in.LogCut, "more line is", "more lines are"))
			}
		}
		title := "Output"
		if in.Error != "" {
			title = "Error"
		}
		r.writePayload(p, title, in.output, true)
		r.writePayload(p, "Input", in.input, in.Error != "")
		p.put("</div></details>\n")
	}
	p.put("</div></section>\n")
}

func (r *story) writeFrames(p *page) {
	if r.figures.frames+r.figures.received == 0 {
		return
	}
	list := r.frames.kept
	p.put(`<section id="frames" aria-labelledby="h-frames"><h2 id="h-frames">Frames <span class="count">{}</span></h2>
<p class="lead">What was sent alike during one invocation stands here once.`, number(len(list)))
	if r.frames.left > 0 {
		p.put(` <strong>{} left out</strong>: those of events that this page does not show in detail.`, count(r.frames.left, "frame is", "frames are"))
	}
	p.put("</p>\n<div class=\"list\">\n")
	for _, f := range list {
		state, arrow, class := "calm", "→", "out"
		if f.in {
			arrow, class = "←", "in"
		}
		if f.failure != "" {
			state = "failed"
		}
		p.put(`<details class="item frame {}" id="frame-{}" data-state="{}"><summary><span class="num time">{}</span><h3><span class="type"><span aria-hidden="true">{}</span> {}</span> <span class="preview">{}</span></h3><span class="badges">`,
			markup(class), f.number, state, r.when(f.first), arrow, f.receivers(), f.data.preview())
		if f.failure != "" {
			p.put(`<span class="badge lost">{}</span>`, f.failure)
		}
		p.put(`</span><span class="num took">{}</span></summary>
<div class="inside"><dl class="facts"><div><dt>Gateway</dt><dd class="mono">{}</dd></div>`, size(f.data.size), f.gateway+f.path)
		if len(f.connections) > 0 {
			p.put(`<div><dt>{}</dt><dd class="mono">{}`, count(f.tried, "Connection", "Connections"), strings.Join(f.connections, " "))
			if more := f.tried - len(f.connections); more > 0 {
				p.put(` and {} more`, number(more))
			}
			p.put(`</dd></div>`)
		}
		if f.last.After(f.first) {
			p.put(`<div><dt>First to last</dt><dd class="num">{}</dd></div>`, duration(f.last.Sub(f.first)))
		}
		p.put("</dl>\n")
		r.writeEventLinks(p, f.events)
		r.writePayload(p, "", f.data, true)
		p.put("</div></details>\n")
	}
	p.put("</div></section>\n")
}

// receivers says to whom a frame went.
func (f *frame) receivers() string {
	switch {
	case f.in:
		return "from " + strings.Join(f.connections, " ")
	case f.broadcast:
		return "to all of " + f.path + ": " + number(f.sent)
	case f.tried == 1:
		return "to " + strings.Join(f.connections, " ")
	case f.failure != "":
		return "to " + number(f.tried) + " connections"
	}
	return "to " + count(f.sent, "connection", "connections")
}

// writeEventLinks leads to the events that a thing is about.
func (r *story) writeEventLinks(p *page, ids []string) {
	if len(ids) == 0 {
		return
	}
	const enough = 50
	p.put(`<p class="about"><span class="quiet">{}</span> `, count(len(ids), "event", "events"))
	for _, id := range ids[:min(len(ids), enough)] {
		r.writeEventLink(p, id)
		p.put(` `)
	}
	if more := len(ids) - enough; more > 0 {
		p.put(`and {} more`, number(more))
	}
	p.put("</p>\n")
}

// writeEventLink is a link where the page has the event.
func (r *story) writeEventLink(p *page, id string) {
	if r.events[id] == nil {
		p.put(`<span class="mono" title="not on this page">{}</span>`, id)
		return
	}
	p.put(`<a class="mono" href="{}">{}</a>`, fragment(anchor(id)), id)
}

// writePayload shows bytes; a page has room for so many of them.
func (r *story) writePayload(p *page, title string, data payload, open bool) {
	if data.size == 0 {
		if title != "" {
			p.put("<h4>{} <span class=\"quiet\">empty</span></h4>\n", title)
		}
		return
	}
	if p.payloads += len(data.data); p.payloads > maxPayloads {
		p.put("<p class=\"quiet\">{} {} left out: this page is full of them. Take a part of the run.</p>\n", title, size(data.size))
		return
	}
	about := size(data.size)
	if n := data.size - len(data.data); n > 0 {
		about += ", of which the first " + size(len(data.data)) + " are here"
	}
	attribute := ""
	if open {
		attribute = " open"
	}
	p.put(`<details class="payload"{}><summary>{} <span class="quiet">{}</span></summary><pre tabindex="0">{}</pre></details>
`, markup(attribute), title, about, data.String())
}

func (r *story) writeSockets(p *page) {
	s := &r.sockets
	if s.seen == 0 {
		return
	}
	p.put(`<section id="sockets" aria-labelledby="h-sockets"><h2 id="h-sockets">Sockets <span class="count">{}</span></h2>
<table class="sockets"><thead><tr><th scope="col">Connection</th><th scope="col">Where</th><th scope="col" class="num">Opened</th><th scope="col" class="num">Open for</th><th scope="col" class="num">Frames</th><th scope="col">End</th><th scope="col" class="plot">Whole run: {}</th></tr></thead><tbody>
`, r.shown(len(s.list), s.seen), duration(r.last.Sub(r.first)))
	for _, c := range s.list {
		opened, end, class, state := r.when(c.opened), "open at the end", "socket", "calm"
		until := c.closed
		if c.before {
			opened = "before"
		}
		if c.closed.IsZero() {
			until = r.last
		} else {
			end = closing(c)
			if !clean(c.Code) {
				class, state = "lost", "failed"
			}
		}
		from, to := r.timeline.percent(c.opened), r.timeline.percent(until)
		p.put(`<tr class="item is-{}" data-state="{}"><th scope="row" class="mono">{}</th><td class="mono">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="text">{}</td>`, class, state, c.Connection, c.Gateway+c.Path, opened, duration(until.Sub(c.opened)), number(c.frames), end)
		p.plot(from, to)
		p.put("</tr>\n")
	}
	p.put("</tbody></table></section>\n")
}

func closing(c *socket) string {
	words := []string{}
	if c.Code != 0 {
		words = append(words, strconv.Itoa(c.Code))
	}
	if c.Reason != "" {
		words = append(words, c.Reason)
	}
	if c.By != "" {
		words = append(words, "by "+c.By)
	}
	return strings.Join(words, " · ")
}

// writeSetting shows what there was and what it was told at its start.
func (r *story) writeSetting(p *page) {
	p.put(`<section id="setting" aria-labelledby="h-setting"><h2 id="h-setting">Setting</h2>
`)
	r.writeConfiguration(p)
	names := make([]string, 0, len(r.header.Resources))
	for name := range r.header.Resources {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		raw := r.header.Resources[name]
		var list []json.RawMessage
		n := ""
		if json.Unmarshal(raw, &list) == nil {
			n = number(len(list))
			if len(list) == 0 {
				continue
			}
		}
		p.put(`<details class="resource"><summary>{} <span class="count">{}</span></summary><pre tabindex="0">{}</pre></details>
`, name, n, newPayload(raw).String())
	}
	p.put("</section>\n")
}

func (r *story) writeConfiguration(p *page) {
	c := r.header.Configuration
	file := func(what, name, data string) {
		p.put(`<details class="resource"><summary>{} <span class="quiet mono">{}</span></summary><pre tabindex="0">{}</pre></details>
`, what, name, newPayload([]byte(data)).String())
	}
	var switches []string
	for _, s := range []struct {
		on   bool
		name string
	}{
		{c.TagOnCreateImage, "tag on CreateImage"}, {c.QuietChildren, "quiet children of an index"}, {c.StrictAuth, "strict auth"},
		{c.LazyTTL, "lazy TTL"}, {c.FragmentFrames, "fragmented frames"},
	} {
		if s.on {
			switches = append(switches, s.name)
		}
	}
	if len(switches) > 0 {
		p.put("<p>Switched on: {}.</p>\n", strings.Join(switches, ", "))
	}
	if len(c.InProcess) > 0 {
		p.put("<p>Functions that ran in the process: {}.</p>\n", strings.Join(c.InProcess, ", "))
	}
	for _, f := range c.Triggers {
		file("Trigger file", f.Name, f.Data)
	}
	for _, g := range c.Gateways {
		file("Gateway specification", strings.TrimSpace(g.ID+" "+g.Name), g.Data)
	}
	if t := c.Template; t != nil {
		file("Template", t.Name, t.Data)
	}
	for _, f := range c.Functions {
		p.put("<p>Function {}: <span class=\"mono\">{}</span> from {}</p>\n", f.ID, f.Entry, f.Package)
	}
	for _, k := range c.Containers {
		p.put("<p>Container {} at <span class=\"mono\">{}</span></p>\n", k.ID, k.URL)
	}
}
