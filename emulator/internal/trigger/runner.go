package trigger

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// runner is one trigger at work. Its batch and timer belong to a goroutine, the owner, that lives only while there is work:
// an idle trigger is this struct and nothing else.
type runner struct {
	engine *Engine
	born   uint64
	def    *definition // guarded by the index

	mu      sync.Mutex
	queue   []item
	held    int // events put and not yet handed on
	mode    mode
	retired bool          // removed: nothing waits any more
	wake    chan struct{} // to a resting owner
	room    chan struct{} // to the reader, when it waits for held to sink; nil when it does not

	waiting, due             atomic.Int64 // of the open batch: events, and Unix nanoseconds
	matched, delivered, lost atomic.Uint64
}

type mode uint8

const (
	asleep  mode = iota // no owner
	working             // the owner will look at the queue before it rests
	resting             // the owner waits for wake or its timer
)

// put gives an event to the trigger. It waits while the trigger is full.
func (r *runner) put(ctx context.Context, it item) error {
	r.mu.Lock()
	for r.held >= it.def.maxHeld {
		room := make(chan struct{})
		r.room = room
		r.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	r.held++
	r.queue = append(r.queue, it)
	r.rouse()
	return nil
}

// flush sends the open batch, in its turn. With retire, whatever a reader still puts that found the trigger before goes at once.
func (r *runner) flush(retire bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = r.retired || retire
	if r.mode != asleep { // asleep, nothing is open
		r.queue = append(r.queue, item{at: r.engine.clock.Now()})
		r.rouse()
	}
}

// rouse gets the owner to look at the queue. It needs r.mu.
func (r *runner) rouse() {
	switch r.mode {
	case asleep:
		if r.wake == nil {
			r.wake = make(chan struct{}, 1)
		}
		r.engine.owners.Go(r.own)
	case resting:
		select {
		case r.wake <- struct{}{}:
		default: // one that came together with the timer is still there
		}
	case working:
		return
	}
	r.mode = working
	r.engine.began(r)
}

// own is the owner: it gathers what is in the queue, hands on what is ready, and rests until something is due.
func (r *runner) own() {
	var w window
	var timer clock.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for r.engine.handing.Err() == nil {
		retired := r.take(&w)
		r.expire(&w, retired)
		r.show(w.open)
		switch {
		case len(w.ready) > 0:
			r.deliver(w.ready)
			clear(w.ready)
			w.ready = w.ready[:0]
		case len(w.open.items) > 0:
			timer = r.engine.arm(timer, w.open.due)
			r.rest(timer, w.open.due)
		case r.sleep():
			return
		}
	}
	r.abandon()
}

// take moves the queue into the window.
func (r *runner) take(w *window) (retired bool) {
	r.mu.Lock()
	queue := r.queue
	r.queue = nil
	retired = r.retired
	r.mu.Unlock()
	for _, it := range queue {
		told := len(w.ready)
		waits := w.add(it)
		r.left(w.ready[told:])
		if waits {
			r.engine.note(waitingStep(it, w.open))
		}
	}
	return retired
}

// expire sends the open batch when it may wait no longer.
func (r *runner) expire(w *window, retired bool) {
	if len(w.open.items) == 0 {
		return
	}
	now, told := r.engine.clock.Now(), len(w.ready)
	switch {
	case !now.Before(w.open.due):
		w.shut(cutoff, w.open.due)
	case retired:
		w.shut(changed, now)
	case r.engine.closed():
		w.shut(closing, now)
	}
	r.left(w.ready[told:])
}

// left tells of batches that have left the window. Where each event goes alone there is nothing to tell.
func (r *runner) left(batches []batch) {
	for _, b := range batches {
		if b.def.Window.Count > 1 {
			r.engine.note(batchedStep(r.engine.clock.Now(), b))
		}
	}
}

// rest waits until the batch is due or something else happens.
func (r *runner) rest(timer clock.Timer, due time.Time) {
	r.mu.Lock()
	if len(r.queue) > 0 {
		r.mu.Unlock()
		timer.Stop()
		return
	}
	r.mode = resting
	r.engine.rests(r, due)
	r.mu.Unlock()
	select {
	case <-r.wake:
	case <-timer.C():
	case <-r.engine.closing:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode == resting {
		r.mode = working
		r.engine.began(r)
	}
	timer.Stop() // the tick is dealt with from here on, as the owner is at work
}

type pausing struct{}

// Pause tells the engine that a Deliver with this ctx is not at work until due, or until it calls resume: Quiet does not wait for it. The
// timer for due must be set before, and one Deliver pauses once at a time. A context that is not of a Deliver tells nobody.
func Pause(ctx context.Context, due time.Time) (resume func()) {
	r, ok := ctx.Value(pausing{}).(*runner)
	if !ok {
		return func() {}
	}
	r.engine.rests(r, due)
	return func() { r.engine.began(r) }
}

// sleep ends the owner's work, unless something has come.
func (r *runner) sleep() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) > 0 {
		return false
	}
	r.mode = asleep
	r.engine.slept()
	return true
}

// abandon leaves what is in hand to a later life: its records are not done.
func (r *runner) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.engine.abandoned.Add(int64(r.held))
	r.queue = nil
	r.mode = asleep
	r.engine.slept()
}

// handed tells that a batch's events are out of hand.
func (r *runner) handed(b batch) {
	for _, it := range b.items {
		r.engine.release(it.record)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held -= len(b.items)
	if r.room != nil {
		close(r.room)
		r.room = nil
	}
}

// show publishes the open batch for state.
func (r *runner) show(open batch) {
	r.waiting.Store(int64(len(open.items)))
	if len(open.items) > 0 {
		r.due.Store(open.due.UnixNano())
	}
}

func (r *runner) state(def *definition) State {
	s := State{
		Trigger: def.Trigger, Waiting: int(r.waiting.Load()),
		Matched: r.matched.Load(), Delivered: r.delivered.Load(), Lost: r.lost.Load(),
	}
	if s.Waiting > 0 {
		s.Due = time.Unix(0, r.due.Load()).UTC()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Held = r.held
	return s
}

func (e *Engine) closed() bool {
	select {
	case <-e.closing:
		return true
	default:
		return false
	}
}

// arm sets the timer for a time.
func (e *Engine) arm(timer clock.Timer, due time.Time) clock.Timer {
	if timer == nil {
		timer = e.clock.NewTimer(time.Hour)
	}
	timer.ResetTo(due)
	return timer
}
