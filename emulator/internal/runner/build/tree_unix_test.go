//go:build unix

package build_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/runner/build"
)

const script = "#!/bin/sh\nexec cat lib/word.txt\n"

// scripted is a folder with a script and what it runs.
func scripted(t *testing.T) (dir string, s build.Source) {
	t.Helper()
	dir = folder(t, "bootstrap", script, "app.py", "one", "lib/word.txt", "one", "node_modules/x/index.js", "", "lib/__pycache__/app.pyc", "", ".git/HEAD", "")
	bootstrap := filepath.Join(dir, "bootstrap")
	if err := os.Chmod(bootstrap, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, build.Source{Executables: []string{bootstrap}}
}

func TestASumOfAScriptIsOfItsFolder(t *testing.T) {
	is := is.New(t)
	dir, s := scripted(t)
	sum := func() string {
		t.Helper()
		got, err := build.Build(t.Context(), build.Options{}, s)
		is.NoErr(err)
		return got.Sum
	}
	last := sum()
	is.Equal(sum(), last)
	for _, name := range []string{"node_modules/x/index.js", "lib/__pycache__/app.pyc", ".git/HEAD", ".env", "lib/.app.py.swp", "app.py~"} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), "changed")
		is.Equal(sum(), last) // nothing of the program
	}
	for _, name := range []string{"app.py", "lib/word.txt", "lib/new/module.py", "bootstrap"} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), script+"# changed\n")
		next := sum()
		is.True(next != last)
		last = next
	}
	own := build.Options{Dir: filepath.Join(dir, "data", "functions", "build")} // what regcast writes itself
	write(t, filepath.Join(dir, "data", "journal"), "")
	got, err := build.Build(t.Context(), own, s)
	is.NoErr(err)
	is.Equal(got.Sum, last)
	is.NoErr(os.RemoveAll(filepath.Join(dir, "lib", "new")))
	is.True(sum() != last)

	// A program that is no script is but its file.
	self, err := os.Executable()
	is.NoErr(err)
	data, err := os.ReadFile(self)
	is.NoErr(err)
	is.NoErr(os.WriteFile(filepath.Join(dir, "bootstrap"), data, 0o755))
	last = sum()
	write(t, filepath.Join(dir, "app.py"), "of no matter")
	is.Equal(sum(), last)
}

func TestWatchFollowsTheFolderOfAScript(t *testing.T) {
	is := is.New(t)
	dir, s := scripted(t)
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	w := watch(t, s)
	save(t, at("app.py"), "two")
	w.tells()
	save(t, at("lib/word.txt"), "two")
	w.tells()
	write(t, at("lib/deep/er/module.py"), "one") // its folders come with it
	w.tells()
	save(t, at("lib/deep/er/module.py"), "two")
	w.tells()
	is.NoErr(os.RemoveAll(at("lib/deep")))
	w.tells()
	is.NoErr(os.Remove(at("bootstrap")))
	w.tells()
	write(t, at("bootstrap"), script)
	is.NoErr(os.Chmod(at("bootstrap"), 0o755))
	w.tells()
	save(t, at("app.py"), "three")
	w.tells()
	is.NoErr(w.w.Close())
}

func TestWatchOfAScriptIsQuiet(t *testing.T) {
	is := is.New(t)
	dir, s := scripted(t)
	w := watch(t, s)
	for _, name := range []string{"node_modules/x/index.js", "node_modules/y", "lib/__pycache__/app.pyc", ".git/HEAD", ".env"} {
		save(t, filepath.Join(dir, filepath.FromSlash(name)), "changed")
	}
	save(t, filepath.Join(dir, "app.py"), "changed")
	<-w.clock.set
	is.NoErr(w.w.Close())
	is.Equal(len(w.clock.set), 0) // of nothing else
}

func TestTheFolderOfAScriptIsBounded(t *testing.T) {
	is := is.New(t)
	dir, s := scripted(t)
	for i := range 600 {
		is.NoErr(os.MkdirAll(filepath.Join(dir, "many", fmt.Sprint(i)), 0o755))
	}
	warned := make(chan error, 10)
	w := &watched{t: t, clock: quietly{clock.NewManual(time.Unix(0, 0)), make(chan struct{}, 100)}, changed: make(chan struct{}, 100)}
	var err error
	w.w, err = build.Watch(t.Context(), build.Options{Clock: w.clock, Quiet: time.Minute, Warn: func(err error) { warned <- err }}, s, func() { w.changed <- struct{}{} })
	is.NoErr(err)
	told := (<-warned).Error()
	is.True(strings.Contains(told, dir+" has more than 500 folders or 10000 files: changes in what comes after "+filepath.Join(dir, "many")))
	save(t, filepath.Join(dir, "app.py"), "two")
	w.tells()
	is.NoErr(w.w.Close())
	is.Equal(len(warned), 0) // once
}
