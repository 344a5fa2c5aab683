// Package trigger decides what becomes of an event: match → window → pack → target.
//
// A trigger is a plain value that a façade compiles from its cloud's words. The engine reads records in order, finds the triggers
// that match each event by an index, and gives every trigger that has work one goroutine, which owns its open batch and its timer.
// Events leave a trigger in the order of the journal, at least once.
package trigger

import (
	"context"
	"time"

	"github.com/regcast/regcast/events"
)

// Trigger says which events go where, and in what groups.
type Trigger struct {
	ID   string
	Name string
	// About says for people what it wants and where that goes. The engine has no use for it.
	About  string
	Match  Match
	Window Window
	// Actions take each batch, one after another, in this order.
	Actions []Action
	// OneByOne hands on one batch at a time, each through all actions, and tells of it before the next: for targets that take long.
	// Otherwise batches that are ready together are handed on together.
	OneByOne bool
	// Paused triggers lose the events that come meanwhile, as the clouds' do.
	Paused bool
}

// Match is what the engine's index and predicate need. Empty strings match everything.
type Match struct {
	Source   string   // events.Event.Source
	Registry string   // events.Change.Registry
	Types    []string // events.Event.Type; at least one
	// Accept looks at what the index cannot. It returns nil when it accepts the event, else the first predicate that did not.
	// A nil Accept accepts everything.
	Accept func(events.Event) *events.Miss
	// Doc is where it is said how the cloud matches: an events.Miss.Doc.
	Doc string
}

// Window bounds a batch. It goes when it holds Count events or Bytes bytes of bodies, before an event that would take it over
// Bytes, or Cutoff after its first event was published: whichever is first. An event larger than Bytes goes alone.
type Window struct {
	Count  int           // at least 1
	Bytes  int           // 0: no bound
	Cutoff time.Duration // more than 0
}

// Action is one thing done with each batch.
type Action struct {
	// Keep returns why an event is left out of this action; nil: it is not. A nil Keep keeps all.
	Keep func(events.Event) *events.Miss
	// Pack makes the payload. An error loses the batch for this action.
	Pack   func([]events.Event) ([]byte, error)
	Target Target
}

// Delivery is one payload on its way to a target.
type Delivery struct {
	// Events are at least one, and not to be changed.
	Events  []events.Event
	Payload []byte
}

// Outcome is what became of a delivery. The zero value is: delivered, nothing to say.
type Outcome struct {
	Lost bool   // given up; the events are not tried again
	Text string // for people: "to 812 connections of d5d…/ws", or the reason of the loss
	Data map[string]any
}

// Target takes deliveries in order and answers one Outcome for each. While a call runs, later deliveries of the same trigger
// gather, and the next call takes them all: under load a target sees many at once and can join them. When ctx ends Deliver returns
// soon; what it then calls lost is handed on again after a restart. A Target that panics has lost what it was given.
type Target interface {
	Deliver(ctx context.Context, ds []Delivery) []Outcome
}
