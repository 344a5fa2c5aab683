package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/events"
)

func newJournal(env environment) *cobra.Command {
	var follow, asJSON bool
	c := &cobra.Command{
		Use:   "journal",
		Short: "Print what happened, in order",
		Long:  "Print what happened, in order: every recorded change with its events, and every step that followed from it.",
		Example: `  regcast journal --follow
  regcast journal --json | jq 'select(.record) | .record.events[].id'`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is to come, until Ctrl-C")
	c.Flags().BoolVar(&asJSON, "json", false, "print lines of JSON")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "GET", fmt.Sprintf("/_regcast/journal?follow=%t", follow), nil)
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
			var line emulator.JournalLine
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

func printLine(w io.Writer, line emulator.JournalLine) error {
	if line.Step != nil {
		_, err := fmt.Fprintf(w, "%6d  %s\n", line.Seq, stepLine(*line.Step))
		return err
	}
	var err error
	for _, e := range line.Record.Events {
		_, err = fmt.Fprintf(w, "%6d  %s  %-9s  %s  %s  %s\n",
			line.Seq, clockTime(line.At), line.Record.Origin, e.ID, e.Type, image(line.Record.Changes[e.Of]))
	}
	if len(line.Record.Events) == 0 {
		_, err = fmt.Fprintf(w, "%6d  %s  %-9s  a change that no event tells of\n", line.Seq, clockTime(line.At), line.Record.Origin)
	}
	return err
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
