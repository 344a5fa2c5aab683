package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// bufferSize is what one copy reads at a time: large enough for few calls, small enough to be hashed and written out of the cache.
const bufferSize = 256 << 10

// store keeps content by digest, once for all repositories: blobs in a file each, manifests in the pack. A pin is somebody's claim
// on content: a repository's, or that of a request under way. Content that loses its last pin is removed; content without a pin that
// a crash left behind does no harm.
type store struct {
	*pack
	blobs   string // folder of content
	temp    string // folder of what is not content yet; emptied at start
	buffers sync.Pool
	// write is where tests break the disk.
	write func(*os.File, []byte) (int, error)

	mu   sync.Mutex
	pins map[digest]int
}

func openStore(dir string) (*store, error) {
	s := &store{
		blobs:   filepath.Join(dir, "blobs"),
		temp:    filepath.Join(dir, "uploads"),
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		write:   (*os.File).Write,
		pins:    map[digest]int{},
	}
	if err := os.RemoveAll(s.temp); err != nil {
		return nil, fmt.Errorf("store: left uploads: %w", err)
	}
	for _, d := range []string{s.blobs, s.temp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
	}
	var err error
	s.pack, err = openPack(dir, func(f *os.File, p []byte) (int, error) { return s.write(f, p) })
	return s, err
}

func (s *store) path(d digest) string { return filepath.Join(s.blobs, d.path()) }

// pin keeps content of that digest, present or to come, from being removed.
func (s *store) pin(d digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins[d]++
}

func (s *store) release(d digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pins[d]--; s.pins[d] > 0 {
		return
	}
	delete(s.pins, d)
	s.pack.remove(d)
	// Under the lock, so that nobody pins what is just going. A file that cannot be removed (Windows, while it is read) is left.
	_ = os.Remove(s.path(d))
}

// hasBlob tells whether the blob is there. The answer holds as long as the caller's pin.
func (s *store) hasBlob(d digest) bool {
	_, err := os.Stat(s.path(d))
	return err == nil
}

// open returns the blob, or fs.ErrNotExist.
func (s *store) open(d digest) (*os.File, error) { return os.Open(s.path(d)) }

// compact gives up the room of manifests that nobody has pinned. It runs beside everything else, but once at a time.
func (s *store) compact() error {
	if !s.forgetUnpinned() {
		return nil
	}
	return s.pack.compact()
}

// forgetUnpinned tells whether a compaction is worth its while.
func (s *store) forgetUnpinned() bool {
	s.mu.Lock() // before the pack's lock, as in release
	defer s.mu.Unlock()
	return s.pack.keep(func(d digest) bool { return s.pins[d] > 0 })
}

// place makes a file of the temp folder the blob d. The caller has d pinned.
func (s *store) place(file string, d digest) error {
	if s.hasBlob(d) {
		return os.Remove(file)
	}
	to := s.path(d)
	err := os.Rename(file, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
			err = os.Rename(file, to)
		}
	}
	if err != nil {
		_ = os.Remove(file)
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// copy appends body to f and shows every byte on the way to seen. It stops after limit bytes; a negative limit is none. Errors are
// told apart by their side: what a client broke off may be resumed, what the disk refused may not.
func (s *store) copy(f *os.File, seen io.Writer, body io.Reader, limit int64) (n int64, client, disk error) {
	buf := s.buffers.Get().(*[bufferSize]byte)
	defer s.buffers.Put(buf)
	for limit != 0 && client == nil {
		chunk := buf[:]
		if limit > 0 && int64(len(chunk)) > limit {
			chunk = chunk[:limit]
		}
		var k int
		k, client = fill(body, chunk)
		if k == 0 {
			continue
		}
		_, _ = seen.Write(chunk[:k]) // a hash, it does not fail
		if _, err := s.write(f, chunk[:k]); err != nil {
			return n, nil, err
		}
		n += int64(k)
		if limit > 0 {
			limit -= int64(k)
		}
	}
	if client == io.EOF {
		client = nil
	}
	return n, client, nil
}

// fill is io.ReadFull with the reader's own error: a body that was cut must not look like one that ended.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = r.Read(p[n:])
		n += k
	}
	return n, err
}
