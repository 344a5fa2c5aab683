package registry_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
)

// reader is a consumer that believes what it is told and refuses what cannot be.
type reader struct {
	images map[string]bool
	tags   map[string]string
}

func read(t *testing.T, records [][]events.Change) reader {
	t.Helper()
	r := reader{map[string]bool{}, map[string]string{}}
	for i, record := range records {
		for _, c := range record {
			if err := r.apply(c); err != nil {
				t.Fatalf("record %d: %v", i+1, err)
			}
		}
	}
	return r
}

func (r reader) apply(c events.Change) error {
	at, tagged := r.tags[c.Tag]
	switch c.Kind {
	case events.ImageCreated:
		if r.images[c.Digest] {
			return fmt.Errorf("image %s created twice", c.Digest)
		}
		r.images[c.Digest] = true
	case events.TagAttached:
		if !r.images[c.Digest] || tagged {
			return fmt.Errorf("tag %s attached to %s, which exists: %v; the tag is at %q", c.Tag, c.Digest, r.images[c.Digest], at)
		}
		r.tags[c.Tag] = c.Digest
	case events.TagDetached:
		if !tagged || at != c.Digest {
			return fmt.Errorf("tag %s detached from %s, it is at %q", c.Tag, c.Digest, at)
		}
		delete(r.tags, c.Tag)
	case events.ImageDeleted:
		if !r.images[c.Digest] || slices.Contains(slices.Collect(maps.Values(r.tags)), c.Digest) {
			return fmt.Errorf("image %s deleted, which exists: %v; tags %v", c.Digest, r.images[c.Digest], r.tags)
		}
		delete(r.images, c.Digest)
	}
	return nil
}

var (
	someTags   = []string{"a", "b", "c", "d", "e"}
	someImages = []string{index("0"), index("1"), index("2"), index("3"), index("4"), index("5"), index("6")}
)

// shake does n random things in one repository.
func (h *house) shake(rng *rand.Rand, n int) {
	for range n {
		repo := []string{"app", defaultID + "/app"}[rng.IntN(2)]
		m, tag := someImages[rng.IntN(len(someImages))], someTags[rng.IntN(len(someTags))]
		method, ref := "PUT", tag
		switch rng.IntN(10) {
		case 0, 1:
			method = "DELETE"
		case 2:
			method, ref = "DELETE", digestOf(m)
		case 3:
			ref = digestOf(m)
		case 4:
			ref = digestOf(m) + "?tag=" + tag + "&tag=" + someTags[rng.IntN(len(someTags))]
		}
		switch a := h.do(method, repo+"/manifests/"+ref, m); {
		case method == "PUT" && a.status != 201, method == "DELETE" && a.status != 202 && a.status != 404:
			h.t.Errorf("%s %s: %d %s", method, ref, a.status, a.body)
		}
	}
}

// state asks the registry what it has.
func (h *house) state() reader {
	h.t.Helper()
	r := reader{map[string]bool{}, map[string]string{}}
	var list struct{ Tags []string }
	if err := json.Unmarshal([]byte(h.want(200, "GET", "app/tags/list", "").body), &list); err != nil {
		h.t.Fatal(err)
	}
	for _, tag := range list.Tags {
		r.tags[tag] = h.want(200, "HEAD", "app/manifests/"+tag, "").header.Get("Docker-Content-Digest")
	}
	for _, m := range someImages {
		if d := digestOf(m); h.do("HEAD", "app/manifests/"+d, "").status == 200 {
			r.images[d] = true
			if got := h.want(200, "GET", "app/manifests/"+d, "").body; got != m {
				h.t.Errorf("%s: the bytes are not what was pushed", d)
			}
		}
	}
	return r
}

// Whatever eight clients do to one repository at once, whoever replays the records arrives where the registry is; so does a registry
// that starts from a snapshot taken in the middle.
func TestTheRecordsAreTheRegistry(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			is := is.New(t)
			dir, j := t.TempDir(), &journal{}
			for round := range uint64(3) {
				h := open(t, dir, j)
				if round > 0 {
					is.Equal(h.state(), read(t, j.records)) // restored
				}
				var wait sync.WaitGroup
				for worker := range uint64(8) {
					wait.Go(func() { h.shake(rand.New(rand.NewPCG(seed, round*8+worker)), 60) })
				}
				if round != 1 { // one restart has only the records since an older snapshot
					wait.Go(func() {
						if err := h.registry.Snapshot(); err != nil {
							t.Error(err)
						}
					})
				}
				wait.Wait()
				is.Equal(h.state(), read(t, j.records)) // after eight writers
				for seq := range len(j.records) / 2 {
					is.NoErr(h.registry.Apply(uint64(seq+1), j.records[seq])) // what it has seen changes nothing
				}
				is.Equal(h.state(), read(t, j.records))
				h.close()
			}
		})
	}
}
