package fault

import (
	"cmp"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/regcast/regcast/events"
)

// Name is what somebody is called: by id and by name.
type Name struct{ ID, Name string }

// Point is something that passes a step.
type Point struct {
	Step       Step
	Trigger    Name
	Function   Name
	Gateway    string
	Path       string
	Connection string
	Turn       int // of the connection, among all that were opened; At finds it out. 0: it is not known
	API        string
	Events     []events.Event // what it is about, as far as that is known: of some only the ID is
}

// who names for people and for Site what passes.
func (p *Point) who() string {
	switch p.Step {
	case Match:
		return cmp.Or(p.Trigger.Name, p.Trigger.ID)
	case Invoke:
		return cmp.Or(p.Function.ID, p.Function.Name)
	case API, Registry:
		return p.API
	case Send, Connection:
		if p.Connection != "" {
			return p.Gateway + p.Path + " " + p.Connection
		}
		return p.Gateway + p.Path
	}
	return ""
}

func (p *Point) ids() []string {
	var ids []string
	for _, e := range p.Events {
		if e.ID != "" {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func (a *active) isFor(p *Point) bool {
	if a.Step != p.Step || a.Code == "410" && p.Step == API && !strings.HasPrefix(p.API, "connections.") {
		return false // only a connection is ever gone
	}
	named := func(pattern string, n Name) bool {
		return pattern == "" || fits(pattern, n.ID) || fits(pattern, n.Name)
	}
	is := func(pattern, s string) bool { return pattern == "" || s != "" && fits(pattern, s) }
	if !named(a.Trigger, p.Trigger) || !named(a.Function, p.Function) || !is(a.Gateway, p.Gateway) || !is(a.Path, p.Path) ||
		a.turn == 0 && !is(a.Connection, p.Connection) || a.turn > 0 && a.turn != p.Turn-a.before || !is(a.API, p.API) {
		return false
	}
	if a.Event == "" && a.Type == "" && a.Repository == "" {
		return true
	}
	return slices.ContainsFunc(p.Events, func(e events.Event) bool {
		return is(a.Event, e.ID) && is(a.Repository, e.Change.Repository) && (is(a.Type, e.Type) || is(a.Type, short(e.Type)))
	})
}

// key is what the passage is known by in every run: with the same seed of a hash, the same.
func (p *Point) key(h hash.Hash64) uint64 {
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00%s\x00%d\x00%s\x00%q", p.Step, cmp.Or(p.Trigger.ID, p.Trigger.Name), cmp.Or(p.Function.ID, p.Function.Name),
		p.Gateway, p.Path, p.Turn, p.API, p.ids())
	return h.Sum64()
}

// turnOf returns the N of a connection "#N"; 0: it is none.
func turnOf(connection string) int {
	n, ok := strings.CutPrefix(connection, "#")
	turn, err := strconv.Atoi(n)
	if !ok || err != nil || turn < 1 {
		return 0
	}
	return turn
}

// short is the end of a type in the words of `regcast emit`: CreateImageTag is create-image-tag.
func short(kind string) string {
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	var b strings.Builder
	for i, c := range kind {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}
