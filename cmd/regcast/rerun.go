package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// rerunFlags are those of a replay in an emulator of its own.
type rerunFlags struct {
	fresh, diff, accept bool
	format, output      string
	clients             clientFlags
	compare             diff.Options
	up                  upFlags
	configured          func() bool // the flags say what to emulate
}

func (f *rerunFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.fresh, "fresh", false, "replay in an emulator started for it, with the recorded clients, by a clock that it moves")
	flags.BoolVar(&f.diff, "diff", false, "as --fresh, then say what a user would notice between the recording and the new run")
	flags.BoolVar(&f.accept, "accept", false, "the new run takes the place of the recording FILE when they differ")
	flags.StringVar(&f.format, "format", "text", "`text|json|junit`")
	flags.StringVarP(&f.output, "output", "o", "", "write the comparison to `FILE`, over one that is there")
	f.clients.add(flags, "with --fresh: ")
	flags.StringArrayVar(&f.compare.Ignore, "ignore", nil, "a `PATH` that is not compared, as in regcast diff (repeatable)")
	flags.StringArrayVar(&f.compare.Volatile, "volatile", nil, "a `PATH` to values that are ids, as in regcast diff (repeatable)")
	flags.DurationVar(&f.compare.Later, "later", 0, "how much later than before a frame may come (default 1s)")
	f.addUp(c)
}

// addUp adds the flags that say what to emulate in the place of what was recorded.
func (f *rerunFlags) addUp(c *cobra.Command) {
	f.up.add(c)
	f.configured = func() bool {
		for _, name := range []string{"trigger", "spec", "template", "function", "container", "faults"} {
			if c.Flags().Changed(name) {
				return true
			}
		}
		return false
	}
}

// own tells whether the replay has an emulator of its own.
func (f *rerunFlags) own() bool { return f.fresh || f.diff }

func (f *rerunFlags) check(chosen selection) error {
	switch {
	case f.diff && (chosen.from != "" || chosen.to != "" || chosen.filter != "" || len(chosen.sets) > 0):
		return usageError("--diff compares whole runs: not with --from, --to, --filter or --set")
	case f.compare.Later < 0:
		return usageError("--later: got %v, want a duration above 0, such as 500ms", f.compare.Later)
	case f.format != "text" && f.format != "json" && f.format != "junit":
		return usageError("--format: got %q, want text, json or junit", f.format)
	}
	return nil
}

// replayFresh replays in an emulator of its own, and compares if that is asked for.
func replayFresh(ctx context.Context, file string, f replayFlags, env environment) (err error) {
	if err := f.rerun.check(f.selection); err != nil {
		return err
	}
	run, err := openRun(file, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	if f.rerun.diff && run.foreign {
		return usageError("%s: --diff needs a recording of regcast: what others have recorded does not tell what came of it", file)
	}
	chosen, err := f.selection.of(run, false)
	if err != nil {
		return err
	}
	cfg, err := f.rerun.config(run.header, env)
	if err != nil {
		return err
	}
	header, secrets, err := f.rerun.clients.parse()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	var out io.Writer
	newRun, keep := "", func(bool) error { return nil }
	if f.rerun.diff || f.rerun.up.record != "" {
		var made *os.File
		if made, keep, err = f.rerun.newRun(file); err != nil {
			return err
		}
		out, newRun = made, made.Name()
	}
	defer func() { err = errors.Join(err, keep(false)) }() // unless it was kept
	shown := newProgress(env, f.quiet || f.json, run.first, run.last)
	cfg.RecordZstd = strings.HasSuffix(newRun, ".zst") || f.rerun.accept && strings.HasSuffix(file, ".zst")
	speed, err := emulator.ParseSpeed(f.speed)
	if err != nil {
		return usageError("--speed: %w", err)
	}
	lines, found := counted(chosen)
	summary, err := rerun.Run(ctx, chosenRun{run.header, lines}, cfg, rerun.Options{
		Out: out, Header: header, Secrets: secrets, Instead: f.rerun.configured(), Speed: speed, Progress: shown.show,
		Notice: func(s string) {
			shown.clear()
			fmt.Fprintln(env.stderr, "regcast: "+s)
		},
		Started: func(em *emulator.Emulator) error {
			if !f.quiet && !f.json {
				fmt.Fprintf(env.stderr, "regcast: replaying in a fresh emulator at %s\n", em.URL())
			}
			return nil
		},
	})
	shown.end()
	if err != nil && *found == 0 && ctx.Err() == nil {
		return run.useless(f.selection)
	}
	if err != nil {
		return err
	}
	f.selection.warn(env.stderr)
	if err := run.nothing(int(summary.Lines)); err != nil {
		return err
	}
	if !f.rerun.diff {
		if f.json {
			return json.NewEncoder(env.stdout).Encode(summary)
		}
		printSummary(env.stdout, summary, run.skipped(), f.selection.left)
		return keep(true)
	}
	report, err := compare(file, newRun, f.rerun.compare)
	if err != nil {
		return exitError{exitUsage, err}
	}
	if err := writeDiff(env.stdout, report, f.rerun.format, f.rerun.output, filepath.Base(file)); err != nil {
		return exitError{exitUsage, fmt.Errorf("replay: %w", err)}
	}
	if report.Same() {
		return keep(f.rerun.up.record != "")
	}
	if f.rerun.accept {
		if err := keep(true); err != nil {
			return err
		}
		fmt.Fprintf(env.stderr, "regcast: %s is now today's run\n", file)
		return nil
	}
	return errors.Join(keep(f.rerun.up.record != ""), exitError{code: exitDifferent})
}

// chosenRun is a run of which some lines are chosen.
type chosenRun struct {
	header recording.Header
	lines  lines
}

func (r chosenRun) Header() recording.Header { return r.header }
func (r chosenRun) Lines() lines             { return r.lines }

// config is what the flags say, or the recording's own configuration with today's files.
func (f *rerunFlags) config(h recording.Header, env environment) (emulator.Config, error) {
	up := f.up
	up.record = "" // this command's
	given, err := up.config(env.stderr)
	given.Watch = false
	if !up.verbose {
		given.FunctionLog = nil // it is in the recording
	}
	if err != nil || f.configured() {
		return given, err
	}
	cfg, notices := rerun.Config(h.Configuration, os.ReadFile)
	for _, n := range notices {
		fmt.Fprintln(env.stderr, "regcast: "+n)
	}
	if names := h.Configuration.InProcess; len(names) > 0 {
		return cfg, usageError("the recording was made in a Go program that had the functions %s in itself: replay it there, with emulatortest.Golden, or say what to run with --template or --function",
			strings.Join(names, ", "))
	}
	cfg.Environ, cfg.Cache, cfg.Logger, cfg.Version, cfg.FunctionLog = given.Environ, given.Cache, given.Logger, given.Version, given.FunctionLog
	return cfg, nil
}

// newRun makes the file of the new run: the one of --record, or one beside the recording that it may take the place of, or one that nobody
// asked for. keep is called once; false removes the file, unless it was asked for.
func (f *rerunFlags) newRun(recorded string) (out *os.File, keep func(bool) error, err error) {
	if f.up.record != "" {
		out, err = createRecording(f.up.record, orRemove, false)
		return out, func(bool) error { return ignoreClosed(out.Close()) }, err
	}
	dir := ""
	if f.accept {
		recorded = pointedAt(recorded)
		dir = filepath.Dir(recorded)
	}
	if out, err = os.CreateTemp(dir, "regcast-*.regcast.jsonl"); err != nil {
		return nil, nil, fmt.Errorf("replay: %w", err)
	}
	done := false
	return out, func(accepted bool) error {
		if done {
			return nil
		}
		done = true
		err := out.Close()
		if accepted && f.accept && err == nil {
			return replace(out.Name(), recorded)
		}
		return errors.Join(err, os.Remove(out.Name()))
	}, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
