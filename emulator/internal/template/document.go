package template

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"sync"
)

// FileError is everything that is wrong with one file, so that it is mended in one go.
type FileError struct {
	// Problems stand in the order of their lines, each as "FILE:LINE: path: what is wrong and what is wanted".
	Problems []string
}

// Error is the problems, one a line.
func (e *FileError) Error() string { return strings.Join(e.Problems, "\n") }

// place is where in the file a value stands.
type place struct {
	line int
	path string // "Resources.Table.Properties.KeySchema[0]"; empty for the document itself
}

type remark struct {
	at   place
	text string
}

// document is a file while it is read. It knows where each node stands, also after intrinsics made new nodes of old ones.
type document struct {
	file     string
	json     bool
	root     *yaml.Node
	where    map[*yaml.Node]place
	problems []remark
	notices  []remark
	work     int // bytes made so far, and nodes walked
}

const (
	deepest = 100      // levels of nesting, of the file and of intrinsics
	largest = 1 << 20  // bytes of a file, as the cloud has it, and of a text that intrinsics make
	most    = 16 << 20 // bytes that intrinsics and aliases may make of one file: they can make much of little
	perNode = 32       // bytes that a node counts for
)

// spend tells whether there is still work to be had. That there is none is said once.
func (d *document) spend(like *yaml.Node, n int) bool {
	if d.work > most {
		return false
	}
	if d.work += n; n <= largest && d.work <= most {
		return true
	}
	d.work = most + 1
	d.refuse(d.where[like], "aliases and intrinsics make more of this file than regcast holds, want less")
	return false
}

// read parses YAML, or JSON, which is YAML with few exceptions. Tags such as !Sub become their long form.
func read(file string, data []byte) *document {
	d := &document{file: file, json: json.Valid(data), where: make(map[*yaml.Node]place)}
	top := place{line: 1}
	if len(data) > largest {
		d.refuse(top, "got %d bytes, want at most %d", len(data), largest)
		return d
	}
	var nodes []yaml.Node
	if err := yaml.Load(joinSurrogates(data), &nodes, yaml.WithAllDocuments()); err != nil {
		line, text := 1, err.Error()
		var le *yaml.LoadError
		if errors.As(err, &le) {
			line, text = max(1, le.Mark.Line), le.Message
		}
		d.refuse(place{line: line}, "got what is neither YAML nor JSON: %s", text)
		return d
	}
	nodes = slices.DeleteFunc(nodes, func(n yaml.Node) bool { return len(n.Content) != 1 || n.Content[0].Tag == "!!null" })
	if len(nodes) != 1 {
		d.refuse(top, "got %d documents, want one", len(nodes))
		return d
	}
	d.root = nodes[0].Content[0]
	d.settle(d.root, place{line: d.root.Line}, 0)
	return d
}

var surrogates = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
})

// joinSurrogates writes out the one thing that JSON has and YAML has not: characters as two \u escapes. No line moves.
func joinSurrogates(data []byte) []byte {
	if !json.Valid(data) {
		return data
	}
	return surrogates().ReplaceAllFunc(data, func(escape []byte) []byte {
		var s string
		if len(escape) == 2 || json.Unmarshal(slices.Concat([]byte{'"'}, escape, []byte{'"'}), &s) != nil {
			return escape // an escaped backslash
		}
		return []byte(s)
	})
}

// settle notes where each node stands, writes tags out, and reads plain words as the cloud's tools do.
func (d *document) settle(n *yaml.Node, at place, depth int) {
	d.where[n] = at
	if depth > deepest {
		d.refuse(at, "got more than %d levels, want fewer", deepest)
		*n = yaml.Node{Kind: yaml.ScalarNode, Tag: brokenTag, Line: n.Line}
		return
	}
	if n.Kind != yaml.AliasNode && strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		d.unfold(n, at)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		d.plain(n, at)
	case yaml.SequenceNode:
		for i, c := range n.Content {
			d.settle(c, place{c.Line, fmt.Sprintf("%s[%d]", at.path, i)}, depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Kind == yaml.ScalarNode && k.Tag != "!!merge" {
				d.plain(k, place{k.Line, join(at.path, k.Value)})
			}
			d.settle(v, place{k.Line, join(at.path, k.Value)}, depth+1)
		}
	}
}

// unfold makes {Fn::Sub: x} of !Sub x.
func (d *document) unfold(n *yaml.Node, at place) {
	short := strings.TrimPrefix(n.Tag, "!")
	name := "Fn::" + short
	if short == "Ref" || short == "Condition" {
		name = short
	}
	if !slices.Contains(functions(), name) && name != "Condition" {
		d.refuse(at, "got the tag !%s, %s", clip(short), suggest(short, shorts()))
	}
	inner := *n
	inner.Anchor = ""
	switch n.Kind {
	case yaml.SequenceNode:
		inner.Tag = "!!seq"
	case yaml.MappingNode:
		inner.Tag = "!!map"
	default:
		inner.Tag, inner.Style = "!!str", yaml.DoubleQuotedStyle
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Style: yaml.DoubleQuotedStyle, Line: n.Line}
	*n = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Anchor: n.Anchor, Line: n.Line, Content: []*yaml.Node{key, &inner}}
}

// plain reads an unquoted word. The cloud's tools read YAML 1.1, which takes some words for something else.
func (d *document) plain(n *yaml.Node, at place) {
	const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	switch {
	case n.Style&quoted != 0:
		n.Tag = "!!str"
		return
	case d.json:
		return
	}
	tag, value := word(n.Value)
	if value != n.Value && tag != "!!null" && !(tag == "!!bool" && strings.EqualFold(value, n.Value)) {
		d.notice(at, "%s without quotation marks is %s to AWS, which reads YAML 1.1; put it in quotation marks if it is a text",
			clip(n.Value), value)
	} else if tag == "!!str" && len(n.Value) > 1 && n.Value[0] == '0' && strings.Trim(n.Value, "0123456789") == "" {
		d.notice(at, "tools differ in how they read %s; put it in quotation marks", clip(n.Value))
	}
	n.Tag, n.Value = tag, value
}

func (d *document) refuse(at place, format string, args ...any) {
	d.problems = append(d.problems, remark{at, fmt.Sprintf(format, args...)})
}

func (d *document) notice(at place, format string, args ...any) {
	d.notices = append(d.notices, remark{at, fmt.Sprintf(format, args...)})
}

// err returns what is wrong, in the order of lines, or nil.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return &FileError{Problems: d.lines(d.problems)}
}

// lines writes remarks in the order of their lines, each once: what several parts use is read several times.
func (d *document) lines(rs []remark) []string {
	rs = slices.Clone(rs)
	slices.SortStableFunc(rs, func(a, b remark) int { return cmp.Compare(a.at.line, b.at.line) })
	var out []string
	seen := make(map[remark]bool)
	for _, r := range rs {
		if seen[r] {
			continue
		}
		seen[r] = true
		at := strings.TrimSuffix(fmt.Sprintf("%s:%d: %s", d.file, r.at.line, clip(r.at.path)), ": ")
		out = append(out, at+": "+r.text)
	}
	return out
}

// fresh makes a node that stands where another does.
func (d *document) fresh(like *yaml.Node, n yaml.Node) *yaml.Node {
	at := d.where[like]
	n.Line = at.line
	d.where[&n] = at
	return &n
}

func (d *document) text(like *yaml.Node, s string) *yaml.Node {
	return d.fresh(like, yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle})
}

func (d *document) list(like *yaml.Node, items ...*yaml.Node) *yaml.Node {
	return d.fresh(like, yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items})
}

// pair is a key and its value; without a value it is left out.
type pair struct {
	key   string
	value *yaml.Node
}

func (d *document) mapping(like *yaml.Node, pairs ...pair) *yaml.Node {
	n := d.fresh(like, yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"})
	for _, p := range pairs {
		if p.value != nil {
			n.Content = append(n.Content, d.text(p.value, p.key), p.value)
		}
	}
	return n
}

// brokenTag marks the value of what has been refused already, so that it is not complained of twice.
const brokenTag = "!broken"

func (d *document) broken(like *yaml.Node) *yaml.Node {
	return d.fresh(like, yaml.Node{Kind: yaml.ScalarNode, Tag: brokenTag})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
