package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// The emulator is killed so often on each of so many data folders, which live side by side.
const (
	lives   = 50
	folders = 4
)

// Whatever is killed when: every acknowledged push is in the registry, its events are on record once, and each of them was handed
// on or given up, never forgotten.
func TestKilledAtAnyMoment(t *testing.T) {
	for folder := range folders {
		t.Run(fmt.Sprint(folder), func(t *testing.T) {
			t.Parallel()
			killAgainAndAgain(t, t.TempDir())
		})
	}
}

func killAgainAndAgain(t *testing.T, data string) {
	acknowledged := map[string]string{} // tag → digest
	for life := range lives {
		p := start(t, "--addr", "127.0.0.1:0", "--data", data)
		for tag, digest := range acknowledged { // one of them, whichever the map gives
			if got := digestOfTag(t, p.url, tag); got != digest {
				t.Fatalf("life %d: tag %s is %q, was acknowledged as %s", life, tag, got, digest)
			}
			break
		}
		var pushers sync.WaitGroup
		var mu sync.Mutex
		for pusher := range 2 {
			pushers.Go(func() {
				for n := 0; ; n++ {
					tag := fmt.Sprintf("l%d-p%d-n%d", life, pusher, n)
					digest, err := tryPush(p.url, "app", tag)
					if err != nil {
						return // killed
					}
					mu.Lock()
					acknowledged[tag] = digest
					mu.Unlock()
				}
			})
		}
		<-time.After(rand.N(40 * time.Millisecond)) // the moment is the point of this test
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _ = p.wait()
		pushers.Wait()
	}
	t.Logf("%d pushes acknowledged in %d lives", len(acknowledged), lives)
	if len(acknowledged) < lives {
		t.Fatalf("only %d pushes were acknowledged: too few to show anything", len(acknowledged))
	}

	p := start(t, "--addr", "127.0.0.1:0", "--data", data)
	p.get(t, "/_regcast/quiet")
	for tag, digest := range acknowledged {
		if got := digestOfTag(t, p.url, tag); got != digest {
			t.Errorf("tag %s is %q, was acknowledged as %s", tag, got, digest)
		}
	}
	recorded, ended := readJournal(t, p)
	for tag, digest := range acknowledged {
		for _, kind := range []string{"create-image", "create-image-tag"} {
			ids := recorded[kind+" "+tag+" "+digest]
			if len(ids) != 1 {
				t.Errorf("%s of %s is on record %d times", kind, tag, len(ids))
				continue
			}
			if !ended[ids[0]] {
				t.Errorf("%s of %s (%s) was neither handed on nor given up", kind, tag, ids[0])
			}
		}
	}
	if t.Failed() {
		return
	}
	if _, err := p.stop(); err != nil {
		t.Fatal(err)
	}
}

// readJournal returns the ids of the recorded events by what they tell, and which events have come to an end.
func readJournal(t *testing.T, p *child) (recorded map[string][]string, ended map[string]bool) {
	t.Helper()
	recorded, ended = map[string][]string{}, map[string]bool{}
	lines := bufio.NewReader(bytes.NewReader(p.get(t, "/_regcast/journal")))
	for {
		data, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return recorded, ended
		}
		var line recording.Line
		if err := json.Unmarshal(data, &line); err != nil {
			t.Fatal(err)
		}
		switch {
		case line.Record != nil:
			for _, e := range line.Record.Events {
				c := line.Record.Changes[e.Of]
				what := e.Type + " " + c.Tag + " " + c.Digest
				recorded[what] = append(recorded[what], e.ID)
			}
		case line.Step != nil && slices.Contains([]string{events.StepDelivered, events.StepLost}, line.Step.What):
			for _, id := range line.Step.Events {
				ended[id] = true
			}
		}
	}
}

func (p *child) stop() (string, error) {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return "", err
	}
	return p.wait()
}

func push(t *testing.T, url, repository, tag string) string {
	t.Helper()
	digest, err := tryPush(url, repository, tag)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// tryPush pushes an image of one small blob; the tag makes it an image of its own.
func tryPush(url, repository, tag string) (digest string, err error) {
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	send := func(method, path, contentType string, body []byte) error {
		req, err := http.NewRequest(method, url+"/v2/"+repository+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", contentType)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusCreated {
			err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
		}
		return err
	}
	configDigest := fmt.Sprintf("sha256:%x", sha256.Sum256(config))
	if err := send("POST", "/blobs/uploads/?digest="+configDigest, "application/octet-stream", config); err != nil {
		return "", err
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"annotations":{"tag":%q},"layers":[],`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d}}`, mediaType, tag, configDigest, len(config))
	if err := send("PUT", "/manifests/"+tag, mediaType, manifest); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(manifest)), nil
}

func digestOfTag(t *testing.T, url, tag string) string {
	t.Helper()
	res, err := http.Head(url + "/v2/app/manifests/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Docker-Content-Digest")
}
