package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
)

func newTrace(env environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "trace EVENT-ID…",
		Short: "Print the walks of events, each from its record to the sockets",
		Example: `  regcast trace $(regcast emit create-image-tag --image ubuntu --tag 22.04)
  regcast trace crp0123456789abcdefg --json`,
		Args: cobra.MinimumNArgs(1),
	}
	find := urlFlag(c, env)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		for i, id := range args {
			if i > 0 && !asJSON {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if err := trace(cmd, regcast, id, asJSON); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func trace(cmd *cobra.Command, regcast client, id string, asJSON bool) error {
	res, err := regcast.do(cmd.Context(), "GET", "/_regcast/events/"+url.PathEscape(id), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if asJSON {
		_, err := io.Copy(cmd.OutOrStdout(), res.Body)
		return err
	}
	var t emulator.Trace
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil {
		return fmt.Errorf("trace: answer: %w", err)
	}
	return printTrace(cmd.OutOrStdout(), t)
}

func printTrace(w io.Writer, t emulator.Trace) error {
	fmt.Fprintf(w, "%s  %s  %s\n", t.Event.ID, t.Event.Type, image(t.Change))
	fmt.Fprintf(w, "%s  journal    recorded   as entry %d, from %s\n", clockTime(t.At), t.Seq, t.Origin)
	var err error
	for _, line := range t.Lines {
		_, err = fmt.Fprintln(w, newsLine(line))
	}
	return err
}
