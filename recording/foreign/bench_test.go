package foreign_test

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"

	"github.com/regcast/regcast/recording/foreign"
)

// export is a file of size bytes that nobody has to store: head, elements with a comma between, tail.
type export struct {
	head, tail string
	element    func(i int) string
	size       int64
	rest       string
	i          int
}

func (e *export) Read(p []byte) (int, error) {
	if e.rest == "" {
		switch {
		case e.i == 0:
			e.rest = e.head + e.element(0)
		case e.size > 0:
			e.rest = "," + e.element(e.i)
		case e.tail != "":
			e.rest, e.tail = e.tail, ""
		default:
			return 0, io.EOF
		}
		e.i++
		e.size -= int64(len(e.rest))
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// BenchmarkRead reads 200 MB: one list of events, and one export of a log with a queue's payloads in it. heap-MB is the most that was live.
func BenchmarkRead(b *testing.B) {
	const size = 200 << 20
	event := func(i int) string {
		return push("e"+strconv.Itoa(i), "v"+strconv.Itoa(i), fmt.Sprintf("sha256:%064x", i))
	}
	for name, make := range map[string]func() *export{
		"events": func() *export { return &export{head: "[", tail: "]", element: event, size: size} },
		"log": func() *export {
			return &export{head: `{"events":[`, tail: `]}`, size: size, element: func(i int) string {
				return `{"timestamp":1772600767000,"message":` + quote(`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":`+quote(event(i))+`}]}`) + `}`
			}}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				var most uint64
				items := 0
				for i, err := range foreign.Read(make(), foreign.Options{}) {
					if err != nil || i.Skipped != "" {
						b.Fatal(i, err)
					}
					if items++; items%20_000 == 0 {
						var m runtime.MemStats
						runtime.GC()
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapAlloc)
					}
				}
				if most > 40<<20 {
					b.Fatalf("%d bytes are held of a stream", most)
				}
				b.ReportMetric(float64(most)/1e6, "heap-MB")
				b.ReportMetric(float64(items), "events")
			}
		})
	}
}
