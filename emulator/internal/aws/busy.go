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
	w, ok := ctx.Value(pausing{}).(waiters)
	if !ok {
		return func() {}
	}
	for range w.n {
		w.cloud.busy.end()
	}
	return func() {
		for range w.n {
			w.cloud.busy.begin()
		}
	}
}

// waiters are the goroutines that wait for an Invoke.
type waiters struct {
	cloud *Cloud
	n     int
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
