// Package queue holds messages until somebody has dealt with them: visibility, retries, dead letters, and consumers that take batches.
// It speaks no cloud's wire; the façades word what consumers see.
//
// A message is visible, or delayed, or in flight: in somebody's hands, or resting after it was received in vain. It leaves by Delete,
// or when it is given up: received too often, or too old.
package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Errors of the room.
var (
	ErrNoQueue     = errors.New("queue: no such queue")
	ErrFull        = errors.New("queue: full")
	ErrGroup       = errors.New("queue: a message of a FIFO queue needs a group")
	ErrReceipt     = errors.New("queue: not a receipt")
	ErrNotInFlight = errors.New("queue: the message is not in flight by this receipt")
	ErrClosed      = errors.New("queue: closed")
)

// What holds where a definition says nothing.
const (
	Visibility  = 30 * time.Second
	Retention   = 4 * 24 * time.Hour
	Bytes       = 256 << 20 // of one queue
	Batch       = 10
	BatchBytes  = 6 << 20
	Concurrency = 5
)

// dedupFor is how long a FIFO queue knows a message again.
const dedupFor = 5 * time.Minute

// overhead is what a message costs in memory besides its bytes. It is counted, so that a queue's bound also bounds how many there are.
const overhead = 512

// Options are the room's doors; the zero value works.
type Options struct {
	Clock clock.Clock // nil: clock.Real
	// Dir is the folder that keeps what was sent; empty: memory alone. It belongs to one Queues at a time, which is for the caller to see
	// to. What Send has acknowledged survives a killed process. It is not synced for each Send, so a machine that dies may lose the end.
	// Whoever held a message when the process ended does not any more, and that receive does not count. A FIFO queue may take a message
	// for a new one that it deleted within the 5 minutes before.
	Dir string
	// Note takes the trace. It may block: then whoever noted waits.
	Note   func(events.Step)
	Random io.Reader // of message ids; nil: crypto/rand
}

// Queue is a definition. Name is unique.
type Queue struct {
	Name       string
	Visibility time.Duration // of a received message; 0: 30 s
	Delay      time.Duration // before a message can be received first
	Retention  time.Duration // 0: 4 days
	Wait       time.Duration // what Receive waits when it is not told
	// After MaxReceives receives that ended without a Delete a message is given up. 0: never.
	MaxReceives int
	// DeadLetter is the queue that takes what was received too often; empty, or no such queue: it is dropped, with a step.
	DeadLetter string
	// Dead, if there is one, takes whatever is given up, for any reason, in place of DeadLetter. The message is gone when Dead returns;
	// a process that is killed before hands it over again. It is called by one goroutine, one message at a time; ctx ends when Close runs
	// out of time.
	Dead func(ctx context.Context, r Received, why Reason)
	FIFO bool // order and one at a time per Group; sent once per Dedup within 5 minutes
	// Backoff says how long a message rests after a consumer received it n times in vain; it is then given up without a last rest. Nil:
	// it rests for what is left of its Visibility, and so does one that is then given up.
	Backoff func(n int) time.Duration
	// Bytes bounds what the queue holds: bodies, attributes and 512 bytes for each message. Over it Send says ErrFull and a dead letter
	// is dropped. 0: the constant Bytes.
	Bytes int64
}

// Reason is why a message was given up.
type Reason string

// The reasons.
const (
	Exhausted Reason = "exhausted" // received MaxReceives times
	Expired   Reason = "expired"   // older than Retention
)

// Message is what is sent. It must not be changed after that.
type Message struct {
	ID         string // given by Send
	Body       []byte
	Attributes map[string]Attribute // the sender's own
	Group      string               // FIFO
	Dedup      string               // FIFO; empty: the hash of the body
	Delay      time.Duration        // 0: the queue's; negative: none. A FIFO queue has its own for all
	Events     []string             // ids of the events inside, for the steps
}

// Attribute is a value with the name that the sender gave its type.
type Attribute struct {
	Type  string
	Value []byte
}

// Sent is what Send tells of a message. A message that a FIFO queue has had already has the ID and Sequence of that one.
type Sent struct{ ID, Sequence string }

// Received is a message in somebody's hands.
type Received struct {
	Message
	Receipt       string // names this receive: Delete and ChangeVisibility take it
	Receives      int    // this one included
	SentAt        time.Time
	FirstReceived time.Time
	Sequence      string // FIFO
	DeadOf        string // the queue that gave it up, in a dead-letter queue
}

// Counts says where a queue's messages are. Those that rest after a failure are in flight.
type Counts struct{ Visible, InFlight, Delayed int }

// Later is an error of a Consumer's Handle that puts the batch back for a while and does not count as a receive.
type Later struct {
	After time.Duration
	Err   error
}

func (l *Later) Error() string { return fmt.Sprintf("again in %v: %v", l.After, l.Err) }

// Unwrap returns the reason.
func (l *Later) Unwrap() error { return l.Err }

// GiveUp is an error of a Consumer's Handle that gives the batch up at once, however often it was received.
type GiveUp struct {
	Why Reason
	Err error
}

func (g *GiveUp) Error() string { return fmt.Sprintf("given up: %v", g.Err) }

// Unwrap returns the reason.
func (g *GiveUp) Unwrap() error { return g.Err }
