package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/events"
)

// Whoever is killed leaves a folder as it is at any moment; the next one makes sense of it.
func TestAKilledRegistryIsRestored(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	layer := h.blob("app", "layer")
	h.blob("app", "deleted")
	h.want(202, "DELETE", "app/blobs/"+digestOf("deleted"), "")
	h.push("app", "v1", imageOf("layer"))
	h.want(202, "PATCH", h.begin("app"), "half a blob")

	lost := digestOf("lost")
	links, err := os.OpenFile(filepath.Join(dir, "links.1"), os.O_APPEND|os.O_WRONLY, 0)
	is.NoErr(err)
	_, err = links.WriteString("+ " + defaultID + "/app " + lost + "\n+ " + defaultID + "/app sha256:0123") // no bytes; half a line
	is.NoErr(err)
	is.NoErr(links.Close())

	second := open(t, dir, j) // h is not closed: what a kill leaves
	is.Equal(len(files(t, dir, "uploads")), 0)
	is.Equal(second.want(200, "GET", "app/blobs/"+layer, "").body, "layer")
	second.want(404, "GET", "app/blobs/"+digestOf("deleted"), "")
	second.want(404, "GET", "app/blobs/"+lost, "")
	is.Equal(second.want(400, "PUT", "app/manifests/v2", imageOf("lost")).code(), "MANIFEST_BLOB_UNKNOWN")
	is.Equal(second.want(200, "GET", "app/manifests/v1", "").body, imageOf("layer"))
	second.blob("app", "after")
	second.close()
	third := open(t, dir, j)
	third.want(200, "GET", "app/blobs/"+digestOf("after"), "") // the half line did not swallow it
}

func TestASnapshotSavesTheReplay(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.blob("app", "layer")
	h.push("app", "v1", imageOf("layer"))
	h.push("app", "v2", imageOf("layer"))
	h.push(otherID+"/app", "v1", index("a"))
	h.push("app", "gone", index("gone"))
	h.want(202, "DELETE", "app/manifests/"+digestOf(index("gone")), "")
	gone := digestOf(index("gone"))
	is.True(h.registry.HasManifest(gone)) // a replay may still ask for the deleted image's bytes
	is.NoErr(h.registry.Snapshot())
	is.True(!h.registry.HasManifest(gone))
	h.push("app", "v1", index("b"))
	h.close()

	h = open(t, dir, j)
	is.Equal(h.registry.From(), uint64(5))
	is.Equal(h.want(200, "GET", "_catalog", "").body, `{"repositories":["app","`+otherID+`/app"]}`)
	is.Equal(h.want(200, "GET", "app/tags/list", "").body, `{"name":"app","tags":["v1","v2"]}`)
	is.Equal(h.want(200, "GET", "app/manifests/v1", "").body, index("b"))
	is.Equal(h.want(200, "GET", "app/manifests/v2", "").body, imageOf("layer"))
	h.want(405, "DELETE", "app/blobs/"+digestOf("layer"), "")
	h.close()

	for _, broken := range []string{"", "{}\n", `{"version":1,"from":1}` + "\n" + `{"images":[{"digest":"../../etc"}]}`} {
		is.NoErr(os.WriteFile(filepath.Join(dir, "snapshot.json"), []byte(broken), 0o644))
		_, err := registry.New(registry.Options{Dir: dir})
		is.True(err != nil && strings.Contains(err.Error(), "snapshot")) // not taken for an empty registry
	}
}

func TestAnImageWithoutBytesIsReportedAndHealedByAPush(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.blob("app", "layer")
	h.push("app", "v1", imageOf("layer"))
	h.close()
	is.NoErr(os.Remove(filepath.Join(dir, "manifests.pack")))

	r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
	is.NoErr(err)
	is.True(errors.Is(r.Apply(1, j.records[0]), registry.ErrBytesMissing))
	is.NoErr(r.Apply(1, j.records[0])) // it has been applied all the same
	is.NoErr(r.Snapshot())
	is.NoErr(r.Close())

	h = open(t, dir, j)
	is.Equal(h.want(404, "GET", "app/manifests/v1", "").code(), "MANIFEST_UNKNOWN")
	h.push("app", "v1", imageOf("layer"))
	is.Equal(len(j.records), 1) // the image was never gone
	is.Equal(h.want(200, "GET", "app/manifests/v1", "").body, imageOf("layer"))
	h.want(405, "DELETE", "app/blobs/"+digestOf("layer"), "")
}

func TestAJournalThatLostItsEnd(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.push("app", "v1", index("a"))
	h.push("app", "v2", index("b"))
	is.NoErr(h.registry.Snapshot())
	h.close()

	r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
	is.NoErr(err)
	is.Equal(r.From(), uint64(2))
	is.NoErr(r.Rewind(1)) // the journal has lost record 2
	is.Equal(r.From(), uint64(1))
	is.NoErr(r.Close())

	j.records = j.records[:1]
	h = open(t, dir, j)
	h.push("app", "v3", index("c")) // record 2, again
	h.close()
	h = open(t, dir, j)
	is.Equal(h.want(200, "GET", "app/tags/list", "").body, `{"name":"app","tags":["v1","v2","v3"]}`)
}

// When nothing is left of the journal, the repositories are still listed.
func TestAJournalThatLostEverything(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.push("app", "v1", index("a"))
	is.NoErr(h.registry.Snapshot())
	h.close()

	r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
	is.NoErr(err)
	is.NoErr(r.Rewind(0))
	is.NoErr(r.Close())

	h = open(t, dir, &journal{})
	is.Equal(h.want(200, "GET", "_catalog", "").body, `{"repositories":["app"]}`)
	is.Equal(h.want(200, "GET", "app/tags/list", "").body, `{"name":"app","tags":["v1"]}`)
	h.push("app", "v2", index("b"))
	is.Equal(len(h.journal.records), 1)
}

func TestARecordThatIsNoneOfTheRegistrysIsRefused(t *testing.T) {
	is := is.New(t)
	r, err := registry.New(registry.Options{Dir: t.TempDir()})
	is.NoErr(err)
	defer r.Close()
	good := events.Change{Kind: events.ImageCreated, Registry: defaultID, Repository: "app", Digest: digestOf("x")}
	elsewhere, path, name := good, good, good
	elsewhere.Repository = "other"
	path.Digest = "sha256:../../../../etc/passwd"
	name.Repository = "../app"
	for _, record := range [][]events.Change{{good, elsewhere}, {path}, {name}} {
		err := r.Apply(1, record)
		is.True(err != nil && !errors.Is(err, registry.ErrBytesMissing))
	}
	is.NoErr(r.Apply(1, nil))
}
