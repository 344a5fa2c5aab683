// Package pattern is EventBridge's event pattern language, as its reference implementation (aws/event-ruler) has it.
//
// A pattern mirrors the event. It is compiled to alternatives (one, if there is no $or) of which each wants some paths to have a value
// that one of their matchers takes. The event is flattened to those paths in one walk.
package pattern

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"github.com/regcast/regcast/events"
)

// Bounds of the cloud.
const (
	MaxLength       = 4096 // characters of a pattern
	MaxAlternatives = 1000 // what the $or of a pattern come to when they are multiplied out
)

// Pattern is a compiled pattern. It may be used by many goroutines at once.
type Pattern struct {
	paths        []string // every path that an alternative names, in the pattern's order
	alternatives []alternative
	root         *node
	scratch      sync.Pool // of *walk
}

// alternative matches when all its fields do.
type alternative []field

// field wants one value of a path to be taken by one of the matchers.
type field struct {
	path     int // in Pattern.paths
	matchers []matcher
}

// node is a step of the paths, as a tree. Keys are joined by dots and split again, so {"a":{"b":…}} and {"a.b":…} are the same path, in
// patterns and in events; it is so in the cloud.
type node struct {
	path     int // in Pattern.paths; -1: only on the way
	children []child
}

type child struct {
	key  string
	node *node
}

func (n *node) child(key []byte) *node {
	for i := range n.children {
		if n.children[i].key == string(key) {
			return n.children[i].node
		}
	}
	return nil
}

// Match says why the event, a JSON object, does not match: the first path that has not what is wanted. Nil: it matches.
func (p *Pattern) Match(event []byte) *events.Miss {
	if !json.Valid(event) {
		return &events.Miss{Hint: "the event is not valid JSON"}
	}
	if event = bytes.TrimLeft(event, " \t\r\n"); event[0] != '{' {
		return &events.Miss{Hint: "the event is not a JSON object"}
	}
	w, ok := p.scratch.Get().(*walk)
	if !ok {
		w = &walk{values: make([][]value, len(p.paths)), notes: make([]note, len(p.paths))}
	}
	w.start(event)
	w.object(0, p.root, outside)
	defer func() {
		w.event = nil
		p.scratch.Put(w)
	}()
	for _, a := range p.alternatives {
		if w.matches(a) {
			return nil
		}
	}
	return p.why(w)
}

// matches tells whether every field of a is matched, by values that do not lie in different elements of one array.
func (w *walk) matches(a alternative) bool {
	nested := false
	for _, f := range a {
		if !w.field(f) {
			return false
		}
		for _, v := range w.values[f.path] {
			nested = nested || v.element != outside
		}
	}
	if !nested {
		return true
	}
	// Fields of one array stand together, so that choose has done with an array before it goes to the next.
	w.order = append(w.order[:0], a...)
	slices.SortStableFunc(w.order, func(a, b field) int { return w.outermost(a) - w.outermost(b) })
	w.chosen = w.chosen[:0]
	return w.choose(w.order)
}

// outermost is the outermost array that the first value of a field lies in.
func (w *walk) outermost(f field) int {
	array := outside
	if values := w.values[f.path]; len(values) > 0 {
		for e := values[0].element; e != outside; e = w.elements[e].outer {
			array = w.elements[e].array
		}
	}
	return array
}

// field tells whether some value of the path is matched, wherever it lies.
func (w *walk) field(f field) bool {
	values := w.values[f.path]
	for i := range f.matchers {
		m := &f.matchers[i]
		if m.op == absent && len(values) == 0 {
			return true
		}
		for _, v := range values {
			if m.match(v) {
				return true
			}
		}
	}
	return false
}

// choose finds a value for each field so that all of them go together.
func (w *walk) choose(rest alternative) bool {
	if len(rest) == 0 {
		return true
	}
	f := rest[0]
	values := w.values[f.path]
	if len(values) == 0 {
		return w.choose(rest[1:]) // it wants to be absent, and is
	}
	for _, v := range values {
		if !matchAny(f.matchers, v) || !w.fits(v) {
			continue
		}
		w.chosen = append(w.chosen, v.element)
		if w.choose(rest[1:]) {
			return true
		}
		w.chosen = w.chosen[:len(w.chosen)-1]
		if !w.touches(v, rest[1:]) {
			return false // whatever is chosen here, the rest does not go together
		}
	}
	return false
}

// fits tells whether a value goes together with those that are chosen.
func (w *walk) fits(v value) bool {
	for _, other := range w.chosen {
		if array, together := w.meet(v.element, other); array && !together {
			return false
		}
	}
	return true
}

// touches tells whether a value lies in an array that values of other fields lie in too.
func (w *walk) touches(v value, others alternative) bool {
	for _, f := range others {
		for _, other := range w.values[f.path] {
			if array, _ := w.meet(v.element, other.element); array {
				return true
			}
		}
	}
	return false
}

// meet tells whether two elements lie in an array that is the same, and whether they lie in the same element of every such array.
func (w *walk) meet(a, b int) (array, together bool) {
	together = true
	for ; a != outside; a = w.elements[a].outer {
		for o := b; o != outside; o = w.elements[o].outer {
			if w.elements[a].array == w.elements[o].array {
				array, together = true, together && a == o
			}
		}
	}
	return array, together
}
