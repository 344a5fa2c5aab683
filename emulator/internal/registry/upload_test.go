package registry_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/registry"
)

// files lists what lies in a folder of the registry, deep.
func files(t *testing.T, dir ...string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(filepath.Join(dir...), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// begin opens an upload and returns its URL.
func (h *house) begin(repo string, query ...string) string {
	h.t.Helper()
	return h.want(202, "POST", repo+"/blobs/uploads/"+strings.Join(query, ""), "").header.Get("Location")
}

func TestUploadByEveryWay(t *testing.T) {
	const content = "the quick brown fox"
	d := digestOf(content)
	const sha512 = "sha512:015ca79a47cc6ea6d34afbda19eebde7d00ca7c8b7db4ae1f2be47d5dfcedc8eb7caa32e08d7a9b37c8f7b4b4bd8be72ab13ab8c0dd7a7db3bb5e1fb1d4c7c37"
	for name, push := range map[string]func(h *house) answer{
		"post": func(h *house) answer { return h.do("POST", "app/blobs/uploads/?digest="+d, content) },
		"post without a slash at the end": func(h *house) answer {
			return h.do("POST", "app/blobs/uploads?digest="+d, content)
		},
		"put": func(h *house) answer { return h.do("PUT", h.begin("app")+"?digest="+d, content) },
		"patch, put": func(h *house) answer {
			url := h.begin("app")
			h.want(202, "PATCH", url, content)
			return h.do("PUT", url+"?digest="+d, "")
		},
		"chunks": func(h *house) answer {
			url := h.begin("app")
			a := h.want(202, "PATCH", url, content[:5], "Content-Range: 0-4")
			is.New(t).Equal(a.header.Get("Range"), "0-4")
			h.want(202, "PATCH", url, content[5:10], "Content-Range: 5-9")
			return h.do("PUT", url+"?digest="+d, content[10:], fmt.Sprintf("Content-Range: 10-%d", len(content)-1))
		},
		"hashed by another algorithm": func(h *house) answer {
			url := h.begin("app", "?digest-algorithm=sha512")
			h.want(202, "PATCH", url, content)
			return h.do("PUT", url+"?digest="+d, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			h := open(t, dir, &journal{})
			a := push(h)
			is.Equal(a.status, 201)
			is.Equal(a.header.Get("Location"), "/v2/app/blobs/"+d)
			is.Equal(a.header.Get("Docker-Content-Digest"), d)
			got := h.want(200, "GET", a.header.Get("Location"), "")
			is.Equal(got.body, content)
			is.Equal(got.header.Get("Content-Type"), "application/octet-stream")
			h.want(404, "GET", "other/blobs/"+d, "") // visible where it was pushed, nowhere else
			is.Equal(len(files(t, dir, "uploads")), 0)
			is.Equal(h.journal.take(), "") // a blob is no event
		})
	}
	h := open(t, t.TempDir(), &journal{})
	a := h.want(400, "POST", "app/blobs/uploads/?digest="+sha512, content)
	is.New(t).Equal(a.code(), "DIGEST_INVALID")
}

func TestAnUploadIsWhatTheClientSaysOrNothing(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	h := open(t, dir, &journal{})
	d := digestOf("right")
	for _, tc := range []struct {
		name   string
		got    answer
		status int
		code   string
	}{
		{"wrong bytes", h.do("POST", "app/blobs/uploads/?digest="+d, "wrong"), 400, "DIGEST_INVALID"},
		{"wrong bytes in put", h.do("PUT", h.begin("app")+"?digest="+d, "wrong"), 400, "DIGEST_INVALID"},
		{"no digest", h.do("PUT", h.begin("app"), "right"), 400, "DIGEST_INVALID"},
		{"half a digest", h.do("POST", "app/blobs/uploads/?digest=sha256:abc", ""), 400, "DIGEST_INVALID"},
		{"unknown algorithm", h.do("POST", "app/blobs/uploads/?digest-algorithm=md5", ""), 400, "DIGEST_INVALID"},
		{"unknown upload", h.do("PATCH", "app/blobs/uploads/none", ""), 404, "BLOB_UPLOAD_UNKNOWN"},
		{"somebody else's upload", h.do("PATCH", strings.Replace(h.begin("app"), "app", "other", 1), "x"), 404, "BLOB_UPLOAD_UNKNOWN"},
		{"range out of order", h.do("PATCH", h.begin("app"), "right", "Content-Range: 5-9"), 416, "BLOB_UPLOAD_INVALID"},
		{"range not as long as the body", h.do("PATCH", h.begin("app"), "right", "Content-Range: 0-9"), 400, "SIZE_INVALID"},
		{"no range", h.do("PATCH", h.begin("app"), "right", "Content-Range: all"), 400, "BLOB_UPLOAD_INVALID"},
		{"name", h.do("POST", "App/blobs/uploads/", ""), 400, "NAME_INVALID"},
	} {
		is.Equal(tc.got.status, tc.status) // tc.name
		is.Equal(tc.got.code(), tc.code)   // tc.name
	}
	is.Equal(len(files(t, dir, "blobs")), 0)

	url := h.begin("app")
	h.want(202, "PATCH", url, "ri")
	a := h.want(416, "PATCH", url, "x", "Content-Range: 7-7")
	is.Equal(a.header.Get("Range"), "0-1") // where to go on
	a = h.want(204, "GET", a.header.Get("Location"), "")
	is.Equal(a.header.Get("Range"), "0-1")
	h.want(201, "PUT", url+"?digest="+d, "ght")

	// A body of no stated length is measured by its range, and taken back when it is longer.
	url = h.begin("app")
	h.want(202, "PATCH", url, "ri")
	for _, body := range []string{"ghtx", "g"} {
		req := httptest.NewRequest("PATCH", url, strings.NewReader(body))
		req.ContentLength = -1
		req.Header.Set("Content-Range", "2-4")
		w := httptest.NewRecorder()
		h.registry.ServeHTTP(w, req)
		is.Equal(w.Code, 400)
		is.Equal(h.want(204, "GET", url, "").header.Get("Range"), "0-1")
	}
	h.want(201, "PUT", url+"?digest="+d, "ght", "Content-Range: 2-4")

	url = h.begin("app")
	h.want(202, "PATCH", url, "never mind")
	h.want(204, "DELETE", url, "")
	h.want(404, "GET", url, "")
}

// watched tells of every request that has been answered, whether or not the client was still there.
func watched(t *testing.T, h *house) (address string, done chan string) {
	done = make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.registry.ServeHTTP(w, r)
		done <- r.Method
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), done
}

// cutOff sends a request that promises more bytes than it has, and hangs up.
func cutOff(t *testing.T, address, method, path, body string, headers ...string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n", method, path, len(body)+100, strings.Join(headers, ""))
	if _, err := io.WriteString(conn, head+body); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenConnectionIsResumedOrForgotten(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	h := open(t, dir, &journal{})
	address, done := watched(t, h)
	const content = "first half, second half"

	url := h.begin("app")
	cutOff(t, address, "PATCH", url, content[:11])
	<-done
	is.Equal(h.want(204, "GET", url, "").header.Get("Range"), "0-10") // what came has stayed
	h.want(201, "PUT", url+"?digest="+digestOf(content), content[11:])

	// A chunk that was cut counts as far as it came.
	url = h.begin("app")
	cutOff(t, address, "PATCH", url, content[:11], "Content-Range: 0-110\r\n")
	<-done
	is.Equal(h.want(204, "GET", url, "").header.Get("Range"), "0-10")
	h.want(204, "DELETE", url, "")

	cutOff(t, address, "POST", "/v2/app/blobs/uploads/?digest="+digestOf("never"), "nev")
	<-done
	cutOff(t, address, "PUT", "/v2/app/manifests/v1", index("a"))
	<-done
	is.Equal(len(files(t, dir, "uploads")), 0)
	h.want(404, "GET", "app/manifests/v1", "")
	is.Equal(h.journal.take(), "")
}

func TestOneRequestAtATimeWritesToAnUpload(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	url := h.begin("app")
	body, feed := io.Pipe()
	req, err := http.NewRequest("PATCH", h.server.URL+url, body)
	is.NoErr(err)
	// The body goes off when the server asks for it, which it does when the handler has the upload.
	req.Header.Set("Expect", "100-continue")
	transport := h.server.Client().Transport.(*http.Transport)
	transport.ExpectContinueTimeout = time.Hour
	answered := make(chan int)
	go func() {
		defer close(answered)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	_, err = io.WriteString(feed, "first")
	is.NoErr(err)
	is.Equal(h.want(409, "PATCH", url, "me too").code(), "BLOB_UPLOAD_INVALID")
	is.NoErr(feed.Close())
	is.Equal(<-answered, 202)
	h.want(201, "PUT", url+"?digest="+digestOf("first"), "")
}

func TestUploadsAreLimitedInNumber(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{}, func(o *registry.Options) { o.Limits.MaxUploads = 2 })
	first := h.begin("a")
	h.begin("b")
	a := h.want(429, "POST", "c/blobs/uploads/", "")
	is.Equal(a.code(), "TOOMANYREQUESTS")
	is.Equal(h.do("POST", "c/blobs/uploads/?digest="+digestOf("x"), "x").code(), "TOOMANYREQUESTS")
	h.want(204, "DELETE", first, "")
	h.blob("c", "x")
	h.begin("c")
}

func TestUploadsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
		is.NoErr(err)
		do := func(method, path, body string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			return w
		}
		idle := do("POST", "/v2/app/blobs/uploads/", "").Header().Get("Location")
		is.Equal(do("PATCH", idle, "bytes").Code, 202)
		used := do("POST", "/v2/app/blobs/uploads/", "").Header().Get("Location")
		is.Equal(do("PATCH", used, "bytes").Code, 202)
		<-time.After(45 * time.Minute)
		is.Equal(do("PATCH", used, ", more").Code, 202)
		is.Equal(len(files(t, dir, "uploads")), 2)
		<-time.After(30 * time.Minute)
		synctest.Wait()
		is.Equal(len(files(t, dir, "uploads")), 1) // nobody had to ask
		is.Equal(do("GET", idle, "").Code, 404)
		is.Equal(do("GET", used, "").Code, 204)
		<-time.After(2 * time.Hour)
		synctest.Wait()
		is.Equal(len(files(t, dir, "uploads")), 0)
		is.NoErr(r.Close())
	})
}

// By a clock that is moved by hand, too, nobody gets at an upload whose time is over.
func TestAnExpiredUploadIsGoneAtOnce(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	h := open(t, t.TempDir(), &journal{}, func(o *registry.Options) { o.Clock = c })
	url := h.begin("app")
	c.Advance(time.Hour - 1)
	h.want(202, "PATCH", url, "x")
	c.Advance(time.Hour - 1)
	h.want(204, "GET", url, "")
	c.Advance(time.Hour)
	is.Equal(h.want(404, "GET", url, "").code(), "BLOB_UPLOAD_UNKNOWN")
}

func TestAFullDiskIsAClearErrorAndLeavesNothing(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	h := open(t, dir, &journal{})
	var room atomic.Int64 // bytes
	h.registry.BreakDisk(func(f *os.File, p []byte) (int, error) {
		if left := room.Add(-int64(len(p))); left < 0 {
			n, _ := f.Write(p[:max(0, int64(len(p))+left)])
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return f.Write(p)
	})
	refused := func(a answer) {
		t.Helper()
		is.Equal(a.status, 507)
		is.Equal(a.code(), "UNAVAILABLE")
		is.True(strings.Contains(a.body, "no space left"))
	}
	const content = "0123456789"
	refused(h.do("POST", "app/blobs/uploads/?digest="+digestOf(content), content))
	refused(h.do("PUT", "app/manifests/v1", index("a")))
	room.Store(int64(len(content)))
	refused(h.do("POST", "app/blobs/uploads/?digest="+digestOf(content), content)) // the blob fits, its link does not
	h.want(404, "GET", "app/blobs/"+digestOf(content), "")
	is.Equal(len(files(t, dir, "uploads"))+len(files(t, dir, "blobs")), 0)

	room.Store(5)
	url := h.begin("app")
	h.want(202, "PATCH", url, content[:2])
	refused(h.do("PATCH", url, content[2:]))
	is.Equal(h.want(204, "GET", url, "").header.Get("Range"), "0-1") // as if the chunk had never come
	room.Store(1 << 20)
	h.want(202, "PATCH", url, content[2:])
	h.want(201, "PUT", url+"?digest="+digestOf(content), "")
	h.push("app", "v1", index("a"))

	room.Store(0)
	is.True(h.registry.Snapshot() != nil)
	room.Store(1 << 20)
	is.NoErr(h.registry.Snapshot())
	h.close()
	h = open(t, dir, h.journal)
	is.Equal(h.want(200, "GET", "app/blobs/"+digestOf(content), "").body, content) // the torn line of the links did no harm
}
