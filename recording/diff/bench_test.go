package diff_test

import (
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// long is a run that is made while it is read: nothing of it is kept.
type long struct {
	tag     string
	events  int
	sockets int
	batch   int            // events that are all pushed before any is broadcast
	without func(int) bool // broadcasts that are not there
	peak    *uint64        // heap in use, looked at now and then
}

func (l long) Header() recording.Header { return recording.Header{Now: start} }

func (l long) Lines() iter.Seq2[recording.Line, error] {
	return func(yield func(recording.Line, error) bool) {
		b := newRun(l.tag, start)
		give := func() bool {
			for _, line := range b.lines {
				if !yield(line, nil) {
					return false
				}
			}
			b.lines = b.lines[:0]
			return true
		}
		for i := range l.sockets {
			b.open(fmt.Sprint("c", i), "")
		}
		batch := max(l.batch, 1)
		for from := 0; from < l.events; from += batch {
			for i := from; i < min(from+batch, l.events); i++ {
				e := fmt.Sprint("e", i)
				b.wait(10*time.Millisecond).push(e, "v").matched(e, "t1")
				if !give() {
					return
				}
			}
			for i := from; i < min(from+batch, l.events); i++ {
				e := fmt.Sprint("e", i)
				if l.without == nil || !l.without(i) {
					b.broadcast(e, "v")
					b.last().Frame.Sent = l.sockets
				}
				b.delivered(e)
				if !give() {
					return
				}
				if l.peak != nil && i%5000 == 0 {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					*l.peak = max(*l.peak, m.HeapAlloc)
				}
			}
		}
	}
}

// Each operation compares two runs of 100,000 events: 400,000 lines and 100,000 broadcasts to 100 sockets on either side. The time
// includes making the runs.
func BenchmarkCompare(b *testing.B) {
	for name, got := range map[string]long{
		"same":    {tag: "a"},
		"renamed": {tag: "bc"},
		"lossy":   {tag: "bc", without: func(i int) bool { return i%50 == 0 }},
		"bulk":    {tag: "a", batch: 1000},
	} {
		b.Run(name, func(b *testing.B) {
			var peak uint64
			want := long{tag: "a", events: 100_000, sockets: 100, peak: &peak}
			got.events, got.sockets = want.events, want.sockets
			for b.Loop() {
				r, err := diff.Compare(want, got, diff.Options{Later: time.Minute}) // what is pushed in bulk is broadcast later
				if err != nil {
					b.Fatal(err)
				}
				if n := map[string]int{"lossy": 2000}[name]; r.Total() != n {
					b.Fatalf("%d differences, want %d: %v", r.Total(), n, findings(r)[:3])
				}
			}
			b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
		})
	}
}

// A run whose house was far behind with its messages is compared with one that was not, and with one that loses some.
func TestRunsOfDifferentPace(t *testing.T) {
	is := is.New(t)
	want, got := long{tag: "a", events: 3000, sockets: 2}, long{tag: "bc", events: 3000, sockets: 2, batch: 1000}
	is.Equal(findings(compare(t, want, got, diff.Options{Later: time.Minute})), []string{})
	got.without = func(i int) bool { return i%100 == 7 }
	r := compare(t, want, got, diff.Options{Later: time.Minute})
	is.Equal(r.Counts, map[diff.Kind]int{diff.Lost: 30})
}
