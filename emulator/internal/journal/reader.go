package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	fetchEntries = 256
	fetchBytes   = 1 << 20
	// patience is how long a reader waits for a message whose writer has been overtaken by another's. The engine has it already, but would
	// keep the megabytes around it in memory for ten seconds.
	patience = 20 * time.Millisecond
)

// streamReader takes entries out of the stream by JetStream's batched direct get: one request, an answer for each message and one
// that says how many are left. Nothing of it is kept in the engine, so that it cannot lag, expire or be in the way of others.
type streamReader struct {
	s      *Stream
	from   uint64
	topics []Topic
	inbox  *nats.Subscription
	msgs   chan *nats.Msg
}

func (s *Stream) reader(from uint64, topics []Topic) func() (reader, error) {
	return func() (reader, error) {
		if err := s.begin(); err != nil {
			return nil, err
		}
		defer s.calls.Done()
		// All the answers to one request fit in, as the connection drops what does not.
		r := &streamReader{s: s, from: max(from, 1), topics: topics, msgs: make(chan *nats.Msg, fetchEntries+1)}
		var err error
		if r.inbox, err = s.reads.ChanSubscribe(s.reads.NewInbox(), r.msgs); err != nil {
			return nil, fmt.Errorf("journal: read: %w", err)
		}
		return r, nil
	}
}

func (r *streamReader) close() { _ = r.inbox.Unsubscribe() } // fails only when the connection has ended

// getRequest is what $JS.API.DIRECT.GET takes.
type getRequest struct {
	Seq      uint64 `json:"seq"`
	NextFor  string `json:"next_by_subj,omitempty"`
	Batch    int    `json:"batch"`
	MaxBytes int    `json:"max_bytes"`
}

func (r *streamReader) next(ctx context.Context) (entries []Entry, more bool, err error) {
	changes := len(r.topics) == 1 && r.topics[0] == Changes
	if changes {
		if entries, then, ok := r.s.changes.next(r.from); ok {
			r.from = then
			return entries, false, r.ended(ctx)
		}
	}
	if entries, then := r.s.tail.next(r.from, r.topics); then > r.from {
		r.from = then
		return entries, then <= r.s.last.Load(), r.ended(ctx)
	}
	if r.from > r.s.last.Load() {
		return nil, false, r.ended(ctx)
	}
	if r.comes(ctx) {
		return nil, true, r.ended(ctx)
	}
	get := getRequest{Seq: r.from, Batch: fetchEntries, MaxBytes: fetchBytes}
	if changes { // the others may be mixed, and are told apart here
		get.NextFor = subjectPrefix + string(Changes)
	}
	body, err := json.Marshal(get)
	if err != nil {
		return nil, false, fmt.Errorf("journal: read: %w", err)
	}
	if err := r.s.reads.PublishRequest("$JS.API.DIRECT.GET."+streamName, r.inbox.Subject, body); err != nil {
		return nil, false, r.failed(err)
	}
	for {
		var m *nats.Msg
		select {
		case m = <-r.msgs:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-r.s.hub.ending:
			return nil, false, ErrClosed
		case <-r.s.lost:
			return nil, false, r.failed(nats.ErrConnectionClosed)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			if entries, err = r.add(entries, m); err != nil {
				return nil, false, fmt.Errorf("journal: read: %w", err)
			}
		case "204": // the end of the batch
			return entries, m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404":
			return nil, false, nil
		default:
			return nil, false, fmt.Errorf("journal: read: the engine says %s %s", status, m.Header.Get("Description"))
		}
	}
}

// comes waits for a message that is missing in the tail, and tells whether it is worth looking again.
func (r *streamReader) comes(ctx context.Context) bool {
	added := r.s.tail.coming(r.from)
	if added == nil {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for ; added != nil; added = r.s.tail.coming(r.from) {
		select {
		case <-added:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return true
		case <-r.s.hub.ending:
			return true
		}
	}
	return true
}

// add takes the entries out of an answer.
func (r *streamReader) add(entries []Entry, m *nats.Msg) ([]Entry, error) {
	seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return nil, err
	}
	r.from = seq + 1
	topic := Topic(strings.TrimPrefix(m.Header.Get(jetstream.SubjectHeader), subjectPrefix))
	if topic != mixed && len(r.topics) > 0 && !slices.Contains(r.topics, topic) {
		return entries, nil
	}
	message, err := unframe(nil, Entry{Seq: seq, Topic: topic}, m.Data)
	if err == nil && topic == mixed {
		err = unmix(message)
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", seq, err)
	}
	if len(r.topics) > 0 {
		return some(entries, message, r.topics), nil
	}
	return append(entries, message...), nil
}

// ended tells why a reader that has no need to ask the engine must stop.
func (r *streamReader) ended(ctx context.Context) error {
	select {
	case <-r.s.hub.ending:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

func (r *streamReader) failed(err error) error {
	select {
	case <-r.s.hub.ending:
		return ErrClosed
	default:
		return fmt.Errorf("journal: read: %w", err)
	}
}
