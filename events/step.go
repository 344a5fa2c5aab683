package events

import "time"

// Step is one decision on an event's way from the journal to a socket: what a person reads in `regcast trace`.
// There is one step per decision, never one per socket.
type Step struct {
	At time.Time `json:"at"`
	// Events are the IDs of the events the decision was about; none for news of a connection.
	Events []string `json:"events,omitempty"`
	Room   string   `json:"room"` // "trigger", "gateway"
	// What is the decision in one word: see the constants.
	What string `json:"what"`
	// Who is the trigger, or the gateway and path, that decided.
	Who string `json:"who,omitempty"`
	// Text says it in a sentence, with its reason.
	Text string `json:"text"`
	// Data holds the same as values, for programs.
	Data map[string]any `json:"data,omitempty"`
}

// What a step can say.
const (
	StepMatched   = "matched"   // a trigger wants the event
	StepUnmatched = "unmatched" // no trigger, or not this one, and why
	StepWaiting   = "waiting"   // in an open batch
	StepBatched   = "batched"   // a batch has left its window, and why
	StepSkipped   = "skipped"   // an action's filter said no
	StepDelivered = "delivered" // the target took it
	StepLost      = "lost"      // given up, and why
	StepClosing   = "closing"   // regcast stops: what is open is handed on
	StepClosed    = "closed"    // a connection was closed by the gateway, and why
	StepFault     = "fault"     // something goes wrong here on purpose
)
