package emulator_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

const benchRepositories = 8

// BenchmarkManifestPut is the whole walk of a manifest, journal on disk and default trigger included, with a client that costs as
// little as one can. `make bench` has the figure with the client in a process of its own.
func BenchmarkManifestPut(b *testing.B) {
	em := emulatortest.Start(b, emulator.Config{Data: b.TempDir()})
	for i := range benchRepositories {
		em.Push(fmt.Sprintf("app%d:seed", i)) // its config is the one that the manifests below name
	}
	config := []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`)
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", em.Addr())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for pb.Next() {
			i := n.Add(1)
			body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":`+
				`"application/vnd.oci.image.config.v1+json","digest":"sha256:%x","size":%d},"layers":[],"annotations":{"n":"%d"}}`,
				sha256.Sum256(config), len(config), i)
			fmt.Fprintf(conn, "PUT /v2/app%d/manifests/v%d HTTP/1.1\r\nHost: localhost\r\n"+
				"Content-Type: application/vnd.oci.image.manifest.v1+json\r\nContent-Length: %d\r\n\r\n%s", i%benchRepositories, i, len(body), body)
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusCreated {
				b.Errorf("got %s", res.Status)
				return
			}
		}
	})
	b.StopTimer()
	em.Flush()
}
