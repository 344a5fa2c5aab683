package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/queue"
)

func benchmark(b *testing.B, dir string, run func(q *queue.Queues, consume func(queue.Consumer))) {
	q, err := queue.New(queue.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	if err := q.Set(queue.Queue{Name: "q"}); err != nil {
		b.Fatal(err)
	}
	run(q, func(c queue.Consumer) {
		c.Queue = "q"
		if _, err := q.Consume(c); err != nil {
			b.Fatal(err)
		}
	})
	b.StopTimer()
	if err := q.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

var places = map[string]func(*testing.B) string{
	"memory": func(*testing.B) string { return "" },
	"file":   func(b *testing.B) string { return b.TempDir() },
}

// One message at a time: from the call of Send to the call of Handle.
func BenchmarkLatency(b *testing.B) {
	for name, dir := range places {
		b.Run(name, func(b *testing.B) {
			benchmark(b, dir(b), func(q *queue.Queues, consume func(queue.Consumer)) {
				handled := make(chan time.Time)
				consume(queue.Consumer{Handle: func(context.Context, []queue.Received) ([]string, error) {
					handled <- time.Now()
					return nil, nil
				}})
				body := make([]byte, 800)
				took := make([]time.Duration, 0, b.N)
				for b.Loop() {
					began := time.Now()
					if _, err := q.Send(b.Context(), "q", []queue.Message{{Body: body}}); err != nil {
						b.Fatal(err)
					}
					took = append(took, (<-handled).Sub(began))
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
			})
		})
	}
}

// One sender, batches of ten: until all are handled and deleted.
func BenchmarkRate(b *testing.B) {
	for name, dir := range places {
		b.Run(name, func(b *testing.B) {
			benchmark(b, dir(b), func(q *queue.Queues, consume func(queue.Consumer)) {
				room := make(chan struct{}, 10_000)
				consume(queue.Consumer{Handle: func(_ context.Context, rs []queue.Received) ([]string, error) {
					for range rs {
						<-room
					}
					return nil, nil
				}})
				body := make([]byte, 800)
				b.ResetTimer()
				for range b.N {
					room <- struct{}{}
					if _, err := q.Send(b.Context(), "q", []queue.Message{{Body: body}}); err != nil {
						b.Fatal(err)
					}
				}
				if err := q.Quiet(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		})
	}
}
