package trigger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

func TestPausedTriggerLosesEvents(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	tr := simple("t", 3, &s)
	h.set(tr)
	h.emit(push("before"))
	h.quiet()
	tr.Paused = true
	h.set(tr)
	h.quiet()
	h.is.Equal(s.payloads(), []string{"before"}) // what it had taken goes out
	h.emit(push("meanwhile"))
	h.pass(time.Minute)
	tr.Paused = false
	h.set(tr)
	h.emit(push("after"))
	h.pass(time.Minute)
	h.is.Equal(s.payloads(), []string{"before", "after"})
	h.is.Equal(h.isDone(), []uint64{1, 2, 3}) // lost is done
	st := h.Triggers()[0]
	h.is.Equal(st, trigger.State{Trigger: st.Trigger, Matched: 3, Delivered: 2, Lost: 1})
}

func TestReplacedTriggerSendsItsOpenBatchByTheOldDefinition(t *testing.T) {
	h := open(t, trigger.Options{})
	var old, fresh sink
	h.set(simple("t", 3, &old))
	h.set(simple("last", 1, &sink{}))
	h.emit(pushes(2)...)
	h.quiet()
	tr := simple("t", 2, &fresh)
	tr.Match.Registry = "r2"
	h.set(tr)
	h.emit(push("3"))
	h.emit(event("4", "push", "r2"))
	h.quiet()
	h.is.Equal(old.payloads(), []string{"1 2"})
	h.is.Equal(h.Triggers()[0].Waiting, 1)
	h.emit(event("5", "push", "r2"))
	h.quiet()
	h.is.Equal(fresh.payloads(), []string{"4 5"})
	h.is.Equal(h.Triggers()[0].Trigger.ID, "t") // it keeps its place
	h.is.Equal(h.Triggers()[0].Matched, uint64(4))
}

func TestRemovedTriggerSendsItsOpenBatch(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	h.set(simple("t", 3, &s))
	h.emit(pushes(2)...)
	h.quiet()
	h.is.NoErr(h.Remove("t"))
	h.emit(push("3"))
	h.quiet()
	h.is.Equal(s.payloads(), []string{"1 2"})
	h.is.Equal(len(h.Triggers()), 0)
	h.is.True(errors.Is(h.Remove("t"), trigger.ErrUnknown))
	h.set(simple("t", 1, &s)) // the ID is free again
	h.emit(push("4"))
	h.quiet()
	h.is.Equal(s.payloads(), []string{"1 2", "4"})
}

// A trigger may change between being found for an event and getting it.
func TestChangeWhileAnEventIsOnItsWay(t *testing.T) {
	t.Run("replaced", func(t *testing.T) {
		h := open(t, trigger.Options{})
		var old, fresh sink
		tr := simple("t", 3, &old)
		tr.Match.Accept = func(e events.Event) *events.Miss {
			h.set(simple("t", 3, &fresh))
			return nil
		}
		h.set(tr)
		h.emit(pushes(2)...) // the first is found by the old definition
		h.quiet()
		h.is.Equal(old.payloads(), []string{"1"})
		h.pass(10 * time.Second)
		h.is.Equal(fresh.payloads(), []string{"2"})
	})
	t.Run("removed", func(t *testing.T) {
		h := open(t, trigger.Options{})
		var s sink
		tr := simple("t", 3, &s)
		tr.Match.Accept = func(e events.Event) *events.Miss {
			h.is.NoErr(h.Remove("t"))
			return nil
		}
		h.set(tr)
		h.emit(pushes(2)...)
		h.quiet()
		h.is.Equal(s.payloads(), []string{"1"}) // it does not wait for a cutoff of a trigger that is gone
	})
}

func TestReplacedWhileTheTargetWorks(t *testing.T) {
	h := open(t, trigger.Options{})
	old, fresh := sink{hold: make(chan chan struct{})}, sink{}
	h.set(simple("t", 1, &old))
	h.emit(push("1"))
	goOn := <-old.hold
	h.emit(push("2"))
	h.awaitDone(h.emit(event("other", "push", "r2")))
	h.set(simple("t", 1, &fresh))
	h.emit(push("3"))
	h.awaitDone(h.emit(event("other", "push", "r2")))
	close(goOn)
	close(<-old.hold)
	h.quiet()
	h.is.Equal(old.payloads(), []string{"1", "2"})
	h.is.Equal(fresh.payloads(), []string{"3"})
}

// jumpy is a clock that somebody moves just when a timer is set.
type jumpy struct {
	*clock.Manual
	jump time.Duration
}

func (j *jumpy) NewTimer(d time.Duration) clock.Timer {
	j.Advance(j.jump)
	return j.Manual.NewTimer(d)
}

func TestClockThatMovesWhileTheTimerIsSet(t *testing.T) {
	c := &jumpy{clock.NewManual(start), 4 * time.Second}
	h := open(t, trigger.Options{Clock: c})
	h.set(simple("t", 2, &sink{}))
	h.emit(push("1"))
	h.quiet()
	next, _ := c.Next()
	h.is.Equal(next, start.Add(10*time.Second))
}

// An event that comes when the owner is about to rest is not left lying.
func TestEventBeforeTheOwnerRests(t *testing.T) {
	var h *house
	first := true
	h = open(t, trigger.Options{Note: func(s events.Step) {
		if s.What == events.StepWaiting && first { // the owner speaks, with its queue already taken
			first = false
			h.emit(push("2"))
			h.awaitDone(h.emit(event("other", "push", "r2")))
		}
	}})
	var s sink
	h.set(simple("t", 2, &s))
	h.emit(push("1"))
	h.is.NoErr(h.Quiet(t.Context(), 3))
	h.is.Equal(s.payloads(), []string{"1 2"})
}

func TestQuietWaitsForABatchThatIsDue(t *testing.T) {
	h := open(t, trigger.Options{})
	s := sink{hold: make(chan chan struct{})}
	h.set(simple("t", 3, &s))
	h.emit(push("1"))
	h.quiet()
	h.clock.Advance(10 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.is.True(errors.Is(h.Quiet(ctx, h.last), context.Canceled))
	close(<-s.hold)
	h.quiet()
}

// What was emitted before a change is matched by what was there before it.
func TestReadSettlesWhatWasEmitted(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	h.set(simple("t", 1, &s))
	h.emit(push("first"))
	h.quiet()
	h.emit(pushes(1000)...)
	h.is.NoErr(h.Read(t.Context(), h.last))
	h.is.NoErr(h.Remove("t"))
	h.quiet()
	h.is.Equal(len(s.payloads()), 1001)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.is.True(errors.Is(h.Read(ctx, h.last+1), context.Canceled))
	h.is.NoErr(trigger.New(trigger.Options{}).Read(t.Context(), 1)) // nobody reads yet
}

func TestRunReturnsWhatNextSays(t *testing.T) {
	is := is.New(t)
	broken := errors.New("the disk is gone")
	e := trigger.New(trigger.Options{Next: func(context.Context) (uint64, events.Record, error) { return 0, events.Record{}, broken }})
	is.True(errors.Is(e.Run(t.Context()), broken))
	is.Equal(e.Quiet(t.Context(), 1), trigger.ErrClosed)
	is.True(e.Run(t.Context()) != nil) // once only
	is.NoErr(e.Close(t.Context()))
	is.True(trigger.New(trigger.Options{}).Run(t.Context()) != nil) // there is nothing to read
}

func TestRunEndsWithItsContextAndTriggersGoOn(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	ctx, cancel := context.WithCancel(t.Context())
	read := false
	e := trigger.New(trigger.Options{Clock: c, Next: func(ctx context.Context) (uint64, events.Record, error) {
		if !read {
			read = true
			return 1, events.Record{Events: pushes(1)}, nil
		}
		cancel()
		<-ctx.Done()
		return 0, events.Record{}, ctx.Err()
	}})
	var s sink
	is.NoErr(e.Set(simple("t", 2, &s)))
	is.NoErr(e.Run(ctx))
	is.NoErr(e.Quiet(t.Context(), 1))
	c.Advance(10 * time.Second)
	is.NoErr(e.Quiet(t.Context(), 1))
	is.Equal(s.payloads(), []string{"1"})
	is.NoErr(e.Close(t.Context()))
}

func TestRealClockInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, trigger.Options{Clock: clock.Real{}})
		var s sink
		h.set(simple("t", 3, &s))
		h.emit(push("1"))
		<-time.After(10*time.Second - 1)
		synctest.Wait()
		h.is.Equal(len(s.payloads()), 0)
		<-time.After(1)
		synctest.Wait()
		h.is.Equal(s.payloads(), []string{"1"})
	})
}

// An idle trigger has no goroutine.
func TestIdleTriggersRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, trigger.Options{Clock: clock.Real{}})
		var s sink
		for i := range 100 {
			h.set(simple(fmt.Sprint(i), 1+i%2, &s)) // half of them send at once, half wait
		}
		synctest.Wait()
		h.is.Equal(owners(), 0)
		h.emit(push("1"))
		h.quiet()
		synctest.Wait()
		h.is.Equal(owners(), 50) // those with an open batch
		<-time.After(time.Minute)
		synctest.Wait()
		h.is.Equal(owners(), 0)
		h.is.Equal(len(s.payloads()), 100)
	})
}

// owners counts the goroutines of triggers.
func owners() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("(*runner).own("))
}

// Triggers come, change, pause and go while events flow; whatever happens, every record is done once and everything ends.
func TestChangesWhileEventsFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, trigger.Options{Clock: clock.Real{}, MaxHeld: 7})
		var s sink
		var hands sync.WaitGroup
		for hand := range 4 {
			hands.Go(func() {
				rnd := rand.New(rand.NewPCG(1, uint64(hand)))
				for range 300 {
					tr := simple(fmt.Sprint(rnd.IntN(6)), 1+rnd.IntN(4), &s)
					tr.Window.Cutoff = time.Duration(1 + rnd.IntN(1000))
					tr.Paused = rnd.IntN(5) == 0
					switch rnd.IntN(4) {
					case 0:
						if err := h.Remove(tr.ID); err != nil && !errors.Is(err, trigger.ErrUnknown) {
							t.Error(err)
						}
					case 1:
						<-time.After(time.Duration(rnd.IntN(500)))
					default:
						if err := h.Set(tr); err != nil {
							t.Error(err)
						}
					}
					h.Triggers()
				}
			})
		}
		for range 3000 {
			h.emit(pushes(3)...)
		}
		hands.Wait()
		h.quiet()
		h.is.NoErr(h.Close(t.Context()))
		h.is.Equal(len(h.isDone()), 3000)
	})
}
