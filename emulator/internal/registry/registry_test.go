package registry_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	defaultID = "crpdefault0000000000"
	otherID   = "crpother000000000000"

	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// journal stands for the house's: it takes every record, unless it is told to fail.
type journal struct {
	mu      sync.Mutex
	records [][]events.Change // the record of sequence number n is records[n-1]
	err     error
}

func (j *journal) commit(_ context.Context, changes []events.Change) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return 0, j.err
	}
	j.records = append(j.records, append([]events.Change(nil), changes...))
	return uint64(len(j.records)), nil
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// take returns the changes since the last call, in short words.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, r := range j.records {
		for _, c := range r {
			out = append(out, strings.Join(strings.Fields(fmt.Sprint(c.Kind, " ", c.Tag, " ", c.Digest)), " "))
		}
	}
	j.records = nil
	return strings.Join(out, "\n")
}

// house is a registry behind real HTTP.
type house struct {
	t        testing.TB
	journal  *journal
	registry *registry.Registry
	server   *httptest.Server
}

// open starts a registry in dir that goes on with the journal, as the emulator does.
func open(t testing.TB, dir string, j *journal, change ...func(*registry.Options)) *house {
	t.Helper()
	o := registry.Options{Dir: dir, Commit: j.commit, Clock: clock.NewManual(start), Default: defaultID}
	for _, f := range change {
		f(&o)
	}
	r, err := registry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for seq := r.From() + 1; seq <= uint64(len(j.records)); seq++ {
		if err := r.Apply(seq, j.records[seq-1]); err != nil {
			t.Fatal(err)
		}
	}
	h := &house{t: t, journal: j, registry: r, server: httptest.NewServer(r)}
	t.Cleanup(h.close)
	return h
}

func (h *house) close() {
	if h.server == nil {
		return
	}
	h.server.Close()
	h.server = nil
	if err := h.registry.Close(); err != nil {
		h.t.Error(err)
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// code is the first error code of the body.
func (a answer) code() string {
	var body struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(a.body), &body) != nil || len(body.Errors) == 0 || body.Errors[0].Message == "" {
		return ""
	}
	return body.Errors[0].Code
}

// do sends a request below /v2/. Headers are given as "Name: value".
func (h *house) do(method, path, body string, headers ...string) answer {
	h.t.Helper()
	if !strings.HasPrefix(path, "/v2") {
		path = "/v2/" + path
	}
	req, err := http.NewRequest(method, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := h.server.Client().Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// want is do with the status that must come.
func (h *house) want(status int, method, path, body string, headers ...string) answer {
	h.t.Helper()
	a := h.do(method, path, body, headers...)
	if a.status != status {
		h.t.Fatalf("%s %s: %d, want %d: %.300s", method, path, a.status, status, a.body)
	}
	return a
}

// blob pushes a blob and returns its digest.
func (h *house) blob(repo, content string) string {
	h.t.Helper()
	d := digestOf(content)
	h.want(201, "POST", repo+"/blobs/uploads/?digest="+d, content)
	return d
}

// push puts a manifest under a tag or its digest.
func (h *house) push(repo, ref, manifest string) answer {
	h.t.Helper()
	return h.want(201, "PUT", repo+"/manifests/"+ref, manifest)
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// index is a manifest that names nothing, so that it can be pushed anywhere.
func index(name string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"annotations":{"name":%q}}`, indexType, name)
}

// imageOf is a manifest of a config and layers, all of which are blobs.
func imageOf(config string, layers ...string) string {
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	m := map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor{"application/vnd.oci.image.config.v1+json", digestOf(config), len(config)},
	}
	list := []descriptor{}
	for _, l := range layers {
		list = append(list, descriptor{"application/vnd.oci.image.layer.v1.tar", digestOf(l), len(l)})
	}
	m["layers"] = list
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(m); err != nil {
		panic(err)
	}
	return out.String()
}
