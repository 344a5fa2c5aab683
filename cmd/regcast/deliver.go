package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// deliverFlags are those of a replay into a real endpoint.
type deliverFlags struct {
	target                        string
	as, trigger, function, invoke string
	headers                       []string
	batch, retry                  int
	timeout                       time.Duration
	yes                           bool
	flags                         *pflag.FlagSet
}

// deliverOnly are the flags that nothing else has.
var deliverOnly = []string{"as", "batch", "batches-of", "inputs-of", "header", "invoke-type", "retry", "timeout", "yes"}

func (f *deliverFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.as, "as", "auto", "with --to TARGET: what is sent, `yandex|eventbridge|sqs|recorded`: batches of Yandex Cloud's triggers, one event of EventBridge each, batches of SQS as Lambda gets them, or a function's recorded inputs (default: what the target takes)")
	flags.IntVar(&f.batch, "batch", 0, "with --to TARGET: `N` events in a payload (default: as the recorded trigger had them, or 1)")
	flags.StringVar(&f.trigger, "batches-of", "", "with --to TARGET: send the batches of this recorded `TRIGGER`, when it had them")
	flags.StringVar(&f.function, "inputs-of", "", "with --to TARGET: send what this recorded `FUNCTION` got")
	flags.StringArrayVar(&f.headers, "header", nil, "with --to TARGET: send a header, `'Name: value'`; @env:NAME in it is a variable's value (repeatable)")
	flags.StringVar(&f.invoke, "invoke-type", "request", "with --to lambda:NAME: `request|event`: wait for the function's answer, or let Lambda queue the event")
	flags.IntVar(&f.retry, "retry", 0, "with --to TARGET: try a payload up to `N` times more after 429, 5xx, or no answer, which can deliver it twice")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "with --to TARGET: how long an answer may take")
	flags.BoolVarP(&f.yes, "yes", "y", false, "with --to TARGET: do not ask before something is sent to another machine")
	f.flags = flags
}

// check tells what was said to a replay of another kind.
func (f *deliverFlags) check() error {
	allowed := append([]string{"to", "from", "filter", "set", "speed", "shift-time", "step", "again", "quiet", "json", "help"}, deliverOnly...)
	var wrong string
	f.flags.Visit(func(flag *pflag.Flag) {
		switch only := slices.Contains(deliverOnly, flag.Name); {
		case f.target == "" && only:
			wrong = cmp.Or(wrong, "--"+flag.Name+" is for --to with a target, such as --to https://"+yandexFunctions+"/ID or --to lambda:NAME")
		case f.target != "" && !slices.Contains(allowed, flag.Name):
			wrong = cmp.Or(wrong, "--"+flag.Name+" is for an emulator: not with --to "+f.target)
		}
	})
	switch {
	case wrong != "":
		return usageError("%s", wrong)
	case f.batch < 0 || f.batch > 10_000:
		return usageError("--batch: got %d, want 1 to 10000", f.batch)
	case f.retry < 0:
		return usageError("--retry: got %d, want 0 or more", f.retry)
	}
	return nil
}

// packer is what makes the payloads that the endpoint takes.
func (f *deliverFlags) packer(to *endpoint, run *recordedRun, again, now bool) (*packer, error) {
	p := &packer{
		as: f.as, count: f.batch, trigger: f.trigger, function: f.function, now: now, account: "000000000000", region: cmp.Or(to.region, "us-east-1"),
	}
	if p.as == "auto" {
		p.as = to.form()
		if f.function != "" {
			p.as = asRecorded
		}
	}
	switch {
	case p.as == "":
		return nil, usageError("--to: what %s takes does not show in its address; say --as yandex, eventbridge or sqs, or --inputs-of FUNCTION", to.name)
	case !slices.Contains([]string{asYandex, asEventBridge, asSQS, asRecorded}, p.as):
		return nil, usageError("--as: got %q, want yandex, eventbridge, sqs or recorded", p.as)
	case (p.as == asRecorded) != (f.function != ""):
		return nil, usageError("--as recorded and --inputs-of FUNCTION belong together")
	case p.as == asRecorded && run.foreign:
		return nil, usageError("%s: it tells of no function's inputs: others have recorded it", run.name)
	case p.as == asRecorded && (f.batch > 0 || f.trigger != "" || now):
		return nil, usageError("--inputs-of: recorded inputs stay as they are: not with --batch, --batches-of or --shift-time now")
	case p.as == asEventBridge && f.batch > 1:
		return nil, usageError("--batch: EventBridge sends one event at a time")
	case f.trigger != "" && (p.as != asYandex || f.batch > 0 || run.foreign):
		return nil, usageError("--batches-of: the batches of a trigger are in recordings of regcast, for --as yandex without --batch")
	}
	if again {
		p.salt = make([]byte, 16)
		_, _ = rand.Read(p.salt) // it never fails
	}
	if p.as == asYandex && p.count == 0 && p.trigger == "" {
		p.trigger = onlyTrigger(run.header)
	}
	if p.trigger == "" && p.count == 0 {
		p.count = 1
	}
	return p, nil
}

// onlyTrigger is the id of the recording's trigger, when there is one.
func onlyTrigger(h recording.Header) string {
	var triggers []emulator.TriggerInfo
	if json.Unmarshal(h.Resources["triggers"], &triggers) != nil || len(triggers) != 1 {
		return ""
	}
	return triggers[0].ID
}

// confirm asks before something leaves this machine: nobody can take it back.
func (f *deliverFlags) confirm(to *endpoint, file string, env environment) error {
	if f.yes || to.local() {
		return nil
	}
	if !isTerminal(env.stdin) || file == "-" {
		return usageError("--to %s sends to another machine, which cannot be taken back; --yes says that this is meant", to.name)
	}
	fmt.Fprintf(env.stderr, "regcast: %s goes to %s, which cannot be taken back. Send it? [y/N] ", file, to.name)
	said, err := bufio.NewReader(env.stdin).ReadString('\n')
	if err != nil || !slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(said))) {
		return exitError{exitFailed, errors.New("replay: nothing was sent")}
	}
	return nil
}

// deliver replays into an endpoint.
func deliver(ctx context.Context, file string, f replayFlags, env environment) (err error) {
	d := delivery{flags: f.deliver, env: env, Answers: map[string]int{}}
	if d.speed, err = emulator.ParseSpeed(f.speed); err != nil {
		return usageError("--speed: %w", err)
	}
	now, err := choose("--shift-time", f.shift, "keep", "now")
	if err != nil {
		return err
	}
	if d.to, err = newEndpoint(f.deliver.target, f.deliver.headers, f.deliver.invoke, env); err != nil {
		return err
	}
	if err := checkStep(f.step, file, env); err != nil {
		return err
	}
	run, err := openRun(file, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	p, err := f.deliver.packer(d.to, run, f.again, now)
	if err != nil {
		return err
	}
	chosen, err := f.selection.of(run, p.as == asRecorded)
	if err != nil {
		return err
	}
	if err := f.deliver.confirm(d.to, file, env); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	shown := newProgress(env, f.quiet || f.json, run.first, run.last)
	defer shown.end()
	keys := newKeys(env, file, f.step, stop, func(paused, _ bool) { shown.pause(paused) })
	defer keys.close()
	began := time.Now()
	err = d.run(ctx, p.payloads(chosen), keys, shown)
	d.Duration = time.Since(began)
	shown.end()
	keys.close()
	f.selection.warn(env.stderr)
	d.left(p, run, f.selection.left)
	if f.json {
		_ = json.NewEncoder(env.stdout).Encode(d)
	} else {
		d.print(env.stdout)
	}
	switch {
	case err != nil:
		return err
	case d.Failed > 0:
		return exitError{exitFailed, fmt.Errorf("replay: %d of %d payloads failed", d.Failed, d.Payloads)}
	case d.Payloads == 0 && p.as == asRecorded:
		return fmt.Errorf("replay: nothing to send: the recording has no invocation of %s; it has those of: %s",
			p.function, cmp.Or(strings.Join(p.functions, ", "), "no function"))
	case d.Payloads == 0 && run.nothing(p.records) != nil:
		return run.nothing(p.records)
	case d.Payloads == 0:
		return errors.New("replay: there was nothing to send")
	}
	return nil
}

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
		pause = max(pause/2+mathrand.N(pause/2+1), a.after)
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
	} else if i := mathrand.N(d.Payloads + 1); i < mostSamples {
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
		what string
	}{
		{filtered, "by --filter"},
		{p.mute, "that the target's cloud has no event for"},
		{p.unbatched, "events that are in no batch of trigger " + p.trigger + " (--batch N sends all)"},
		{p.cut, "inputs that are not recorded whole"},
		{run.skipped(), "that cannot be read (regcast inspect tells why)"},
	} {
		if l.n > 0 {
			d.Left = append(d.Left, fmt.Sprintf("%d %s", l.n, l.what))
		}
	}
}

func (d *delivery) print(w io.Writer) {
	fmt.Fprintf(w, "sent %d payloads with %d events to %s in %s", d.Payloads, d.Events, d.to.name, d.Duration.Round(time.Millisecond))
	var answers []string
	for _, status := range slices.Sorted(maps.Keys(d.Answers)) {
		answers = append(answers, fmt.Sprintf("%d × %s", d.Answers[status], status))
	}
	if len(answers) > 0 {
		fmt.Fprintf(w, ": %s; half within %s, 99 %% within %s", strings.Join(answers, ", "), d.P50.Round(10*time.Microsecond), d.P99.Round(10*time.Microsecond))
	}
	if d.Retries > 0 {
		fmt.Fprintf(w, "; %d retries", d.Retries)
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
