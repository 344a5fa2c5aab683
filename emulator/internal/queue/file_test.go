package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/events"
)

// life runs queues for a while in a folder.
func life(t *testing.T, o queue.Options, defs []queue.Queue, during func(*queue.Queues)) {
	t.Helper()
	q, err := queue.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, def := range defs {
		if err := q.Set(def); err != nil {
			t.Fatal(err)
		}
	}
	during(q)
	if err := q.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	o := queue.Options{Clock: c, Dir: filepath.Join(t.TempDir(), "new")}
	defs := []queue.Queue{{Name: "q"}, {Name: "f", FIFO: true}, {Name: "slow", Delay: time.Hour}, {Name: "bad", MaxReceives: 1, DeadLetter: "dlq"}, {Name: "dlq"}}
	whole := queue.Message{
		Body: []byte("whole"), Group: "g", Dedup: "d", Events: []string{"e1", "e2"},
		Attributes: map[string]queue.Attribute{"A": {Type: "String", Value: []byte("1")}, "B": {Type: "Binary", Value: []byte{0, 255}}},
	}
	var sent []queue.Sent
	life(t, o, defs, func(q *queue.Queues) {
		var err error
		sent, err = q.Send(t.Context(), "f", []queue.Message{whole})
		is.NoErr(err)
		send(t, q, "f", "g:next", "h:other")
		send(t, q, "q", "a", "b", "c")
		is.NoErr(q.Delete("q", take(t, q, "q", 1)[0].Receipt))
		take(t, q, "q", 1) // b is in flight
		send(t, q, "slow", "later")
		send(t, q, "bad", "dead")
		take(t, q, "bad", 1)
		c.Advance(queue.Visibility)
		is.Equal(count(t, q, "dlq").Visible, 1)
		take(t, q, "q", 1)
	})
	life(t, o, defs, func(q *queue.Queues) {
		is.Equal(bodies(take(t, q, "q", 9)), "b c") // nobody holds them any more
		is.Equal(count(t, q, "slow"), queue.Counts{Delayed: 1})
		dead := take(t, q, "dlq", 9)
		is.Equal(bodies(dead), "dead")
		is.Equal(dead[0].DeadOf, "bad")
		is.Equal(count(t, q, "bad"), queue.Counts{})
		rs := take(t, q, "f", 1)
		whole.ID = sent[0].ID
		is.Equal(rs[0].Message, whole)
		is.Equal(rs[0].Sequence, sent[0].Sequence)
		is.Equal(rs[0].SentAt, start)
		is.Equal(bodies(take(t, q, "f", 9)), "other")
		again, err := q.Send(t.Context(), "f", []queue.Message{whole})
		is.NoErr(err)
		is.Equal(again, sent) // it was sent before the restart
		c.Advance(time.Hour)
		is.Equal(count(t, q, "slow"), queue.Counts{Visible: 1})
	})
}

func TestMessagesWaitForTheirQueue(t *testing.T) {
	is := is.New(t)
	o := queue.Options{Clock: clock.NewManual(start), Dir: t.TempDir()}
	life(t, o, []queue.Queue{{Name: "q"}}, func(q *queue.Queues) { send(t, q, "q", "a") })
	life(t, o, nil, func(q *queue.Queues) {
		_, err := q.Counts("q")
		is.True(errors.Is(err, queue.ErrNoQueue))
		is.NoErr(q.Set(queue.Queue{Name: "q"}))
		is.Equal(bodies(take(t, q, "q", 9)), "a")
	})
}

func TestFailuresAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		o := queue.Options{Dir: t.TempDir()}
		var dead []queue.Reason
		defs := []queue.Queue{{
			Name: "q", MaxReceives: 2, Backoff: func(int) time.Duration { return time.Hour },
			Dead: func(_ context.Context, _ queue.Received, why queue.Reason) { dead = append(dead, why) },
		}}
		fail := func(q *queue.Queues) {
			_, err := q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(context.Context, []queue.Received) ([]string, error) {
				return nil, errors.New("no")
			}})
			is.NoErr(err)
			is.NoErr(q.Quiet(t.Context()))
		}
		life(t, o, defs, func(q *queue.Queues) {
			send(t, q, "q", "a")
			fail(q)
		})
		life(t, o, defs, func(q *queue.Queues) {
			is.Equal(count(t, q, "q"), queue.Counts{InFlight: 1}) // it still rests
			<-time.After(time.Hour)
			fail(q)
			is.Equal(dead, []queue.Reason{queue.Exhausted})
		})
		life(t, o, defs, func(q *queue.Queues) { is.Equal(count(t, q, "q"), queue.Counts{}) })
	})
}

// A process may be killed while it writes: whatever was whole by then is there, in order, and what comes after is written behind it.
func TestCutAtEveryByte(t *testing.T) {
	is := is.New(t)
	o := queue.Options{Clock: clock.NewManual(start), Dir: t.TempDir()}
	defs := []queue.Queue{{Name: "q"}}
	path := filepath.Join(o.Dir, "queues")
	size := func() int {
		info, err := os.Stat(path)
		is.NoErr(err)
		return int(info.Size())
	}
	type moment struct {
		size int
		want string
	}
	moments := []moment{{0, ""}}
	life(t, o, defs, func(q *queue.Queues) {
		for i := range 4 {
			send(t, q, "q", fmt.Sprint("m", i))
			moments = append(moments, moment{size(), bodies(peek(t, q))})
			if i%2 == 1 {
				is.NoErr(q.Delete("q", take(t, q, "q", 1)[0].Receipt))
				moments = append(moments, moment{size(), bodies(peek(t, q))})
			}
		}
	})
	data, err := os.ReadFile(path)
	is.NoErr(err)
	for cut := range len(data) + 1 {
		is.NoErr(os.WriteFile(path, data[:cut], 0o600))
		want := ""
		for _, m := range moments {
			if m.size <= cut {
				want = m.want
			}
		}
		life(t, o, defs, func(q *queue.Queues) {
			is.Equal(bodies(peek(t, q)), want)
			send(t, q, "q", "next")
		})
		life(t, o, defs, func(q *queue.Queues) { is.Equal(bodies(peek(t, q)), strings.TrimSpace(want+" next")) })
	}
}

// peek receives all and puts all back.
func peek(t *testing.T, q *queue.Queues) []queue.Received {
	t.Helper()
	rs, err := q.Receive(t.Context(), "q", 100, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func TestADamagedRecordCostsItself(t *testing.T) {
	is := is.New(t)
	var trace steps
	o := queue.Options{Clock: clock.NewManual(start), Dir: t.TempDir(), Note: trace.note}
	defs := []queue.Queue{{Name: "q"}}
	life(t, o, defs, func(q *queue.Queues) { send(t, q, "q", "first", "second", "third") })
	path := filepath.Join(o.Dir, "queues")
	data, err := os.ReadFile(path)
	is.NoErr(err)
	at := bytes.Index(data, []byte("second"))
	data[at] = 'S'
	is.NoErr(os.WriteFile(path, append(data, make([]byte, 64)...), 0o600)) // and the zeros that a dead machine leaves
	life(t, o, defs, func(q *queue.Queues) {
		is.Equal(bodies(peek(t, q)), "first third")
		is.Equal(trace.find(events.StepLost), []string{"1 damaged records are left out"})
		send(t, q, "q", "next")
	})
	life(t, o, defs, func(q *queue.Queues) { is.Equal(bodies(peek(t, q)), "first third next") })
}

func TestTheFileIsWrittenAnew(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	o := queue.Options{Clock: c, Dir: t.TempDir()}
	defs := []queue.Queue{{Name: "q"}, {Name: "other", FIFO: true}}
	var last queue.Sent
	life(t, o, defs, func(q *queue.Queues) {
		send(t, q, "other", "g:1", "g:2")
		send(t, q, "q", "kept")
		take(t, q, "q", 1) // in somebody's hands
		for range 100 {
			sent := send(t, q, "q", strings.Repeat("x", 100_000))
			last = sent[0]
			is.NoErr(q.Delete("q", take(t, q, "q", 1)[0].Receipt))
		}
		info, err := os.Stat(filepath.Join(o.Dir, "queues"))
		is.NoErr(err)
		is.True(info.Size() < 2<<20) // ten megabytes went through
	})
	is.True(last.ID != "")
	life(t, o, defs, func(q *queue.Queues) {
		is.Equal(bodies(peek(t, q)), "kept")
		is.Equal(bodies(take(t, q, "other", 9)), "1 2")
		is.True(send(t, q, "other", "h:3")[0].Sequence > fmt.Sprintf("%020d", 103)) // no number is given twice
	})
	entries, err := os.ReadDir(o.Dir)
	is.NoErr(err)
	is.Equal(len(entries), 1) // nothing half written is left
}

func FuzzRecord(f *testing.F) {
	dir := f.TempDir()
	q, err := queue.New(queue.Options{Clock: clock.NewManual(start), Dir: dir})
	if err == nil {
		err = q.Set(queue.Queue{Name: "q"})
	}
	if err == nil {
		_, err = q.Send(context.Background(), "q", []queue.Message{{Body: []byte("b"), Events: []string{"e"}, Attributes: map[string]queue.Attribute{"A": {Type: "t"}}}})
	}
	if err == nil {
		err = q.Close(context.Background())
	}
	data, readErr := os.ReadFile(filepath.Join(dir, "queues"))
	if err := errors.Join(err, readErr); err != nil {
		f.Fatal(err)
	}
	f.Add(data[8:])
	f.Add([]byte("g\x01"))
	f.Add([]byte("r\x01\x02\x03\x04"))
	f.Add([]byte("n\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := queue.Decode(data)
		if once == nil {
			return
		}
		if twice := queue.Decode(once); !bytes.Equal(once, twice) {
			t.Errorf("%q is read and written as %q, and that as %q", data, once, twice)
		}
	})
}

// A handler that Close cuts off has not failed: after a restart the message is there at once, and that receive does not count.
func TestWhatCloseCutsOffComesAgainAtOnce(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	got := make(chan queue.Received, 1)
	life := func() *queue.Queues {
		t.Helper()
		q, err := queue.New(queue.Options{Dir: dir})
		is.NoErr(err)
		is.NoErr(q.Set(queue.Queue{Name: "dead"}))
		is.NoErr(q.Set(queue.Queue{Name: "q", Visibility: time.Hour, MaxReceives: 1, DeadLetter: "dead"}))
		_, err = q.Consume(queue.Consumer{Name: "f", Queue: "q", Handle: func(ctx context.Context, batch []queue.Received) ([]string, error) {
			got <- batch[0]
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		is.NoErr(err)
		return q
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	q := life()
	send(t, q, "q", "a")
	for range 3 {
		is.Equal((<-got).Receives, 1)
		is.NoErr(q.Close(now))
		q = life()
	}
	is.Equal((<-got).Receives, 1)
	is.NoErr(q.Close(now))
}
