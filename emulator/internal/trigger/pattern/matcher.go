package pattern

import (
	"bytes"
	"net/netip"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// op is what a matcher does with a value.
type op int

const (
	same    op = iota // a string, exactly
	literal           // null, true or false
	number            // a number in a range; a literal number is one with both ends
	prefix
	suffix
	prefixFold // these three whatever the case
	suffixFold
	fold
	wildcard
	cidr
	present
	absent
	not // none of others matches
)

// matcher is one alternative of a field.
type matcher struct {
	op          op
	text        string
	parts       []string // of a wildcard: what stands between the stars
	low, high   *bound   // of a number; nil: no end
	net         netip.Prefix
	others      []matcher
	description string // as it stands in the pattern
}

// bound is an end of a range of numbers.
type bound struct {
	at   float64
	open bool // at itself is not in the range
}

func matchAny(matchers []matcher, v value) bool {
	for i := range matchers {
		if matchers[i].match(v) {
			return true
		}
	}
	return false
}

func (m *matcher) match(v value) bool {
	switch m.op {
	case present:
		return true
	case absent:
		return false
	case not:
		return !matchAny(m.others, v)
	case literal:
		return string(v.raw) == m.text
	case number:
		return v.text == nil && m.holds(v.raw)
	}
	if v.text == nil {
		return false
	}
	switch m.op {
	case same:
		return string(v.text) == m.text
	case prefix:
		return len(v.text) >= len(m.text) && string(v.text[:len(m.text)]) == m.text
	case suffix:
		return len(v.text) >= len(m.text) && string(v.text[len(v.text)-len(m.text):]) == m.text
	case fold:
		rest, ok := foldPrefix(v.text, m.text)
		return ok && len(rest) == 0
	case prefixFold:
		_, ok := foldPrefix(v.text, m.text)
		return ok
	case suffixFold:
		return foldSuffix(v.text, m.text)
	case wildcard:
		return m.like(v.text)
	case cidr:
		addr, err := netip.ParseAddr(string(v.text))
		return err == nil && m.net.Contains(addr)
	}
	return false
}

func (m *matcher) holds(raw []byte) bool {
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return false
	}
	if m.low != nil && (n < m.low.at || m.low.open && n == m.low.at) {
		return false
	}
	return m.high == nil || n < m.high.at || !m.high.open && n == m.high.at
}

// like compares with a wildcard: the first part begins the text, the last one ends it, the others follow each other between.
func (m *matcher) like(text []byte) bool {
	first, last := m.parts[0], m.parts[len(m.parts)-1]
	if len(m.parts) == 1 {
		return string(text) == first
	}
	if len(text) < len(first)+len(last) || string(text[:len(first)]) != first || string(text[len(text)-len(last):]) != last {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range m.parts[1 : len(m.parts)-1] {
		i := bytes.Index(text, []byte(part))
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

// foldPrefix takes want off the front of text, whatever the case.
func foldPrefix(text []byte, want string) (rest []byte, ok bool) {
	for _, r := range want {
		c, size := utf8.DecodeRune(text)
		if size == 0 || !sameFold(c, r) {
			return nil, false
		}
		text = text[size:]
	}
	return text, true
}

func foldSuffix(text []byte, want string) bool {
	for want != "" {
		r, wide := utf8.DecodeLastRuneInString(want)
		c, size := utf8.DecodeLastRune(text)
		if size == 0 || !sameFold(c, r) {
			return false
		}
		want, text = want[:len(want)-wide], text[:len(text)-size]
	}
	return true
}

func sameFold(a, b rune) bool {
	return a == b || unicode.ToLower(a) == unicode.ToLower(b) || unicode.ToUpper(a) == unicode.ToUpper(b)
}
