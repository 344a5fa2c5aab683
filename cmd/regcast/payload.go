package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/recording"
)

// What a payload can be, as --as says it.
const (
	asYandex      = "yandex"      // a batch of a trigger of Yandex Cloud
	asEventBridge = "eventbridge" // one event
	asSQS         = "sqs"         // a batch of an event source mapping of Lambda
	asRecorded    = "recorded"    // what a function got
)

// payload is what one request carries.
type payload struct {
	at     time.Time // recorded
	since  time.Time // recorded time of the first line that it was made of
	events []string  // ids
	data   []byte
}

type payloads = iter.Seq2[payload, error]

// packer makes payloads of a recording.
type packer struct {
	as       string
	count    int    // events in a payload; 0: as the trigger had them
	trigger  string // its name or id
	function string // of asRecorded
	now      bool   // events tell the time at which they are sent
	salt     []byte // events get new ids, made with it; nil: they keep theirs
	account  string // of AWS, for events that were not recorded in its words
	region   string

	records   int      // so far
	mute      int      // of them that this cloud says nothing of
	unbatched int      // events that were in no batch of the trigger
	cut       int      // recorded inputs that are not whole
	functions []string // that were met instead of the one
}

// packed is an event that waits for the rest of its payload.
type packed struct {
	id   string
	at   time.Time
	body json.RawMessage
}

// payloads makes the payloads of lines.
func (p *packer) payloads(of lines) payloads {
	switch {
	case p.as == asRecorded:
		return p.inputs(of)
	case p.count == 0:
		return p.batches(of)
	}
	return func(yield func(payload, error) bool) {
		var open []packed
		for line, err := range of {
			if err != nil {
				yield(payload{}, err)
				return
			}
			open = append(open, p.word(line)...)
			for len(open) >= p.count {
				if !yield(p.pack(open[:p.count], open[p.count-1].at), nil) {
					return
				}
				open = slices.Delete(open, 0, p.count)
			}
		}
		if len(open) > 0 {
			yield(p.pack(open, open[len(open)-1].at), nil)
		}
	}
}

// batches are those of the trigger, as it had them.
func (p *packer) batches(of lines) payloads {
	return func(yield func(payload, error) bool) {
		waiting := pending{events: map[string]packed{}}
		for line, err := range of {
			if err != nil {
				yield(payload{}, err)
				return
			}
			for _, e := range p.word(line) {
				p.unbatched += waiting.add(e)
			}
			if line.Step == nil || !p.ofTrigger(*line.Step) {
				continue
			}
			if batch := waiting.take(line.Step.Events); len(batch) > 0 && !yield(p.pack(batch, line.At), nil) {
				return
			}
		}
		p.unbatched += len(waiting.events)
	}
}

// ofTrigger tells whether a step is about a batch of the trigger. A batch of one is told of when it is delivered, or not; what comes after
// the first word of a batch finds its events gone.
func (p *packer) ofTrigger(s events.Step) bool {
	switch s.What {
	case events.StepBatched, events.StepDelivered, events.StepLost:
		return s.Who == p.trigger || s.Data["trigger_id"] == p.trigger
	}
	return false
}

// pending are events that wait for their batch. What no trigger has wanted stays until the end, or until there are too many.
type pending struct {
	events map[string]packed
	order  []string // their ids, and some of events that are gone
}

// mostPending bounds it.
const mostPending = 1 << 16

func (w *pending) add(e packed) (dropped int) {
	w.events[e.id] = e
	w.order = append(w.order, e.id)
	for len(w.events) > mostPending || len(w.order) > 2*mostPending {
		if _, here := w.events[w.order[0]]; here {
			delete(w.events, w.order[0])
			dropped++
		}
		w.order = w.order[1:]
	}
	return dropped
}

func (w *pending) take(ids []string) (taken []packed) {
	for _, id := range ids {
		if e, here := w.events[id]; here {
			taken = append(taken, e)
			delete(w.events, id)
		}
	}
	return taken
}

// inputs are what a function got, as it was recorded.
func (p *packer) inputs(of lines) payloads {
	return func(yield func(payload, error) bool) {
		for line, err := range of {
			if err != nil {
				yield(payload{}, err)
				return
			}
			i := line.Invocation
			switch {
			case i == nil:
				continue
			case i.Function != p.function:
				if len(p.functions) < manyKinds && !slices.Contains(p.functions, i.Function) {
					p.functions = append(p.functions, i.Function)
				}
				continue
			case i.Omitted > 0 && !json.Valid(i.Input):
				p.cut++
				continue
			}
			one := payload{at: i.Started, since: line.At, events: i.Events, data: i.Input}
			if p.salt != nil {
				for _, id := range i.Events {
					one.data = bytes.ReplaceAll(one.data, []byte(id), []byte(another(id, p.salt)))
				}
			}
			if !yield(one, nil) {
				return
			}
		}
	}
}

// word returns the events of a record in the cloud's words: those that are recorded, else what the cloud would say of the changes.
func (p *packer) word(line recording.Line) []packed {
	if line.Record == nil {
		return nil
	}
	p.records++
	source := ecr.Source
	if p.as == asYandex {
		source = yandex.Source
	}
	said := slices.DeleteFunc(slices.Clone(line.Record.Events), func(e events.Event) bool { return e.Source != source })
	if len(said) == 0 {
		changes := slices.Clone(line.Record.Changes)
		ids := emulator.WellKnown()
		for i := range changes {
			c := &changes[i]
			c.Registry = cmp.Or(c.Registry, ids.RegistryID)
			c.Rev = cmp.Or(c.Rev, uint64(p.records)) // what is equal in everything else is not the same
			if c.At.IsZero() {
				c.At = line.At
			}
		}
		if source == ecr.Source {
			said = ecr.Wording{Account: p.account, Region: p.region}.Word(changes)
		} else {
			for i, c := range changes {
				if e, ok := (yandex.Wording{CloudID: ids.CloudID, FolderID: ids.FolderID}).Word(i, c); ok {
					said = append(said, e)
				}
			}
		}
	}
	if len(said) == 0 {
		p.mute++
	}
	out := make([]packed, len(said))
	for i, e := range said {
		out[i] = packed{e.ID, line.At, e.Body}
	}
	return out
}

// pack makes a payload of events.
func (p *packer) pack(batch []packed, at time.Time) payload {
	out := payload{at: at, since: batch[0].at}
	bodies := make([]json.RawMessage, len(batch))
	for i, e := range batch {
		if e.at.Before(out.since) {
			out.since = e.at
		}
		bodies[i], batch[i].id = p.renew(e)
		out.events = append(out.events, batch[i].id)
	}
	switch p.as {
	case asYandex:
		out.data = yandex.Pack(bodies)
	case asEventBridge:
		out.data = bodies[0]
	case asSQS:
		out.data = p.packSQS(batch, bodies)
	}
	return out
}
