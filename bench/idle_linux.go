package main

import (
	"context"
	"fmt"
	"time"
)

const idleRounds = 3

// measureIdle measures how much memory a server grows by for each connection on which nothing moves. Every round has new processes.
func measureIdle(ctx context.Context, b *bench) ([]row, error) {
	var yard, cast []float64
	var longest time.Duration
	grow := func(p *process, into *[]float64, open func(context.Context, int) (*sockets, error)) error {
		empty, _, err := p.settled(ctx)
		if err != nil {
			return err
		}
		s, err := open(ctx, b.idle)
		if err != nil {
			return err
		}
		defer s.close()
		full, took, err := p.settled(ctx)
		if err != nil {
			return err
		}
		longest = max(longest, took)
		b.say("idle: %d KB empty, %d KB with %d sockets, settled after %s", empty/1000, full/1000, b.idle, took.Round(time.Second/10))
		*into = append(*into, float64(full-empty)/1000/float64(b.idle))
		return nil
	}
	err := b.rounds(ctx, b.roundsOr(idleRounds),
		func() error {
			y, err := startYardstick()
			if err != nil {
				return err
			}
			defer y.stop()
			return grow(&y.process, &yard, y.open)
		},
		func() error {
			r, err := b.start(ctx)
			if err != nil {
				return err
			}
			defer r.stop()
			return grow(&r.process, &cast, r.open)
		},
	)
	return []row{{
		Figure: "idle: resident memory per connection", Unit: "KB", Target: atMost(8),
		Yardstick: spreadOf(yard), Ours: spreadOf(cast), Ratio: spreadOf(ratios(cast, yard)),
		Note: fmt.Sprintf("growth of Rss (smaps_rollup) from none to %d sockets, divided; taken when it moved by less than %.1f %% for %s, "+
			"after at most %s here, without making the server collect its garbage; yardstick: a net.Conn and one goroutine parked in Read", b.idle, settleShare*100, settleSpan, longest.Round(time.Second/10)),
	}}, err
}
