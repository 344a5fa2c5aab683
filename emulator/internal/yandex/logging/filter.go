package logging

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
)

// matches asks an entry something.
type matches func(*entry) bool

// parseFilter reads the cloud's language of filters: values that messages contain; a parameter or an element of the payload, with : or
// :! and such values, a comparison, or EXISTS; NOT, AND, OR and parentheses, which bind in that order. The error says where.
func parseFilter(text string) (matches, error) {
	p := &filterParser{}
	var err error
	if p.tokens, err = scan(text); err != nil {
		return nil, err
	}
	m, err := p.or(0)
	if err == nil && p.peek(0).kind != end {
		err = p.wrong("AND, OR or the end")
	}
	return m, err
}

type kind int

const (
	end kind = iota
	word
	quoted
	operator
	paren
)

type lexeme struct {
	kind kind
	text string
	at   int // character, from 1
}

// scan cuts a filter into lexemes, the last of which is its end.
func scan(text string) ([]lexeme, error) {
	var out []lexeme
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		at := utf8.RuneCountInString(text[:i]) + 1
		switch {
		case unicode.IsSpace(r):
		case r == '(' || r == ')':
			out = append(out, lexeme{paren, string(r), at})
		case r == '"' || r == '\'':
			value, length, ok := unquote(text[i:])
			if !ok {
				return nil, fmt.Errorf("got a quote at character %d that does not end, want %c at its end", at, r)
			}
			out, n = append(out, lexeme{quoted, value, at}), length
		case special(r):
			for _, op := range []string{":!", "!=", "<>", "<=", ">=", ":", "=", "<", ">", "!"} {
				if strings.HasPrefix(text[i:], op) {
					out, n = append(out, lexeme{operator, op, at}), len(op)
					break
				}
			}
		default:
			n = strings.IndexFunc(text[i:], func(r rune) bool { return unicode.IsSpace(r) || special(r) || strings.ContainsRune(`()"'`, r) })
			if n < 0 {
				n = len(text) - i
			}
			out = append(out, lexeme{word, text[i : i+n], at})
		}
		i += n
	}
	return append(out, lexeme{end, "", utf8.RuneCountInString(text) + 1}), nil
}

func special(r rune) bool { return strings.ContainsRune(":=<>!", r) }

func unquote(s string) (value string, length int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == s[0]:
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

type filterParser struct {
	tokens []lexeme
	next   int
}

func (p *filterParser) peek(n int) lexeme { return p.tokens[min(p.next+n, len(p.tokens)-1)] }

func (p *filterParser) take() lexeme {
	t := p.peek(0)
	p.next++
	return t
}

func (p *filterParser) keyword(names ...string) bool { return p.peek(0).is(names...) }

func (t lexeme) is(names ...string) bool {
	return t.kind == word && slices.ContainsFunc(names, func(s string) bool { return t.text == s || t.text == strings.ToLower(s) })
}

// wrong says where the filter is not understood.
func (p *filterParser) wrong(want string) error {
	t := p.peek(0)
	got := fmt.Sprintf("%.40q", t.text)
	if t.kind == end {
		got = "the end"
	}
	return fmt.Errorf("got %s at character %d, want %s", got, t.at, want)
}

func (p *filterParser) or(depth int) (matches, error) {
	return p.joined(depth, "OR", p.and, func(a, b matches) matches { return func(e *entry) bool { return a(e) || b(e) } })
}

func (p *filterParser) and(depth int) (matches, error) {
	return p.joined(depth, "AND", p.not, func(a, b matches) matches { return func(e *entry) bool { return a(e) && b(e) } })
}

func (p *filterParser) joined(depth int, by string, operand func(int) (matches, error), join func(a, b matches) matches) (matches, error) {
	m, err := operand(depth)
	for err == nil && p.keyword(by) {
		p.take()
		var more matches
		more, err = operand(depth)
		m = join(m, more)
	}
	return m, err
}

func (p *filterParser) not(depth int) (matches, error) {
	const deepest = 50
	if depth > deepest {
		return nil, p.wrong(fmt.Sprintf("at most %d parentheses and NOTs in one another", deepest))
	}
	switch t := p.peek(0); {
	case p.keyword("NOT"):
		p.take()
		m, err := p.not(depth + 1)
		return func(e *entry) bool { return !m(e) }, err
	case t.kind == paren && t.text == "(":
		p.take()
		m, err := p.or(depth + 1)
		if err == nil && p.peek(0).text != ")" {
			err = p.wrong(")")
		}
		p.take()
		return m, err
	}
	return p.condition()
}

// condition reads one question.
func (p *filterParser) condition() (matches, error) {
	first := p.peek(0)
	if first.kind != word && first.kind != quoted || p.keyword("AND", "OR") {
		return nil, p.wrong(`a condition, such as message: "text" or json_payload.code >= 500`)
	}
	if first.kind == quoted || !p.asks() {
		return contains(text(func(e *entry) string { return e.Message }), p.values(), false), nil
	}
	p.take()
	about, err := parameter(first)
	if err != nil {
		return nil, err
	}
	op := p.take()
	switch {
	case op.kind == word: // EXISTS
		if about.element == nil {
			return nil, fmt.Errorf("got %s EXISTS at character %d, want an element of the payload, such as json_payload.code", first.text, first.at)
		}
		return func(e *entry) bool { _, ok := about.element(e); return ok }, nil
	case op.text == "!":
		p.next--
		return nil, p.wrong("one of :, :!, =, <>, <, <=, >, >=, EXISTS")
	case p.peek(0).kind != word && p.peek(0).kind != quoted:
		return nil, p.wrong("a value")
	case op.text == ":" || op.text == ":!":
		return about.search(first, p.values(), op.text == ":!")
	}
	return about.compare(first, op, p.take())
}

// asks tells whether the word that is next is what a question is about.
func (p *filterParser) asks() bool {
	t := p.peek(1)
	return t.kind == operator || t.is("EXISTS")
}

// values reads at least one value, and all that follow.
func (p *filterParser) values() []lexeme {
	out := []lexeme{p.take()}
	for {
		t := p.peek(0)
		if t.kind != quoted && (t.kind != word || t.is("AND", "OR", "NOT") || p.asks()) {
			return out
		}
		out = append(out, p.take())
	}
}

// subject is what a question is about; one of its fields is set.
type subject struct {
	element func(*entry) (any, bool) // of the payload, or text
	time    func(*entry) time.Time
	level   bool
	whole   bool // the payload
}

func text(of func(*entry) string) func(*entry) (any, bool) {
	return func(e *entry) (any, bool) { return of(e), true }
}

// parameter finds what a name means.
func parameter(name lexeme) (subject, error) {
	switch name.text {
	case "message":
		return subject{element: text(func(e *entry) string { return e.Message })}, nil
	case "resource_type":
		return subject{element: text(func(e *entry) string { return e.ResourceType })}, nil
	case "resource_id":
		return subject{element: text(func(e *entry) string { return e.ResourceID })}, nil
	case "stream_name":
		return subject{element: text(func(e *entry) string { return e.StreamName })}, nil
	case "timestamp":
		return subject{time: func(e *entry) time.Time { return e.Time }}, nil
	case "ingested_at", "saved_at":
		return subject{time: func(e *entry) time.Time { return e.ingested }}, nil
	case "level":
		return subject{level: true}, nil
	case "json_payload":
		return subject{whole: true}, nil
	}
	path := strings.Split(strings.TrimPrefix(name.text, "json_payload."), ".")
	if slices.Contains(path, "") {
		return subject{}, fmt.Errorf("got %.40q at character %d, want a parameter, or a path of names with a point between them", name.text, name.at)
	}
	return subject{element: func(e *entry) (any, bool) {
		var at any = e.fields()
		for _, name := range path {
			m, _ := at.(map[string]any)
			v, ok := m[name]
			if !ok {
				return nil, false
			}
			at = v
		}
		return at, true
	}}, nil
}

// search asks whether one of the values occurs.
func (s subject) search(name lexeme, values []lexeme, exact bool) (matches, error) {
	switch {
	case s.time != nil:
		return nil, fmt.Errorf("got %s with : at character %d, want a comparison, such as %s >= \"2025-01-02T15:04:05Z\"", name.text, name.at, name.text)
	case s.level:
		var levels []pb.LogLevel_Level
		for _, v := range values {
			l, err := level(v)
			if err != nil {
				return nil, err
			}
			levels = append(levels, l)
		}
		return func(e *entry) bool { return slices.Contains(levels, e.level) }, nil
	case s.whole:
		s.element = func(e *entry) (any, bool) { return e.fields(), true }
	}
	return contains(s.element, values, exact), nil
}

func level(v lexeme) (pb.LogLevel_Level, error) {
	l, ok := pb.LogLevel_Level_value[strings.ToUpper(v.text)]
	if !ok {
		return 0, fmt.Errorf("got %.40q at character %d, want one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL", v.text, v.at)
	}
	return pb.LogLevel_Level(l), nil
}

func moment(v lexeme) (time.Time, error) {
	if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
		return time.Unix(n, 0).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, v.text)
	if err != nil {
		return t, fmt.Errorf("got %.40q at character %d, want a time such as \"2025-01-02T15:04:05Z\", or seconds since 1970", v.text, v.at)
	}
	return t, nil
}
