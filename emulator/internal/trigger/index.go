package trigger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/regcast/regcast/events"
)

// nearMisses is how many triggers that said no an event's step names.
const nearMisses = 20

// index finds the triggers for an event. The cost grows with the triggers of its registry that want its type, and with at most
// nearMisses of those that do not.
type index struct {
	mu      sync.RWMutex
	runners map[string]*runner // by ID
	shelves map[place]*shelf
	born    uint64 // runners ever made
}

// place is where a trigger stands: an empty field takes everything.
type place struct{ source, registry string }

type shelf struct {
	all    []*runner
	byType map[string][]*runner
}

func newIndex() index {
	return index{runners: map[string]*runner{}, shelves: map[place]*shelf{}}
}

// candidate is a trigger with the definition that it had when it was found.
type candidate struct {
	*runner
	def *definition
}

// find appends to wants the triggers of the event's source, registry and type, and to others some that lack only the type.
// total is how many triggers there are at all.
func (x *index) find(ev *events.Event, wants, others []candidate) (w, o []candidate, total int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i, p := range [...]place{{ev.Source, ev.Change.Registry}, {ev.Source, ""}, {"", ev.Change.Registry}, {"", ""}} {
		if i&1 != 0 && ev.Change.Registry == "" || i&2 != 0 && ev.Source == "" {
			continue // the same place as before
		}
		s := x.shelves[p]
		if s == nil {
			continue
		}
		for _, r := range s.byType[ev.Type] {
			wants = append(wants, candidate{r, r.def})
		}
		for _, r := range s.all {
			if len(others) == nearMisses {
				break
			}
			if !slices.Contains(r.def.Match.Types, ev.Type) {
				others = append(others, candidate{r, r.def})
			}
		}
	}
	return wants, others, len(x.runners)
}

// set puts a definition in place and returns its runner; replaced tells that it had another one before.
func (x *index) set(e *Engine, def *definition) (r *runner, replaced bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r, replaced = x.runners[def.ID]
	if replaced {
		x.unshelve(r)
	} else {
		x.born++
		r = &runner{engine: e, born: x.born}
		x.runners[def.ID] = r
	}
	r.def = def
	p := place{def.Match.Source, def.Match.Registry}
	s := x.shelves[p]
	if s == nil {
		s = &shelf{byType: map[string][]*runner{}}
		x.shelves[p] = s
	}
	s.all = append(s.all, r)
	for _, t := range def.Match.Types {
		s.byType[t] = append(s.byType[t], r)
	}
	return r, replaced
}

func (x *index) remove(id string) (*runner, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	r, ok := x.runners[id]
	if ok {
		x.unshelve(r)
		delete(x.runners, id)
	}
	return r, ok
}

func (x *index) unshelve(r *runner) {
	p := place{r.def.Match.Source, r.def.Match.Registry}
	s := x.shelves[p]
	same := func(o *runner) bool { return o == r }
	if s.all = slices.DeleteFunc(s.all, same); len(s.all) == 0 {
		delete(x.shelves, p)
		return
	}
	for _, t := range r.def.Match.Types {
		if s.byType[t] = slices.DeleteFunc(s.byType[t], same); len(s.byType[t]) == 0 {
			delete(s.byType, t)
		}
	}
}

// all returns every trigger in the order in which they were added.
func (x *index) all() ([]*definition, []State) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	rs := slices.SortedFunc(maps.Values(x.runners), func(a, b *runner) int { return cmp.Compare(a.born, b.born) })
	defs, states := make([]*definition, len(rs)), make([]State, len(rs))
	for i, r := range rs {
		defs[i], states[i] = r.def, r.state(r.def)
	}
	return defs, states
}

// definition is a Trigger as it was set. It never changes, so a batch keeps the one that it was opened under.
type definition struct {
	Trigger
	who     string // its name, for people
	types   string // Match.Types, for people
	maxHeld int    // events in hand before reading waits
}

func newDefinition(t Trigger, maxHeld int) *definition {
	t.Match.Types = slices.Compact(slices.Sorted(slices.Values(t.Match.Types)))
	t.Actions = slices.Clone(t.Actions)
	return &definition{
		Trigger: t,
		who:     cmp.Or(t.Name, t.ID),
		types:   strings.Join(t.Match.Types, ", "),
		maxHeld: max(maxHeld, t.Window.Count), // or a batch could never become full
	}
}
