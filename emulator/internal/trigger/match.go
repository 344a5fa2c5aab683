package trigger

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/events"
)

// receipt counts what a record still waits for.
type receipt struct {
	seq  uint64
	left atomic.Int32
}

// release tells that one thing less is waited for.
func (e *Engine) release(r *receipt) {
	if r.left.Add(-1) == 0 {
		e.done(r.seq)
	}
}

// matcher is the reader's memory, kept from event to event.
type matcher struct {
	wants, others []candidate
	wanted        []candidate
	near          []near
}

// near is a trigger of the event's registry that said no.
type near struct {
	Trigger string `json:"trigger"`
	ID      string `json:"trigger_id"`
	Why     string `json:"why"` // the miss in a sentence
	*events.Miss
}

// offer gives a record's events to the triggers that want them. An error leaves the record undone.
func (e *Engine) offer(ctx context.Context, m *matcher, seq uint64, record events.Record) error {
	rec := &receipt{seq: seq}
	rec.left.Store(1) // the reader's own
	now := e.clock.Now()
	at := now
	if !record.At.IsZero() && record.At.Before(now) {
		at = record.At // so that batches do not depend on how fast the journal is read
	}
	for i := range record.Events {
		ev := &record.Events[i]
		e.match(m, ev, now)
		for _, c := range m.wanted {
			rec.left.Add(1)
			it := item{event: ev, def: c.def, at: at, record: rec}
			if e.asked() {
				e.pass(c, it)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				continue
			}
			if err := c.put(ctx, it); err != nil {
				return err
			}
		}
	}
	e.release(rec)
	e.readTo(seq)
	return nil
}

// pass has Through decide how often and when a trigger gets an event. What could not be put leaves the record undone.
func (e *Engine) pass(c candidate, it item) {
	var undone atomic.Bool
	put := func(late time.Duration) {
		it := it
		it.at = it.at.Add(late)
		it.record.left.Add(1)
		if e.reading.Err() != nil || c.put(e.reading, it) != nil {
			undone.Store(true)
		}
	}
	e.through(c.def.Trigger, *it.event, put, func() {
		if !undone.Load() {
			e.release(it.record)
		}
	})
}

// match fills m.wanted and tells the trace.
func (e *Engine) match(m *matcher, ev *events.Event, now time.Time) {
	var total int
	m.wants, m.others, total = e.index.find(ev, m.wants[:0], m.others[:0])
	m.wanted, m.near = m.wanted[:0], m.near[:0]
	var paused []candidate
	for _, c := range m.wants {
		switch miss := c.def.accept(ev); {
		case miss != nil:
			m.miss(c.def, miss)
		case c.def.Paused:
			m.miss(c.def, c.def.pausedMiss())
			paused = append(paused, c)
		default:
			c.matched.Add(1)
			m.wanted = append(m.wanted, c)
		}
	}
	for _, c := range m.others {
		if len(m.near) == nearMisses {
			break
		}
		m.miss(c.def, c.def.typeMiss(ev))
	}
	e.note(matchStep(now, ev, m, total))
	for _, c := range paused {
		c.matched.Add(1)
		c.lost.Add(1)
		e.note(pausedStep(now, ev, c.def))
	}
}

func (m *matcher) miss(def *definition, why *events.Miss) {
	if len(m.near) < nearMisses {
		m.near = append(m.near, near{def.who, def.ID, why.String(), why})
	}
}

// accept asks the trigger's own predicate. One that panics has said no.
func (d *definition) accept(ev *events.Event) (miss *events.Miss) {
	if d.Match.Accept == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			miss = &events.Miss{Hint: fmt.Sprintf("its filter panicked: %v", p)}
		}
	}()
	return d.Match.Accept(*ev)
}

func (d *definition) typeMiss(ev *events.Event) *events.Miss {
	return &events.Miss{Field: events.FieldType, Want: d.types, Got: ev.Type, Doc: d.Match.Doc}
}

func (d *definition) pausedMiss() *events.Miss {
	return &events.Miss{Field: events.FieldPaused, Hint: "resume it; events that come meanwhile are lost for good", Doc: d.Match.Doc}
}
