package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The most of a script's folder that is looked at: every folder is a watch of the system, every file is looked at after every change.
const (
	mostFolders = 500
	mostFiles   = 10_000
)

// isScript tells a program that is read by another one, which finds more to read beside it.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 2)
	n, _ := f.Read(head)
	return string(head[:n]) == "#!"
}

// tree is the folder of a script: the program is what is in it.
type tree struct {
	root string
	own  string // Options.Dir: a folder in the tree that has it holds what regcast itself writes all the time
}

func (o Options) tree(script string) tree {
	own, err := filepath.Abs(o.Dir)
	if o.Dir == "" || err != nil {
		own = ""
	}
	return tree{root: filepath.Dir(script), own: own}
}

// walk visits the folder in the order of names, without what is no part of the program. Symbolic links are not followed. full is the
// last path that was visited before there was too much; empty: it was all.
func (t tree) walk(visit func(path string, d fs.DirEntry)) (full string) {
	folders, files := 0, 0
	_ = filepath.WalkDir(t.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil: // gone since, or not ours to read
			return nil
		case path != t.root && t.beside(path):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			folders++
		default:
			files++
		}
		if folders > mostFolders || files > mostFiles {
			return fs.SkipAll
		}
		full = path
		visit(path, d)
		return nil
	})
	if folders > mostFolders || files > mostFiles {
		return full
	}
	return ""
}

// beside tells what lies in the folder and is no part of the program, or changes when it runs.
func (t tree) beside(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || name == "node_modules" || name == "__pycache__" ||
		strings.HasPrefix(t.own+string(filepath.Separator), path+string(filepath.Separator))
}

// has tells whether a path is one that walk visits.
func (t tree) has(path string) bool {
	for path != t.root {
		up := filepath.Dir(path)
		if up == path || t.beside(path) {
			return false
		}
		path = up
	}
	return true
}

// sum changes when the script does, or by its name, size or time a file of its folder.
func (t tree) sum(script string) (string, error) {
	sum, err := digest(script)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, sum)
	t.walk(func(path string, d fs.DirEntry) {
		if d.IsDir() || path == script {
			return
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
	})
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
