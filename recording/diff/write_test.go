package diff_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// written is a report with one of each: listed, not listed, and a message that would move a terminal's cursor.
func written(t *testing.T) diff.Report {
	t.Helper()
	want, got := newRun("a", start).open("c1", "").open("c2", ""), newRun("a", start).open("c1", "").open("c2", "")
	want.push("e1", "v").send("c1", "e1", "v1").frame("c1", "\x1b[2J<&>").frame("c1", `{"last":true}`)
	got.push("e1", "v").send("c1", "e1", "v2").call("f", "e1", "null", "")
	return compare(t, want, got, diff.Options{Limit: 2})
}

func TestText(t *testing.T) {
	is := is.New(t)
	var out strings.Builder
	is.NoErr(written(t).Text(&out))
	is.Equal(out.String(), `different: 2 lost, 1 changed, 1 retried (2 sockets, 1 function, then 3 frames, now 1)

changed    socket gw /ws #1
           events: crpae100000000
           lines: 4 → 4
           .details.tag: "v1" → "v2"

lost       socket gw /ws #1
           it does not come now
           lines: 5 → none
           - �[2J<&>

2 more are not listed
`)
	same := newRun("a", start).open("c1", "")
	out.Reset()
	is.NoErr(compare(t, same, same, diff.Options{}).Text(&out))
	is.Equal(out.String(), "same: 1 socket, 0 functions, then 0 frames, now 0\n")
}

func TestJSON(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	r := written(t)
	is.NoErr(r.JSON(&out))
	var back struct {
		Same *bool `json:"same"`
		diff.Report
	}
	is.NoErr(json.Unmarshal(out.Bytes(), &back))
	is.Equal(*back.Same, false)
	is.Equal(back.Report, r)
}

func TestJUnit(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	is.NoErr(written(t).JUnit(&out, "golden <1>"))
	var suite struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Cases    []struct {
			Class   string `xml:"classname,attr"`
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
		} `xml:"testcase"`
	}
	is.NoErr(xml.Unmarshal(out.Bytes(), &suite))
	is.Equal(suite.Name, "golden <1>")
	is.Equal(suite.Tests, len(suite.Cases))
	is.Equal(suite.Failures, 2)
	failures := map[string]string{}
	for _, c := range suite.Cases {
		text := ""
		if c.Failure != nil {
			text = c.Failure.Message + "\n" + c.Failure.Text
		}
		failures[c.Class+" "+c.Name] = text
	}
	is.Equal(len(failures), 5) // two sockets, their path, the function, the input
	is.Equal(failures["socket gw /ws #2"], "")
	is.True(strings.HasPrefix(failures["socket gw /ws #1"], "3 differences\nchanged    socket gw /ws #1\n"))
	is.True(strings.HasSuffix(failures["socket gw /ws #1"], "1 more not listed\n"))
	is.Equal(failures["function f"], "1 difference\n1 more not listed\n")
}

// A recording that is torn off is compared as far as it goes, and the report says so.
func TestTornRecording(t *testing.T) {
	is := is.New(t)
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{Format: recording.Format, Version: recording.Version, Now: start})
	is.NoErr(err)
	x := newRun("a", start).open("c1", "").push("e1", "v").send("c1", "e1", "v")
	for _, l := range x.lines {
		is.NoErr(w.Write(l))
	}
	is.NoErr(w.End(start))
	is.NoErr(w.Close())
	whole := file.Bytes()
	open := func(data []byte) *recording.Reader {
		r, err := recording.NewReader(bytes.NewReader(data))
		is.NoErr(err)
		return r
	}
	is.True(compare(t, open(whole), open(whole), diff.Options{}).Same())
	torn := whole[:bytes.LastIndex(bytes.TrimSpace(whole), []byte("\n"))-10]
	r := compare(t, open(whole), open(torn), diff.Options{})
	is.Equal(findings(r), []string{"lost @ socket gw /ws #1: it does not come now"})
	is.Equal(len(r.Notes), 1)
	is.Equal(r.Notes[0].Kind, diff.Unreadable)

	_, err = diff.Compare(open(whole), broken{open(whole)}, diff.Options{})
	is.True(errors.Is(err, io.ErrUnexpectedEOF)) // what is no line's fault ends it
}

// broken is a source whose disk fails.
type broken struct{ diff.Source }

func (b broken) Lines() iter.Seq2[recording.Line, error] {
	return func(yield func(recording.Line, error) bool) { yield(recording.Line{}, io.ErrUnexpectedEOF) }
}

// More may be lost than is kept waiting: the oldest is given up first, and nothing is counted twice.
func TestWhatWaitsIsBounded(t *testing.T) {
	is := is.New(t)
	want, got := newRun("a", start).open("c1", ""), newRun("a", start).open("c1", "")
	text := strings.Repeat("-", 280_000)
	for range 250 { // 70 MB
		want.frame("c1", text)
	}
	r := compare(t, want, got, diff.Options{})
	is.Equal(r.Counts, map[diff.Kind]int{diff.Lost: 250})
}
