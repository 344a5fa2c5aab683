// Package fault decides what goes wrong, where, and how often.
//
// A fault names a step of the walk, what has to pass there, and an action. Whoever stands at a step asks the room At each passage, and does
// what it is told; drop, delay, duplicate and reorder are done by Pass, or by Stay where the caller waits.
//
// The same faults with the same seeds decide the same about the same passages. For a share that does not depend on the order of what passes:
// a passage is known by its trigger, function, path, connection, call and events, and by how many such have passed. After and Next count what
// passes in its order; where several pass side by side, a filter must say which is meant, as Connection "#2" does.
package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Step is a place on the walk where something can go wrong.
type Step string

// The steps, in the order of the walk.
const (
	Registry   Step = "registry"   // a request below /v2/ is answered
	Publish    Step = "publish"    // a record is on its way from the journal to all triggers
	Match      Step = "match"      // a trigger gets an event that it wants
	Invoke     Step = "invoke"     // a function is called: by a trigger, a queue, a gateway or an API
	API        Step = "api"        // a function, or whoever calls like one, asks @connections, ConnectionService, DynamoDB or SQS
	Send       Step = "send"       // a gateway takes a message: for one connection, or for all of a path
	Connection Step = "connection" // a socket is let in
)

// Action is what goes wrong.
type Action string

// The actions. Which of them a step allows, Steps tells.
const (
	Drop           Action = "drop"            // it does not pass
	Delay          Action = "delay"           // it passes Fault.Delay later; what comes meanwhile overtakes it
	Duplicate      Action = "duplicate"       // it passes twice
	Reorder        Action = "reorder"         // it passes after the next that the fault is for, or after Fault.Delay at the latest
	Error          Action = "error"           // it is answered with Fault.Code
	Torn           Action = "torn"            // its frame is cut in the middle, and the connection with it
	Slow           Action = "slow"            // the client reads nothing any more
	Close          Action = "close"           // the connection is closed with Fault.Code
	Crash          Action = "crash"           // the function is killed when it has done its work, before its answer is in
	LateDisconnect Action = "late-disconnect" // the function or integration for disconnects hears of it Fault.Delay later
)

// Timeout is the code of an error that is no answer, until the caller gives up.
const Timeout Code = "timeout"

// Code says which error: an HTTP status or Timeout; or which close: a code of RFC 6455.
type Code string

// UnmarshalJSON reads a number or a string.
func (c *Code) UnmarshalJSON(data []byte) error {
	*c = Code(bytes.Trim(data, `"`))
	return nil
}

// MarshalJSON writes a number where it is one.
func (c Code) MarshalJSON() ([]byte, error) {
	if n, err := strconv.Atoi(string(c)); err == nil {
		return json.Marshal(n)
	}
	return json.Marshal(string(c))
}

// Fault is one thing that goes wrong. Zero fields of its filter are for everything. Filters are globs: * is any text, ? any
// character. Of a passage that has several events, one must fit.
type Fault struct {
	ID   string // empty: Add makes one
	Step Step

	Trigger    string // id or name
	Function   string // id or name
	Gateway    string // id of a gateway or WebSocket API
	Path       string // of the gateway, or / and the API's stage
	Connection string // id; or "#2": the second that was opened since there is the fault. What is sent to all of a path is for no connection
	Repository string // without the registry's id
	Type       string // of the event, as the cloud has it or as `regcast emit` has it
	Event      string // id
	API        string // "dynamodb.PutItem", "sqs.SendMessage", "connections.PostToConnection", "connections.Send", …

	Share float64 // of what passes, 0 to 1; 0: all
	Next  int     // so many times, then never again; 0: without end
	After int     // the first so many pass unharmed
	Seed  uint64  // of Share's dice; 0: Options.Seed

	Action Action
	Delay  time.Duration // by the house's clock. Reorder: 0 is one second. Close, drop and torn of a connection: after it has opened
	Code   Code
}

// wire is Fault as JSON and files have it.
type wire struct {
	ID         string  `json:"id,omitempty"`
	Step       Step    `json:"step"`
	Action     Action  `json:"action"`
	Code       Code    `json:"code,omitempty"`
	Delay      string  `json:"delay,omitempty"`
	Trigger    string  `json:"trigger,omitempty"`
	Function   string  `json:"function,omitempty"`
	Gateway    string  `json:"gateway,omitempty"`
	Path       string  `json:"path,omitempty"`
	Connection string  `json:"connection,omitempty"`
	Repository string  `json:"repository,omitempty"`
	Type       string  `json:"type,omitempty"`
	Event      string  `json:"event,omitempty"`
	API        string  `json:"api,omitempty"`
	Share      float64 `json:"share,omitempty"`
	Next       int     `json:"next,omitempty"`
	After      int     `json:"after,omitempty"`
	Seed       uint64  `json:"seed,omitempty"`
}

// MarshalJSON writes the delay as Go spells durations: "1.5s".
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(f.wire()) }

func (f Fault) wire() wire {
	w := wire{
		ID: f.ID, Step: f.Step, Action: f.Action, Code: f.Code,
		Trigger: f.Trigger, Function: f.Function, Gateway: f.Gateway, Path: f.Path, Connection: f.Connection,
		Repository: f.Repository, Type: f.Type, Event: f.Event, API: f.API,
		Share: f.Share, Next: f.Next, After: f.After, Seed: f.Seed,
	}
	if f.Delay != 0 {
		w.Delay = f.Delay.String()
	}
	return w
}

// UnmarshalJSON reads what MarshalJSON has written.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	*f = Fault{
		ID: w.ID, Step: w.Step, Action: w.Action, Code: w.Code,
		Trigger: w.Trigger, Function: w.Function, Gateway: w.Gateway, Path: w.Path, Connection: w.Connection,
		Repository: w.Repository, Type: w.Type, Event: w.Event, API: w.API,
		Share: w.Share, Next: w.Next, After: w.After, Seed: w.Seed,
	}
	if w.Delay != "" {
		var err error
		if f.Delay, err = time.ParseDuration(w.Delay); err != nil {
			return fmt.Errorf("fault: delay: %w", err)
		}
	}
	return nil
}

// What says the action with its value, as "delay 2s" or "error 429".
func (f Fault) What() string {
	what := string(f.Action)
	if f.Code != "" {
		what += " " + string(f.Code)
	}
	if f.Delay != 0 {
		what += " " + f.Delay.String()
	}
	return what
}

// Where says what the fault is for, as "path=/ws event=crp…"; empty: for all.
func (f Fault) Where() string {
	var parts []string
	for _, p := range f.filters() {
		if *p.value != "" {
			parts = append(parts, p.name+"="+*p.value)
		}
	}
	return strings.Join(parts, " ")
}

type filter struct {
	name  string
	value *string
}

func (f *Fault) filters() []filter {
	return []filter{
		{"trigger", &f.Trigger}, {"function", &f.Function}, {"gateway", &f.Gateway}, {"path", &f.Path}, {"connection", &f.Connection},
		{"repository", &f.Repository}, {"type", &f.Type}, {"event", &f.Event}, {"api", &f.API},
	}
}
