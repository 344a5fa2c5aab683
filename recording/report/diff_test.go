package report_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"golang.org/x/net/html"

	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
	"github.com/regcast/regcast/recording/report"
)

func diffPage(t *testing.T, want, got diff.Source, o report.DiffOptions) (document, diff.Report) {
	t.Helper()
	is := is.New(t)
	d, err := diff.Compare(want, got, diff.Options{})
	is.NoErr(err)
	var out bytes.Buffer
	is.NoErr(report.WriteDiff(&out, d, o))
	return parse(t, out.String()), d
}

func TestDifferencesAreShown(t *testing.T) {
	is := is.New(t)
	got := write(12)
	// One broadcast does not come any more, another says something else.
	frames := 0
	got.lines = slices.DeleteFunc(slices.Clone(got.lines), func(l recording.Line) bool {
		if l.Frame == nil || l.Frame.In || l.Frame.Connection != "" {
			return false
		}
		frames++
		return frames == 3
	})
	frames = 0
	for i, l := range got.lines {
		if l.Frame != nil && !l.Frame.In && l.Frame.Connection == "" {
			if frames++; frames == 5 {
				changed := *l.Frame
				changed.Data = recording.Payload(strings.Replace(string(changed.Data), "team/app", "team/other<b>", 1))
				got.lines[i].Frame = &changed
			}
		}
	}
	d, r := diffPage(t, write(12), got, report.DiffOptions{Want: "golden.jsonl", Got: "today.jsonl"})
	is.True(!r.Same())
	shown := d.all(func(n *html.Node) bool { return n.Data == "details" && strings.HasPrefix(attr(n, "id"), "difference-") })
	is.Equal(len(shown), len(r.Differences))
	is.Equal(words(d.elements("h1")[0]), "golden.jsonl → today.jsonl")
	is.Equal(attr(d.byID(t, "summary"), "class"), "loud")
	is.True(strings.Contains(words(d.byID(t, "summary")), "lost 1 a message that came then does not come now"))
	is.True(strings.Contains(words(d.byID(t, "differences")), "team/other<b>"))
	is.Equal(len(d.elements("b")), 0)
	is.True(strings.Contains(words(d.byID(t, "subjects")), "function Broadcast 12 12 0"))
}

func TestNoDifferences(t *testing.T) {
	is := is.New(t)
	d, r := diffPage(t, write(6), write(6), report.DiffOptions{})
	is.True(r.Same())
	is.Equal(words(d.byID(t, "summary")), "The same: there is nothing that a user would notice")
	is.Equal(words(d.elements("h1")[0]), "then → now")
}

func TestNothingFromAComparisonIsMarkup(t *testing.T) {
	for _, h := range hostile {
		is := is.New(t)
		differs := diff.Difference{Kind: diff.Kind(h), Where: h, Events: []string{h}, Text: h, Want: h, Got: h, Details: []diff.Detail{{Path: h, Want: h, Got: h, Text: h}}}
		var out bytes.Buffer
		is.NoErr(report.WriteDiff(&out, diff.Report{
			Differences: []diff.Difference{differs}, Counts: map[diff.Kind]int{diff.Kind(h): 1}, More: 3, Notes: []diff.Difference{differs},
			Subjects: []diff.Subject{{Kind: h, Name: h, Differences: 1}},
		}, report.DiffOptions{Want: h, Got: h, Note: h}))
		d := parse(t, out.String())
		for tag, want := range map[string]int{"script": 1, "style": 1, "h1": 1, "main": 1, "img": 0, "base": 0, "svg": 0} {
			is.Equal(len(d.elements(tag)), want)
		}
		for _, n := range d.all(func(*html.Node) bool { return true }) {
			for _, a := range n.Attr {
				is.True(!strings.HasPrefix(a.Key, "on") && (a.Key != "href" || strings.HasPrefix(a.Val, "#")))
			}
		}
		is.True(strings.Contains(words(d.byID(t, "differences")), "3 differences are left out."))
	}
	is := is.New(t)
	full := errors.New("no space left on device")
	is.True(errors.Is(report.WriteDiff(fullDisk{full}, diff.Report{}, report.DiffOptions{}), full))
}
