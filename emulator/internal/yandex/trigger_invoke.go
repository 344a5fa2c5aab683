package yandex

import (
	"context"
	"fmt"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

// StepRetry is what a step says of a delivery that failed and is tried again.
const StepRetry = "retry"

// invoke is the target that calls a function with each delivery, once. The payload is the trigger's JSON as it is.
type invoke struct {
	functions *functions
	clock     clock.Clock
	function  string
	tag       string
	name      string // both, for people
}

func (t *invoke) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := make([]trigger.Outcome, len(ds))
	for i, d := range ds {
		began := t.clock.Now()
		version, _, err := t.functions.version(t.function, t.tag)
		if err == nil {
			_, err = t.functions.call(ctx, version, runner.Request{Payload: d.Payload, Events: idsOf(d)})
		}
		o := trigger.Outcome{Text: "to the function " + t.name, Data: map[string]any{"function_id": t.function}}
		if err != nil {
			o.Lost, o.Text = true, fmt.Sprintf("the function %s failed: %s", t.name, clip(err.Error()))
		}
		o.Data["invoke_ms"] = float64(t.clock.Now().Sub(began)) / float64(time.Millisecond)
		out[i] = o
	}
	return out
}

// retry gives its target a delivery again when it was lost, up to attempts times, each after interval. It waits meanwhile, and what is
// behind it waits with it: events leave a trigger in their order, and every delivery has all of its attempts. A trigger has a
// goroutine of its own, so that no other waits, until trigger.MaxHeld events are held up. When the house closes, the attempts that
// are left come at once.
type retry struct {
	target    trigger.Target
	wiring    wiring
	attempts  int
	interval  time.Duration
	triggerID string
	who       string
}

func (r *retry) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := make([]trigger.Outcome, len(ds))
	for i, d := range ds {
		out[i] = r.try(ctx, d)
	}
	return out
}

func (r *retry) try(ctx context.Context, d trigger.Delivery) trigger.Outcome {
	all := r.attempts + 1
	for n := 1; ; n++ {
		if ctx.Err() != nil {
			return trigger.Outcome{Lost: true, Text: fmt.Sprintf("broken off: %v", context.Cause(ctx)), Data: map[string]any{}}
		}
		o := r.target.Deliver(ctx, []trigger.Delivery{d})[0]
		o.Data["attempt"] = n
		switch {
		case !o.Lost && n > 1:
			o.Text += fmt.Sprintf(", attempt %d of %d", n, all)
			return o
		case !o.Lost:
			return o
		case n == all && n == 1:
			o.Text = "given up after 1 attempt: " + o.Text
			return o
		case n == all:
			o.Text = fmt.Sprintf("given up after %d attempts: %s", n, o.Text)
			return o
		}
		r.wait(ctx, d, o, n+1)
	}
}

// wait says why there is a next attempt, and returns when it is due, ctx ends or the house closes.
func (r *retry) wait(ctx context.Context, d trigger.Delivery, o trigger.Outcome, next int) {
	timer := r.wiring.clock.NewTimer(r.interval) // before it is told of: then whoever hears can move the clock
	defer timer.Stop()
	defer trigger.Pause(ctx, r.wiring.clock.Now().Add(r.interval))()
	r.tell(d, o, next)
	select {
	case <-timer.C():
	case <-r.wiring.closing:
	case <-ctx.Done():
	}
}

func (r *retry) tell(d trigger.Delivery, o trigger.Outcome, next int) {
	now := r.wiring.clock.Now()
	when, due := fmt.Sprintf("in %g s", r.interval.Seconds()), now.Add(r.interval)
	select {
	case <-r.wiring.closing:
		when, due = "at once, as regcast is stopping,", now
	default:
	}
	r.wiring.note(events.Step{
		At: now, Events: idsOf(d), Room: "trigger", What: StepRetry, Who: r.who,
		Text: fmt.Sprintf("attempt %d of %d %s because %s", next, r.attempts+1, when, o.Text),
		Data: map[string]any{"trigger_id": r.triggerID, "attempt": next, "of": r.attempts + 1, "due": due},
	})
}

// deadLetters sends what its target has given up to a queue.
type deadLetters struct {
	target trigger.Target
	send   func(ctx context.Context, queueID string, body []byte, events []string) error // nil: there are no queues
	queue  string                                                                        // empty: what is given up is dropped
}

func (l *deadLetters) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := l.target.Deliver(ctx, ds)
	for i, d := range ds {
		if out[i].Lost && ctx.Err() == nil {
			out[i].Text += "; " + l.bury(ctx, d, out[i].Data)
		}
	}
	return out
}

// bury says what became of a delivery that was given up.
func (l *deadLetters) bury(ctx context.Context, d trigger.Delivery, data map[string]any) string {
	switch {
	case l.queue == "":
		return "dropped"
	case l.send == nil:
		return "dropped: not emulated: the dead letter queue " + l.queue
	}
	if err := l.send(ctx, l.queue, d.Payload, idsOf(d)); err != nil {
		return fmt.Sprintf("dropped: the dead letter queue %s did not take it: %v", l.queue, err)
	}
	data["dead_letter_queue"] = l.queue
	return "dead letter to " + l.queue
}

func idsOf(d trigger.Delivery) []string {
	ids := make([]string, len(d.Events))
	for i, e := range d.Events {
		ids[i] = e.ID
	}
	return ids
}
