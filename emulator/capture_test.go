package emulator_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording/foreign"
)

// objects is a bucket.
type objects struct {
	mu   sync.Mutex
	kept map[string]string // by path
	fail int               // how many requests are refused first
}

func (o *objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.Method != http.MethodPut || !strings.HasPrefix(r.URL.Path, "/mine/regcast/"):
		w.WriteHeader(http.StatusBadRequest)
	case r.Header.Get("Authorization") == "" && r.Header.Get("X-YaCloud-SubjectToken") == "":
		w.WriteHeader(http.StatusForbidden)
	case o.fail > 0:
		o.fail--
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		o.kept[r.URL.Path] = string(body)
	}
}

// text is all objects in the order of their keys, as `aws s3 sync` and cat leave them.
func (o *objects) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var keys []string
	for k := range o.kept {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var all strings.Builder
	for _, k := range keys {
		all.WriteString(o.kept[k])
	}
	return all.String()
}

// told is what foreign makes of what was captured: the ids of the events in order, and their bodies.
func told(t *testing.T, text string) (ids, bodies []string) {
	t.Helper()
	for i, err := range foreign.Read(strings.NewReader(text), foreign.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i.Skipped != "" {
			t.Logf("%s: %s", i.Place, i.Skipped)
			continue
		}
		for _, e := range i.Recorded.Record.Events {
			ids, bodies = append(ids, e.ID), append(bodies, string(e.Body))
		}
	}
	return ids, bodies
}

// published is what the emulator has said of images itself, in one cloud's words.
func published(t *testing.T, em *emulatortest.Emulator, source string) (bodies []string) {
	t.Helper()
	res, err := http.Get(em.URL() + "/_regcast/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for i, err := range foreign.Read(res.Body, foreign.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if i.Skipped != "" { // a step
			continue
		}
		for _, e := range i.Recorded.Record.Events {
			if e.Source == source {
				bodies = append(bodies, string(e.Body))
			}
		}
	}
	return bodies
}

// What template.yaml's Capture keeps, in a bucket or in its log, reads back as what was sent.
func TestCaptureOnAWS(t *testing.T) {
	for _, to := range []string{"mine", "log"} {
		t.Run(to, func(t *testing.T) {
			is := is.New(t)
			bucket := &objects{kept: map[string]string{}}
			s := httptest.NewServer(bucket)
			defer s.Close()
			file := read(t, "../template.yaml")
			file.Data = bytes.Replace(file.Data, []byte("          REGCAST_BUCKET:"), []byte("          REGCAST_ENDPOINT: "+s.URL+"\n          REGCAST_BUCKET:"), 1)
			var mu sync.Mutex
			var log strings.Builder
			em := emulatortest.Start(t, emulator.Config{
				Template: &emulator.Template{File: file, Dir: "..", Parameters: map[string]string{"CaptureTo": to}}, StrictAuth: true,
				FunctionLog: func(function, line string) {
					mu.Lock()
					defer mu.Unlock()
					if function == "Capture" {
						log.WriteString(line + "\n")
					}
				},
			})
			em.Push("team/app:v1")
			em.Push("team/app:v2")
			em.Flush()
			text := bucket.text()
			if to == "log" {
				mu.Lock()
				text = log.String()
				mu.Unlock()
			}
			_, got := told(t, text)
			want := published(t, em, "aws")
			is.Equal(len(want), 2)
			slices.Sort(got) // a rule's function is called for each event at once
			slices.Sort(want)
			is.Equal(got, want)
		})
	}
}

// The function of functions/yandex behind a trigger; the bucket is down for its first request.
func TestCaptureOnYandex(t *testing.T) {
	is := is.New(t)
	bucket := &objects{kept: map[string]string{}, fail: 1}
	s := httptest.NewServer(bucket)
	defer s.Close()
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{
		Clock: clock,
		Triggers: []emulator.File{{Name: "capture.yaml", Data: []byte(`
name: capture
rule:
  container_registry:
    registry_id: crpregcastregistry00
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE, CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    batch_settings: {size: "10", cutoff: 1s}
    invoke_function:
      function_id: d4ecapture0000000000
      service_account_id: ajeregcast0000000000
      retry_settings: {retry_attempts: "5", interval: 10s}
`)}},
		CloudFunctions: []emulator.CloudFunction{{ID: "d4ecapture0000000000", Package: "../functions/yandex", Entry: "index.Capture", Timeout: time.Minute,
			Env: map[string]string{"REGCAST_BUCKET": "mine", "REGCAST_ENDPOINT": s.URL}}},
		FunctionLog: logged(t),
	})
	em.Push("team/app:v1")
	em.Flush()
	clock.Advance(time.Second) // the batch goes
	em.Flush()
	is.Equal(bucket.text(), "")
	clock.Advance(10 * time.Second) // the trigger tries again
	em.Flush()
	_, got := told(t, bucket.text())
	is.Equal(got, published(t, em, "yandex"))
	is.Equal(len(got), 2)
}
