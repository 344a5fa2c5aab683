// Package broadcast takes a batch of registry events and posts to every connection those that it wants. It is the one logic behind the
// functions of both clouds.
//
// A batch is a Yandex trigger's {"messages":[…]}, an event of EventBridge as it comes directly, or a batch of SQS whose bodies are
// either. A connection receives one message a batch, with the events it wants in the batch's order; when that is over the clouds'
// 128 KB, several in order, and never one after another has failed. So the order of a repository's events holds within a batch for
// each connection. Two invocations at once know nothing of each other.
//
// Delivery is at least once: what is not finished in time, or not taken, is handed back and comes again to every connection that wants
// it. Event IDs tell a client what it has had.
package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/functions/gateway"
	"github.com/regcast/regcast/functions/store"
)

// Gateway posts to connections.
type Gateway interface {
	Message(text []byte) gateway.Message
	Post(ctx context.Context, connection string, m gateway.Message) error
}

// Store knows the connections.
type Store interface {
	Candidates(ctx context.Context, repositories []string) ([]store.Connection, error)
	Forget(ctx context.Context, gone []store.Connection) error
}

// Options of New. Store and Gateway are needed.
type Options struct {
	Store       Store
	Gateway     Gateway
	Format      Format        // empty: Yandex
	Concurrency int           // posts at a time; zero: 64
	Attempts    int           // posts of one message to one connection while the gateway is busy; zero: 5
	Timeout     time.Duration // of one batch where the context has no deadline; zero: none
	Margin      time.Duration // left of the deadline for the answer; zero: 500 ms
	Log         *slog.Logger  // nil: nothing is logged
	RequestID   func(context.Context) string

	Now    func() time.Time                           // nil: time.Now
	Wait   func(context.Context, time.Duration) error // nil: a timer
	Jitter func() float64                             // in [0, 1); nil: math/rand
}

// Broadcast handles batches. It is safe for concurrent use and keeps nothing between them.
type Broadcast struct{ o Options }

// New makes a Broadcast.
func New(o Options) *Broadcast {
	if o.Format == "" {
		o.Format = Yandex
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 64
	}
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.Margin <= 0 {
		o.Margin = 500 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.RequestID == nil {
		o.RequestID = func(context.Context) string { return "" }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return &Broadcast{o}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Summary is what became of a batch.
type Summary struct {
	Events      int `json:"events"`      // each ID once
	Connections int `json:"connections"` // that want at least one of them
	Posts       int `json:"posts"`       // taken by the gateway
	Gone        int `json:"gone"`        // connections that are no more; their rows are deleted
	Early       int `json:"early"`       // connections that are not open yet
	Rejected    int `json:"rejected"`    // messages that the gateway will not take; events over its limit are in Oversize
	Oversize    int `json:"oversize"`    // events too large for any connection
	Ignored     int `json:"ignored"`     // events that no wish can mean: failed actions, changes of storage class
	Unread      int `json:"unread"`      // messages of the queue that are no batch
	Unfinished  int `json:"unfinished"`  // events that come again
}

// Unfinished is the error of a batch that did not come from a queue, so that its source sends it again.
type Unfinished struct {
	Events []string // their IDs
	Of     int
	Cause  error // the first one
}

func (u *Unfinished) Error() string {
	return fmt.Sprintf("broadcast: %d of %d events are not finished: %s: %v", len(u.Events), u.Of, strings.Join(first(u.Events, 20), ", "), u.Cause)
}

func (u *Unfinished) Unwrap() error { return u.Cause }

// Invoke handles one batch. It has the form of a handler of Lambda and of Yandex Cloud Functions. To a queue it answers which of its
// messages come again ({"batchItemFailures":[…]}, which the event source mapping must be told to read: ReportBatchItemFailures); to any
// other source with a Summary, or with an Unfinished error.
func (b *Broadcast) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	log := b.o.Log
	if id := b.o.RequestID(ctx); id != "" {
		log = log.With("request_id", id)
	}
	started := b.o.Now()
	batch, err := decode(payload)
	if err != nil {
		log.Error("batch is not read", "error", err)
		return nil, err
	}
	for _, bad := range batch.bad {
		log.Error("message of the queue is not read", "message_id", bad.item, "error", bad.err)
	}
	d := &delivery{Options: b.o, log: log, batch: batch, unfinished: make([]bool, len(batch.events))}
	d.run(ctx)

	s := d.summary
	s.Events, s.Ignored, s.Unread = len(batch.events), len(batch.ignored), len(batch.bad)
	var left []string
	failed := map[string]bool{}
	for i, e := range batch.events {
		if d.unfinished[i] {
			left = append(left, e.id)
			for _, id := range e.items {
				failed[id] = true
			}
		}
	}
	s.Unfinished = len(left)
	for _, bad := range batch.bad {
		failed[bad.item] = true
	}
	level := slog.LevelInfo
	if s.Unfinished > 0 {
		level = slog.LevelWarn
	}
	log.Log(ctx, level, "broadcast", "event_ids", first(ids(batch.events), 100), "ignored_events", first(batch.ignored, 20), "unfinished", first(left, 100),
		"cause", d.cause, "counts", s, "ms", b.o.Now().Sub(started).Milliseconds())
	if batch.queued {
		return partial(failed)
	}
	if len(left) > 0 {
		return nil, &Unfinished{left, len(batch.events), d.cause}
	}
	return json.Marshal(s)
}

// partial says to SQS which of its messages come again.
func partial(failed map[string]bool) ([]byte, error) {
	type failure struct {
		ID string `json:"itemIdentifier"`
	}
	failures := []failure{}
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		failures = append(failures, failure{id})
	}
	return json.Marshal(map[string]any{"batchItemFailures": failures})
}

func ids(events []event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.id
	}
	return all
}

func first(list []string, n int) []string {
	if len(list) > n {
		return append(list[:n:n], fmt.Sprintf("… %d more", len(list)-n))
	}
	return list
}
