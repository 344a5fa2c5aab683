package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/emulator"
)

func newClock(env environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "clock [now | advance DURATION | to TIME | freeze | resume | speed N]",
		Short: "Show the emulator's time, or move it",
		Long: `Show the emulator's time, or move it. Cutoffs, time limits, retries, visibility, expiry: everything in the emulator obeys its clock.

advance and to fire what falls due until then, in its order, and return when the emulator is quiet: functions have answered, and frames
are sent. freeze stops the clock, resume lets it run on from where it stands, and speed makes N seconds pass in one. Time never goes
back. Functions that run as processes have the machine's clock; their time limits are the emulator's.`,
		Example: `  regcast clock                          # what time is it in there?
  regcast clock freeze
  regcast clock advance 10m              # also 90s, 1h30m, 7d
  regcast clock to 2026-12-24T18:00:00Z
  regcast clock speed 60x                # a minute a second
  regcast clock resume`,
		Args:      cobra.MaximumNArgs(2),
		ValidArgs: []string{"now", "advance", "to", "freeze", "resume", "speed"},
	}
	find := urlFlag(c, env)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := clockRequest(args)
		if err != nil {
			return err
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		method := "POST"
		if body == nil {
			method = "GET"
		}
		res, err := regcast.do(cmd.Context(), method, "/_regcast/clock", body)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if asJSON {
			_, err := io.Copy(cmd.OutOrStdout(), res.Body)
			return err
		}
		var s emulator.ClockState
		if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
			return fmt.Errorf("clock: answer: %w", err)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), clockLine(s))
		return err
	}
	return c
}

// clockRequest is the body for POST /_regcast/clock; nil: the time is only asked for.
func clockRequest(args []string) ([]byte, error) {
	what, value, hasValue := "now", "", len(args) == 2
	if len(args) > 0 {
		what = args[0]
	}
	if hasValue {
		value = args[1]
	}
	if needs := what == "advance" || what == "to" || what == "speed"; needs != hasValue {
		if needs {
			return nil, usageError("clock: %s: say how far, as in `regcast clock %s %s`", what, what,
				map[string]string{"advance": "10m", "to": "2026-12-24T18:00:00Z", "speed": "60x"}[what])
		}
		if hasValue {
			return nil, usageError("clock: %s takes no value, got %q", what, value)
		}
	}
	var q any
	switch what {
	case "now":
		return nil, nil
	case "freeze", "resume":
		q = map[string]bool{what: true}
	case "advance":
		d, err := parseDays(value)
		if err != nil || d < 0 {
			return nil, usageError("clock: advance: got %q, want a duration such as 90s, 10m, 1h30m or 7d", value)
		}
		q = map[string]string{what: d.String()}
	case "to":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return nil, usageError("clock: to: got %q, want a time such as 2026-12-24T18:00:00Z", value)
		}
		q = map[string]string{what: t.Format(time.RFC3339Nano)}
	case "speed":
		x, err := strconv.ParseFloat(strings.TrimSuffix(value, "x"), 64)
		if err != nil {
			return nil, usageError("clock: speed: got %q, want a number such as 60x, 0.5x or 1x", value)
		}
		q = map[string]float64{what: x}
	default:
		return nil, usageError("clock: got %q, want now, advance, to, freeze, resume or speed", what)
	}
	return json.Marshal(q)
}

// parseDays is time.ParseDuration that knows days, alone or in front: 7d, 1d12h.
func parseDays(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

func clockLine(s emulator.ClockState) string {
	line := s.Now.UTC().Format("2006-01-02T15:04:05.000Z") + "  "
	if s.Frozen {
		line += "frozen"
	} else {
		line += "runs " + strconv.FormatFloat(s.Speed, 'g', -1, 64) + "x"
	}
	switch ahead := s.Ahead.Round(time.Millisecond); {
	case ahead > 0:
		line += ", " + ahead.String() + " ahead of this machine"
	case ahead < 0:
		line += ", " + (-ahead).String() + " behind this machine"
	}
	if s.Next != nil {
		line += ", next timer in " + max(0, s.Next.Sub(s.Now)).Round(time.Millisecond).String()
	}
	return line
}

func newQuiet(env environment) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "quiet",
		Short: "Wait until nothing is in flight",
		Long: `Wait until nothing is in flight: every event is matched, every batch that is due is handed over, functions have answered, and frames are
sent. What only waits for its time, as a batch for its cutoff or a retry, is not waited for: see ` + "`regcast clock advance`" + `.`,
		Example: `  docker push localhost:8080/team/app:v1 && regcast quiet
  regcast quiet --timeout 5s || regcast journal`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "exit with 3 after `DURATION`")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if timeout <= 0 {
			return usageError("quiet: --timeout: got %v, want more than 0", timeout)
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "GET", "/_regcast/quiet?timeout="+url.QueryEscape(timeout.String()), nil)
		var refused refusal
		if errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable {
			return exitError{exitTimeout, err}
		}
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	return c
}
