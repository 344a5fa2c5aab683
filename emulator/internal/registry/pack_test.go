package registry_test

import (
	"errors"
	"fmt"
	"io/fs"
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

// Damage in the middle of the file costs what it hit and nothing behind it.
func TestDamageCostsOnlyWhatItHit(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	hit := index("b")
	head := fmt.Sprintf("%s %d\n", digestOf(hit), len(hit))
	over := len(fmt.Sprintf("\n%s %d", digestOf(index("c")), len(index("c")))) // from one newline to the next
	longer := fmt.Sprintf("%s %d\n", digestOf(hit), len(hit)+over)
	for name, damage := range map[string][2]string{
		"the digest":                         {head, "x" + head[1:]},
		"another digest":                     {head, strings.Replace(head, digestOf(hit), digestOf("another"), 1)},
		"the length":                         {head, strings.Replace(head, " ", "x", 1)},
		"a length of a byte less":            {head, fmt.Sprintf("%s %d\n", digestOf(hit), len(hit)-1)},
		"a length up to another newline":     {head, longer},
		"a length beyond the file":           {head, fmt.Sprintf("%s %d\n", digestOf(hit), len(hit)+900)},
		"the end of the line":                {head, head[:len(head)-1] + " "},
		"the bytes":                          {hit, "X" + hit[1:]},
		"what looks like an entry, in bytes": {hit, (digestOf("") + " 1\n" + hit)[:len(hit)]},
		"the newline at the end":             {hit + "\n", hit + " "},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dir, j := t.TempDir(), &journal{}
			h := open(t, dir, j)
			for _, n := range names {
				h.push("app", n, index(n))
			}
			h.close()
			path := filepath.Join(dir, "manifests.pack")
			data, err := os.ReadFile(path)
			is.NoErr(err)
			is.Equal(strings.Count(string(data), damage[0]), 1)
			is.NoErr(os.WriteFile(path, []byte(strings.Replace(string(data), damage[0], damage[1], 1)), 0o644))

			r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
			is.NoErr(err)
			for i, changes := range j.records {
				if err := r.Apply(uint64(i+1), changes); err != nil {
					is.True(errors.Is(err, registry.ErrBytesMissing))
					is.Equal(changes[0].Digest, digestOf(hit))
				}
			}
			is.NoErr(r.Snapshot())
			is.NoErr(r.Close())

			h = open(t, dir, j)
			for _, n := range names {
				if n != "b" {
					is.Equal(h.want(200, "GET", "app/manifests/"+n, "").body, index(n))
				}
			}
			if a := h.do("GET", "app/manifests/b", ""); a.status != 404 {
				is.Equal(a.body, hit) // the newline is not part of it
			}
			h.push("app", "b", hit)
			is.Equal(h.want(200, "GET", "app/manifests/b", "").body, hit)
			is.Equal(len(j.records), len(names)) // it was never gone
			h.close()

			h = open(t, dir, j)
			for _, n := range names {
				is.Equal(h.want(200, "GET", "app/manifests/"+n, "").body, index(n))
			}
		})
	}
}

// A client that pushes without having asked heals the damage, too.
func TestAPushHealsDamageThatNobodyHasSeen(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.push("app", "v1", index("a"))
	path := filepath.Join(dir, "manifests.pack")
	data, err := os.ReadFile(path)
	is.NoErr(err)
	is.NoErr(os.WriteFile(path, []byte(strings.Replace(string(data), "{", "[", 1)), 0o644))
	h.push("app", "v1", index("a"))
	is.Equal(h.want(200, "GET", "app/manifests/v1", "").body, index("a"))
}

func TestACompactionThatAKillEndedIsRemoved(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	left := filepath.Join(dir, "manifests.pack.new")
	is.NoErr(os.WriteFile(left, []byte("half"), 0o644))
	open(t, dir, &journal{})
	_, err := os.Stat(left)
	is.True(errors.Is(err, fs.ErrNotExist))
}
