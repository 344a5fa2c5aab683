package emulator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/regcast/regcast/emulator/internal/journal"
)

// folder is where an emulator keeps its files.
type folder struct {
	path      string
	ephemeral bool
}

// openFolder makes sure that the folder is there. An empty path means a temporary folder that close removes.
func openFolder(path string) (*folder, error) {
	if path == "" {
		sweepTemporary()
		path, err := os.MkdirTemp("", temporaryPrefix)
		if err != nil {
			return nil, fmt.Errorf("temporary folder: %w", err)
		}
		return &folder{path: path, ephemeral: true}, nil
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

func (f *folder) journal() string  { return filepath.Join(f.path, "journal") }
func (f *folder) registry() string { return filepath.Join(f.path, "registry") }

func (f *folder) close() error {
	if !f.ephemeral {
		return nil
	}
	return os.RemoveAll(f.path)
}

const temporaryPrefix = "regcast-"

// sweepTemporary removes what emulators that were killed have left behind: temporary folders whose journal nobody holds.
// A folder that cannot be removed is somebody else's worry.
func sweepTemporary() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*", "journal"))
	for _, dir := range left {
		if free, err := journal.Free(dir); err == nil && free {
			_ = os.RemoveAll(filepath.Dir(dir))
		}
	}
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
