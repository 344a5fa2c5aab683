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
		Use:   "trace EVENT-ID",
		Short: "Print the walk of one event, from its record to the sockets",
		Example: `  regcast trace $(regcast emit create-image-tag --image ubuntu --tag 22.04)
  regcast trace crp0123456789abcdefg --json`,
		Args: cobra.ExactArgs(1),
	}
	find := urlFlag(c, env)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "GET", "/_regcast/events/"+url.PathEscape(args[0]), nil)
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
	return c
}

func printTrace(w io.Writer, t emulator.Trace) error {
	fmt.Fprintf(w, "%s  %s  %s\n", t.Event.ID, t.Event.Type, image(t.Change))
	fmt.Fprintf(w, "%s  journal    recorded   as entry %d, from %s\n", clockTime(t.At), t.Seq, t.Origin)
	var err error
	for _, s := range t.Steps {
		_, err = fmt.Fprintln(w, stepLine(s))
	}
	return err
}
