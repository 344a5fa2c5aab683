package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	invokeRounds  = 7
	invokeEach    = 500  // in a round
	payloadLength = 1024 // bytes
	togetherLanes = 200
	togetherEach  = 25 // invokes of a lane in a round
)

// echoPayload is what is sent and comes back.
func echoPayload() []byte {
	const head, tail = `{"text":"`, `"}`
	return []byte(head + strings.Repeat("x", payloadLength-len(head)-len(tail)) + tail)
}

// measureInvoke measures a warm invocation: of the runner alone, by its own benchmark, and through Lambda's Invoke API from outside.
func measureInvoke(ctx context.Context, b *bench) ([]row, error) {
	rows, err := measureRunner(ctx, b)
	if err != nil {
		return rows, err
	}
	y, err := startPlain()
	if err != nil {
		return rows, err
	}
	defer y.stop()
	plain, err := dialHTTP(y.addr)
	if err != nil {
		return rows, err
	}
	defer plain.close()
	r, err := b.start(ctx, "--template", echoTemplate, "--no-watch")
	if err != nil {
		return rows, err
	}
	defer r.stop()
	path, err := r.invocations("Echo")
	if err != nil {
		return rows, err
	}
	c, err := dialHTTP(r.addr)
	if err != nil {
		return rows, err
	}
	defer c.close()

	var yard, cast [][]float64
	var added []float64 // by each round's medians
	turn := func(c *client, path string, into *[][]float64) error {
		var round []float64
		for i := range warmUp + invokeEach {
			start := time.Now()
			if err := echoed(c.do(200, "POST", path, "application/json", echoPayload())); err != nil {
				return err
			}
			if i >= warmUp {
				round = append(round, ms(time.Since(start)))
			}
		}
		*into = append(*into, round)
		return nil
	}
	err = b.rounds(ctx, b.roundsOr(invokeRounds),
		func() error { return turn(plain, "/", &yard) },
		func() error { return turn(c, path, &cast) },
	)
	for i := range min(len(yard), len(cast)) {
		added = append(added, quantile(cast[i], 0.5)-quantile(yard[i], 0.5))
	}
	return append(rows,
		row{Figure: "warm invoke, Invoke API of regcast up --template, p50", Unit: "ms", Yardstick: pooled(yard, 0.5), Ours: pooled(cast, 0.5),
			Note: fmt.Sprintf("%d bytes to a function with aws-lambda-go that returns them, %d a round, one at a time over one kept-alive connection, "+
				"logs on; yardstick: the same bytes to net/http in another process, and back", payloadLength, invokeEach)},
		row{Figure: "warm invoke, Invoke API, p99", Unit: "ms", Yardstick: pooled(yard, 0.99), Ours: pooled(cast, 0.99)},
		row{Figure: "warm invoke, Invoke API: p50 over the yardstick's of its round", Unit: "ms", Target: atMost(0.5), Ours: spreadOf(added)},
	), err
}

// echoed wants the payload back.
func echoed(a answer, err error) error {
	switch {
	case err != nil:
		return err
	case a.status != 200:
		return a.want(200)
	case len(a.field("X-Amz-Function-Error")) > 0:
		return fmt.Errorf("invoke: %s: %.300s", a.field("X-Amz-Function-Error"), a.body)
	case len(a.body) != payloadLength:
		return fmt.Errorf("invoke: got %d bytes %.80q, want %d", len(a.body), a.body, payloadLength)
	}
	return nil
}

// measureRunner runs the runner's own benchmark.
func measureRunner(ctx context.Context, b *bench) ([]row, error) {
	runner, err := b.room(ctx, "emulator/internal/runner")
	if err != nil {
		return nil, err
	}
	var yard, cast [2][]float64 // p50 and p99
	turn := func(name string, into *[2][]float64) func() error {
		return func() error {
			m, err := runner.bench(ctx, "^Benchmark"+name+"$", "1000x")
			if err != nil {
				return err
			}
			for i, unit := range []string{"p50-µs", "p99-µs"} {
				value, err := m.of("Benchmark"+name, unit)
				if err != nil {
					return err
				}
				into[i] = append(into[i], value/1000)
			}
			return nil
		}
	}
	err = b.rounds(ctx, b.roundsOr(invokeRounds), turn("Loopback", &yard), turn("Warm", &cast))
	return []row{
		{Figure: "warm invoke on the runner, whole, p50", Unit: "ms", Target: atMost(0.5), Yardstick: spreadOf(yard[0]), Ours: spreadOf(cast[0]),
			Ratio: spreadOf(ratios(cast[0], yard[0])),
			Note: "BenchmarkWarm of emulator/internal/runner: from Invoke to its return, process and all; yardstick: its BenchmarkLoopback, a " +
				"POST of http.Client to net/http in another process; 1,000 a round, each round's own quantile"},
		{Figure: "warm invoke on the runner, whole, p99", Unit: "ms", Yardstick: spreadOf(yard[1]), Ours: spreadOf(cast[1]),
			Ratio: spreadOf(ratios(cast[1], yard[1]))},
	}, err
}

// measureTogether invokes one function over many connections at once.
func measureTogether(ctx context.Context, b *bench) ([]row, error) {
	y, err := startPlain()
	if err != nil {
		return nil, err
	}
	defer y.stop()
	r, err := b.start(ctx, "--template", echoTemplate, "--no-watch")
	if err != nil {
		return nil, err
	}
	defer r.stop()
	path, err := r.invocations("Echo")
	if err != nil {
		return nil, err
	}
	wrong, sent := 0, 0
	var first error
	judge := func(a answer) error {
		sent++
		if err := echoed(a, nil); err != nil {
			if wrong++; first == nil {
				first = err
			}
		}
		return nil
	}
	var plain, cast []*lane
	for range togetherLanes {
		p, err := dialHTTP(y.addr)
		if err != nil {
			return nil, err
		}
		defer p.close()
		c, err := dialHTTP(r.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		plain = append(plain, &lane{client: p, take: func(a answer) error { return a.want(200) }})
		cast = append(cast, &lane{client: c, take: judge})
	}
	turn := func(lanes []*lane, path string, each int) (time.Duration, error) {
		for _, l := range lanes {
			for range each {
				l.requests = append(l.requests, l.request("POST", path, "application/json", echoPayload()))
			}
		}
		start := time.Now()
		err := drive(ctx, lanes)
		return time.Since(start), err
	}
	cold, err := turn(cast, path, 1) // as many processes begin
	if err != nil {
		return nil, err
	}
	processes, err := r.processes("echo")
	if err != nil {
		return nil, err
	}
	var yard, rate []float64
	timed := func(lanes []*lane, path string, into *[]float64) func() error {
		return func() error {
			took, err := turn(lanes, path, togetherEach)
			*into = append(*into, togetherLanes*togetherEach/took.Seconds())
			return err
		}
	}
	err = b.rounds(ctx, b.roundsOr(invokeRounds), timed(plain, "/", &yard), timed(cast, path, &rate))
	if first != nil {
		b.say("together: the first error: %v", first)
	}
	return []row{
		{Figure: "200 concurrent invokes that failed", Unit: "invokes", Target: atMost(0), Ours: spreadOf([]float64{float64(wrong)}),
			Note: fmt.Sprintf("of %d through the Invoke API over %d connections, each with the next request behind the answer", sent, togetherLanes)},
		{Figure: "200 concurrent invokes, none warm: the first 200", Unit: "ms", Ours: spreadOf([]float64{ms(cold)}),
			Note: fmt.Sprintf("%d processes did it", len(processes))},
		{Figure: "200 concurrent invokes, warm", Unit: "/s", Yardstick: spreadOf(yard), Ours: spreadOf(rate), Ratio: spreadOf(ratios(rate, yard)),
			Note: "yardstick: the same connections and bytes to net/http in one process"},
	}, err
}
