package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// inputs are what Build looks at, as absolute paths.
type inputs struct {
	files   map[string]bool // each by its name
	sources map[string]bool // folders of Go files
	whole   map[string]bool // folders of embedded files
	trees   map[tree]bool   // folders of scripts, with what is in them; true: there is more than is looked at
}

// listed is what `go list -json` says of a package.
type listed struct {
	Dir        string
	Standard   bool
	EmbedFiles []string
	Module     *struct {
		Main    bool
		GoMod   string
		Replace *struct{ Version string }
	}
}

// local tells a package that people edit: of the main module, of one of the workspace, or of one replaced by a folder.
func (l listed) local() bool {
	if l.Standard || l.Dir == "" {
		return false
	}
	return l.Module == nil || l.Module.Main || l.Module.Replace != nil && l.Module.Replace.Version == ""
}

// inputsOf lists the inputs of s. When go cannot list them, they are those of last and what the source itself names: that is how it gets
// better. Building says why.
func inputsOf(ctx context.Context, o Options, s Source, last inputs) (inputs, error) {
	in := inputs{files: map[string]bool{}, sources: map[string]bool{}, whole: map[string]bool{}, trees: map[tree]bool{}}
	taken := false
	for _, path := range s.Executables {
		path, err := filepath.Abs(path)
		if err != nil {
			return in, err
		}
		in.files[path] = true
		if why, err := unfit(path); taken || err != nil || why != "" {
			continue
		}
		if taken = true; isScript(path) {
			in.follow(o.tree(path), o, last)
		}
	}
	if s.Package == "" {
		return in, nil
	}
	dir, err := filepath.Abs(s.Package)
	if err != nil {
		return in, err
	}
	in.sources[dir] = true
	in.files[filepath.Join(dir, "go.mod")] = true
	in.files[moduleFile(dir)] = true
	out, err := goCommand(ctx, o, dir, "list", "-e", "-deps", "-json=Dir,Standard,EmbedFiles,Module", "-tags="+tags(s), ".")
	if err != nil {
		maps.Copy(in.files, last.files)
		maps.Copy(in.sources, last.sources)
		maps.Copy(in.whole, last.whole)
		return in, ctx.Err()
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return in, nil
		} else if err != nil {
			return in, err
		}
		if l.local() {
			in.add(l)
		}
	}
}

// follow adds the folder of a script.
func (in inputs) follow(t tree, o Options, last inputs) {
	full := t.walk(func(string, fs.DirEntry) {})
	in.trees[t] = full != ""
	if full != "" && !last.trees[t] && o.Warn != nil {
		o.Warn(fmt.Errorf("watch: %s has more than %d folders or %d files: changes in what comes after %s are not seen", t.root, mostFolders, mostFiles, full))
	}
}

// moduleFile is the go.mod that the folder belongs to, or the one that it might have.
func moduleFile(dir string) string {
	for up := dir; ; up = filepath.Dir(up) {
		mod := filepath.Join(up, "go.mod")
		if _, err := os.Stat(mod); err == nil {
			return mod
		}
		if up == filepath.Dir(up) {
			return filepath.Join(dir, "go.mod")
		}
	}
}

func (in inputs) add(l listed) {
	in.sources[l.Dir] = true
	for _, name := range l.EmbedFiles {
		in.whole[filepath.Dir(filepath.Join(l.Dir, filepath.FromSlash(name)))] = true
	}
	if l.Module != nil && l.Module.GoMod != "" {
		in.files[l.Module.GoMod] = true
		in.files[strings.TrimSuffix(l.Module.GoMod, ".mod")+".sum"] = true
	}
}

// folders are those to watch for the inputs: theirs, or the nearest above one that is missing.
func (in inputs) folders() map[string]bool {
	out := map[string]bool{}
	add := func(dir string) {
		for {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				out[dir] = true
				return
			}
			up := filepath.Dir(dir)
			if up == dir {
				return
			}
			dir = up
		}
	}
	for path := range in.files {
		add(filepath.Dir(path))
	}
	for dir := range in.sources {
		add(dir)
	}
	for dir := range in.whole {
		add(dir)
	}
	for t := range in.trees {
		t.walk(func(path string, d fs.DirEntry) {
			if d.IsDir() {
				out[path] = true
			}
		})
	}
	return out
}

// concern tells whether an event is about the inputs.
func (in inputs) concern(e fsnotify.Event) bool {
	if in.files[e.Name] {
		return true // also a new mode: an executable may have become one
	}
	if e.Op == fsnotify.Chmod {
		return false
	}
	for t := range in.trees {
		if t.has(e.Name) {
			return true
		}
	}
	dir := filepath.Dir(e.Name)
	if in.whole[dir] || in.sources[dir] && isSource(e.Name) {
		return true
	}
	if e.Op&(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) == 0 {
		return false
	}
	// A folder that leads to an input, or the input's own, has come or gone.
	root := strings.TrimSuffix(e.Name, string(filepath.Separator)) + string(filepath.Separator)
	for _, set := range []map[string]bool{in.files, in.sources, in.whole} {
		for path := range set {
			if path == e.Name || strings.HasPrefix(path, root) {
				return true
			}
		}
	}
	return false
}
