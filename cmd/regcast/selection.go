package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"time"

	"github.com/itchyny/gojq"
	"github.com/spf13/pflag"

	"github.com/regcast/regcast/recording"
)

// lines are the lines of a recording.
type lines = iter.Seq2[recording.Line, error]

// selection says which lines of a recording are replayed, and what is changed in them.
type selection struct {
	from, to, filter string
	sets             []string
}

func (s *selection) add(flags *pflag.FlagSet) {
	flags.StringVar(&s.from, "from", "", "begin at a recorded `TIME`, or so long after the recording's beginning (10m)")
	flags.StringVar(&s.to, "to", "", "end at a recorded `TIME`, or so long after the beginning")
	flags.StringVar(&s.filter, "filter", "", "replay only records for whose line this `JQ` yields something true")
	flags.StringArrayVar(&s.sets, "set", nil, "change every record: `PATH=VALUE`, as .record.changes[].registry_id=crpmine (repeatable)")
}

// lines returns the chosen lines of a run. Its beginning is needed for offsets.
func (s *selection) lines(of lines, first time.Time) (lines, error) {
	from, err := recordedMoment("--from", s.from, first)
	if err != nil {
		return nil, err
	}
	to, err := recordedMoment("--to", s.to, first)
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
	var changes []*gojq.Code
	for _, set := range s.sets {
		program, err := setProgram(set)
		if err != nil {
			return nil, err
		}
		code, err := compileJQ("--set", program)
		if err != nil {
			return nil, err
		}
		changes = append(changes, code)
	}
	return func(yield func(recording.Line, error) bool) {
		for line, err := range of {
			if err == nil {
				if !from.IsZero() && line.At.Before(from) {
					continue
				}
				if !to.IsZero() && line.At.After(to) {
					if line.Record == nil {
						continue
					}
					return
				}
				if line.Record != nil {
					var ok bool
					if line, ok, err = apply(line, keep, changes); err == nil && !ok {
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

// apply asks the filter and makes the changes. Where a change of the registry becomes another one, its events are worded anew.
func apply(line recording.Line, keep *gojq.Code, changes []*gojq.Code) (recording.Line, bool, error) {
	if keep == nil && len(changes) == 0 {
		return line, true, nil
	}
	data, err := json.Marshal(line)
	if err != nil {
		return line, false, err
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a 64-bit number stays what it is
	if err := d.Decode(&value); err != nil {
		return line, false, err
	}
	if keep != nil {
		ok, err := holds(keep, value)
		if err != nil || !ok {
			return line, false, err
		}
	}
	for _, code := range changes {
		it := code.Run(value)
		next, ok := it.Next()
		if err, failed := next.(error); failed {
			return line, false, fmt.Errorf("--set: line %d: %w", line.Seq, err)
		}
		if ok {
			value = next
		}
	}
	if len(changes) == 0 {
		return line, true, nil
	}
	if data, err = gojq.Marshal(value); err != nil {
		return line, false, err
	}
	var out recording.Line
	if err := json.Unmarshal(data, &out); err != nil {
		return line, false, fmt.Errorf("--set: line %d is no line of a recording any more: %w", line.Seq, err)
	}
	if out.Record != nil && line.Record != nil {
		was, _ := json.Marshal(line.Record.Changes)
		is, _ := json.Marshal(out.Record.Changes)
		if !bytes.Equal(was, is) {
			out.Record.Origin, out.Record.Events = "", nil
		}
	}
	return out, true, nil
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
			return false, fmt.Errorf("--filter: %w", err)
		}
		if v != nil && v != false {
			return true, nil
		}
	}
}
