package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	latencyRounds = 4
	latencyPushes = 500 // in a round
	pushFrames    = 2   // a new image with a tag is two events
)

// latencies are the times of pushes in ms, a list for each round.
type latencies struct {
	answered   [][]float64 // request sent → answer
	fromSend   [][]float64 // request sent → first frame
	fromAnswer [][]float64 // answer → first frame; negative when the frame was first
}

// measureLatency measures how long after a manifest's PUT the first frame of its events is there.
func measureLatency(ctx context.Context, b *bench) ([]row, error) {
	y, err := startYardstick()
	if err != nil {
		return nil, err
	}
	defer y.stop()
	yardLoad, err := y.open(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer yardLoad.close()
	r, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	castLoad, err := r.open(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer castLoad.close()
	c, err := dialHTTP(r.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	img, err := pushImage(c, "bench/latency")
	if err != nil {
		return nil, err
	}

	var yard [][]float64
	var cast latencies
	n := 0
	err = b.rounds(ctx, b.roundsOr(latencyRounds),
		func() error {
			round, err := yardLatencies(ctx, y, yardLoad)
			yard = append(yard, round)
			return err
		},
		func() error {
			var answered, fromSend, fromAnswer []float64
			for range latencyPushes {
				n++
				p, err := timePush(ctx, c, img.put(c, fmt.Sprintf("v%06d", n), n), castLoad, pushFrames)
				if err != nil {
					return err
				}
				answered = append(answered, ms(p.answered.Sub(p.sent)))
				fromSend = append(fromSend, ms(p.frame.Sub(p.sent)))
				fromAnswer = append(fromAnswer, ms(p.frame.Sub(p.answered)))
			}
			cast.answered = append(cast.answered, answered)
			cast.fromSend = append(cast.fromSend, fromSend)
			cast.fromAnswer = append(cast.fromAnswer, fromAnswer)
			return nil
		},
	)
	note := fmt.Sprintf("%d pushes of a new image with a tag, one at a time, one socket, batch size 1; below 0 the frame was there "+
		"before the answer; the quantile of all pushes (least … greatest of a round)", n)
	return []row{
		{Figure: "manifest PUT answered → first frame, p50", Unit: "ms", Ours: pooled(cast.fromAnswer, 0.5)},
		{Figure: "manifest PUT answered → first frame, p99", Unit: "ms", Ours: pooled(cast.fromAnswer, 0.99), Target: atMost(10), Note: note},
		{Figure: "manifest PUT sent → first frame, p50", Unit: "ms", Ours: pooled(cast.fromSend, 0.5), Yardstick: pooled(yard, 0.5),
			Note: "yardstick: an order through a pipe → its one frame, which is what this machine takes for two wake-ups"},
		{Figure: "manifest PUT sent → first frame, p99", Unit: "ms", Ours: pooled(cast.fromSend, 0.99), Yardstick: pooled(yard, 0.99)},
		{Figure: "manifest PUT sent → answered, p50", Unit: "ms", Ours: pooled(cast.answered, 0.5)},
		{Figure: "manifest PUT sent → answered, p99", Unit: "ms", Ours: pooled(cast.answered, 0.99)},
	}, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// push is the times of one push.
type push struct{ sent, answered, frame, last time.Time } // frame and last: the first frame and the last one

// timePush sends a PUT and waits for its answer and as many frames on all sockets together.
func timePush(ctx context.Context, c *client, request []byte, load *sockets, frames int) (push, error) {
	p := push{sent: time.Now()}
	if err := c.send(request); err != nil {
		return p, err
	}
	want := load.total + frames
	wait := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(load.epoll), Events: unix.POLLIN}}
	for p.answered.IsZero() || load.total < want {
		if err := ctx.Err(); err != nil {
			return p, err
		}
		n, err := unix.Poll(wait, int(patience/time.Millisecond))
		now := time.Now()
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return p, fmt.Errorf("poll: %w", err)
		case n == 0:
			return p, fmt.Errorf("push: answered %t, %d of %d frames, and then nothing for %s",
				!p.answered.IsZero(), load.total-want+frames, frames, patience)
		}
		if wait[1].Revents != 0 {
			if _, err := load.read(ctx, 0); err != nil {
				return p, err
			}
			if p.frame.IsZero() && load.total > want-frames {
				p.frame = now
			}
			p.last = now
		}
		if wait[0].Revents != 0 {
			if _, err := c.receive(201); err != nil {
				return p, err
			}
			p.answered = now
		}
	}
	return p, nil
}

// yardLatencies times a round of the yardstick's frames.
func yardLatencies(ctx context.Context, y *yardstick, load *sockets) ([]float64, error) {
	var round []float64
	for range latencyPushes {
		sent := time.Now()
		if err := y.order("send 600 1"); err != nil {
			return round, err
		}
		if err := load.await(ctx, load.total+1); err != nil {
			return round, err
		}
		round = append(round, ms(load.last.Sub(sent)))
		if err := y.done(); err != nil {
			return round, err
		}
	}
	return round, nil
}
