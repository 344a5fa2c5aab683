package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is one line of the table. What is nil was not measured or has no target.
type row struct {
	Figure    string  `json:"figure"`
	Unit      string  `json:"unit"`
	Yardstick *spread `json:"yardstick,omitempty"`
	Ours      *spread `json:"ours,omitempty"`
	Ratio     *spread `json:"ratio,omitempty"`
	Target    *target `json:"target,omitempty"`
	Note      string  `json:"note,omitempty"`
}

// target is the least or the most that a figure may be.
type target struct {
	AtMost bool    `json:"at_most"`
	Ratio  bool    `json:"ratio"` // it limits the ratio, not the figure
	Limit  float64 `json:"limit"`
}

func atMost(limit float64) *target       { return &target{AtMost: true, Limit: limit} }
func atLeast(limit float64) *target      { return &target{Limit: limit} }
func atMostTimes(limit float64) *target  { return &target{AtMost: true, Ratio: true, Limit: limit} }
func atLeastTimes(limit float64) *target { return &target{Ratio: true, Limit: limit} }

// met tells whether the median keeps the target; known is false when there is nothing to tell.
func (r row) met() (met, known bool) {
	if r.Target == nil {
		return false, false
	}
	s := r.Ours
	if r.Target.Ratio {
		s = r.Ratio
	}
	if s == nil {
		return false, true // not measured is not met
	}
	if r.Target.AtMost {
		return s.Median <= r.Target.Limit, true
	}
	return s.Median >= r.Target.Limit, true
}

// MarshalJSON adds whether the target is met.
func (r row) MarshalJSON() ([]byte, error) {
	type plain row
	out := struct {
		plain
		Met *bool `json:"met,omitempty"`
	}{plain: plain(r)}
	if met, known := r.met(); known {
		out.Met = &met
	}
	return json.Marshal(out)
}

// report is one run of the harness.
type report struct {
	At      time.Time  `json:"at"`
	Regcast string     `json:"regcast"` // its version
	Machine string     `json:"machine"`
	Disk    string     `json:"disk"`
	Load    [2]float64 `json:"load"` // of the machine in the minute before the run and before its end
	Rows    []row      `json:"figures"`
}

// print writes the table, and below it what the figures need to be read right.
func (r report) print(w io.Writer) error {
	fmt.Fprintf(w, "regcast %s, %s, disk %s, %s, load %.2f before, %.2f at the end\n",
		r.Regcast, r.Machine, r.Disk, r.At.UTC().Format("2006-01-02 15:04 MST"), r.Load[0], r.Load[1])
	fmt.Fprint(w, "median of the rounds (least … greatest); KB = 1,000 bytes, MB = 1,000,000\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tyardstick\tours\tratio\ttarget\tmet")
	var notes []string
	for _, line := range r.Rows {
		name := line.Figure
		if line.Note != "" {
			notes = append(notes, line.Note)
			name = fmt.Sprintf("%s [%d]", name, len(notes))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", name, line.Yardstick.in(line.Unit), line.Ours.in(line.Unit), line.Ratio.in("×"),
			line.target(), line.verdict())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(notes) > 0 {
		fmt.Fprintln(w)
	}
	for i, note := range notes {
		fmt.Fprintf(w, "[%d] %s\n", i+1, note)
	}
	return nil
}

func (r row) target() string {
	switch t := r.Target; {
	case t == nil:
		return "–"
	case t.Ratio:
		return t.sign() + number(t.Limit) + " ×"
	default:
		return t.sign() + number(t.Limit) + " " + r.Unit
	}
}

func (t *target) sign() string {
	if t.AtMost {
		return "≤ "
	}
	return "≥ "
}

func (r row) verdict() string {
	switch met, known := r.met(); {
	case !known:
		return "–"
	case met:
		return "yes"
	default:
		return "NO"
	}
}

// in is a cell: the median and, when the rounds differ, the least and the greatest.
func (s *spread) in(unit string) string {
	if s == nil {
		return "–"
	}
	if s.Min == s.Max {
		return number(s.Median) + " " + unit
	}
	return fmt.Sprintf("%s %s (%s … %s)", number(s.Median), unit, number(s.Min), number(s.Max))
}

// number writes about three digits, and thousands with commas.
func number(v float64) string {
	if v < 0 {
		return "-" + number(-v)
	}
	switch {
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
