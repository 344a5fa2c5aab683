package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/spf13/pflag"
)

// Where flags are in groups, each is in one: a new one is not forgotten, and an old one leaves none behind.
func TestEveryFlagIsInOneGroup(t *testing.T) {
	for name, groups := range map[string][]flagGroup{"up": upCommandGroups(), "exec": execGroups(), "replay": replayGroups(), "shake": shakeGroups()} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var help strings.Builder
			env := environment{stdout: &help, stderr: &help, getenv: func(string) string { return "" }}
			is.Equal(run(t.Context(), []string{name, "--help"}, env), 0)
			var want, grouped, shown []string
			c, _, err := newRoot(env).Find([]string{name})
			is.NoErr(err)
			c.InitDefaultHelpFlag()
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					want = append(want, f.Name)
				}
			})
			for _, g := range groups {
				grouped = append(grouped, strings.Fields(g.names)...)
				is.True(strings.Contains(help.String(), "\n"+strings.ToUpper(g.title[:1])+g.title[1:]+":\n"))
			}
			for _, m := range regexp.MustCompile(`(?m)^ {2,6}(?:-\w, )?--([a-z-]+)`).FindAllStringSubmatch(help.String(), -1) {
				shown = append(shown, m[1])
			}
			is.Equal(fmt.Sprint(shown), fmt.Sprint(grouped))
			slices.Sort(grouped)
			is.Equal(fmt.Sprint(grouped), fmt.Sprint(want)) // else name it in flaggroups.go
		})
	}
}
