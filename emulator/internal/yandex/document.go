package yandex

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// FileError is everything that is wrong with one file, so that it is mended in one go.
type FileError struct {
	// Problems stand in the order of their lines, each as "FILE:LINE: field.path: what is wrong and what is wanted".
	Problems []string
	// Fields are the same apart, of triggers only.
	Fields []Problem
}

// Problem is what is wrong with one field, named by its path: "rule.container_registry.tag".
type Problem struct{ Field, Text string }

// Error is the problems, one a line.
func (e *FileError) Error() string { return strings.Join(e.Problems, "\n") }

// place is where in a file a value stands.
type place struct {
	file string
	line int
	path string // "rule.container_registry.tag"; empty for the document itself
}

func (p place) String() string {
	s := p.path
	if p.file != "" {
		s = strings.TrimSuffix(fmt.Sprintf("%s:%d: %s", p.file, p.line, p.path), ": ")
	}
	return s
}

// document is a file while it is read: it gathers what is wrong and what is worth a warning.
type document struct {
	file     string
	camel    bool // field names may be camelCase, as the REST API's JSON has them
	roots    []field
	problems []remark
	warnings []remark
}

type remark struct {
	at   place
	text string
}

// read parses YAML, or JSON, which is YAML with few exceptions. Empty documents are left out.
func read(file string, data []byte, camel bool) *document {
	d := &document{file: file, camel: camel}
	var nodes []yaml.Node
	if err := yaml.Load(joinSurrogates(data), &nodes, yaml.WithAllDocuments()); err != nil {
		line, text := 1, err.Error()
		var le *yaml.LoadError
		if errors.As(err, &le) {
			line, text = max(1, le.Mark.Line), le.Message
		}
		d.problems = append(d.problems, remark{place{file, line, ""}, "got what is neither YAML nor JSON: " + text})
		return d
	}
	for i := range nodes {
		if len(nodes[i].Content) == 1 && nodes[i].Content[0].Tag != "!!null" {
			d.roots = append(d.roots, field{doc: d, node: nodes[i].Content[0], at: place{file, nodes[i].Content[0].Line, ""}})
		}
	}
	return d
}

var surrogates = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

// joinSurrogates writes out the one thing that JSON has and YAML has not: characters as two \u escapes. No line moves.
func joinSurrogates(data []byte) []byte {
	if !json.Valid(data) {
		return data
	}
	return surrogates.ReplaceAllFunc(data, func(escape []byte) []byte {
		var s string
		if len(escape) == 2 || json.Unmarshal(slices.Concat([]byte{'"'}, escape, []byte{'"'}), &s) != nil {
			return escape // an escaped backslash
		}
		return []byte(s)
	})
}

// err returns what is wrong, in the order of lines, or nil.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &FileError{Problems: lines(d.problems)}
}

// lines writes remarks in the order of their lines, each once: a part that several others refer to is read several times.
func lines(rs []remark) []string {
	slices.SortStableFunc(rs, func(a, b remark) int { return cmp.Compare(a.at.line, b.at.line) })
	out := make([]string, 0, len(rs))
	seen := make(map[string]bool)
	for _, r := range rs {
		if text := r.at.String() + ": " + r.text; !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	return out
}

// field is one value of a document, or the place where one is missing.
type field struct {
	doc  *document
	node *yaml.Node // nil: not there
	at   place
	mute bool // its mapping is not there or no mapping, which has been said
}

func (f field) given() bool { return f.node != nil && f.value().Tag != "!!null" }

// value is the node behind aliases.
func (f field) value() *yaml.Node {
	n := f.node
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func (f field) refuse(format string, args ...any) {
	if f.mute {
		return
	}
	f.doc.problems = append(f.doc.problems, remark{f.at, fmt.Sprintf(format, args...)})
}

func (f field) warn(format string, args ...any) {
	f.doc.warnings = append(f.doc.warnings, remark{f.at, fmt.Sprintf(format, args...)})
}

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

type member struct {
	key string
	field
}

// members reads a mapping with any keys, in order. Keys that stand twice are refused, merge keys (<<) are followed.
func (f field) members() []member { return f.spelled(func(key string) string { return key }) }

func (f field) spelled(as func(string) string) []member {
	if !f.given() {
		return nil
	}
	if f.value().Kind != yaml.MappingNode {
		f.refuse("got %s, want a mapping", f.got())
		return nil
	}
	return f.collect(f.value(), as, make(map[string]int), 0)
}

func (f field) collect(n *yaml.Node, as func(string) string, seen map[string]int, depth int) []member {
	const deepest = 8
	var out []member
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Tag == "!!merge" {
			merged = append(merged, v)
			continue
		}
		key := as(k.Value)
		m := member{key, field{doc: f.doc, node: v, at: place{f.at.file, k.Line, join(f.at.path, key)}}}
		switch line, twice := seen[key]; {
		case k.Kind != yaml.ScalarNode:
			m.refuse("got a key that is no word")
		case twice && depth > 0: // the mapping's own keys win over merged ones
		case twice:
			m.refuse("got it twice, the first time in line %d; want it once", line)
		default:
			seen[key] = k.Line
			out = append(out, m)
		}
	}
	switch {
	case len(merged) == 0:
	case len(merged) > 1 || depth == deepest || (field{node: merged[0]}).value().Kind != yaml.MappingNode:
		f.refuse("got a merge key (<<) that is more than one mapping, want the fields written out")
	default:
		out = append(out, f.collect(field{node: merged[0]}.value(), as, seen, depth+1)...)
	}
	return out
}

// object reads a mapping with a fixed set of keys; others are refused with the closest known one.
func (f field) object(known ...string) object {
	o := object{f, make(map[string]field)}
	as := func(key string) string { return key }
	if f.doc.camel {
		as = snake
	}
	for _, m := range f.spelled(as) {
		if !slices.Contains(known, m.key) {
			m.refuse("unknown field, %s", suggest(m.key, known))
			continue
		}
		o.fields[m.key] = m.field
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
	return field{doc: o.doc, at: place{o.at.file, o.at.line, join(o.at.path, key)}, mute: o.got() != "a mapping"}
}

// has tells which of the keys are given, in their order.
func (o object) has(keys ...string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return !o.get(k).given() })
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
