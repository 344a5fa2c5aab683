package trigger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Run reads records and gives them to the triggers until ctx or the engine ends, which is no error, or Next fails.
// Triggers keep working on what was read until Close.
func (e *Engine) Run(ctx context.Context) error {
	if e.next == nil {
		return errors.New("trigger: run: no Next")
	}
	reader := make(chan struct{})
	e.mu.Lock()
	switch {
	case e.reading.Err() != nil:
		e.mu.Unlock()
		return nil
	case e.reader != nil:
		e.mu.Unlock()
		return errors.New("trigger: run: called twice")
	}
	e.reader = reader
	e.mu.Unlock()
	defer close(reader)
	defer e.endReading()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.reading, cancel)()
	var m matcher
	for {
		seq, record, err := e.next(ctx)
		if err == nil {
			err = e.offer(ctx, &m, seq, record)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("trigger: next record: %w", err)
		}
	}
}

func (e *Engine) endReading() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = true
	e.changed.Broadcast()
}

// Quiet returns when the record at upTo is read and nothing is in hand but open batches that wait for their cutoff. It returns
// ErrClosed when reading has ended before upTo, and ctx's error.
func (e *Engine) Quiet(ctx context.Context, upTo uint64) error {
	return e.await(ctx, "quiet", upTo, func() bool { return e.quiet(upTo) })
}

// Begun grows with all that is begun: between two calls that return the same no trigger began to work.
func (e *Engine) Begun() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.begun
}

// Read returns when the triggers have the record at upTo, at once before Run, and with Quiet's errors: a Set or Remove that
// follows leaves what was matched before to the triggers as they were. While a trigger is full nothing is read, so ctx should have a limit.
func (e *Engine) Read(ctx context.Context, upTo uint64) error {
	return e.await(ctx, "read", upTo, func() bool { return e.read >= upTo || e.reader == nil })
}

// await calls is with e.mu.
func (e *Engine) await(ctx context.Context, what string, upTo uint64, is func() bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if is() {
		return nil
	}
	defer context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.changed.Broadcast()
	})()
	for !is() {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("trigger: %s: %w", what, ctx.Err())
		case e.ended && e.read < upTo:
			return ErrClosed
		}
		e.changed.Wait()
	}
	return nil
}

// quiet needs e.mu. An owner that rests beyond its due time is about to wake.
func (e *Engine) quiet(upTo uint64) bool {
	if e.read < upTo || e.busy > 0 {
		return false
	}
	for _, due := range e.resting {
		if clock.Wakes(e.clock, due) {
			return false
		}
	}
	return true
}

// Close stops reading, sends open batches at once, and waits for the targets. When ctx ends it cancels their calls and waits for
// them to return; what was not handed on by then is not Done, and the error says how much that is. Further calls wait for the end
// and return the same.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	first := e.reading.Err() == nil
	e.stopReading()
	reader := e.reader
	e.mu.Unlock()
	late := func() { e.stopHanding(ctx.Err()) }
	if ctx.Err() != nil {
		late()
	}
	defer context.AfterFunc(ctx, late)()
	if reader != nil {
		<-reader
	}
	if first {
		e.endReading()
		close(e.closing)
	}
	e.owners.Wait()
	if n := e.abandoned.Load(); n > 0 {
		return fmt.Errorf("trigger: close: %d events are not handed on: %w", n, context.Cause(e.handing))
	}
	e.stopHanding(nil)
	return nil
}

// began and the following three keep Quiet's books. They are called with the runner's lock held.

func (e *Engine) began(r *runner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.resting, r)
	e.busy++
	e.begun++
}

func (e *Engine) rests(r *runner, due time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resting[r] = due
	e.idle()
}

func (e *Engine) slept() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.idle()
}

func (e *Engine) idle() {
	if e.busy--; e.busy == 0 {
		e.changed.Broadcast()
	}
}

// readTo tells that the triggers have the record at seq.
func (e *Engine) readTo(seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read = max(e.read, seq) // what was held back comes after others
	e.changed.Broadcast()
}
