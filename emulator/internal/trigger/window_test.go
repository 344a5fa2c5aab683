package trigger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

func TestBytes(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	tr := simple("t", 100, &s)
	tr.Window.Bytes = 10
	h.set(tr)
	sized := func(id string, size int) events.Event {
		e := push(id)
		e.Body = json.RawMessage(strings.Repeat("0", size))
		return e
	}
	h.emit(sized("a", 4), sized("b", 4))
	h.emit(sized("c", 4)) // does not fit
	h.emit(sized("d", 6)) // fills to the byte
	h.emit(sized("e", 1))
	h.emit(sized("huge", 11)) // goes alone, and e before it
	h.emit(sized("f", 1))
	h.quiet()
	h.is.Equal(s.payloads(), []string{"a b", "c d", "e", "huge"})
	h.pass(10 * time.Second)
	h.is.Equal(s.payloads(), []string{"a b", "c d", "e", "huge", "f"})
	h.emit(sized("g", 10)) // what is full does not wait for the next
	h.quiet()
	h.is.Equal(len(s.payloads()), 6)
}

func TestWaitingStep(t *testing.T) {
	h := open(t, trigger.Options{})
	h.set(simple("t", 3, &sink{}))
	h.emit(push("1"))
	h.pass(5800 * time.Millisecond)
	h.emit(push("2"))
	h.quiet()
	h.is.Equal(h.said(), []string{
		"matched||wanted by t", "waiting|t|1 of 3, goes in 10.0 s", "matched||wanted by t", "waiting|t|2 of 3, goes in 4.2 s",
	})
	h.is.Equal(h.steps[3].Data, map[string]any{"trigger_id": "t", "waiting": 2, "of": 3, "due": start.Add(10 * time.Second)})
}

// arrival is what the model knows of an event that a trigger wants.
type arrival struct {
	id   string
	at   time.Time
	size int
	rec  uint64
}

// probe is a target that checks each batch against the model the moment it comes.
type probe struct {
	t      *testing.T
	model  *model
	window trigger.Window
	next   int // of wanted
	wanted []arrival
}

// model is what should come out of a random house.
type model struct {
	clock *clock.Manual
	mu    sync.Mutex
	owed  map[uint64]int // by record: hand-overs to come
}

func (p *probe) Deliver(_ context.Context, ds []trigger.Delivery) []trigger.Outcome {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	for _, d := range ds {
		p.check(d.Events)
	}
	return make([]trigger.Outcome, len(ds))
}

func (p *probe) check(es []events.Event) {
	n := len(es)
	if n == 0 || n > p.window.Count || p.next+n > len(p.wanted) {
		p.t.Errorf("batch of %d, window of %d, %d owed", n, p.window.Count, len(p.wanted)-p.next)
		return
	}
	batch, rest := p.wanted[p.next:p.next+n], p.wanted[p.next+n:]
	p.next += n
	bytes := 0
	for i, a := range batch {
		if es[i].ID != a.id {
			p.t.Errorf("got %s, want %s", es[i].ID, a.id)
		}
		bytes += a.size
		p.model.owed[a.rec]--
	}
	if p.window.Bytes > 0 && bytes > p.window.Bytes && n > 1 {
		p.t.Errorf("%d events of %d bytes, window of %d", n, bytes, p.window.Bytes)
	}
	now, due := p.model.clock.Now(), batch[0].at.Add(p.window.Cutoff)
	full := n == p.window.Count || p.window.Bytes > 0 && (bytes >= p.window.Bytes || len(rest) > 0 && bytes+rest[0].size > p.window.Bytes)
	if now.After(due) || !full && now.Before(due) {
		p.t.Errorf("%d events left at %v, due at %v, full: %t", n, now, due, full)
	}
}

// Random windows and arrivals: no batch is empty or too large or too late or early without a reason, the order is kept, every event
// comes once to every action, and a record is done once, when nothing of it is owed any more.
func TestRandomWindowsAndArrivals(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			m := &model{clock: clock.NewManual(start), owed: map[uint64]int{}}
			h := open(t, trigger.Options{Clock: m.clock, Done: func(seq uint64) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.owed[seq] != 0 {
					t.Errorf("record %d is done, %d hand-overs are owed", seq, m.owed[seq])
				}
			}})
			h.clock = m.clock
			kinds := []string{"a", "b", "c"}
			var probes []*probe
			var wants [][]string
			for i := range 1 + rnd.IntN(5) {
				tr := simple(fmt.Sprint(i), 1+rnd.IntN(5), nil)
				tr.Window.Cutoff = time.Duration(1+rnd.IntN(20)) * time.Second
				tr.Window.Bytes = rnd.IntN(2) * (1 + rnd.IntN(40))
				tr.Match.Types = slices.DeleteFunc(slices.Clone(kinds), func(string) bool { return rnd.IntN(3) == 0 })
				tr.Match.Types = append(tr.Match.Types, kinds[rnd.IntN(3)])
				tr.Actions = nil
				for range 1 + rnd.IntN(2) {
					p := &probe{t: t, model: m, window: tr.Window}
					probes, wants = append(probes, p), append(wants, tr.Match.Types)
					tr.Actions = append(tr.Actions, trigger.Action{Pack: pack, Target: p})
				}
				h.set(tr)
			}
			for rec := range uint64(60) {
				var es []events.Event
				m.mu.Lock()
				for i := range rnd.IntN(4) {
					e := event(fmt.Sprint(rec, "-", i), kinds[rnd.IntN(3)], "r1")
					e.Body = json.RawMessage(strings.Repeat("0", 1+rnd.IntN(20)))
					es = append(es, e)
					for j, p := range probes {
						if slices.Contains(wants[j], e.Type) {
							p.wanted = append(p.wanted, arrival{e.ID, m.clock.Now(), len(e.Body), rec + 1})
							m.owed[rec+1]++
						}
					}
				}
				m.mu.Unlock()
				h.emit(es...)
				if rnd.IntN(3) > 0 {
					h.advance(time.Duration(rnd.IntN(8000)) * time.Millisecond)
				}
			}
			h.advance(time.Minute)
			for _, p := range probes {
				if p.next != len(p.wanted) {
					t.Errorf("%d events of %d came", p.next, len(p.wanted))
				}
			}
			if got := len(h.isDone()); got != 60 {
				t.Errorf("%d records of 60 are done", got)
			}
		})
	}
}

// advance moves the clock from timer to timer, so that each goes off at its own time.
func (h *house) advance(d time.Duration) {
	h.quiet()
	end := h.clock.Now().Add(d)
	for {
		next, ok := h.clock.Next()
		if !ok || next.After(end) {
			break
		}
		h.pass(next.Sub(h.clock.Now()))
	}
	h.pass(end.Sub(h.clock.Now()))
}
