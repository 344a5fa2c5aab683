package report

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the page's style and script
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
)

//go:embed page.css
var style string

//go:embed page.js
var script string

// page writes HTML. What is put into it is escaped unless it is markup.
type page struct {
	out      *bufio.Writer // keeps the first error
	payloads int           // bytes of payloads so far
}

// markup is HTML that this package has made.
type markup string

func newPage(w io.Writer) *page { return &page{out: bufio.NewWriterSize(w, 64<<10)} }

func (p *page) flush() error { return p.out.Flush() }

// put writes a template with its holes {} filled: strings escaped, for text and for quoted attributes alike; numbers as they are.
func (p *page) put(template string, values ...any) {
	for _, v := range values {
		before, after, ok := strings.Cut(template, "{}")
		if !ok {
			panic("report: more values than holes in " + template)
		}
		_, _ = p.out.WriteString(before) // as flush says
		template = after
		switch v := v.(type) {
		case markup:
			_, _ = p.out.WriteString(string(v))
		case string:
			p.text(v)
		case int:
			_, _ = p.out.WriteString(strconv.Itoa(v))
		case int64:
			_, _ = p.out.WriteString(strconv.FormatInt(v, 10))
		case float64:
			_, _ = p.out.WriteString(strconv.FormatFloat(v, 'f', 3, 64))
		default:
			p.text(fmt.Sprint(v))
		}
	}
	if strings.Contains(template, "{}") {
		panic("report: fewer values than holes in " + template)
	}
	_, _ = p.out.WriteString(template)
}

// text writes s so that it is nothing but text, wherever in the page it stands. Control characters are made visible: HTML has no NUL, a
// log's escape sequences are no text, and those that turn the direction of writing would show something else than what is there.
func (p *page) text(s string) {
	from := 0
	for i, r := range s {
		var as string
		switch {
		case r == '&':
			as = "&amp;"
		case r == '<':
			as = "&lt;"
		case r == '>':
			as = "&gt;"
		case r == '"':
			as = "&#34;"
		case r == '\'':
			as = "&#39;"
		case r == '\n', r == '\t':
			continue
		case r < ' ':
			as = string(0x2400 + r)
		case r == 0x7f:
			as = "\u2421"
		case r > 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			as = fmt.Sprintf("\\u%04x", r)
		case r == 0xfffd && (i+3 > len(s) || s[i:i+3] != "\ufffd"):
			as = fmt.Sprintf("\\x%02x", s[i]) // not UTF-8
			p.cut(s[from:i], as)
			from = i + 1
			continue
		default:
			continue
		}
		p.cut(s[from:i], as)
		from = i + len(string(r))
	}
	_, _ = p.out.WriteString(s[from:])
}

func (p *page) cut(before, as string) {
	_, _ = p.out.WriteString(before)
	_, _ = p.out.WriteString(as)
}

// begin writes what is before the page's contents. The policy lets nothing in but the style and the script written here.
func (p *page) begin(title string) {
	p.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="regcast report">
<title>{}</title>
<style>{}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the contents</a>
`, digest(style), digest(script), title, markup(style))
}

func (p *page) end() {
	p.put("<script>{}</script>\n</body>\n</html>\n", markup(script))
}

// digest is that of a policy's source: base64 without what put would escape.
func digest(s string) markup {
	sum := sha256.Sum256([]byte(s))
	return markup(base64.StdEncoding.EncodeToString(sum[:]))
}

// top is the page's head line.
func (p *page) top(what, title, about, note string) {
	p.put("<header class=\"top\"><p class=\"brand\">regcast <span>{}</span></p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n", what, title, about)
	if note != "" {
		p.put("<p class=\"note\">{}</p>\n", note)
	}
	p.put("</header>\n")
}

// choice is a state of items that alone can be shown.
type choice struct{ state, name string }

type section struct {
	id, name string
	n        int
	always   bool // also when n is 0
}

func (p *page) nav(choices []choice, sections []section) {
	p.put(`<nav aria-label="Contents"><div class="find" hidden>
<label for="find">Find</label><input id="find" type="search" placeholder="id, tag, text…" autocomplete="off" spellcheck="false" aria-describedby="found">
<div class="chips" role="group" aria-label="Show only">`)
	for _, c := range choices {
		p.put(`<button type="button" data-only="{}" aria-pressed="false">{}</button>`, c.state, c.name)
	}
	p.put(`</div><p id="found" role="status"></p></div>
<ul>`)
	for _, s := range sections {
		if !s.always && s.n == 0 {
			continue
		}
		n := ""
		if s.n > 0 {
			n = number(s.n)
		}
		p.put(`<li><a href="#{}">{} <span class="num">{}</span></a></li>`, s.id, s.name, n)
	}
	p.put("</ul></nav>\n")
}

func (p *page) foot(text string) {
	p.put(`<footer><p>{} <span class="keys" hidden><kbd>/</kbd> find · <kbd>j</kbd> <kbd>k</kbd> next, previous · <kbd>Enter</kbd> open · <kbd>Esc</kbd> clear</span></p></footer>
`, text)
}

// plot is a bar from one place to another, in percent of its cell's width; a mark where that is too short to be seen.
func (p *page) plot(from, to float64) {
	const visible = 0.8
	p.put(`<td class="plot"><svg width="100%" height="14" aria-hidden="true">`)
	if to-from < visible {
		p.put(`<rect x="{}%" y="3" width="2" height="8"/>`, from)
	} else {
		p.put(`<rect x="{}%" y="4" width="{}%" height="6"/>`, from, to-from)
	}
	p.put(`</svg></td>`)
}
