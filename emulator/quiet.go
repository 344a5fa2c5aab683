package emulator

import (
	"context"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Flush returns when the house is quiet: everything published before is matched, every batch that is due has been taken by its target, no
// queue has a message that a function could take, every function that was invoked has answered and is through with it, whoever invoked
// it, and no frame waits for a socket. What only waits for its time is not waited for: a batch for its cutoff, a retry, a message that
// rests or is delayed. A client that does not read is, until the gateway gives it up, and so is a function that hangs, until its time
// limit, so ctx should have a limit.
func (e *Emulator) Flush(ctx context.Context) error {
	for {
		if err := e.quiet(ctx); err != nil {
			return err
		}
		before := e.begun()
		if err := e.runner.Quiet(ctx); err != nil {
			return err
		}
		if e.begun() == before {
			return e.journal.Sync(ctx)
		}
	}
}

// quiet is Flush without waiting for the journal, nor for functions that hang: it is for those who move the clock, which ends them.
//
// The rooms are asked one after another, and one that is asked late may have given work to one that was asked early. So it asks again until
// none has begun anything from before the first was asked until after the last: then all were quiet at once.
func (e *Emulator) quiet(ctx context.Context) error {
	for {
		before := e.begun()
		if c, ok := e.clock.(clock.Movable); ok {
			if err := c.Handled(ctx); err != nil {
				return err
			}
		}
		if err := e.quietFaults(ctx); err != nil {
			return err
		}
		if err := e.triggers.Quiet(ctx, lastOf(e.published.Load())); err != nil {
			return err
		}
		if err := e.queues.Quiet(ctx); err != nil {
			return err
		}
		if err := e.runner.Still(ctx); err != nil {
			return err
		}
		if e.aws != nil {
			if err := e.aws.Quiet(ctx); err != nil {
				return err
			}
		}
		if err := e.gateway.Drained(ctx); err != nil {
			return err
		}
		if e.sockets != nil {
			if err := e.sockets.Drained(ctx); err != nil {
				return err
			}
		}
		if e.begun() == before {
			return nil
		}
	}
}

// begun grows with everything that begins in the house.
func (e *Emulator) begun() uint64 {
	n := e.published.Load() + e.faults.Begun() + e.triggers.Begun() + e.queues.Begun() + e.runner.Begun() + e.gateway.Begun()
	if c, ok := e.clock.(clock.Movable); ok {
		n += c.Fired()
	}
	if e.aws != nil {
		n += e.aws.Begun() + e.sockets.Begun()
	}
	return n
}
