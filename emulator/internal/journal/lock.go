package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// ErrInUse is returned when another process, or another Stream of this one, has the folder. The error around it names both.
var ErrInUse = errors.New("in use")

const lockName = "lock"

// lockDir takes the folder for this process. The operating system gives it back when the process ends, however it ends.
//
// The process ID stands in the lock file itself, behind its first byte: that byte is what Windows locks, and so the only one that
// another process cannot read there.
func lockDir(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, lockName)
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w by process %s: stop it or name another folder", ErrInUse, lockedBy(path))
	}
	if err := writePID(path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func writePID(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%-20d\n", os.Getpid()), 1)
	return errors.Join(err, f.Close())
}

func lockedBy(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "?"
	}
	defer f.Close()
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 1) // short when the other process is just about to write it
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return "?"
	}
	return strconv.Itoa(pid)
}
