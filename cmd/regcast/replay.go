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
		Short: "Replay a recording: into a running emulator, a fresh one, or elsewhere",
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

With --to and a target the events go to a real endpoint: --to https://functions.yandexcloud.net/ID (called as triggers call functions), any
other URL with --as saying what it takes, or --to lambda:NAME[@REGION] with AWS_ACCESS_KEY_ID and the other variables of AWS, also
AWS_ENDPOINT_URL. Payloads go one after another, each when the one before is answered. What is sent cannot be taken back, and a function
that is called twice works twice: regcast asks before it sends to another machine, and without a terminal wants --yes. Events keep their
ids unless --again; what others have recorded keeps every byte.

--filter and --set see the line as it is in the file: {"at", "record": {"changes": [{"kind", "registry_id", "repository", "tag", "digest",
"at"}], "events": [{"id", "source", "type", "body"}]}}; with --inputs-of it is {"at", "invocation": {"function", "input", …}}. Where --set
changes a change, every cloud words its events anew.

At a terminal the space bar pauses and resumes, s replays one record, q ends; Ctrl-C ends too.`,
		Example: `  regcast replay run.regcast.jsonl
  regcast replay run.regcast.jsonl --speed max --virtual
  regcast replay run.regcast.jsonl --from 10m --to 20m --filter '.record.changes[].repository | startswith("team/")'
  regcast replay ecr-events.json --set '.record.changes[].registry_id=crpregcastregistry00' --shift-time now
  regcast replay run.regcast.jsonl --step
  regcast replay run.regcast.jsonl --speed max --to https://functions.yandexcloud.net/d4e… --header 'Authorization: Bearer @env:IAM_TOKEN'
  regcast replay run.regcast.jsonl --to lambda:broadcast@eu-west-1 --inputs-of Broadcast --yes
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
	groupFlags(c, replayGroups())
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.deliver.check(); err != nil {
			return err
		}
		if f.deliver.target != "" {
			return deliver(cmd.Context(), args[0], f, env)
		}
		if err := f.misplaced(flags); err != nil {
			return err
		}
		if f.rerun.own() {
			if !flags.Changed("speed") {
				f.speed = "max"
			}
			return replayFresh(cmd.Context(), args[0], f, env)
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
	if err := checkStep(f.step, file, env); err != nil {
		return err
	}
	run, err := openRun(file, env)
	if err != nil {
		return err
	}
	defer run.Close()
	lines, err := f.selection.of(run, false)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	shown := newProgress(env, f.quiet || f.json, run.first, run.last)
	defer shown.end()
	held := newHeld(regcast, f.step)
	defer held.end()
	keys := newKeys(env, file, f.step, stop, func(paused, step bool) {
		shown.pause(paused)
		held.press(paused, step)
	})
	defer keys.close()

	body, feed := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		var err error
		if f.wholesale(run) {
			err = sendFile(ctx, feed, file)
		} else {
			err = send(ctx, feed, run.Header(), lines)
		}
		_ = feed.Close() // what is sent is replayed, whatever ended the sending
		sent <- err
	}()
	// The request itself is not cut off at once: what was replayed gets its summary.
	asking, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		held.stop()
		time.AfterFunc(lastAnswer, cut)
	})()
	req, err := http.NewRequestWithContext(asking, "POST", regcast.base+"/_regcast/replay?"+q.Encode(), body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Close = true // what is not read of it when it is stopped must not be taken for another request
	res, err := regcast.send(req)
	if err != nil {
		stop()
		_ = body.CloseWithError(err)
		return err // what feeds it may wait for standard input
	}
	defer res.Body.Close()
	summary, stopped, failed := news(res.Body, shown, held, env.stderr)
	shown.end()
	keys.close()
	_ = body.CloseWithError(errors.New("the emulator takes no more"))
	select {
	case err = <-sent:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if failed != nil && (err == nil || errors.Is(err, context.Canceled)) { // else the emulator only saw what came of that
		err = failed
	}
	if summary == nil {
		if err == nil || errors.Is(err, context.Canceled) {
			err = errors.New("replay: the emulator broke off; the same command goes on with what is left, when it runs again with its --data folder")
		}
		return err
	}
	f.selection.warn(env.stderr)
	if err == nil {
		err = run.nothing(int(summary.Lines))
	}
	if f.json {
		_ = json.NewEncoder(env.stdout).Encode(summary)
	} else {
		printSummary(env.stdout, *summary, run.skipped(), f.selection.left)
	}
	if stopped || errors.Is(err, context.Canceled) {
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
		q.Set("paused", "true")
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
func send(ctx context.Context, w io.Writer, h recording.Header, lines lines) error {
	out, err := recording.NewWriter(w, h)
	if err != nil {
		return err
	}
	defer func() { _ = out.Flush() }() // when the emulator takes no more, it says why
	for line, err := range lines {
		if err != nil {
			return err
		}
		if line.Record == nil && line.End == nil {
			continue // what followed from the records is to follow anew
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := out.Write(line); err != nil {
			return nil // the emulator takes no more, and says why
		}
	}
	return nil
}

// news reads the emulator's answer to its end.
func news(body io.Reader, shown *progress, held *held, stderr io.Writer) (summary *emulator.ReplaySummary, stopped bool, err error) {
	d := json.NewDecoder(body)
	for {
		var n emulator.ReplayNews
		if err := d.Decode(&n); err != nil {
			return summary, false, nil // the end, or the summary is missing
		}
		if n.Replay != "" {
			held.begin(n.Replay)
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
			return n.Summary, n.Stopped, err
		}
		if err != nil {
			return nil, false, err
		}
	}
}

func printSummary(w io.Writer, s emulator.ReplaySummary, skipped, filtered int) {
	fmt.Fprintf(w, "replayed %s in %s: %s, %s", s.Span.Round(time.Millisecond), s.Duration.Round(time.Millisecond),
		plural(int(s.Records), "record"), plural(int(s.Events), "event"))
	batches := "batches"
	if s.Batches == 1 {
		batches = "batch"
	}
	fmt.Fprintf(w, "; %d %s delivered, %s to sockets, %d lost, %s failed\n", s.Batches, batches, plural(int(s.Frames), "frame"), s.Lost,
		plural(int(s.Failed), "invocation"))
	var left []string
	if s.Known > 0 {
		left = append(left, fmt.Sprintf("%s on record already (--again replays them with new ids)", plural(int(s.Known), "record")))
	}
	if s.Mute > 0 {
		left = append(left, fmt.Sprintf("%d that no cloud has an event for", s.Mute))
	}
	if filtered > 0 {
		left = append(left, fmt.Sprintf("%d by --filter", filtered))
	}
	if skipped > 0 {
		left = append(left, fmt.Sprintf("%d that cannot be read (regcast inspect tells why)", skipped))
	}
	if len(left) > 0 {
		fmt.Fprintf(w, "left out: %s\n", strings.Join(left, ", "))
	}
}
