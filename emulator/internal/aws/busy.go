package aws

import (
	"context"
	"fmt"
	"sync"
)

// Begun grows with all that is begun: between two calls that return the same nothing came that Quiet would have waited for.
func (c *Cloud) Begun() uint64 {
	c.busy.mu.Lock()
	defer c.busy.mu.Unlock()
	return c.busy.begun
}

// Quiet returns when no message of a client and no end of a connection is being dealt with, or ctx's error.
func (c *Cloud) Quiet(ctx context.Context) error {
	if calm := c.busy.calm(); calm != nil {
		select {
		case <-calm:
		case <-ctx.Done():
			return fmt.Errorf("aws: quiet: %w", ctx.Err())
		}
	}
	return nil
}

type pausing struct{}

// Pause tells the cloud that an Invoke with this ctx waits for its time only, until it calls resume: Quiet does not wait for it. The timer
// must be set before. A context that is not of an Invoke for a socket tells nobody.
func Pause(ctx context.Context) (resume func()) {
	w, ok := ctx.Value(pausing{}).(*waiter)
	if !ok {
		return func() {}
	}
	return w.pause()
}

// waiter is what waits for the Invoke of a socket's function: the goroutine that calls it, and what has set that off.
type waiter struct {
	cloud *Cloud
	own   func() (resume func()) // of what has set it off

	mu     sync.Mutex
	resume func() // of own; nil: it is at work, or gone
}

func (c *Cloud) waiter(event string) *waiter {
	w := &waiter{cloud: c, own: func() func() { return func() {} }} // a handshake, which nobody counts
	switch event {
	case eventMessage:
		w.own = func() func() {
			c.busy.end()
			return c.busy.begin
		}
	case eventDisconnect:
		w.own = c.o.Gateway.Rest
	}
	return w
}

func (w *waiter) pause() (resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.own != nil {
		w.resume = w.own()
	}
	w.cloud.busy.end()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.goOn()
		w.cloud.busy.begin()
	}
}

// leave has what has set off the call wait no more.
func (w *waiter) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own = nil
	w.goOn()
}

// goOn needs the lock.
func (w *waiter) goOn() {
	if w.resume != nil {
		w.resume()
		w.resume = nil
	}
}

// busy counts what runs.
type busy struct {
	mu    sync.Mutex
	n     int
	begun uint64
	none  chan struct{} // closed when n reaches zero; nil when nobody asked
}

func (b *busy) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	b.begun++
}

func (b *busy) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n--; b.n == 0 && b.none != nil {
		close(b.none)
		b.none = nil
	}
}

// calm returns nil when nothing runs, and else what is closed then.
func (b *busy) calm() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == 0 {
		return nil
	}
	if b.none == nil {
		b.none = make(chan struct{})
	}
	return b.none
}
