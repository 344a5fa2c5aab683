package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
)

// model is what a queue must do, in the simplest words.
type model struct {
	t     *testing.T
	fifo  bool
	clock *clock.Manual
	turn  []string // the living, in order of sending
	of    map[string]*modelled
}

type modelled struct {
	group   string
	hidden  time.Time
	receipt string
}

// got checks what was received together.
func (m *model) got(rs []queue.Received, until time.Time) {
	seen := map[string]bool{}
	for _, r := range rs {
		x := m.of[r.ID]
		switch {
		case x == nil:
			m.t.Fatalf("%s came although it was deleted", r.Body)
		case x.hidden.After(m.clock.Now()):
			m.t.Fatalf("%s came although it is hidden until %v", r.Body, x.hidden)
		}
		if m.fifo {
			for _, id := range m.turn[:slices.Index(m.turn, r.ID)] {
				if m.of[id].group == x.group && !seen[id] {
					m.t.Fatalf("%s of %s came before %s, which was sent earlier", r.Body, x.group, id)
				}
			}
		}
		seen[r.ID] = true
		x.receipt = r.Receipt
	}
	for id := range seen {
		m.of[id].hidden = until
	}
}

func (m *model) drop(id string) {
	delete(m.of, id)
	m.turn = slices.DeleteFunc(m.turn, func(other string) bool { return other == id })
}

func TestNothingIsLostOrHeldTwice(t *testing.T) {
	for _, fifo := range []bool{false, true} {
		for seed := range uint64(60) {
			t.Run(fmt.Sprint(fifo, seed), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				c := clock.NewManual(start)
				m := &model{t: t, fifo: fifo, clock: c, of: map[string]*modelled{}}
				q := open(t, queue.Options{Clock: c}, queue.Queue{Name: "q", FIFO: fifo})
				for i := range 400 {
					switch k := rnd.IntN(10); {
					case k < 3:
						group := fmt.Sprint("g", rnd.IntN(3))
						id := send(t, q, "q", fmt.Sprintf("%s:m%d", group, i))[0].ID
						m.of[id] = &modelled{group: group}
						m.turn = append(m.turn, id)
					case k < 6:
						visibility := time.Duration(1+rnd.IntN(60)) * time.Second
						rs, err := q.Receive(t.Context(), "q", 1+rnd.IntN(5), 0, visibility)
						if err != nil {
							t.Fatal(err)
						}
						m.got(rs, c.Now().Add(visibility))
					case k < 9 && len(m.turn) > 0:
						id := m.turn[rnd.IntN(len(m.turn))]
						x := m.of[id]
						if x.receipt == "" {
							break
						}
						if k == 8 {
							err := q.ChangeVisibility("q", x.receipt, 5*time.Second)
							if in := x.hidden.After(c.Now()); in != (err == nil) {
								t.Fatalf("in flight %v, and yet: %v", in, err)
							} else if in {
								x.hidden = c.Now().Add(5 * time.Second)
							}
							break
						}
						if err := q.Delete("q", x.receipt); err != nil {
							t.Fatal(err)
						}
						m.drop(id)
					case k == 9:
						c.Advance(time.Duration(rnd.IntN(30)) * time.Second)
					}
					if n := count(t, q, "q"); n.Visible+n.InFlight != len(m.turn) {
						t.Fatalf("it says %+v, and %d are alive", n, len(m.turn))
					}
				}
				c.Advance(time.Hour)
				for len(m.turn) > 0 {
					rs := take(t, q, "q", 10)
					if len(rs) == 0 {
						t.Fatalf("%d do not come any more", len(m.turn))
					}
					m.got(rs, c.Now().Add(time.Hour))
					for _, r := range rs {
						if err := q.Delete("q", r.Receipt); err != nil {
							t.Fatal(err)
						}
						m.drop(r.ID)
					}
				}
			})
		}
	}
}

// Whatever handlers do, a message is handled in the end or is with the dead, and a group's messages are first tried in their order.
func TestWhateverHandlersDo(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			fifo := seed%2 == 0
			q, err := queue.New(queue.Options{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			for _, def := range []queue.Queue{{Name: "q", FIFO: fifo, Visibility: 20 * time.Second, MaxReceives: 3, DeadLetter: "dlq"}, {Name: "dlq", FIFO: fifo}} {
				if err := q.Set(def); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			first := map[string][]string{} // by group, the messages in the order of their first coming
			done, held := map[string]bool{}, map[string]bool{}
			_, err = q.Consume(queue.Consumer{
				Name: "f", Queue: "q", Batch: 1 + rnd.IntN(10), Window: time.Duration(rnd.IntN(3)) * time.Second, Concurrency: 1 + rnd.IntN(5),
				Handle: func(_ context.Context, rs []queue.Received) (failed []string, err error) {
					mu.Lock()
					for _, r := range rs {
						if held[r.ID] || done[r.ID] {
							t.Errorf("%s is held twice or comes again", r.Body)
						}
						held[r.ID] = true
						if r.Receives == 1 {
							first[r.Group] = append(first[r.Group], string(r.Body))
						}
					}
					rest, verdict := time.Duration(rnd.IntN(10))*time.Second, rnd.IntN(4)
					mu.Unlock()
					<-time.After(rest)
					mu.Lock()
					defer mu.Unlock()
					for i, r := range rs {
						delete(held, r.ID)
						if verdict == 0 || verdict == 1 && i >= len(rs)/2 {
							failed = append(failed, r.ID)
						} else {
							done[r.ID] = true
						}
					}
					if verdict == 0 {
						return nil, errors.New("all of it")
					}
					return failed, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			sent, mine := map[string][]string{}, rand.New(rand.NewPCG(seed, 3))
			for i := range 60 {
				group := fmt.Sprint("g", mine.IntN(4))
				body := fmt.Sprintf("m%02d", i)
				send(t, q, "q", group+":"+body)
				sent[group] = append(sent[group], body)
				if mine.IntN(4) == 0 {
					<-time.After(time.Second)
				}
			}
			<-time.After(time.Hour)
			if err := q.Quiet(t.Context()); err != nil {
				t.Error(err)
			}
			if n := len(done) + count(t, q, "dlq").Visible; n != 60 {
				t.Errorf("%d of 60 are handled or with the dead", n)
			}
			if n := count(t, q, "q"); n != (queue.Counts{}) {
				t.Errorf("something is left: %+v", n)
			}
			for group := range sent {
				if fifo && !slices.Equal(first[group], sent[group]) {
					t.Errorf("%s was tried as %v, and sent as %v", group, first[group], sent[group])
				}
			}
			if err := q.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}
