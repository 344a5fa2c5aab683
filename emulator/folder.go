package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/regcast/regcast/emulator/internal/journal"
)

// folder is where an emulator keeps its files.
type folder struct {
	path string
	mark *flock.Flock // held on a temporary folder; nil on one that is kept
}

const (
	temporaryPrefix = "regcast-"
	// temporaryMark is the file that makes a folder one that may be removed. A folder of --data has none.
	temporaryMark = "ephemeral"
	// temporaryAge keeps the sweep away from a folder whose mark is being made.
	temporaryAge = time.Minute
)

// openFolder makes sure that the folder is there. An empty path means a temporary folder that close removes.
func openFolder(path string) (*folder, error) {
	if path == "" {
		return openTemporary()
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w; name a folder that can be written with --data", err)
	}
	return &folder{path: path}, nil
}

func openTemporary() (*folder, error) {
	sweepTemporary()
	path, err := os.MkdirTemp("", temporaryPrefix)
	if err != nil {
		return nil, fmt.Errorf("temporary folder: %w", err)
	}
	f := &folder{path: path, mark: flock.New(filepath.Join(path, temporaryMark))}
	if held, err := f.mark.TryLock(); err != nil || !held {
		return nil, errors.Join(fmt.Errorf("temporary folder: its mark cannot be locked: %w", err), os.RemoveAll(path))
	}
	return f, nil
}

// sweepTemporary removes what emulators that were killed have left behind: temporary folders whose mark nobody holds.
// A folder that cannot be removed is somebody else's worry.
func sweepTemporary() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*", temporaryMark))
	for _, name := range left {
		info, err := os.Stat(name)
		if err != nil || time.Since(info.ModTime()) < temporaryAge {
			continue
		}
		mark := flock.New(name)
		if free, err := mark.TryLock(); err == nil && free {
			_ = mark.Close() // Windows removes no open file
			_ = os.RemoveAll(filepath.Dir(name))
		}
	}
}

func (f *folder) journal() string  { return filepath.Join(f.path, "journal") }
func (f *folder) registry() string { return filepath.Join(f.path, "registry") }
func (f *folder) queues() string   { return filepath.Join(f.path, "queues") }

// functions is where functions are built. Nothing in it outlives the process.
func (f *folder) functions() string { return filepath.Join(f.path, "functions") }

// sources is where the sources of functions are that clients have sent.
func (f *folder) sources() string { return filepath.Join(f.path, "sources") }

func (f *folder) close() error {
	if f.mark == nil {
		return nil
	}
	return errors.Join(f.mark.Close(), os.RemoveAll(f.path))
}

// openJournal opens the engine that the configuration asks for.
func (e *Emulator) openJournal(cfg Config) (journal.Journal, error) {
	if cfg.InMemory {
		if cfg.Data != "" {
			return nil, errors.New("config: InMemory keeps nothing, so it does not go with Data")
		}
		return journal.NewMemory(journal.MemoryOptions{}), nil
	}
	stream, err := journal.OpenStream(e.running, journal.StreamOptions{Dir: e.folder.journal(), Warn: e.warn})
	if err != nil {
		return nil, err // not the nil stream: it would be a journal that is not nil
	}
	return stream, nil
}
