package emulator

import (
	"context"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/events"
)

// passing is what faults have made of records on their way to the triggers: those that come late or twice.
type passing struct {
	mu      sync.Mutex
	changed sync.Cond
	ready   []numbered
	more    map[uint64]int     // how often a number will be done beside the once that counts
	wake    context.CancelFunc // of a reader that waits for the journal
	reading bool               // the triggers are reading one of these
	open    int                // records that may still come
}

type numbered struct {
	number uint64
	record events.Record
}

func (p *passing) init() {
	p.more = make(map[uint64]int)
	p.changed.L = &p.mu
}

// next is what is to be read before the journal. When there is nothing, wake is called as soon as there is.
func (p *passing) next(wake context.CancelFunc) (n numbered, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wake, p.reading = nil, len(p.ready) > 0
	p.changed.Broadcast()
	if !p.reading {
		p.wake = wake
		return n, false
	}
	n = p.ready[0]
	p.ready = p.ready[1:]
	return n, true
}

func (p *passing) put(n numbered) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, n)
	if p.wake != nil {
		p.wake()
	}
}

// busy says whether anything is still to come that the journal has given already.
func (p *passing) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading && len(p.ready) == 0 {
		p.reading = false
		p.changed.Broadcast()
	}
	return len(p.ready) > 0 || p.open > 0
}

// begin has a record go its way, until end. again: it will be done once more than it counts.
func (p *passing) begin(number uint64, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	if again {
		p.more[number]++
	}
}

func (p *passing) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

// counts says whether this is the time that a number is done for good.
func (p *passing) counts(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.more[number] == 0 {
		return true
	}
	if p.more[number]--; p.more[number] == 0 {
		delete(p.more, number)
	}
	return false
}

// quiet returns when the triggers have all that they are to have now.
func (p *passing) quiet(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 || p.reading {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.changed.Wait()
	}
	return nil
}

// nextRecord is the trigger engine's door in: the next record that has not been handed on. One that a fault keeps back is read without
// events now, so that nobody waits for it, and done when it has come for good.
func (e *Emulator) nextRecord(ctx context.Context) (uint64, events.Record, error) {
	for {
		waiting, wake := ctx, func() {}
		if e.passing.busy() {
			waiting, wake = context.WithCancel(ctx)
			if n, ok := e.passing.next(wake); ok {
				wake()
				return n.number, n.record, nil
			}
		}
		number, r, err := e.readRecord(waiting)
		woken := waiting.Err() != nil && ctx.Err() == nil
		wake()
		if err != nil && woken {
			continue
		}
		if err != nil || len(r.Events) == 0 {
			return number, r, err
		}
		if !e.faults.On(fault.Publish) {
			return number, r, nil
		}
		hit, ok := e.faults.At(fault.Point{Step: fault.Publish, Events: r.Events})
		if !ok {
			return number, r, nil
		}
		e.passing.begin(number, hit.Action != "" && hit.Action != fault.Drop)
		e.faults.Pass(hit, func(late time.Duration) {
			r := r
			if late > 0 && !r.At.IsZero() {
				r.At = r.At.Add(late)
			}
			e.passing.put(numbered{number, r})
		}, e.passing.end)
		if hit.Action != "" && hit.Action != fault.Duplicate {
			return number, events.Record{}, nil
		}
	}
}
