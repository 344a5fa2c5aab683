package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator"
)

// delivery is a replay into an endpoint, and its summary.
type delivery struct {
	Payloads int            `json:"payloads"`
	Events   int            `json:"events"`
	Answers  map[string]int `json:"answers"` // by status
	Failed   int            `json:"failed"`  // payloads
	Retries  int            `json:"retries"`
	Left     []string       `json:"left_out,omitempty"`
	Duration time.Duration  `json:"duration"` // nanoseconds, as all of these
	P50      time.Duration  `json:"p50"`      // of what the last try of a payload took
	P99      time.Duration  `json:"p99"`

	flags deliverFlags
	env   environment
	to    *endpoint
	speed float64
	took  []time.Duration // a sample
}

// toldFailures bounds what is printed of failures; all are counted.
const toldFailures = 10

// run sends payload after payload. An error tells where to go on.
func (d *delivery) run(ctx context.Context, payloads payloads, keys *keys, shown *progress) error {
	// A request that is on its way when somebody ends the replay may get its answer.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(lastAnswer, cancel)
	})()
	defer func() { d.P50, d.P99 = quantiles(d.took) }()
	var pace pace
	for p, err := range payloads {
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		asked := time.Now()
		if keys.wait(ctx) == nil {
			pace.shift(time.Since(asked))
			pace.wait(ctx, p.at, d.speed)
		}
		if ctx.Err() != nil {
			return d.ended(p.since)
		}
		a := d.try(ctx, sending, p)
		d.Payloads++
		d.Events += len(p.events)
		d.Answers[a.status]++
		if a.text != "" {
			shown.clear()
			d.fail(p, a)
			if d.Payloads == 1 && a.hopeless {
				return errors.New("replay: ended after the first payload: the others would fare no better")
			}
		}
		shown.show(emulator.ReplayProgress{At: p.at, Records: int64(d.Payloads), Events: int64(d.Events)})
	}
	return nil
}

// lastAnswer is how long a request is waited for after somebody has ended the replay.
const lastAnswer = 5 * time.Second

func (d *delivery) ended(next time.Time) error {
	told := "replay: ended before the recording's end"
	if !next.IsZero() {
		told += "; --from " + next.UTC().Format(time.RFC3339Nano) + " goes on"
	}
	return exitError{exitFailed, errors.New(told)}
}

// try sends a payload as often as it may.
func (d *delivery) try(ctx, sending context.Context, p payload) answered {
	for n := 0; ; n++ {
		began := time.Now()
		within, cancel := context.WithTimeout(sending, d.flags.timeout)
		a := d.to.send(within, p.data)
		cancel()
		if !a.again || n == d.flags.retry || ctx.Err() != nil {
			d.sample(time.Since(began))
			return a
		}
		pause := min(firstPause<<min(n, 10), lastPause)
		pause = max(pause/2+rand.N(pause/2+1), a.after)
		if sleep(ctx, pause) != nil {
			d.sample(time.Since(began))
			return a
		}
		d.Retries++
	}
}

// Between tries.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 10 * time.Second
)

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *delivery) fail(p payload, a answered) {
	d.Failed++
	if d.Failed > toldFailures {
		return
	}
	about := strings.Join(p.events[:min(len(p.events), 3)], ", ")
	if more := len(p.events) - 3; more > 0 {
		about += fmt.Sprintf(" and %d more", more)
	}
	fmt.Fprintf(d.env.stderr, "regcast: payload %d (%s): %s", d.Payloads, cmp.Or(about, "no event"), a.text)
	if body := strings.Join(strings.Fields(string(a.body)), " "); body != "" {
		fmt.Fprintf(d.env.stderr, ": %.300s", body)
	}
	fmt.Fprintln(d.env.stderr)
	if d.Failed == toldFailures {
		fmt.Fprintln(d.env.stderr, "regcast: further failures are counted")
	}
}

// mostSamples bounds the latencies that are kept: of more, a part is.
const mostSamples = 100_000

func (d *delivery) sample(took time.Duration) {
	if len(d.took) < mostSamples {
		d.took = append(d.took, took)
	} else if i := rand.N(d.Payloads + 1); i < mostSamples {
		d.took[i] = took
	}
}

func quantiles(took []time.Duration) (p50, p99 time.Duration) {
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// left says what was left out.
func (d *delivery) left(p *packer, run *recordedRun, filtered int) {
	for _, l := range []struct {
		n    int
		noun string
		what string
	}{
		{filtered, "", "by --filter"},
		{p.mute, "", "that the target's cloud has no event for"},
		{p.unbatched, "event", "in no batch of trigger " + p.trigger + " (--batch N sends all)"},
		{p.cut, "input", "not recorded whole"},
		{run.skipped(), "", "that cannot be read (regcast inspect tells why)"},
	} {
		if l.n > 0 {
			n := strconv.Itoa(l.n)
			if l.noun != "" {
				n = plural(l.n, l.noun)
			}
			d.Left = append(d.Left, n+" "+l.what)
		}
	}
}

func (d *delivery) print(w io.Writer) {
	fmt.Fprintf(w, "sent %s with %s to %s in %s", plural(d.Payloads, "payload"), plural(d.Events, "event"), d.to.name, d.Duration.Round(time.Millisecond))
	var answers []string
	for _, status := range slices.Sorted(maps.Keys(d.Answers)) {
		answers = append(answers, fmt.Sprintf("%d × %s", d.Answers[status], status))
	}
	if len(answers) > 0 {
		fmt.Fprintf(w, ": %s; half within %s, 99 %% within %s", strings.Join(answers, ", "), d.P50.Round(10*time.Microsecond), d.P99.Round(10*time.Microsecond))
	}
	if d.Retries > 0 {
		fmt.Fprintf(w, "; %s", strings.Replace(plural(d.Retries, "retry"), "rys", "ries", 1))
	}
	fmt.Fprintln(w)
	if len(d.Left) > 0 {
		fmt.Fprintf(w, "left out: %s\n", strings.Join(d.Left, ", "))
	}
}

// pace keeps recorded gaps, by the machine's clock.
type pace struct {
	start time.Time
	first time.Time // recorded
}

// wait returns when it is time, or when ctx ends.
func (p *pace) wait(ctx context.Context, at time.Time, speed float64) {
	if speed <= 0 || at.IsZero() {
		return
	}
	if p.start.IsZero() {
		p.start, p.first = time.Now(), at
	}
	gap := time.Duration(float64(at.Sub(p.first)) / speed)
	if left := time.Until(p.start.Add(gap)); left > 0 {
		_ = sleep(ctx, left) // the caller looks at ctx
	}
}

// shift leaves out a time in which somebody had paused.
func (p *pace) shift(paused time.Duration) {
	if !p.start.IsZero() {
		p.start = p.start.Add(paused)
	}
}
