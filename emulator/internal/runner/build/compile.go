package build

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// kept is how many binaries of one source stay: the newest, and the one that may still be started from until the owner has swapped.
const kept = 2

// compile builds the package in dir for this host and returns the binary's path and digest.
func compile(ctx context.Context, o Options, dir string, s Source) (path, sum string, err error) {
	if o.Dir == "" {
		return "", "", errors.New("no folder for binaries: set Options.Dir")
	}
	if info, err := os.Stat(dir); err != nil {
		return "", "", fmt.Errorf("package %s: %s", dir, strings.Replace(reason(err), "no such file", "no such folder", 1))
	} else if !info.IsDir() {
		return "", "", fmt.Errorf("package %s: not a folder; want the folder of a Go main package", dir)
	}
	store, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", "", err
	}
	if err := os.MkdirAll(store, 0o755); err != nil {
		return "", "", err
	}
	work, err := os.MkdirTemp(store, ".work-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(work)
	out := filepath.Join(work, "out")
	if o.Cache != "" {
		entry, err := openEntry(o.Cache, stem(dir, s))
		if err != nil {
			return "", "", err
		}
		defer entry.close()
		out = entry.out()
	}
	args := []string{"build", "-o", out + string(filepath.Separator), "-buildvcs=false"}
	if s.Debug {
		args = append(args, "-gcflags=all=-N -l")
	} else {
		args = append(args, "-trimpath", "-ldflags=-s -w")
	}
	args = append(args, "-tags="+tags(s))
	known := false
	if o.Trust && o.Cache != "" {
		made, err := os.ReadDir(out)
		known = err == nil && len(made) == 1
	}
	if s.Entry != "" && !known {
		overlay, err := wrap(ctx, o, dir, s.Entry, work)
		if err != nil {
			return "", "", err
		}
		args = append(args, "-overlay="+overlay)
	}
	if !known {
		if _, err := goCommand(ctx, o, dir, append(args, ".")...); err != nil {
			return "", "", fmt.Errorf("package %s: %w", dir, err)
		}
	}
	made, err := os.ReadDir(out)
	if err != nil || len(made) != 1 {
		return "", "", fmt.Errorf("package %s: go build made %d files, want one program (%v)", dir, len(made), err)
	}
	binary := filepath.Join(out, made[0].Name())
	if o.Cache != "" {
		cached := binary
		binary = filepath.Join(work, made[0].Name())
		if err := take(binary, cached); err != nil {
			return "", "", err
		}
	}
	sum, err = digest(binary)
	if err != nil {
		return "", "", err
	}
	path, err = keep(store, binary, stem(dir, s), sum)
	return path, sum, err
}

// tags are the build tags of the cloud that the source is for.
func tags(s Source) string {
	if s.Entry != "" {
		return entryTag
	}
	return "lambda.norpc"
}

// stem is the part of a binary's name that all versions of its source have.
func stem(dir string, s Source) string {
	id := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%t", dir, s.Entry, s.Debug))
	return fmt.Sprintf("%s-%x-", filepath.Base(dir), id[:4])
}

// keep moves the binary to a name that follows from its content, so that no running program is ever written to, and removes old ones.
func keep(store, binary, stem, sum string) (string, error) {
	path := filepath.Join(store, stem+sum)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if _, err := os.Stat(path); err == nil {
		now := time.Now() // newest again
		if err := os.Chtimes(path, now, now); err != nil {
			return "", err
		}
	} else if err := os.Rename(binary, path); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(store)
	if err != nil {
		return "", err
	}
	var versions []os.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), stem) {
			versions = append(versions, info)
		}
	}
	slices.SortFunc(versions, func(a, b os.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, old := range versions[min(kept, len(versions)):] {
		// Windows does not remove what still runs: the next build tries again.
		_ = os.Remove(filepath.Join(store, old.Name()))
	}
	return path, nil
}

// goCommand runs go in dir for this host and returns what it prints. Its error holds what go said, with whole paths.
func goCommand(ctx context.Context, o Options, dir string, args ...string) ([]byte, error) {
	name, err := exec.LookPath(cmp.Or(o.Go, "go"))
	if err == nil {
		name, err = filepath.Abs(name) // it runs in another folder
	}
	if err != nil {
		return nil, fmt.Errorf("no go command to build it with (%w): install Go, or build an executable for %s", err, host)
	}
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(c.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if runtime.GOOS != "windows" {
		c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // go then ends the compilers that it runs
	}
	c.WaitDelay = 5 * time.Second
	err = c.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && problems.Len() == 0:
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	case err != nil:
		return nil, fmt.Errorf("go %s:\n%s", args[0], located(dir, problems.String()))
	}
	return out.Bytes(), nil
}

// located makes the paths of a compiler's messages absolute: people read them in another folder than go ran in.
func located(dir, text string) string {
	place := regexp.MustCompile(`^(\S*?[^\s:]+\.go:\d+)`)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		if place.MatchString(line) && !filepath.IsAbs(line) {
			lines[i] = filepath.Join(dir, filepath.FromSlash(line[:strings.Index(line, ".go:")+3])) + line[strings.Index(line, ".go:")+3:]
		}
	}
	return strings.Join(lines, "\n")
}
