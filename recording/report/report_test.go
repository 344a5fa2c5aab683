package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"golang.org/x/net/html"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/report"
)

// document is a page, parsed as browsers do.
type document struct {
	source string
	root   *html.Node
}

func parse(t *testing.T, source string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	is.New(t).NoErr(err)
	return document{source, root}
}

func page(t *testing.T, r report.Source, o report.Options) document {
	t.Helper()
	var out bytes.Buffer
	is.New(t).NoErr(report.Write(&out, r, o))
	return parse(t, out.String())
}

// all are the elements that a test wants.
func (d document) all(want func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && want(n) {
			out = append(out, n)
		}
	}
	return out
}

func (d document) elements(tag string) []*html.Node {
	return d.all(func(n *html.Node) bool { return n.Data == tag })
}

func (d document) classed(class string) []*html.Node {
	return d.all(func(n *html.Node) bool { return strings.Contains(" "+attr(n, "class")+" ", " "+class+" ") })
}

// byID fails the test when there is not exactly one.
func (d document) byID(t *testing.T, id string) *html.Node {
	t.Helper()
	found := d.all(func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		t.Fatalf("%d elements have the id %q", len(found), id)
	}
	return found[0]
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// words are what is read, with its white space made one.
func words(n *html.Node) string {
	var all []string
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			all = append(all, strings.Fields(c.Data)...)
		}
	}
	return strings.Join(all, " ")
}

func TestEveryEventHasItsPlaceAndEveryLinkLeadsSomewhere(t *testing.T) {
	is := is.New(t)
	r := write(40)
	d := page(t, r, report.Options{Name: "nightly.regcast.jsonl", Note: "go test ended with exit code 1"})
	ids := map[string]int{}
	for _, n := range d.all(func(n *html.Node) bool { return attr(n, "id") != "" }) {
		ids[attr(n, "id")]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("the id %q is there %d times", id, n)
		}
	}
	published := 0
	for _, line := range r.lines {
		if line.Record != nil {
			for _, e := range line.Record.Events {
				published++
				is.Equal(ids["event-"+e.ID], 1) // the event has an anchor
			}
		}
	}
	is.Equal(published, 80)
	is.Equal(len(d.classed("left-out")), 0)
	links := d.elements("a")
	is.True(len(links) > 200)
	for _, a := range links {
		id, ok := strings.CutPrefix(attr(a, "href"), "#")
		is.True(ok) // every link stays on the page
		id, err := url.PathUnescape(id)
		is.NoErr(err)
		if ids[id] != 1 {
			t.Errorf("a link leads to %q, which is not there", id)
		}
	}
	is.True(strings.Contains(words(d.root), "go test ended with exit code 1"))
}

func TestWalkOfAnEvent(t *testing.T) {
	is := is.New(t)
	d := page(t, write(8), report.Options{})
	lost := words(d.byID(t, "event-crpevent000000000007"))
	at := 0
	for _, what := range []string{
		"1 loss", "1 fault", "published yandex from registry, as entry", "matched wanted by on-push", "waiting on-push 1 of 10", "100 ms",
		"batched on-push 1 event", "fault on-push dropped on purpose", "lost on-push given up after 3 attempts: the function answered 500 31.5 ms",
		`"image_digest": "sha256:`,
	} {
		i := strings.Index(lost[at:], what)
		if i < 0 {
			t.Fatalf("%q is not there, or not in its turn: %s", what, lost)
		}
		at += i
	}
	// A function has sent these before it was known what it worked on.
	function := words(d.byID(t, "event-00000002-0000-4000-8000-000000000002"))
	is.True(strings.Contains(function, "to 3 sockets"))
	is.True(strings.Contains(function, "invoked Broadcast invocation 3"))
	is.True(strings.Contains(function, "sent api1234567/prod frame"))
	is.Equal(attr(d.byID(t, "event-crpevent000000000007"), "data-state"), "lost fault")
	is.Equal(attr(d.byID(t, "event-crpevent000000000005"), "data-state"), "unmatched")
	is.Equal(attr(d.byID(t, "event-crpevent000000000006"), "data-state"), "calm")
}

func TestLossesComeFirst(t *testing.T) {
	is := is.New(t)
	d := page(t, write(40), report.Options{})
	main := d.byID(t, "main")
	var first *html.Node
	for n := range main.ChildNodes() {
		if n.Type == html.ElementNode {
			first = n
			break
		}
	}
	is.Equal(attr(first, "id"), "troubles")
	is.Equal(attr(first, "class"), "loud")
	is.True(strings.HasPrefix(words(first), "2 losses, 2 errors, 2 injected faults"))
	is.True(strings.Contains(words(first), "given up after 3 attempts"))
	is.True(strings.Contains(words(first), "Unhandled: dynamodb: no such table: wishes"))
	is.True(strings.Contains(words(first), "was not taken: gone"))

	calm := words(page(t, write(4), report.Options{}).byID(t, "troubles"))
	is.Equal(calm, "Nothing was lost, nothing failed")
}

func TestFigures(t *testing.T) {
	is := is.New(t)
	d := page(t, write(40), report.Options{})
	figures := words(d.classed("figures")[0])
	// 40 pushes, of which 3 found no trigger and 2 were lost; each posted thrice, once in vain.
	is.Equal(figures, "Events 80 3 nobody wanted Batches 37 of 1.0 events Deliveries 35 Invocations 40 1 cold "+
		"Frames sent 155 399 times taken Received 8 from clients Sockets 8 8 at once")
	sockets := d.byID(t, "sockets")
	is.True(strings.Contains(words(sockets), "1006 · connection reset by peer"))
	for _, row := range d.all(func(n *html.Node) bool { return n.Data == "tr" && strings.HasPrefix(words(n), "conn") }) {
		want := " 35 " // each broadcast went to all that were open
		if strings.HasPrefix(words(row), "conn03") {
			want = " 12 "
		}
		is.True(strings.Contains(words(row), want))
	}
}

// hostile is put wherever a recording has text.
var hostile = []string{
	`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</pre></details></section><h1>own</h1>`,
	`javascript:alert(1)`, `<!--`, `]]>`, `</style><style>*{display:none}`, `&lt;b&gt;`, `{}{}`, "\x00\x1b[2J\u202egnp.exe", `</title><base href=//evil>`, `<svg/onload=alert(1)>`,
}

func TestNothingFromTheRecordingIsMarkup(t *testing.T) {
	for _, h := range hostile {
		is := is.New(t)
		d := page(t, poisoned(h), report.Options{Name: h, Note: h, Only: nil})
		is.Equal(len(d.elements("script")), 1)
		is.Equal(len(d.elements("style")), 1)
		is.Equal(len(d.elements("h1")), 1)
		is.Equal(len(d.elements("img"))+len(d.elements("base"))+len(d.elements("iframe"))+len(d.elements("link")), 0)
		for _, n := range d.all(func(*html.Node) bool { return true }) {
			for _, a := range n.Attr {
				is.True(!strings.HasPrefix(a.Key, "on"))                         // no handlers
				is.True(a.Key != "src" && a.Key != "action" && a.Key != "style") // nothing is fetched, nothing styled from outside
				is.True(a.Key != "href" || strings.HasPrefix(a.Val, "#"))
			}
		}
		visible := strings.NewReplacer("\x00", "\u2400", "\x1b", "\u241b", "\u202e", `\u202e`).Replace(h)
		n := strings.Count(text(d.root), visible)
		is.True(n > 15) // it is there, as what it is
	}
}

// poisoned is a run in which every text is s.
func poisoned(s string) *run {
	raw, err := json.Marshal(map[string]string{"a": s})
	if err != nil {
		panic(err)
	}
	r := &run{header: recording.Header{Regcast: s, Resources: map[string]json.RawMessage{s: raw}}}
	r.header.Configuration = recording.Configuration{
		Triggers: []recording.File{{Name: s, Data: s}}, InProcess: []string{s}, Gateways: []recording.Gateway{{ID: s, File: recording.File{Name: s, Data: s}}},
		Functions: []recording.CloudFunction{{ID: s, Package: s, Entry: s}}, Containers: []recording.Container{{ID: s, URL: s}},
	}
	change := events.Change{Kind: events.TagAttached, Registry: s, Repository: s, Tag: s, Digest: s}
	for i, l := range []recording.Line{
		{Record: &events.Record{Origin: s, Changes: []events.Change{change}, Events: []events.Event{{ID: s, Source: s, Type: s, Body: json.RawMessage(s)}}}},
		{Step: &events.Step{Room: "trigger", What: events.StepLost, Who: s, Text: s, Events: []string{s}}},
		{Step: &events.Step{Room: s, What: s, Who: s, Text: s, Events: []string{s}}},
		{Socket: &recording.Socket{What: recording.Opened, Connection: s, Gateway: s, Path: s}},
		{Frame: &recording.Frame{Gateway: s, Path: s, Connection: s, Data: recording.Payload(s), Events: []string{s, "other"}, Error: s}},
		{Frame: &recording.Frame{Gateway: s, Path: s, Connection: s, In: true, Data: recording.Payload(s)}},
		{Invocation: &recording.Invocation{ID: s, Function: s, Events: []string{s}, Input: recording.Payload(s), Output: recording.Payload(s), Log: []string{s}, Error: s}},
		{Socket: &recording.Socket{What: recording.Closed, Connection: s, Gateway: s, Path: s, Code: 1006, Reason: s, By: s}},
		{Clock: &recording.Clock{What: s}},
	} {
		l.At = noon.Add(time.Duration(i) * time.Second)
		r.lines = append(r.lines, l)
	}
	r.err = errors.New(s)
	return r
}

func TestPolicyLetsInNothingButThePagesOwn(t *testing.T) {
	is := is.New(t)
	d := page(t, write(2), report.Options{})
	metas := d.all(func(n *html.Node) bool { return attr(n, "http-equiv") == "Content-Security-Policy" })
	is.Equal(len(metas), 1)
	policy := attr(metas[0], "content")
	hash := func(tag string) string {
		sum := sha256.Sum256([]byte(d.elements(tag)[0].FirstChild.Data))
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	is.Equal(policy, "default-src 'none'; style-src 'sha256-"+hash("style")+"'; script-src 'sha256-"+hash("script")+"'; base-uri 'none'; form-action 'none'")
	is.True(!strings.Contains(d.source, "http://") && !strings.Contains(d.source, "https://")) // it knows no other place
}

func TestTablesAndPlotsCanBeReadAloud(t *testing.T) {
	is := is.New(t)
	d := page(t, write(12), report.Options{})
	for _, th := range d.elements("th") {
		is.True(attr(th, "scope") != "")
	}
	for _, svg := range d.elements("svg") {
		is.True(attr(svg, "aria-label") != "" || attr(svg, "aria-hidden") == "true" || attr(svg.Parent, "aria-hidden") == "true")
	}
	for _, n := range d.elements("section") {
		label := attr(n, "aria-labelledby")
		is.Equal(d.byID(t, label).Data, "h2")
	}
	is.Equal(attr(d.elements("html")[0], "lang"), "en")
}

func TestBigRunIsCutAndSaysSo(t *testing.T) {
	is := is.New(t)
	d := page(t, write(300), report.Options{Events: 60, Name: "big.jsonl"})
	shown := d.classed("event")
	is.Equal(len(shown), 60)
	troubled := 0
	for _, n := range shown {
		if attr(n, "data-state") != "calm" && attr(n, "data-state") != "unmatched" {
			troubled++
		}
	}
	is.Equal(troubled, 12+10+9-1) // lost, failed, of whose frames one was not taken; one is both
	is.Equal(attr(shown[59], "id"), fmt.Sprintf("event-%08x-0000-4000-8000-%012d", 299, 299))
	events := words(d.byID(t, "events"))
	is.True(strings.HasPrefix(events, "Events 60 of 600 540 events are left out. This page shows 60 in detail: first those that were lost, failed or met a fault, then the latest."))
	is.True(strings.Contains(events, "regcast report big.jsonl --from TIME --to TIME"))
	is.True(strings.Contains(words(d.byID(t, "frames")), "frames are left out"))
}

func TestTimelineDrawsQuietTimesShort(t *testing.T) {
	is := is.New(t)
	r := &run{}
	for _, at := range []time.Duration{0, time.Second, 2 * time.Second, 24 * time.Hour, 24*time.Hour + time.Second, 24*time.Hour + 2*time.Second} {
		frame := &recording.Frame{Path: "/ws", Data: recording.Payload(at.String()), Sent: 1}
		r.lines = append(r.lines, recording.Line{At: noon.Add(at), Frame: frame})
	}
	d := page(t, r, report.Options{})
	timeline := d.byID(t, "timeline")
	is.True(strings.Contains(words(timeline), "Drawn short, where nothing happened: 23 h 59 min at +2.00 s."))
	var bars []string
	for n := range timeline.Descendants() {
		if n.Type == html.ElementNode && n.Data == "rect" {
			bars = append(bars, words(n))
		}
	}
	is.Equal(len(bars), 6) // each frame can be told from the others
	is.True(strings.Contains(bars[5], "at +24 h 00 min"))
}

func TestPartOfARun(t *testing.T) {
	is := is.New(t)
	id := "00000002-0000-4000-8000-000000000002"
	d := page(t, write(8), report.Options{Only: []string{id}})
	is.Equal(len(d.classed("event")), 1)
	is.Equal(len(d.classed("invocation")), 1)
	is.Equal(len(d.classed("frame")), 1+1) // and the badge
	is.True(strings.Contains(words(d.byID(t, "troubles")), "a part of the run: what tells of "+id))

	r := write(8)
	at := 0
	for pushes := 0; pushes < 5; at++ {
		if r.lines[at].Record != nil {
			pushes++
		}
	}
	half := r.lines[at].At
	before := page(t, r, report.Options{To: half})
	after := page(t, r, report.Options{From: half})
	is.Equal(len(before.classed("event"))+len(after.classed("event")), 16) // what was published before is shown if it is in trouble
	is.True(strings.Contains(words(before.byID(t, "troubles")), "to 4 March 2026"))
}

func TestBrokenRecording(t *testing.T) {
	is := is.New(t)
	r := write(3)
	r.lines, r.err = r.lines[:20], errors.New("line 22: cut off")
	d := page(t, r, report.Options{})
	is.Equal(attr(d.byID(t, "troubles"), "class"), "loud")
	is.True(strings.Contains(words(d.byID(t, "troubles")), "The recording breaks off after 20 lines: line 22: cut off"))

	r.err = nil
	d = page(t, r, report.Options{})
	is.True(strings.Contains(words(d.byID(t, "troubles")), "it was not ended, so more may have happened"))

	r.lines[5] = recording.Line{At: r.lines[5].At}
	d = page(t, r, report.Options{})
	is.True(strings.Contains(words(d.byID(t, "troubles")), "1 line is of kinds that this version of regcast does not know"))

	is.True(strings.Contains(words(page(t, &run{}, report.Options{}).root), "There is nothing in it."))
}

func TestUnusableLinesAreToldOf(t *testing.T) {
	is := is.New(t)
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{Created: noon, Now: noon})
	is.NoErr(err)
	r := write(2)
	for _, l := range r.lines[:len(r.lines)-1] {
		is.NoErr(w.Write(l))
	}
	is.NoErr(w.End(noon))
	lines := strings.Split(file.String(), "\n")
	lines[4] = `{"at":"2026-03-04T12:00:00Z","step":`
	d := page(t, fileText{strings.Join(lines, "\n")}, report.Options{})
	is.True(strings.Contains(words(d.byID(t, "troubles")), "1 line could not be used: "))
	is.Equal(len(d.classed("event")), 4)
}

// fileText is a recording as its bytes.
type fileText struct{ text string }

func (f fileText) reader() *recording.Reader {
	r, err := recording.NewReader(strings.NewReader(f.text))
	if err != nil {
		panic(err)
	}
	return r
}
func (f fileText) Header() recording.Header { return f.reader().Header() }
func (f fileText) Lines() lines             { return f.reader().Lines() }

func TestSourceMustBeReadableAgain(t *testing.T) {
	is := is.New(t)
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{})
	is.NoErr(err)
	is.NoErr(w.Write(recording.Line{At: noon, Clock: &recording.Clock{What: "freeze"}}))
	is.NoErr(w.End(noon))
	once, err := recording.NewReader(&file)
	is.NoErr(err)
	is.True(errors.Is(report.Write(io.Discard, once, report.Options{}), report.ErrOnce))
}

func TestWriteTellsOfAFullDisk(t *testing.T) {
	is := is.New(t)
	full := errors.New("no space left on device")
	is.True(errors.Is(report.Write(fullDisk{full}, write(10), report.Options{}), full))
}

type fullDisk struct{ err error }

func (d fullDisk) Write([]byte) (int, error) { return 0, d.err }

func TestPayloads(t *testing.T) {
	is := is.New(t)
	long := `{"list":[` + strings.Repeat(`"0123456789абв",`, 4000) + `1],"n":{}}`
	r := &run{}
	for i, data := range []string{long, "\xff\xfe\x00binary", `{"a":1.50,"b":[],"c":"x:,{"}`, "plain <text>"} {
		r.lines = append(r.lines, recording.Line{At: noon.Add(time.Duration(i)), Frame: &recording.Frame{Path: "/ws", Data: recording.Payload(data), Sent: 1}})
	}
	pres := page(t, r, report.Options{}).elements("pre")
	is.Equal(len(pres), 4)
	is.True(strings.HasPrefix(text(pres[0]), "{\n  \"list\": [\n    \"0123456789абв\",\n"))
	is.True(len(text(pres[0])) < 30<<10)
	is.True(!strings.Contains(text(pres[0]), `\x`)) // it is not cut inside of a letter
	is.True(strings.Contains(words(pres[0].Parent), "of which the first 16.0 KiB are here"))
	is.True(strings.Contains(text(pres[1]), "ff fe 00 62"))
	is.Equal(text(pres[2]), "{\n  \"a\": 1.50,\n  \"b\": [],\n  \"c\": \"x:,{\"\n}") // numbers stay as they were written
	is.Equal(text(pres[3]), "plain <text>")
}

// A page of a run eight times as long needs as much memory.
func TestMemoryDoesNotGrowWithTheRun(t *testing.T) {
	is := is.New(t)
	peak := func(n int) uint64 {
		s := &stream{pushes: n}
		is.NoErr(report.Write(io.Discard, s, report.Options{Events: 50}))
		return s.heap
	}
	peak(100)
	short, long := peak(500), peak(4000)
	if long > short+short/2+1<<20 {
		t.Errorf("at the end of a run of 500 pushes %d bytes are in use, of 4,000 %d", short, long)
	}
}

// stream makes up lines while it is read.
type stream struct {
	pushes int
	heap   uint64 // in use at the end of the last reading
}

func (*stream) Header() recording.Header { return recording.Header{} }

func (s *stream) Lines() lines {
	return func(yield func(recording.Line, error) bool) {
		a := newAuthor()
		for i := range s.pushes {
			a.lines = a.lines[:0]
			a.push(i)
			for _, l := range a.lines {
				if !yield(l, nil) {
					return
				}
			}
		}
		a.lines = nil
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.heap = m.HeapAlloc
	}
}

func FuzzPage(f *testing.F) {
	for _, h := range hostile {
		f.Add(h)
	}
	f.Add("\xff</script \xe2\x80")
	f.Fuzz(func(t *testing.T, s string) {
		d := page(t, poisoned(s), report.Options{Name: s, Note: s})
		for tag, want := range map[string]int{"script": 1, "style": 1, "h1": 1, "main": 1, "form": 0, "img": 0, "link": 0} {
			if n := len(d.elements(tag)); n != want {
				t.Errorf("%d elements %s", n, tag)
			}
		}
		if strings.ContainsAny(text(d.root), "\x00\u202e") {
			t.Error("a character that HTML does not have, or that turns the writing")
		}
		for _, n := range d.all(func(n *html.Node) bool { return n.Data == "a" }) {
			if !strings.HasPrefix(attr(n, "href"), "#") {
				t.Errorf("a link leads to %q", attr(n, "href"))
			}
		}
	})
}
