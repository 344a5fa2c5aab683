package diff

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// kinds are in the order in which people want to know.
func kinds() []Kind {
	return []Kind{Input, Refused, Lost, Doubled, Extra, Changed, Reordered, Later, Closed, Failing, Fixed, Missing, Retried, Invoked, Output,
		Unfired, Fired, GivenUp, Kept, Waiting, Batch}
}

// Summary says it in a line.
func (r Report) Summary() string {
	var messages [2]int64
	sockets, functions := 0, 0
	for _, s := range r.Subjects {
		switch s.Kind {
		case "path":
			messages[0] += s.Messages[0]
			messages[1] += s.Messages[1]
		case "socket":
			sockets++
			messages[0] += s.Messages[0]
			messages[1] += s.Messages[1]
		case "function":
			functions++
		}
	}
	size := fmt.Sprintf("%s, %s, then %s, now %d", plural(sockets, "socket"), plural(functions, "function"),
		plural(int(messages[0]), "frame"), messages[1])
	if r.Same() {
		return "same: " + size
	}
	var counts []string
	for _, k := range kinds() {
		if n := r.Counts[k]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, k))
		}
	}
	return "different: " + strings.Join(counts, ", ") + " (" + size + ")"
}

// Text writes the report for a terminal, without colours.
func (r Report) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, r.Summary())
	for _, d := range r.Differences {
		fmt.Fprintln(out)
		d.text(out, true)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "\n%d more %s not listed\n", r.More, map[bool]string{true: "is", false: "are"}[r.More == 1])
	}
	for i, d := range r.Notes {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "note  %s  %s: %s\n", d.Kind, d.Where, d.Text)
	}
	return out.Flush()
}

// text writes a difference; titled: with its kind and where.
func (d Difference) text(w io.Writer, titled bool) {
	if titled {
		fmt.Fprintf(w, "%-9s  %s\n", d.Kind, d.Where)
	}
	indent := "           "
	if !titled {
		indent = ""
	}
	var about []string
	if d.Text != "" {
		about = append(about, d.Text)
	}
	if len(d.Events) > 0 {
		about = append(about, "events: "+strings.Join(d.Events, " "))
	}
	if d.Line != [2]int64{} {
		about = append(about, "lines: "+lineText(d.Line[0])+" → "+lineText(d.Line[1]))
	}
	for _, text := range about {
		fmt.Fprintf(w, "%s%s\n", indent, oneLine(text))
	}
	for _, detail := range d.Details {
		fmt.Fprintf(w, "%s%s\n", indent, oneLine(detail.text()))
	}
	if d.More > 0 {
		fmt.Fprintf(w, "%sand %s more\n", indent, plural(d.More, "place"))
	}
	if len(d.Details) > 0 {
		return // the documents stand in the JSON
	}
	if d.Want != "" && d.Want == d.Got {
		fmt.Fprintf(w, "%s  %s\n", indent, oneLine(d.Want))
		return
	}
	if d.Want != "" {
		fmt.Fprintf(w, "%s- %s\n", indent, oneLine(d.Want))
	}
	if d.Got != "" {
		fmt.Fprintf(w, "%s+ %s\n", indent, oneLine(d.Got))
	}
}

func (d Detail) text() string {
	var s string
	switch {
	case d.Want == "" && d.Got != "":
		s = d.Path + ": + " + d.Got
	case d.Got == "" && d.Want != "":
		s = d.Path + ": - " + d.Want
	default:
		s = d.Path + ": " + d.Want + " → " + d.Got
	}
	if d.Text != "" && d.Text != "new" && d.Text != "gone" {
		s += " (" + d.Text + ")"
	}
	return s
}

func lineText(n int64) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// oneLine keeps what a message holds from moving the terminal's cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			return '�'
		}
		return r
	}, s)
}

// JSON writes the report as one indented object, with "same" beside the fields of Report.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Same bool `json:"same"`
		Report
	}{r.Same(), r})
}

type testsuite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Cases    []testcase `xml:"testcase"`
	Output   string     `xml:"system-out,omitempty"`
}

type testcase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *failing `xml:"failure"`
}

type failing struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the report as JUnit's XML: a test case for each subject (a socket, a path, a function, a trigger, the input), failed with
// its differences. name is the suite's.
func (r Report) JUnit(w io.Writer, name string) error {
	listed := map[string][]Difference{}
	for _, d := range r.Differences {
		listed[d.Where] = append(listed[d.Where], d)
	}
	suite := testsuite{Name: name, Output: r.Summary()}
	for _, s := range r.Subjects {
		c := testcase{Class: s.Kind, Name: s.Name}
		if s.Differences > 0 {
			suite.Failures++
			var text strings.Builder
			f := &failing{Message: plural(s.Differences, "difference"), Type: "difference"}
			all := listed[s.String()]
			for i, d := range all {
				if i > 0 {
					text.WriteString("\n")
				} else {
					f.Type = string(d.Kind)
				}
				d.text(&text, true)
			}
			if n := s.Differences - len(all); n > 0 {
				fmt.Fprintf(&text, "%d more not listed\n", n)
			}
			f.Text = text.String()
			c.Failure = f
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return fmt.Errorf("diff: junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
