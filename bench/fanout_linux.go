package main

import (
	"context"
	"fmt"
	"time"
)

const (
	postsRounds  = 5
	fanOutRounds = 5
)

// measurePosts measures what Broadcast's code takes for a post, by its own benchmark.
func measurePosts(ctx context.Context, b *bench) ([]row, error) {
	broadcast, err := b.room(ctx, "functions/broadcast")
	if err != nil {
		return nil, err
	}
	ways := []string{"loop", "loop-64-at-once", "aws", "yandex"}
	units := []string{"cpu-µs/post", "posts/s", "B/post"}
	got := map[string][]float64{}
	err = b.rounds(ctx, b.roundsOr(postsRounds), func() error {
		m, err := broadcast.bench(ctx, "^BenchmarkFanOut$", "1x")
		if err != nil {
			return err
		}
		for _, way := range ways {
			for _, unit := range units {
				value, err := m.of("BenchmarkFanOut/"+way, unit)
				if err != nil {
					return err
				}
				got[way+unit] = append(got[way+unit], value)
			}
		}
		return nil
	})
	beside := func(figure, unit, shown, way, loop string, t *target, note string) row {
		return row{Figure: figure, Unit: shown, Target: t, Yardstick: spreadOf(got[loop+unit]), Ours: spreadOf(got[way+unit]),
			Ratio: spreadOf(ratios(got[way+unit], got[loop+unit])), Note: note}
	}
	var rows []row
	for _, way := range []struct{ name, cloud string }{{"aws", "AWS"}, {"yandex", "Yandex"}} {
		figure := "10,000 posts, " + way.cloud + ": "
		rows = append(rows,
			beside(figure+"sender's CPU per post", "cpu-µs/post", "µs", way.name, "loop", atMostTimes(1.3),
				"BenchmarkFanOut of functions/broadcast: one batch of three events to 10,000 connections, the endpoint in another process; "+
					"yardstick: a loop of http.Client posts of the same bytes, one after another"),
			beside(figure+"sender's CPU per post, beside 64 loops", "cpu-µs/post", "µs", way.name, "loop-64-at-once", atMostTimes(1.3),
				"yardstick: such loops, as many at once as the function has posts under way"),
			beside(figure+"posts", "posts/s", "/s", way.name, "loop-64-at-once", nil, ""),
			beside(figure+"bytes allocated per post", "B/post", "B", way.name, "loop-64-at-once", nil, ""),
		)
	}
	return rows, err
}

// measureFanOut measures one push to many sockets through the deployment to AWS, whole.
func measureFanOut(ctx context.Context, b *bench) ([]row, error) {
	var rows []row
	for _, n := range []int{1000, 10000} {
		some, err := fanOut(ctx, b, n)
		rows = append(rows, some...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func fanOut(ctx context.Context, b *bench, n int) ([]row, error) {
	l := &link{frames: n}
	defer l.close()
	var err error
	if l.regcast, err = b.startAmazon(ctx); err != nil {
		return nil, err
	}
	defer l.regcast.kill() // or Disconnect would be called for every socket
	start := time.Now()
	if l.sockets, err = open(ctx, l.regcast.addr, "/live"+wishesOfBench, n); err != nil {
		return nil, err
	}
	opened := time.Since(start)
	if l.client, err = dialHTTP(l.regcast.addr); err != nil {
		return nil, err
	}
	if l.image, err = pushImage(l.client, "bench/fanout"); err != nil {
		return nil, err
	}
	if err := l.pushes(ctx, 2, func(push) {}); err != nil { // the second one meets a warm function
		return nil, err
	}
	functions, err := l.regcast.processes("Broadcast")
	if err != nil {
		return nil, err
	}
	spent := func() (server, function time.Duration, err error) {
		if server, err = l.regcast.quiet(ctx); err != nil {
			return 0, 0, err
		}
		for _, p := range functions {
			cpu, err := p.cpu()
			if err != nil {
				return 0, 0, err
			}
			function += cpu
		}
		return server, function, nil
	}
	var took, serverCPU, functionCPU []float64
	err = b.rounds(ctx, b.roundsOr(fanOutRounds), func() error {
		server, function, err := spent()
		if err != nil {
			return err
		}
		if err := l.pushes(ctx, 1, func(p push) { took = append(took, ms(p.last.Sub(p.answered))) }); err != nil {
			return err
		}
		serverAfter, functionAfter, err := spent()
		perPost := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
		serverCPU, functionCPU = append(serverCPU, perPost(serverAfter-server)), append(functionCPU, perPost(functionAfter-function))
		return err
	})
	if now, err := l.regcast.processes("Broadcast"); err != nil || len(now) != len(functions) {
		return nil, fmt.Errorf("function Broadcast: %d processes, %d before the first round, %w", len(now), len(functions), err)
	}
	figure := fmt.Sprintf("one push to %s sockets: ", number(float64(n)))
	return []row{
		{Figure: figure + "PUT answered → last frame", Unit: "ms", Ours: spreadOf(took),
			Note: fmt.Sprintf("template.yaml whole, every socket posted to by Broadcast's bootstrap, frames of %d bytes; the sockets were opened one "+
				"after another through Connect's in %s", l.sockets.length(), opened.Round(time.Second/10))},
		{Figure: figure + "function's CPU per post", Unit: "µs", Ours: spreadOf(functionCPU)},
		{Figure: figure + "regcast's CPU per post", Unit: "µs", Ours: spreadOf(serverCPU)},
	}, err
}
