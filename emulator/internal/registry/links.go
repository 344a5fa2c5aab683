package registry

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// links remembers which blobs a repository has, and which repositories were deleted as a whole: no cloud tells of that, so the journal
// does not know. It is a line of text for each change since the last snapshot, in files links.1, links.2, …: a snapshot begins a new file and drops those before it.
// A line says what is so from now on, so reading one twice does no harm.
type links struct {
	dir   string
	write func(*os.File, []byte) (int, error)

	mu   sync.Mutex
	file *os.File
	n    int
	torn bool // the last line may be half written
}

const linksPrefix = "links."

// openLinks continues the newest file. from is the first file that the snapshot does not contain.
func openLinks(dir string, from int, write func(*os.File, []byte) (int, error)) (*links, error) {
	l := &links{dir: dir, n: max(from, 1), write: write, torn: true} // whoever was killed may have torn the last line
	numbers, err := l.numbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		l.n = max(l.n, numbers[len(numbers)-1])
	}
	l.file, err = l.create(l.n)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (l *links) path(n int) string { return filepath.Join(l.dir, linksPrefix+strconv.Itoa(n)) }

func (l *links) create(n int) (*os.File, error) {
	f, err := os.OpenFile(l.path(n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	return f, nil
}

// numbers lists the files there are, in order.
func (l *links) numbers() ([]int, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	var out []int
	for _, e := range entries {
		if digits, ok := strings.CutPrefix(e.Name(), linksPrefix); ok {
			if n, err := strconv.Atoi(digits); err == nil {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

const (
	linkAdded   = "+"
	linkRemoved = "-"
	linkDropped = "x" // the whole repository went, with all its blobs, after the record of a number
)

// note writes one line about a blob, or, of linkDropped, about a number. The caller holds the lock of the repository, so that the
// lines are in the order of what happened.
func (l *links) note(what string, k key, of string) error {
	line := what + " " + k.registry + "/" + k.name + " " + of + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn {
		line = "\n" + line
	}
	if _, err := l.write(l.file, []byte(line)); err != nil {
		l.torn = true
		return fmt.Errorf("links: %w", err)
	}
	l.torn = false
	return nil
}

// replay reads the files from the given one on. Lines that make no sense were torn by a crash and tell of nothing acknowledged.
func (l *links) replay(from int, each func(link)) error {
	for n := from; n <= l.n; n++ {
		if err := l.replayFile(l.path(n), each); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("links: %w", err)
		}
	}
	return nil
}

func (l *links) replayFile(path string, each func(link)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if line, ok := parseLink(scanner.Text()); ok {
			each(line)
		}
	}
	return scanner.Err()
}

// link is one line.
type link struct {
	what   string
	key    key
	digest digest
	seq    uint64 // of linkDropped, which has no digest
}

func parseLink(text string) (l link, ok bool) {
	fields := strings.Split(text, " ")
	if len(fields) != 3 {
		return link{}, false
	}
	registry, name, cut := strings.Cut(fields[1], "/")
	l = link{what: fields[0], key: key{registry, name}}
	switch l.what {
	case linkAdded, linkRemoved:
		l.digest, ok = parseDigest(fields[2])
	case linkDropped:
		var err error
		l.seq, err = strconv.ParseUint(fields[2], 10, 64)
		ok = err == nil
	}
	return l, ok && cut && validName(name)
}

// rotate begins a new file and returns its number.
func (l *links) rotate() (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.create(l.n + 1)
	if err != nil {
		return 0, err
	}
	_ = l.file.Close()
	l.file, l.torn = f, false
	l.n++
	return l.n, nil
}

// drop removes the files before the given one.
func (l *links) drop(before int) error {
	numbers, err := l.numbers()
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n < before {
			err = errors.Join(err, os.Remove(l.path(n)))
		}
	}
	return err
}

func (l *links) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
