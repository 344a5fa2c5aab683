package emulatortest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// verdict is a testing.TB that keeps what Golden says.
type verdict struct {
	testing.TB
	failed bool
	said   string
}

func (v *verdict) Helper()                   {}
func (v *verdict) Logf(f string, a ...any)   { v.said += fmt.Sprintf(f, a...) + "\n" }
func (v *verdict) Errorf(f string, a ...any) { v.failed = true; v.Logf(f, a...) }
func (v *verdict) Fatalf(f string, a ...any) { v.Errorf(f, a...); runtime.Goexit() }

func golden(t *testing.T, file string, o emulatortest.GoldenOptions) *verdict {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() { // since Fatalf ends it
		defer close(done)
		emulatortest.Golden(v, file, o)
	}()
	<-done
	return v
}

const (
	posting = `
name: posting
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    invoke_function: {function_id: d4epost, service_account_id: aje, retry_settings: {retry_attempts: "2", interval: 10s}}
`
	spec = `
openapi: 3.0.0
info: {title: g, version: "1"}
paths:
  /ws:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4econnect, service_account_id: aje}}
`
)

// handler posts each event to all who have connected. It is wrong in at most one way.
type handler struct {
	drops    bool // one event in fifty
	doubles  bool // posts again what it has posted when a batch is tried again
	wantGone bool // takes 410 for a failure

	url   string
	all   []string // connections
	n     int
	tried map[string]bool
}

func (h *handler) functions(t *testing.T, l net.Listener) map[string]emulator.Function {
	h.url, h.tried = "http://"+l.Addr().String()+"/apigateways/websocket/v1/connections/", map[string]bool{}
	return map[string]emulator.Function{"d4econnect": function(h.connect), "d4epost": function(h.post)}
}

type function func(ctx context.Context, payload []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

func (h *handler) connect(_ context.Context, payload []byte) ([]byte, error) {
	var e struct {
		Context struct{ ConnectionID string } `json:"requestContext"`
	}
	err := json.Unmarshal(payload, &e)
	h.all = append(h.all, e.Context.ConnectionID)
	return []byte(`{"statusCode":200}`), err
}

func (h *handler) post(_ context.Context, payload []byte) ([]byte, error) {
	tried := h.tried[string(payload)]
	if !tried {
		h.n++
	}
	h.tried[string(payload)] = true
	if h.drops && h.n == 50 || tried && !h.doubles {
		return []byte("{}"), nil
	}
	body, _ := json.Marshal(map[string]any{"type": "TEXT", "data": payload}) // plain values
	for i := 0; i < len(h.all); i++ {
		res, err := http.Post(h.url+h.all[i]+":send", "application/json", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK:
		case res.StatusCode >= 400 && h.wantGone:
			return nil, errors.New("post: " + res.Status)
		default:
			h.all = append(h.all[:i], h.all[i+1:]...)
			i--
		}
	}
	if h.n == 20 && !tried {
		return nil, errors.New("it has posted and cannot say so")
	}
	return []byte("{}"), nil
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run writes a recording of sixty pushes for two clients, the first of whom leaves after thirty.
func run(t *testing.T, dir string) string {
	is := is.New(t)
	file := filepath.Join(dir, "run.regcast.jsonl")
	out, err := os.Create(file)
	is.NoErr(err)
	l := listen(t)
	em := emulatortest.Start(t, emulator.Config{
		Listener: l, Functions: new(handler).functions(t, l), Record: out, Frozen: true,
		Triggers: []emulator.File{{Name: filepath.Join(dir, "posting.yaml"), Data: []byte(posting)}},
		Gateways: []emulator.Gateway{{ID: "d5dposts", File: emulator.File{Name: filepath.Join(dir, "posts.yaml"), Data: []byte(spec)}}},
	})
	is.NoErr(os.WriteFile(filepath.Join(dir, "posting.yaml"), []byte(posting), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(dir, "posts.yaml"), []byte(spec), 0o600))
	url := strings.Replace(em.URL(), "http", "ws", 1) + "/gw/d5dposts/ws"
	leaving, staying := em.Dial(url), em.Dial(url+"?who=staying")
	for n := range 60 {
		em.Push(fmt.Sprintf("team/app:v%d", n))
		is.NoErr(em.Advance(t.Context(), 5*time.Second))
		if n == 30 {
			leaving.Close()
			em.Flush()
		}
	}
	is.NoErr(em.EndRecord())
	is.NoErr(out.Close())
	staying.Close()
	return file
}

// A recording is a test of today's code: it passes with the code that it was made with, and tells of every fault in what differs.
func TestGoldenCatchesBrokenHandlers(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	file := run(t, dir)
	with := func(h handler) emulatortest.GoldenOptions {
		l := listen(t)
		o := emulatortest.GoldenOptions{Functions: h.functions(t, l)}
		o.Listener = l
		return o
	}
	if v := golden(t, file, with(handler{})); v.failed || strings.Contains(v.said, "differs") {
		t.Error(v.said)
	}
	for _, tc := range []struct {
		wrong handler
		says  string
	}{
		{handler{drops: true}, "lost"},
		{handler{doubles: true}, "doubled"},
		{handler{wantGone: true}, "lost"},
	} {
		v := golden(t, file, with(tc.wrong))
		if !v.failed || !strings.Contains(v.said, "today's run differs from "+file) || !strings.Contains(v.said, tc.says) {
			t.Errorf("%+v: failed %v; it does not say %q:\n%s", tc.wrong, v.failed, tc.says, v.said)
		}
	}
	// A filter that is changed, today, in the file: nothing of what it keeps away comes.
	is.NoErr(os.WriteFile(filepath.Join(dir, "posting.yaml"), []byte(strings.Replace(posting, "batch_settings:", "tag: v7\n    batch_settings:", 1)), 0o600))
	v := golden(t, file, with(handler{}))
	is.True(v.failed)
	is.True(strings.Contains(v.said, "lost"))
	// That is what is wanted now: then it passes.
	o := with(handler{})
	o.Accept = true
	v = golden(t, file, o)
	is.True(!v.failed)
	if v = golden(t, file, with(handler{})); v.failed {
		t.Error(v.said)
	}
}

func TestGoldenSaysWhatIsWrongWithItsFile(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	file := run(t, dir)
	whole, err := os.ReadFile(file)
	is.NoErr(err)
	torn := filepath.Join(dir, "torn.jsonl")
	is.NoErr(os.WriteFile(torn, whole[:len(whole)-len(whole)/3], 0o600))
	for path, want := range map[string]string{
		file:                           "the functions d4econnect, d4epost ran in the process that made the recording: give them as GoldenOptions.Functions",
		torn:                           "torn",
		filepath.Join(dir, "no.jsonl"): "make it with `regcast record -o",
	} {
		o := emulatortest.GoldenOptions{}
		if path == torn {
			l := listen(t)
			o.Functions, o.Listener = new(handler).functions(t, l), l
		}
		v := golden(t, path, o)
		if !v.failed || !strings.Contains(v.said, want) {
			t.Errorf("%s: it does not say %q:\n%s", path, want, v.said)
		}
	}
}
