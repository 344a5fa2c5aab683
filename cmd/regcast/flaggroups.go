package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a heading of a command's help, and the flags below it in their order.
type flagGroup struct{ title, names string }

// upGroups are of the flags that up, exec, replay and shake share; of begins each title.
func upGroups(of string) []flagGroup {
	return []flagGroup{
		{of + "an AWS deployment", "template parameter-overrides config-env stack-name region"},
		{of + "Yandex Cloud", "trigger spec function function-env function-memory function-timeout container"},
		{of + "how it behaves", "frozen faults strict-auth allow-origin create-image-tag-field index-children lazy-ttl fragment-frames"},
		{of + "what is kept", "data record"},
		{of + "while you work on functions", "debug no-watch verbose"},
	}
}

// upCommandGroups and those below are each of the command of their name.
func upCommandGroups() []flagGroup {
	return append([]flagGroup{{"Where it listens, and what it prints", "addr json help"}}, upGroups("")...)
}

func execGroups() []flagGroup {
	return append([]flagGroup{{"When the command has ended", "report report-always help"}}, upGroups("")...)
}

func replayGroups() []flagGroup {
	return append([]flagGroup{
		{"Where to", "url fresh diff"},
		{"What", "from to filter set again"},
		{"Time", "speed step virtual shift-time"},
		{"Output", "json quiet help"},
		{"Comparison, with --diff", "accept format output ignore volatile later"},
		{"Elsewhere, with --to TARGET", "as batch batches-of inputs-of header invoke-type retry timeout yes"},
		{"A fresh emulator, with --fresh or --diff: clients", "client-header client-secret"},
	}, upGroups("A fresh emulator: ")...)
}

func shakeGroups() []flagGroup {
	return append([]flagGroup{
		{"The search", "budget pairs seed linger whole"},
		{"Output", "output json force help"},
		{"Clients", "client-header client-secret"},
	}, slices.DeleteFunc(upGroups("What is shaken: "), func(g flagGroup) bool { return g.names == "data record" })...)
}

// groupFlags has the help of a command with many flags say them in groups. One that is in none comes last.
func groupFlags(c *cobra.Command, groups []flagGroup) {
	c.SetUsageFunc(func(c *cobra.Command) error {
		var b strings.Builder
		fmt.Fprintf(&b, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
		left := pflag.NewFlagSet("", pflag.ContinueOnError)
		left.AddFlagSet(c.LocalFlags())
		for _, g := range append(groups, flagGroup{"Other flags", ""}) {
			of := pflag.NewFlagSet("", pflag.ContinueOnError)
			of.SortFlags = false
			for _, name := range strings.Fields(g.names) {
				if f := left.Lookup(name); f != nil {
					of.AddFlag(f)
				}
			}
			left = without(left, of)
			if g.names == "" {
				of = left
			}
			if of.HasAvailableFlags() {
				fmt.Fprintf(&b, "\n%s:\n%s", strings.ToUpper(g.title[:1])+g.title[1:], of.FlagUsages())
			}
		}
		_, err := fmt.Fprint(c.OutOrStderr(), b.String())
		return err
	})
}

// misplaced says which flag would have no effect on this way of replaying. What --to TARGET takes is checked before.
func (f *replayFlags) misplaced(flags *pflag.FlagSet) error {
	given := func(title string) string {
		for _, g := range replayGroups() {
			for _, name := range strings.Fields(g.names) {
				if strings.HasPrefix(g.title, title) && flags.Changed(name) {
					return name
				}
			}
		}
		return ""
	}
	if name := given("Comparison"); name != "" && !f.rerun.diff {
		return usageError("--%s is for a comparison: give --diff too", name)
	}
	if !f.rerun.own() {
		if name := given("A fresh emulator"); name != "" {
			return usageError("--%s is for an emulator of this replay's own: give --fresh or --diff too; a running one has been told what it is", name)
		}
		return nil
	}
	for _, name := range []string{"url", "again", "step", "virtual", "shift-time"} {
		if flags.Changed(name) {
			return usageError("--%s is for a running emulator: not with --fresh or --diff", name)
		}
	}
	return nil
}

// without are the flags that are not in another set.
func without(all, some *pflag.FlagSet) *pflag.FlagSet {
	left := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		if some.Lookup(f.Name) == nil {
			left.AddFlag(f)
		}
	})
	return left
}
