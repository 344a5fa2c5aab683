package trigger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// house is an engine with a tape to read from, and a memory of what came out of it.
type house struct {
	*trigger.Engine
	t     testing.TB
	is    *is.I
	clock *clock.Manual
	tape  chan events.Record
	ran   chan error
	last  uint64 // records put on the tape
	late  bool   // the test closes it without giving it time

	mu    sync.Mutex
	seq   uint64 // records read
	done  []uint64
	heard map[uint64]chan struct{} // closed when the record is done
	steps []events.Step
}

// open starts an engine that is closed, with its open batches sent, at the end of the test.
func open(t testing.TB, o trigger.Options) *house {
	t.Helper()
	h := &house{t: t, is: is.New(t), clock: clock.NewManual(start), tape: make(chan events.Record, 1<<16), ran: make(chan error, 1),
		heard: map[uint64]chan struct{}{}}
	if o.Clock == nil {
		o.Clock = h.clock
	}
	if o.Next == nil {
		o.Next = h.next
	}
	done := o.Done
	o.Done = func(seq uint64) {
		if done != nil {
			done(seq)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.done = append(h.done, seq)
		close(h.hearing(seq)) // a second time panics: Done is called once
	}
	note := o.Note
	o.Note = func(s events.Step) {
		if note != nil {
			note(s)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.steps = append(h.steps, s)
	}
	h.Engine = trigger.New(o)
	go func() { h.ran <- h.Run(context.Background()) }()
	t.Cleanup(func() {
		err := h.Close(context.Background())
		h.is.True(err == nil || h.late)
		h.is.NoErr(<-h.ran)
	})
	return h
}

func (h *house) next(ctx context.Context) (uint64, events.Record, error) {
	select {
	case r := <-h.tape:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.seq++
		return h.seq, r, nil
	case <-ctx.Done():
		return 0, events.Record{}, ctx.Err()
	}
}

// emit puts one record on the tape and returns its position.
func (h *house) emit(es ...events.Event) uint64 {
	h.last++
	seq := h.last // what comes of the record may emit others
	h.tape <- events.Record{Events: es}
	return seq
}

func (h *house) set(t trigger.Trigger) {
	h.t.Helper()
	h.is.NoErr(h.Set(t))
}

// quiet waits until everything on the tape is read and handed on, but for open batches.
func (h *house) quiet() {
	h.t.Helper()
	h.is.NoErr(h.Quiet(context.Background(), h.last))
}

// pass lets time pass once everything is read, and what that sets off happen.
func (h *house) pass(d time.Duration) {
	h.t.Helper()
	h.quiet()
	h.clock.Advance(d)
	h.quiet()
}

// hearing needs h.mu.
func (h *house) hearing(seq uint64) chan struct{} {
	c, ok := h.heard[seq]
	if !ok {
		c = make(chan struct{})
		h.heard[seq] = c
	}
	return c
}

func (h *house) awaitDone(seq uint64) {
	h.mu.Lock()
	c := h.hearing(seq)
	h.mu.Unlock()
	<-c
}

func (h *house) isDone() []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.done))
}

// said returns the trace in short: what, who and text of each step.
func (h *house) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.steps {
		out = append(out, strings.Join([]string{s.What, s.Who, s.Text}, "|"))
	}
	return out
}

// event makes an event of a type on a registry.
func event(id, kind, registry string) events.Event {
	return events.Event{
		ID: id, Source: "cloud", Type: kind, Body: json.RawMessage(fmt.Sprintf("%q", id)),
		Change: events.Change{Registry: registry},
	}
}

func push(id string) events.Event { return event(id, "push", "r1") }

// pushes makes n events with ids from 1.
func pushes(n int) []events.Event {
	var es []events.Event
	for i := range n {
		es = append(es, push(fmt.Sprint(i+1)))
	}
	return es
}

// simple makes a trigger on pushes to r1 that sends batches of count to a target.
func simple(id string, count int, target trigger.Target) trigger.Trigger {
	return trigger.Trigger{
		ID:      id,
		Match:   trigger.Match{Source: "cloud", Registry: "r1", Types: []string{"push"}},
		Window:  trigger.Window{Count: count, Cutoff: 10 * time.Second},
		Actions: []trigger.Action{{Pack: pack, Target: target}},
	}
}

func pack(es []events.Event) ([]byte, error) { return []byte(strings.Join(ids(es), " ")), nil }

func ids(es []events.Event) []string {
	var out []string
	for _, e := range es {
		out = append(out, e.ID)
	}
	return out
}

// sink is a target that remembers payloads, call by call. When hold is set, each call tells that it began and waits to be let go.
type sink struct {
	hold chan chan struct{}

	mu    sync.Mutex
	calls [][]string
}

func (s *sink) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	s.mu.Lock()
	var payloads []string
	for _, d := range ds {
		payloads = append(payloads, string(d.Payload))
	}
	s.calls = append(s.calls, payloads)
	s.mu.Unlock()
	out := make([]trigger.Outcome, len(ds))
	if s.hold != nil {
		goOn := make(chan struct{})
		s.hold <- goOn
		select {
		case <-goOn:
		case <-ctx.Done():
			for i := range out {
				out[i] = trigger.Outcome{Lost: true, Text: "cut short"}
			}
		}
	}
	return out
}

func (s *sink) got() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// payloads is what came, whatever came together.
func (s *sink) payloads() []string { return slices.Concat(s.got()...) }

func TestBatchGoesWhenFullOrAtCutoff(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	h.set(simple("t", 3, &s))
	h.emit(pushes(2)...)
	h.quiet()
	h.is.Equal(len(s.payloads()), 0)
	h.is.Equal(h.isDone(), nil) // nothing is done that is not handed on
	st := h.Triggers()[0]
	h.is.Equal(st.Waiting, 2)
	h.is.Equal(st.Due, start.Add(10*time.Second))

	h.pass(9 * time.Second)
	h.emit(push("3"))
	h.quiet()
	h.is.Equal(s.payloads(), []string{"1 2 3"}) // full
	h.is.Equal(h.isDone(), []uint64{1, 2})

	h.emit(push("4"))
	h.quiet()
	h.pass(9 * time.Second)
	h.emit(push("5"))
	h.quiet()
	h.is.Equal(len(s.payloads()), 1)
	h.pass(time.Second) // ten after the first event, one after the second
	h.is.Equal(s.payloads(), []string{"1 2 3", "4 5"})
	h.pass(time.Minute)
	h.is.Equal(len(s.payloads()), 2) // never an empty batch
	st = h.Triggers()[0]
	h.is.Equal(st, trigger.State{Trigger: st.Trigger, Matched: 5, Delivered: 2})
}
