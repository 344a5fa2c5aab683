package pattern

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/events"
)

// told is how many values or reasons are spelled out.
const told = 5

// Where the language is described.
const (
	docPatterns  = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html"
	docOperators = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"
	docArrays    = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html"
)

// why says why no alternative matched.
func (p *Pattern) why(w *walk) *events.Miss {
	var misses []events.Miss
	more := ""
	for _, a := range p.alternatives {
		miss := p.miss(w, a)
		if slices.ContainsFunc(misses, func(m events.Miss) bool { return m.Field == miss.Field && m.Want == miss.Want }) {
			continue
		}
		if len(misses) == told {
			more = "and more"
			break
		}
		misses = append(misses, miss)
	}
	if len(misses) == 1 {
		return &misses[0]
	}
	return &events.Miss{Field: "$or", Either: misses, Hint: more, Doc: docOperators}
}

// miss says what is wrong with the first field that is.
func (p *Pattern) miss(w *walk, a alternative) events.Miss {
	var paths []string
	for _, f := range a {
		if !w.field(f) {
			return p.field(w, f)
		}
		paths = append(paths, p.paths[f.path])
	}
	return events.Miss{
		Field: strings.Join(paths, ", "), Hint: "each on its own is matched, but never in the same element of an array", Doc: docArrays,
	}
}

func (p *Pattern) field(w *walk, f field) events.Miss {
	var wants []string
	for _, m := range f.matchers {
		wants = append(wants, m.description)
	}
	miss := events.Miss{Field: p.paths[f.path], Want: list(wants), Got: "no such field", Doc: docPatterns}
	if len(wants) > 1 {
		miss.Want = "one of " + miss.Want
	}
	note := w.notes[f.path]
	var gots []string
	for _, v := range w.values[f.path] {
		gots = append(gots, clip(string(v.raw)))
	}
	switch {
	case len(gots) == 1:
		miss.Got = gots[0]
	case len(gots) > 1:
		miss.Got = "[" + list(gots) + "]"
	case note.empty:
		miss.Got = "[]"
	case note.object:
		miss.Got, miss.Hint = "an object", "only values are compared; go on to one of "+w.keysAt(miss.Field)
	default:
		miss.Hint = w.beside(miss.Field)
	}
	if miss.Hint == "" {
		miss.Hint, miss.Doc = nearly(f.matchers, w.values[f.path])
	}
	return miss
}

// nearly says how a value differs from what is wanted when that is little, and the page that says why it counts.
func nearly(matchers []matcher, values []value) (hint, doc string) {
	for i := range matchers {
		for _, v := range values {
			if hint, doc := matchers[i].nearly(v); hint != "" {
				return hint, doc
			}
		}
	}
	return "", docPatterns
}

func (m *matcher) nearly(v value) (hint, doc string) {
	got := string(v.text)
	if v.text == nil {
		if m.op == same && m.text == string(v.raw) {
			return fmt.Sprintf("%s and %q are not the same: one of them is a string", v.raw, m.text), docPatterns
		}
		return "", ""
	}
	folded := func(o op) bool {
		f := *m
		f.op = o
		return f.match(v)
	}
	switch m.op {
	case number:
		if m.description == got {
			return fmt.Sprintf("%s and %q are not the same: one of them is a string", m.description, got), docPatterns
		}
	case prefix:
		if folded(prefixFold) {
			return `differs only by upper and lower case; {"prefix": {"equals-ignore-case": …}} ignores that`, docOperators
		}
	case suffix:
		if folded(suffixFold) {
			return `differs only by upper and lower case; {"suffix": {"equals-ignore-case": …}} ignores that`, docOperators
		}
	case same:
		parts, err := splitWildcard(m.text)
		switch {
		case folded(fold):
			return `differs only by upper and lower case; {"equals-ignore-case": …} ignores that`, docOperators
		case err == nil && len(parts) > 1 && (&matcher{parts: parts}).like(v.text):
			return fmt.Sprintf(`a * is only a * here; {"wildcard": %q} would match`, m.text), docOperators
		case m.text != "" && strings.HasPrefix(got, m.text):
			return fmt.Sprintf(`a value is compared whole; {"prefix": %q} takes a beginning`, m.text), docOperators
		case m.text != "" && strings.HasSuffix(got, m.text):
			return fmt.Sprintf(`a value is compared whole; {"suffix": %q} takes an end`, m.text), docOperators
		}
	}
	return "", ""
}

// beside says what there is where a field is not.
func (w *walk) beside(path string) string {
	above, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		above, name = path[:dot], path[dot+1:]
	}
	keys := w.keys(above)
	if len(keys) == 0 {
		return ""
	}
	for _, key := range keys {
		if strings.EqualFold(key, name) || plain(key) == plain(name) {
			return fmt.Sprintf("there is %q", key)
		}
	}
	if above == "" {
		above = "the event"
	}
	return above + " has " + strings.Join(keys, ", ")
}

// plain is a key without what people mix up: the case, dashes, and the s of a plural.
func plain(key string) string {
	return strings.TrimSuffix(strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(key)), "s")
}

func (w *walk) keysAt(path string) string {
	var below []string
	for _, key := range w.keys(path) {
		below = append(below, path+"."+key)
	}
	return list(below)
}

// keys are the sorted keys of the object at a path.
func (w *walk) keys(path string) []string {
	at := json.RawMessage(w.event)
	var fields map[string]json.RawMessage
	for _, key := range append(strings.Split(path, "."), "") {
		fields = nil
		if json.Unmarshal(at, &fields) != nil {
			return nil
		}
		if key == "" {
			break
		}
		at = fields[key]
	}
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func list(words []string) string {
	if n := len(words) - told; n > 0 {
		words = append(slices.Clone(words[:told]), fmt.Sprintf("… %d more", n))
	}
	return strings.Join(words, ", ")
}

// clip shortens what would fill the screen.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
