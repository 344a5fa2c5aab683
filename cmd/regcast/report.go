package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
	"github.com/regcast/regcast/recording/explain"
	"github.com/regcast/regcast/recording/report"
)

// reportFlags are those of report.
type reportFlags struct {
	output, from, to, note string
	only                   []string
	events, limit          int
	diff                   bool
}

func newReport(env environment) *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:   "report {FILE | --diff WANT GOT}",
		Short: "Make one HTML page of a recording, or of two compared",
		Long: `Make one HTML page of a recording: what was lost and what failed, a timeline, the walk of every event, invocations with their logs,
frames, sockets, and the configuration. With --diff, of what a user would notice between two recordings.

The page is one file. It opens from a disk or from a CI's artefacts, asks for nothing from the network, and is readable without JavaScript.
FILE is a recording (.regcast.jsonl, or .zst); - is standard input. A run with many events is cut, which the page says: first come events
that were lost, failed or met a fault, then the latest. --from, --to and --filter show a part of the run.`,
		Example: `  regcast report run.regcast.jsonl -o report.html
  regcast report run.regcast.jsonl.zst --from 10m --to 12m
  regcast report run.regcast.jsonl --filter crp0123456789abcdefg
  regcast report --diff golden.regcast.jsonl today.regcast.jsonl -o diff.html
  regcast exec --report report.html -- go test ./...   # when the command fails`,
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		if f.diff {
			return cobra.ExactArgs(2)(cmd, args)
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
	flags := c.Flags()
	flags.StringVarP(&f.output, "output", "o", "report.html", "write to `FILE`, over one that is there; - is standard output")
	flags.StringVar(&f.from, "from", "", "begin at a recorded `TIME`, or so long after the recording's beginning (10m)")
	flags.StringVar(&f.to, "to", "", "end at a recorded `TIME`, or so long after the beginning")
	flags.StringSliceVar(&f.only, "filter", nil, "show only what tells of the event with this `ID` (repeatable)")
	flags.IntVar(&f.events, "events", 2000, "show at most `N` events in detail")
	flags.StringVar(&f.note, "note", "", "a `SENTENCE` on top of the page")
	flags.BoolVar(&f.diff, "diff", false, "compare two recordings; see regcast diff for exit codes and options")
	flags.IntVar(&f.limit, "limit", 100, "with --diff, show at most `N` differences")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		write := f.diffPage
		if !f.diff {
			write = f.page
		}
		if f.events < 1 || f.limit < 1 {
			return usageError("--events, --limit: want a number above 0")
		}
		return write(args, env)
	}
	return c
}

// page makes the page of a run.
func (f *reportFlags) page(args []string, env environment) error {
	run, closeRun, err := openRecording(args[0], env.stdin)
	if err != nil {
		return err
	}
	defer closeRun()
	for _, id := range f.only {
		if _, err := explain.Find(run, id); errors.Is(err, explain.ErrNoEvent) { // it may have come before the recording began
			fmt.Fprintf(env.stderr, "regcast: --filter: %v\n", err)
		}
	}
	o := report.Options{Name: filepath.Base(args[0]), Note: f.note, Events: f.events, Only: f.only}
	if args[0] == "-" {
		o.Name = ""
	}
	var first time.Time
	if f.from != "" || f.to != "" {
		first = firstLine(run)
	}
	if o.From, err = recordedMoment("--from", f.from, first); err != nil {
		return err
	}
	if o.To, err = recordedMoment("--to", f.to, first); err != nil {
		return err
	}
	if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) {
		return usageError("--to: %s is not after --from, %s", o.To.Format(time.RFC3339), o.From.Format(time.RFC3339))
	}
	return writePage(f.output, env.stdout, func(w io.Writer) error { return report.Write(w, run, o) })
}

func (f *reportFlags) diffPage(args []string, env environment) error {
	if f.from != "" || f.to != "" || len(f.only) > 0 {
		return usageError("--from, --to and --filter are for one recording, not for --diff")
	}
	want, closeWant, err := openRecording(args[0], env.stdin)
	if err != nil {
		return err
	}
	defer closeWant()
	got, closeGot, err := openRecording(args[1], env.stdin)
	if err != nil {
		return err
	}
	defer closeGot()
	found, err := diff.Compare(want, got, diff.Options{Limit: f.limit})
	if err != nil {
		return err
	}
	return writePage(f.output, env.stdout, func(w io.Writer) error {
		return report.WriteDiff(w, found, report.DiffOptions{Want: filepath.Base(args[0]), Got: filepath.Base(args[1]), Note: f.note})
	})
}

// openRecording opens a recording so that it can be read more than once: standard input goes to a file first.
func openRecording(name string, stdin io.Reader) (run *recording.SeekReader, done func(), err error) {
	path, remove := name, func() {}
	if name == "-" {
		spool, err := os.CreateTemp("", "regcast-report-*")
		if err != nil {
			return nil, nil, fmt.Errorf("report: %w", err)
		}
		path, remove = spool.Name(), func() { _ = os.Remove(spool.Name()) } // a temporary file
		_, err = io.Copy(spool, stdin)
		if err := errors.Join(err, spool.Close()); err != nil {
			remove()
			return nil, nil, fmt.Errorf("report: standard input: %w", err)
		}
	}
	if run, err = openSeek(path); err != nil {
		remove()
		return nil, nil, err
	}
	return run, func() {
		_ = run.Close() // it was only read
		remove()
	}, nil
}

func firstLine(run *recording.SeekReader) time.Time {
	for line, err := range run.Lines() {
		if err == nil {
			return line.At
		}
	}
	return time.Time{}
}

// writePage writes a file that is there whole or not at all, and says where.
func writePage(name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == "-" {
		return write(stdout)
	}
	if err := writeWhole(name, modeReport, write); err != nil {
		return err
	}
	_, err := fmt.Fprintln(stdout, name)
	return err
}

// reportRun makes the page of what an emulator has seen.
func reportRun(ctx context.Context, em *emulator.Emulator, name, note string) error {
	spool, err := os.CreateTemp("", "regcast-report-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(spool.Name()) }() // a temporary file
	if err := errors.Join(em.Export(ctx, spool, emulator.ExportOptions{}), spool.Close()); err != nil {
		return err
	}
	run, err := recording.Open(spool.Name())
	if err != nil {
		return err
	}
	defer run.Close()
	return writeWhole(name, modeReport, func(w io.Writer) error { return report.Write(w, run, report.Options{Name: "regcast exec", Note: note}) })
}

// endNote says how a command ended.
func endNote(args []string, ran error) string {
	code := 0
	var exit exitError
	if errors.As(ran, &exit) {
		code = exit.code
	} else if ran != nil {
		code = exitFailed
	}
	const enough = 300 // letters of a command
	command := []rune(strings.Join(args, " "))
	if len(command) > enough {
		command = append(command[:enough], '…')
	}
	return fmt.Sprintf("Exit code %d: %s", code, string(command))
}
