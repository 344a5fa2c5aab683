package pattern

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Parse compiles a pattern. Its errors name the JSON path, what was found there and what is allowed.
func Parse(src []byte) (*Pattern, error) {
	if n := utf8.RuneCount(src); n > MaxLength {
		return nil, fmt.Errorf("pattern: found %d characters, at most %d are allowed", n, MaxLength)
	}
	tree, err := read(src)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	if tree.kind != object {
		return nil, fmt.Errorf("pattern: found %s, want an object that mirrors the event", tree)
	}
	c := compiler{paths: map[string]int{}, alternatives: []map[int][]matcher{{}}}
	if err := c.object(tree, nil); err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	return c.pattern(), nil
}

// compiler gathers the alternatives that a pattern has so far: $or multiplies them.
type compiler struct {
	paths        map[string]int
	order        []string // of paths
	alternatives []map[int][]matcher
}

func (c *compiler) object(t tree, path []string) error {
	if len(t.members) == 0 {
		return fmt.Errorf("%s: found an empty object, want fields", cmp.Or(strings.Join(path, "."), "the pattern"))
	}
	for _, m := range t.members {
		below := append(slices.Clip(path), m.key)
		at := strings.Join(below, ".")
		switch {
		case m.key == "$or" && isOr(m.value):
			if err := c.or(m.value, path, at); err != nil {
				return err
			}
		case m.value.kind == object:
			if err := c.object(m.value, below); err != nil {
				return err
			}
		case m.value.kind == array:
			matchers, err := parseMatchers(m.value, at)
			if err != nil {
				if m.key == "$or" {
					err = fmt.Errorf("%w (this $or is taken for a field's name: to say “or” it needs at least 2 objects of fields, none named like an operator)", err)
				}
				return err
			}
			c.set(at, matchers)
		default:
			return fmt.Errorf("%s: found %s, want a list of values such as [%s], or an object", at, m.value, m.value.text())
		}
	}
	return nil
}

// set makes every alternative so far want one of the matchers at a path: what was said of the path before is forgotten.
func (c *compiler) set(path string, matchers []matcher) {
	i, ok := c.paths[path]
	if !ok {
		i = len(c.order)
		c.paths[path] = i
		c.order = append(c.order, path)
	}
	for _, a := range c.alternatives {
		a[i] = matchers
	}
}

func (c *compiler) or(t tree, path []string, at string) error {
	var all []map[int][]matcher
	before := c.alternatives
	for i, e := range t.elements {
		c.alternatives = make([]map[int][]matcher, len(before))
		for j, a := range before {
			c.alternatives[j] = maps.Clone(a)
		}
		if err := c.object(e, path); err != nil {
			return fmt.Errorf("%s[%d]: %w", at, i, err)
		}
		all = append(all, c.alternatives...)
		if len(all) > MaxAlternatives {
			return fmt.Errorf("%s: found more than %d combinations of $or, at most %[2]d are allowed", at, MaxAlternatives)
		}
	}
	c.alternatives = all
	return nil
}

// isOr tells $or from a field of that name: it is a list of at least two objects of fields, none of them named like an operator.
func isOr(t tree) bool {
	if t.kind != array || len(t.elements) < 2 {
		return false
	}
	for _, e := range t.elements {
		if e.kind != object || hasReserved(e) {
			return false
		}
	}
	return true
}

func hasReserved(t tree) bool {
	for _, m := range t.members {
		switch m.key {
		case "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr",
			"=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case",
			"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range",
			"ip-address-in-range", "ip-address-not-in-range":
			return true
		}
		if m.value.kind == object && hasReserved(m.value) {
			return true
		}
	}
	return false
}

func (c *compiler) pattern() *Pattern {
	p := &Pattern{paths: c.order, root: &node{path: -1}}
	for i, path := range c.order {
		n := p.root
		for key := range strings.SplitSeq(path, ".") {
			next := n.child([]byte(key))
			if next == nil {
				next = &node{path: -1}
				n.children = append(n.children, child{key, next})
			}
			n = next
		}
		n.path = i
	}
	for _, a := range c.alternatives {
		var fields alternative
		for _, i := range slices.Sorted(maps.Keys(a)) {
			fields = append(fields, field{path: i, matchers: a[i]})
		}
		p.alternatives = append(p.alternatives, fields)
	}
	return p
}
