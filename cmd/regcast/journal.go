package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

func newJournal(env environment) *cobra.Command {
	var follow, asJSON bool
	var topics []string
	c := &cobra.Command{
		Use:   "journal",
		Short: "Print what happened, in order",
		Long: "Print what happened, in order: every recorded change with its events, every step that followed from it,\n" +
			"and the invocations, frames, connections and moves of the clock, each in a line.",
		Example: `  regcast journal --follow
  regcast journal --topic frame,socket
  regcast journal --json | jq 'select(.record) | .record.events[].id'
  regcast journal export -o run.regcast.jsonl`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(newExport(env))
	find := urlFlag(c, env)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is to come, until Ctrl-C")
	c.Flags().StringSliceVar(&topics, "topic", nil, "only these `KINDS`: record, step, invocation, frame, socket, clock, kept")
	c.Flags().BoolVar(&asJSON, "json", false, "print lines of JSON")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		query := url.Values{"follow": {strconv.FormatBool(follow)}, "topic": {strings.Join(topics, ",")}}
		res, err := regcast.do(cmd.Context(), "GET", "/_regcast/journal?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if asJSON {
			_, err := io.Copy(cmd.OutOrStdout(), res.Body)
			return err
		}
		lines := bufio.NewReader(res.Body)
		for {
			data, err := lines.ReadBytes('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return fmt.Errorf("journal: %w", err)
			}
			var line recording.Line
			if err := json.Unmarshal(data, &line); err != nil {
				return fmt.Errorf("journal: answer: %w", err)
			}
			if err := printLine(cmd.OutOrStdout(), line); err != nil {
				return err
			}
		}
	}
	return c
}

func printLine(w io.Writer, line recording.Line) error {
	var err error
	switch {
	case line.Record != nil:
		for _, e := range line.Record.Events {
			_, err = fmt.Fprintf(w, "%6d  %s  %-9s  %s  %s  %s\n",
				line.Seq, clockTime(line.At), line.Record.Origin, e.ID, e.Type, image(line.Record.Changes[e.Of]))
		}
		if len(line.Record.Events) == 0 {
			_, err = fmt.Fprintf(w, "%6d  %s  %-9s  a change that no event tells of\n", line.Seq, clockTime(line.At), line.Record.Origin)
		}
	case line.Kind() != "": // another kind is of a newer regcast
		_, err = fmt.Fprintf(w, "%6d  %s\n", line.Seq, newsLine(line))
	}
	return err
}

// newsLine words what is no record, as steps are worded.
func newsLine(line recording.Line) string {
	if line.Step != nil {
		return stepLine(*line.Step)
	}
	var room, what, text string
	switch {
	case line.Invocation != nil:
		room, what, text = "runner", "invoked", invocationText(*line.Invocation)
	case line.Frame != nil:
		room, what, text = frameText(*line.Frame)
	case line.Socket != nil:
		room, what, text = "gateway", line.Socket.What, socketText(*line.Socket)
	case line.Clock != nil:
		room, what, text = "clock", line.Clock.What, clockText(*line.Clock)
	case line.Kept != nil:
		room, what, text = "client", "kept", line.Kept.Name
		if line.Kept.Value == nil {
			what = "deleted"
		}
	case line.End != nil:
		room, what, text = "recording", "end", plural(int(line.End.Lines), "line")
	}
	return fmt.Sprintf("%s  %-9s  %-9s  %s", clockTime(line.At), room, what, text)
}

// took is a time in milliseconds to three digits or so.
func took(ms float64) time.Duration {
	d := time.Duration(ms * float64(time.Millisecond))
	if d < time.Second {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}

func invocationText(in recording.Invocation) string {
	text := fmt.Sprintf("%s: %s in %v, %s in, %d out, %s", in.Function, in.ID, took(in.DurationMS), plural(len(in.Input), "byte"), len(in.Output),
		plural(len(in.Log)+in.LogCut, "log line"))
	switch {
	case in.Error == "Unhandled": // the output says why
		text += ": failed: " + short(string(in.Output))
	case in.Error != "":
		text += ": " + in.Error
	}
	return text
}

func frameText(f recording.Frame) (room, what, text string) {
	what, who := "sent", f.Connection
	switch {
	case f.In:
		what = "received"
	case f.Error != "":
		what = "not sent"
	case who == "":
		who = "1 connection"
		if f.Sent != 1 {
			who = fmt.Sprintf("%d connections", f.Sent)
		}
	}
	data := plural(len(f.Data), "byte") + " of binary"
	if !f.Binary {
		data = short(string(f.Data))
	}
	text = fmt.Sprintf("%s: %s: %s", place(f.Gateway, f.Path), who, data)
	if f.Error != "" {
		text = fmt.Sprintf("%s: %s: %s: %s", place(f.Gateway, f.Path), who, f.Error, data)
	}
	return "gateway", what, text
}

func socketText(s recording.Socket) string {
	text := place(s.Gateway, s.Path) + ": " + s.Connection
	if s.What == recording.Opened {
		return text + " " + s.URL
	}
	text += fmt.Sprintf(" by %s: %d", s.By, s.Code)
	if s.Reason != "" {
		text += " " + s.Reason
	}
	return text
}

func clockText(c recording.Clock) string {
	switch {
	case c.By != 0:
		return c.By.String()
	case c.Speed != 0:
		return fmt.Sprintf("%gx", c.Speed)
	}
	return ""
}

// place is a gateway's path, or an API's stage.
func place(gateway, path string) string {
	if path != "" && path[0] != '/' {
		path = "/" + path
	}
	return gateway + path
}

// short is the beginning of a text, on one line.
func short(text string) string {
	const most = 80
	text = strings.Join(strings.Fields(text), " ")
	runes := []rune(text[:min(len(text), 4*most)])
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

func stepLine(s events.Step) string {
	who := s.Who
	if who != "" {
		who += ": "
	}
	return fmt.Sprintf("%s  %-9s  %-9s  %s%s", clockTime(s.At), s.Room, s.What, who, s.Text)
}

// image names what a change is about as clients write it: an image by its digest, a tag by its name.
func image(c events.Change) string {
	var b strings.Builder
	b.WriteString(c.Registry + "/" + c.Repository)
	if c.Kind == events.TagAttached || c.Kind == events.TagDetached {
		b.WriteString(":" + c.Tag)
	}
	if digest := c.Digest; digest != "" {
		if len(digest) > len("sha256:")+12 {
			digest = digest[:len("sha256:")+12] + "…"
		}
		b.WriteString("@" + digest)
	}
	return b.String()
}

// clockTime is a time of day with milliseconds, in the reader's zone.
func clockTime(t time.Time) string { return t.Local().Format("15:04:05.000") }
