package trigger

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/regcast/regcast/events"
)

// deliver hands on ready batches: those of one definition together, unless it wants them one by one, action by action. It returns early when handing has ended.
func (r *runner) deliver(ready []batch) {
	for len(ready) > 0 {
		n := 1
		for n < len(ready) && ready[n].def == ready[0].def && !ready[0].def.OneByOne {
			n++
		}
		together := make([][]events.Event, n)
		for i, b := range ready[:n] {
			together[i] = b.events()
		}
		for i := range ready[0].def.Actions {
			if !r.act(ready[0].def, i, together) {
				return
			}
		}
		for _, b := range ready[:n] {
			r.handed(b)
		}
		ready = ready[n:]
	}
}

func (b batch) events() []events.Event {
	es := make([]events.Event, len(b.items))
	for i, it := range b.items {
		es[i] = *it.event
	}
	return es
}

// act does one action with all batches. It returns false when handing ended before all of them were taken.
func (r *runner) act(def *definition, action int, batches [][]events.Event) bool {
	a := def.Actions[action]
	ds := make([]Delivery, 0, len(batches))
	for _, es := range batches {
		if r.engine.handing.Err() != nil {
			return false // filters and transformers may be slow
		}
		kept := r.keep(def, action, es)
		if len(kept) == 0 {
			continue
		}
		d := Delivery{Events: kept}
		err := guard(func() (err error) {
			d.Payload, err = a.Pack(kept)
			return err
		})
		if err != nil {
			r.tell(def, action, d, lost("no payload: ", err), r.engine.clock.Now(), 0)
			continue
		}
		ds = append(ds, d)
	}
	if len(ds) == 0 {
		return true
	}
	began := r.engine.clock.Now()
	var outs []Outcome
	err := guard(func() error {
		outs = a.Target.Deliver(context.WithValue(r.engine.handing, pausing{}, r), ds)
		return nil
	})
	ended := r.engine.clock.Now()
	all := true
	for i, d := range ds {
		var o Outcome
		switch {
		case err != nil:
			o = lost("target: ", err)
		case i >= len(outs):
			o = lost("target: ", fmt.Errorf("%d outcomes for %d deliveries", len(outs), len(ds)))
		default:
			o = outs[i]
		}
		if o.Lost && r.engine.handing.Err() != nil {
			all = false // cut short, not given up
			continue
		}
		r.tell(def, action, d, o, ended, ended.Sub(began))
	}
	return all
}

// keep returns the events that the action's filter wants.
func (r *runner) keep(def *definition, action int, es []events.Event) []events.Event {
	if def.Actions[action].Keep == nil {
		return es
	}
	kept := make([]events.Event, 0, len(es))
	for _, ev := range es {
		if miss := def.Actions[action].keeps(ev); miss != nil {
			r.engine.note(skippedStep(r.engine.clock.Now(), def, action, ev, miss))
		} else {
			kept = append(kept, ev)
		}
	}
	return kept
}

// keeps asks the action's filter. One that panics has said no.
func (a *Action) keeps(ev events.Event) (miss *events.Miss) {
	if a.Keep == nil {
		return nil
	}
	if err := guard(func() error {
		miss = a.Keep(ev)
		return nil
	}); err != nil {
		return &events.Miss{Field: "filter", Hint: err.Error()}
	}
	return miss
}

func (r *runner) tell(def *definition, action int, d Delivery, o Outcome, at time.Time, took time.Duration) {
	if o.Lost {
		r.lost.Add(1)
	} else {
		r.delivered.Add(1)
	}
	r.engine.note(outcomeStep(at, def, action, d, o, took))
}

// lost is the outcome of a delivery that failed on this side.
func lost(what string, err error) Outcome {
	o := Outcome{Lost: true, Text: what + err.Error()}
	if p, ok := err.(*panicked); ok {
		o.Data = map[string]any{"stack": string(p.stack)}
	}
	return o
}

// panicked is a panic of a trigger's own code: it costs the batch, not the house.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, debug.Stack()}
		}
	}()
	return f()
}
