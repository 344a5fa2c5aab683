package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// What an event's story comes to beside Delivered, Lost and Skipped. Only the last two are no End.State.
const (
	DeadLettered = "dead-letter" // given up, and a queue for what is given up has it
	Waiting      = "waiting"     // in a batch or a queue, or for another attempt
	Unfired      = "unfired"     // no trigger wants it
	Unread       = "unread"      // the triggers have not read it yet
)

// End is where the event is now, by one trigger's way, or where it was last seen.
type End struct {
	State string `json:"state"` // Delivered, DeadLettered, Lost, Skipped or Waiting
	// Trigger and TriggerID are whose way it is; empty: the recording does not tell.
	Trigger   string `json:"trigger,omitempty"`
	TriggerID string `json:"trigger_id,omitempty"`
	Who       string `json:"who,omitempty"` // behind the trigger: the consumer of a queue, a function, a fault
	// Attempt at which it was delivered, or how many were made in vain; 0: unknown.
	Attempt    int       `json:"attempt,omitempty"`
	Until      time.Time `json:"until,omitzero"` // it waits; zero: unknown
	DeadLetter string    `json:"dead_letter,omitempty"`
	Text       string    `json:"text"` // all that in a sentence
}

// grave is higher the more somebody wants to know of it.
func grave(state string) int {
	return slices.Index([]string{Skipped, Delivered, Waiting, DeadLettered, Lost}, state)
}

// stage is what took over from a trigger: the consumer of a queue, or a function's own queue.
type stage struct {
	who, queue string
	state      string
	attempts   int
	failed     string // why, the last time
	due        time.Time
	dead       string
	text       string
	batch      *Batch // it waits in it
	taken      bool   // it is behind a trigger
}

// follow reads what is decided behind the triggers.
func (w *walk) follow(s events.Step, d details) {
	if s.What == events.StepFault && swallows(s.Data) {
		w.ends = append(w.ends, End{State: Lost, Who: s.Who, Text: faultText(s.Who, s.Text)})
	}
	if !chained(s.Room) {
		return
	}
	st := w.stage(s.Who, d.Queue)
	switch s.What {
	case events.StepDelivered:
		switch {
		case s.Room == "queue":
			st.state, st.text = Delivered, s.Text
			st.attempts++
		case st.state == Lost:
			st.state, st.dead = DeadLettered, lastPart(d.Target)
		}
	case events.StepLost:
		if s.Room == "lambda" && st.state == Lost { // nor was it handed over
			st.text = join(st.text, s.Text)
			return
		}
		st.state, st.text, st.dead = Lost, s.Text, d.DeadLetter
		st.attempts = cmp.Or(d.Receives, d.Tries, st.attempts)
		if st.dead != "" {
			st.state = DeadLettered
		}
	case events.StepSkipped:
		st.state, st.text = Skipped, s.Text
	case events.StepWaiting:
		st.state, st.text, st.due, st.batch = Waiting, s.Text, d.Due, nil
		if d.Of > 0 {
			st.batch = &Batch{Open: true, Waiting: d.Waiting, Of: d.Of, Due: d.Due}
			return
		}
		st.attempts++
		st.failed = cmp.Or(d.Why, s.Text)
	}
}

// chained are the rooms that hand an event on until it is delivered or given up.
func chained(room string) bool { return room == "queue" || room == "lambda" }

// swallows tells whether nobody tries again what this fault has hit.
func swallows(fault map[string]any) bool {
	return slices.Contains([]string{"drop", "torn"}, fmt.Sprint(fault["action"])) &&
		slices.Contains([]string{"publish", "match", "send"}, fmt.Sprint(fault["step"]))
}

// stage finds the one of a queue or of who reads it. Steps name one of them, or both.
func (w *walk) stage(who, queue string) *stage {
	for i := len(w.stages) - 1; i >= 0; i-- {
		st := w.stages[i]
		if queue != "" && st.queue == queue || st.queue == who || st.who == who && (queue == "" || st.queue == "") {
			st.queue = cmp.Or(st.queue, queue)
			if st.queue != who {
				st.who = who
			}
			return st
		}
	}
	st := &stage{who: who, queue: queue}
	w.stages = append(w.stages, st)
	return st
}

// finish says how it ends: for each trigger that fired, then for what is behind none that is known.
func (w *walk) finish() []End {
	for _, t := range w.triggers {
		if t.Fired {
			w.ends = append(w.ends, w.end(t))
		}
	}
	for _, st := range w.stages {
		if e := st.end(w.run.Now); !st.taken && e.State != "" {
			if e.State != Delivered || e.Attempt > 1 {
				e.Text = st.who + ": " + st.text
			} else {
				e.Text = st.who + " handled it"
			}
			w.ends = append(w.ends, e)
		}
	}
	slices.SortStableFunc(w.ends, func(a, b End) int { return cmp.Compare(grave(b.State), grave(a.State)) })
	return w.ends
}

// end is the worst that came of a trigger's actions.
func (w *walk) end(t *Trigger) End {
	worst := End{State: Waiting}
	for i, d := range t.Deliveries {
		e := d.end(t.name(), w.run.Now)
		if d.What == Delivered && d.target != "" {
			w.behind(&e, t, d)
		}
		if i == 0 || grave(e.State) > grave(worst.State) {
			worst = e
		}
	}
	if len(t.Deliveries) == 0 {
		text := "its target has not taken it yet"
		if t.Batch != nil {
			text = t.Batch.sentence()
			if t.Batch.Open {
				worst.Until = t.Batch.Due
			}
		}
		worst.Text = t.name() + " fired, and " + text
	}
	worst.Trigger, worst.TriggerID = t.name(), t.ID
	return worst
}

// behind goes on with what has taken over from a trigger.
func (w *walk) behind(e *End, t *Trigger, d Delivery) {
	i := slices.IndexFunc(w.stages, func(st *stage) bool { return st.state != "" && (st.queue == d.target || st.who == d.target) })
	if i < 0 {
		return
	}
	st := w.stages[i]
	st.taken = true
	*e = st.end(w.run.Now)
	switch e.State {
	case Delivered:
		e.Text = t.name() + " fired: " + d.sentence() + ", and " + st.who + " handled it"
		if e.Attempt > 1 {
			e.Text += fmt.Sprintf(" at attempt %d", e.Attempt)
		}
		if st.failed != "" {
			e.Text += "; before that it failed: " + st.failed
		}
	default:
		e.Text = t.name() + " fired, and " + e.Text
	}
}

// end is where a stage has it; its Text goes behind "T fired, and".
func (st *stage) end(now time.Time) End {
	e := End{State: st.state, Who: st.who, Attempt: st.attempts, DeadLetter: st.dead}
	why := st.who + ": " + st.text
	if st.failed != "" {
		why += "; the last time it failed: " + st.failed
	}
	switch st.state {
	case Waiting:
		e.Until = st.due
		if b := st.batch; b != nil {
			if !now.IsZero() {
				b.Left = max(0, b.Due.Sub(now))
			}
			e.Text = b.sentence() + "; then " + st.who + " gets it"
			break
		}
		e.Text = "the event waits"
		if st.queue != "" {
			e.Text += " in the queue " + st.queue
		}
		e.Text += fmt.Sprintf(" for its next attempt%s: %s failed at attempt %d: %s", due(st.due, now), st.who, st.attempts, st.failed)
	case DeadLettered:
		e.Text = "the event was given up, but the dead-letter queue " + st.dead + " has it: " + why
	case Lost:
		e.Text = "the event is lost: " + why
	case Skipped:
		e.Text = "the filter of " + st.who + " leaves the event out: " + st.text
	}
	return e
}

// end is where an action's delivery ends.
func (d Delivery) end(trigger string, now time.Time) End {
	e := End{State: d.What, Attempt: d.Attempts, DeadLetter: d.DeadLetter, Text: trigger + " fired, and " + d.sentence()}
	switch {
	case d.What == Delivered:
		e.Attempt = max(1, d.Attempts)
		e.Text = trigger + " fired: " + d.sentence()
	case d.What == Lost && d.DeadLetter != "":
		e.State = DeadLettered
		e.Text = trigger + " fired, and the event was given up, but the dead-letter queue " + d.DeadLetter + " has it: " + d.Text
	case d.What == Retrying:
		e.State, e.Until = Waiting, d.Next
		e.Text = trigger + " fired, and the event waits for its next attempt" + due(d.Next, now) + ": " + d.Text
	}
	return e
}

// due says how long it is until then.
func due(at, now time.Time) string {
	switch {
	case at.IsZero() || now.IsZero():
		return ""
	case !at.After(now):
		return ", which is due"
	}
	return ", due in " + seconds(at.Sub(now))
}

// outcome is the worst end, or why there is none.
func (x Explanation) outcome() string {
	switch {
	case x.Dry:
		return ""
	case len(x.Ends) > 0:
		return x.Ends[0].State
	case x.Pending:
		return Unread
	}
	return Unfired
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func faultText(who, text string) string { return "an injected fault, " + who + ": " + text }
