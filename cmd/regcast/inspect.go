package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/foreign"
)

func newInspect(env environment) *cobra.Command {
	var asJSON, brief bool
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a recording holds, or a file of events from elsewhere",
		Long: `Say what a file holds that regcast can replay: of a recording how much of what and from when to when; of a file from elsewhere line by
line what was recognised, and what was skipped and why. From elsewhere are events of ECR and messages of Yandex Cloud's triggers, alone or
in lists, in payloads of SQS and SNS, in exports of CloudWatch and Yandex Cloud's logs, in CloudEvents, and notifications of distribution
registries. - is standard input. It fails when there is nothing to replay.`,
		Example: `  aws logs filter-log-events --log-group-name GROUP | regcast inspect -
  regcast inspect run.regcast.jsonl.zst
  regcast inspect events.json --summary --json`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, a line for each thing found and one for the summary")
	c.Flags().BoolVar(&brief, "summary", false, "print the summary alone")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		in := env.stdin
		if args[0] != "-" {
			file, err := os.Open(args[0])
			if err != nil {
				return usageError("inspect: %w", err)
			}
			defer file.Close()
			in = file
		}
		p := inspector{out: cmd.OutOrStdout(), json: asJSON, brief: brief, Holding: Holding{Kinds: map[string]int{}, Events: map[string]int{}}}
		if err := p.inspect(in); err != nil {
			return fmt.Errorf("inspect: %s: %w", args[0], err)
		}
		return nil
	}
	return c
}

// Holding is what a file holds.
type Holding struct {
	Recording bool              `json:"recording"` // and not a file from elsewhere
	Header    *recording.Header `json:"header,omitempty"`
	Kinds     map[string]int    `json:"kinds"`  // of a recording the lines' kinds; else what was recognised
	Events    map[string]int    `json:"events"` // in records: "yandex create-image"
	Records   int               `json:"records"`
	Skipped   int               `json:"skipped"` // things from elsewhere that are no records; of a recording lines that cannot be used
	First     time.Time         `json:"first,omitzero"`
	Last      time.Time         `json:"last,omitzero"`
	// Earlier counts records that are earlier than one before them; a replay does not wait for them.
	Earlier int    `json:"earlier"`
	Torn    string `json:"torn,omitempty"`  // the recording breaks off, and where
	Ended   bool   `json:"ended,omitempty"` // the recording says that it is complete
}

// manyKinds bounds what is counted by name: what is recognised names where it was found, which the file says.
const manyKinds = 100

func count(kinds map[string]int, name string) {
	if _, known := kinds[name]; !known && len(kinds) >= manyKinds {
		name = "others"
	}
	kinds[name]++
}

type inspector struct {
	Holding
	out         io.Writer
	json, brief bool
}

func (p *inspector) inspect(in io.Reader) error {
	ours, rest, err := foreign.Recognise(in)
	if err != nil {
		return err
	}
	if ours {
		err = p.recording(rest)
	} else {
		err = p.foreign(rest)
	}
	if err != nil {
		return err
	}
	if p.json {
		err = json.NewEncoder(p.out).Encode(struct {
			Summary Holding `json:"summary"`
		}{p.Holding})
	} else {
		err = p.print()
	}
	if err == nil && p.Records == 0 {
		err = errors.New("no event that could be replayed")
	}
	return err
}

// foreign tells of each item of a file from elsewhere.
func (p *inspector) foreign(in io.Reader) error {
	for item, err := range foreign.Read(in, foreign.Options{}) {
		if err != nil {
			return err
		}
		if item.Skipped != "" {
			p.Skipped++
		} else {
			count(p.Kinds, item.What)
			p.record(*item.Recorded.Record, item.Recorded.At)
		}
		switch {
		case p.brief:
		case p.json:
			err = json.NewEncoder(p.out).Encode(item)
		default:
			_, err = fmt.Fprintln(p.out, itemLine(item))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recording counts the lines of a recording, and tells of those that cannot be used.
func (p *inspector) recording(in io.Reader) error {
	r, err := recording.NewReader(in)
	if err != nil {
		return err
	}
	p.Recording = true
	if h := r.Header(); h.Format != "" {
		p.Header = &h
	}
	for line, err := range r.Lines() {
		var bad *recording.LineError
		var torn *recording.TornError
		switch {
		case errors.As(err, &torn):
			p.Torn = err.Error()
			continue
		case errors.As(err, &bad):
			p.Skipped++
			if !p.brief && !p.json {
				fmt.Fprintf(p.out, "skipped: %v\n", err)
			}
			continue
		case err != nil:
			return err
		}
		kind := line.Kind()
		if kind == "" {
			kind = "of a newer regcast"
		}
		p.Ended = p.Ended || kind == "end"
		count(p.Kinds, kind)
		if line.Record != nil {
			p.record(*line.Record, line.At)
		}
		p.at(line.At)
	}
	return nil
}

func (p *inspector) record(r events.Record, at time.Time) {
	p.Records++
	for _, e := range r.Events {
		count(p.Events, e.Source+" "+e.Type)
	}
	if !at.IsZero() && at.Before(p.Last) {
		p.Earlier++
	}
	p.at(at)
}

func (p *inspector) at(at time.Time) {
	if at.IsZero() {
		return
	}
	if p.First.IsZero() || at.Before(p.First) {
		p.First = at
	}
	if at.After(p.Last) {
		p.Last = at
	}
}

// itemLine is an item in a line: where, what, and what happened or why it is skipped.
func itemLine(i foreign.Item) string {
	where := i.Place.String()
	for _, more := range i.And {
		where += " and " + more.String()
	}
	if i.Skipped != "" {
		if i.What != "" {
			where += ": " + i.What
		}
		return where + ": skipped: " + i.Skipped
	}
	r := i.Recorded.Record
	var happened []string
	for _, e := range r.Events {
		happened = append(happened, e.Type+" "+image(e.Change)+" "+e.ID)
	}
	if len(happened) == 0 { // no cloud has worded it
		for _, c := range r.Changes {
			happened = append(happened, string(c.Kind)+" "+image(c))
		}
	}
	return where + ": " + i.What + ": " + strings.Join(happened, ", ")
}

// print says the summary for people.
func (p *inspector) print() error {
	var b strings.Builder
	what := "from elsewhere"
	if p.Recording {
		what = "a recording"
		if h := p.Header; h != nil {
			what += fmt.Sprintf(" of %s, version %d", h.Created.UTC().Format(time.RFC3339), h.Version)
			if h.Regcast != "" {
				what += ", by regcast " + h.Regcast
			}
		} else {
			what = "lines of a journal"
		}
	}
	fmt.Fprintf(&b, "%s: %s", what, plural(p.Records, "record"))
	if !p.First.IsZero() {
		fmt.Fprintf(&b, ", %s to %s (%v)", p.First.UTC().Format(time.RFC3339), p.Last.UTC().Format(time.RFC3339), p.Last.Sub(p.First).Round(time.Millisecond))
	}
	b.WriteByte('\n')
	for _, counts := range []map[string]int{p.Kinds, p.Events} {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%8d  %s\n", counts[name], name)
		}
	}
	if p.Skipped > 0 {
		fmt.Fprintf(&b, "%8d  skipped\n", p.Skipped)
	}
	if p.Earlier > 0 {
		fmt.Fprintf(&b, "%8d  earlier than a record before: a replay does not wait for them\n", p.Earlier)
	}
	switch {
	case p.Torn != "":
		fmt.Fprintf(&b, "It breaks off, and what is before can be replayed: %s\n", p.Torn)
	case p.Header != nil && !p.Ended:
		b.WriteString("It has no end: it was still written, or its writer was stopped.\n")
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}
