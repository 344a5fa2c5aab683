//go:build unix

package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner/build"
)

func TestTheFirstExecutableThatRunsIsTaken(t *testing.T) {
	is := is.New(t)
	dir := folder(t, "arm", "\x7fELF", "later", "#!/bin/sh\necho later", "bootstrap", "#!/bin/sh\necho script")
	for _, name := range []string{"later", "bootstrap"} {
		is.NoErr(os.Chmod(filepath.Join(dir, name), 0o755))
	}
	s := build.Source{Executables: []string{filepath.Join(dir, "none"), filepath.Join(dir, "arm"), filepath.Join(dir, "bootstrap"), filepath.Join(dir, "later")}}
	got, err := build.Build(t.Context(), build.Options{}, s)
	is.NoErr(err)
	is.Equal(got.Path, filepath.Join(dir, "bootstrap"))
	is.Equal(got.Dir, dir)
	is.Equal(len(got.Notices), 1)
	is.True(strings.HasPrefix(got.Notices[0], filepath.Join(dir, "arm")+" is a broken ELF program"))

	write(t, got.Path, "#!/bin/sh\necho changed")
	again, err := build.Build(t.Context(), build.Options{}, s)
	is.NoErr(err)
	is.Equal(again.Path, got.Path)
	is.True(again.Sum != got.Sum) // the same path, another program
}

func TestAnOldExecutableIsToldOf(t *testing.T) {
	is := is.New(t)
	dir := folder(t, "bootstrap", "#!/bin/sh\n", "main.go", hello, "main_test.go", hello)
	bootstrap, source := filepath.Join(dir, "bootstrap"), filepath.Join(dir, "main.go")
	is.NoErr(os.Chmod(bootstrap, 0o755))
	built := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	is.NoErr(os.Chtimes(bootstrap, built, built))
	is.NoErr(os.Chtimes(source, built, built))
	s := build.Source{Executables: []string{bootstrap}, Package: dir}
	got, err := build.Build(t.Context(), build.Options{}, s)
	is.NoErr(err)
	is.Equal(got.Path, bootstrap)
	is.Equal(len(got.Notices), 0) // it is as new as its source
	is.NoErr(os.Chtimes(source, built, built.Add(time.Second)))
	got, err = build.Build(t.Context(), build.Options{}, s)
	is.NoErr(err)
	is.Equal(got.Notices, []string{bootstrap + " is older than " + source + ": it is run as it is; build it again, or remove it to have the package built at every change"})
}
