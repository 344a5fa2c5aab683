package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/regcast/regcast/emulator"
)

// faultsFlag is --faults of up and exec.
func faultsFlag(flags *pflag.FlagSet, files *[]string) {
	flags.StringArrayVar(files, "faults", nil, "have go wrong what `FILE` lists, in YAML or JSON; see `regcast fault --help` (repeatable)")
}

// readFaults reads the files of --faults.
func readFaults(files []string) ([]emulator.Fault, error) {
	var all []emulator.Fault
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, usageError("--faults: %w", err)
		}
		list, err := emulator.ReadFaults(name, data)
		if err != nil {
			return nil, usageError("--faults: %w", err)
		}
		all = append(all, list...)
	}
	return all, nil
}

func newFault(env environment) *cobra.Command {
	c := &cobra.Command{
		Use:   "fault",
		Short: "Have things go wrong on purpose",
		Long: `Have things go wrong on purpose: at a step of the walk, for what passes there and fits the filter, all of it, a share, or the next few.
Each fault that happens is a step in the trace of the events concerned.

` + faultTable() + `
Codes of close are those of WebSocket: 1000 to 1003, 1007 to 1014, 3000 to 4999. A timeout is no answer until the caller gives up.
Filters are globs: * is any text, ? is any character. Delays go by the emulator's clock.

Files for "regcast up --faults" and the body of POST /_regcast/faults have the same names:
  - {step: send, action: drop, path: /ws, share: 0.1, seed: 7}
  - {step: invoke, action: error, code: 429, function: Broadcast, after: 2, next: 1}`,
		Example: `  regcast fault add send drop --path /ws --share 0.1
  regcast fault list
  regcast fault remove f1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newFaultAdd(env), newFaultList(env), newFaultRemove(env), newFaultClear(env))
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
	return c
}

// faultTable lists what goes with what.
func faultTable() string {
	var b strings.Builder
	for _, s := range emulator.FaultSteps() {
		var actions []string
		for _, a := range s.Actions {
			what := string(a)
			switch a {
			case emulator.FaultDelay, emulator.FaultLateDisconnect:
				what += " TIME"
			case emulator.FaultReorder:
				what += " [TIME]"
			case emulator.FaultClose:
				what += " CODE"
			case emulator.FaultError:
				var codes []string
				for _, code := range s.Codes {
					codes = append(codes, string(code))
				}
				what += " " + strings.Join(codes, "|")
			}
			actions = append(actions, what)
		}
		fmt.Fprintf(&b, "%-11s %s\n            filters: %s\n", s.Step, strings.Join(actions, ", "), strings.Join(s.Filters, ", "))
	}
	return b.String()
}

func newFaultAdd(env environment) *cobra.Command {
	var f emulator.Fault
	var delay string
	c := &cobra.Command{
		Use:   "add STEP ACTION [VALUE]",
		Short: "Add a fault and print its id",
		Long:  "Add a fault and print its id. VALUE is the code of error and close, and the time of delay, late-disconnect and reorder.\n\n" + faultTable(),
		Example: `  regcast fault add send drop --path /ws --share 0.1 --seed 7    # a tenth of the frames, the same ones each time
  regcast fault add invoke error 429 --function Broadcast --next 3
  regcast fault add api error timeout --api 'dynamodb.*' --after 2 --next 1
  regcast fault add connection close 1011 --delay 30s
  regcast fault add match delay 2s --trigger all-pushes`,
		Args: cobra.RangeArgs(2, 3),
	}
	find := urlFlag(c, env)
	flags := c.Flags()
	flags.StringVar(&f.ID, "id", "", "call it `ID` (default f1, f2, …)")
	flags.StringVar(&f.Trigger, "trigger", "", "only for this trigger: a `GLOB` for its id or name")
	flags.StringVar(&f.Function, "function", "", "only for this function: a `GLOB` for its id or name")
	flags.StringVar(&f.Gateway, "gateway", "", "only for this gateway or WebSocket API: a `GLOB` for its id")
	flags.StringVar(&f.Path, "path", "", "only for this path of the gateway, or /STAGE: a `GLOB`")
	flags.StringVar(&f.Connection, "connection", "", "only for this connection: a `GLOB` for its id, or #2 for the second that is opened from now on")
	flags.StringVar(&f.Repository, "repository", "", "only for this repository: a `GLOB` for its name, as team/*")
	flags.StringVar(&f.Type, "type", "", "only for events of this type: a `GLOB`, as create-image-tag")
	flags.StringVar(&f.Event, "event", "", "only for this event: a `GLOB` for its id")
	flags.StringVar(&f.API, "api", "", "only for these calls: a `GLOB`, as dynamodb.PutItem or connections.*")
	flags.Float64Var(&f.Share, "share", 0, "a `SHARE` of what passes, 0 to 1 (default all)")
	flags.IntVar(&f.Next, "next", 0, "so many `TIMES`, then never again (default without end)")
	flags.IntVar(&f.After, "after", 0, "let the first `N` pass")
	flags.Uint64Var(&f.Seed, "seed", 0, "the same `SEED` chooses the same of them")
	flags.StringVar(&delay, "delay", "", "of close, drop and torn at the step connection: so long after it has opened, as `30s`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		f.Step, f.Action = emulator.FaultStep(args[0]), emulator.FaultAction(args[1])
		value := slices.Concat(args, []string{""})[2]
		switch f.Action {
		case emulator.FaultDelay, emulator.FaultLateDisconnect, emulator.FaultReorder:
			if value != "" && delay != "" {
				return usageError("fault add: got the time %s and --delay %s, want one of them", value, delay)
			}
			delay = value + delay
		default:
			if err := json.Unmarshal(fmt.Appendf(nil, "%q", value), &f.Code); err != nil {
				return usageError("fault add: %q: %w", value, err)
			}
		}
		if delay != "" {
			var err error
			if f.Delay, err = time.ParseDuration(delay); err != nil {
				return usageError("fault add: delay: got %q, want a time as 500ms or 2s", delay)
			}
		}
		if err := f.Check(); err != nil {
			return usageError("fault add: %w", err)
		}
		regcast, err := find()
		if err != nil {
			return err
		}
		body, err := json.Marshal(f)
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "POST", "/_regcast/faults", body)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var told struct{ Faults []emulator.Fault }
		if err := json.NewDecoder(res.Body).Decode(&told); err != nil || len(told.Faults) != 1 {
			return errors.Join(errors.New("fault add: the answer has no fault"), err)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), told.Faults[0].ID)
		return err
	}
	return c
}

func newFaultList(env environment) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the faults, and how often each has happened",
		Example: `  regcast fault list
  regcast fault list --json`,
		Args: cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "GET", "/_regcast/faults", nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if asJSON {
			_, err := io.Copy(cmd.OutOrStdout(), res.Body)
			return err
		}
		var told struct{ Faults []emulator.FaultInfo }
		if err := json.NewDecoder(res.Body).Decode(&told); err != nil {
			return fmt.Errorf("list: answer: %w", err)
		}
		return printFaults(cmd.OutOrStdout(), told.Faults)
	}
	return c
}

func printFaults(out io.Writer, faults []emulator.FaultInfo) error {
	if len(faults) == 0 {
		_, err := fmt.Fprintln(out, "no faults; `regcast fault add` adds one")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTEP\tACTION\tFOR\tWHEN\tSEEN\tINJECTED")
	for _, f := range faults {
		where := f.Where()
		if where == "" {
			where = "all"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", f.ID, f.Step, f.What(), where, faultWhen(f.Fault), f.Seen, f.Injected)
	}
	return w.Flush()
}

// faultWhen says which of what passes are chosen.
func faultWhen(f emulator.Fault) string {
	var parts []string
	if f.Share > 0 {
		parts = append(parts, fmt.Sprintf("%g of them", f.Share))
	}
	if f.Next > 0 {
		parts = append(parts, fmt.Sprintf("next %d", f.Next))
	}
	if f.After > 0 {
		parts = append(parts, fmt.Sprintf("after %d", f.After))
	}
	if len(parts) == 0 {
		return "always"
	}
	return strings.Join(parts, ", ")
}

func newFaultRemove(env environment) *cobra.Command {
	c := &cobra.Command{
		Use:     "remove ID…",
		Short:   "Remove faults; what they hold back goes on at once",
		Example: `  regcast fault remove f1 f2`,
		Args:    cobra.MinimumNArgs(1),
	}
	find := urlFlag(c, env)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		var errs []error
		for _, id := range args {
			res, err := regcast.do(cmd.Context(), "DELETE", "/_regcast/faults/"+url.PathEscape(id), nil)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			_ = res.Body.Close()
		}
		return errors.Join(errs...)
	}
	return c
}

func newFaultClear(env environment) *cobra.Command {
	c := &cobra.Command{
		Use:     "clear",
		Short:   "Remove all faults; what they hold back goes on at once",
		Example: `  regcast fault clear`,
		Args:    cobra.NoArgs,
	}
	find := urlFlag(c, env)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		regcast, err := find()
		if err != nil {
			return err
		}
		res, err := regcast.do(cmd.Context(), "DELETE", "/_regcast/faults", nil)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	return c
}
