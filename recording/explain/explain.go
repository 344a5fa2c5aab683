// Package explain says of an event why it went where it went: for every trigger and rule whether it fired, the first predicate that
// said no, what became of its batch and of each delivery, and why what is lost is lost.
//
// It is functions over what a journal or a recording holds; Find reads that from a recording.
package explain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// FieldState is the Miss.Field of rules that do nothing.
const FieldState = "state"

// Errors of looking something up.
var (
	ErrNoEvent   = errors.New("no such event")
	ErrNoTrigger = errors.New("no such trigger")
)

// Run is what is known of one event.
type Run struct {
	Seq         uint64        // of its record in the journal; 0: unknown
	Record      events.Record // that it came in
	Event       events.Event  // with its Change
	Steps       []events.Step // that name it, in their order
	Invocations []recording.Invocation
	Frames      []Frame
	// Verdicts are what the triggers that there are say of it at Now. Nil: nobody was asked, and the steps are all that is known.
	Verdicts []Verdict
	Now      time.Time // by the house's clock, or when the recording ends; zero: unknown
	Dry      bool      // nothing ran: the verdicts are all that is known
}

// Verdict is what a trigger says of an event.
type Verdict struct {
	ID, Name string
	About    string         // what it wants and where that goes
	Miss     *events.Miss   // the first predicate that said no; nil: it wants the event
	Skips    []*events.Miss // for each action, why its filter leaves the event out; nil: it does not
}

// Explanation is the answer.
type Explanation struct {
	Answer string `json:"answer"` // how it ended, in a sentence
	// Outcome is the worst of Ends: Delivered, DeadLettered, Lost, Skipped or Waiting; without ends Unfired or Unread. Empty: nothing ran.
	Outcome  string    `json:"outcome,omitempty"`
	Ends     []End     `json:"ends,omitempty"` // where it is now, the worst first
	Event    Event     `json:"event"`
	Triggers []Trigger `json:"triggers"` // those that fired first, then the nearest
	// Further is what other rooms than the triggers' decided about the event.
	Further     []Further    `json:"further,omitempty"`
	Invocations []Invocation `json:"invocations,omitempty"`
	Frames      []Frame      `json:"frames,omitempty"`
	Dry         bool         `json:"dry,omitempty"`     // nothing ran
	Pending     bool         `json:"pending,omitempty"` // the triggers have not read it yet
}

// Event is what is explained.
type Event struct {
	ID     string        `json:"id"`
	Source string        `json:"source"`
	Type   string        `json:"type"`
	Change events.Change `json:"change"`
	Seq    uint64        `json:"seq,omitempty"`
	At     time.Time     `json:"at,omitzero"` // when it was published
	Origin string        `json:"origin,omitempty"`
}

// Trigger is a trigger's or rule's part.
type Trigger struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name"`
	About string `json:"about,omitempty"`
	Fired bool   `json:"fired"`
	// Silent is one that fired, and the filters of all its actions leave the event out. Known of dry runs alone.
	Silent bool `json:"silent,omitempty"`
	// Miss is the first predicate that said no. Of one that fired: that would say no now.
	Miss *events.Miss `json:"miss,omitempty"`
	// Note says what has changed since, and what the cloud would not have done.
	Note       string     `json:"note,omitempty"`
	Batch      *Batch     `json:"batch,omitempty"`
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// Batch is where an event waited.
type Batch struct {
	Waiting int           `json:"waiting"` // events in it, as far as is known
	Of      int           `json:"of"`
	Open    bool          `json:"open"`             // it has not gone yet
	Due     time.Time     `json:"due,omitzero"`     // when it goes at the latest
	Left    time.Duration `json:"left,omitempty"`   // until then, in nanoseconds
	Went    time.Time     `json:"went,omitzero"`    // when it left its window
	Why     string        `json:"why,omitempty"`    // it did: "full", "bytes", "cutoff", "changed", "closing"
	Text    string        `json:"text,omitempty"`   // the same in words
	With    []string      `json:"with,omitempty"`   // ids of the other events in it
	Waited  time.Duration `json:"waited,omitempty"` // of its first event, in nanoseconds
}

// What became of a delivery.
const (
	Delivered = "delivered"
	Lost      = "lost"
	Skipped   = "skipped"  // the action's filter said no
	Retrying  = "retrying" // it failed, and is tried again at Next
)

// Delivery is what one action did with the event.
type Delivery struct {
	Action      int          `json:"action"` // from 0; -1: not known yet
	What        string       `json:"what"`   // Delivered, Lost, …
	Text        string       `json:"text"`   // to whom, or why not
	At          time.Time    `json:"at,omitzero"`
	Miss        *events.Miss `json:"miss,omitempty"` // of a filter
	Events      int          `json:"events,omitempty"`
	Attempts    int          `json:"attempts,omitempty"` // made
	Retries     []string     `json:"retries,omitempty"`  // why each was needed
	Next        time.Time    `json:"next,omitzero"`      // attempt
	DeadLetter  string       `json:"dead_letter,omitempty"`
	Connections *int         `json:"connections,omitempty"` // that a broadcast reached

	target string // the name of the queue or function that takes over
}

// Further is a decision behind the triggers.
type Further struct {
	At   time.Time `json:"at"`
	Room string    `json:"room"`
	What string    `json:"what"`
	Who  string    `json:"who,omitempty"`
	Text string    `json:"text"`
}

// Invocation is a run of a function with the event in it.
type Invocation struct {
	ID         string    `json:"id"`
	Function   string    `json:"function"`
	Started    time.Time `json:"started"`
	DurationMS float64   `json:"duration_ms"`
	Error      string    `json:"error,omitempty"`
	Output     string    `json:"output,omitempty"` // of one that failed
	Log        []string  `json:"log,omitempty"`    // of one that failed: its last lines
}

// Frame is a message to sockets with the event in it.
type Frame struct {
	Gateway    string `json:"gateway"`
	Path       string `json:"path,omitempty"`
	Connection string `json:"connection,omitempty"` // empty: a broadcast
	Sent       int    `json:"sent"`
	Bytes      int    `json:"bytes"`
	Error      string `json:"error,omitempty"`
	// Of is how many functions were in flight of which any may have sent it; 0: it is known who did.
	Of int `json:"of,omitempty"`
}

// logged is how many lines of a failed function's log are shown.
const logged = 5

// Explain answers.
func Explain(r Run) Explanation {
	x := Explanation{
		Event: Event{
			ID: r.Event.ID, Source: r.Event.Source, Type: r.Event.Type, Change: r.Event.Change, Seq: r.Seq, At: r.Record.At, Origin: r.Record.Origin,
		},
		Dry: r.Dry,
	}
	w := walk{run: r}
	for _, s := range r.Steps {
		w.step(s)
	}
	x.Pending = !r.Dry && !w.matched
	w.ask()
	for _, t := range w.triggers {
		w.close(t)
		x.Triggers = append(x.Triggers, *t)
	}
	if !r.Dry {
		x.Ends = w.finish()
	}
	slices.SortStableFunc(x.Triggers, func(a, b Trigger) int { return cmp.Compare(nearness(b), nearness(a)) })
	x.Further = w.further
	for _, i := range r.Invocations {
		out := Invocation{ID: i.ID, Function: i.Function, Started: i.Started, DurationMS: i.DurationMS, Error: i.Error}
		if i.Error != "" {
			out.Output, out.Log = string(i.Output), i.Log[max(0, len(i.Log)-logged):]
		}
		x.Invocations = append(x.Invocations, out)
	}
	x.Frames = r.Frames
	x.Outcome, x.Answer = x.outcome(), x.answer()
	return x
}

// Only leaves one trigger, by its name or id.
func (x Explanation) Only(trigger string) (Explanation, error) {
	var names []string
	for _, t := range x.Triggers {
		if t.Name == trigger || t.ID == trigger {
			x.Triggers = []Trigger{t}
			x.Ends = slices.DeleteFunc(slices.Clone(x.Ends), func(e End) bool {
				if e.Trigger == "" {
					return !t.Fired && !x.Pending
				}
				return e.Trigger != t.name() || e.TriggerID != t.ID
			})
			x.Outcome, x.Answer = x.outcome(), x.answer()
			return x, nil
		}
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return x, fmt.Errorf("%w: %q; there is %s", ErrNoTrigger, trigger, cmp.Or(strings.Join(names, ", "), "none"))
}

// Fired tells whether any trigger wants the event and hands it on.
func (x Explanation) Fired() bool {
	return slices.ContainsFunc(x.Triggers, func(t Trigger) bool { return t.Fired && !t.Silent })
}

// foreign tells whether a trigger is of another cloud than the event.
func (t Trigger) foreign() bool {
	return !t.Fired && t.Miss != nil && t.Miss.Field == events.FieldCloud
}

// nearness is higher the further a trigger was from saying no.
func nearness(t Trigger) int {
	switch {
	case t.Fired:
		return 100
	case t.Miss == nil:
		return 0
	}
	switch t.Miss.Field {
	case events.FieldCloud:
		return 1
	case events.FieldRegistry:
		return 2
	case events.FieldType:
		return 3
	case events.FieldPaused:
		return 10
	case FieldState:
		return 2
	}
	nearly := func(m events.Miss) bool { return m.Hint != "" }
	if t.Miss.Field != "" && (nearly(*t.Miss) || slices.ContainsFunc(t.Miss.Either, nearly)) {
		return 5
	}
	return 4
}
