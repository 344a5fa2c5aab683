package yandex

import (
	"cmp"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Dummy is the integration that answers by itself.
type Dummy struct {
	Status  int
	Headers []Header
	Content []Content // in the order of the specification
}

// Header is one header of a dummy's answer.
type Header struct{ Name, Value string }

// Content is a body for one media type; the type "*" is the default.
type Content struct{ Type, Body string }

const anyType = "*"

func parseDummy(o object) *Dummy {
	d := &Dummy{Status: http.StatusOK}
	if code := o.get("http_code"); code.given() {
		d.Status = code.number(200, 599)
	}
	for _, m := range o.get("http_headers").members() {
		m.headerName()
		d.Headers = append(d.Headers, Header{m.key, m.text()})
	}
	for _, m := range o.get("content").members() {
		if _, _, err := mime.ParseMediaType(m.key); m.key != anyType && (err != nil || !strings.Contains(m.key, "/")) {
			m.refuse("got the key %s, want a media type such as application/json, or *", quote(m.key))
		}
		d.Content = append(d.Content, Content{m.key, m.text()})
	}
	return d
}

// headerName refuses a key that is no name of a header.
func (m member) headerName() {
	if strings.Trim(strings.ToLower(m.key), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || m.key == "" {
		m.refuse("got the header name %s, want letters, digits, - and _", quote(m.key))
	}
}

// answer picks the content for the call and fills the parameters in.
func (d *Dummy) answer(c call) answer {
	fill := c.filler()
	a := answer{status: d.Status, header: make(http.Header)}
	for _, h := range d.Headers {
		a.header.Add(h.Name, fill.Replace(h.Value))
	}
	if len(d.Content) == 0 {
		return a
	}
	content, ok := d.choose(c.header.Values("Accept"))
	if !ok {
		return failed(http.StatusUnsupportedMediaType, "Media not supported")
	}
	a.body = []byte(fill.Replace(content.Body))
	switch {
	case content.Type != anyType:
		a.header.Set("Content-Type", content.Type)
	case a.header.Get("Content-Type") == "":
		a.header.Set("Content-Type", http.DetectContentType(a.body))
	}
	return a
}

// filler replaces {name} by the value the call has for the declared parameter, or its default. Other braces stay.
func (c call) filler() *strings.Replacer {
	var pairs []string
	if c.op == nil { // the authorizer of a whole gateway where there is no operation
		return strings.NewReplacer()
	}
	for _, p := range c.op.Parameters {
		pairs = append(pairs, "{"+p.Name+"}", c.value(p))
	}
	return strings.NewReplacer(pairs...)
}

// value is the first that the call has for a parameter, or its default.
func (c call) value(p Parameter) string {
	value := ""
	if values := c.values(p); len(values) > 0 {
		value = values[0]
	}
	return cmp.Or(value, p.Default)
}

// choose finds the content for an Accept header: the best match, else the default. Without the header any will do: the default,
// else the first.
func (d *Dummy) choose(accept []string) (Content, bool) {
	byType := func(match func(string) bool) (Content, bool) {
		i := slices.IndexFunc(d.Content, func(c Content) bool { return match(c.Type) })
		if i < 0 {
			return Content{}, false
		}
		return d.Content[i], true
	}
	for _, wanted := range acceptable(accept) {
		if c, ok := byType(wanted.matches); ok {
			return c, true
		}
	}
	if c, ok := byType(func(t string) bool { return t == anyType }); ok {
		return c, true
	}
	if len(accept) == 0 {
		return d.Content[0], true
	}
	return Content{}, false
}

type mediaRange struct {
	kind    string // "text/html", "text/*", "*/*"
	quality float64
}

// acceptable orders the ranges of an Accept header: the preferred first, among equals the more specific.
func acceptable(accept []string) []mediaRange {
	var out []mediaRange
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil || kind == "" {
			continue
		}
		r := mediaRange{kind, 1}
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			r.quality = q
		}
		if r.quality > 0 {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b mediaRange) int {
		return cmp.Or(cmp.Compare(b.quality, a.quality), cmp.Compare(strings.Count(a.kind, "*"), strings.Count(b.kind, "*")))
	})
	return out
}

func (r mediaRange) matches(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || contentType == anyType {
		return false
	}
	major, minor, _ := strings.Cut(r.kind, "/")
	return r.kind == kind || major == "*" || minor == "*" && strings.HasPrefix(kind, major+"/")
}
