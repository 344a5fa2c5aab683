package trigger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

// targetFunc is a target made of a function.
type targetFunc func(ds []trigger.Delivery) []trigger.Outcome

func (f targetFunc) Deliver(_ context.Context, ds []trigger.Delivery) []trigger.Outcome { return f(ds) }

type targetCtx func(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome

func (f targetCtx) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	return f(ctx, ds)
}

func TestActionsInOrderEachWithItsFilter(t *testing.T) {
	h := open(t, trigger.Options{})
	var order []string
	target := func(name string) trigger.Target {
		return targetFunc(func(ds []trigger.Delivery) []trigger.Outcome {
			for _, d := range ds {
				order = append(order, name+":"+string(d.Payload))
			}
			return make([]trigger.Outcome, len(ds))
		})
	}
	tr := simple("t", 2, nil)
	tr.Actions = []trigger.Action{
		{Pack: pack, Target: target("all")},
		{Pack: pack, Target: target("odd"), Keep: func(e events.Event) *events.Miss {
			if e.ID == "1" || e.ID == "3" {
				return nil
			}
			return &events.Miss{Field: "id", Want: "odd", Got: e.ID}
		}},
		{Pack: pack, Target: target("none"), Keep: func(events.Event) *events.Miss { return &events.Miss{Hint: "never"} }},
		{Pack: pack, Target: target("broken"), Keep: func(events.Event) *events.Miss { panic("oh") }},
	}
	h.set(tr)
	h.emit(pushes(2)...)
	h.quiet()
	h.is.Equal(order, []string{"all:1 2", "odd:1"}) // a target that nothing is left for is not called
	h.is.Equal(h.isDone(), []uint64{1})
	var skipped []string
	for _, s := range h.steps {
		if s.What == events.StepSkipped {
			skipped = append(skipped, s.Events[0]+" "+s.Text)
		}
	}
	h.is.Equal(skipped, []string{"2 id: want odd, got 2", "1 never", "2 never", "1 filter: panic: oh", "2 filter: panic: oh"})
}

func TestOneByOne(t *testing.T) {
	h := open(t, trigger.Options{})
	started, release := make(chan struct{}, 10), make(chan struct{})
	var calls [][]uint64 // what was done before each call
	tr := simple("t", 1, targetFunc(func(ds []trigger.Delivery) []trigger.Outcome {
		h.is.Equal(len(ds), 1)
		calls = append(calls, h.isDone())
		started <- struct{}{}
		<-release
		return make([]trigger.Outcome, len(ds))
	}))
	tr.OneByOne = true
	h.set(tr)
	for _, e := range pushes(3) {
		h.emit(e)
	}
	for range 3 { // the second and the third have gathered behind the first
		<-started
		release <- struct{}{}
	}
	h.quiet()
	h.is.Equal(calls, [][]uint64{nil, {1}, {1, 2}})
}

func TestLost(t *testing.T) {
	for name, tc := range map[string]struct {
		pack   func([]events.Event) ([]byte, error)
		target targetFunc
		want   string
	}{
		"pack fails":     {pack: func([]events.Event) ([]byte, error) { return nil, errors.New("too odd") }, want: "no payload: too odd"},
		"pack panics":    {pack: func([]events.Event) ([]byte, error) { panic("oh") }, want: "no payload: panic: oh"},
		"target panics":  {target: func([]trigger.Delivery) []trigger.Outcome { panic("oh") }, want: "target: panic: oh"},
		"target is mute": {target: func([]trigger.Delivery) []trigger.Outcome { return nil }, want: "target: 0 outcomes for 1 deliveries"},
		"target gives up": {target: func([]trigger.Delivery) []trigger.Outcome {
			return []trigger.Outcome{{Lost: true, Text: "nobody there"}}
		}, want: "nobody there"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, trigger.Options{})
			tr := simple("t", 2, tc.target)
			if tc.pack != nil {
				tr.Actions[0].Pack = tc.pack
			}
			h.set(tr)
			h.emit(pushes(2)...)
			h.quiet()
			last := h.steps[len(h.steps)-1]
			h.is.Equal(last.What, events.StepLost)
			h.is.Equal(last.Text, tc.want)
			h.is.Equal(last.Events, []string{"1", "2"})
			h.is.Equal(h.isDone(), []uint64{1}) // given up is done
			h.is.Equal(h.Triggers()[0].Lost, uint64(1))
			if strings.Contains(name, "panics") {
				h.is.True(strings.Contains(last.Data["stack"].(string), "deliver_test.go")) // where it happened
			}
			h.emit(pushes(2)...) // the house stands
			h.quiet()
			h.is.Equal(h.Triggers()[0].Lost, uint64(2))
		})
	}
}

func TestOutcomeTellsWhatTheTargetSaid(t *testing.T) {
	h := open(t, trigger.Options{})
	said := map[string]any{"connections": 7}
	h.set(simple("t", 1, targetFunc(func(ds []trigger.Delivery) []trigger.Outcome {
		h.clock.Advance(1500 * time.Microsecond)
		return []trigger.Outcome{{Text: "to 7 connections", Data: said}}
	})))
	h.emit(push("1"))
	h.quiet()
	last := h.steps[len(h.steps)-1]
	h.is.Equal(last, events.Step{
		At: start.Add(1500 * time.Microsecond), Events: []string{"1"}, Room: "trigger", What: events.StepDelivered, Who: "t",
		Text: "to 7 connections",
		Data: map[string]any{"connections": 7, "trigger_id": "t", "action": 0, "payload_bytes": 1, "took_ms": 1.5},
	})
	h.is.Equal(len(said), 1) // the target's own map is left alone
}

func TestSlowTargetGathersDeliveries(t *testing.T) {
	h := open(t, trigger.Options{})
	s := sink{hold: make(chan chan struct{})}
	h.set(simple("t", 2, &s))
	h.emit(pushes(2)...)
	first := <-s.hold
	for _, id := range []string{"3", "4", "5", "6", "7"} {
		h.emit(push(id))
	}
	h.emit(event("other", "push", "r2")) // when this one is done, all before it have been read
	h.awaitDone(7)
	h.is.Equal(h.Triggers()[0].Held, 7)
	close(first)
	close(<-s.hold)
	h.quiet()
	h.is.Equal(s.got(), [][]string{{"1 2"}, {"3 4", "5 6"}}) // one call took both
	h.is.Equal(h.Triggers()[0].Waiting, 1)
	h.clock.Advance(10 * time.Second)
	close(<-s.hold)
}

// What arrived within the cutoff while the target was busy goes by its own cutoff, as if the target had been quick.
func TestBatchesDoNotDependOnTheTargetsPace(t *testing.T) {
	h := open(t, trigger.Options{})
	s := sink{hold: make(chan chan struct{})}
	h.set(simple("t", 3, &s))
	h.emit(pushes(3)...)
	first := <-s.hold
	for i, id := range []string{"a", "b", "c"} {
		h.emit(push(id))
		h.emit(event("other", "push", "r2"))
		h.awaitDone(uint64(2*i + 3))
		h.clock.Advance(6 * time.Second)
	}
	close(first)
	close(<-s.hold)
	h.is.Equal(s.got(), [][]string{{"1 2 3"}, {"a b"}}) // c came 12 s after a
	h.quiet()
	h.clock.Advance(4 * time.Second)
	close(<-s.hold)
	h.quiet()
	h.is.Equal(s.payloads(), []string{"1 2 3", "a b", "c"})
}

func TestFullTriggerMakesReadingWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, trigger.Options{MaxHeld: 3})
		s := sink{hold: make(chan chan struct{})}
		h.set(simple("t", 1, &s))
		for _, e := range pushes(10) {
			h.emit(e)
		}
		for range 2 { // before anything is handed on, and after the first was
			goOn := <-s.hold
			synctest.Wait()
			h.is.Equal(h.Triggers()[0].Held, 3)
			h.is.Equal(h.seq, uint64(4+len(h.isDone()))) // the reader has one in its hand that it cannot put down
			close(goOn)
		}
		go func() {
			for goOn := range s.hold {
				close(goOn)
			}
		}()
		h.quiet()
		close(s.hold)
		h.is.Equal(s.payloads(), strings.Fields("1 2 3 4 5 6 7 8 9 10")) // nothing is lost, the order is kept
		h.is.Equal(len(h.isDone()), 10)
	})
}

func TestWindowLargerThanMaxHeldFills(t *testing.T) {
	h := open(t, trigger.Options{MaxHeld: 2})
	var s sink
	h.set(simple("t", 5, &s))
	h.emit(pushes(5)...)
	h.quiet()
	h.is.Equal(s.payloads(), []string{"1 2 3 4 5"})
}

func TestCloseHandsOn(t *testing.T) {
	is := is.New(t)
	h := open(t, trigger.Options{})
	var s sink
	h.set(simple("t", 5, &s))
	h.emit(pushes(2)...)
	h.quiet()
	is.NoErr(h.Close(t.Context()))
	is.Equal(s.payloads(), []string{"1 2"})
	is.Equal(h.isDone(), []uint64{1})
	is.Equal(h.Set(simple("u", 1, &s)), trigger.ErrClosed)
	is.Equal(h.Remove("t"), trigger.ErrClosed)
	is.NoErr(h.Quiet(t.Context(), h.last))
	is.Equal(h.Quiet(t.Context(), h.last+1), trigger.ErrClosed) // nobody will read it
	is.NoErr(h.Run(t.Context()))
}

func TestCloseOutOfTimeLeavesTheRestForLater(t *testing.T) {
	for name, late := range map[string]bool{"at once": false, "while the target works": true} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := open(t, trigger.Options{})
			s := sink{hold: make(chan chan struct{}, 1)}
			h.set(simple("t", 2, &s))
			h.set(simple("open", 9, &s))
			h.emit(push("1"))
			h.quiet()
			ctx, cancel := context.WithCancel(t.Context())
			if late {
				h.emit(push("2"))
				<-s.hold
			}
			cancel()
			h.late = true
			err := h.Close(ctx)
			is.True(errors.Is(err, context.Canceled))
			is.Equal(h.isDone(), nil) // what is not handed on is not done
			for _, step := range h.said() {
				is.True(!strings.HasPrefix(step, events.StepLost)) // and not given up either
			}
		})
	}
}

// Filters and transformers may take long: when time is up, no further one is begun.
func TestCloseOutOfTimeStopsPacking(t *testing.T) {
	h := open(t, trigger.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	began, hold := make(chan struct{}), make(chan struct{})
	var handing context.Context
	tr := simple("t", 1, targetCtx(func(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
		handing = ctx
		close(began)
		<-hold
		return make([]trigger.Outcome, len(ds))
	}))
	packed := 0
	tr.Actions[0].Pack = func(es []events.Event) ([]byte, error) {
		if packed++; packed == 2 {
			cancel()
			<-handing.Done()
		}
		return pack(es)
	}
	h.set(tr)
	h.emit(push("1"))
	<-began
	h.emit(push("2"), push("3"), push("4"))
	h.awaitDone(h.emit(event("other", "push", "r2")))
	h.late = true
	closed := make(chan error)
	go func() { closed <- h.Close(ctx) }()
	close(hold)
	h.is.True(errors.Is(<-closed, context.Canceled))
	h.is.Equal(packed, 2)
	h.is.Equal(h.isDone(), []uint64{1, 3}) // the first was handed on
}

func TestCloseWithNothingInHandIsInTime(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	h.set(simple("t", 1, &s))
	h.emit(push("1"))
	h.quiet()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.is.NoErr(h.Close(ctx))
}
