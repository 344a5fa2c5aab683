package diff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"hash/maphash"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/recording"
)

// print is a document's fingerprint.
type print struct {
	// key is the same for documents that say the same: names of events and connections count as they are called in both runs, other
	// volatile values only as being one. The order of members does not matter.
	key uint64
	// exact is the same where besides key the ids are the same.
	exact uint64
	// leaves are the volatile values, by the hash of their paths.
	leaves []leaf
	json   bool
}

type leaf struct {
	path   uint64
	nth    int // in the document
	class  class
	value  uint64 // of an id: its hash
	number int64  // of a moment and a length: nanoseconds
}

func mix(a, b uint64) uint64 {
	x := a ^ (b + 0x9e3779b97f4a7c15 + a<<6 + a>>2)
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>29
}

// Begin what is hashed, so that values of different types differ.
const (
	hashText uint64 = iota + 1
	hashNumber
	hashWord // true, false, null
	hashObject
	hashList
	hashNested
	hashKnown
	hashVolatile // + class
)

// scanner walks a document once.
type scanner struct {
	side   *side
	near   time.Time // the house's time of the line
	data   []byte
	i      int
	trail  []segment // kept only while somebody asks about paths
	leaves []leaf
}

func (s *side) print(data []byte, binary bool, near time.Time) print {
	return s.printAt(data, binary, near, nil, "")
}

// printAt prints what stands at path, under the member key, of a document.
func (s *side) printAt(data []byte, binary bool, near time.Time, path []segment, key string) print {
	var p print
	if (binary || !utf8.Valid(data)) && !bytes.Contains(data, []byte("[scrubbed:")) {
		p.key = mix(hashText, maphash.Bytes(s.c.seed, data))
		p.exact = p.key
		return p
	}
	x := scanner{side: s, near: near, data: data, trail: slices.Clone(path)}
	if p.json = json.Valid(data) && !binary; p.json {
		p.key = x.value(1, key, false)
	} else {
		p.key = x.loose(1, string(data))
	}
	p.leaves = x.leaves
	for i := range p.leaves {
		p.leaves[i].nth = i
	}
	p.exact = p.key
	slices.SortStableFunc(p.leaves, func(a, b leaf) int { return cmp.Compare(a.path, b.path) })
	for _, l := range p.leaves {
		if l.class == id {
			p.exact = mix(p.exact, l.value)
		}
	}
	return p
}

func (x *scanner) space() {
	for x.i < len(x.data) && (x.data[x.i] == ' ' || x.data[x.i] == '\n' || x.data[x.i] == '\t' || x.data[x.i] == '\r') {
		x.i++
	}
}

// value reads one value; the document is valid. own: the user calls it volatile.
func (x *scanner) value(path uint64, key string, own bool) uint64 {
	own = own || len(x.side.c.volatile) > 0 && matchAny(x.side.c.volatile, x.trail)
	x.space()
	switch x.data[x.i] {
	case '{':
		return x.object(path, own)
	case '[':
		return x.list(path, key, own)
	case '"':
		return x.text(path, key, x.string(), own)
	}
	start := x.i
	for x.i < len(x.data) && !bytes.ContainsRune([]byte(",]} \n\t\r"), rune(x.data[x.i])) {
		x.i++
	}
	return x.scalar(path, key, string(x.data[start:x.i]), own)
}

func (x *scanner) object(path uint64, own bool) uint64 {
	sum := uint64(0)
	x.i++
	for {
		x.space()
		if x.data[x.i] == ',' {
			x.i++
			x.space()
		}
		if x.data[x.i] == '}' {
			x.i++
			return mix(hashObject, sum)
		}
		key := string(x.string())
		x.space()
		x.i++ // the colon
		name := maphash.String(x.side.c.seed, key)
		before := len(x.leaves)
		ignored := x.enter(member(key))
		h := x.value(mix(path, name), key, own)
		x.leave()
		if ignored {
			x.leaves = x.leaves[:before]
			continue
		}
		sum += mix(name, h)
	}
}

func (x *scanner) list(path uint64, key string, own bool) uint64 {
	sum := hashList
	x.i++
	for n := 0; ; n++ {
		x.space()
		if x.data[x.i] == ',' {
			x.i++
			x.space()
		}
		if x.data[x.i] == ']' {
			x.i++
			return sum
		}
		before := len(x.leaves)
		ignored := x.enter(element(n))
		h := x.value(mix(path, uint64(n)), key, own)
		x.leave()
		if ignored {
			x.leaves, h = x.leaves[:before], 0
		}
		sum = mix(sum, h)
	}
}

// enter says whether what is there is ignored.
func (x *scanner) enter(s segment) bool {
	if !x.side.c.paths {
		return false
	}
	x.trail = append(x.trail, s)
	return matchAny(x.side.c.ignore, x.trail)
}

func (x *scanner) leave() {
	if x.side.c.paths {
		x.trail = x.trail[:len(x.trail)-1]
	}
}

// string reads a string without its quotes.
func (x *scanner) string() []byte {
	start := x.i
	escaped := false
	for x.i++; x.data[x.i] != '"'; x.i++ {
		if x.data[x.i] == '\\' {
			escaped = true
			x.i++
		}
	}
	x.i++
	if !escaped {
		return x.data[start+1 : x.i-1]
	}
	var s string
	if json.Unmarshal(x.data[start:x.i], &s) != nil {
		return x.data[start+1 : x.i-1]
	}
	return []byte(s)
}

func (x *scanner) leaf(path uint64, l leaf) uint64 {
	l.path = path
	x.leaves = append(x.leaves, l)
	return mix(hashVolatile, uint64(l.class))
}

func (x *scanner) hash(text string) uint64 { return maphash.String(x.side.c.seed, text) }

// scalar is a number, true, false or null.
func (x *scanner) scalar(path uint64, name, text string, own bool) uint64 {
	if text[0] > '9' { // a word
		return mix(hashWord, x.hash(text))
	}
	kind := keyOf(name)
	switch {
	case own || kind == idKey:
		return x.leaf(path, leaf{class: id, value: x.hash(text)})
	case kind == lengthKey:
		if d, ok := span(text, name); ok {
			return x.leaf(path, leaf{class: length, number: d})
		}
	case kind != fixedKey:
		if t, ok := epoch(text, kind, x.near); ok {
			return x.leaf(path, leaf{class: moment, number: t})
		}
	}
	return mix(hashNumber, x.hash(number(text)))
}

func (x *scanner) text(path uint64, name string, data []byte, own bool) uint64 {
	text := string(data)
	kind := keyOf(name)
	if text == "" || kind == fixedKey && !own {
		return mix(hashText, x.hash(text))
	}
	if known, ok := x.side.name(text); ok && !own {
		return mix(hashKnown, known)
	}
	if own || kind == idKey || isUUID(text) {
		return x.leaf(path, leaf{class: id, value: x.hash(text)})
	}
	if (text[0] == '{' || text[0] == '[') && json.Valid(data) {
		inner := scanner{side: x.side, near: x.near, data: data, trail: x.trail, leaves: x.leaves}
		h := inner.value(mix(path, hashNested), name, false)
		x.leaves = inner.leaves
		return mix(hashNested, h)
	}
	if t, n := timeAt(text); n == len(text) {
		return x.leaf(path, leaf{class: moment, number: t.UnixNano()})
	}
	if t, ok := apacheTime(text); ok {
		return x.leaf(path, leaf{class: moment, number: t.UnixNano()})
	}
	if kind == timeKey {
		if t, ok := epoch(text, kind, x.near); ok {
			return x.leaf(path, leaf{class: moment, number: t})
		}
	}
	if kind == lengthKey {
		if d, ok := span(text, name); ok {
			return x.leaf(path, leaf{class: length, number: d})
		}
	}
	return x.loose(path, text)
}

// shortest is the length of the shortest id that is looked for inside a text.
const shortest = 12

// loose finds volatile values inside a text.
func (x *scanner) loose(path uint64, text string) uint64 {
	if len(text) < shortest {
		return mix(hashText, x.hash(text))
	}
	h, done := hashText, 0
	volatile := func(from, to int, value uint64) {
		if from > done {
			h = mix(h, x.hash(text[done:from]))
		}
		h, done = mix(h, value), to
	}
	for i, n := 0, uint64(0); i < len(text); {
		if text[i] == '[' {
			if marker := recording.Marker(text[i:]); marker != "" { // of a secret: each process has its own
				volatile(i, i+len(marker), x.leaf(mix(path, n), leaf{class: id, value: x.hash(marker)}))
				n++
				i += len(marker)
				continue
			}
		}
		if port, end := houseAt(text[i:]); end > 0 {
			volatile(i, i+end, x.leaf(mix(path, n), leaf{class: id, value: x.hash(text[i+port : i+end])}))
			n++
			i += end
			continue
		}
		if !idByte(text[i]) {
			i++
			continue
		}
		if t, size := timeAt(text[i:]); size > 0 {
			volatile(i, i+size, x.leaf(mix(path, n), leaf{class: moment, number: t.UnixNano()}))
			n++
			i += size
			continue
		}
		end := i + 1
		for end < len(text) && idByte(text[end]) {
			end++
		}
		if token := text[i:end]; len(token) >= shortest {
			if known, ok := x.side.name(token); ok {
				volatile(i, end, mix(hashKnown, known))
			} else if isUUID(token) {
				volatile(i, end, x.leaf(mix(path, n), leaf{class: id, value: x.hash(token)}))
				n++
			}
		}
		i = end
	}
	if done < len(text) {
		h = mix(h, x.hash(text[done:]))
	}
	return h
}

func idByte(c byte) bool {
	return digit(c) || letter(c) || c == '-' || c == '_' || c == '=' || c == '+'
}
