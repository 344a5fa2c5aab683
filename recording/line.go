package recording

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/events"
)

// Line is one thing that happened. Exactly one of its parts is set.
type Line struct {
	// Seq is its position in the journal that it comes from. Lines that were written together share one.
	Seq uint64 `json:"seq,omitempty"`
	// At is when it happened, by the house's clock.
	At time.Time `json:"at"`

	Record     *events.Record `json:"record,omitempty"`     // what a registry changed, with the events in each cloud's words
	Step       *events.Step   `json:"step,omitempty"`       // a decision: matched or not, batched, delivered, lost, …
	Invocation *Invocation    `json:"invocation,omitempty"` // a function has answered, or will not any more
	Frame      *Frame         `json:"frame,omitempty"`      // a message to sockets, or from one
	Socket     *Socket        `json:"socket,omitempty"`     // a connection opened or closed
	Clock      *Clock         `json:"clock,omitempty"`      // somebody moved the clock
	Kept       *Kept          `json:"kept,omitempty"`       // a client has made, changed or deleted something
	End        *End           `json:"end,omitempty"`        // the recording is complete; At is when it was ended

	raw []byte // as it was read
}

// Kind names the part that is set, as its JSON member is called; empty when none is that this version knows.
func (l Line) Kind() string {
	switch {
	case l.Record != nil:
		return "record"
	case l.Step != nil:
		return "step"
	case l.Invocation != nil:
		return "invocation"
	case l.Frame != nil:
		return "frame"
	case l.Socket != nil:
		return "socket"
	case l.Clock != nil:
		return "clock"
	case l.Kept != nil:
		return "kept"
	case l.End != nil:
		return "end"
	}
	return ""
}

// Invocation is one run of a function.
type Invocation struct {
	ID         string    `json:"id"`               // the request id that the function was told
	Function   string    `json:"function"`         // its name
	Events     []string  `json:"events,omitempty"` // ids of the events inside the input, where the caller knows them
	Started    time.Time `json:"started"`          // by the house's clock
	Input      Payload   `json:"input"`
	Output     Payload   `json:"output"`
	Error      string    `json:"error,omitempty"` // empty: it answered. "Unhandled": the output is the error
	Log        []string  `json:"log,omitempty"`   // lines, without START, END and REPORT
	LogCut     int       `json:"log_cut,omitempty"`
	Omitted    int       `json:"omitted,omitempty"` // bytes of output and input that were too many to keep
	DurationMS float64   `json:"duration_ms"`       // of the handler, by the machine's clock
	InitMS     float64   `json:"init_ms,omitempty"` // of the environment's start; 0: it was warm
}

// Frame is a WebSocket message.
type Frame struct {
	Gateway string `json:"gateway"`        // id of the gateway, or of the WebSocket API
	Path    string `json:"path,omitempty"` // of the gateway, or the API's stage
	// Connection is empty for a broadcast to all that are open on the path.
	Connection string   `json:"connection,omitempty"`
	In         bool     `json:"in,omitempty"`     // the client sent it
	Sent       int      `json:"sent,omitempty"`   // connections that took it
	Binary     bool     `json:"binary,omitempty"` // not a text message
	Data       Payload  `json:"data"`
	Events     []string `json:"events,omitempty"` // ids of the events inside, where known
	// During are the invocations in flight when it was sent; when a function sent it, it was one of them.
	During []string `json:"during,omitempty"`
	Error  string   `json:"error,omitempty"` // why it was not taken: "gone", "slow", "too big", "busy"
}

// What a Socket line says.
const (
	Opened = "open"
	Closed = "close"
)

// Socket is news of a connection.
type Socket struct {
	What       string `json:"what"` // Opened or Closed
	Connection string `json:"connection"`
	Gateway    string `json:"gateway"`
	Path       string `json:"path,omitempty"` // as in Frame

	// Of an opened one: what the client asked for.
	URL         string              `json:"url,omitempty"`    // path and query as the client sent them, from the gateway's root
	Header      map[string][]string `json:"header,omitempty"` // without what every handshake has
	Subprotocol string              `json:"subprotocol,omitempty"`
	// Since is when it was opened, if that was before the recording began; Line.At is then where the recording begins.
	Since time.Time `json:"since,omitzero"`

	// Of a closed one.
	Code   int    `json:"code,omitempty"` // RFC 6455; 1006: the client vanished
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"` // "client", "gateway", "function"
}

// Clock tells of a clock that was moved. Line.At is the time after it.
type Clock struct {
	What  string        `json:"what"`            // "advance", "freeze", "resume", "speed"
	By    time.Duration `json:"by,omitempty"`    // of advance, in nanoseconds
	Speed float64       `json:"speed,omitempty"` // of speed: seconds a second
}

// Kept is a thing that clients make by an API and that stays: a resource of Yandex Cloud, a table, a fault.
type Kept struct {
	// Name is what it is, and its id: "resource.service-account.aje…", "table.wishes", "fault.f1".
	Name string `json:"name"`
	// Value is what it is from now on; none: it is deleted. Was is what it was before; none: it was not there.
	Value json.RawMessage `json:"value,omitempty"`
	Was   json.RawMessage `json:"was,omitempty"`
	// Omitted is how many bytes of both were too many to keep.
	Omitted int `json:"omitted,omitempty"`
}

// What the names of kept things begin with, where that matters to somebody; their ids follow.
const (
	KeptTable   = "table."
	KeptFault   = "fault."
	KeptTrigger = "resource.trigger."
	KeptGateway = "resource.api-gateway."
)

// End is the last line of a recording that was ended, not broken off.
type End struct {
	Lines int64 `json:"lines"` // before this one, without the header
}

// Payload is bytes as they were: a JSON string where they are UTF-8, else {"base64": "…"}.
type Payload []byte

// MarshalJSON writes p.
func (p Payload) MarshalJSON() ([]byte, error) {
	if utf8.Valid(p) {
		return json.Marshal(string(p))
	}
	return json.Marshal(struct {
		Base64 []byte `json:"base64"`
	}{p})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (p *Payload) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		*p = Payload(text)
		return nil
	}
	var binary struct {
		Base64 []byte `json:"base64"`
	}
	if err := json.Unmarshal(data, &binary); err != nil {
		return fmt.Errorf(`recording: payload: want a string or {"base64": "…"}: %w`, err)
	}
	*p = binary.Base64
	return nil
}
