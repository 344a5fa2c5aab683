package queue

import (
	"fmt"
	"maps"
	"time"

	"github.com/regcast/regcast/events"
)

// verdict is what comes of a handled batch. It needs the lock of Queues.
type verdict struct {
	c       *consumer
	now     time.Time
	took    time.Duration
	err     error
	later   *Later
	giveUp  *GiveUp
	good    []*Received
	resting []*Received
	until   time.Time // when the first that failed is visible again
}

func (v *verdict) judge(r *Received, failed bool) {
	q, l := v.c.queues, v.c.line
	e, _ := l.find(r.Receipt)
	if !failed {
		v.good = append(v.good, r)
	}
	switch {
	case e == nil: // the handler, or somebody else, has deleted it
	case e.Receipt != r.Receipt, failed && e.state != inFlight:
		q.step(events.StepWaiting, v.c.Name, v.now, fmt.Sprintf("the handler took %v, longer than the %v for which the queue %q hides a message: it comes again",
			v.took.Round(time.Millisecond), l.visibility(), v.c.Queue), map[string]any{"queue": v.c.Queue}, r)
	case failed:
		v.fail(e, r)
	default:
		q.file.gone(e)
		l.remove(e)
	}
}

// fail has a message rest, or gives it up.
func (v *verdict) fail(e *entry, r *Received) {
	q, l := v.c.queues, v.c.line
	last := l.def.MaxReceives > 0 && e.Receives >= l.def.MaxReceives
	switch {
	case v.giveUp != nil:
		l.later.drop(e)
		l.giveUp(e, v.giveUp.Why, v.now)
		return
	case v.later != nil:
		e.Receives--
		e.until = v.now.Add(v.later.After)
	case l.def.Backoff == nil:
		e.until = e.took.Add(l.visibility())
	case last:
		l.later.drop(e)
		l.giveUp(e, Exhausted, v.now)
		return
	default:
		e.until = v.now.Add(l.def.Backoff(e.Receives))
	}
	v.resting = append(v.resting, r)
	if v.until.IsZero() || e.until.Before(v.until) {
		v.until = e.until
	}
	e.rests = true
	q.file.rested(e)
	l.settle(e, v.now)
}

// tell makes one step of what went well and one of what did not.
func (v *verdict) tell() {
	q := v.c.queues
	data := map[string]any{"queue": v.c.Queue, "took_ms": float64(v.took) / float64(time.Millisecond)}
	if n := len(v.good); n > 0 {
		q.step(events.StepDelivered, v.c.Name, v.now, fmt.Sprintf("%d of %d messages handled in %v", n, n+len(v.resting), v.took.Round(10*time.Microsecond)), data, v.good...)
	}
	if n := len(v.resting); n > 0 {
		what, why := "messages", "the handler named them as failed"
		if n == 1 {
			what, why = "message", "the handler named it as failed"
		}
		if v.err != nil {
			why = v.err.Error()
		}
		data = maps.Clone(data)
		data["why"], data["due"] = why, v.until
		q.step(events.StepWaiting, v.c.Name, v.now, fmt.Sprintf("%d %s failed: %s; visible again in %v", n, what, why,
			v.until.Sub(v.now).Round(time.Millisecond)), data, v.resting...)
	}
}
