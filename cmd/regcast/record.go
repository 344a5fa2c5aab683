package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/recording"
)

func newRecord(env environment) *cobra.Command {
	var file string
	var all, force bool
	c := &cobra.Command{
		Use:   "record",
		Short: "Record what happens, into a file",
		Long: `Record what happens from now on in a running emulator, until Ctrl-C: changes and events, matches, batches, invocations, frames, and
sockets that open and close. A name that ends with .zst is compressed. Tokens, authorization headers and cookies are scrubbed.
What has happened before is in the journal all the same: see regcast journal export.

The file grows line by line, and one that was broken off is used up to there. One that is there already stays, unless --force is given.`,
		Example: `  regcast record -o run.regcast.jsonl
  regcast record --all -o run.regcast.jsonl.zst`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.Flags().StringVarP(&file, "output", "o", "", "write to `FILE` (default: regcast-<time>.regcast.jsonl)")
	c.Flags().BoolVar(&all, "all", false, "begin with what is on record already")
	c.Flags().BoolVar(&force, "force", false, "write over a FILE that is there")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		if file == "" {
			file = "regcast-" + time.Now().Format("20060102-150405") + ".regcast.jsonl"
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return record(ctx, regcast, file, all, force, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return c
}

// record copies line by line, so that the file ends well whatever ends the recording.
func record(ctx context.Context, regcast client, file string, all, force bool, stdout, stderr io.Writer) error {
	q := "/_regcast/recording?follow=true"
	if all {
		q += "&from=" + url.QueryEscape(time.Unix(0, 0).UTC().Format(time.RFC3339))
	}
	res, err := regcast.do(ctx, "GET", q, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	run, err := recording.NewReader(res.Body)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	out, err := createRecording(file, orForce, force)
	if err != nil {
		return err
	}
	defer out.Close()
	w, err := newRecordingWriter(file, out, run.Header())
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "regcast: recording to %s; Ctrl-C ends it\n", file)
	lines := 0
	var ended bool
	for line, err := range run.Lines() {
		if err != nil {
			if ctx.Err() == nil { // it has no end then, and says so
				return errors.Join(fmt.Errorf("record: the emulator broke off; %s has what it said until then, %s", file, plural(int(lines), "line")), w.Close())
			}
			break
		}
		if ended = line.End != nil; ended {
			break
		}
		if err := w.Write(line); err != nil {
			return fmt.Errorf("record: %s: %w", file, err)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("record: %s: %w", file, err)
		}
		lines++
	}
	if err := w.End(houseTime(regcast)); err != nil {
		return fmt.Errorf("record: %s: %w", file, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %s\n", file, plural(int(lines), "line"))
	return err
}

// newRecordingWriter writes what the file's name says.
func newRecordingWriter(name string, w io.Writer, h recording.Header) (*recording.Writer, error) {
	if strings.HasSuffix(name, ".zst") {
		return recording.NewZstdWriter(w, h)
	}
	return recording.NewWriter(w, h)
}

// houseTime is the emulator's time, or the machine's when it does not tell any more.
func houseTime(regcast client) time.Time {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var state struct {
		Now time.Time `json:"now"`
	}
	res, err := regcast.do(ctx, "GET", "/_regcast/clock", nil)
	if err != nil {
		return time.Now().UTC()
	}
	defer res.Body.Close()
	if json.NewDecoder(res.Body).Decode(&state) != nil || state.Now.IsZero() {
		return time.Now().UTC()
	}
	return state.Now
}

func newExport(env environment) *cobra.Command {
	var file, from, to string
	var force bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the history as a recording",
		Long: `Write what is on record, or a part of it, as a recording that can be replayed, compared and explained. The file is there whole or
not at all; one that is there already stays, unless --force is given. A name that ends with .zst is compressed.`,
		Example: `  regcast journal export -o run.regcast.jsonl
  regcast journal export --from 2026-01-02T15:00:00Z --to 2026-01-02T16:00:00Z -o hour.regcast.jsonl.zst
  regcast journal export --from 10m -o last-ten-minutes.regcast.jsonl`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.Flags().StringVarP(&file, "output", "o", "-", "write to `FILE`, - is standard output")
	c.Flags().BoolVar(&force, "force", false, "write over a FILE that is there")
	c.Flags().StringVar(&from, "from", "", "begin at a `TIME`, or so long before now (10m), by the emulator's clock")
	c.Flags().StringVar(&to, "to", "", "end at a `TIME`, or so long before now")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		if file != "-" {
			if err := free(file, orForce, force); err != nil {
				return err
			}
		}
		q, moments := url.Values{}, map[string]time.Time{}
		for name, value := range map[string]string{"from": from, "to": to} {
			if value == "" {
				continue
			}
			t, err := parseMoment(value, func() time.Time { return houseTime(regcast) })
			if err != nil {
				return usageError("--%s: %w", name, err)
			}
			q.Set(name, t.Format(time.RFC3339Nano))
			moments[name] = t
		}
		if from, to := moments["from"], moments["to"]; !to.IsZero() && to.Before(from) {
			return usageError("--to: %s is before --from, %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
		}
		if strings.HasSuffix(file, ".zst") {
			q.Set("zstd", "true")
		}
		res, err := regcast.do(cmd.Context(), "GET", "/_regcast/recording?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if file == "-" {
			_, err := io.Copy(cmd.OutOrStdout(), res.Body)
			return err
		}
		var n int64
		err = writeWhole(file, modeRecording, func(w io.Writer) (err error) {
			n, err = io.Copy(w, res.Body)
			return err
		})
		if err != nil {
			return fmt.Errorf("journal export: %w", err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", file, plural(int(n), "byte"))
		return err
	}
	return c
}

// parseMoment reads a time, or a duration before now.
func parseMoment(s string, now func() time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("got %q, want a time such as 2026-01-02T15:04:05Z, or a duration such as 10m", s)
}
