package recording_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

var day = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// sample is a line of each kind, over and over, a second apart.
func sample(i int) recording.Line {
	l := recording.Line{Seq: uint64(i + 1), At: day.Add(time.Duration(i) * time.Second)}
	id := fmt.Sprintf("event-%d", i)
	switch i % 6 {
	case 0:
		c := events.Change{Kind: events.TagAttached, Registry: "crp1", Repository: "team/app", Tag: fmt.Sprint("v", i), Digest: "sha256:00", At: l.At}
		l.Record = &events.Record{Origin: events.OriginRegistry, Changes: []events.Change{c}, At: l.At,
			Events: []events.Event{{ID: id, Source: "yandex", Type: "create-image-tag", Body: json.RawMessage(`{"tag":"<v>","n":1}`), Change: c}}}
	case 1:
		l.Step = &events.Step{At: l.At, Events: []string{id}, Room: "trigger", What: events.StepMatched, Who: "t", Text: "matched",
			Data: map[string]any{"size": 3.0}}
	case 2:
		l.Invocation = &recording.Invocation{ID: id, Function: "broadcast", Started: l.At, Input: []byte(`{"messages":[]}`),
			Output: []byte(`"ok"`), Log: []string{"sent 3"}, DurationMS: 1.5}
	case 3:
		l.Frame = &recording.Frame{Gateway: "gw", Path: "/ws", Sent: 3, Binary: true, Data: []byte{0xff, 0}, Events: []string{id}}
	case 4:
		l.Socket = &recording.Socket{What: recording.Opened, Connection: id, Gateway: "gw", Path: "/ws", URL: "/ws?room=1",
			Header: map[string][]string{"Origin": {"http://localhost"}}}
	case 5:
		l.Clock = &recording.Clock{What: "advance", By: time.Minute}
	}
	return l
}

var header = recording.Header{Regcast: "test", Created: day, Now: day, Resources: map[string]json.RawMessage{"triggers": json.RawMessage(`[]`)},
	Configuration: recording.Configuration{LazyTTL: true, Gateways: []recording.Gateway{{ID: "gw", File: recording.File{Name: "a.yaml", Data: "x"}}}}}

type format struct {
	name string
	new  func(io.Writer, recording.Header) (*recording.Writer, error)
}

var formats = []format{{"plain", recording.NewWriter}, {"zstd", recording.NewZstdWriter}}

// write returns a recording of n samples that was ended.
func (f format) write(t testing.TB, n int) []byte {
	t.Helper()
	is := is.New(t)
	var b bytes.Buffer
	w, err := f.new(&b, header)
	is.NoErr(err)
	for i := range n {
		is.NoErr(w.Write(sample(i)))
	}
	is.NoErr(w.End(day.Add(time.Hour)))
	return b.Bytes()
}

// read returns what a reader yields.
func read(t testing.TB, data []byte) (recording.Header, []recording.Line, []error) {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(data))
	is.New(t).NoErr(err)
	var lines []recording.Line
	var errs []error
	for l, err := range r.Lines() {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		lines = append(lines, l)
	}
	return r.Header(), lines, errs
}

func canon(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	is.New(t).NoErr(err)
	return string(data)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			h, lines, errs := read(t, f.write(t, 20))
			is.Equal(len(errs), 0)
			want := header
			want.Format, want.Version = recording.Format, recording.Version
			is.Equal(canon(t, h), canon(t, want))
			is.Equal(len(lines), 21)
			for i, l := range lines[:20] {
				is.Equal(canon(t, l), canon(t, sample(i)))
				if l.Record != nil {
					is.Equal(l.Record.Events[0].Change, l.Record.Changes[0]) // as events.DecodeRecord does
				}
			}
			is.Equal(lines[20].Kind(), "end")
			is.Equal(lines[20].End.Lines, int64(20))
			is.True(lines[20].At.Equal(day.Add(time.Hour)))
		})
	}
}

func TestWriterAfterTheEnd(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			var b bytes.Buffer
			w, err := f.new(&b, header)
			is.NoErr(err)
			is.NoErr(w.End(day))
			n := b.Len()
			is.True(errors.Is(w.Write(sample(0)), recording.ErrEnded))
			is.NoErr(w.End(day))
			is.NoErr(w.Close())
			is.Equal(b.Len(), n)
		})
	}
}

func TestCopyEndsWithItsOwnCount(t *testing.T) {
	is := is.New(t)
	_, lines, _ := read(t, formats[0].write(t, 10))
	var b bytes.Buffer
	w, err := recording.NewWriter(&b, header)
	is.NoErr(err)
	for _, l := range lines[5:] {
		is.NoErr(w.Write(l))
	}
	_, copied, errs := read(t, b.Bytes())
	is.Equal(len(errs), 0)
	is.Equal(copied[5].End.Lines, int64(5))
}

func TestNotARecording(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       error
		say        string
	}{
		{"empty", "", recording.ErrEmpty, "empty"},
		{"blank", "\n \n", recording.ErrEmpty, "empty"},
		{"another format", `{"format":"har","version":1}`, recording.ErrNotRecording, `"har"`},
		{"a newer version", `{"format":"regcast.recording","version":2,"regcast":"9.9","configuration":[]}`, recording.ErrVersion, `version 2 of the format (regcast "9.9"), this one reads up to 1`},
		{"no version", `{"format":"regcast.recording"}`, recording.ErrNotRecording, "version 0"},
		{"a wrong version", `{"format":"regcast.recording","version":"x"}`, recording.ErrNotRecording, "version"},
		{"a wrong header", `{"format":"regcast.recording","version":1,"resources":[]}`, recording.ErrNotRecording, "resources"},
		{"an event", `{"version":"0","detail-type":"ECR Image Action"}`, recording.ErrNotRecording, "imported"},
		{"an array", `[{"seq":1}]`, recording.ErrNotRecording, "array"},
		{"an array of lines", "[\n{}]", recording.ErrNotRecording, "array"},
		{"pretty JSON", "{\n  \"at\": 1}", recording.ErrNotRecording, "first line is no whole JSON object"},
		{"gzip", "\x1f\x8b\x08\x00", recording.ErrNotRecording, "gunzip"},
		{"zip", "PK\x03\x04", recording.ErrNotRecording, "ZIP"},
		{"UTF-16", "\xff\xfe{\x00", recording.ErrNotRecording, "PowerShell"},
		{"a page", "<html>", recording.ErrNotRecording, "HTML"},
		{"text", "hello\n", recording.ErrNotRecording, `"hello"`},
		{"binary", "\x00\x01\n", recording.ErrNotRecording, "binary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			_, err := recording.NewReader(strings.NewReader(c.data))
			is.True(errors.Is(err, c.want))
			if !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v\ndoes not say %s", err, c.say)
			}
		})
	}
}

func TestNoHeader(t *testing.T) {
	is := is.New(t)
	h, lines, errs := read(t, []byte("\xef\xbb\xbf"+`{"seq":7,"at":"2026-11-23T12:00:00Z","step":{"room":"trigger","what":"matched"}}`+"\r\n\r\n"+
		`{"seq":8,"at":"2026-11-23T12:00:01Z","step":{"room":"trigger","what":"lost"}}`))
	is.Equal(len(errs), 0)
	is.Equal(h.Format, "")
	is.Equal(len(lines), 2)
	is.Equal(lines[0].Seq, uint64(7))
	is.Equal(lines[1].Step.What, "lost")
}

func TestTornAnywhere(t *testing.T) {
	is := is.New(t)
	whole := formats[0].write(t, 6)
	ends := []int{}
	for i, c := range whole {
		if c == '\n' {
			ends = append(ends, i)
		}
	}
	for cut := ends[0] + 1; cut < len(whole); cut++ {
		_, lines, errs := read(t, whole[:cut])
		full := 0
		for _, e := range ends[1:] {
			if e <= cut {
				full++
			}
		}
		is.Equal(len(lines), full)
		at := bytes.LastIndexByte(whole[:cut], '\n') + 1
		if at == cut || slices.Contains(ends, cut) { // between two lines
			is.Equal(len(errs), 0)
			continue
		}
		is.Equal(len(errs), 1)
		var torn *recording.TornError
		is.True(errors.As(errs[0], &torn))
		is.Equal(torn.Offset, int64(at))
		is.Equal(torn.Line, int64(full+2))
	}
	_, err := recording.NewReader(bytes.NewReader(whole[:ends[0]-3]))
	var torn *recording.TornError
	is.True(errors.As(err, &torn))
}

func TestBadLinesInTheMiddle(t *testing.T) {
	is := is.New(t)
	whole := bytes.SplitAfter(formats[0].write(t, 2), []byte{'\n'})
	bad := []struct{ line, say string }{
		{`{"seq":3,"at":"2026-11`, "unexpected end"},
		{`[]`, "want a JSON object"},
		{`{"seq":"x","at":"2026-11-23T12:00:00Z"}`, "seq"},
		{`{"seq":3}`, "no time"},
		{string(bytes.TrimSpace(whole[0])), "second header"},
		{`{"at":"2026-11-23T12:00:00Z","record":{"changes":[],"events":[{"id":"a","of":0}]}}`, "change 0 of 0"},
		{`{"at":"2026-11-23T12:00:00Z","frame":{"data":7}}`, "payload"},
	}
	var b bytes.Buffer
	b.Write(whole[0])
	b.Write(whole[1])
	for _, c := range bad {
		b.WriteString(c.line + "\n")
	}
	b.Write(whole[2])
	_, lines, errs := read(t, b.Bytes())
	is.Equal(len(lines), 2)
	is.Equal(len(errs), len(bad))
	for i, err := range errs {
		var wrong *recording.LineError
		is.True(errors.As(err, &wrong))
		is.Equal(wrong.Line, int64(i+3))
		if !strings.Contains(err.Error(), bad[i].say) {
			t.Errorf("%v\ndoes not say %s", err, bad[i].say)
		}
	}
}

func TestRecordsPassesOverTheRest(t *testing.T) {
	is := is.New(t)
	file := `{"format":"regcast.recording","version":1}
{"at":"2026-01-01T00:00:00Z","step":{"at":"2026-01-01T00:00:00Z","room":"trigger","what":"matched","text":""}}
{"at":"2026-01-01T00:00:01Z","record":{"origin":"emit","changes":[],"events":[]}}
{"at":"2026-01-01T00:00:02Z","frame":{"gateway":"g","data":"a \"record\" that is none"}}
{"at":"2026-01-01T00:00:03Z","frame":{"gateway":"g","da`
	r, err := recording.NewReader(strings.NewReader(file))
	is.NoErr(err)
	var kinds []string
	var last error
	for line, err := range r.Records() {
		if err != nil {
			last = err
			continue
		}
		kinds = append(kinds, line.Kind())
	}
	is.Equal(kinds[0], "record") // the step is passed over; what may hold a record is not
	var torn *recording.TornError
	is.True(errors.As(last, &torn)) // a torn end is told all the same
}
