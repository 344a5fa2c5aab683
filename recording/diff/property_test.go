package diff_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// random is a run in which much looks alike: 3 sockets that come and go, events that are broadcast and sent, frames of no event.
func random(seed uint64, tag string, at time.Time) *builder {
	r := rand.New(rand.NewPCG(seed, 1))
	b := newRun(tag, at)
	b.open("c0", "").open("c1", "/ws?wish=x").open("c2", "")
	open := []string{"c0", "c1", "c2"}
	for i := range 60 + r.IntN(200) {
		b.wait(time.Duration(r.IntN(1000)) * time.Millisecond)
		if r.IntN(3) == 0 {
			b.push(fmt.Sprint("e", i), fmt.Sprint("v", r.IntN(4)))
			b.matched(fmt.Sprint("e", i), "t1").delivered(fmt.Sprint("e", i))
			b.broadcast(fmt.Sprint("e", i), fmt.Sprint("v", r.IntN(4)))
			b.last().Frame.Sent = len(open)
			for _, c := range open {
				if r.IntN(2) == 0 {
					b.send(c, fmt.Sprint("e", i), "own")
				}
			}
			b.call("f", fmt.Sprint("e", i), `{"ok":true}`, "")
			continue
		}
		b.frame(open[r.IntN(len(open))], fmt.Sprintf(`{"n":%d,"id":%q,"at":%q}`, r.IntN(5), b.uuid(fmt.Sprint(i)), b.at.Format(time.RFC3339Nano)))
		if r.IntN(40) == 0 {
			b.close(open[0], 1000, "", "client").open(fmt.Sprint("d", i), "")
			open = append(open[1:], fmt.Sprint("d", i))
		}
	}
	return b
}

func TestARunIsTheSameAsItself(t *testing.T) {
	is := is.New(t)
	for seed := range uint64(8) {
		x := random(seed, "a", start)
		is.Equal(findings(compare(t, x, x, diff.Options{})), []string{})
		is.Equal(findings(compare(t, x, random(seed, "bc", start), diff.Options{})), []string{})                   // other ids
		is.Equal(findings(compare(t, x, random(seed, "a", start.Add(1e6*time.Hour)), diff.Options{})), []string{}) // later
		is.Equal(findings(compare(t, x, random(seed, "bc", start.Add(-500*time.Hour)), diff.Options{})), []string{})
	}
}

// One change to one frame is found, and is what it is called, in a run with the same ids and in one with others.
func TestAMutationIsFound(t *testing.T) {
	outputs := func(b *builder) (at []int) {
		for i, l := range b.lines {
			if l.Frame != nil {
				at = append(at, i)
			}
		}
		return at
	}
	lane := func(l recording.Line) string { return l.Frame.Connection }
	for name, m := range map[string]struct {
		kind   diff.Kind
		mutate func(r *rand.Rand, b *builder) bool
	}{
		"drop": {diff.Lost, func(r *rand.Rand, b *builder) bool {
			at := outputs(b)
			i := at[r.IntN(len(at))]
			b.lines = slices.Delete(b.lines, i, i+1)
			return true
		}},
		"duplicate": {diff.Doubled, func(r *rand.Rand, b *builder) bool {
			at := outputs(b)
			i := at[r.IntN(len(at))]
			b.lines = slices.Insert(b.lines, i+1, b.lines[i])
			return true
		}},
		"swap": {diff.Reordered, func(r *rand.Rand, b *builder) bool {
			at := outputs(b)
			for _, p := range r.Perm(len(at)) {
				for _, j := range at[p+1:] {
					i := at[p]
					x, y := b.lines[i], b.lines[j]
					if x.Frame.Events == nil && y.Frame.Events == nil && lane(x) == lane(y) && x.Frame.Data[5] != y.Frame.Data[5] && // n
						y.At.Sub(x.At) < time.Second {
						b.lines[i].Frame, b.lines[j].Frame = y.Frame, x.Frame
						return true
					}
				}
			}
			return false
		}},
		"edit": {diff.Changed, func(r *rand.Rand, b *builder) bool {
			at := outputs(b)
			i := at[r.IntN(len(at))]
			f := *b.lines[i].Frame
			f.Data = recording.Payload(strings.NewReplacer(`"n":`, `"n":9`, `"tag":"`, `"tag":"x`).Replace(string(f.Data)))
			b.lines[i].Frame = &f
			return true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			done := 0
			for seed := range uint64(8) {
				for _, tag := range []string{"a", "bc"} {
					got := random(seed, tag, start.Add(time.Hour))
					if !m.mutate(rand.New(rand.NewPCG(seed, 2)), got) {
						continue
					}
					done++
					r := compare(t, random(seed, "a", start), got, diff.Options{})
					// What moves may pass more than one other message.
					if r.Same() || r.Counts[m.kind] != r.Total() || m.kind != diff.Reordered && r.Total() != 1 {
						t.Fatalf("seed %d, ids %q: want one difference of kind %s, found\n%s", seed, tag, m.kind, strings.Join(findings(r), "\n"))
					}
				}
			}
			if done < 13 {
				t.Fatalf("only %d mutations were tried", done)
			}
		})
	}
}

// Two documents are reported as different exactly if they are, as JSON, where nothing in them looks volatile.
func FuzzDocuments(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1,2,{"c":null}]}`, `{"b":[1,{"c":null}],"a":1.0}`, `[]`, `"x"`, `{"s":"{\"a\":[1]}"}`, `{`, "\xff",
		`{"a":"","a":1}`, `[1,2,3]`, `[2,3]`, `1e2`, `100`, `"\ud800"`, `{"x":"2026-03-04T05:06:07Z"}`, `{"x":"00000000-0000-4000-8000-000000000000"}`} {
		f.Add([]byte(s), []byte(`{"a":1}`))
		f.Add([]byte(s), []byte(s))
	}
	of := func(data []byte) *run {
		b := newRun("a", start).open("c1", "")
		return &b.frame("c1", string(data)).run
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r := compare(t, of(a), of(b), diff.Options{})
		for _, w := range []func(*strings.Builder) error{
			func(out *strings.Builder) error { return r.Text(out) },
			func(out *strings.Builder) error { return r.JSON(out) },
			func(out *strings.Builder) error { return r.JUnit(out, "x") },
		} {
			if err := w(new(strings.Builder)); err != nil {
				t.Fatal(err)
			}
		}
		if string(a) == string(b) && !r.Same() {
			t.Fatalf("the same document differs: %v", findings(r))
		}
		var x, y any
		if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil {
			if reflect.DeepEqual(x, y) && !r.Same() && !strings.Contains(string(a)+string(b), "\\u") && !twins(a) && !twins(b) {
				t.Fatalf("equal JSON differs: %v", findings(r))
			}
			if !reflect.DeepEqual(x, y) && r.Same() && !volatile(x) && !volatile(y) {
				t.Fatalf("%s and %s differ, and nothing is reported", a, b)
			}
		}
	})
}

// twins says whether an object has two members of one name, of which readers choose differently.
func twins(data []byte) bool {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	out, err := json.Marshal(v)
	return err != nil || strings.Count(string(out), `":`) != strings.Count(string(data), `":`)
}

// volatile is a coarse sieve: numbers and strings long enough to be an id or a time, or keys at all, which may say so.
func volatile(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return slices.ContainsFunc(v, volatile)
	case string:
		return len(v) >= 12
	case float64:
		return v >= 1e9 || v <= -1e9 || v != float64(int64(v))
	}
	return false
}

func TestTheListIsBounded(t *testing.T) {
	is := is.New(t)
	want, got := newRun("a", start).open("c1", ""), newRun("a", start).open("c1", "")
	for i := range 1000 {
		want.frame("c1", fmt.Sprintf(`{"n":%d}`, i))
	}
	r := compare(t, want, got, diff.Options{Limit: 10})
	is.Equal(len(r.Differences), 10)
	is.Equal(r.More, 990)
	is.Equal(r.Counts[diff.Lost], 1000)
	is.True(!r.Same())
}

func TestPaths(t *testing.T) {
	want, got := newRun("a", start).open("c1", ""), newRun("a", start).open("c1", "")
	want.frame("c1", `{"a":{"b":[{"x y":1},{"x y":2}]},"z":0}`)
	got.frame("c1", `{"a":{"b":[{"x y":1},{"x y":3}]},"z":0}`)
	for path, same := range map[string]bool{
		".a.b[1].\"x y\"": true, `.a.b[1]["x y"]`: true, ".a.b[]": true, "..b": true, ".*.b": true, ".a": true, `.["a"].b`: true,
		".a.b[0]": false, ".b": false, ".a.b[].y": false, "..[0]": false, ".z": false,
	} {
		t.Run(path, func(t *testing.T) {
			is := is.New(t)
			is.Equal(compare(t, want, got, diff.Options{Ignore: []string{path}}).Same(), same)
		})
	}
	for _, path := range []string{"", "a", ".", ".a[", ".a[x]", `."a`, ".a[-1]", ".a..", `.a["b]`} {
		t.Run(path, func(t *testing.T) {
			is := is.New(t)
			_, err := diff.Compare(want, got, diff.Options{Volatile: []string{path}})
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), "want a path such as")) // it says what is allowed
		})
	}
}
