package explain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// walk gathers what the steps of an event say of each trigger.
type walk struct {
	run      Run
	matched  bool // the triggers have read the event
	triggers []*Trigger
	stages   []*stage
	ends     []End
	further  []Further
}

// details is what the steps that are read here have in Data.
type details struct {
	TriggerID string   `json:"trigger_id"`
	Triggers  []string `json:"triggers"` // names
	IDs       []string `json:"trigger_ids"`
	Near      []struct {
		Trigger string `json:"trigger"`
		ID      string `json:"trigger_id"`
		Why     string `json:"why"`
		events.Miss
	} `json:"near"`

	Waiting  int       `json:"waiting"`
	N        int       `json:"n"`
	Of       int       `json:"of"`
	Due      time.Time `json:"due"`
	Why      string    `json:"why"`
	WaitedMS float64   `json:"waited_ms"`

	Action      *int         `json:"action"`
	Miss        *events.Miss `json:"miss"`
	Attempt     int          `json:"attempt"`
	DeadLetter  string       `json:"dead_letter_queue"`
	Connections *int         `json:"connections"`

	Target   string `json:"target"` // an ARN
	Queue    string `json:"queue"`
	Receives int    `json:"receives"`
	Tries    int    `json:"tries"`
}

func detailsOf(s events.Step) details {
	var d details
	if data, err := json.Marshal(s.Data); err == nil {
		_ = json.Unmarshal(data, &d) // what has another type is left out, and the text says it
	}
	return d
}

// trigger finds the one with an id or, where a step has none, with a name.
func (w *walk) trigger(id, name string) *Trigger {
	for _, t := range w.triggers {
		if id != "" && t.ID == id || t.Name == name && (id == "" || t.ID == "") {
			t.ID = cmp.Or(t.ID, id)
			return t
		}
	}
	t := &Trigger{ID: id, Name: cmp.Or(name, id)}
	w.triggers = append(w.triggers, t)
	return t
}

func (w *walk) step(s events.Step) {
	if s.Room != "trigger" {
		w.further = append(w.further, Further{At: s.At, Room: s.Room, What: s.What, Who: s.Who, Text: s.Text})
		w.follow(s, detailsOf(s))
		return
	}
	d := detailsOf(s)
	if s.What == events.StepMatched || s.What == events.StepUnmatched {
		w.match(d)
		return
	}
	if d.TriggerID == "" && s.Who == "" {
		w.further = append(w.further, Further{At: s.At, Room: s.Room, What: s.What, Text: s.Text})
		return
	}
	t := w.trigger(d.TriggerID, s.Who)
	switch s.What {
	case events.StepWaiting:
		t.Batch = &Batch{Waiting: d.Waiting, Of: d.Of, Open: true, Due: d.Due}
	case events.StepBatched:
		b := &Batch{Waiting: d.N, Of: d.Of, Went: s.At, Why: d.Why, Text: s.Text, Waited: time.Duration(d.WaitedMS * float64(time.Millisecond))}
		for _, id := range s.Events {
			if id != w.run.Event.ID {
				b.With = append(b.With, id)
			}
		}
		t.Batch = b
	case events.StepSkipped:
		action := -1
		if d.Action != nil {
			action = *d.Action
		}
		w.outcome(t, Delivery{Action: action, What: Skipped, Text: s.Text, At: s.At, Miss: d.Miss})
	case events.StepDelivered, events.StepLost:
		if d.Action == nil {
			break // paused: the match has said so
		}
		w.outcome(t, Delivery{
			Action: *d.Action, What: s.What, Text: s.Text, At: s.At, Events: len(s.Events), Attempts: d.Attempt, DeadLetter: d.DeadLetter,
			Connections: d.Connections, target: lastPart(d.Target),
		})
	case "retry":
		w.retry(t, s, d)
	default:
		t.Note = join(t.Note, s.Text)
	}
}

func (w *walk) match(d details) {
	w.matched = true
	for i, name := range d.Triggers {
		id := ""
		if i < len(d.IDs) {
			id = d.IDs[i]
		}
		w.trigger(id, name).Fired = true
	}
	for _, n := range d.Near {
		miss := n.Miss
		if miss.Field == "" && miss.Hint == "" {
			miss.Hint = n.Why
		}
		t := w.trigger(n.ID, n.Trigger)
		t.Miss = &miss
	}
}

// outcome ends an action's delivery, whose attempts may have been told of before.
func (w *walk) outcome(t *Trigger, d Delivery) {
	for i, old := range t.Deliveries {
		if old.What == Retrying {
			d.Retries = old.Retries
		} else if old.Action != d.Action {
			continue // what is told twice was handed on again after a restart
		}
		t.Deliveries[i] = d
		return
	}
	t.Deliveries = append(t.Deliveries, d)
}

func (w *walk) retry(t *Trigger, s events.Step, d details) {
	i := slices.IndexFunc(t.Deliveries, func(d Delivery) bool { return d.What == Retrying })
	if i < 0 {
		i = len(t.Deliveries)
		t.Deliveries = append(t.Deliveries, Delivery{Action: -1, What: Retrying, Events: len(s.Events)})
	}
	of := &t.Deliveries[i]
	of.At, of.Text, of.Next, of.Attempts = s.At, s.Text, d.Due, d.Attempt-1
	of.Retries = append(of.Retries, s.Text)
}

// ask adds what the triggers say now.
func (w *walk) ask() {
	said := make(map[*Trigger]bool)
	for _, t := range w.triggers {
		said[t] = true
	}
	there := make(map[*Trigger]bool)
	for _, v := range w.run.Verdicts {
		t := w.trigger(v.ID, cmp.Or(v.Name, v.ID))
		there[t] = true
		t.About = v.About
		switch {
		case !said[t]:
			w.unsaid(t, v)
		case t.Fired && v.Miss != nil:
			t.Miss, t.Note = v.Miss, join(t.Note, "it would not fire now")
		case !t.Fired && v.Miss == nil:
			t.Note = join(t.Note, "it wants such an event now: it was changed or resumed since")
		}
	}
	for _, t := range w.triggers {
		if w.run.Verdicts != nil && !there[t] {
			t.Note = join(t.Note, "it is not there any more")
		}
		w.beside(t)
	}
}

// unsaid is of a trigger that the steps do not name.
func (w *walk) unsaid(t *Trigger, v Verdict) {
	t.Miss = v.Miss
	switch {
	case v.Miss != nil:
	case w.matched:
		t.Note = "it wants such an event now: it was made or changed since"
	default:
		t.Fired = w.run.Dry
	}
	if !w.run.Dry {
		return
	}
	for i, miss := range v.Skips {
		if miss != nil {
			t.Deliveries = append(t.Deliveries, Delivery{Action: i, What: Skipped, Text: miss.String(), Miss: miss})
		}
	}
	if t.Fired && len(v.Skips) > 0 && len(t.Deliveries) == len(v.Skips) {
		t.Silent, t.Note = true, "the filter of every action leaves it out"
	}
}

// beside tells of another event of the same record that has what this one lacks.
func (w *walk) beside(t *Trigger) {
	if t.Miss == nil || t.Fired {
		return
	}
	field, want := t.Miss.Field, strings.Split(t.Miss.Want, ", ")
	for _, e := range w.run.Record.Events {
		if e.ID == w.run.Event.ID || e.Source != w.run.Event.Source {
			continue
		}
		hint := ""
		switch {
		case field == events.FieldType && slices.Contains(want, e.Type):
			hint = fmt.Sprintf("the %s that came with it is %s", e.Type, e.ID)
		case field == "tag" && t.Miss.Got == "none" && e.Change.Tag != "" && strings.HasSuffix(e.Type, "-tag"):
			hint = fmt.Sprintf("the tag %s is on the %s that came with it, %s", e.Change.Tag, e.Type, e.ID)
		}
		if hint != "" {
			miss := *t.Miss // the verdict's own stays as it is
			miss.Hint = join(miss.Hint, hint)
			t.Miss = &miss
			return
		}
	}
}

// close reckons what is left until the batch goes.
func (w *walk) close(t *Trigger) {
	b := t.Batch
	if b == nil || !b.Open {
		return
	}
	if len(t.Deliveries) > 0 { // before there were steps of batches, or the house was killed between
		b.Open = false
		return
	}
	if !w.run.Now.IsZero() {
		b.Left = max(0, b.Due.Sub(w.run.Now))
	}
}

func join(a, b string) string {
	if a == "" || a == b {
		return b
	}
	if b == "" {
		return a
	}
	return a + "; " + b
}
