package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/events"
)

// pass lets time go by, in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// handled is a handler that writes down what it got and when, in a bubble.
type handled struct {
	mu      sync.Mutex
	batches []string
	began   time.Time
}

func (h *handled) take(rs []queue.Received) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches = append(h.batches, fmt.Sprintf("%v: %s", time.Since(h.began), bodies(rs)))
}

func (h *handled) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := strings.Join(h.batches, ", ")
	h.batches = nil
	return out
}

// inBubble runs a test with queues on fake time.
func inBubble(t *testing.T, defs []queue.Queue, test func(t *testing.T, q *queue.Queues, trace *steps)) {
	synctest.Test(t, func(t *testing.T) {
		var trace steps
		q, err := queue.New(queue.Options{Note: trace.note})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := q.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		for _, def := range defs {
			if err := q.Set(def); err != nil {
				t.Fatal(err)
			}
		}
		test(t, q, &trace)
	})
}

func TestReceiveWaits(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q", Wait: 5 * time.Second}}, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		began := time.Now()
		rs, err := q.Receive(t.Context(), "q", 1, 20*time.Second, -1)
		is.NoErr(err)
		is.Equal(len(rs), 0)
		is.Equal(time.Since(began), 20*time.Second)

		began = time.Now()
		_, err = q.Receive(t.Context(), "q", 1, -1, -1)
		is.NoErr(err)
		is.Equal(time.Since(began), 5*time.Second) // the queue's own

		began = time.Now()
		time.AfterFunc(3*time.Second, func() { send(t, q, "q", "a") })
		rs, err = q.Receive(t.Context(), "q", 1, 20*time.Second, time.Second)
		is.NoErr(err)
		is.Equal(bodies(rs), "a")
		is.Equal(time.Since(began), 3*time.Second)
		rs, err = q.Receive(t.Context(), "q", 1, 20*time.Second, -1)
		is.NoErr(err)
		is.Equal(bodies(rs), "a")
		is.Equal(time.Since(began), 4*time.Second) // its visibility was over

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = q.Receive(ctx, "q", 1, 20*time.Second, -1)
		is.True(errors.Is(err, context.DeadlineExceeded))
	})
}

func TestBatches(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}}, func(t *testing.T, q *queue.Queues, trace *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		stop, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Batch: 3, Window: 10 * time.Second, Bytes: 100,
			Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
				h.take(rs)
				return nil, nil
			}})
		is.NoErr(err)
		send(t, q, "q", "a")
		pass(4 * time.Second)
		send(t, q, "q", "b")
		pass(5 * time.Second)
		is.Equal(h.said(), "") // the window is open
		pass(time.Second)
		is.Equal(h.said(), "10s: a b") // over since the first message
		is.Equal(trace.find(events.StepWaiting), []string{"1 of 3, goes in 10.0 s", "2 of 3, goes in 6.0 s"})

		send(t, q, "q", "c", "d", "e", "f")
		synctest.Wait()
		is.Equal(h.said(), "10s: c d e") // full
		pass(10 * time.Second)
		is.Equal(h.said(), "20s: f")

		long := strings.Repeat("x", 60)
		send(t, q, "q", "g", long, long)
		synctest.Wait()
		is.Equal(h.said(), "20s: g "+long) // another does not fit
		pass(10 * time.Second)
		is.Equal(h.said(), "30s: "+long)
		huge := strings.Repeat("y", 200)
		send(t, q, "q", huge)
		synctest.Wait()
		is.Equal(h.said(), "30s: "+huge) // too big: alone and at once

		send(t, q, "q", "h")
		synctest.Wait()
		stop()
		is.Equal(h.said(), "") // what waited is given back
		is.Equal(count(t, q, "q"), queue.Counts{Visible: 1})
		is.Equal(take(t, q, "q", 1)[0].Receives, 1) // and was not received
	})
}

func TestWithoutWindowABatchIsWhatIsThere(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}}, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		send(t, q, "q", "a", "b", "c")
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Batch: 2, Concurrency: 1, Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
			h.take(rs)
			<-time.After(time.Second)
			return nil, nil
		}})
		is.NoErr(err)
		pass(10 * time.Second)
		is.Equal(h.said(), "0s: a b, 1s: c")
		is.Equal(count(t, q, "q"), queue.Counts{})
	})
}

func TestFailedMessagesComeAgain(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q", Visibility: 30 * time.Second, MaxReceives: 3, DeadLetter: "dlq"}, {Name: "dlq"}}, func(t *testing.T, q *queue.Queues, trace *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
			h.take(rs)
			<-time.After(5*time.Second + time.Microsecond) // which nobody wants to read
			switch rs[0].Receives {
			case 1:
				return nil, errors.New("not today")
			case 2:
				return []string{rs[1].ID}, nil
			}
			panic("at all")
		}})
		is.NoErr(err)
		send(t, q, "q", "a", "b", "c")
		pass(29 * time.Second)
		is.Equal(h.said(), "0s: a b c")
		pass(time.Second)
		is.Equal(h.said(), "30s: a b c") // what is left of the visibility, not all of it again
		pass(30 * time.Second)
		is.Equal(h.said(), "1m0s: b") // the others are done
		pass(30 * time.Second)
		is.Equal(h.said(), "")
		is.Equal(bodies(take(t, q, "dlq", 9)), "b")
		told := trace.find(events.StepWaiting)
		is.Equal(told[0], "3 messages failed: not today; visible again in 25s")
		is.Equal(told[1], "1 message failed: the handler named it as failed; visible again in 25s")
		is.True(strings.HasPrefix(told[2], "1 message failed: panic: at all"))
		is.Equal(trace.find(events.StepDelivered), []string{"2 of 3 messages handled in 5s"})
	})
}

func TestAnUnknownFailedIDFailsAll(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}}, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(context.Context, []queue.Received) ([]string, error) {
			return []string{"who?"}, nil
		}})
		is.NoErr(err)
		send(t, q, "q", "a", "b")
		synctest.Wait()
		is.Equal(count(t, q, "q"), queue.Counts{InFlight: 2})
	})
}

func TestBackoff(t *testing.T) {
	var dead []string
	defs := []queue.Queue{{
		Name: "q", MaxReceives: 3, Retention: 6 * time.Hour,
		Backoff: func(n int) time.Duration { return time.Duration(n) * time.Minute },
		Dead: func(_ context.Context, r queue.Received, why queue.Reason) {
			dead = append(dead, fmt.Sprintf("%s %s %d", r.Body, why, r.Receives))
		},
	}}
	inBubble(t, defs, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		throttled := false
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Batch: 1, Hold: true, Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
			h.take(rs)
			if string(rs[0].Body) == "c" {
				return nil, &queue.GiveUp{Why: queue.Expired, Err: errors.New("too old to try again")}
			}
			if throttled {
				return nil, &queue.Later{After: time.Hour, Err: errors.New("throttled")}
			}
			<-time.After(45 * time.Second) // longer than the visibility
			return nil, errors.New("no")
		}})
		is.NoErr(err)
		send(t, q, "q", "a")
		pass(time.Hour)
		is.Equal(h.said(), "0s: a, 1m45s: a, 4m30s: a")
		is.Equal(dead, []string{"a exhausted 3"})
		is.Equal(count(t, q, "q"), queue.Counts{})

		throttled, dead = true, nil
		send(t, q, "q", "b")
		pass(7 * time.Hour)
		is.Equal(h.said(), "1h0m0s: b, 2h0m0s: b, 3h0m0s: b, 4h0m0s: b, 5h0m0s: b, 6h0m0s: b") // more than MaxReceives
		is.Equal(dead, []string{"b expired 0"})

		dead = nil
		send(t, q, "q", "c")
		synctest.Wait()
		is.Equal(dead, []string{"c expired 1"}) // at once
	})
}

func TestAHandlerSlowerThanTheVisibility(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q", Visibility: 10 * time.Second}}, func(t *testing.T, q *queue.Queues, trace *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
			h.take(rs)
			if rs[0].Receives == 1 {
				<-time.After(15 * time.Second)
			} else {
				<-time.After(8 * time.Second)
			}
			return nil, nil
		}})
		is.NoErr(err)
		send(t, q, "q", "a")
		pass(time.Minute)
		is.Equal(h.said(), "0s: a, 10s: a") // while the first is still at it
		is.Equal(trace.find(events.StepWaiting), []string{`the handler took 15s, longer than the 10s for which the queue "q" hides a message: it comes again`})
		is.Equal(count(t, q, "q"), queue.Counts{})
	})
}

func TestAHandlerThatDeletes(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}}, func(t *testing.T, q *queue.Queues, trace *steps) {
		is := is.New(t)
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
			is.NoErr(q.Delete("q", rs[0].Receipt))
			return nil, errors.New("and then it fails")
		}})
		is.NoErr(err)
		send(t, q, "q", "a")
		pass(time.Minute)
		is.Equal(count(t, q, "q"), queue.Counts{}) // it is gone all the same
		is.Equal(len(trace.find(events.StepWaiting)), 0)
	})
}

func TestFilter(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}}, func(t *testing.T, q *queue.Queues, trace *steps) {
		is := is.New(t)
		h := handled{began: time.Now()}
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Batch: 2, Window: time.Minute,
			Filter: func(r queue.Received) (bool, string) { return string(r.Body) != "no", "it says no" },
			Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
				h.take(rs)
				return nil, nil
			}})
		is.NoErr(err)
		send(t, q, "q", "no", "a", "no", "no", "b", "no")
		synctest.Wait()
		is.Equal(h.said(), "0s: a b") // what is left out takes no room in the batch
		is.Equal(count(t, q, "q"), queue.Counts{})
		is.Equal(len(trace.find(events.StepSkipped)), 4)
		is.Equal(trace.find(events.StepSkipped)[0], "it says no: deleted from the queue q")
	})
}

func TestConcurrency(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}, {Name: "f", FIFO: true}}, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		for _, name := range []string{"q", "f"} {
			now, most, perGroup := 0, 0, map[string]int{}
			var mu sync.Mutex
			stop, err := q.Consume(queue.Consumer{Name: "f", Queue: name, Batch: 1, Concurrency: 3, Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
				mu.Lock()
				now++
				most = max(most, now)
				perGroup[rs[0].Group]++
				if name == "f" && perGroup[rs[0].Group] > 1 {
					t.Error("a group is in two handlers")
				}
				mu.Unlock()
				<-time.After(time.Second)
				mu.Lock()
				now--
				perGroup[rs[0].Group]--
				mu.Unlock()
				return nil, nil
			}})
			is.NoErr(err)
			began := time.Now()
			for i := range 12 {
				send(t, q, name, fmt.Sprintf("g%d:%d", i%2, i))
			}
			is.NoErr(q.Quiet(t.Context()))
			if name == "q" {
				is.Equal(most, 3)
				is.Equal(time.Since(began), 4*time.Second)
			} else {
				is.Equal(most, 2) // two groups
				is.Equal(time.Since(began), 6*time.Second)
			}
			stop()
		}
	})
}

func TestQuiet(t *testing.T) {
	inBubble(t, []queue.Queue{{Name: "q"}, {Name: "alone"}}, func(t *testing.T, q *queue.Queues, _ *steps) {
		is := is.New(t)
		send(t, q, "alone", "nobody consumes it")
		fail := true
		_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(context.Context, []queue.Received) ([]string, error) {
			<-time.After(5 * time.Second)
			if fail {
				return nil, errors.New("no")
			}
			return nil, nil
		}})
		is.NoErr(err)
		began := time.Now()
		is.NoErr(q.Quiet(t.Context()))
		is.Equal(time.Since(began), time.Duration(0))
		send(t, q, "q", "a")
		is.NoErr(q.Quiet(t.Context()))
		is.Equal(time.Since(began), 5*time.Second) // it rests now, and is not waited for
		fail = false
		<-time.After(25 * time.Second)
		is.NoErr(q.Quiet(t.Context()))
		is.Equal(time.Since(began), 35*time.Second)

		send(t, q, "q", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		is.True(errors.Is(q.Quiet(ctx), context.DeadlineExceeded))
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		q, err := queue.New(queue.Options{})
		is.NoErr(err)
		is.NoErr(q.Set(queue.Queue{Name: "q"}))
		var ended error
		_, err = q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(ctx context.Context, _ []queue.Received) ([]string, error) {
			<-ctx.Done()
			ended = ctx.Err()
			return nil, ended
		}})
		is.NoErr(err)
		send(t, q, "q", "a")
		synctest.Wait()
		waiting := make(chan error)
		go func() {
			_, err := q.Receive(t.Context(), "q", 1, time.Hour, -1)
			waiting <- err
		}()
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		go func() { waiting <- q.Close(ctx) }()
		is.True(errors.Is(<-waiting, queue.ErrClosed)) // who waits is told
		is.NoErr(<-waiting)
		is.Equal(time.Since(began), 7*time.Second) // the handler was given the time there was
		is.Equal(ended, context.Canceled)
		_, err = q.Send(t.Context(), "q", []queue.Message{{}})
		is.True(errors.Is(err, queue.ErrClosed))
		is.True(errors.Is(q.Quiet(t.Context()), queue.ErrClosed))
		is.NoErr(q.Close(ctx))
	})
}
