package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// What hangs cannot be told from what is slow. So a function has as long by the machine's clock as by the house's, its time limit, but not
// more than hang; one that has hung gets hangAgain until it answers again. What takes longer hangs: it only waits for its time limit, by
// the house's clock, as long as it does not answer after all.
const (
	hang      = 10 * time.Second
	hangAgain = time.Second
)

// Still is Quiet, but it does not wait for invocations that hang: those that have not answered within their time limit, or 10 seconds if
// that is longer, by the machine's clock; 1 second if the function's call before has hung. Nothing but an answer or Options.Clock ends them.
func (r *Runner) Still(ctx context.Context) error {
	return r.await(ctx, "still", (*pool).stand)
}

// await asks each pool for what is closed when it is there; nil: it is.
func (r *Runner) await(ctx context.Context, what string, of func(*pool) <-chan struct{}) error {
	r.mu.RLock()
	pools := slices.Collect(maps.Values(r.pools))
	r.mu.RUnlock()
	for _, p := range pools {
		if there := of(p); there != nil {
			select {
			case <-there:
			case <-ctx.Done():
				return fmt.Errorf("runner: %s: %w", what, ctx.Err())
			}
		}
	}
	return nil
}

// patience returns an alarm by the machine's clock for an invocation that may take so long by the house's: it hangs then.
func (p *pool) patience(d *definition, limit time.Duration) alarm {
	if d.Debug {
		return never{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hasHung {
		limit = min(limit, hangAgain)
	}
	return clock.Real{}.NewTimer(min(limit, hang))
}

// hangs notes that an invocation only waits for its time limit, which is at due. The timer for that is set.
func (p *pool) hangs(in *invocation, due time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.hung || in.woken {
		return
	}
	in.hung = true
	if in.rest != nil {
		in.resume = in.rest(due)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasHung = true
	p.hanging(in, 1)
	p.rested()
}

// wakes notes that an invocation does not hang any more: its init is over, or it is answered.
func (p *pool) wakes(in *invocation, answered bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.woken = answered
	if !in.hung {
		if answered {
			p.mu.Lock()
			p.hasHung = false
			p.mu.Unlock()
		}
		return
	}
	in.hung = false
	p.runner.begun.Add(1)
	p.mu.Lock()
	p.hanging(in, -1)
	p.mu.Unlock()
	in.goOn()
}

// hanging counts. The caller holds mu.
func (p *pool) hanging(in *invocation, n int) {
	p.hung += n
	if in.process {
		p.stuck += n
	}
}

// left notes that the caller waits no more.
func (in *invocation) left() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rest = nil
	in.goOn()
}

// goOn has the caller at work again. The caller of goOn holds mu.
func (in *invocation) goOn() {
	if in.resume != nil {
		in.resume()
		in.resume = nil
	}
}

// limit is how long an environment may take for an invocation.
type limit struct {
	alarm        // by the house's clock
	slow   alarm // by the machine's: it hangs
	within time.Duration
	hangs  func()
}

func (e *environment) limited(in *invocation, within time.Duration) *limit {
	l := &limit{alarm: e.timer(within), slow: e.pool.patience(e.def, within), within: within}
	due := e.runner.o.Clock.Now().Add(within)
	l.hangs = func() { e.pool.hangs(in, due) }
	return l
}

func (l *limit) Stop() {
	l.alarm.Stop()
	l.slow.Stop()
}
