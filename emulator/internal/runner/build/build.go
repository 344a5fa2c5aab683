// Package build finds or makes the executable of a function, and tells when it has changed.
//
// What `make build` or `sam build` left is run as it is, if this host can run it. Otherwise the function's Go package is built for the
// host; so is a Yandex Cloud Function, which has no main of its own.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Options are the same for all functions.
type Options struct {
	// Dir is where binaries go; it is made when it is missing. It must belong to this process: what is no longer needed is removed.
	Dir string
	// Cache is a folder that outlives this process and may be shared with others: what is in it is not linked again. Empty: none.
	Cache string
	// Trust takes what is in the cache as it is, whatever has changed since.
	Trust bool
	// Go is the go command; empty: go of the PATH.
	Go string
	// Quiet is how long nothing may change before Watch tells of it: an editor and a compiler write in many steps. 0: 200 ms.
	Quiet time.Duration
	// Clock measures Quiet; nil: the machine's.
	Clock clock.Clock
	// Warn is told when Watch may miss changes; nil: nobody is. The next change that is seen mends it.
	Warn func(error)
}

// Source says where a function comes from.
type Source struct {
	Executables []string // tried in order: the first that is there and runs on this host
	Package     string   // folder of a Go main package; empty: none
	Entry       string   // "<file without .go>.<Name>": Package is a Yandex Cloud Function
	Debug       bool     // build Package as a debugger likes it
}

// Result is what to run.
type Result struct {
	Path string // absolute
	Dir  string // the function's own folder, absolute: where Path was found, or Package
	// Sum changes when the program does; Path of a found executable may stay. The program of a #! script is its folder with all that is in
	// it, but for dot-files, node_modules, __pycache__, and what is beyond 500 folders or 10,000 files.
	Sum string
	// Notices are for people: which executable was passed over, and why; that it is older than its source.
	Notices []string
}

// Build finds or makes the executable of s. A path that it has returned stays good until Build has made two newer ones of the same
// source, and is never written to again. It may be called from many goroutines at once.
func Build(ctx context.Context, o Options, s Source) (Result, error) {
	var tried, notices []string
	for _, path := range s.Executables {
		path, err := filepath.Abs(path)
		if err != nil {
			return Result{}, fmt.Errorf("build: %w", err)
		}
		why, err := unfit(path)
		switch {
		case err == nil && why == "":
			sum, err := digest(path)
			if isScript(path) {
				sum, err = o.tree(path).sum(path)
			}
			if err != nil {
				return Result{}, fmt.Errorf("build: %w", err)
			}
			if s.Package != "" {
				notices = append(notices, outdated(path, s.Package)...)
			}
			return Result{Path: path, Dir: filepath.Dir(path), Sum: sum, Notices: notices}, nil
		case err != nil:
			tried = append(tried, fmt.Sprintf("%s: %s", path, reason(err)))
		default:
			tried = append(tried, path+" "+why)
			notices = append(notices, path+" "+why)
		}
	}
	if s.Package == "" {
		if len(tried) == 0 {
			return Result{}, errors.New("build: nothing to run: neither an executable nor a Go package is named")
		}
		return Result{}, fmt.Errorf("build: nothing to run, and no Go package to build:\n  %s", strings.Join(tried, "\n  "))
	}
	dir, err := filepath.Abs(s.Package)
	if err != nil {
		return Result{}, fmt.Errorf("build: %w", err)
	}
	path, sum, err := compile(ctx, o, dir, s)
	if err != nil {
		if hasSource(dir) {
			tried = notices // that there is nothing else is as it should be
		}
		if len(tried) > 0 {
			err = fmt.Errorf("%w\nand nothing else to run:\n  %s", err, strings.Join(tried, "\n  "))
		}
		return Result{}, fmt.Errorf("build: %w", err)
	}
	for i := range notices {
		notices[i] += ": built from " + dir + " instead"
	}
	return Result{Path: path, Dir: dir, Sum: sum, Notices: notices}, nil
}

// outdated tells of an executable that is older than a Go file of its package: people wonder why their change does nothing.
func outdated(path, dir string) []string {
	program, err := os.Stat(path)
	files, listing := os.ReadDir(dir)
	if err != nil || listing != nil {
		return nil // it is a courtesy
	}
	for _, f := range files {
		info, err := f.Info()
		if err == nil && isSource(f.Name()) && info.ModTime().After(program.ModTime()) {
			return []string{fmt.Sprintf("%s is older than %s: it is run as it is; build it again, or remove it to have the package built at every change",
				path, filepath.Join(dir, f.Name()))}
		}
	}
	return nil
}

// hasSource tells a folder with a Go package in it.
func hasSource(dir string) bool {
	files, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(files, func(f os.DirEntry) bool { return isSource(f.Name()) })
}

// isSource tells a Go file that is compiled into a program.
func isSource(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// reason leaves the path out of an error that stands behind it anyway.
func reason(err error) string {
	var in *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "no such file"
	case errors.As(err, &in):
		return in.Err.Error()
	}
	return err.Error()
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
