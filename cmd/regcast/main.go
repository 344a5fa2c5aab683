// Command regcast runs the emulator (`regcast up`) and talks to a running one: every other command is a client of its HTTP API.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/regcast/regcast/emulator"
)

// Exit codes, as `regcast --help` states them.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitTimeout = 3
)

const exitCodes = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 timed out (listen, quiet). exec returns the exit code of its command."

// exitError carries the exit code of an error that is not plain failure. A nil error means that all is said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], environment{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
	}))
}

// environment is what a command takes from outside its arguments.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

func run(ctx context.Context, args []string, env environment) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitFailed
	if errors.Is(err, emulator.ErrNoFunction) {
		code = exitUsage // of --debug
	}
	var exit exitError
	if errors.As(err, &exit) {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	fmt.Fprintf(env.stderr, "regcast: %v\n", err)
	return code
}

func newRoot(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "regcast",
		Short: "From a container registry's push to a WebSocket frame, on your machine",
		Long: `regcast emulates the chain registry event → trigger → WebSocket connections in one process on one port:
a real OCI registry, triggers, and the WebSocket gateway. No Docker engine, no account, no configuration.`,
		Example: `  regcast up                                # start; then, in other terminals:
  regcast listen                            # print every frame
  docker push localhost:8080/ubuntu:22.04   # or crane, regctl, oras, …
  regcast yc serverless trigger list        # Yandex Cloud's commands`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%s: %w; see `%s --help`", strings.TrimPrefix(cmd.CommandPath(), "regcast "), worded(err), cmd.CommandPath())
	})
	root.AddCommand(
		newUp(env), newExec(env), newListen(env), newEmit(env),
		newTrace(env), newExplain(env), newDiff(), newJournal(env),
		newRecord(env), newReplay(env), newShake(env), newReport(env), newInspect(env), newCapture(), newFault(env), newClock(env), newQuiet(env),
		newCA(env), newYC(env), newVersion(),
	)
	for _, c := range append(root.Commands(), root) {
		wrapArgs(c)
		if c.Name() != "yc" && c != root { // those have their own ways
			for _, below := range c.Commands() {
				wrapArgs(below)
				below.Long = cmp.Or(below.Long, below.Short+".") + "\n\n" + exitCodes
			}
		}
		// Not by cobra's usage template: text/template would be linked, and with it all that reflection might call, 3.5 MB.
		c.Long = cmp.Or(c.Long, c.Short+".") + "\n\n" + exitCodes
	}
	return root
}

// worded says what a flag takes, where Go's own parsers say what they have met.
func worded(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want := map[string]string{
		"duration": "a duration such as 90s, 10m or 1h30m", "bool": "true or false",
		"int": "a whole number", "uint64": "a whole number, 0 or more", "float64": "a number",
	}[bad.GetFlag().Value.Type()]
	if want == "" {
		return err
	}
	return fmt.Errorf("--%s: got %q, want %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// wrapArgs makes wrong arguments a usage error, as wrong flags are.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	c.Args = func(cmd *cobra.Command, args []string) error {
		var said exitError
		if err := check(cmd, args); errors.As(err, &said) {
			return err
		} else if err != nil {
			return usageError("%s: %w; see `%s --help`", strings.TrimPrefix(cmd.UseLine(), "regcast "), err, cmd.CommandPath())
		}
		return nil
	}
}
