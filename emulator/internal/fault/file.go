package fault

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Read reads a list of faults, or one, in YAML or JSON. The error names everything that is wrong, each with the file's name and the line.
func Read(name string, data []byte) ([]Fault, error) {
	var documents []yaml.Node
	if err := yaml.Load(data, &documents, yaml.WithAllDocuments()); err != nil {
		var bad *yaml.LoadError
		if errors.As(err, &bad) {
			return nil, fmt.Errorf("%s:%d: %s", name, max(1, bad.Mark.Line), bad.Message)
		}
		return nil, fmt.Errorf("%s:1: %w", name, err)
	}
	r := reader{name: name}
	var out []Fault
	for _, d := range documents {
		for _, n := range d.Content {
			out = append(out, r.list(n)...)
		}
	}
	if len(documents) == 0 {
		r.list(&yaml.Node{})
	}
	return out, errors.Join(r.problems...)
}

// list reads what a document has.
func (r *reader) list(n *yaml.Node) []Fault {
	switch n.Kind {
	case yaml.MappingNode:
		return []Fault{r.fault(n)}
	case yaml.SequenceNode:
		out := make([]Fault, len(n.Content))
		for i, one := range n.Content {
			out[i] = r.fault(one)
		}
		return out
	}
	r.wrong(n, "got no fault, want a list of them, as - {step: send, action: drop, next: 1}")
	return nil
}

type reader struct {
	name     string
	problems []error
}

func (r *reader) wrong(at *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %s", r.name, max(1, at.Line), fmt.Sprintf(format, args...)))
}

// fault reads one, and leaves out what is wrong.
func (r *reader) fault(n *yaml.Node) (f Fault) {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "got no fault, want one as {step: send, action: drop, next: 1}")
		return f
	}
	known := map[string]func(string) error{
		"id":     text(&f.ID),
		"step":   text(&f.Step),
		"action": text(&f.Action),
		"code":   text(&f.Code),
		"delay": func(s string) (err error) {
			if f.Delay, err = time.ParseDuration(s); err != nil {
				return fmt.Errorf("got %q, want a time as 500ms or 2s", s)
			}
			return nil
		},
		"share": func(s string) (err error) {
			if f.Share, err = strconv.ParseFloat(s, 64); err != nil || math.IsNaN(f.Share) {
				return fmt.Errorf("got %q, want 0 to 1", s)
			}
			return nil
		},
		"next":  number(&f.Next),
		"after": number(&f.After),
		"seed": func(s string) (err error) {
			if f.Seed, err = strconv.ParseUint(s, 10, 64); err != nil {
				return fmt.Errorf("got %q, want a whole number from 0", s)
			}
			return nil
		},
	}
	for _, p := range f.filters() {
		known[p.name] = text(p.value)
	}
	lines := make(map[string]*yaml.Node)
	bad := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		set := known[key.Value]
		switch {
		case set == nil:
			r.wrong(key, "got the field %q, want %s", key.Value, oneOf(fields()))
			bad = true
			continue
		case lines[key.Value] != nil:
			r.wrong(key, "got the field %s twice", key.Value)
			bad = true
			continue
		case value.Kind != yaml.ScalarNode:
			r.wrong(value, "%s: got a list or an object, want a value", key.Value)
			bad = true
			continue
		}
		lines[key.Value] = value
		if value.Tag == "!!null" {
			continue
		}
		if err := set(value.Value); err != nil {
			r.wrong(value, "%s: %v", key.Value, err)
			bad = true
		}
	}
	if bad {
		return f // what is missing may be what could not be read
	}
	for _, err := range f.problems() {
		at := n
		var p *problem
		if errors.As(err, &p) && lines[p.field] != nil {
			at = lines[p.field]
		}
		r.wrong(at, "%v", err)
	}
	return f
}

// fields are the names of what a fault has.
func fields() []string {
	names := []string{"id", "step", "action", "code", "delay", "share", "next", "after", "seed"}
	for _, p := range new(Fault).filters() {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return names
}

func text[S ~string](to *S) func(string) error {
	return func(s string) error {
		*to = S(strings.TrimSpace(s))
		return nil
	}
}

func number(to *int) func(string) error {
	return func(s string) (err error) {
		if *to, err = strconv.Atoi(s); err != nil || *to < 0 {
			return fmt.Errorf("got %q, want a whole number from 0", s)
		}
		return nil
	}
}
