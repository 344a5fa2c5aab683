package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/regcast/regcast/recording/diff"
)

// exitDifferent is what `regcast diff` exits with when the runs differ. Any error is exitUsage, so that it is never taken for that.
const exitDifferent = 1

func newDiff() *cobra.Command {
	o := diff.Options{}
	var format, file string
	c := &cobra.Command{
		Use:   "diff WANT GOT",
		Short: "Say what a user would notice between two recordings",
		Long: `Say what a user would notice between two recordings: frames that changed, were lost, came twice, in another order or later, sockets
that were closed otherwise, functions that fail now, events that did not fire. Ids and times may differ from run to run, as long as they
do so in the same way everywhere. It exits with 0 when the runs are the same, with 1 when they differ, with 2 when it could not compare.`,
		Example: `  regcast diff golden.regcast.jsonl today.regcast.jsonl
  regcast diff golden.regcast.jsonl today.regcast.jsonl --format junit -o diff.xml
  regcast diff A B --ignore .messages[].details.note --volatile ..ticket --later 5s`,
		Args: cobra.ExactArgs(2),
	}
	c.Flags().StringVar(&format, "format", "text", "`text|json|junit`")
	c.Flags().StringVarP(&file, "output", "o", "", "write the report to `FILE`, over one that is there, and one line to the terminal")
	c.Flags().StringArrayVar(&o.Ignore, "ignore", nil, "a path into messages and answers that is not compared, as jq writes it (.a.b[0], .a[].b, ..c); may be repeated")
	c.Flags().StringArrayVar(&o.Volatile, "volatile", nil, "a path to values that are ids, whatever they look like; may be repeated")
	c.Flags().DurationVar(&o.Later, "later", time.Second, "how much later than before a frame may come, in house time; a tenth of what it took is allowed anyhow")
	c.Flags().IntVar(&o.Limit, "limit", 100, "how many differences to list; the rest is counted")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case format != "text" && format != "json" && format != "junit":
			return usageError("diff: --format %q: want text, json or junit", format)
		case o.Later <= 0:
			return usageError("diff: --later %v: want a duration above 0, such as 500ms", o.Later)
		case o.Limit <= 0:
			return usageError("diff: --limit %d: want a number above 0", o.Limit)
		}
		r, err := compare(args[0], args[1], o)
		if err != nil {
			return exitError{exitUsage, err}
		}
		if err := writeDiff(cmd.OutOrStdout(), r, format, file, filepath.Base(args[0])); err != nil {
			return exitError{exitUsage, fmt.Errorf("diff: %w", err)}
		}
		if !r.Same() {
			return exitError{code: exitDifferent}
		}
		return nil
	}
	return c
}

// compare opens two recordings and compares them.
func compare(want, got string, o diff.Options) (r diff.Report, err error) {
	a, err := openSeek(want)
	if err != nil {
		return diff.Report{}, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := openSeek(got)
	if err != nil {
		return diff.Report{}, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return diff.Compare(a, b, o)
}

// writeDiff writes a report to out, or to a file and its summary to out. name is JUnit's for the whole.
func writeDiff(out io.Writer, r diff.Report, format, file, name string) error {
	if file == "" {
		return formatDiff(out, r, format, name)
	}
	if err := writeWhole(file, modeReport, func(w io.Writer) error { return formatDiff(w, r, format, name) }); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, r.Summary())
	return err
}

func formatDiff(w io.Writer, r diff.Report, format, name string) error {
	switch format {
	case "json":
		return r.JSON(w)
	case "junit":
		return r.JUnit(w, name)
	}
	return r.Text(w)
}
