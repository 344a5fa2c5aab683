package registry_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/events"
)

// serve is a registry on loopback, and a client that keeps its connections.
func serve(b *testing.B) (url string, client *http.Client) {
	b.Helper()
	r, err := registry.New(registry.Options{Dir: b.TempDir(), Default: defaultID})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: r}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	transport := &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 64 << 10}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		served.Wait()
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	})
	return "http://" + l.Addr().String(), &http.Client{Transport: transport}
}

// among has n clients do what is to be done b.N times.
func among(b *testing.B, n int, do func(client int, i int64) error) {
	var next atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	started := time.Now()
	for client := range n {
		wait.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := do(client, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "op/s")
	b.StopTimer()
}

func send(client *http.Client, method, url, contentType string, body []byte, want int) error {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s: %d: %s", method, url, resp.StatusCode, answer)
	}
	return nil
}

// BenchmarkManifestPut is eight clients that push new images under new tags, each into a repository of its own. The yardstick
// writes the same bytes to as many files.
func BenchmarkManifestPut(b *testing.B) {
	b.Run("yardstick=file-write", func(b *testing.B) {
		dir := b.TempDir()
		among(b, 8, func(client int, i int64) error {
			return os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(index(fmt.Sprint("image ", i))), 0o644)
		})
	})
	b.Run("registry", func(b *testing.B) {
		url, client := serve(b)
		among(b, 8, func(c int, i int64) error {
			return send(client, "PUT", fmt.Sprintf("%s/v2/app-%d/manifests/t%d", url, c, i), indexType, []byte(index(fmt.Sprint("image ", i))), 201)
		})
	})
}

// blobs are large and all different, and the client has next to nothing to do for that: they differ in the last bytes only, and
// the hash of what they have in common is kept.
type blobs struct {
	common []byte
	hashed hash.Cloner
}

func newBlobs(b *testing.B, common []byte) blobs {
	h, ok := sha256.New().(hash.Cloner)
	if !ok {
		b.Fatal("sha256 cannot be cloned")
	}
	_, _ = h.Write(common)
	return blobs{common, h}
}

func (s blobs) blob(i int64) (digest string, size int64, body io.Reader, err error) {
	h, err := s.hashed.Clone()
	if err != nil {
		return "", 0, nil, err
	}
	end := fmt.Appendf(nil, "blob %d", i)
	_, _ = h.Write(end)
	return fmt.Sprintf("sha256:%x", h.Sum(nil)), int64(len(s.common) + len(end)), io.MultiReader(bytes.NewReader(s.common), bytes.NewReader(end)), nil
}

// BenchmarkBlobPush is four clients that push blobs of 64 MiB, all different. The yardstick copies files of that size.
func BenchmarkBlobPush(b *testing.B) {
	const size = 64 << 20
	content := make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		b.Fatal(err)
	}
	b.Run("yardstick=file-copy", func(b *testing.B) {
		dir := b.TempDir()
		from := filepath.Join(dir, "from")
		if err := os.WriteFile(from, content, 0o644); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		among(b, 4, func(client int, i int64) error {
			in, err := os.Open(from)
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			defer out.Close()
			_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 256<<10)) // no reflink
			return err
		})
	})
	b.Run("registry", func(b *testing.B) {
		url, client := serve(b)
		all := newBlobs(b, content)
		b.SetBytes(size)
		among(b, 4, func(c int, i int64) error {
			digest, size, body, err := all.blob(i)
			if err != nil {
				return err
			}
			req, err := http.NewRequest("POST", fmt.Sprintf("%s/v2/app-%d/blobs/uploads/?digest=%s", url, c, digest), body)
			if err != nil {
				return err
			}
			req.ContentLength = size
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != 201 {
				return fmt.Errorf("blob: %d", resp.StatusCode)
			}
			return nil
		})
	})
}

// BenchmarkInventory lists a repository of 10,000 images, as one page of the cloud's list does first; its lock is held meanwhile.
func BenchmarkInventory(b *testing.B) {
	r, err := registry.New(registry.Options{Dir: b.TempDir(), Default: defaultID})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for i := range uint64(10_000) {
		c := events.Change{Kind: events.ImageCreated, Registry: defaultID, Repository: "app", Digest: digestOf(fmt.Sprint(i)), At: start}
		if err := r.Apply(i+1, []events.Change{c}); err != nil && !errors.Is(err, registry.ErrBytesMissing) {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if n := len(r.Images(defaultID, "app")); n != 10_000 {
			b.Fatal(n)
		}
	}
}
