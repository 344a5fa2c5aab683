package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/emulator/shake"
)

// exitShaken is when a message was lost or doubled.
const exitShaken = 1

func newShake(env environment) *cobra.Command {
	var o shake.Options
	var asJSON, force bool
	var output string
	var clients clientFlags
	var f rerunFlags
	c := &cobra.Command{
		Use:   "shake FILE",
		Short: "Look for the shortest schedule of faults that loses or doubles a message",
		Long: `Look for the shortest schedule of faults after which a message is lost or doubled beyond what the clouds promise.
A recording is replayed in emulators of their own, several at once, by a clock that is moved: without a fault, to learn who gets what and
where something can go wrong; then with one fault at each of these places; with --pairs, then with each two. The emulator does what the
cloud would do then: it tries again, gives up as configured, delivers twice.

What is promised: an event comes to every socket that gets it without faults, unless the socket has gone, or every try of the function was
hit by a fault and the platform gave it up as configured (a dead letter is not lost). It comes twice only when something was delivered
twice, or the function was killed after its work. So a handler has to post to everybody before it answers success; to repeat a request
that fails, as SDKs do, for when it fails itself all comes again; and to take 410 for an answer and go on with the others.

What is emulated is the recording's configuration with today's files, or what the flags of regcast up say; the recording's faults are tried
first either way, unless --faults gives others. Functions that ran inside a Go
program are shaken there: package emulator/shake.

Exit codes of shake: 0 nothing found · 1 found · 2 wrong usage, or no run to compare with.`,
		Example: `  regcast shake run.regcast.jsonl
  regcast shake run.regcast.jsonl --pairs --budget 10m
  regcast shake run.regcast.jsonl --template template.yaml -o failure.regcast.jsonl
  regcast shake failure.regcast.jsonl                            # the failure again: the recording has its faults
  regcast shake failure.regcast.jsonl --template template.yaml   # is it mended?`,
		Args: cobra.ExactArgs(1),
	}
	flags := c.Flags()
	flags.Uint64Var(&o.Seed, "seed", 0, "try what is alike in another `ORDER` (default: as it comes)")
	flags.DurationVar(&o.Budget, "budget", time.Minute, "search so `LONG`")
	flags.BoolVar(&o.Pairs, "pairs", false, "when no single fault does harm, try each two")
	flags.DurationVar(&o.Linger, "linger", time.Hour, "how long the emulators' clocks run on after the recording, for retries")
	flags.BoolVar(&o.Whole, "whole", false, "do not look for a shorter recording of what was found")
	flags.StringVarP(&output, "output", "o", "failure.regcast.jsonl", "write the recording that replays what was found to `FILE`")
	flags.BoolVar(&force, "force", false, "write over a FILE of --output that is there")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	clients.add(flags, "")
	f.addUp(c)
	for _, name := range []string{"data", "record"} { // refused below, with the reason
		flags.Lookup(name).Hidden = true
	}
	groupFlags(c, shakeGroups())
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.Budget <= 0 || o.Linger < 0 {
			return usageError("shake: --budget: want more than 0, --linger 0 or more; got %v and %v", o.Budget, o.Linger)
		}
		if f.up.data != "" || f.up.record != "" {
			return usageError("shake: every run begins with nothing and is recorded already: not with --data or --record")
		}
		if o.Header, o.Secrets, err = clients.parse(); err != nil {
			return err
		}
		return shakeFile(cmd.Context(), args[0], output, force, asJSON, o, &f, env)
	}
	return c
}

func shakeFile(ctx context.Context, file, output string, force, asJSON bool, o shake.Options, f *rerunFlags, env environment) error {
	run, err := openRun(file, env)
	if err != nil {
		return err
	}
	defer run.Close()
	if run.foreign {
		return usageError("%s: shake needs a recording of regcast: what others have recorded does not tell of sockets", file)
	}
	if !samePath(file, output) { // now, not when it has searched for an hour
		if err := free(output, orForce, force); err != nil {
			return err
		}
	}
	if run.first.IsZero() && file != "-" {
		return run.useless(selection{})
	}
	cfg, err := f.config(run.header, env)
	if err != nil {
		return err
	}
	if f.configured() && len(f.up.faults) == 0 { // what was found is tried on what is to be better now
		recorded, _ := rerun.Config(run.header.Configuration, os.ReadFile)
		cfg.Faults = recorded.Faults
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o.Instead = f.configured()
	shown := newProgress(env, asJSON, run.first, run.last)
	if shown.out != nil {
		o.Progress = func(p shake.Progress) {
			fmt.Fprintf(shown.out, "\r%d of %d schedules of %d faults", p.Tried, p.Total, p.Faults)
		}
	}
	report, err := shake.Run(ctx, run, cfg, o)
	if shown.out != nil {
		fmt.Fprintln(shown.out)
	}
	if err != nil {
		return exitError{exitUsage, err}
	}
	written := ""
	if report.Failure != nil {
		written = file
		if !samePath(file, output) {
			written = output
			err := writeWhole(output, modeRecording, func(w io.Writer) error {
				_, err := w.Write(report.Failure.Recording)
				return err
			})
			if err != nil {
				return exitError{exitUsage, fmt.Errorf("shake: %w", err)}
			}
		}
	}
	var text bytes.Buffer
	if asJSON {
		err = report.JSON(&text)
	} else {
		err = report.Text(&text, written)
	}
	if err == nil {
		_, err = env.stdout.Write(text.Bytes())
	}
	if err != nil {
		return exitError{exitUsage, fmt.Errorf("shake: %w", err)}
	}
	if report.Failure != nil {
		return exitError{code: exitShaken}
	}
	return nil
}

func samePath(a, b string) bool {
	one, err := filepath.Abs(a)
	other, err2 := filepath.Abs(b)
	return err == nil && err2 == nil && one == other
}
