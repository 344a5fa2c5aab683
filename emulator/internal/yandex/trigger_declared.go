package yandex

import (
	"fmt"
	"slices"
)

// ReadTriggers reads a file of triggers; an id that another file has is refused. What they name must be there: gateways with their
// path keys, functions with their tags, containers. The error is a *FileError.
func (c *Cloud) ReadTriggers(file string, data []byte) ([]Trigger, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parsed, err := ParseTriggers(file, data)
	if err != nil {
		return nil, err
	}
	var problems []remark
	ids := make(map[string]place)
	for _, t := range parsed {
		first, taken := c.ids[t.ID]
		if !taken {
			first, taken = ids[t.ID]
		}
		if taken {
			at := t.at
			at.path = join(at.path, "id")
			problems = append(problems, remark{at, fmt.Sprintf("got %s, which %v has; want an id of its own", quote(t.ID), first)})
		}
		ids[t.ID] = t.at
		problems = append(problems, t.missing(c.wiring)...)
		problems = append(problems, t.astray(c.wiring)...)
	}
	if len(problems) > 0 {
		return nil, refused(problems)
	}
	for _, t := range parsed {
		c.ids[t.ID] = t.at
	}
	return parsed, nil
}

// Warnings are a trigger's own, what it names that is not there yet, and what of it this cloud does not emulate.
func (c *Cloud) Warnings(t Trigger) []string {
	out := slices.Clone(t.Warnings)
	for _, r := range t.astray(c.wiring) {
		out = append(out, fmt.Sprintf("%v: %s", r.at, r.text))
	}
	for _, a := range t.Actions {
		if a.Invoke != nil && a.Invoke.Tag != "" && a.Invoke.Tag != latest && c.wiring.functions.resolve == nil {
			out = append(out, fmt.Sprintf("%v: not emulated: tags of versions; %s is called", a.Invoke.tagAt, latest))
		}
		if a.Recovery.DeadLetter != nil && c.wiring.deadLetter == nil {
			out = append(out, fmt.Sprintf("%v: not emulated: message queues; what is given up is dropped", a.Recovery.queueAt))
		}
	}
	return out
}

// DefaultTrigger is the declaration of the default trigger; nil, with a warning, when the default gateway was replaced by one without
// DefaultPath.
func (c *Cloud) DefaultTrigger() []byte {
	if paths, _ := c.gateways.paths(GatewayID); !slices.Contains(paths, DefaultPath) {
		c.warn(fmt.Sprintf("the gateway %s has no path %s: there is no default trigger", GatewayID, DefaultPath))
		return nil
	}
	return DefaultTriggerFile()
}
