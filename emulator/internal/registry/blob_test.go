package registry_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/registry"
)

func TestBlobsComeInRanges(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	const content = "<html>0123456789"
	url := "app/blobs/" + h.blob("app", content)
	for _, tc := range []struct {
		want   string
		status int
		body   string
	}{
		{"bytes=6-8", 206, "012"},
		{"bytes=14-", 206, "89"},
		{"bytes=-1", 206, "9"},
		{"bytes=15-99", 206, "9"},
		{"bytes=16-", 416, ""},
		{"bytes=9-3", 416, ""},
	} {
		a := h.want(tc.status, "GET", url, "", "Range: "+tc.want)
		if tc.status == 206 {
			is.Equal(a.body, tc.body) // tc.want
		}
	}
	a := h.want(200, "HEAD", url, "")
	is.Equal(a.header.Get("Content-Length"), fmt.Sprint(len(content)))
	is.Equal(a.header.Get("Accept-Ranges"), "bytes")
	is.Equal(a.header.Get("Content-Type"), "application/octet-stream") // not text/html
	h.want(304, "GET", url, "", "If-None-Match: "+a.header.Get("ETag"))
}

func TestMount(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	d := h.blob("from", "content")
	for _, tc := range []struct {
		to, query string
		mounted   bool
	}{
		{"a", "&from=from", true},
		{"b", "&from=" + defaultID + "/from", true},
		{otherID + "/c", "&from=from", true},
		{"d", "", true}, // from wherever it is
		{"e", "&from=" + otherID + "/c", true},
		{"from", "&from=from", true},
		{"f", "&from=" + otherID + "/from", false},
		{"g", "&from=nowhere", false},
		{"h", "&from=Not/Valid", false},
	} {
		a := h.do("POST", tc.to+"/blobs/uploads/?mount="+d+tc.query, "")
		if !tc.mounted {
			is.Equal(a.status, 202) // an ordinary upload
			h.want(201, "PUT", a.header.Get("Location")+"?digest="+d, "content")
			continue
		}
		is.Equal(a.status, 201) // tc
		is.Equal(h.want(200, "GET", a.header.Get("Location"), "").body, "content")
	}
	h.want(202, "POST", "i/blobs/uploads/?mount="+digestOf("none"), "")
	h.want(202, "DELETE", "from/blobs/"+d, "")
	h.want(404, "GET", "from/blobs/"+d, "")
	is.Equal(h.want(200, "GET", "a/blobs/"+d, "").body, "content") // shared on disk, each repository's own
}

func TestABlobIsRemovedWithItsLastRepository(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	h := open(t, dir, &journal{})
	d := h.blob("a", "content")
	h.want(201, "POST", "b/blobs/uploads/?from=a&mount="+d, "")
	h.want(202, "DELETE", "a/blobs/"+d, "")
	is.Equal(len(files(t, dir, "blobs")), 1)
	is.Equal(h.want(404, "DELETE", "a/blobs/"+d, "").code(), "BLOB_UNKNOWN")
	h.want(202, "DELETE", "b/blobs/"+d, "")
	is.Equal(len(files(t, dir, "blobs")), 0)
	h.want(202, "POST", "c/blobs/uploads/?mount="+d, "") // it is nowhere
}

func TestABlobInUseIsKept(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	config, layer := h.blob("app", "{}"), h.blob("app", "layer")
	first, second := imageOf("{}", "layer"), imageOf("{}", "layer", "layer")
	h.push("app", "v1", first)
	h.push("app", "v2", second)
	h.close()
	h = open(t, dir, j) // who uses what is read from disk after a start
	for _, d := range []string{config, layer} {
		a := h.want(405, "DELETE", "app/blobs/"+d, "")
		is.Equal(a.code(), "UNSUPPORTED")
		is.True(strings.Contains(a.body, "in use"))
	}
	h.want(202, "DELETE", "app/manifests/"+digestOf(second), "")
	h.want(405, "DELETE", "app/blobs/"+layer, "")
	h.want(202, "DELETE", "app/manifests/"+digestOf(first), "")
	h.want(202, "DELETE", "app/blobs/"+layer, "")
	h.want(202, "DELETE", "app/blobs/"+config, "")
}

// zeros is a body that nobody holds in memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestABlobTakesNoMemory(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	const size = 64 << 20
	sum := sha256.New()
	_, err := io.CopyN(sum, zeros{}, size)
	is.NoErr(err)
	d := fmt.Sprintf("sha256:%x", sum.Sum(nil))
	allocated := func(status int, method, path string, body io.Reader) uint64 {
		req := httptest.NewRequest(method, "/v2/app/blobs/"+path, body)
		w := &discard{header: http.Header{}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.registry.ServeHTTP(w, req)
		runtime.ReadMemStats(&after)
		is.Equal(w.status, status)
		return after.TotalAlloc - before.TotalAlloc
	}
	is.True(allocated(201, "POST", "uploads/?digest="+d, io.LimitReader(zeros{}, size)) < 1<<20) // pushed
	is.True(allocated(200, "GET", d, nil) < 1<<20)                                               // pulled
}

// discard is a client that does not keep what it gets.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// A mount that was acknowledged holds, whatever becomes of the source in the same moment.
func TestAMountDoesNotRaceWithDeletes(t *testing.T) {
	h := open(t, t.TempDir(), &journal{}, func(o *registry.Options) { o.Limits.MaxUploads = 1 << 20 }) // a mount that fails opens one
	do := func(method, path, body string) int {
		w := httptest.NewRecorder()
		h.registry.ServeHTTP(w, httptest.NewRequest(method, "/v2/"+path, strings.NewReader(body)))
		return w.Code
	}
	d := digestOf("content")
	for i := range 1000 {
		do("POST", "from/blobs/uploads/?digest="+d, "content")
		var race sync.WaitGroup
		race.Go(func() { do("DELETE", "from/blobs/"+d, "") })
		mounted := do("POST", "to/blobs/uploads/?mount="+d+[]string{"&from=from", ""}[i%2], "") == 201
		race.Wait()
		if got := do("GET", "to/blobs/"+d, ""); (got == 200) != mounted {
			t.Fatalf("mounted is %v, and then GET is %d", mounted, got)
		}
		do("DELETE", "to/blobs/"+d, "")
	}
}

// Whatever pushes, mounts and deletes race with each other: an image that was acknowledged can be pulled whole.
func TestNoRaceLosesABlobInUse(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	repos := []string{"a", "b", "c"}
	layers := []string{"one", "two", "three"}
	var wait sync.WaitGroup
	for worker := range uint64(8) {
		wait.Go(func() {
			rng := rand.New(rand.NewPCG(9, worker))
			for range 80 {
				repo, layer := repos[rng.IntN(3)], layers[rng.IntN(3)]
				d, m := digestOf(layer), imageOf(layer)
				want := []int{202, 404}
				var a answer
				switch rng.IntN(6) {
				case 0:
					a, want = h.do("POST", repo+"/blobs/uploads/?digest="+d, layer), []int{201}
				case 1:
					a, want = h.do("POST", repo+"/blobs/uploads/?mount="+d+"&from="+repos[rng.IntN(3)], ""), []int{201, 202}
				case 2:
					a, want = h.do("POST", repo+"/blobs/uploads/?mount="+d, ""), []int{201, 202}
				case 3:
					a, want = h.do("DELETE", repo+"/blobs/"+d, ""), []int{202, 404, 405}
				case 4:
					a, want = h.do("PUT", repo+"/manifests/"+layer, m), []int{201, 400}
				case 5:
					a = h.do("DELETE", repo+"/manifests/"+digestOf(m), "")
				}
				if a.status != want[0] && a.status != want[len(want)-1] && a.status != want[len(want)/2] {
					t.Errorf("%d, want one of %v: %s", a.status, want, a.body)
				}
			}
		})
	}
	wait.Wait()
	whole := func() (images int) {
		for _, repo := range repos {
			for _, layer := range layers {
				if h.do("GET", repo+"/manifests/"+layer, "").status == 200 {
					images++
					is.Equal(h.want(200, "GET", repo+"/blobs/"+digestOf(layer), "").body, layer)
				}
			}
		}
		return images
	}
	before := whole()
	h.close()
	h = open(t, dir, j)
	is.Equal(whole(), before) // also after a start without a snapshot
	is.NoErr(h.registry.Snapshot())
	h.close()
	h = open(t, dir, j)
	is.Equal(whole(), before)
}
