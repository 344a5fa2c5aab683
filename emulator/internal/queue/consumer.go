package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Consumer takes batches from a queue and deletes what was handled. A batch goes to Handle when it has Batch messages, or Bytes, or
// when Window is over since its first message.
type Consumer struct {
	Name, Queue string
	Batch       int           // 0: 10
	Window      time.Duration // 0: a batch is what is there
	Bytes       int           // of a batch; 0: 6 MB. A larger message goes alone
	Concurrency int           // handlers at once; 0: 5. No message is taken that no handler is free for
	// Size is what a message counts of Bytes; nil: its body and attributes.
	Size func(Received) int
	// Hold keeps messages out of sight for as long as Handle runs, however short the queue's Visibility is.
	Hold bool
	// Filter leaves out, and deletes, what it says no to; why says so in a sentence. Nil keeps all.
	Filter func(Received) (ok bool, why string)
	// Handle returns the ids of the messages that failed; the others are deleted. With an error, or an id that is not in the batch, all
	// have failed. What failed becomes visible again as the queue's Backoff and Visibility say; see Later and GiveUp for other ways. In a FIFO
	// queue nothing of a group is handed on before its first failed message is dealt with. A panic is an error. ctx ends when Close runs
	// out of time: what fails after that counts as never received, and comes again at once after a restart.
	Handle func(ctx context.Context, batch []Received) (failed []string, err error)
}

// consumer is a Consumer at work.
type consumer struct {
	Consumer
	queues   *Queues
	line     *line
	slots    chan struct{}
	stopping chan struct{}
	stopped  sync.Once
	run      sync.WaitGroup // the gatherer and the handlers

	// Guarded by the lock of Queues.
	open    int       // messages in the gatherer's hands
	due     time.Time // when they go, if nothing comes; zero while the gatherer is at work
	running int       // handlers
}

// Consume starts a consumer. stop waits for its handlers; what waits in an open window is given back to the queue. It says
// ErrNoQueue and ErrClosed.
func (q *Queues) Consume(def Consumer) (stop func(), err error) {
	if def.Handle == nil {
		return nil, errors.New("queue: consume: no Handle")
	}
	def.Batch = cmp.Or(def.Batch, Batch)
	def.Bytes = cmp.Or(def.Bytes, BatchBytes)
	def.Concurrency = cmp.Or(def.Concurrency, Concurrency)
	if def.Size == nil {
		def.Size = func(r Received) int { return weight(&r.Message) }
	}
	c := &consumer{Consumer: def, queues: q, slots: make(chan struct{}, def.Concurrency), stopping: make(chan struct{})}
	err = q.with(def.Queue, func(l *line, _ time.Time) error {
		c.line = l
		q.consumers[c] = true
		c.run.Go(c.gather)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.stop, nil
}

func (c *consumer) stop() {
	c.stopped.Do(func() { close(c.stopping) })
	c.run.Wait()
	c.queues.mu.Lock()
	defer c.queues.unlock()
	delete(c.queues.consumers, c)
}

// busy needs the lock. A batch that is being gathered is not due at any time.
func (c *consumer) busy() bool {
	return c.running > 0 || c.line.ready.Len() > 0 || c.open > 0 && (c.due.IsZero() || clock.Wakes(c.queues.clock, c.due))
}

// gather makes batches as long as handlers are free.
func (c *consumer) gather() {
	for {
		select {
		case c.slots <- struct{}{}:
		case <-c.stopping:
			return
		case <-c.queues.closing:
			return
		}
		batch := c.batch()
		if batch == nil {
			return
		}
		c.run.Go(func() {
			c.handle(batch)
			<-c.slots
		})
	}
}

// batch waits for the next batch. It returns nil when the consumer has stopped.
func (c *consumer) batch() []Received {
	q := c.queues
	var batch []Received
	var timer clock.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	var due time.Time
	size := 0
	for {
		left := &space{count: c.Batch - len(batch), bytes: max(0, c.Bytes-size), some: len(batch) > 0, size: c.Size}
		got, arrived := c.take(left)
		for _, r := range got {
			if ok, why := c.keep(r); ok {
				batch = append(batch, r)
				size += c.Size(r)
			} else {
				c.skip(r, why)
			}
		}
		now := q.clock.Now()
		if len(batch) > 0 && due.IsZero() {
			due = now.Add(c.Window)
		}
		if len(batch) > 0 && (left.full || len(batch) == c.Batch || size >= c.Bytes || !now.Before(due)) {
			c.begin(len(batch))
			return batch
		}
		if len(got) > 0 && arrived == nil {
			continue // there may be more: what was filtered out has made room
		}
		var over <-chan time.Time
		if len(batch) > 0 {
			timer = q.arm(timer, due)
			over = timer.C()
			c.rest(due, got, len(batch))
		}
		select {
		case <-arrived:
		case <-over:
		case <-c.stopping:
			c.giveBack(batch)
			return nil
		case <-q.closing:
			c.giveBack(batch)
			return nil
		}
	}
}

// take takes what is there; when that is nothing more, arrived tells of the next.
func (c *consumer) take(left *space) (got []Received, arrived <-chan struct{}) {
	q := c.queues
	q.mu.Lock()
	defer q.unlock()
	now := q.clock.Now()
	c.line.advance(now)
	until := now.Add(c.line.visibility())
	if c.Hold {
		until = time.Time{}
	}
	for _, e := range c.line.take(now, until, left, q.receipt) {
		got = append(got, e.Received)
	}
	c.open += len(got)
	c.due = time.Time{}
	q.touch(c.line)
	if left.full || c.line.ready.Len() > 0 {
		return got, nil
	}
	return got, c.line.wait()
}

// rest tells that the open batch waits for more.
func (c *consumer) rest(due time.Time, got []Received, n int) {
	q := c.queues
	q.mu.Lock()
	defer q.unlock()
	c.due = due
	now := q.clock.Now()
	for i := range got {
		q.step(events.StepWaiting, c.Name, now, strconv.Itoa(n)+" of "+strconv.Itoa(c.Batch)+", goes in "+
			strconv.FormatFloat(due.Sub(now).Seconds(), 'f', 1, 64)+" s", map[string]any{"queue": c.Queue, "waiting": n, "of": c.Batch, "due": due}, &got[i])
	}
}

// keep asks the filter. One that panics has said no.
func (c *consumer) keep(r Received) (ok bool, why string) {
	if c.Filter == nil {
		return true, ""
	}
	if err := guard(func() error { ok, why = c.Filter(r); return nil }); err != nil {
		return false, "filter: " + err.Error()
	}
	return ok, why
}

// skip deletes what the filter does not want.
func (c *consumer) skip(r Received, why string) {
	q := c.queues
	q.mu.Lock()
	defer q.unlock()
	now := q.clock.Now()
	c.open--
	if e, _ := c.line.held(r.Receipt); e != nil {
		q.file.gone(e)
		c.line.remove(e)
		q.noteFlush(c.line, now)
	}
	q.step(events.StepSkipped, c.Name, now, why+": deleted from the queue "+c.Queue, map[string]any{"queue": c.Queue}, &r)
}

// giveBack returns an open batch as if it had not been received.
func (c *consumer) giveBack(batch []Received) {
	q := c.queues
	q.mu.Lock()
	defer q.unlock()
	now := q.clock.Now()
	c.open -= len(batch)
	for _, r := range batch {
		if e, _ := c.line.held(r.Receipt); e != nil && e.state == inFlight {
			e.Receives--
			e.until = now
			c.line.settle(e, now)
		}
	}
	q.touch(c.line)
}

func (c *consumer) begin(n int) {
	c.queues.mu.Lock()
	defer c.queues.unlock()
	c.open -= n
	c.running++
	c.queues.begun++
}

// handle gives a batch to the handler and deals with what comes of it.
func (c *consumer) handle(batch []Received) {
	q := c.queues
	began := q.clock.Now()
	var failed []string
	err := guard(func() (err error) {
		failed, err = c.Handle(context.WithValue(q.handling, pausing{}, c), slices.Clone(batch))
		return err
	})
	bad := make(map[string]bool, len(failed))
	for _, id := range failed {
		bad[id] = true
		if err == nil && !slices.ContainsFunc(batch, func(r Received) bool { return r.ID == id }) {
			err = fmt.Errorf("the failed message %q is not in the batch", id)
		}
	}
	q.mu.Lock()
	defer q.unlock()
	now := q.clock.Now()
	c.running--
	c.line.advance(now)
	v := verdict{c: c, now: now, took: now.Sub(began), err: err}
	if err != nil && q.handling.Err() != nil { // Close has cut it off: as if the process had been killed
		v.later = &Later{Err: err}
	} else {
		errors.As(err, &v.later)
		errors.As(err, &v.giveUp)
	}
	for i := range batch {
		v.judge(&batch[i], err != nil || bad[batch[i].ID])
	}
	v.tell()
	q.noteFlush(c.line, now)
	q.touch(c.line)
}

type pausing struct{}

// Pause tells the queues that a Handle with this ctx waits for its time only, until it calls resume: Quiet does not wait for it. The timer
// must be set before. A context that is not of a Handle tells nobody.
func Pause(ctx context.Context) (resume func()) {
	c, ok := ctx.Value(pausing{}).(*consumer)
	if !ok {
		return func() {}
	}
	c.busier(-1)
	return func() { c.busier(1) }
}

func (c *consumer) busier(by int) {
	c.queues.mu.Lock()
	defer c.queues.unlock()
	c.running += by
	c.queues.begun++
}

// guard makes an error of a panic: it costs the batch, not the house.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return f()
}
