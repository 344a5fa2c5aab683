package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/events"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// steps is a trace that tests read.
type steps struct {
	mu  sync.Mutex
	all []events.Step
}

func (s *steps) note(step events.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, step)
}

// find returns the texts of one kind.
func (s *steps) find(what string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, step := range s.all {
		if step.What == what {
			out = append(out, step.Text)
		}
	}
	return out
}

// open starts queues that the test closes at its end.
func open(t *testing.T, o queue.Options, defs ...queue.Queue) *queue.Queues {
	t.Helper()
	q, err := queue.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, def := range defs {
		if err := q.Set(def); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func bodies(rs []queue.Received) string {
	var out []string
	for _, r := range rs {
		out = append(out, string(r.Body))
	}
	return strings.Join(out, " ")
}

func send(t *testing.T, q *queue.Queues, name string, texts ...string) []queue.Sent {
	t.Helper()
	ms := make([]queue.Message, len(texts))
	for i, text := range texts {
		group, body, ok := strings.Cut(text, ":")
		if !ok {
			group, body = "", text
		}
		ms[i] = queue.Message{Body: []byte(body), Group: group, Events: []string{"event-" + body}}
	}
	sent, err := q.Send(t.Context(), name, ms)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// take receives without waiting.
func take(t *testing.T, q *queue.Queues, name string, n int) []queue.Received {
	t.Helper()
	rs, err := q.Receive(t.Context(), name, n, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func count(t *testing.T, q *queue.Queues, name string) queue.Counts {
	t.Helper()
	c, err := q.Counts(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVisibility(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "q", Visibility: time.Minute})
	sent := send(t, q, "q", "a", "b")
	is.True(sent[0].ID != sent[1].ID)

	rs := take(t, q, "q", 1)
	is.Equal(bodies(rs), "a")
	is.Equal(rs[0].ID, sent[0].ID)
	is.Equal(rs[0].Receives, 1)
	is.Equal(rs[0].SentAt, start)
	is.Equal(rs[0].FirstReceived, start)
	is.Equal(count(t, q, "q"), queue.Counts{Visible: 1, InFlight: 1})

	is.Equal(bodies(take(t, q, "q", 10)), "b") // a is hidden
	c.Advance(59 * time.Second)
	is.Equal(bodies(take(t, q, "q", 10)), "")
	c.Advance(time.Second)
	again := take(t, q, "q", 10)
	is.Equal(bodies(again), "a b") // neither was deleted
	is.Equal(again[0].Receives, 2)
	is.Equal(again[0].FirstReceived, start)

	is.NoErr(q.Delete("q", rs[0].Receipt)) // of the receive before: no effect
	is.Equal(count(t, q, "q"), queue.Counts{InFlight: 2})
	is.NoErr(q.Delete("q", again[0].Receipt))
	is.NoErr(q.Delete("q", again[0].Receipt)) // gone already
	is.Equal(count(t, q, "q"), queue.Counts{InFlight: 1})

	is.NoErr(q.ChangeVisibility("q", again[1].Receipt, 0))
	is.Equal(count(t, q, "q"), queue.Counts{Visible: 1})
	is.True(errors.Is(q.ChangeVisibility("q", again[1].Receipt, 0), queue.ErrNotInFlight))
	is.NoErr(q.Delete("q", again[1].Receipt)) // nobody has received it since
	is.Equal(count(t, q, "q"), queue.Counts{})

	is.True(errors.Is(q.Delete("q", "no receipt"), queue.ErrReceipt))
	_, err := q.Receive(t.Context(), "nowhere", 1, 0, -1)
	is.True(errors.Is(err, queue.ErrNoQueue))
}

func TestVisibilityIsProlonged(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "q"})
	send(t, q, "q", "a")
	rs := take(t, q, "q", 1)
	c.Advance(29 * time.Second)
	is.NoErr(q.ChangeVisibility("q", rs[0].Receipt, time.Minute))
	c.Advance(59 * time.Second)
	is.Equal(count(t, q, "q"), queue.Counts{InFlight: 1})
	c.Advance(time.Second)
	is.Equal(count(t, q, "q"), queue.Counts{Visible: 1})
}

func TestDelayAndRetention(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	var trace steps
	q := open(t, queue.Options{Clock: c, Note: trace.note}, queue.Queue{Name: "q", Delay: time.Minute, Retention: time.Hour})
	_, err := q.Send(t.Context(), "q", []queue.Message{{Body: []byte("a")}, {Body: []byte("b"), Delay: 2 * time.Minute}, {Body: []byte("c"), Delay: -1}})
	is.NoErr(err)
	is.Equal(count(t, q, "q"), queue.Counts{Visible: 1, Delayed: 2})
	is.Equal(bodies(take(t, q, "q", 10)), "c")
	c.Advance(time.Minute)
	is.Equal(count(t, q, "q"), queue.Counts{Visible: 2, Delayed: 1}) // c is back
	c.Advance(59 * time.Minute)
	is.Equal(count(t, q, "q"), queue.Counts{}) // all are too old
	is.Equal(len(trace.find(events.StepLost)), 3)
	is.Equal(trace.find(events.StepLost)[0], "older than 1h0m0s: dropped")
}

func TestPurge(t *testing.T) {
	is := is.New(t)
	q := open(t, queue.Options{Clock: clock.NewManual(start)}, queue.Queue{Name: "q"}, queue.Queue{Name: "f", FIFO: true})
	send(t, q, "q", "a", "b")
	send(t, q, "f", "g:a", "g:b")
	take(t, q, "q", 1)
	take(t, q, "f", 1)
	is.NoErr(q.Purge("q"))
	is.NoErr(q.Purge("f"))
	is.Equal(count(t, q, "q"), queue.Counts{})
	is.Equal(count(t, q, "f"), queue.Counts{})
	send(t, q, "f", "g:c")
	is.Equal(bodies(take(t, q, "f", 9)), "c") // nothing of the group is held any more
	names := q.List()
	is.Equal(len(names), 2)
	is.Equal(names[0].Name, "f")
}

func TestFullQueueRefuses(t *testing.T) {
	is := is.New(t)
	q := open(t, queue.Options{Clock: clock.NewManual(start)}, queue.Queue{Name: "q", Bytes: 2000})
	send(t, q, "q", strings.Repeat("x", 400), strings.Repeat("y", 400))
	_, err := q.Send(t.Context(), "q", []queue.Message{{Body: []byte("z")}})
	is.True(errors.Is(err, queue.ErrFull))
	is.NoErr(q.Delete("q", take(t, q, "q", 1)[0].Receipt))
	send(t, q, "q", "z") // there is room again
}

func TestDeadLetters(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	var trace steps
	q := open(t, queue.Options{Clock: c, Note: trace.note},
		queue.Queue{Name: "q", MaxReceives: 2, DeadLetter: "dlq"}, queue.Queue{Name: "dlq"},
		queue.Queue{Name: "nowhere", MaxReceives: 1}, queue.Queue{Name: "wrong", MaxReceives: 1, DeadLetter: "missing"},
		queue.Queue{Name: "narrow", MaxReceives: 1, DeadLetter: "small"}, queue.Queue{Name: "small", Bytes: 1})
	attributes := map[string]queue.Attribute{"Why": {Type: "String", Value: []byte("so")}}
	sent, err := q.Send(t.Context(), "q", []queue.Message{{Body: []byte("a"), Attributes: attributes, Events: []string{"e1"}}})
	is.NoErr(err)
	for _, name := range []string{"nowhere", "wrong", "narrow"} {
		send(t, q, name, "b")
		take(t, q, name, 1)
	}
	take(t, q, "q", 1)
	c.Advance(queue.Visibility)
	take(t, q, "q", 1)
	is.Equal(count(t, q, "dlq"), queue.Counts{})
	c.Advance(queue.Visibility)
	is.Equal(count(t, q, "q"), queue.Counts{})
	dead := take(t, q, "dlq", 1)
	is.Equal(bodies(dead), "a")
	is.Equal(dead[0].ID, sent[0].ID)
	is.Equal(dead[0].Attributes, attributes)
	is.Equal(dead[0].SentAt, start)
	is.Equal(dead[0].DeadOf, "q")
	is.Equal(dead[0].Receives, 1)
	told := strings.Join(trace.find(events.StepLost), "\n")
	for _, want := range []string{
		`received 2 times in vain: moved to the queue "dlq"`,
		"received 1 times in vain, and the queue has no dead-letter queue: dropped",
		`received 1 times in vain, and there is no queue "missing" for dead letters: dropped`,
		`received 1 times in vain, and the queue "small" for dead letters is full: dropped`,
	} {
		is.True(strings.Contains(told, want)) // the trace says what became of it
	}
}

func TestFIFO(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "f", FIFO: true})
	sent := send(t, q, "f", "g:1", "h:2", "g:3", "g:4")
	is.True(sent[0].Sequence < sent[1].Sequence)
	first := take(t, q, "f", 2)
	is.Equal(bodies(first), "1 3") // as many of a group as there is room for
	is.Equal(first[0].Sequence, sent[0].Sequence)
	is.Equal(bodies(take(t, q, "f", 9)), "2") // 4 waits for its group
	is.NoErr(q.Delete("f", first[0].Receipt))
	is.Equal(bodies(take(t, q, "f", 9)), "")
	is.NoErr(q.ChangeVisibility("f", first[1].Receipt, 0))
	is.Equal(bodies(take(t, q, "f", 9)), "3 4")
	_, err := q.Send(t.Context(), "f", []queue.Message{{Body: []byte("x")}})
	is.True(errors.Is(err, queue.ErrGroup))
}

func TestFIFOTakesNothingTwice(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "f", FIFO: true})
	sent := send(t, q, "f", "g:1", "g:1", "h:1", "g:2")
	is.Equal(sent[0], sent[1]) // the same body
	is.Equal(sent[0], sent[2]) // for all groups
	is.True(sent[0] != sent[3])
	again, err := q.Send(t.Context(), "f", []queue.Message{{Body: []byte("other"), Group: "g", Dedup: "d"}, {Body: []byte("1"), Group: "g", Dedup: "d"}})
	is.NoErr(err)
	is.Equal(again[0], again[1]) // the same Dedup
	for _, r := range take(t, q, "f", 9) {
		is.NoErr(q.Delete("f", r.Receipt))
	}
	c.Advance(5*time.Minute - 1)
	is.Equal(send(t, q, "f", "g:1")[0], sent[0]) // also after its deletion
	c.Advance(1)
	is.True(send(t, q, "f", "g:1")[0] != sent[0]) // five minutes later it is a new one
	is.Equal(bodies(take(t, q, "f", 9)), "1")
}

func TestAnotherDefinitionKeepsTheMessages(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "q"})
	send(t, q, "q", "g:1", "g:2", "h:3")
	held := take(t, q, "q", 1)
	is.NoErr(q.Set(queue.Queue{Name: "q", FIFO: true}))
	is.Equal(bodies(take(t, q, "q", 9)), "3") // g is in somebody's hands
	is.NoErr(q.Delete("q", held[0].Receipt))
	is.Equal(bodies(take(t, q, "q", 9)), "2")
	is.Equal(count(t, q, "q"), queue.Counts{InFlight: 2})
}
