package build

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// most is how many sources the cache holds programs of.
const most = 64

// entry is where the newest program of one source is kept. go build looks at what it is to write over, and leaves it when nothing it is
// made of has changed: that saves the linking, which is most of the work.
type entry struct {
	path string
	lock *flock.Flock
}

// openEntry waits until no other process has the entry.
func openEntry(cache, stem string) (*entry, error) {
	e := &entry{path: filepath.Join(cache, stem)}
	if err := os.MkdirAll(e.path, 0o755); err != nil {
		return nil, fmt.Errorf("cache of programs: %w", err)
	}
	prune(cache)
	e.lock = flock.New(filepath.Join(e.path, "lock"))
	err := e.lock.Lock()
	if err == nil {
		now := time.Now()
		err = os.Chtimes(e.lock.Path(), now, now)
	}
	if err != nil {
		return nil, fmt.Errorf("cache of programs: %w", err)
	}
	return e, nil
}

func (e *entry) out() string { return filepath.Join(e.path, "out") }
func (e *entry) close()      { _ = e.lock.Close() }

// prune removes the entries that were not used for longest. What another process is about to use it makes again.
func prune(cache string) {
	names, err := os.ReadDir(cache)
	if err != nil || len(names) <= most {
		return
	}
	type used struct {
		path string
		at   time.Time
	}
	var all []used
	for _, name := range names {
		path := filepath.Join(cache, name.Name())
		if info, err := os.Stat(filepath.Join(path, "lock")); err == nil {
			all = append(all, used{path, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b used) int { return b.at.Compare(a.at) })
	for _, old := range all[min(most, len(all)):] {
		lock := flock.New(filepath.Join(old.path, "lock"))
		if free, err := lock.TryLock(); err != nil || !free {
			continue
		}
		_ = os.RemoveAll(filepath.Join(old.path, "out"))
		_ = lock.Close() // Windows removes no open file
		_ = os.RemoveAll(old.path)
	}
}

// take makes a program that may be started of one in the cache. go build replaces what it finds there and never writes into it.
func take(to, from string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	// It is on another disk. A program that is open for writing cannot be started, and a fork would keep it open for a while.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
