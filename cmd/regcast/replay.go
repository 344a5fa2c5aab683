package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// replayFlags are those of replay.
type replayFlags struct {
	speed, shift      string
	virtual, again    bool
	step, quiet, json bool
	selection         selection
	rerun             rerunFlags
	deliver           deliverFlags
}

func newReplay(env environment) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Replay a recording into a running emulator",
		Long: `Replay what a recording's registries changed into a running emulator: triggers, functions and sockets see it as they saw it then.
FILE is a recording of regcast (plain or .zst), or what others have recorded: ECR events of EventBridge, payloads of SQS and Lambda, batches
of Yandex Cloud's triggers, exports of CloudWatch and of Yandex Cloud's logs, CloudEvents, notifications of a distribution registry; see
regcast inspect. - is standard input.

The same recording gives the same events with the same ids, and what the emulator has on record already is left out, unless --again.
Original gaps are kept at --speed 1x; at max there are none. With --virtual the emulator's clock is moved by the recorded gaps, so that
batches are those of the recording however fast it goes: a day takes seconds, and the clock is a day ahead afterwards.

With --fresh the recording is replayed in an emulator of its own: recorded clients connect again, say what they said, and leave. What it
emulates is what the recording was made with, with today's files and code, unless flags say otherwise. --diff compares that run with the
recording and exits with 1 when a user would notice a difference: so a recording is a test.

At a terminal the space bar pauses and resumes, s replays one record, q ends; Ctrl-C ends too.`,
		Example: `  regcast replay run.regcast.jsonl
  regcast replay run.regcast.jsonl --speed max --virtual
  regcast replay run.regcast.jsonl --from 10m --to 20m --filter '.record.changes[].repository | startswith("team/")'
  regcast replay ecr-events.json --set '.record.changes[].registry_id=crpregcastregistry00' --shift-time now
  regcast replay run.regcast.jsonl --step
  regcast replay run.regcast.jsonl --diff
  regcast replay run.regcast.jsonl --diff --format junit -o replay.xml
  regcast replay run.regcast.jsonl --fresh --template template.yaml --record today.regcast.jsonl`,
		Args: cobra.ExactArgs(1),
	}
	find := urlFlag(c, env)
	flags := c.Flags()
	flags.StringVar(&f.speed, "speed", "1x", "`1x|10x|…|max`: recorded seconds in a second")
	flags.BoolVar(&f.virtual, "virtual", false, "move the emulator's clock by the recorded gaps, whatever the speed")
	flags.BoolVar(&f.again, "again", false, "give the events new ids; otherwise what the emulator has on record is left out")
	flags.StringVar(&f.shift, "shift-time", "keep", "`now|keep`: events tell the time of the replay, or the recorded one")
	flags.BoolVar(&f.step, "step", false, "wait for a key before each record")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	f.selection.add(flags, &f.deliver.target)
	f.deliver.add(flags)
	f.rerun.add(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.deliver.check(); err != nil {
			return err
		}
		if f.deliver.target != "" {
			return deliver(cmd.Context(), args[0], f, env)
		}
		if f.rerun.own() {
			if !flags.Changed("speed") {
				f.speed = "max"
			}
			return replayFresh(cmd.Context(), args[0], f, env)
		}
		if f.rerun.configured() || f.rerun.accept {
			return usageError("what to emulate can be said with --fresh or --diff alone: a running emulator has been told")
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		return replay(cmd.Context(), regcast, args[0], f, env)
	}
	return c
}

func replay(ctx context.Context, regcast client, file string, f replayFlags, env environment) error {
	q, err := f.query()
	if err != nil {
		return err
	}
	run, err := openRun(file, env)
	if err != nil {
		return err
	}
	defer run.Close()
	if err := checkStep(f.step, file, env); err != nil {
		return err
	}
	lines, err := f.selection.of(run, false)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	shown := newProgress(env, f.quiet || f.json, run.first, run.last)
	defer shown.end()
	keys := newKeys(env, file, f.step, stop, shown.pause)
	defer keys.close()

	body, feed := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		var err error
		if f.wholesale(run) {
			err = sendFile(ctx, feed, file)
		} else {
			err = send(ctx, feed, run.Header(), lines, keys)
		}
		_ = feed.Close() // what is sent is replayed, whatever ended the sending
		sent <- err
	}()
	// The request itself is not cut off: what has been sent gets its summary.
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), "POST", regcast.base+"/_regcast/replay?"+q.Encode(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := regcast.send(req)
	if err != nil {
		stop()
		_ = body.CloseWithError(err)
		<-sent
		return err
	}
	defer res.Body.Close()
	summary, failed := news(res.Body, shown, env.stderr)
	shown.end()
	_ = body.CloseWithError(errors.New("the emulator takes no more"))
	err = <-sent
	if failed != nil {
		err = failed
	}
	if summary == nil {
		if err == nil {
			err = errors.New("replay: the emulator broke off")
		}
		return err
	}
	if f.json {
		_ = json.NewEncoder(env.stdout).Encode(summary)
	} else {
		printSummary(env.stdout, *summary, run.skipped())
	}
	if errors.Is(err, context.Canceled) {
		return exitError{exitFailed, errors.New("replay: ended before the recording's end; the same command goes on with what is left")}
	}
	return err
}

// query is what the emulator is told.
func (f replayFlags) query() (url.Values, error) {
	if _, err := emulator.ParseSpeed(f.speed); err != nil {
		return nil, usageError("--speed: %w", err)
	}
	now, err := choose("--shift-time", f.shift, "keep", "now")
	if err != nil {
		return nil, err
	}
	q := url.Values{"speed": {f.speed}}
	if f.virtual {
		q.Set("virtual", "true")
	}
	if f.again {
		q.Set("again", "true")
	}
	if f.step {
		q.Set("eager", "true")
	}
	if now {
		q.Set("time", "now")
	}
	return q, nil
}

// wholesale tells whether the emulator can read the file as it is: nothing is left out or changed, and nobody steps through it.
func (f replayFlags) wholesale(run *recordedRun) bool {
	s := f.selection
	return f.speed == "max" && !f.step && !run.foreign && run.name != "-" && s.from == "" && s.to == "" && s.filter == "" && len(s.sets) == 0
}

// sendFile writes the file to the emulator, which takes what it needs.
func sendFile(ctx context.Context, w io.Writer, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	buf := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := in.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return nil // the emulator takes no more, and says why
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// send writes the recording to the emulator, line by line, as the keys let it.
func send(ctx context.Context, w io.Writer, h recording.Header, lines lines, keys *keys) error {
	out, err := recording.NewWriter(w, h)
	if err != nil {
		return err
	}
	for line, err := range lines {
		if err != nil {
			return err
		}
		if line.Record == nil && line.End == nil {
			continue // what followed from the records is to follow anew
		}
		if line.Record != nil {
			if err := keys.wait(ctx); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := out.Write(line); err != nil {
			return nil // the emulator takes no more, and says why
		}
		if keys.eager() {
			if err := out.Flush(); err != nil {
				return nil
			}
		}
	}
	_ = out.Flush() // as above
	return nil
}

// news reads the emulator's answer to its end.
func news(body io.Reader, shown *progress, stderr io.Writer) (summary *emulator.ReplaySummary, err error) {
	d := json.NewDecoder(body)
	for {
		var n emulator.ReplayNews
		if err := d.Decode(&n); err != nil {
			return summary, nil // the end, or the summary is missing
		}
		if n.Progress != nil {
			shown.show(*n.Progress)
		}
		if n.Skipped != "" {
			shown.clear()
			fmt.Fprintln(stderr, "regcast: skipped: "+n.Skipped)
		}
		if n.Error != "" {
			err = errors.New(n.Error)
		}
		if n.Summary != nil {
			return n.Summary, err
		}
		if err != nil {
			return nil, err
		}
	}
}

func printSummary(w io.Writer, s emulator.ReplaySummary, skipped int) {
	fmt.Fprintf(w, "replayed %s of %s: %d records, %d events", s.Duration.Round(time.Millisecond), s.Span.Round(time.Millisecond), s.Records, s.Events)
	fmt.Fprintf(w, "; %d batches delivered, %d frames to sockets, %d lost, %d invocations failed\n", s.Batches, s.Frames, s.Lost, s.Failed)
	var left []string
	if s.Known > 0 {
		left = append(left, fmt.Sprintf("%d records that are on record already (--again replays them with new ids)", s.Known))
	}
	if s.Mute > 0 {
		left = append(left, fmt.Sprintf("%d that no cloud has an event for", s.Mute))
	}
	if skipped > 0 {
		left = append(left, fmt.Sprintf("%d that cannot be read (regcast inspect tells why)", skipped))
	}
	if len(left) > 0 {
		fmt.Fprintf(w, "left out: %s\n", strings.Join(left, ", "))
	}
}
