package recording_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// plant puts a member that nobody knows into every object of v, and counts them.
func plant(r *rand.Rand, v any, n *int) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if name != "header" { // a map of strings: every member is known
				v[name] = plant(r, e, n)
			}
		}
		if _, payload := v["base64"]; !payload {
			v[fmt.Sprintf("x-%d", *n)] = []any{*n, map[string]any{"deep": json.Number("12345678901234567890.50")}, nil, "<&>"}
			*n++
		}
	case []any:
		for i, e := range v {
			v[i] = plant(r, e, n)
		}
	}
	return v
}

// strange returns l with unknown members everywhere, in an order and with blanks that this package would not write.
func strange(t *testing.T, r *rand.Rand, l any, n *int) string {
	is := is.New(t)
	var v any
	d := json.NewDecoder(strings.NewReader(canon(t, l)))
	d.UseNumber()
	is.NoErr(d.Decode(&v))
	var b bytes.Buffer
	scatter(&b, r, plant(r, v, n))
	return b.String()
}

// scatter writes JSON with blanks; maps are in no order anyway.
func scatter(b *bytes.Buffer, r *rand.Rand, v any) {
	blank := func() { b.WriteString(strings.Repeat(" ", r.IntN(3))) }
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		first := true
		for name, e := range v {
			if !first {
				b.WriteByte(',')
			}
			first = false
			blank()
			fmt.Fprintf(b, "%q", name)
			blank()
			b.WriteByte(':')
			blank()
			scatter(b, r, e)
		}
		blank()
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			blank()
			scatter(b, r, e)
		}
		b.WriteByte(']')
	default:
		data, _ := json.Marshal(v) // what came from JSON can be written
		b.Write(data)
	}
}

func TestUnknownMembersSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		is := is.New(t)
		h := header
		h.Format, h.Version = recording.Format, recording.Version
		lines, planted := []string{}, 0
		lines = append(lines, strange(t, r, h, &planted))
		for i := range 7 {
			l := sample(round + i)
			if i == 6 {
				l = recording.Line{At: day, End: &recording.End{Lines: 7}}
			}
			lines = append(lines, strange(t, r, l, &planted))
		}
		lines[3] = fmt.Sprintf(`{"at":"2026-11-23T12:00:00.500Z", "weather":{"rain":%d}}`, round) // a kind that nobody knows
		lines[6] = `{"at":"2026-11-23T12:00:00Z","a":1,"a":2,"step":{"room":"` + "\\u0416" + `","what":"","text":"","at":"2026-11-23T12:00:00Z"}}`
		file := strings.Join(lines, "\n") + "\n"

		var b bytes.Buffer
		head, read, errs := read(t, []byte(file))
		is.Equal(len(errs), 0)
		w, err := recording.NewWriter(&b, head)
		is.NoErr(err)
		for i, l := range read {
			if i < 6 {
				is.NoErr(w.Write(l))
			}
		}
		end := read[6]
		end.End.Lines = 6
		is.NoErr(w.Write(end))
		got := strings.Split(b.String(), "\n")
		for i, line := range lines[:7] {
			if got[i] != line {
				t.Fatalf("line %d\nwas %s\nis  %s", i+1, line, got[i])
			}
		}
		is.Equal(len(got), 9)
		is.True(strings.Contains(got[7], "x-")) // changed, but not all of it
		is.True(strings.Contains(got[7], `12345678901234567890.50`))
	}
}

func TestChangedLineKeepsTheRest(t *testing.T) {
	const raw = `{"x":1,"seq":3, "at":"2026-11-23T12:00:00.100Z","record":{"origin":"emit","y":[2],` +
		`"changes":[{"kind":"tag-attached","registry_id":"r","repository":"a","tag":"1","at":"2026-11-23T12:00:00Z","rev":0,"z":{"w":3}}],` +
		`"events":[{"id":"e1","source":"yandex","type":"t","of":0,"body":{"b": 1},"u":4},{"id":"e2","source":"yandex","type":"t","of":0,"body":{},"u":5}]}}`
	change := func(f func(l *recording.Line)) string {
		_, lines, errs := read(t, []byte(raw))
		is.New(t).Equal(len(errs), 0)
		f(&lines[0])
		return canon(t, lines[0])
	}
	for _, c := range []struct {
		name     string
		do       func(l *recording.Line)
		old, new string
	}{
		{"nothing", func(*recording.Line) {}, "", ""},
		{"seq", func(l *recording.Line) { l.Seq = 4 }, `"seq":3`, `"seq":4`},
		{"time", func(l *recording.Line) { l.At = l.At.Add(time.Hour) }, "12:00:00.100Z", "13:00:00.1Z"},
		{"deep", func(l *recording.Line) { l.Record.Changes[0].Tag = "2" }, `"tag":"1"`, `"tag":"2"`},
		{"removed", func(l *recording.Line) { l.Record.Changes[0].Tag = "" }, `"tag":"1",`, ""},
		{"added", func(l *recording.Line) { l.Record.Changes[0].Size = 7 }, `"z":{"w":3}`, `"z":{"w":3},"size":7`},
		{"an element fewer", func(l *recording.Line) { l.Record.Events = l.Record.Events[1:] },
			`{"id":"e1","source":"yandex","type":"t","of":0,"body":{"b":1},"u":4},`, ""},
		{"an element more", func(l *recording.Line) {
			l.Record.Events = append(l.Record.Events, events.Event{ID: "e3", Body: json.RawMessage("{}")})
		}, `"u":5}]`, `"u":5},{"id":"e3","source":"","type":"","of":0,"body":{}}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var flat bytes.Buffer
			is := is.New(t)
			is.NoErr(json.Compact(&flat, []byte(raw)))
			want := flat.String()
			if c.old != "" {
				is.True(strings.Contains(want, c.old))
				want = strings.Replace(want, c.old, c.new, 1)
			}
			is.Equal(change(c.do), want)
		})
	}
}

// Whatever a file says: the reader ends, says where it was wrong, and what it could read is written and read the same.
func FuzzReader(f *testing.F) {
	for _, kind := range formats {
		whole := kind.write(f, 6)
		f.Add(whole)
		f.Add(whole[:len(whole)-20])
		f.Add(bytes.Replace(whole, []byte("step"), []byte("stop"), 1))
	}
	f.Add([]byte(`{"seq":1,"at":"2026-11-23T12:00:00Z","step":{}}` + "\n\r\n{}\n"))
	f.Add([]byte(`{"at":"2026-11-23T12:00:00Z","record":{"events":[{"of":9}]}}`))
	f.Add([]byte("\xef\xbb\xbf{\"format\":\"regcast.recording\",\"version\":1}\n{\"at\":\"2026-11-23T12:00:00Z\",\"frame\":{\"data\":{\"base64\":\"/w==\"}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := recording.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		w, err := recording.NewWriter(&b, r.Header())
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for l, err := range r.Lines() {
			if err != nil || l.End != nil {
				continue
			}
			recording.Scrub(&l)
			if err := w.Write(l); err != nil {
				t.Fatal(err)
			}
			want = append(want, canon(t, l))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		_, lines, errs := read(t, b.Bytes())
		if len(errs) > 0 || len(lines) != len(want) {
			t.Fatalf("%d lines, were %d: %v", len(lines), len(want), errs)
		}
		for i, l := range lines {
			if got := canon(t, l); got != want[i] {
				t.Fatalf("was %s\nis  %s", want[i], got)
			}
		}
	})
}
