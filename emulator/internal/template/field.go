package template

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// field is one value of a document, or the place where one is missing.
type field struct {
	doc  *document
	node *yaml.Node // nil: not there
	at   place
	mute bool // its mapping is not there or is none, which has been said
}

func (d *document) field(n *yaml.Node) field {
	if n == nil {
		return field{doc: d, mute: true}
	}
	return field{doc: d, node: n, at: d.where[n]}
}

func (f field) given() bool { return f.node != nil && f.value().Tag != "!!null" }

// broken tells that what stands there has been refused already.
func (f field) broken() bool { return f.node != nil && f.value().Tag == brokenTag }

// value is the node behind aliases.
func (f field) value() *yaml.Node { return target(f.node) }

func target(n *yaml.Node) *yaml.Node {
	for range deepest {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

func (f field) refuse(format string, args ...any) {
	if !f.mute && !f.broken() {
		f.doc.refuse(f.at, format, args...)
	}
}

func (f field) notice(format string, args ...any) { f.doc.notice(f.at, format, args...) }

// got says in a word or two what stands there.
func (f field) got() string {
	if !f.given() {
		return "nothing"
	}
	switch n := f.value(); n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return quote(n.Value)
	}
}

func (f field) scalar() bool { return f.given() && f.value().Kind == yaml.ScalarNode }

// text reads a scalar; anything else is refused. A field that is not there is empty.
func (f field) text() string {
	switch {
	case !f.given():
		return ""
	case !f.scalar():
		f.refuse("got %s, want a text", f.got())
		return ""
	}
	return f.value().Value
}

// required refuses a field that is missing or empty; want says what belongs there.
func (f field) required(want string) field {
	if !f.given() || f.scalar() && f.value().Value == "" {
		f.refuse("got nothing, want %s", want)
	}
	return f
}

// choice reads one of several words; the first is what a missing field means.
func (f field) choice(words ...string) string {
	if !f.given() || f.broken() {
		return words[0]
	}
	s := f.text()
	if !slices.Contains(words, s) {
		if f.scalar() {
			f.refuse("got %s, %s", f.got(), suggest(s, words))
		}
		return words[0]
	}
	return s
}

// number reads an integer, quoted or not, within bounds.
func (f field) number(otherwise, low, high int) int {
	if !f.given() || f.broken() {
		return otherwise
	}
	n, err := strconv.Atoi(f.value().Value)
	if !f.scalar() || err != nil || n < low || n > high {
		f.refuse("got %s, want a whole number from %d to %d", f.got(), low, high)
		return otherwise
	}
	return n
}

func (f field) seconds(otherwise, low, high int) time.Duration {
	return time.Duration(f.number(otherwise, low, high)) * time.Second
}

func (f field) truth(otherwise bool) bool {
	if !f.given() || f.broken() {
		return otherwise
	}
	switch s := strings.ToLower(f.value().Value); {
	case f.scalar() && s == "true":
		return true
	case f.scalar() && s == "false":
		return false
	}
	f.refuse("got %s, want true or false", f.got())
	return otherwise
}

// items reads a list.
func (f field) items() []field {
	if !f.given() || f.broken() {
		return nil
	}
	if f.value().Tag == madeUpTag {
		return []field{f}
	}
	if f.value().Kind != yaml.SequenceNode {
		f.refuse("got %s, want a list", f.got())
		return nil
	}
	var out []field
	for _, c := range f.value().Content {
		item := f.doc.field(c)
		if !item.given() {
			item.refuse("got nothing, want an entry")
			continue
		}
		out = append(out, item)
	}
	return out
}

// some reads a list, or one value where a list of one is meant.
func (f field) some() []field {
	if f.given() && f.value().Kind != yaml.SequenceNode {
		return []field{f}
	}
	return f.items()
}

// texts reads a list of texts, or one.
func (f field) texts() []string {
	var out []string
	for _, item := range f.some() {
		if !item.broken() {
			out = append(out, item.text())
		}
	}
	return out
}

type member struct {
	key  string
	name *yaml.Node
	field
}

// members reads a mapping with any keys, in order. Of keys that stand twice the last counts, merge keys (<<) are followed.
func (f field) members() []member {
	if !f.given() || f.broken() {
		return nil
	}
	if f.value().Kind != yaml.MappingNode {
		f.refuse("got %s, want a mapping", f.got())
		return nil
	}
	return f.collect(f.value(), make(map[string]int), 0)
}

func (f field) collect(n *yaml.Node, seen map[string]int, depth int) []member {
	const nested = 8
	if !f.doc.spend(f.node, len(n.Content)) {
		return nil
	}
	var out []member
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Tag == "!!merge" {
			merged = append(merged, target(v))
			continue
		}
		m := member{k.Value, k, f.doc.field(v)}
		switch line, twice := seen[m.key]; {
		case k.Kind != yaml.ScalarNode:
			f.refuse("got a key that is no word")
		case twice && depth > 0: // the mapping's own keys win over merged ones
		case twice:
			f.doc.notice(place{k.Line, m.at.path}, "it stands here twice, the first time in line %d; AWS's tools take the last", line)
			out[slices.IndexFunc(out, func(o member) bool { return o.key == m.key })] = m
		default:
			seen[m.key] = k.Line
			out = append(out, m)
		}
	}
	switch {
	case len(merged) == 0:
	case len(merged) > 1 || depth == nested || merged[0].Kind != yaml.MappingNode:
		f.refuse("got a merge key (<<) that is more than one mapping, want the fields written out")
	default:
		out = append(out, f.collect(merged[0], seen, depth+1)...)
	}
	return out
}

// object reads a mapping; its keys are judged by whoever knows which there are.
func (f field) object() object {
	o := object{f, make(map[string]field)}
	for _, m := range f.members() {
		o.fields[m.key] = m.field
	}
	return o
}

// only refuses the keys that are none of the known.
func (o object) only(known ...string) object {
	for _, m := range o.members() {
		if !slices.Contains(known, m.key) {
			m.refuse("unknown field, %s", suggest(m.key, known))
		}
	}
	return o
}

// takes is only for the properties of resources, of which clouds make new ones: what is no misspelling is not emulated.
func (o object) takes(known ...string) object {
	for _, m := range o.members() {
		if slices.Contains(known, m.key) {
			continue
		}
		if near := nearest(m.key, known); near != "" && (distance(m.key, near) <= 2 || strings.EqualFold(m.key, near)) {
			m.refuse("unknown property, want %s", near)
			continue
		}
		m.notice("not emulated: %s; regcast knows no such property", clip(m.key))
	}
	return o
}

type object struct {
	field
	fields map[string]field
}

// get returns a member; one that is missing has the line of its mapping.
func (o object) get(key string) field {
	if f, ok := o.fields[key]; ok {
		return f
	}
	return field{doc: o.doc, at: place{o.at.line, join(o.at.path, key)}, mute: o.mute || o.broken() || o.given() && o.value().Kind != yaml.MappingNode}
}

// json writes a value as JSON, its keys in the order of the file.
func (f field) json() json.RawMessage {
	var b bytes.Buffer
	f.encode(&b)
	return b.Bytes()
}

func (f field) encode(b *bytes.Buffer) {
	word := func(s string) {
		data, err := json.Marshal(s)
		if err != nil { // a string always encodes
			data = []byte(`""`)
		}
		b.Write(data)
	}
	switch n := f.value(); {
	case n.Kind == yaml.MappingNode:
		b.WriteByte('{')
		for i, m := range f.members() {
			if i > 0 {
				b.WriteByte(',')
			}
			word(m.key)
			b.WriteByte(':')
			m.encode(b)
		}
		b.WriteByte('}')
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			f.doc.field(c).encode(b)
		}
		b.WriteByte(']')
	case n.Tag == "!!null":
		b.WriteString("null")
	case (n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool") && json.Valid([]byte(n.Value)):
		b.WriteString(n.Value)
	default:
		word(n.Value)
	}
}
