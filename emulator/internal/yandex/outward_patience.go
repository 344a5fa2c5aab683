package yandex

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

var (
	errTime    = errors.New("it took longer than the gateway waits for an integration")
	errConnect = errors.New("the connection was not made within timeouts.connect")
	errRead    = errors.New("the answer was not there within timeouts.read")
)

// tooSlow tells whether a context was ended by one of these.
func tooSlow(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, errTime) || errors.Is(cause, errConnect) || errors.Is(cause, errRead)
}

// patience ends a context when a time is up, by the cloud's clock.
type patience struct {
	clock  clock.Clock
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	stop  func() // of the time that runs, nil if none does
	ended bool
}

func patient(ctx context.Context, c clock.Clock) (context.Context, *patience) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &patience{clock: c, cancel: cancel}
}

// give starts a time, in place of the one that runs. None runs when d is not positive.
func (p *patience) give(d time.Duration, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	if d <= 0 || p.ended { // a transport may tell of a connection when nobody waits for it any more
		return
	}
	timer, done, ended := p.clock.NewTimer(d), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-timer.C():
			p.cancel(cause)
		case <-done:
		}
	}()
	p.stop = func() {
		close(done)
		<-ended
		timer.Stop()
	}
}

// end must be called; the context ends with it.
func (p *patience) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.give(0, nil)
	p.cancel(nil)
}
