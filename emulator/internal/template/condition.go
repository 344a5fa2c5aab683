package template

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

type condition struct {
	field
	state condState
	value bool
}

type condState int8

const (
	unread condState = iota
	reading
	done
)

func conditionFunctions() []string {
	return []string{"Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not", "Condition"}
}

func (r *reader) conditionNames() []string { return slices.Sorted(maps.Keys(r.conditions)) }

func (r *reader) readConditions(f field) {
	for _, m := range f.members() {
		if strings.HasPrefix(m.key, "Fn::") {
			r.refuseLoop(m)
			continue
		}
		r.conditions[m.key] = &condition{field: m.field}
	}
	for _, name := range r.conditionNames() {
		r.holds(name)
	}
}

// holds tells a condition's value. One that is not there has been refused where it is named.
func (r *reader) holds(name string) bool {
	c := r.conditions[name]
	if c == nil {
		return true
	}
	switch c.state {
	case reading:
		c.refuse("the condition %s depends on itself, want no circle", name)
	case unread:
		c.state = reading
		c.value = r.decide(c.field)
		c.state = done
	}
	return c.value
}

// decide evaluates one condition function.
func (r *reader) decide(f field) bool {
	if r.depth++; r.depth > deepest {
		f.refuse("got more than %d levels, want fewer", deepest)
		r.depth--
		return false
	}
	defer func() { r.depth-- }()
	ms := f.members()
	if len(ms) != 1 || !slices.Contains(conditionFunctions(), ms[0].key) {
		if f.got() != "a mapping" || len(ms) != 1 {
			f.required("a condition").refuse("got %s, want %s", f.got(), oneOf(conditionFunctions()))
			return false
		}
		f.refuse("got %s, %s", ms[0].key, suggest(ms[0].key, conditionFunctions()))
		return false
	}
	arg := ms[0].field
	if ms[0].key == "Condition" {
		name := arg.text()
		if r.conditions[name] == nil {
			arg.refuse("got %s, which is no condition here; %s", arg.got(), suggest(name, r.conditionNames()))
		}
		return r.holds(name)
	}
	items := arg.items()
	count := func(low, high int) bool {
		if arg.got() == "a list" && (len(items) < low || len(items) > high) {
			arg.refuse("got %s, want %d to %d", plural(len(items), "entry"), low, high)
		}
		return len(items) >= low && len(items) <= high
	}
	switch ms[0].key {
	case "Fn::Equals":
		if !count(2, 2) {
			return false
		}
		a, b := r.evalField(items[0]), r.evalField(items[1])
		if !a.given() || !b.given() {
			return a.given() == b.given()
		}
		return same(a.value(), b.value())
	case "Fn::Not":
		return count(1, 1) && !r.decide(items[0])
	}
	if !count(2, 10) {
		return false
	}
	and := ms[0].key == "Fn::And"
	result := and
	for _, item := range items {
		if r.decide(item) != and {
			result = !and
		}
	}
	return result
}

// same compares as the cloud does: the text counts and not the type.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, same)
}
