package trigger

import (
	"slices"
	"strconv"

	"github.com/regcast/regcast/events"
)

// Verdict is what a trigger says of an event.
type Verdict struct {
	State State
	// Miss is the first predicate that said no. Nil: the trigger wants the event.
	Miss *events.Miss
	// Skips has, for each action, why its filter leaves the event out; nil: it does not. Only of a trigger that wants the event.
	Skips []*events.Miss
}

// Explain asks every trigger about an event, in the order in which they were added. The event goes nowhere, and nothing is noted.
func (e *Engine) Explain(ev events.Event) []Verdict {
	defs, states := e.index.all()
	out := make([]Verdict, len(defs))
	for i, def := range defs {
		out[i] = Verdict{State: states[i], Miss: def.miss(&ev)}
		if out[i].Miss != nil {
			continue
		}
		for k := range def.Actions {
			out[i].Skips = append(out[i].Skips, def.Actions[k].keeps(ev))
		}
	}
	return out
}

// miss is the first predicate that says no, of those of the index and the trigger's own.
func (d *definition) miss(ev *events.Event) *events.Miss {
	of := func(field, want, got string) *events.Miss {
		return &events.Miss{Field: field, Want: quote(want), Got: quote(got), Doc: d.Match.Doc}
	}
	switch {
	case d.Match.Source != "" && d.Match.Source != ev.Source:
		m := of(events.FieldCloud, d.Match.Source, ev.Source)
		m.Hint = "the event is another cloud's"
		return m
	case d.Match.Registry != "" && d.Match.Registry != ev.Change.Registry:
		m := of(events.FieldRegistry, d.Match.Registry, ev.Change.Registry)
		m.Hint = "the trigger is on another registry; what is pushed to HOST/" + d.Match.Registry + "/… comes to it"
		return m
	case !slices.Contains(d.Match.Types, ev.Type):
		return d.typeMiss(ev)
	}
	if m := d.accept(ev); m != nil {
		return m
	}
	if d.Paused {
		return d.pausedMiss()
	}
	return nil
}

func quote(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s)
}
