package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/explain"
	"github.com/regcast/regcast/recording/foreign"
)

// What --expect takes.
const (
	expectFired  = "fired"
	expectSilent = "silent"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	last, json     bool
	file, dry      string
	triggers       []string
	expect         string
	createImageTag string
	template       functionFlags
}

func newExplain(env environment) *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain {EVENT-ID | --last | --dry FILE}",
		Short: "Say why an event fired triggers and rules, and why not",
		Long: `Say how an event's story ended: delivered and at which attempt, lost or given up and why, or still waiting and until when. Then,
for every trigger and rule, whether it fired; of those that did not the first predicate that said no, with what was wanted, what was got,
and what was nearly right; of those that did what became of the batch and of each delivery.

With --file the event is looked up in a recording, with nothing running. With --dry nothing is looked up: the triggers of --trigger and
the rules of --template are asked about each event of FILE (a recording, or events of either cloud as logs, queues and functions have
them), and --expect makes that a test: "fired" wants at least one event to fire a trigger, "silent" wants none to.`,
		Example: `  regcast explain --last
  regcast explain crp0123456789abcdefg --trigger my-trigger
  regcast explain crp0123456789abcdefg --file run.regcast.jsonl
  regcast explain --dry events.json --trigger trigger.yaml --expect fired
  regcast explain --dry run.regcast.jsonl --template template.yaml --expect silent`,
		Args: cobra.MaximumNArgs(1),
	}
	find := urlFlag(c, env)
	flags := c.Flags()
	flags.BoolVar(&f.last, "last", false, "explain the last event there is")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.StringVar(&f.file, "file", "", "look the event up in a recording, `FILE`; - is standard input")
	flags.StringVar(&f.dry, "dry", "", "ask triggers about the events of `FILE`, with nothing running; - is standard input")
	flags.StringArrayVar(&f.triggers, "trigger", nil, "only this trigger or rule, by `NAME` or id; with --dry: triggers from this FILE (repeatable; default: the default trigger)")
	flags.StringVar(&f.expect, "expect", "", "with --dry, exit with 1 unless triggers `fired|silent`")
	flags.StringVar(&f.createImageTag, "create-image-tag-field", "omit", "with --dry, the tag field of create-image events that FILE has not: `omit|copy`")
	f.template.addTemplate(flags, "with --dry, ask the rules of a SAM or CloudFormation `FILE`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := f.event(args)
		switch {
		case err != nil:
			return err
		case f.dry != "":
			return f.dryRun(env)
		case f.file != "":
			return f.recorded(id, env)
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		return f.running(cmd, regcast, id)
	}
	return c
}

// event is the id to explain; empty with --dry.
func (f *explainFlags) event(args []string) (string, error) {
	ways := len(args)
	if f.last {
		ways++
	}
	if f.dry != "" {
		ways++
	}
	switch {
	case ways == 0:
		return "", usageError("explain: name an event, or give --last; `regcast journal` lists the events on record")
	case ways > 1:
		return "", usageError("explain: want one of an event's id, --last and --dry")
	case f.dry != "" && f.file != "":
		return "", usageError("explain: --file goes with an event's id or --last; --dry takes the file itself")
	case f.dry == "" && f.expect != "":
		return "", usageError("explain: --expect goes with --dry")
	case f.dry == "" && f.template.template != "":
		return "", usageError("explain: --template goes with --dry")
	case f.dry == "" && len(f.triggers) > 1:
		return "", usageError("explain: want one --trigger, by its name")
	case f.expect != "" && f.expect != expectFired && f.expect != expectSilent:
		return "", usageError("--expect: got %q, want %s or %s", f.expect, expectFired, expectSilent)
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return explain.Last, nil
}

// running asks an emulator.
func (f *explainFlags) running(cmd *cobra.Command, regcast client, id string) error {
	path := "/_regcast/events/" + url.PathEscape(id) + "/explain"
	if len(f.triggers) > 0 {
		path += "?trigger=" + url.QueryEscape(f.triggers[0])
	}
	res, err := regcast.do(cmd.Context(), "GET", path, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if f.json {
		_, err := io.Copy(cmd.OutOrStdout(), res.Body)
		return err
	}
	var x explain.Explanation
	if err := json.NewDecoder(res.Body).Decode(&x); err != nil {
		return fmt.Errorf("explain: answer: %w", err)
	}
	return x.Text(cmd.OutOrStdout())
}

// recorded reads a recording.
func (f *explainFlags) recorded(id string, env environment) error {
	in, err := openInput(f.file, env)
	if err != nil {
		return usageError("--file: %w", err)
	}
	defer in.Close()
	r, err := recording.NewReader(in)
	if err != nil {
		return usageError("explain: %s: %w; `regcast inspect %s` says what it holds", f.file, err, f.file)
	}
	run, err := explain.Find(r, id)
	if err != nil {
		return fmt.Errorf("explain: %s: %w", f.file, err)
	}
	x := explain.Explain(run)
	if len(f.triggers) > 0 {
		if x, err = x.Only(f.triggers[0]); err != nil {
			return fmt.Errorf("explain: %s: %w", f.file, err)
		}
	}
	if f.json {
		return json.NewEncoder(env.stdout).Encode(x)
	}
	return x.Text(env.stdout)
}

// dryRun asks triggers about the events of a file.
func (f *explainFlags) dryRun(env environment) error {
	var cfg emulator.Config
	var err error
	if cfg.TagOnCreateImage, err = choose("--create-image-tag-field", f.createImageTag, "omit", "copy"); err != nil {
		return err
	}
	for _, name := range f.triggers {
		data, err := os.ReadFile(name)
		if err != nil {
			return usageError("--trigger: %w; with --dry it names a file", err)
		}
		cfg.Triggers = append(cfg.Triggers, emulator.File{Name: name, Data: data})
	}
	if err := f.template.readTemplate(&cfg); err != nil {
		return err
	}
	d, err := emulator.NewDryRun(cfg)
	if err != nil {
		return err
	}
	in, err := openInput(f.dry, env)
	if err != nil {
		return usageError("--dry: %w", err)
	}
	defer in.Close()
	t := dryTally{flags: f, run: d, env: env}
	if err := t.read(in); err != nil {
		return fmt.Errorf("explain: %s: %w", f.dry, err)
	}
	return t.end()
}

// dryTally counts what a dry run comes to.
type dryTally struct {
	flags         *explainFlags
	run           *emulator.DryRun
	env           environment
	events, fired int
	skipped       int
	why           string // the first was
}

func (t *dryTally) read(in io.Reader) error {
	isRecording, in, err := foreign.Recognise(in)
	if err != nil {
		return err
	}
	if isRecording {
		r, err := recording.NewReader(in)
		if err != nil {
			return err
		}
		for line, err := range r.Lines() {
			var bad *recording.LineError
			switch {
			case errors.As(err, &bad):
				t.skip(err.Error())
			case err != nil:
				return err
			case line.Record != nil:
				if err := t.add(line); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for item, err := range foreign.Read(in, foreign.Options{}) {
		switch {
		case err != nil:
			return err
		case item.Skipped != "":
			t.skip(item.Place.String() + ": " + item.Skipped)
		default:
			if err := t.add(item.Recorded); err != nil {
				return err
			}
		}
	}
	return nil
}

// skip tells of the first few things that are no events.
func (t *dryTally) skip(why string) {
	const told = 5
	t.skipped++
	switch {
	case t.skipped == 1:
		t.why = why
		fallthrough
	case t.skipped <= told:
		fmt.Fprintf(t.env.stderr, "regcast: skipped: %s\n", why)
	case t.skipped == told+1:
		fmt.Fprintln(t.env.stderr, "regcast: skipped: and more")
	}
}

func (t *dryTally) add(line recording.Line) error {
	for _, x := range t.run.Explain(*line.Record) {
		if t.events++; x.Fired() {
			t.fired++
		}
		if t.flags.json {
			if err := json.NewEncoder(t.env.stdout).Encode(x); err != nil {
				return err
			}
			continue
		}
		if err := x.Brief(t.env.stdout); err != nil {
			return err
		}
	}
	return nil
}

// end sums up, and judges.
func (t *dryTally) end() error {
	if t.events == 0 {
		if t.why != "" {
			return fmt.Errorf("explain: %s: there is no event in it; the first thing that is none: %s", t.flags.dry, t.why)
		}
		return fmt.Errorf("explain: %s: there is no event in it", t.flags.dry)
	}
	if !t.flags.json {
		fmt.Fprintf(t.env.stdout, "\n%d of %s would fire a trigger\n", t.fired, plural(t.events, "event"))
	}
	switch {
	case t.flags.expect == expectFired && t.fired == 0:
		return fmt.Errorf("explain: expected a trigger to fire, and none would for any of %s", plural(t.events, "event"))
	case t.flags.expect == expectSilent && t.fired > 0:
		return fmt.Errorf("explain: expected no trigger to fire, and %d of %s would", t.fired, plural(t.events, "event"))
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// openInput opens a file, or standard input for "-".
func openInput(name string, env environment) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(env.stdin), nil
	}
	return openFile(name)
}
