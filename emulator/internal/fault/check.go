package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Allowed is what a step knows: actions, codes of errors, and filters.
type Allowed struct {
	Step    Step
	Actions []Action
	Codes   []Code
	Filters []string
}

// Steps returns every step with what it allows, in the order of the walk.
func Steps() []Allowed {
	of := []string{"repository", "type", "event"} // what tells of events
	return []Allowed{
		{Registry, []Action{Drop, Delay, Error}, []Code{"401", "403", "429", "500", "503", Timeout}, []string{"repository"}},
		{Publish, []Action{Drop, Delay, Duplicate, Reorder}, nil, of},
		{Match, []Action{Drop, Delay, Duplicate, Reorder}, nil, append([]string{"trigger"}, of...)},
		{Invoke, []Action{Delay, Duplicate, Reorder, Error, Crash}, []Code{"429", "500", "502", "503", Timeout}, []string{"function", "event"}},
		{API, []Action{Drop, Delay, Duplicate, Reorder, Error}, []Code{"403", "410", "429", "500", "503", Timeout}, []string{"api", "connection"}},
		{Send, []Action{Drop, Delay, Duplicate, Reorder, Error, Torn, Slow, Close}, []Code{"410", "429", "500", "503"},
			[]string{"gateway", "path", "connection", "event"}},
		{Connection, []Action{Drop, Delay, Error, Torn, Slow, Close, LateDisconnect}, []Code{"403", "429", "500", "503", Timeout},
			[]string{"gateway", "path", "connection"}},
	}
}

func allowed(s Step) (Allowed, error) {
	var names []string
	for _, a := range Steps() {
		if a.Step == s {
			return a, nil
		}
		names = append(names, string(a.Step))
	}
	return Allowed{}, fmt.Errorf("step: got %q, want %s", s, oneOf(names))
}

// Check says everything that is wrong with a fault, each with the field that it is about. Nil: nothing.
func (f Fault) Check() error { return errors.Join(f.problems()...) }

// problem is about one field, as JSON and files call it.
type problem struct{ field, text string }

func (p *problem) Error() string { return p.field + ": " + p.text }

func (f Fault) problems() (out []error) {
	wrong := func(field, format string, args ...any) {
		out = append(out, &problem{field, fmt.Sprintf(format, args...)})
	}
	a, err := allowed(f.Step)
	if err != nil {
		wrong("step", "%s", strings.TrimPrefix(err.Error(), "step: "))
		return out
	}
	if !slices.Contains(a.Actions, f.Action) {
		wrong("action", "got %q, want %s at the step %s", f.Action, oneOf(a.Actions), f.Step)
		return out
	}
	for _, p := range f.filters() {
		if *p.value != "" && !slices.Contains(a.Filters, p.name) {
			wrong(p.name, "the step %s has none; want %s", f.Step, oneOf(a.Filters))
		}
	}
	if strings.HasPrefix(f.Connection, "#") && turnOf(f.Connection) == 0 {
		wrong("connection", "got %q, want an id, or #1 for the first that is opened, #2 for the second, …", f.Connection)
	}
	switch f.Action {
	case Error:
		if !slices.Contains(a.Codes, f.Code) {
			wrong("code", "got %q, want %s at the step %s", f.Code, oneOf(a.Codes), f.Step)
		}
	case Close:
		if n, err := strconv.Atoi(string(f.Code)); err != nil || !closes(n) {
			wrong("code", "got %q, want 1000 to 1003, 1007 to 1014 or 3000 to 4999", f.Code)
		}
	default:
		if f.Code != "" {
			wrong("code", "got %q, want none with the action %s", f.Code, f.Action)
		}
	}
	later := f.Step == Connection && (f.Action == Close || f.Action == Drop || f.Action == Torn)
	needed := f.Action == Delay || f.Action == LateDisconnect
	switch {
	case f.Delay < 0 || needed && f.Delay == 0:
		wrong("delay", "got %v, want more than 0, as 500ms or 2s", f.Delay)
	case f.Delay > 0 && !needed && !later && f.Action != Reorder:
		wrong("delay", "got %v, want none with the action %s at the step %s", f.Delay, f.Action, f.Step)
	}
	if !(f.Share >= 0 && f.Share <= 1) {
		wrong("share", "got %v, want 0 to 1", f.Share)
	}
	if f.Next < 0 {
		wrong("next", "got %d, want 0 or more", f.Next)
	}
	if f.After < 0 {
		wrong("after", "got %d, want 0 or more", f.After)
	}
	return out
}

// closes says which close codes may be sent.
func closes(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

func oneOf[S ~string](all []S) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = string(s)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// fits is a glob: * is any text, / included, and ? is any character.
func fits(pattern, s string) bool {
	star, mark, i, j := -1, 0, 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
