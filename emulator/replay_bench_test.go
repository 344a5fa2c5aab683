package emulator_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// batchedTrigger sends every event of the default registry to /ws, ten in a message.
const batchedTrigger = `
name: batched
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "10", cutoff: 10s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`

// recorded yields n records of one tag each, gap apart.
func recorded(n int, gap time.Duration) func(func(recording.Line, error) bool) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func(yield func(recording.Line, error) bool) {
		for i := range n {
			at := start.Add(time.Duration(i) * gap)
			if !yield(recording.Line{Seq: uint64(i + 1), At: at, Record: &events.Record{At: at, Changes: []events.Change{{
				Kind: events.TagAttached, Registry: "crpregcastregistry00", Repository: "team/app", Tag: fmt.Sprintf("v%d", i),
				Digest: fmt.Sprintf("sha256:%064d", i), At: at, Rev: uint64(i + 1),
			}}}}, nil) {
				return
			}
		}
	}
}

// drain opens a socket that reads and counts, as cheaply as one can.
func drain(b *testing.B, addr string, bytesRead *atomic.Int64, done *sync.WaitGroup) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.Fatal(err, res)
	}
	done.Go(func() {
		buf := make([]byte, 256<<10)
		for {
			n, err := conn.Read(buf)
			bytesRead.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	return conn
}

// BenchmarkReplay replays b.N recorded events at max: match, batches of ten, broadcast to 100 sockets, all read.
// They are 5 ms apart, so that no socket is closed as idle by the virtual clock.
func BenchmarkReplay(b *testing.B) {
	for _, sockets := range []int{0, 100} {
		for _, virtual := range []bool{false, true} {
			b.Run(fmt.Sprintf("sockets=%d/virtual=%t", sockets, virtual), func(b *testing.B) {
				em := emulatortest.Start(b, emulator.Config{Data: b.TempDir(), Triggers: []emulator.File{{Name: "batched.yaml", Data: []byte(batchedTrigger)}}})
				var read atomic.Int64
				var readers sync.WaitGroup
				for range sockets {
					conn := drain(b, em.Addr(), &read, &readers)
					defer conn.Close()
				}
				b.ResetTimer()
				s, err := em.Replay(context.Background(), recorded(b.N, 5*time.Millisecond), emulator.ReplayOptions{Virtual: virtual})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric(float64(s.Events)/s.Duration.Seconds(), "events/s")
				b.ReportMetric(float64(read.Load())/s.Duration.Seconds()/1e6, "MB/s")
			})
		}
	}
}

// A yardstick: what it costs to read the same from a file and do nothing with it.
func BenchmarkReplayRead(b *testing.B) {
	var file bytes.Buffer
	w, err := recording.NewWriter(&file, recording.Header{})
	if err != nil {
		b.Fatal(err)
	}
	for line := range recorded(10_000, time.Millisecond) {
		if err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.End(time.Now()); err != nil {
		b.Fatal(err)
	}
	data := file.Bytes()
	b.SetBytes(int64(len(data)) / 10_000)
	b.ResetTimer()
	for n := 0; n < b.N; {
		r, err := recording.NewReader(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))))
		if err != nil {
			b.Fatal(err)
		}
		for range r.Lines() {
			n++
		}
	}
}
