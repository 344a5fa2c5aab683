package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxWraps bounds how many wrappings an event can be in.
const maxWraps = 24

// lists are the keys of lists that are streamed: an export holds all of its events in one of them.
var lists = map[string]bool{"Records": true, "records": true, "messages": true, "Messages": true, "events": true, "logEvents": true, "entries": true, "results": true}

// walk goes through a text to the events in it.
type walk struct {
	options Options
	index   *index
	seen    *seen
	out     join
}

// spot is where in the walk something stands, and what it stands in.
type spot struct {
	Place
	at    time.Time // what its wrappings say of when it was
	in    []string  // its wrappings, from the outside in
	depth int       // how many brackets and strings it is in
	inner bool      // inside a value that has been read whole: Line is that value's
	quiet bool      // what is no event is for the wrapping to tell of
}

// what names something with all that it is in.
func (c spot) what(thing string) string {
	for _, in := range slices.Backward(c.in) {
		thing += " in " + in
	}
	return thing
}

func (c spot) element(i, line int) spot {
	c.Path = fmt.Sprintf("%s[%d]", c.Path, i)
	c.depth++
	if !c.inner {
		c.Line = line
	}
	return c
}

func (c spot) member(key string) spot {
	c.depth++
	switch {
	case strings.ContainsAny(key, ".[] ") || key == "":
		c.Path += fmt.Sprintf("[%q]", key)
	case c.Path == "":
		c.Path = key
	default:
		c.Path += "." + key
	}
	return c
}

func (c spot) within(label string) spot {
	if label != "" {
		c.in = append(slices.Clip(c.in), label)
	}
	return c
}

func (w *walk) skip(c spot, thing, why string, args ...any) {
	i := Item{Place: c.Place, Skipped: fmt.Sprintf(why, args...)}
	if thing != "" {
		i.What = c.what(thing)
	}
	w.out.add(i, "")
}

// text walks through text in which JSON may begin anywhere, and tells whether it said anything. Of lines without any it says so,
// unless the spot is quiet.
func (w *walk) text(s *source, c spot) (said bool) {
	for !w.out.stopped {
		if s.peek(); s.ended() {
			break
		}
		said = w.textLine(s, c) || said
	}
	return said
}

// textLine walks to the end of a line, or of the JSON on it that ends later.
func (w *walk) textLine(s *source, c spot) (said bool) {
	if !c.inner {
		c.Line = s.line
	}
	var before []byte // what of the line is no JSON, for a reader to know it by
	here := func() spot {
		in := c
		if !c.inner {
			in.Line = s.line
		}
		if prefix := bytes.TrimSpace(before); len(prefix) > 0 && !said {
			in.quiet = true // the line speaks for itself
			if !c.inner {
				in = in.within("a line of text")
			}
			if at := stamp(prefix); !at.IsZero() {
				in.at = at
			}
		}
		return in
	}
	for !w.out.stopped {
		b := s.peek()
		switch {
		case b == '\n' || s.ended():
			if !s.ended() {
				s.take()
			}
			if line := bytes.TrimSpace(before); len(line) > 0 && !said && !c.quiet {
				w.skip(c, "", "no event in %s", excerpt(line))
				said = true
			}
			return said
		case b == '{' || b == '[':
			at := s.pos
			said = w.json(s, here()) || said
			if s.pos == at+1 { // a bracket of the text
				before = append(before, b)
			}
			continue
		case b == '"': // a string of JSON?
			s.take()
			if next := s.peek(); next == '{' || next == '[' {
				said = w.quoted(s, here()) || said
				continue
			}
		default:
			s.take()
		}
		if len(before) < 200 {
			before = append(before, b)
		}
	}
	return said
}

// json walks through the value that may begin here in a text.
func (w *walk) json(s *source, c spot) (said bool) {
	items := w.out.items
	var began bool
	var err error
	if s.peek() == '{' {
		said, began, err = w.object(s, c)
	} else {
		said, began, err = w.list(s, c)
	}
	switch {
	case err == nil, w.out.stopped, !began && items == w.out.items:
		return said // the last: it was a bracket of the text
	case err == errTorn:
		w.skip(c, "", "cut off: the text %v", err)
	case c.inner:
		w.skip(c, "", "broken JSON: %v; read on from there", err)
	default:
		w.skip(c, "", "broken JSON: line %d: %v; read on from there", s.line, err)
	}
	return true
}

// quoted walks through a string whose quote has been taken, as in event="{\"version\":…}".
func (w *walk) quoted(s *source, c spot) bool {
	into := &capture{max: w.options.MaxValue}
	s.into = into
	err := s.rest()
	s.into = nil
	var text string
	if err != nil || into.over || json.Unmarshal(append([]byte{'"'}, into.bytes...), &text) != nil {
		return false // the text goes on where the string failed
	}
	return w.inside(text, c)
}

// inside walks through a text that a value holds. It says nothing of what is no JSON.
func (w *walk) inside(text string, c spot) bool {
	c.inner, c.quiet = true, true
	c.depth++
	return w.text(sourceOf([]byte(text), c.Line), c)
}

// list walks through a list. began tells that at least one element was there.
func (w *walk) list(s *source, c spot) (said, began bool, err error) {
	if c.depth > maxWraps {
		return false, true, s.value(0)
	}
	i := 0
	err = s.members(']', func() error {
		if w.out.stopped {
			return errTorn
		}
		here := c.element(i, s.line)
		i++
		switch s.peek() {
		case '{':
			ok, in, err := w.object(s, here)
			said, began = said || ok, began || in
			return err
		case '[':
			ok, in, err := w.list(s, here)
			said, began = said || ok, began || in
			return err
		case '"':
			into := &capture{max: w.options.MaxValue}
			outer := s.into
			s.into = into
			err := s.text()
			s.into = outer
			if err != nil {
				return err
			}
			began = true
			var text string
			switch {
			case into.over:
				w.skip(here, "", "a string over %d bytes", w.options.MaxValue)
				said = true
			case json.Unmarshal(into.bytes, &text) == nil && w.inside(text, here):
				said = true
			case !c.quiet:
				w.skip(here, "", "no event in %s", excerpt([]byte(text)))
				said = true
			}
			return nil
		}
		return s.scalar()
	})
	if err == nil && !said && !c.quiet && !w.out.stopped {
		why := "a list without objects"
		if i == 0 {
			why = "an empty list"
		}
		w.skip(c, "", "%s", why)
		said = true
	}
	return said, began, err
}

// object walks through an object: its lists of events as they come, the rest when it is whole.
func (w *walk) object(s *source, c spot) (said, began bool, err error) {
	own := &capture{max: w.options.MaxValue}
	outer := s.into
	s.into = own
	defer func() { s.into = outer }()
	listed := false
	err = s.members('}', func() error {
		key := len(own.bytes)
		if err := s.text(); err != nil {
			return err
		}
		var name string
		if !own.over {
			name = string(bytes.Trim(own.bytes[key:], `"`))
		}
		s.space()
		if err := s.expect(':'); err != nil {
			return err
		}
		if s.space() == '[' && lists[name] {
			s.into = nil
			ok, in, err := w.list(s, c.member(name))
			s.into = own
			own.add('[', ']')
			said, began, listed = said || ok, began || in, true
			return err
		}
		if err := s.value(0); err != nil {
			return err
		}
		began = true
		return nil
	})
	if err != nil {
		return said, began, err
	}
	s.into = outer
	if own.over {
		w.skip(c, "", "an object over %d bytes", w.options.MaxValue)
		return true, true, nil
	}
	c.quiet = c.quiet || listed && said
	return w.whole(own.bytes, c) || said, true, nil
}

// excerpt is the beginning of what somebody may want to find again.
func excerpt(text []byte) string {
	const most = 60
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	n := most
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return fmt.Sprintf("%q…", text[:n])
}

// stamp is the time that a line begins with, if it does.
func stamp(line []byte) time.Time {
	first, _, _ := bytes.Cut(bytes.TrimLeft(line, "["), []byte(" "))
	at, _ := time.Parse(time.RFC3339, strings.TrimRight(string(first), "]:"))
	return at
}
