package build_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/runner/build"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	module = "module example.test/fn\n\ngo 1.26\n"
	hello  = "package main\n\nfunc main() { println(\"hello\") }\n"
)

// folder writes files into a new folder: name, text, name, text …
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, filepath.FromSlash(files[i])), files[i+1])
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func says(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAPackageIsBuilt(t *testing.T) {
	is := is.New(t)
	o := build.Options{Dir: filepath.Join(t.TempDir(), "new", "bin")}
	dir := folder(t, "go.mod", module, "main.go", hello)
	s := build.Source{Executables: []string{filepath.Join(dir, "bootstrap")}, Package: dir}
	first, err := build.Build(t.Context(), o, s)
	is.NoErr(err)
	is.Equal(says(t, first.Path), "hello")
	is.Equal(first.Dir, dir)
	is.Equal(len(first.Notices), 0) // nobody misses what need not be there

	same, err := build.Build(t.Context(), o, s)
	is.NoErr(err)
	is.Equal(same, first) // nothing changed

	versions := []build.Result{first}
	for _, word := range []string{"second", "third"} {
		write(t, filepath.Join(dir, "main.go"), strings.Replace(hello, "hello", word, 1))
		next, err := build.Build(t.Context(), o, s)
		is.NoErr(err)
		is.Equal(says(t, next.Path), word)
		versions = append(versions, next)
	}
	is.Equal(says(t, versions[1].Path), "second") // may still be started from
	_, err = os.Stat(first.Path)
	is.True(os.IsNotExist(err)) // the old one is gone
	left, err := os.ReadDir(o.Dir)
	is.NoErr(err)
	is.Equal(len(left), 2) // nothing else lies about
	is.True(versions[1].Sum != versions[2].Sum)
}

// A folder without go.mod is built as a part of the module round it, and for a debugger as well.
func TestAPackageInsideAModule(t *testing.T) {
	is := is.New(t)
	root := folder(t, "go.mod", module,
		"say/say.go", "package say\n\nconst Word = \"inside\"\n",
		"cmd/fn/main.go", "package main\n\nimport \"example.test/fn/say\"\n\nfunc main() { println(say.Word) }\n")
	got, err := build.Build(t.Context(), build.Options{Dir: t.TempDir()}, build.Source{Package: filepath.Join(root, "cmd", "fn"), Debug: true})
	is.NoErr(err)
	is.Equal(says(t, got.Path), "inside")
}

// other returns the running test's own program, made to look like one for another machine.
func other(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("\x7fELF")) {
		return append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 64)...)
	}
	binary.LittleEndian.PutUint16(data[18:], 8) // MIPS
	return data
}

func TestAForeignExecutableIsBuiltInstead(t *testing.T) {
	is := is.New(t)
	dir := folder(t, "go.mod", module, "main.go", hello)
	bootstrap := filepath.Join(dir, "bootstrap")
	is.NoErr(os.WriteFile(bootstrap, other(t), 0o755))
	got, err := build.Build(t.Context(), build.Options{Dir: t.TempDir()}, build.Source{Executables: []string{bootstrap}, Package: dir})
	is.NoErr(err)
	is.Equal(says(t, got.Path), "hello")
	is.Equal(len(got.Notices), 1)
	is.True(strings.HasPrefix(got.Notices[0], bootstrap+" is "))
	is.True(strings.HasSuffix(got.Notices[0], ": built from "+dir+" instead"))
}

func TestProblemsAreTold(t *testing.T) {
	dir := folder(t, "go.mod", module, "broken/main.go", "package main\n\nfunc main() {\n\tmissing()\n}\n", "lib/lib.go", "package lib\n", "empty/README", "")
	at := func(name string) string { return filepath.Join(dir, name) }
	bin := build.Options{Dir: filepath.Join(dir, "bin")}
	for name, tc := range map[string]struct {
		o    build.Options
		s    build.Source
		want []string
	}{
		"nothing is named":   {bin, build.Source{}, []string{"neither an executable nor a Go package is named"}},
		"nothing is there":   {bin, build.Source{Executables: []string{at("a"), at("b")}}, []string{at("a") + ": no such file", at("b") + ": no such file"}},
		"a folder":           {bin, build.Source{Executables: []string{at("lib")}}, []string{at("lib") + " is no regular file"}},
		"no package":         {bin, build.Source{Executables: []string{at("a")}, Package: at("none")}, []string{"package " + at("none") + ": no such folder", at("a") + ": no such file"}},
		"a file for package": {bin, build.Source{Package: at("go.mod")}, []string{"not a folder"}},
		"it does not compile": {bin, build.Source{Package: at("broken")},
			[]string{filepath.Join(at("broken"), "main.go") + ":4:2: undefined: missing"}},
		"no main package": {bin, build.Source{Package: at("lib")}, []string{"package " + at("lib"), "no main packages to build"}},
		"no Go files":     {bin, build.Source{Package: at("empty")}, []string{"no Go files in " + at("empty")}},
		"no Go":           {build.Options{Dir: bin.Dir, Go: at("no-go")}, build.Source{Package: at("broken")}, []string{"no go command to build it with", "install Go"}},
		"no folder":       {build.Options{}, build.Source{Package: at("broken")}, []string{"set Options.Dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := build.Build(t.Context(), tc.o, tc.s)
			is.True(err != nil)
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
		})
	}
	is := is.New(t)
	is.NoErr(os.WriteFile(at("foreign"), other(t), 0o755))
	_, err := build.Build(t.Context(), bin, build.Source{Executables: []string{at("a"), at("foreign")}, Package: at("broken")})
	is.True(!strings.Contains(err.Error(), at("a")))             // there need not be one
	is.True(strings.Contains(err.Error(), at("foreign")+" is ")) // but this one was passed over
	left, err := os.ReadDir(bin.Dir)
	is.NoErr(err)
	is.Equal(len(left), 0) // failed builds leave nothing
}

func TestABuildIsCancelled(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := build.Build(ctx, build.Options{Dir: t.TempDir()}, build.Source{Package: folder(t, "go.mod", module, "main.go", hello)})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), context.Canceled.Error()))
}

// Another process finds in the cache what was built before, and a change is seen all the same.
func TestTheCacheOutlivesTheProcess(t *testing.T) {
	is := is.New(t)
	cache := t.TempDir()
	dir := folder(t, "go.mod", module, "main.go", hello)
	s := build.Source{Package: dir}
	first, err := build.Build(t.Context(), build.Options{Dir: t.TempDir(), Cache: cache}, s)
	is.NoErr(err)
	programs := func() []os.FileInfo {
		var all []os.FileInfo
		paths, err := filepath.Glob(filepath.Join(cache, "*", "out", "*"))
		is.NoErr(err)
		for _, path := range paths {
			info, err := os.Stat(path)
			is.NoErr(err)
			all = append(all, info)
		}
		return all
	}
	before := programs()
	is.Equal(len(before), 1)
	second, err := build.Build(t.Context(), build.Options{Dir: t.TempDir(), Cache: cache}, s)
	is.NoErr(err)
	is.Equal(first.Sum, second.Sum)
	is.True(os.SameFile(before[0], programs()[0])) // not linked again

	write(t, filepath.Join(dir, "main.go"), strings.Replace(hello, "hello", "changed", 1))
	trusted, err := build.Build(t.Context(), build.Options{Dir: t.TempDir(), Cache: cache, Trust: true}, s)
	is.NoErr(err)
	is.Equal(says(t, trusted.Path), "hello")
	third, err := build.Build(t.Context(), build.Options{Dir: t.TempDir(), Cache: cache}, s)
	is.NoErr(err)
	is.Equal(says(t, third.Path), "changed")
	is.Equal(says(t, second.Path), "hello") // what runs is never written to
}
