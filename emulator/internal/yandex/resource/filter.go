package resource

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// condition is one comparison of a filter.
type condition struct {
	field  protoreflect.FieldDescriptor
	values []string
	not    bool
}

// Filter reads the filter of a list, such as name="my-trigger": comparisons of a field with = or !=, or with IN or NOT IN and a list in
// parentheses, joined by AND. Values are in double or single quotes, or a bare word. The error is INVALID_ARGUMENT.
func Filter(d protoreflect.MessageDescriptor, text string) (func(proto.Message) bool, error) {
	p := &filterParser{message: d, rest: text, text: text}
	var all []condition
	for {
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if p.end() {
			break
		}
		if !p.word("AND") {
			return nil, p.wrong("AND or the end")
		}
	}
	return func(m proto.Message) bool {
		for _, c := range all {
			if slices.Contains(c.values, textOf(m, c.field)) == c.not {
				return false
			}
		}
		return true
	}, nil
}

// textOf is a field's value as filters write it.
func textOf(m proto.Message, f protoreflect.FieldDescriptor) string {
	v := m.ProtoReflect().Get(f)
	if f.Kind() == protoreflect.EnumKind {
		if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
			return string(value.Name())
		}
	}
	return fmt.Sprint(v.Interface())
}

type filterParser struct {
	message    protoreflect.MessageDescriptor
	text, rest string
}

func (p *filterParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *filterParser) end() bool {
	p.skip()
	return p.rest == ""
}

// wrong says where the filter is not understood.
func (p *filterParser) wrong(want string) error {
	p.skip()
	got := "the end"
	if p.rest != "" {
		got = fmt.Sprintf("%.20q", p.rest)
	}
	return Invalid("filter", fmt.Sprintf(`got %s at character %d of %.200q, want %s; a filter is such as name="my-name"`, got,
		len(p.text)-len(p.rest)+1, p.text, want))
}

func (p *filterParser) literal(s string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

// word takes a keyword, in any case.
func (p *filterParser) word(s string) bool {
	p.skip()
	n := wordLength(p.rest)
	if !strings.EqualFold(p.rest[:n], s) {
		return false
	}
	p.rest = p.rest[n:]
	return true
}

// wordLength is how far a bare word reaches.
func wordLength(s string) int {
	i := strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./", r))
	})
	if i < 0 {
		return len(s)
	}
	return i
}

func (p *filterParser) condition() (condition, error) {
	p.skip()
	n := wordLength(p.rest)
	name := strings.ToLower(p.rest[:n])
	f := p.message.Fields().ByName(protoreflect.Name(name))
	if f == nil {
		f = p.message.Fields().ByJSONName(p.rest[:n])
	}
	if f == nil || !askable(f) {
		return condition{}, p.wrong("one of the fields " + strings.Join(askables(p.message), ", "))
	}
	p.rest = p.rest[n:]
	c := condition{field: f}
	switch {
	case p.literal("!="):
		c.not = true
		fallthrough
	case p.literal("="):
		v, err := p.value()
		c.values = []string{v}
		return c, err
	case p.word("NOT"):
		if c.not = true; !p.word("IN") {
			return c, p.wrong("IN")
		}
	case p.word("IN"):
	default:
		return c, p.wrong("=, !=, IN or NOT IN")
	}
	if !p.literal("(") {
		return c, p.wrong("(")
	}
	for {
		v, err := p.value()
		if err != nil {
			return c, err
		}
		c.values = append(c.values, v)
		if p.literal(")") {
			return c, nil
		}
		if !p.literal(",") {
			return c, p.wrong(", or )")
		}
	}
}

func (p *filterParser) value() (string, error) {
	p.skip()
	if p.rest != "" && (p.rest[0] == '"' || p.rest[0] == '\'') {
		var b strings.Builder
		for i := 1; i < len(p.rest); i++ {
			switch c := p.rest[i]; {
			case c == p.rest[0]:
				p.rest = p.rest[i+1:]
				return b.String(), nil
			case c == '\\' && i+1 < len(p.rest):
				i++
				b.WriteByte(p.rest[i])
			default:
				b.WriteByte(c)
			}
		}
		return "", p.wrong("a value whose quotes end")
	}
	n := wordLength(p.rest)
	if n == 0 {
		return "", p.wrong("a value in quotes")
	}
	v := p.rest[:n]
	p.rest = p.rest[n:]
	return v, nil
}

// askable tells whether filters can ask for a field.
func askable(f protoreflect.FieldDescriptor) bool {
	return !f.IsList() && !f.IsMap() && f.Message() == nil && f.Kind() != protoreflect.BytesKind
}

func askables(d protoreflect.MessageDescriptor) []string {
	var out []string
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); askable(f) {
			out = append(out, string(f.Name()))
		}
	}
	return out
}
