package registry

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const (
	packName  = "manifests.pack"
	newSuffix = ".new" // of a compaction on its way
	// packWorth is the number of bytes that must be won for a compaction to be worth its while.
	packWorth = 16 << 20
)

// pack keeps the manifests' bytes in one file that only grows: with a file for each, making the file was a third of what a push cost.
// An entry is a line "<digest> <length>", the bytes, and a newline. An entry that a crash has torn is the last one, and nobody was
// told of it; opening cuts it off. Damage in the middle costs the entries it hit and no others, and a push of the same bytes heals
// it. Removed entries stay until compact.
type pack struct {
	path  string
	write func(*os.File, []byte) (int, error)

	mu    sync.RWMutex
	file  *os.File
	size  int64 // where the next entry goes
	spans map[digest]span
}

// span is where the bytes of an entry are.
type span struct{ offset, length int64 }

func openPack(dir string, write func(*os.File, []byte) (int, error)) (*pack, error) {
	k := &pack{path: filepath.Join(dir, packName), write: write, spans: map[digest]span{}}
	if err := os.Remove(k.path + newSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pack: left compaction: %w", err)
	}
	f, err := os.OpenFile(k.path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	k.file = f
	if err := k.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("pack: %w", err), f.Close())
	}
	return k, nil
}

// load finds the entries. What is none is cut off at the end and stepped over elsewhere.
func (k *pack) load() error {
	info, err := k.file.Stat()
	if err != nil {
		return err
	}
	resume := int64(0) // where to look for the next entry if there is none at k.size
	for k.size < info.Size() {
		d, s, ok := k.entryAt(k.size, info.Size())
		if !ok {
			if d, s, ok, err = k.nextEntry(resume, info.Size()); err != nil {
				return err
			}
			if !ok {
				return k.file.Truncate(k.size)
			}
		}
		k.spans[d] = s
		k.size = s.offset + s.length + 1
		resume = s.offset - 1 // its length may be what is damaged: then the next entry is inside it
	}
	return nil
}

// nextEntry finds the first sound entry behind a newline at or after offset. Its digest is checked, for what is read there may be
// anything.
func (k *pack) nextEntry(offset, end int64) (digest, span, bool, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(k.file, offset, end-offset), bufferSize)
	for {
		line, err := in.ReadSlice('\n')
		offset += int64(len(line))
		if err == io.EOF {
			return "", span{}, false, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return "", span{}, false, err
		}
		if next, _ := in.Peek(len("sha256:")); err == nil && (string(next) == "sha256:" || string(next) == "sha512:") {
			if d, s, ok := k.entryAt(offset, end); ok {
				if _, err := k.data(d, s); err == nil {
					return d, s, true, nil
				}
			}
		}
	}
}

// entryAt reads the first line of an entry and looks whether it can end, before end, where the line says.
func (k *pack) entryAt(offset, end int64) (digest, span, bool) {
	var buf [256]byte
	n, _ := k.file.ReadAt(buf[:], offset) // short at the end of the file
	line, _, whole := strings.Cut(string(buf[:n]), "\n")
	name, number, cut := strings.Cut(line, " ")
	d, valid := parseDigest(name)
	length, err := strconv.ParseInt(number, 10, 64)
	if !whole || !cut || !valid || err != nil || length < 0 {
		return "", span{}, false
	}
	s := span{offset + int64(len(line)) + 1, length}
	if length > end-s.offset-1 {
		return "", span{}, false
	}
	if _, err := k.file.ReadAt(buf[:1], s.offset+length); err != nil || buf[0] != '\n' {
		_, err := k.data(d, s) // either the length is damaged, or only the newline
		return d, s, err == nil
	}
	return d, s, true
}

// errDamaged says that the bytes are not those of their digest.
var errDamaged = errors.New("the bytes are damaged")

// data reads the bytes of an entry.
func (k *pack) data(d digest, s span) ([]byte, error) {
	data := make([]byte, s.length)
	if _, err := k.file.ReadAt(data, s.offset); err != nil {
		return nil, err
	}
	if digestOfBytes(d.algorithm(), data) != d {
		return nil, errDamaged
	}
	return data, nil
}

func (k *pack) has(d digest) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	_, ok := k.spans[d]
	return ok
}

// put adds an entry, unless it is there and sound.
func (k *pack) put(d digest, data []byte) (wrote bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.spans[d]; ok {
		if _, err := k.data(d, s); err == nil {
			return false, nil
		}
	}
	return true, k.add(d, data)
}

// add needs the lock.
func (k *pack) add(d digest, data []byte) error {
	entry := make([]byte, 0, len(d)+len(data)+24)
	entry = append(append(entry, d...), ' ')
	entry = append(strconv.AppendInt(entry, int64(len(data)), 10), '\n')
	s := span{k.size + int64(len(entry)), int64(len(data))}
	entry = append(append(entry, data...), '\n')
	if _, err := k.file.Seek(k.size, io.SeekStart); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if _, err := k.write(k.file, entry); err != nil {
		return errors.Join(fmt.Errorf("pack: %w", err), k.file.Truncate(k.size))
	}
	k.size += int64(len(entry))
	k.spans[d] = s
	return nil
}

// read returns the bytes, or fs.ErrNotExist. Damaged bytes are as good as none, and are forgotten.
func (k *pack) read(d digest) ([]byte, error) {
	k.mu.RLock()
	data, err := k.get(d)
	k.mu.RUnlock()
	if errors.Is(err, errDamaged) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if data, err = k.get(d); errors.Is(err, errDamaged) { // still: nobody has healed it in between
			delete(k.spans, d)
			err = fmt.Errorf("pack: %s: %w: %w", d, errDamaged, fs.ErrNotExist)
		}
	}
	return data, err
}

// get needs the lock.
func (k *pack) get(d digest) ([]byte, error) {
	s, ok := k.spans[d]
	if !ok {
		return nil, fmt.Errorf("pack: %s: %w", d, fs.ErrNotExist)
	}
	data, err := k.data(d, s)
	if err != nil {
		return nil, fmt.Errorf("pack: %s: %w", d, err)
	}
	return data, nil
}

func (k *pack) remove(d digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.spans, d)
}

func (k *pack) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.file.Close()
}
