package broadcast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/regcast/regcast/functions/gateway"
	"github.com/regcast/regcast/functions/store"
	"github.com/regcast/regcast/functions/wish"
)

// early is how long a connection may not be open yet after its rows were written: its $connect has not returned (29 s at most), and
// until then the gateway says that it is gone.
const early = 30 * time.Second

// delivery is one batch on its way.
type delivery struct {
	Options
	log   *slog.Logger
	batch *batch

	mu         sync.Mutex
	summary    Summary
	unfinished []bool // by event
	cause      error  // of the first event that is not finished
	gone       []store.Connection
}

// message is a part that is ready to post.
type message struct {
	events []int
	ready  gateway.Message
}

// job is one connection and what it gets.
type job struct {
	connection store.Connection
	messages   []message
}

// errTime is the cause of a delivery that stops in time to answer.
var errTime = errors.New("time is up")

func (d *delivery) run(ctx context.Context) {
	if len(d.batch.events) == 0 {
		return
	}
	deadline, ok := ctx.Deadline()
	if !ok && d.Timeout > 0 {
		deadline, ok = d.Now().Add(d.Timeout), true
	}
	answer := ctx
	if ok {
		var cancel context.CancelFunc
		answer, cancel = context.WithDeadline(ctx, deadline.Add(-d.Margin/2))
		defer cancel()
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-d.Margin), errTime)
		defer cancel()
	}
	jobs, err := d.plan(ctx)
	if err != nil {
		d.fail(all(len(d.batch.events)), err)
		return
	}
	d.summary.Connections = len(jobs)
	ctx, stop := context.WithCancelCause(ctx)
	d.work(ctx, stop, jobs)
	stop(nil)
	if len(d.gone) > 0 {
		if err := d.Store.Forget(answer, d.gone); err != nil {
			d.log.Warn("rows of gone connections stay", "connections", len(d.gone), "error", err) // found again by the next batch
		}
	}
}

// plan finds who wants what. Connections with the same wish share their messages.
func (d *delivery) plan(ctx context.Context) ([]job, error) {
	bodies := make([]json.RawMessage, len(d.batch.events))
	var repositories []string
	for i := range d.batch.events {
		e := &d.batch.events[i]
		var err error
		if bodies[i], err = d.Format.word(e); err != nil {
			return nil, fmt.Errorf("event %s as %s: %w", e.id, d.Format, err)
		}
		repositories = append(repositories, e.name())
	}
	connections, err := d.Store.Candidates(ctx, repositories)
	if err != nil {
		return nil, err
	}
	d.oversize(bodies)
	byWish, bySelection := map[string][]message{}, map[string][]message{}
	var jobs []job
	for _, c := range connections {
		messages, known := byWish[c.Wish]
		if !known {
			if w, err := wish.Parse(c.Wish); err == nil {
				messages = d.messages(bodies, w, bySelection)
			} else {
				d.log.Warn("row is not read", "connection", c.ID, "error", err)
			}
			byWish[c.Wish] = messages
		}
		if len(messages) > 0 {
			jobs = append(jobs, job{c, messages})
		}
	}
	return jobs, nil
}

func (d *delivery) messages(bodies []json.RawMessage, w wish.Wish, bySelection map[string][]message) []message {
	var wanted []int
	selection := make([]byte, len(bodies))
	for i, e := range d.batch.events {
		if w.Match(e.Event) {
			wanted = append(wanted, i)
			selection[i] = 1
		}
	}
	messages, known := bySelection[string(selection)]
	if !known {
		for _, p := range d.Format.cut(bodies, wanted, gateway.MessageLimit) {
			messages = append(messages, message{p.events, d.Gateway.Message(p.text)})
		}
		bySelection[string(selection)] = messages
	}
	return messages
}

func (d *delivery) oversize(bodies []json.RawMessage) {
	head, tail := d.Format.envelope()
	for i, body := range bodies {
		if size := len(head) + len(body) + len(tail); size > gateway.MessageLimit {
			d.summary.Oversize++
			d.log.Error("event is too large for any connection", "event_id", d.batch.events[i].id, "bytes", size, "limit", gateway.MessageLimit)
		}
	}
}

// work posts with so many workers at a time, each one connection at a time.
func (d *delivery) work(ctx context.Context, stop context.CancelCauseFunc, jobs []job) {
	queue := make(chan job)
	var workers sync.WaitGroup
	for range min(d.Concurrency, len(jobs)) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for j := range queue {
				d.serve(ctx, stop, j)
			}
		}()
	}
	for _, j := range jobs {
		queue <- j // when ctx is done a job only says so: this does not block for long
	}
	close(queue)
	workers.Wait()
}

// serve posts a connection's messages in order. After one that has failed the rest would be out of order: they come again with it.
func (d *delivery) serve(ctx context.Context, stop context.CancelCauseFunc, j job) {
	for i, m := range j.messages {
		err := d.post(ctx, j.connection.ID, m.ready)
		switch {
		case err == nil:
			d.count(func(s *Summary) { s.Posts++ })
		case errors.Is(err, gateway.ErrGone):
			d.lost(j.connection)
			return
		case errors.Is(err, gateway.ErrRejected):
			d.rejected(j.connection, err)
		default:
			if errors.Is(err, gateway.ErrRefused) {
				stop(err) // it would refuse all the others too
			}
			for _, rest := range j.messages[i:] {
				d.fail(rest.events, err)
			}
			return
		}
	}
}

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// post tries again while the gateway is busy, after a random part of a pause that doubles.
func (d *delivery) post(ctx context.Context, connection string, m gateway.Message) error {
	for attempt := 1; ; attempt++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := d.Gateway.Post(ctx, connection, m)
		if err == nil || !errors.Is(err, gateway.ErrBusy) || attempt == d.Attempts {
			return err
		}
		pause := min(firstPause<<(attempt-1), maxPause)
		if d.Wait(ctx, time.Duration(d.Jitter()*float64(pause))) != nil {
			return err
		}
	}
}

func (d *delivery) count(change func(*Summary)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.summary)
}

func (d *delivery) lost(c store.Connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Now().Sub(c.Since) < early {
		d.summary.Early++
		return
	}
	d.summary.Gone++
	d.gone = append(d.gone, c)
}

func (d *delivery) rejected(c store.Connection, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.summary.Rejected++
	if d.summary.Rejected <= 10 {
		d.log.Warn("message is rejected", "connection", c.ID, "error", err)
	}
}

func (d *delivery) fail(events []int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cause == nil {
		d.cause = err
	}
	for _, i := range events {
		d.unfinished[i] = true
	}
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}
