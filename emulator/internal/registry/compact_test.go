package registry_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// wasteful is a house whose pack is worth a compaction; the image "kept" is what is left.
func wasteful(t *testing.T, dir string, j *journal) *house {
	t.Helper()
	h := open(t, dir, j)
	h.push("app", "kept", large("kept", 64<<10))
	for i := range 6 {
		h.push("app", "gone", large(fmt.Sprint(i), 3<<20))
		h.want(202, "DELETE", "app/manifests/"+digestOf(large(fmt.Sprint(i), 3<<20)), "")
	}
	return h
}

// size of the pack, to tell whether it was compacted.
func size(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "manifests.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// The compaction stands still in its first write until others have pushed, read and deleted: they do not wait for it.
func TestNobodyWaitsForACompaction(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := wasteful(t, dir, j)
	h.push("app", "old", index("old"))
	var once sync.Once
	h.registry.BreakDisk(func(f *os.File, p []byte) (int, error) {
		if strings.HasSuffix(f.Name(), ".new") {
			once.Do(func() {
				h.push("app", "new", index("new"))
				h.push("app", "passing", index("passing"))
				h.want(202, "DELETE", "app/manifests/"+digestOf(index("passing")), "")
				h.want(202, "DELETE", "app/manifests/"+digestOf(index("old")), "")
				is.Equal(h.want(200, "GET", "app/manifests/new", "").body, index("new"))
				is.Equal(h.want(200, "GET", "app/manifests/kept", "").body, large("kept", 64<<10))
			})
		}
		return f.Write(p)
	})
	is.NoErr(h.registry.Snapshot())
	is.True(size(t, dir) < 1<<20)
	check := func() {
		t.Helper()
		is.Equal(h.want(200, "GET", "app/manifests/new", "").body, index("new"))
		is.Equal(h.want(200, "GET", "app/manifests/kept", "").body, large("kept", 64<<10))
		is.Equal(h.want(200, "GET", "app/tags/list", "").body, `{"name":"app","tags":["kept","new"]}`)
	}
	check()
	h.close()
	h = open(t, dir, j)
	check()
}

func TestPushesReadsAndDeletesDuringCompactions(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := wasteful(t, dir, j)
	began := make(chan struct{})
	var once sync.Once
	h.registry.BreakDisk(func(f *os.File, p []byte) (int, error) {
		if strings.HasSuffix(f.Name(), ".new") {
			once.Do(func() { close(began) })
		}
		return f.Write(p)
	})
	const clients, rounds = 4, 10
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			<-began
			repo := fmt.Sprintf("app%d", c)
			for i := range rounds {
				tag, body := fmt.Sprintf("v%d", i), index(fmt.Sprint(c, i))
				if a := h.do("PUT", repo+"/manifests/"+tag, body); a.status != 201 {
					t.Error(a)
				}
				if a := h.do("GET", repo+"/manifests/"+tag, ""); a.body != body {
					t.Error(a)
				}
				if i%2 == 1 {
					if a := h.do("DELETE", repo+"/manifests/"+digestOf(body), ""); a.status != 202 {
						t.Error(a)
					}
				}
			}
		})
	}
	is.NoErr(h.registry.Snapshot())
	wait.Wait()
	is.True(size(t, dir) < 1<<20)
	is.NoErr(h.registry.Snapshot())
	h.close()

	h = open(t, dir, j)
	is.Equal(h.want(200, "GET", "app/manifests/kept", "").body, large("kept", 64<<10))
	for c := range clients {
		for i := range rounds {
			a := h.do("GET", fmt.Sprintf("app%d/manifests/v%d", c, i), "")
			if i%2 == 1 {
				is.Equal(a.status, 404)
			} else {
				is.Equal(a.body, index(fmt.Sprint(c, i)))
			}
		}
	}
}

func TestACompactionThatFailsChangesNothing(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := wasteful(t, dir, j)
	h.registry.BreakDisk(func(f *os.File, p []byte) (int, error) {
		if strings.HasSuffix(f.Name(), ".new") {
			return 0, syscall.ENOSPC
		}
		return f.Write(p)
	})
	before := size(t, dir)
	is.True(errors.Is(h.registry.Snapshot(), syscall.ENOSPC))
	is.Equal(size(t, dir), before)
	is.Equal(h.want(200, "GET", "app/manifests/kept", "").body, large("kept", 64<<10))
	_, err := os.Stat(filepath.Join(dir, "manifests.pack.new"))
	is.True(os.IsNotExist(err))
}
