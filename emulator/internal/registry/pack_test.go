package registry_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/registry"
)

// large is a manifest of about n bytes that names nothing.
func large(name string, n int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"name":%q,"pad":%q}}`,
		name, strings.Repeat("x", n))
}

func TestWhatAKillToreIsCutOff(t *testing.T) {
	whole := index("a")
	for name, torn := range map[string]string{
		"half a line":      digestOf("b"),
		"a line":           digestOf("b") + " 100\n",
		"half the bytes":   digestOf("b") + " 100\nhalf",
		"no newline":       digestOf("b") + " 4\nbyte",
		"garbage":          "\x00\x00\x00\n",
		"a wrong length":   digestOf("b") + " -1\n\n",
		"a huge length":    digestOf("b") + " 9223372036854775807\n",
		"no digest at all": "../../etc/passwd 4\nbyte\n",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir, j := t.TempDir(), &journal{}
			h := open(t, dir, j)
			h.push("app", "v1", whole)
			h.close()
			f, err := os.OpenFile(filepath.Join(dir, "manifests.pack"), os.O_APPEND|os.O_WRONLY, 0)
			is.NoErr(err)
			_, err = f.WriteString(torn)
			is.NoErr(err)
			is.NoErr(f.Close())

			h = open(t, dir, j)
			is.Equal(h.want(200, "GET", "app/manifests/v1", "").body, whole)
			h.push("app", "v2", index("b"))
			h.close()
			h = open(t, dir, j)
			is.Equal(h.want(200, "GET", "app/manifests/v1", "").body, whole)
			is.Equal(h.want(200, "GET", "app/manifests/v2", "").body, index("b")) // what came after is not lost with it
		})
	}
}

func TestDeletedManifestsGiveTheirRoomBack(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	const n, size = 10, 3 << 20
	for i := range n {
		h.push("app", fmt.Sprintf("v%d", i), large(fmt.Sprint(i), size))
	}
	for i := range n - 2 {
		h.want(202, "DELETE", "app/manifests/"+digestOf(large(fmt.Sprint(i), size)), "")
	}
	pack := filepath.Join(dir, "manifests.pack")
	before, err := os.Stat(pack)
	is.NoErr(err)
	is.True(before.Size() > n*size)
	is.NoErr(h.registry.Snapshot())
	after, err := os.Stat(pack)
	is.NoErr(err)
	is.True(after.Size() < 3*size) // two are left
	check := func() {
		for i := n - 2; i < n; i++ {
			is.Equal(h.want(200, "GET", fmt.Sprintf("app/manifests/v%d", i), "").body, large(fmt.Sprint(i), size))
		}
	}
	check()
	h.push("app", "more", index("more")) // at the end of the new file
	h.close()
	h = open(t, dir, j)
	check()
	is.Equal(h.want(200, "GET", "app/manifests/more", "").body, index("more"))
}

// A start that fails in the middle of its replay closes the registry, which takes a snapshot then. What has not been applied yet is
// nobody's, and must be there for the next start.
func TestASnapshotInTheMiddleOfAReplayLosesNothing(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	const n, size = 8, 3 << 20
	for i := range n {
		h.push("app", fmt.Sprintf("v%d", i), large(fmt.Sprint(i), size))
	}
	h.close()

	r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
	is.NoErr(err)
	is.NoErr(r.Apply(1, j.records[0]))
	is.NoErr(r.Snapshot())
	is.NoErr(r.Close())

	h = open(t, dir, j)
	for i := range n {
		h.want(200, "GET", fmt.Sprintf("app/manifests/v%d", i), "")
	}
}
