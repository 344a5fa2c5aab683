package emulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/recording"
)

// What clients make by an API and that stays is on record: a rerun begins with what there was, and makes the rest when they did.

// Keep does what a client did in another emulator, as its recording tells: it makes or changes a resource of Yandex Cloud, a table or a
// fault, or deletes it. The error says what it is and what is wrong with it.
func (e *Emulator) Keep(ctx context.Context, k recording.Kept) error {
	var err error
	table, isTable := strings.CutPrefix(k.Name, recording.KeptTable)
	id, isFault := strings.CutPrefix(k.Name, recording.KeptFault)
	switch {
	case k.Value == nil && k.Omitted > 0:
		err = fmt.Errorf("its %d bytes were too many for the recording", k.Omitted)
	case isTable:
		err = e.tables.Keep(table, k.Value)
	case isFault:
		err = e.keepFault(id, k.Value)
	default:
		err = e.control.Keep(ctx, k.Name, k.Value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	return nil
}

func (e *Emulator) keepFault(id string, value json.RawMessage) error {
	if err := e.RemoveFault(id); err != nil && !errors.Is(err, ErrNoFault) || value == nil {
		return nil // it has gone, which is what was asked for
	}
	var f Fault
	if err := json.Unmarshal(value, &f); err != nil {
		return err
	}
	f.ID = id
	_, err := e.AddFault(f)
	return err
}

// keepAll begins with what clients had made elsewhere.
func (e *Emulator) keepAll(all []recording.Kept) {
	for _, k := range all {
		if err := e.Keep(e.running, k); err != nil {
			e.warn(fmt.Sprintf("what a client had made is left out: %v", err))
		}
	}
}

// noteKept writes down what a client has made, changed or deleted, before the client knows that it is done.
func (e *Emulator) noteKept(name string, was, now []byte) {
	if e.tells {
		e.putFirst(journal.Kept, recording.Line{Kept: &recording.Kept{Name: name, Value: now, Was: was}})
	}
}

// keptInForce is what clients have made, but for triggers and faults that there are, which are told elsewhere.
func (e *Emulator) keptInForce() []recording.Kept {
	all := e.control.Kept()
	for name, data := range e.tables.Kept() {
		all[recording.KeptTable+name] = data
	}
	var out []recording.Kept
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var gone struct{ Deleted bool } // a default that is not to be there: that stands in no file
		if !strings.HasPrefix(name, recording.KeptTrigger) || json.Unmarshal(all[name], &gone) == nil && gone.Deleted {
			out = append(out, recording.Kept{Name: name, Value: all[name]})
		}
	}
	return out
}

// faultsInForce are the faults there are, each as it was added; left: without what has happened of them.
func (e *Emulator) faultsInForce(left bool) []json.RawMessage {
	var out []json.RawMessage
	for _, s := range e.faults.List() {
		f := s.Fault
		if left && f.Next > 0 {
			if f.Next -= s.Injected; f.Next <= 0 {
				continue
			}
		}
		if left {
			f.After = max(0, f.After-s.Seen)
		}
		out = append(out, e.sayFault(f))
	}
	return out
}

func (e *Emulator) faultChanged(f Fault, there bool) {
	if there {
		e.noteKept(recording.KeptFault+f.ID, nil, e.sayFault(f))
	} else {
		e.noteKept(recording.KeptFault+f.ID, e.sayFault(f), nil)
	}
}

// sayFault is a fault as recordings have it: its dice are thrown alike everywhere.
func (e *Emulator) sayFault(f Fault) json.RawMessage {
	f.Seed = cmp.Or(f.Seed, e.faultSeed)
	data, _ := json.Marshal(f) // plain values
	return data
}

// rewind takes back, in what a recording says of the configuration, what clients have done since the recording begins: its lines tell of
// that.
func (e *Emulator) rewind(ctx context.Context, c *recording.Configuration, from uint64, begin time.Time) error {
	seen := map[string]bool{}
	for entry, err := range e.journal.Read(ctx, from, journal.Kept) {
		if err != nil {
			return err
		}
		line, err := journalLine(entry)
		if err != nil || line.At.Before(begin) || seen[line.Kept.Name] || line.Kept.Was == nil && line.Kept.Omitted > 0 {
			continue
		}
		seen[line.Kept.Name] = true
		takeBack(c, line.Kept.Name, line.Kept.Was)
	}
	slices.SortFunc(c.Kept, func(a, b recording.Kept) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// takeBack has a thing be as it was; nil: it was not there. What c has is replaced, not changed.
func takeBack(c *recording.Configuration, name string, was json.RawMessage) {
	if id, ok := strings.CutPrefix(name, recording.KeptFault); ok {
		c.Faults = slices.DeleteFunc(slices.Clone(c.Faults), func(data json.RawMessage) bool {
			var f Fault
			return json.Unmarshal(data, &f) == nil && f.ID == id
		})
		if was != nil {
			c.Faults = append(c.Faults, was)
		}
		return
	}
	if id, ok := strings.CutPrefix(name, recording.KeptTrigger); ok {
		c.Triggers = slices.DeleteFunc(slices.Clone(c.Triggers), func(f recording.File) bool { return f.Name == recording.Made+id })
	}
	if id, ok := strings.CutPrefix(name, recording.KeptGateway); ok {
		c.Gateways = slices.DeleteFunc(slices.Clone(c.Gateways), func(g recording.Gateway) bool {
			return g.ID == id && strings.HasPrefix(g.Name, recording.Made)
		})
	}
	c.Kept = slices.DeleteFunc(slices.Clone(c.Kept), func(k recording.Kept) bool { return k.Name == name })
	if was != nil {
		c.Kept = append(c.Kept, recording.Kept{Name: name, Value: was})
	}
}
