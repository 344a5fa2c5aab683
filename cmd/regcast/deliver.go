package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
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
	flags.StringVar(&f.as, "as", "auto", "what is sent, `yandex|eventbridge|sqs|recorded`: batches of Yandex Cloud's triggers, one event of EventBridge each, batches of SQS as Lambda gets them, or a function's recorded inputs (default: what the target takes)")
	flags.IntVar(&f.batch, "batch", 0, "`N` events in a payload (default: as the recorded trigger had them, or 1)")
	flags.StringVar(&f.trigger, "batches-of", "", "send the batches of this recorded `TRIGGER`, when it had them")
	flags.StringVar(&f.function, "inputs-of", "", "send what this recorded `FUNCTION` got")
	flags.StringArrayVar(&f.headers, "header", nil, "send a header, `'Name: value'`; @env:NAME in it is a variable's value (repeatable)")
	flags.StringVar(&f.invoke, "invoke-type", "request", "with --to lambda:NAME: `request|event`: wait for the function's answer, or let Lambda queue the event")
	flags.IntVar(&f.retry, "retry", 0, "try a payload up to `N` times more after 429, 5xx, or no answer, which can deliver it twice")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long an answer may take")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask before something is sent to another machine")
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
		return exitError{exitFailed, fmt.Errorf("replay: %d of %s failed", d.Failed, plural(d.Payloads, "payload"))}
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
