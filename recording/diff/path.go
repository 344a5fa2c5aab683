package diff

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// segment is a step into a document: a member, or an element when name is empty and index is not negative.
type segment struct {
	name  string
	index int // -1: a member
}

func member(name string) segment { return segment{name, -1} }
func element(i int) segment      { return segment{"", i} }

// pathText is a path as jq writes it.
func pathText(path []segment) string {
	var b strings.Builder
	for _, s := range path {
		switch {
		case s.index >= 0:
			fmt.Fprintf(&b, "[%d]", s.index)
		case plainName(s.name):
			b.WriteString("." + s.name)
		default:
			b.WriteString("." + strconv.Quote(s.name))
		}
	}
	if b.Len() == 0 || b.String()[0] == '[' {
		return "." + b.String()
	}
	return b.String()
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !letter(c) && (i == 0 || !digit(c)) {
			return false
		}
	}
	return s != ""
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// pattern is a path with gaps.
type pattern []step

type step struct {
	segment
	any  bool // .* or []: whatever is there
	deep bool // ..: at any depth before it
}

var errPath = errors.New("want a path such as .a.b, .a[0].b, .a[].b, .a.*, ..b or .\"odd name\"")

func parsePattern(text string) (pattern, error) {
	p, rest := pattern{}, text
	fail := func() (pattern, error) { return nil, fmt.Errorf("diff: path %q: %w", text, errPath) }
	for rest != "" {
		s := step{segment: member("")}
		switch {
		case strings.HasPrefix(rest, ".."):
			s.deep, rest = true, rest[2:]
		case strings.HasPrefix(rest, ".["):
			rest = rest[1:]
		case rest[0] == '.':
			rest = rest[1:]
		case rest[0] != '[':
			return fail()
		}
		if strings.HasPrefix(rest, "[") {
			inner, after, ok := cutBracket(rest)
			if !ok {
				return fail()
			}
			rest = after
			if inner == "" {
				s.any = true
			} else if n, err := strconv.Atoi(inner); err == nil && n >= 0 {
				s.segment = element(n)
			} else if s.name, err = strconv.Unquote(inner); err != nil || inner[0] != '"' {
				return fail()
			}
			p = append(p, s)
			continue
		}
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return fail()
			}
			s.name, err = strconv.Unquote(quoted)
			if err != nil {
				return fail()
			}
			rest = rest[len(quoted):]
			p = append(p, s)
			continue
		}
		n := strings.IndexAny(rest, `.["`)
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			return fail()
		}
		s.name, rest = rest[:n], rest[n:]
		s.any = s.name == "*"
		p = append(p, s)
	}
	if len(p) == 0 {
		return fail()
	}
	return p, nil
}

// cutBracket cuts [inner] off; inner may be a quoted string with brackets in it.
func cutBracket(text string) (inner, rest string, ok bool) {
	text = text[1:]
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil || !strings.HasPrefix(text[len(quoted):], "]") {
			return "", "", false
		}
		return quoted, text[len(quoted)+1:], true
	}
	return strings.Cut(text, "]")
}

func (p pattern) match(path []segment) bool {
	if len(p) == 0 {
		return len(path) == 0
	}
	if len(path) == 0 {
		return false
	}
	if p[0].any || p[0].segment == path[0] {
		if p[1:].match(path[1:]) {
			return true
		}
	}
	return p[0].deep && p.match(path[1:])
}

func matchAny(patterns []pattern, path []segment) bool {
	for _, p := range patterns {
		if p.match(path) {
			return true
		}
	}
	return false
}
