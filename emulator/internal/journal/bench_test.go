package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/journal"
)

var line = bytes.Repeat([]byte("x"), 800)

func benchEngines(b *testing.B, bench func(b *testing.B, j journal.Journal)) {
	b.Run("stream", func(b *testing.B) { bench(b, openStream(b, b.TempDir(), 0)) })
	b.Run("memory", func(b *testing.B) {
		j := journal.NewMemory(journal.MemoryOptions{})
		b.Cleanup(func() { closeIt(b, j) })
		bench(b, j)
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			benchEngines(b, func(b *testing.B, j journal.Journal) {
				b.SetBytes(int64(len(line)))
				b.SetParallelism(max(1, writers/runtime.GOMAXPROCS(0)))
				run := b.RunParallel
				if writers == 1 {
					run = func(body func(*testing.PB)) {
						for b.Loop() {
							appendLine(b, j)
						}
					}
				}
				run(func(pb *testing.PB) {
					for pb.Next() {
						appendLine(b, j)
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		})
	}
}

func appendLine(b *testing.B, j journal.Journal) {
	if _, err := j.Append(b.Context(), journal.Changes, line); err != nil {
		b.Error(err)
	}
}

// The time from the call of Append to the entry in the hands of a follower.
func BenchmarkFollowLatency(b *testing.B) {
	benchEngines(b, func(b *testing.B, j journal.Journal) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		entries, _ := follow(ctx, j, 1, journal.Changes)
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			appendLine(b, j)
			<-entries
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "µs/p50")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "µs/p99")
	})
}

// One follower keeps up with eight writers.
func BenchmarkAppendAndFollow(b *testing.B) {
	benchEngines(b, func(b *testing.B, j journal.Journal) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			n := 0
			for _, err := range j.Follow(ctx, 1, journal.Changes) {
				if n++; err != nil || n == b.N {
					return
				}
			}
		}()
		b.SetParallelism(4)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				appendLine(b, j)
			}
		})
		<-done
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
}

func BenchmarkNote(b *testing.B) {
	benchEngines(b, func(b *testing.B, j journal.Journal) {
		note := line[:300]
		for b.Loop() {
			j.Note(journal.Steps, note)
		}
		if err := j.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "notes/s")
	})
}

func BenchmarkReplay(b *testing.B) {
	benchEngines(b, func(b *testing.B, j journal.Journal) {
		const n = 100_000
		for range n {
			appendLine(b, j)
		}
		for b.Loop() {
			got := 0
			for range j.Read(b.Context(), 1) {
				got++
			}
			if got != n {
				b.Fatalf("%d entries", got)
			}
		}
		b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "entries/s")
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			j := openStream(b, dir, 0)
			for range n {
				appendLine(b, j)
			}
			closeIt(b, j)
			for b.Loop() {
				j := openStream(b, dir, 0)
				b.StopTimer()
				closeIt(b, j)
				b.StartTimer()
			}
		})
	}
}
