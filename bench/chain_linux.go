package main

import (
	"context"
	"fmt"
)

const (
	chainRounds = 5
	chainPushes = 150 // in a round
)

// link is one deployment and what came of the pushes to it.
type link struct {
	frames int // that a push of a new image with a tag makes
	path   string
	start  func(context.Context) (*regcast, error)

	regcast *regcast
	sockets *sockets
	client  *client
	image   image
	pushed  int

	first, last [][]float64 // ms from the PUT's answer, a list for each round
}

func (l *link) open(ctx context.Context) (err error) {
	if l.regcast, err = l.start(ctx); err != nil {
		return err
	}
	if l.sockets, err = open(ctx, l.regcast.addr, l.path, 1); err != nil {
		return err
	}
	if l.client, err = dialHTTP(l.regcast.addr); err != nil {
		return err
	}
	if l.image, err = pushImage(l.client, "bench/chain"); err != nil {
		return err
	}
	return l.pushes(ctx, warmUp, func(push) {})
}

func (l *link) close() {
	if l.client != nil {
		l.client.close()
	}
	if l.sockets != nil {
		l.sockets.close()
	}
	if l.regcast != nil {
		l.regcast.stop()
	}
}

func (l *link) pushes(ctx context.Context, n int, take func(push)) error {
	for range n {
		l.pushed++
		request := l.image.put(l.client, fmt.Sprintf("v%06d", l.pushed), l.pushed)
		p, err := timePush(ctx, l.client, request, l.sockets, l.frames)
		if err != nil {
			return err
		}
		take(p)
	}
	return nil
}

func (l *link) round(ctx context.Context) error {
	var first, last []float64
	err := l.pushes(ctx, chainPushes, func(p push) {
		first = append(first, ms(p.frame.Sub(p.answered)))
		last = append(last, ms(p.last.Sub(p.answered)))
	})
	l.first, l.last = append(l.first, first), append(l.last, last)
	return err
}

// measureChain measures how long after a manifest's PUT the frame is there when functions carry it.
func measureChain(ctx context.Context, b *bench) ([]row, error) {
	bare := &link{frames: pushFrames, path: "/ws", start: func(ctx context.Context) (*regcast, error) { return b.start(ctx) }}
	amazon := &link{frames: 1, path: "/live" + wishesOfBench, start: b.startAmazon}
	yandex := &link{frames: pushFrames, path: "/ws" + wishesOfBench, start: b.startYandex}
	links := []*link{bare, amazon, yandex}
	var turns []func() error
	for _, l := range links {
		defer l.close()
		if err := l.open(ctx); err != nil {
			return nil, err
		}
		turns = append(turns, func() error { return l.round(ctx) })
	}
	err := b.rounds(ctx, b.roundsOr(chainRounds), turns...)
	note := fmt.Sprintf("%d pushes of a new image with a tag, one at a time, one socket; the quantile of all pushes (least … greatest of a round)", amazon.pushed)
	return []row{
		{Figure: "AWS: PUT answered → frame, p50", Unit: "ms", Yardstick: pooled(bare.first, 0.5), Ours: pooled(amazon.first, 0.5),
			Note: note + "; template.yaml whole: rule, queue, Broadcast's bootstrap, table, @connections; yardstick: regcast without a template, " +
				"whose trigger sends to the socket itself, to its first frame"},
		{Figure: "AWS: PUT answered → frame, p99", Unit: "ms", Yardstick: pooled(bare.first, 0.99), Ours: pooled(amazon.first, 0.99)},
		{Figure: "Yandex: PUT answered → first of two frames, p50", Unit: "ms", Yardstick: pooled(bare.first, 0.5), Ours: pooled(yandex.first, 0.5),
			Note: "deploy/yandex with a batch size of 1: trigger, function, table, ConnectionService; as it is deployed it gathers for a second"},
		{Figure: "Yandex: PUT answered → first of two frames, p99", Unit: "ms", Yardstick: pooled(bare.first, 0.99), Ours: pooled(yandex.first, 0.99)},
		{Figure: "Yandex: PUT answered → second frame, p50", Unit: "ms", Yardstick: pooled(bare.last, 0.5), Ours: pooled(yandex.last, 0.5)},
		{Figure: "Yandex: PUT answered → second frame, p99", Unit: "ms", Yardstick: pooled(bare.last, 0.99), Ours: pooled(yandex.last, 0.99)},
	}, err
}
