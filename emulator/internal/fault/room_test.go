package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/events"
)

// house is a room with a clock that stands, and what passes it.
type house struct {
	*fault.Room
	is     *is.I
	clock  *clock.Manual
	steps  []events.Step
	passed []string
}

func newHouse(t *testing.T, faults ...fault.Fault) *house {
	t.Helper()
	h := &house{is: is.New(t), clock: clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	h.Room = fault.New(fault.Options{Clock: h.clock, Note: func(s events.Step) { h.steps = append(h.steps, s) }})
	t.Cleanup(func() { h.is.NoErr(h.Close(context.Background())) })
	for _, f := range faults {
		_, err := h.Add(f)
		h.is.NoErr(err)
	}
	return h
}

// pass sends events through a step, one by one.
func (h *house) pass(step fault.Step, names ...string) {
	for _, name := range names {
		hit, _ := h.At(fault.Point{Step: step, Gateway: "g", Path: "/ws", Trigger: fault.Name{ID: "t1", Name: "all"}, Events: []events.Event{
			{ID: name, Type: "yandex.cloud.events.containerregistry.CreateImageTag", Change: events.Change{Repository: "team/" + name}},
		}})
		h.Pass(hit, func(time.Duration) { h.passed = append(h.passed, name) }, nil)
	}
}

func (h *house) quiet() {
	h.is.Helper()
	h.is.NoErr(h.Quiet(context.Background()))
}

func (h *house) got() string {
	s := strings.Join(h.passed, " ")
	h.passed = nil
	return s
}

func TestPass(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault fault.Fault
		send  string
		want  string // at once
		late  string // when a second has passed
	}{
		{"drop", fault.Fault{Action: fault.Drop, Next: 1}, "a b c", "b c", ""},
		{"drop after two", fault.Fault{Action: fault.Drop, Next: 1, After: 2}, "a b c d", "a b d", ""},
		{"drop the next two", fault.Fault{Action: fault.Drop, Next: 2}, "a b c", "c", ""},
		{"drop all", fault.Fault{Action: fault.Drop}, "a b c", "", ""},
		{"duplicate", fault.Fault{Action: fault.Duplicate, Next: 1}, "a b", "a a b", ""},
		{"delay", fault.Fault{Action: fault.Delay, Delay: time.Second, Next: 2}, "a b c", "c", "a b"},
		{"reorder", fault.Fault{Action: fault.Reorder, Next: 1}, "a b c", "b a c", ""},
		{"reorder all", fault.Fault{Action: fault.Reorder}, "a b c d", "b a d c", ""},
		{"reorder the last", fault.Fault{Action: fault.Reorder, After: 1}, "a b", "a", "b"},
		{"an event", fault.Fault{Action: fault.Drop, Event: "b"}, "a b c", "a c", ""},
		{"a type as the cloud has it", fault.Fault{Action: fault.Drop, Type: "*.CreateImageTag"}, "a", "", ""},
		{"a type as people have it", fault.Fault{Action: fault.Drop, Type: "create-image-tag"}, "a", "", ""},
		{"another type", fault.Fault{Action: fault.Drop, Type: "create-image"}, "a", "a", ""},
		{"repositories", fault.Fault{Action: fault.Drop, Repository: "team/?"}, "a bb c", "bb", ""},
		{"reorder of some only", fault.Fault{Action: fault.Reorder, Repository: "*/x?"}, "x1 b x2 c", "b x2 x1 c", ""},
		{"a trigger by name", fault.Fault{Step: fault.Match, Action: fault.Drop, Trigger: "al*"}, "a", "", ""},
		{"a trigger by id", fault.Fault{Step: fault.Match, Action: fault.Drop, Trigger: "t1"}, "a", "", ""},
		{"another trigger", fault.Fault{Step: fault.Match, Action: fault.Drop, Trigger: "t"}, "a", "a", ""},
		{"another step", fault.Fault{Step: fault.Publish, Action: fault.Drop}, "a", "a", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			step := fault.Match
			if tc.fault.Step == "" {
				tc.fault.Step = step
			}
			h := newHouse(t, tc.fault)
			h.pass(step, strings.Fields(tc.send)...)
			h.quiet()
			h.is.Equal(h.got(), tc.want)
			h.clock.Advance(time.Second)
			h.quiet()
			h.is.Equal(h.got(), tc.late)
		})
	}
}

func TestTrace(t *testing.T) {
	h := newHouse(t, fault.Fault{ID: "lossy", Step: fault.Match, Action: fault.Drop, After: 1, Next: 1})
	h.pass(fault.Match, "a", "b", "c")
	h.is.Equal(len(h.steps), 1)
	s := h.steps[0]
	h.is.Equal(s.Room, "fault")
	h.is.Equal(s.What, events.StepFault)
	h.is.Equal(s.Who, "lossy")
	h.is.Equal(s.Events, []string{"b"})
	h.is.Equal(s.Text, "an event for all, number 2: drop")
	h.is.Equal(fmt.Sprint(s.Data), "map[action:drop fault:lossy occurrence:2 step:match]")
	list := h.List()
	h.is.Equal(len(list), 1)
	h.is.Equal(list[0].Seen, 3)
	h.is.Equal(list[0].Injected, 1)
}

func TestSeedsReproduce(t *testing.T) {
	is := is.New(t)
	names := strings.Fields(strings.Repeat("a b c d e f g h ", 50))
	run := func(seed uint64) string {
		h := newHouse(t, fault.Fault{Step: fault.Match, Action: fault.Drop, Share: 0.3, Seed: seed})
		for i, name := range names {
			h.pass(fault.Match, fmt.Sprintf("%s%d", name, i))
		}
		return h.got()
	}
	first := run(7)
	is.Equal(first, run(7))
	is.True(first != run(8))
	left := len(strings.Fields(first))
	is.True(left > 240 && left < 320) // of 400, seven tenths
}

// Two faults of one seed throw dice of their own, and each counts for itself.
func TestFaultsDoNotDisturbEachOther(t *testing.T) {
	h := newHouse(t,
		fault.Fault{Step: fault.Match, Action: fault.Drop, Share: 0.5},
		fault.Fault{Step: fault.Match, Action: fault.Duplicate, Share: 0.5},
	)
	for range 200 {
		h.pass(fault.Match, "a")
	}
	for _, s := range h.List() {
		h.is.Equal(s.Seen, 200)
		h.is.True(s.Injected > 20)
	}
}

func TestRemoveAndCloseLetGo(t *testing.T) {
	for name, end := range map[string]func(*house) error{
		"remove": func(h *house) error { return h.Remove("f1") },
		"clear":  func(h *house) error { h.Clear(); return nil },
		"close":  func(h *house) error { return h.Close(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, fault.Fault{Step: fault.Match, Action: fault.Delay, Delay: time.Hour})
			h.pass(fault.Match, "a", "b", "c")
			h.is.Equal(h.got(), "")
			h.is.NoErr(end(h))
			h.quiet()
			h.is.Equal(h.got(), "a b c") // in their order
			h.pass(fault.Match, "d")
			h.is.Equal(h.got(), "d") // and nothing goes wrong any more
		})
	}
}

func TestStay(t *testing.T) {
	h := newHouse(t, fault.Fault{Step: fault.Invoke, Action: fault.Delay, Delay: 2 * time.Second})
	hit, ok := h.At(fault.Point{Step: fault.Invoke})
	h.is.True(ok)
	came := make(chan error)
	go func() { came <- h.Stay(context.Background(), hit, nil) }()
	h.clock.Advance(time.Second)
	select {
	case <-came:
		t.Fatal("too early")
	default:
	}
	h.clock.Advance(time.Second)
	h.is.NoErr(<-came)

	// Whoever will not wait need not.
	hit, _ = h.At(fault.Point{Step: fault.Invoke})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.is.True(errors.Is(h.Stay(ctx, hit, nil), context.Canceled))
}

// What is to happen later does not happen when the fault has gone, and what is to be undone is.
func TestLater(t *testing.T) {
	h := newHouse(t, fault.Fault{ID: "x", Step: fault.Connection, Action: fault.Close, Code: "1011", Delay: time.Second})
	var did []string
	for _, name := range []string{"a", "b"} {
		hit, _ := h.At(fault.Point{Step: fault.Connection})
		h.Later(hit, hit.Delay, func() { did = append(did, name) })
		h.Finally(hit, func() { did = append(did, "undo "+name) })
		if name == "a" {
			h.clock.Advance(time.Second)
			h.quiet()
		}
	}
	h.is.NoErr(h.Remove("x"))
	h.is.Equal(did, []string{"a", "undo a"})
}

func TestLinger(t *testing.T) {
	h := newHouse(t, fault.Fault{ID: "x", Step: fault.API, Action: fault.Error, Code: fault.Timeout})
	hit, _ := h.At(fault.Point{Step: fault.API})
	paused, came := make(chan time.Time, 1), make(chan error)
	go func() {
		came <- h.Linger(context.Background(), hit, hit.Came.Add(time.Minute), func(due time.Time) func() { paused <- due; return func() {} })
	}()
	h.is.Equal(<-paused, h.clock.Now().Add(time.Minute))
	h.quiet() // what is due later is not waited for
	h.clock.Advance(time.Minute)
	h.is.NoErr(<-came)
	go func() { came <- h.Linger(context.Background(), hit, time.Time{}, nil) }()
	h.is.NoErr(h.Remove("x"))
	h.is.NoErr(<-came)
}

func TestReorderCallers(t *testing.T) {
	h := newHouse(t, fault.Fault{Step: fault.Invoke, Action: fault.Reorder, Next: 1})
	first, _ := h.At(fault.Point{Step: fault.Invoke})
	came := make(chan error)
	go func() { came <- h.Stay(context.Background(), first, nil) }()
	second, ok := h.At(fault.Point{Step: fault.Invoke})
	h.is.True(ok)
	h.is.Equal(second.Action, fault.Action(""))
	h.is.NoErr(h.Stay(context.Background(), second, nil))
	select {
	case <-came:
		t.Fatal("it has not been overtaken yet")
	default:
	}
	h.Passed(second)
	h.is.NoErr(<-came)
}

func TestAdd(t *testing.T) {
	h := newHouse(t)
	f, err := h.Add(fault.Fault{Step: fault.Send, Action: fault.Drop})
	h.is.NoErr(err)
	h.is.Equal(f.ID, "f1")
	_, err = h.Add(fault.Fault{ID: "f1", Step: fault.Send, Action: fault.Drop})
	h.is.True(errors.Is(err, fault.ErrTaken))
	f, err = h.Add(fault.Fault{ID: "mine", Step: fault.Send, Action: fault.Drop})
	h.is.NoErr(err)
	h.is.Equal(f.ID, "mine")
	h.is.True(errors.Is(h.Remove("other"), fault.ErrUnknown))
}

func TestObserve(t *testing.T) {
	h := newHouse(t)
	h.pass(fault.Match, "unseen")
	h.Observe(true)
	h.pass(fault.Match, "a", "b")
	h.pass(fault.Publish, "a")
	h.is.Equal(h.Occurrences(), map[fault.Step]int{fault.Match: 2, fault.Publish: 1})
	h.is.Equal(h.Sites(), []fault.Site{
		{Step: fault.Match, N: 1, Who: "all", Events: []string{"a"}},
		{Step: fault.Match, N: 2, Who: "all", Events: []string{"b"}},
		{Step: fault.Publish, N: 1, Events: []string{"a"}},
	})
	h.Observe(false)
	h.is.True(!h.On(fault.Match))
	h.is.Equal(len(h.steps), 0) // watching is no fault
}

func TestJSON(t *testing.T) {
	is := is.New(t)
	f := fault.Fault{
		ID: "x", Step: fault.Send, Action: fault.Error, Code: "429", Path: "/ws", Share: 0.5, Next: 2, After: 1, Seed: 9, Delay: 1500 * time.Millisecond,
	}
	data, err := json.Marshal(f)
	is.NoErr(err)
	is.Equal(string(data), `{"id":"x","step":"send","action":"error","code":429,"delay":"1.5s","path":"/ws","share":0.5,"next":2,"after":1,"seed":9}`)
	var back fault.Fault
	is.NoErr(json.Unmarshal(data, &back))
	is.Equal(back, f)
	is.Equal(f.What(), "error 429 1.5s")
	is.Equal(f.Where(), "path=/ws")
}

func BenchmarkAt(b *testing.B) {
	point := fault.Point{Step: fault.Send, Gateway: "g", Path: "/ws"}
	for name, faults := range map[string][]fault.Fault{
		"none":       nil,
		"other step": {{Step: fault.Match, Action: fault.Drop}},
		"other path": {{Step: fault.Send, Action: fault.Drop, Path: "/other"}},
	} {
		b.Run(name, func(b *testing.B) {
			r := fault.New(fault.Options{})
			for _, f := range faults {
				if _, err := r.Add(f); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, ok := r.At(point); ok {
					b.Fatal("a fault")
				}
			}
		})
	}
}

// A clock that is moved fires one timer after another, and waits between: what is due at the same instant must not be waited for.
func TestQuietBetweenTimersOfOneInstant(t *testing.T) {
	is := is.New(t)
	c := clock.NewFrozen(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	r := fault.New(fault.Options{Clock: c})
	_, err := r.Add(fault.Fault{Step: fault.Match, Action: fault.Delay, Delay: time.Minute})
	is.NoErr(err)
	other := c.NewTimer(time.Minute)
	go func() {
		<-other.C()
		other.Stop()
	}()
	passed := make(chan struct{}, 1)
	hit, _ := r.At(fault.Point{Step: fault.Match})
	r.Pass(hit, func(time.Duration) { passed <- struct{}{} }, nil)
	is.NoErr(c.AdvanceBy(t.Context(), time.Minute, func(ctx context.Context) error {
		if err := c.Handled(ctx); err != nil {
			return err
		}
		return r.Quiet(ctx)
	}))
	is.Equal(len(passed), 1)
	is.NoErr(r.Close(t.Context()))
}
