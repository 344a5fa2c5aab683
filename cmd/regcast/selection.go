package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"
	"time"

	"github.com/itchyny/gojq"
	"github.com/spf13/pflag"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// lines are the lines of a recording.
type lines = iter.Seq2[recording.Line, error]

// selection says which lines of a recording are replayed, and what is changed in them.
type selection struct {
	from, to, filter string
	sets             []string

	left   int           // lines that the filter left out, so far
	failed int           // of those, lines that it could not be asked about
	reason error         // of the first of these
	change []*assignment // of sets
}

func (s *selection) add(flags *pflag.FlagSet, target *string) {
	flags.StringVar(&s.from, "from", "", "begin at a recorded `TIME`, or so long after the recording's beginning (10m)")
	flags.Var(&toFlag{&s.to, target}, "to", "end at a recorded `TIME`, or so long after the beginning; or send to a TARGET: http(s)://…, lambda:NAME[@REGION] (both can be given)")
	flags.StringVar(&s.filter, "filter", "", "replay only records for whose line this `JQ` yields something true")
	flags.StringArrayVar(&s.sets, "set", nil, "change every record: `PATH=VALUE`, as .record.changes[].registry_id=crpmine (repeatable)")
}

// toFlag is --to: where in the recording to end, and where to send what is replayed.
type toFlag struct{ end, target *string }

func (f *toFlag) String() string { return "" }
func (f *toFlag) Type() string   { return "TIME" }

// Set takes the one or the other, each once.
func (f *toFlag) Set(s string) error {
	into := f.end
	if isTarget(s) {
		into = f.target
	}
	if *into != "" {
		return fmt.Errorf("there is %s already", *into)
	}
	*into = s
	return nil
}

// of returns the chosen lines of a run: records, or else invocations, are asked about and changed, and every other line passes.
func (s *selection) of(run *recordedRun, invocations bool) (lines, error) {
	from, err := recordedMoment("--from", s.from, run.first)
	if err != nil {
		return nil, err
	}
	to, err := recordedMoment("--to", s.to, run.first)
	if err != nil {
		return nil, err
	}
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		return nil, usageError("--to: %s is before --from, %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	keep, err := compileJQ("--filter", s.filter)
	if err != nil {
		return nil, err
	}
	s.change = nil
	for _, set := range s.sets {
		a, err := newAssignment(set)
		if err != nil {
			return nil, err
		}
		s.change = append(s.change, a)
	}
	return func(yield func(recording.Line, error) bool) {
		for line, err := range run.since(from) {
			if err == nil {
				if !from.IsZero() && line.At.Before(from) {
					continue
				}
				if !to.IsZero() && line.At.After(to) {
					if run.foreign || line.Record == nil { // what others have recorded need not be in order
						continue
					}
					return
				}
				if line.Record != nil && !invocations || line.Invocation != nil && invocations {
					var ok bool
					if line, ok, err = s.apply(line, keep); err == nil && !ok {
						s.left++
						continue
					}
				}
			}
			if !yield(line, err) {
				return
			}
		}
	}, nil
}

// warn says what a person should know when all lines are read.
func (s *selection) warn(w io.Writer) {
	if s.failed > 0 {
		fmt.Fprintf(w, "regcast: --filter failed for %s, left out; the first time: %v\n", plural(int(s.failed), "line"), s.reason)
	}
	for i, a := range s.change {
		if a.asked && !a.touched {
			fmt.Fprintf(w, "regcast: --set %s has changed nothing: is the path right?\n", s.sets[i])
		}
	}
}

func recordedMoment(flag, s string, first time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return time.Time{}, usageError("%s: got %q, want a time such as 2026-01-02T15:04:05Z, or a duration from the beginning such as 10m", flag, s)
	}
	if first.IsZero() {
		return time.Time{}, usageError("%s: got %q: the beginning of this recording is not known; give a time", flag, s)
	}
	return first.Add(d), nil
}

func compileJQ(flag, src string) (*gojq.Code, error) {
	if src == "" {
		return nil, nil
	}
	q, err := gojq.Parse(src)
	if err != nil {
		return nil, usageError("%s: %q is no jq: %w", flag, src, err)
	}
	code, err := gojq.Compile(q)
	if err != nil {
		return nil, usageError("%s: %q: %w", flag, src, err)
	}
	return code, nil
}

// setForm is PATH=VALUE. A path is jq's: names, [3], [].
var setForm = regexp.MustCompile(`^\.?((?:[A-Za-z_][A-Za-z0-9_]*|\[[0-9]*\]|\["[^"]+"\])(?:\.?(?:[A-Za-z_][A-Za-z0-9_]*|\[[0-9]*\]|\["[^"]+"\]))*)=(.*)$`)

// setProgram makes jq of PATH=VALUE. A value that is no JSON is a string.
func setProgram(set string) (string, error) {
	m := setForm.FindStringSubmatch(set)
	if m == nil {
		return "", usageError("--set: got %q, want PATH=VALUE such as .record.changes[].registry_id=crpmine", set)
	}
	value := m[2]
	if !json.Valid([]byte(value)) {
		quoted, err := json.Marshal(value)
		if err != nil {
			return "", usageError("--set: %w", err)
		}
		value = string(quoted)
	}
	return "." + strings.TrimPrefix(m[1], ".") + " = " + value, nil
}

// assignment is a --set.
type assignment struct {
	code           *gojq.Code
	asked, touched bool // whether there was a line, and whether one became another
}

func newAssignment(set string) (*assignment, error) {
	program, err := setProgram(set)
	if err != nil {
		return nil, err
	}
	code, err := compileJQ("--set", program)
	return &assignment{code: code}, err
}

// to changes a line. What is read back is the line without what it has no place for.
func (a *assignment) to(value any, line recording.Line) (any, recording.Line, error) {
	a.asked = true
	next, _ := a.code.Run(value).Next()
	if err, failed := next.(error); failed {
		a.asked = false // the error says it
		return nil, line, fmt.Errorf("--set: line of %s: %w", line.At.Format(time.RFC3339Nano), err)
	}
	data, err := gojq.Marshal(next)
	if err != nil {
		return nil, line, err
	}
	var out recording.Line
	if err := json.Unmarshal(data, &out); err != nil {
		a.asked = false
		return nil, line, fmt.Errorf("--set: line of %s is no line of a recording any more: %w", line.At.Format(time.RFC3339Nano), err)
	}
	if !a.touched {
		was, err1 := canonical(line)
		is, err2 := canonical(out)
		a.touched = err1 != nil || err2 != nil || !bytes.Equal(was, is)
	}
	return next, out, nil
}

// canonical is what of a line counts, with its keys in one order.
func canonical(l recording.Line) ([]byte, error) {
	value, err := tree(struct {
		Record     *events.Record
		Invocation *recording.Invocation
	}{l.Record, l.Invocation})
	if err != nil {
		return nil, err
	}
	return gojq.Marshal(value)
}

// tree is a value as jq sees it.
func tree(v any) (out any, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a 64-bit number stays what it is
	err = d.Decode(&out)
	return out, err
}

// apply asks the filter and makes the changes. Where a change of the registry becomes another one, its events are worded anew; an event
// that stays as it is keeps its bytes.
func (s *selection) apply(line recording.Line, keep *gojq.Code) (recording.Line, bool, error) {
	if keep == nil && len(s.change) == 0 {
		return line, true, nil
	}
	value, err := tree(line)
	if err != nil {
		return line, false, err
	}
	if keep != nil {
		ok, err := holds(keep, value)
		if err != nil {
			if s.failed++; s.failed == 1 {
				s.reason = err
			}
		}
		if !ok {
			return line, false, nil
		}
	}
	out := line
	for _, a := range s.change {
		if value, out, err = a.to(value, out); err != nil {
			return line, false, err
		}
	}
	if len(s.change) == 0 || out.Record == nil || line.Record == nil {
		return out, true, nil
	}
	was, _ := json.Marshal(line.Record.Changes) // times and texts
	is, _ := json.Marshal(out.Record.Changes)
	if !bytes.Equal(was, is) {
		out.Record.Origin, out.Record.Events = "", nil
		return out, true, nil
	}
	for i := range out.Record.Events {
		if i < len(line.Record.Events) && sameJSON(out.Record.Events[i].Body, line.Record.Events[i].Body) {
			out.Record.Events[i].Body = line.Record.Events[i].Body
		}
	}
	return out, true, nil
}

func sameJSON(a, b json.RawMessage) bool {
	x, err1 := tree(a)
	y, err2 := tree(b)
	return err1 == nil && err2 == nil && gojq.Compare(x, y) == 0
}

// holds tells whether a filter yields anything true.
func holds(keep *gojq.Code, value any) (bool, error) {
	it := keep.Run(value)
	for {
		v, ok := it.Next()
		if !ok {
			return false, nil
		}
		if err, failed := v.(error); failed {
			return false, err
		}
		if v != nil && v != false {
			return true, nil
		}
	}
}
