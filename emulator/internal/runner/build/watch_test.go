package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/runner/build"
)

// quietly is a clock that tells when a timer is set.
type quietly struct {
	*clock.Manual
	set chan struct{}
}

func (q quietly) NewTimer(d time.Duration) clock.Timer { return told{q.Manual.NewTimer(d), q.set} }

type told struct {
	clock.Timer
	set chan struct{}
}

func (t told) Reset(d time.Duration) {
	t.Timer.Reset(d)
	t.set <- struct{}{}
}

// watched is a watcher whose time passes as soon as it waits for it.
type watched struct {
	t       *testing.T
	w       *build.Watcher
	clock   quietly
	changed chan struct{}
}

func watch(t *testing.T, s build.Source) *watched {
	t.Helper()
	// Nobody listens all the time, so the channels have room for all that a test sets off.
	w := &watched{t: t, clock: quietly{clock.NewManual(time.Unix(0, 0)), make(chan struct{}, 100)}, changed: make(chan struct{}, 100)}
	var err error
	w.w, err = build.Watch(t.Context(), build.Options{Clock: w.clock, Quiet: time.Minute, Warn: func(err error) { t.Error(err) }}, s,
		func() { w.changed <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// tells waits until the watcher has told of a change.
func (w *watched) tells() {
	w.t.Helper()
	for {
		select {
		case <-w.clock.set:
			w.clock.Advance(time.Minute)
		case <-w.changed:
			return
		case <-w.t.Context().Done():
			w.t.Fatal("the watcher says nothing")
		}
	}
}

// save writes as editors do: the file is there at once, so there is one event, and none is left over for the next step of a test.
func save(t *testing.T, path, text string) {
	t.Helper()
	part := filepath.Join(t.TempDir(), "part")
	write(t, part, text)
	if err := os.Rename(part, path); err != nil {
		t.Fatal(err)
	}
}

func TestWatchTellsOfAnExecutable(t *testing.T) {
	is := is.New(t)
	root := t.TempDir()
	path := filepath.Join(root, ".aws-sam", "build", "Fn", "bootstrap")
	w := watch(t, build.Source{Executables: []string{path}})
	write(t, path, "one") // its folders come with it
	w.tells()
	save(t, path, "two")
	w.tells()
	is.NoErr(os.Chmod(path, 0o755))
	w.tells()
	is.NoErr(os.RemoveAll(filepath.Join(root, ".aws-sam", "build"))) // as sam build begins
	w.tells()
	write(t, path, "three")
	w.tells()
	away := filepath.Join(root, "away")
	is.NoErr(os.Rename(filepath.Dir(path), away))
	w.tells()
	write(t, filepath.Join(away, "bootstrap"), "four")
	is.NoErr(os.Rename(away, filepath.Dir(path)))
	w.tells()
}

func TestWatchFollowsThePackagesOfAModule(t *testing.T) {
	is := is.New(t)
	root := folder(t, "mod/go.mod", strings.ReplaceAll(module, "\n\ngo", "\n\nrequire example.test/near v0.0.0\n\nreplace example.test/near => ../near\n\ngo"),
		"mod/fn/main.go", "package main\n\nimport (\n\t\"example.test/fn/say\"\n\t\"example.test/near\"\n)\n\nfunc main() { println(say.Word, near.Word) }\n",
		"mod/say/say.go", "package say\n\nimport _ \"embed\"\n\n//go:embed words/word.txt\nvar Word string\n", "mod/say/words/word.txt", "embedded",
		"near/go.mod", "module example.test/near\n\ngo 1.26\n", "near/near.go", "package near\n\nconst Word = \"near\"\n")
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	s := build.Source{Package: at("mod/fn")}
	w := watch(t, s)
	for _, name := range []string{"mod/fn/more.go", "mod/say/say.go", "mod/say/words/word.txt", "near/near.go", "mod/go.mod"} {
		text, err := os.ReadFile(at(name))
		if err != nil {
			text = []byte("package main\n")
		}
		save(t, at(name), string(text)+"\n")
		w.tells()
	}
	// A package that is new is watched once it is imported, also while nothing compiles.
	save(t, at("mod/fn/more.go"), "package main\n\nimport _ \"example.test/fn/late\"\n\nfunc {\n")
	w.tells()
	write(t, at("mod/late/late.go"), "package late\n")
	save(t, at("mod/fn/more.go"), "package main\n\nimport _ \"example.test/fn/late\"\n")
	w.tells()
	save(t, at("mod/late/late.go"), "package late\n\nconst Changed = true\n")
	w.tells()
	built, err := build.Build(t.Context(), build.Options{Dir: t.TempDir()}, s)
	is.NoErr(err)
	is.Equal(says(t, built.Path), "embedded\n near")
}

// What broke the listing is seen to be mended, wherever it is.
func TestWatchOutlivesABrokenModule(t *testing.T) {
	root := folder(t, "go.mod", module, "say/say.go", "package say\n", "fn/main.go", "package main\n\nimport _ \"example.test/fn/say\"\n\nfunc main() {}\n")
	at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	w := watch(t, build.Source{Package: at("fn")})
	save(t, at("go.mod"), "modul")
	w.tells()
	save(t, at("say/say.go"), "package say\n\nconst Changed = true\n")
	w.tells()
	save(t, at("go.mod"), module)
	w.tells()
	second := watch(t, build.Source{Package: at("fn")})
	save(t, at("go.mod"), "modul")
	second.tells()
	third := watch(t, build.Source{Package: at("fn")}) // begins while it is broken
	save(t, at("go.mod"), module)
	third.tells()
}

// What nobody builds sets no timer, and many steps make one change.
func TestWatchIsQuiet(t *testing.T) {
	is := is.New(t)
	dir := folder(t, "go.mod", module, "main.go", hello)
	w := watch(t, build.Source{Package: dir})
	for _, name := range []string{"README", "main_test.go", "main.go~", "sub/other.go"} {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), "")
	}
	for range 3 {
		save(t, filepath.Join(dir, "main.go"), hello)
		<-w.clock.set
	}
	w.clock.Advance(time.Minute - 1)
	is.Equal(len(w.changed), 0) // the last step was less than a minute ago
	w.clock.Advance(1)
	<-w.changed
	is.NoErr(w.w.Close())
	is.Equal(len(w.changed), 0)   // once
	is.Equal(len(w.clock.set), 0) // of what does not concern it, nothing
}

func TestWatchOfNothing(t *testing.T) {
	is := is.New(t)
	w := watch(t, build.Source{Package: filepath.Join(t.TempDir(), "later", "fn")})
	dir := t.TempDir()
	is.NoErr(w.w.Close())
	w = watch(t, build.Source{Package: filepath.Join(dir, "later", "fn")})
	write(t, filepath.Join(dir, "later", "fn", "main.go"), hello)
	w.tells()
}
