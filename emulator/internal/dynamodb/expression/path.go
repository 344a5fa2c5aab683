package expression

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// Step goes to a map's Name or, where that is empty, to a list's Index.
type Step struct {
	Name  string
	Index int
}

// Path is where a value stands in an item. It has at least one step, the first a name.
type Path []Step

func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		if parts[i] = s.Name; s.Name == "" {
			parts[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (p Path) compare(q Path) int {
	return slices.CompareFunc(p, q, func(a, b Step) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Index, b.Index)) })
}

// in is what stands at p; the zero Value when nothing does.
func (p Path) in(item document.Item) document.Value {
	v := document.Value{Kind: document.Map, Map: item}
	for _, s := range p {
		switch {
		case s.Name != "" && v.Kind == document.Map:
			v = v.Map[s.Name]
		case s.Name == "" && v.Kind == document.List && s.Index < len(v.List):
			v = v.List[s.Index]
		default:
			return document.Value{}
		}
	}
	return v
}

const errPath = document.Refusal("The document path provided in the update expression is invalid for update")

// put is v with w at p, for which copies are made of what is on the way. The zero Value removes. An index beyond a list's end appends.
func (p Path) put(v, w document.Value) (document.Value, error) {
	if len(p) == 0 {
		return w, nil
	}
	step, last := p[0], len(p) == 1
	switch {
	case step.Name != "" && v.Kind == document.Map:
		old, there := v.Map[step.Name]
		if !there && !last {
			return v, errPath
		}
		inner, err := p[1:].put(old, w)
		if err != nil {
			return v, err
		}
		v.Map = maps.Clone(v.Map)
		if inner.Kind == document.None {
			delete(v.Map, step.Name)
		} else {
			v.Map[step.Name] = inner
		}
		return v, nil
	case step.Name == "" && v.Kind == document.List:
		if step.Index >= len(v.List) {
			switch {
			case !last:
				return v, errPath
			case w.Kind != document.None:
				v.List = append(slices.Clip(v.List), w)
			}
			return v, nil
		}
		inner, err := p[1:].put(v.List[step.Index], w)
		if err != nil {
			return v, err
		}
		v.List = slices.Clone(v.List)
		if inner.Kind == document.None {
			v.List = slices.Delete(v.List, step.Index, step.Index+1)
		} else {
			v.List[step.Index] = inner
		}
		return v, nil
	}
	return v, errPath
}

// Projection is a parsed ProjectionExpression.
type Projection struct{ paths []Path }

// Projection parses a ProjectionExpression.
func (s *Scope) Projection(text string) (*Projection, error) {
	out := &Projection{}
	err := s.parse("ProjectionExpression", text, func(p *parser) {
		for {
			out.paths = append(out.paths, p.path())
			if !p.accept(",") {
				break
			}
		}
		p.separate(out.paths)
	})
	return out, err
}

// Names are the top-level attributes that the paths begin with.
func (p *Projection) Names() []string {
	var names []string
	for _, path := range p.paths {
		names = append(names, path[0].Name)
	}
	return names
}

// Nested says whether a path goes below the attribute.
func (p *Projection) Nested(name string) bool { return nested(p.paths, name) }

func nested(paths []Path, name string) bool {
	return slices.ContainsFunc(paths, func(path Path) bool { return len(path) > 1 && path[0].Name == name })
}

// Of is the part of item at the paths. Elements of lists close up.
func (p *Projection) Of(item document.Item) document.Item { return project(p.paths, item) }

func project(paths []Path, item document.Item) document.Item {
	paths = slices.SortedFunc(slices.Values(paths), Path.compare)
	if v := part(document.Value{Kind: document.Map, Map: item}, paths); v.Kind == document.Map {
		return v.Map
	}
	return document.Item{}
}

// part is what of v stands at the paths, which are in order; the zero Value when nothing does.
func part(v document.Value, paths []Path) document.Value {
	if len(paths[0]) == 0 {
		return v
	}
	out := document.Value{Kind: v.Kind, Map: document.Item{}}
	for len(paths) > 0 {
		step := paths[0][0]
		var tails []Path
		for len(paths) > 0 && paths[0][0] == step {
			tails, paths = append(tails, paths[0][1:]), paths[1:]
		}
		var inner document.Value
		switch {
		case v.Kind == document.Map:
			inner = v.Map[step.Name]
		case v.Kind == document.List && step.Name == "" && step.Index < len(v.List):
			inner = v.List[step.Index]
		}
		if inner.Kind == document.None {
			continue
		}
		if inner = part(inner, tails); inner.Kind == document.None {
			continue
		}
		if v.Kind == document.List {
			out.List = append(out.List, inner)
		} else {
			out.Map[step.Name] = inner
		}
	}
	if len(out.Map) == 0 && len(out.List) == 0 {
		return document.Value{}
	}
	return out
}
