package pattern

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// outside is the element of a value that is in no array.
const outside = -1

// value is a leaf of the event at a path that is asked for.
type value struct {
	raw     []byte // as it stands in the event
	text    []byte // a string's characters; nil: it is no string
	element int    // the innermost array element that it lies in, as an index of walk.elements; a scalar lies beside its own array
}

// note is what a path has beside leaves: what to tell people when nothing matches.
type note struct{ object, empty bool }

// element is an object or array that is an element of an array.
type element struct{ array, outer int }

// walk flattens one event. What it holds lives as long as the event is being matched.
type walk struct {
	event    []byte // valid JSON
	values   [][]value
	notes    []note
	elements []element
	arrays   int
	order    alternative // of the fields that are to be chosen
	chosen   []int       // their elements
}

func (w *walk) start(event []byte) {
	w.event, w.arrays, w.elements = event, 0, w.elements[:0]
	for i := range w.values {
		w.values[i], w.notes[i] = w.values[i][:0], note{}
	}
}

// value walks the value at i, which n asks for, and returns the index behind it.
func (w *walk) value(i int, n *node, in int) int {
	switch w.event[i] {
	case '{':
		if n.path >= 0 {
			w.notes[n.path].object = true
		}
		return w.object(i, n, in)
	case '[':
		return w.array(i, n, in)
	}
	end := w.skip(i)
	if n.path >= 0 {
		v := value{raw: w.event[i:end], element: in}
		if v.raw[0] == '"' {
			v.text = unquote(v.raw)
		}
		w.values[n.path] = append(w.values[n.path], v)
	}
	return end
}

func (w *walk) object(i int, n *node, in int) int {
	for i = w.space(i + 1); w.event[i] != '}'; {
		end := w.skip(i)
		key := unquote(w.event[i:end])
		i = w.space(w.space(end) + 1) // behind the colon
		if next := step(n, key); next != nil {
			i = w.value(i, next, in)
		} else {
			i = w.skip(i)
		}
		if i = w.space(i); w.event[i] == ',' {
			i = w.space(i + 1)
		}
	}
	return i + 1
}

func (w *walk) array(i int, n *node, in int) int {
	array := w.arrays
	w.arrays++
	i = w.space(i + 1)
	if w.event[i] == ']' && n.path >= 0 {
		w.notes[n.path].empty = true
	}
	for w.event[i] != ']' {
		if c := w.event[i]; c == '{' || c == '[' {
			w.elements = append(w.elements, element{array, in})
			i = w.value(i, n, len(w.elements)-1)
		} else {
			i = w.value(i, n, in)
		}
		if i = w.space(i); w.event[i] == ',' {
			i = w.space(i + 1)
		}
	}
	return i + 1
}

// step goes down by a key, which may hold dots.
func step(n *node, key []byte) *node {
	for n != nil {
		before, after, more := bytes.Cut(key, []byte("."))
		n = n.child(before)
		if !more {
			break
		}
		key = after
	}
	return n
}

func (w *walk) space(i int) int {
	for w.event[i] == ' ' || w.event[i] == '\n' || w.event[i] == '\t' || w.event[i] == '\r' {
		i++
	}
	return i
}

// skip returns the index behind the value at i.
func (w *walk) skip(i int) int {
	depth := 0
	for {
		switch w.event[i] {
		case '"':
			for i++; w.event[i] != '"'; i++ {
				if w.event[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default: // a number, true, false or null
			for i < len(w.event) && (w.event[i] >= '0' || w.event[i] == '-' || w.event[i] == '+' || w.event[i] == '.') &&
				w.event[i] != ']' && w.event[i] != '}' {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// unquote returns the characters of a JSON string; where they stand as they are, without a copy.
func unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return inner // cannot be: the event is valid
	}
	return []byte(s)
}
