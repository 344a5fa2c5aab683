package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// maxDetails is how many details of a difference are listed.
const maxDetails = 20

// walk compares two documents, one of each run.
type walk struct {
	c       *comparison
	a, b    *item // the lines that they belong to
	path    []segment
	details []Detail
	more    int
}

// documents says where two documents differ, and how many places more.
func (c *comparison) documents(a, b *item, want, got []byte, binaryWant, binaryGot bool) ([]Detail, int) {
	w := walk{c: c, a: a, b: b}
	switch {
	case binaryWant != binaryGot:
		kind := func(binary bool) string {
			if binary {
				return "binary"
			}
			return "text"
		}
		w.add(Detail{Path: ".", Want: kind(binaryWant), Got: kind(binaryGot), Text: "another type of message"})
	case binaryWant || !utf8.Valid(want) || !utf8.Valid(got):
		w.bytes(want, got)
	case json.Valid(want) && json.Valid(got):
		w.value("", want, got)
	case len(want) == 0 && len(got) == 0:
	default:
		w.text(want, got)
	}
	return w.details, w.more
}

func (w *walk) add(d Detail) {
	if len(w.details) >= maxDetails {
		w.more++
		return
	}
	if d.Path == "" {
		d.Path = pathText(w.path)
	}
	w.details = append(w.details, d)
}

// bytes compares what is no text, by length and the first byte that differs.
func (w *walk) bytes(want, got []byte) {
	if bytes.Equal(want, got) {
		return
	}
	at := common(want, got)
	window := func(data []byte) string { return fmt.Sprintf("% x", data[min(at, len(data)):min(at+8, len(data))]) }
	text := fmt.Sprintf("%s, then %d; they differ from byte %d on", plural(len(got), "byte"), len(want), at)
	w.add(Detail{Path: ".", Want: window(want), Got: window(got), Text: text})
}

// text compares what is no JSON, with what stands around the first difference.
func (w *walk) text(want, got []byte) {
	p, q := w.a.side.print(want, false, w.a.at), w.b.side.print(got, false, w.b.at)
	if p.key == q.key && w.c.agree(w.a, w.b, p.leaves, q.leaves) {
		return
	}
	at := common(want, got)
	from := max(0, at-20)
	around := func(data []byte) string {
		s := string(bytes.ToValidUTF8(data[from:min(len(data), at+40)], nil))
		if from > 0 {
			s = "…" + s
		}
		if len(data) > at+40 {
			s += "…"
		}
		return s
	}
	w.add(Detail{Path: ".", Want: around(want), Got: around(got), Text: fmt.Sprintf("the texts differ from byte %d on", at)})
}

func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// value compares two JSON values that stand at w.path, under the member key.
func (w *walk) value(key string, want, got json.RawMessage) {
	if matchAny(w.c.ignore, w.path) {
		return
	}
	p, q := w.a.side.printAt(want, false, w.a.at, w.path, key), w.b.side.printAt(got, false, w.b.at, w.path, key)
	if p.key == q.key && w.c.agree(w.a, w.b, p.leaves, q.leaves) {
		return
	}
	want, got = bytes.TrimSpace(want), bytes.TrimSpace(got)
	switch {
	case want[0] == '{' && got[0] == '{':
		w.object(want, got)
	case want[0] == '[' && got[0] == '[':
		w.list(key, want, got)
	case want[0] == '"' && got[0] == '"':
		a, b := nested(want), nested(got)
		if a != nil && b != nil && a[0] == b[0] {
			w.nested(key, a, b)
			return
		}
		fallthrough
	default:
		w.add(Detail{Want: excerpt(want), Got: excerpt(got), Text: w.reason(p, q)})
	}
}

// reason says of a value that alone looks right why it is wrong.
func (w *walk) reason(p, q print) string {
	if p.key != q.key || len(p.leaves) != 1 || len(q.leaves) != 1 {
		return ""
	}
	switch p.leaves[0].class {
	case id:
		return "elsewhere these ids stand for others"
	case moment:
		return "the times are not as far apart as the runs, the lines or their events"
	case length:
		return "the durations are too far apart"
	}
	return ""
}

// nested returns the JSON object or list that a string holds, if it holds one.
func nested(text json.RawMessage) []byte {
	var s string
	if json.Unmarshal(text, &s) != nil || s == "" || s[0] != '{' && s[0] != '[' || !json.Valid([]byte(s)) {
		return nil
	}
	return []byte(s)
}

func (w *walk) nested(key string, want, got []byte) {
	before := len(w.details) + w.more
	w.value(key, want, got)
	if len(w.details)+w.more == before { // only as values, not as texts
		w.add(Detail{Want: excerpt(want), Got: excerpt(got)})
	}
}

func (w *walk) object(want, got json.RawMessage) {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(want, &a) != nil || json.Unmarshal(got, &b) != nil {
		w.text(want, got)
		return
	}
	before := len(w.details) + w.more
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		va, inA := a[name]
		vb, inB := b[name]
		w.path = append(w.path, member(name))
		switch {
		case inA && inB:
			w.value(name, va, vb)
		case matchAny(w.c.ignore, w.path):
		case inA:
			w.add(Detail{Want: excerpt(va), Text: "gone"})
		default:
			w.add(Detail{Got: excerpt(vb), Text: "new"})
		}
		w.path = w.path[:len(w.path)-1]
	}
	if len(w.details)+w.more == before && duplicates(want) != duplicates(got) {
		w.text(want, got) // members of the same name: readers differ in which one they take
	}
}

// duplicates counts the members of an object that its map does not hold.
func duplicates(object json.RawMessage) int {
	d := json.NewDecoder(bytes.NewReader(object))
	n, seen := 0, map[string]bool{}
	if _, err := d.Token(); err != nil {
		return 0
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return n
		}
		if seen[name] {
			n++
		}
		seen[name] = true
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			return n
		}
	}
	return n
}

// list compares two lists: what is the same at both ends is passed over, the rest by place.
func (w *walk) list(key string, want, got json.RawMessage) {
	var a, b []json.RawMessage
	if json.Unmarshal(want, &a) != nil || json.Unmarshal(got, &b) != nil {
		w.text(want, got)
		return
	}
	tail := 0
	if len(a) != len(b) {
		from := 0
		same := func(i, j int) bool {
			p, q := w.a.side.printAt(a[i], false, w.a.at, append(w.path, element(i)), key), w.b.side.printAt(b[j], false, w.b.at, append(w.path, element(j)), key)
			return p.key == q.key
		}
		for from < len(a) && from < len(b) && same(from, from) {
			from++
		}
		for tail < len(a)-from && tail < len(b)-from && same(len(a)-1-tail, len(b)-1-tail) {
			tail++
		}
	}
	at := func(i int, f func()) {
		w.path = append(w.path, element(i))
		f()
		w.path = w.path[:len(w.path)-1]
	}
	endA, endB := len(a)-tail, len(b)-tail
	for i := range max(endA, endB) {
		at(i, func() {
			switch {
			case i < endA && i < endB:
				w.value(key, a[i], b[i])
			case matchAny(w.c.ignore, w.path):
			case i < endA:
				w.add(Detail{Want: excerpt(a[i]), Text: "gone"})
			default:
				w.add(Detail{Got: excerpt(b[i]), Text: "new"})
			}
		})
	}
	for i := range tail {
		at(endB+i, func() { w.value(key, a[endA+i], b[endB+i]) })
	}
}

// alike says whether two messages are built alike: objects with members of the same names, or both of another kind.
func alike(a, b *item) bool {
	if a.json != b.json {
		return false
	}
	if !a.json {
		return utf8.Valid(a.data) == utf8.Valid(b.data)
	}
	x, y := bytes.TrimSpace(a.data), bytes.TrimSpace(b.data)
	if x[0] != '{' || y[0] != '{' {
		return x[0] == y[0]
	}
	var p, q map[string]json.RawMessage
	if json.Unmarshal(x, &p) != nil || json.Unmarshal(y, &q) != nil || len(p) != len(q) {
		return false
	}
	for name := range p {
		if _, ok := q[name]; !ok {
			return false
		}
	}
	return true
}
