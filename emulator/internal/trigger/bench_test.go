package trigger_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

const others = 10_000

// timeEvents returns what an event costs from Next to its target beside so many triggers on other registries. Before they are given
// events they are idle: bytes is what each of those takes.
func timeEvents(b *testing.B, beside, n int) (each time.Duration, bytes float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	record := events.Record{Events: pushes(1)}
	next := uint64(0)
	e := trigger.New(trigger.Options{Next: func(ctx context.Context) (uint64, events.Record, error) {
		if next == uint64(n) {
			<-ctx.Done()
			return 0, events.Record{}, ctx.Err()
		}
		next++
		return next, record, nil
	}})
	target := targetFunc(func(ds []trigger.Delivery) []trigger.Outcome { return make([]trigger.Outcome, len(ds)) })
	set := func(t trigger.Trigger) {
		if err := e.Set(t); err != nil {
			b.Fatal(err)
		}
	}
	for i := range beside {
		t := simple(fmt.Sprint("t", i), 10, target)
		t.Match.Registry = fmt.Sprint("other", i)
		set(t)
	}
	set(simple("mine", 1, target))
	runtime.GC()
	runtime.ReadMemStats(&after)
	ran := make(chan error)
	began := time.Now()
	go func() { ran <- e.Run(b.Context()) }()
	if err := e.Quiet(b.Context(), uint64(n)); err != nil {
		b.Fatal(err)
	}
	each = time.Since(began) / time.Duration(n)
	if err := e.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
	if got := e.Triggers()[beside].Delivered; got != uint64(n) {
		b.Fatalf("%d events of %d are delivered", got, n)
	}
	return each, float64(after.HeapAlloc-before.HeapAlloc) / float64(beside+1)
}

// BenchmarkEventBesideOtherTriggers fails when an event costs more than twice as much beside 10,000 triggers on other registries.
func BenchmarkEventBesideOtherTriggers(b *testing.B) {
	const n, rounds = 30_000, 8
	alone, beside, bytes := time.Hour, time.Hour, 0.0
	for b.Loop() {
		for range rounds { // in turns, and the best of each: the machine has other work
			each, _ := timeEvents(b, 0, n)
			alone = min(alone, each)
			each, bytes = timeEvents(b, others, n)
			beside = min(beside, each)
		}
	}
	ratio := float64(beside) / float64(alone)
	b.ReportMetric(0, "ns/op") // of all rounds of both, which says nothing
	b.ReportMetric(float64(alone), "ns/event-alone")
	b.ReportMetric(float64(beside), "ns/event-beside")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(bytes, "B/idle-trigger")
	if ratio > 2 {
		b.Errorf("beside %d triggers an event costs %.2f times as much", others, ratio)
	}
}
