// Package expression parses and evaluates DynamoDB's expressions: conditions and filters, key conditions, projections, updates.
// It is pure; what it refuses it refuses as document.Refusal, in the cloud's words.
package expression

import (
	"maps"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// maxText is how long an expression may be, in bytes.
const maxText = 4096

// Scope holds the names and values that a request's expressions refer to, and remembers which were.
type Scope struct {
	names        map[string]string
	values       document.Item
	unusedNames  map[string]bool
	unusedValues map[string]bool
}

// NewScope checks ExpressionAttributeNames and ExpressionAttributeValues. Nil is none; an empty map is refused, as the cloud does.
func NewScope(names map[string]string, values document.RawItem) (*Scope, error) {
	s := &Scope{names: names, values: document.Item{}, unusedNames: map[string]bool{}, unusedValues: map[string]bool{}}
	if names != nil && len(names) == 0 {
		return nil, document.Refusal("ExpressionAttributeNames must not be empty")
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !placeholder(name, '#') {
			return nil, document.Refusal(`ExpressionAttributeNames contains invalid key: Syntax error; key: "` + name + `"`)
		}
		if names[name] == "" {
			return nil, document.Refusal("ExpressionAttributeNames contains invalid value: Empty attribute name for key " + name)
		}
		s.unusedNames[name] = true
	}
	if values != nil && len(values) == 0 {
		return nil, document.Refusal("ExpressionAttributeValues must not be empty")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !placeholder(name, ':') {
			return nil, document.Refusal(`ExpressionAttributeValues contains invalid key: Syntax error; key: "` + name + `"`)
		}
		v, err := values[name].Value()
		if err != nil {
			return nil, document.Refusal("ExpressionAttributeValues contains invalid value: " + err.Error() + " for key " + name)
		}
		s.values[name] = v
		s.unusedValues[name] = true
	}
	return s, nil
}

func placeholder(name string, mark byte) bool {
	return len(name) > 1 && name[0] == mark && !strings.ContainsFunc(name[1:], func(r rune) bool { return r > 0x7f || !wordByte(byte(r)) })
}

// Unused refuses names and values that no expression parsed so far refers to.
func (s *Scope) Unused() error {
	for _, left := range []struct {
		kind string
		keys map[string]bool
	}{{"ExpressionAttributeNames", s.unusedNames}, {"ExpressionAttributeValues", s.unusedValues}} {
		if len(left.keys) > 0 {
			return document.Refusal("Value provided in " + left.kind + " unused in expressions: keys: {" +
				strings.Join(slices.Sorted(maps.Keys(left.keys)), ", ") + "}")
		}
	}
	return nil
}

// node is a part of a parsed expression. op is "path", "value", an operator or the name of a function.
type node struct {
	op       string
	function bool
	path     Path
	value    document.Value
	args     []*node
}

// condition says that n is true or false rather than a value.
func (n *node) condition() bool {
	switch n.op {
	case "path", "value", "size", "+", "-":
		return false
	}
	return true
}

// kind is what n's value is, as far as the text tells.
func (n *node) kind() document.Kind {
	switch {
	case n.op == "value":
		return n.value.Kind
	case n.op == "size" && n.function:
		return document.Number
	}
	return document.None
}
