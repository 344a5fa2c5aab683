package pattern

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// told is how many values or reasons are spelled out.
const told = 5

// why says why no alternative matched.
func (p *Pattern) why(w *walk) string {
	var reasons []string
	more := ""
	for _, a := range p.alternatives {
		reason := p.miss(w, a)
		if slices.Contains(reasons, reason) {
			continue
		}
		if len(reasons) == told {
			more = "; and more"
			break
		}
		reasons = append(reasons, reason)
	}
	if len(reasons) == 1 {
		return reasons[0]
	}
	return "no alternative of $or matches: " + strings.Join(reasons, "; ") + more
}

// miss says what is wrong with the first field that is.
func (p *Pattern) miss(w *walk, a alternative) string {
	var paths []string
	for _, f := range a {
		if !w.field(f) {
			return p.field(w, f)
		}
		paths = append(paths, p.paths[f.path])
	}
	return "each on its own is matched, but never in the same element of an array: " + strings.Join(paths, ", ")
}

func (p *Pattern) field(w *walk, f field) string {
	var wants []string
	for _, m := range f.matchers {
		wants = append(wants, m.description)
	}
	want := list(wants)
	if len(wants) > 1 {
		want = "one of " + want
	}
	path, note := p.paths[f.path], w.notes[f.path]
	if path == "resources" && note.empty {
		var e struct {
			Source string `json:"source"`
			Type   string `json:"detail-type"`
		}
		if err := json.Unmarshal(w.event, &e); err == nil && e.Source == "aws.ecr" {
			return fmt.Sprintf("resources: the pattern wants %s, but %s events have resources: []; match detail.repository-name instead", want, e.Type)
		}
	}
	got := "no such field"
	var gots []string
	for _, v := range w.values[f.path] {
		gots = append(gots, clip(string(v.raw)))
	}
	switch {
	case len(gots) == 1:
		got = gots[0]
	case len(gots) > 1:
		got = "[" + list(gots) + "]"
	case note.empty:
		got = "[]"
	case note.object:
		got = "an object, and only values are compared"
	}
	return fmt.Sprintf("%s: want %s, got %s", path, want, got)
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
