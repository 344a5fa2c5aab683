package queue

import (
	"context"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Receive takes up to n messages, at least one, and waits until there is at least one, or for wait. Negative wait and visibility are the queue's
// own. Without a message it returns none and no error. It says ErrNoQueue, ErrClosed and ctx's error.
func (q *Queues) Receive(ctx context.Context, name string, n int, wait, visibility time.Duration) ([]Received, error) {
	var timer clock.Timer
	for {
		var got []Received
		var arrived <-chan struct{}
		err := q.with(name, func(l *line, now time.Time) error {
			if wait < 0 {
				wait = l.def.Wait
			}
			if visibility < 0 {
				visibility = l.visibility()
			}
			for _, e := range l.take(now, now.Add(visibility), &space{count: max(n, 1)}, q.receipt) {
				got = append(got, e.Received)
			}
			if len(got) == 0 && wait > 0 {
				arrived = l.wait()
			}
			return nil
		})
		if err != nil || arrived == nil {
			return got, err
		}
		if timer == nil {
			timer = q.arm(nil, q.clock.Now().Add(wait))
			defer timer.Stop()
		}
		select {
		case <-arrived:
		case <-timer.C():
			wait = 0 // and look a last time
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.closing:
			return nil, ErrClosed
		}
	}
}

func (l *line) visibility() time.Duration {
	if l.def.Visibility == 0 {
		return Visibility
	}
	return l.def.Visibility
}

// Delete ends a message. One that is gone, or that somebody has received since, is left alone without an error, as clouds do.
// It says ErrNoQueue and ErrReceipt.
func (q *Queues) Delete(name, receipt string) error {
	return q.with(name, func(l *line, _ time.Time) error {
		e, err := l.held(receipt)
		if err != nil || e == nil {
			return err
		}
		q.file.gone(e)
		l.remove(e)
		return q.flush()
	})
}

// ChangeVisibility has a message in flight become visible d from now. It says ErrNoQueue, ErrReceipt and ErrNotInFlight.
func (q *Queues) ChangeVisibility(name, receipt string, d time.Duration) error {
	return q.with(name, func(l *line, now time.Time) error {
		e, err := l.held(receipt)
		switch {
		case err != nil:
			return err
		case e == nil || e.state != inFlight:
			return ErrNotInFlight
		}
		e.until = now.Add(d)
		l.settle(e, now)
		return nil
	})
}
