package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// block is the step in which a plain file is searched.
const block = 64 << 10

// slack is by how much lines may be out of order, in bytes of a plain file; in a compressed one it is a frame.
const slack = 256 << 10

// SeekReader is a recording on disk that can be read from anywhere. Opening it reads its header, and finding a place a few lines more,
// however long it is. It is safe for several goroutines.
type SeekReader struct {
	file   *os.File
	size   int64
	header Header
	frames func() ([]frame, error) // nil: the file is plain
}

// Open opens the recording at path, as long as it is now. The error is NewReader's, or the file system's.
func Open(path string) (*SeekReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	f := &SeekReader{file: file}
	if err := f.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return f, nil
}

func (f *SeekReader) open() error {
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("recording: open: %w", err)
	}
	switch {
	case info.IsDir():
		return errors.New("recording: open: it is a folder; want a file")
	case !info.Mode().IsRegular():
		return fmt.Errorf("recording: open: it is a %s; want a file", info.Mode().Type())
	}
	f.size = info.Size()
	r, err := NewReader(f.from(0))
	if err != nil {
		return err
	}
	f.header = r.Header()
	magic := make([]byte, 4)
	if _, err := f.file.ReadAt(magic, 0); err == nil && compressed(magic) {
		f.frames = sync.OnceValues(func() ([]frame, error) { return readFrames(f.file, f.size) })
	}
	return nil
}

// Create makes or empties the file at path and writes to it; with zstd when its name ends in .zst. Ending or closing the Writer
// closes the file.
func Create(path string, h Header) (*Writer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("recording: create: %w", err)
	}
	begin := NewWriter
	if strings.HasSuffix(path, ".zst") {
		begin = NewZstdWriter
	}
	w, err := begin(file, h)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	w.file = file
	return w, nil
}

// Close closes the file.
func (f *SeekReader) Close() error { return f.file.Close() }

// Header is Reader's.
func (f *SeekReader) Header() Header { return f.header }

// Lines reads all, as Reader's does, as often as it is called.
func (f *SeekReader) Lines() iter.Seq2[Line, error] { return f.read(nil) }

func (f *SeekReader) read(wanted func(key) bool) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		r, err := NewReader(f.from(0))
		if err != nil {
			yield(Line{}, err)
			return
		}
		r.lines.wanted = wanted
		r.Lines()(yield)
	}
}

// From reads on from t: every line that happened then or later. It relies on the lines' order, which may be wrong by 256 KB (in a
// compressed file by a frame). Line numbers in errors are 0: nobody has counted.
func (f *SeekReader) From(t time.Time) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f.search(yield,
			func(k key) bool { return !k.At.IsZero() },
			func(k key) bool { return !k.At.Before(t) },
			func(k key) bool { return !k.At.Before(t) })
	}
}

// FromSeq reads on from a position in the journal: every line of that or a later one, and what has none behind the first of those.
func (f *SeekReader) FromSeq(seq uint64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		var began bool
		f.search(yield,
			func(k key) bool { return k.Seq > 0 },
			func(k key) bool { return k.Seq >= seq },
			func(k key) bool {
				began = began || k.Seq >= seq
				return began && (k.Seq == 0 || k.Seq >= seq)
			})
	}
}

// Last returns the last line that is whole, reading no more than the end of the file: when it is an End, the recording is complete.
// The error is io.EOF when there is none.
func (f *SeekReader) Last() (Line, error) {
	places, err := f.places()
	if err != nil {
		return Line{}, err
	}
	for i := places - 1; i >= 0; i-- {
		var last Line
		for l, err := range f.at(i, nil) {
			if err == nil {
				last = l
			}
		}
		if !last.At.IsZero() {
			return last, nil
		}
	}
	return Line{}, io.EOF
}

// search yields the lines that are wanted, beginning a little before the first place where reached says yes. Keys that are of no use
// are passed over.
func (f *SeekReader) search(yield func(Line, error) bool, use, reached, wanted func(key) bool) {
	places, err := f.places()
	if err != nil {
		yield(Line{}, err)
		return
	}
	var failed error
	i := sort.Search(places, func(i int) bool {
		k, err := f.key(i, use)
		if err != nil && !errors.Is(err, io.EOF) && failed == nil {
			failed = err
		}
		return err != nil || reached(k)
	})
	if failed != nil {
		yield(Line{}, failed)
		return
	}
	back := 2
	if f.frames == nil {
		back = 1 + slack/block
	}
	f.at(max(0, i-back), wanted)(yield)
}

// places is how many places there are to begin at.
func (f *SeekReader) places() (int, error) {
	if f.frames == nil {
		return int((f.size + block - 1) / block), nil
	}
	frames, err := f.frames()
	return len(frames), err
}

// at reads what is wanted (nil: all) from the first line that begins at or behind a place, to the end.
func (f *SeekReader) at(i int, wanted func(key) bool) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if i == 0 {
			f.read(wanted)(yield)
			return
		}
		s, err := f.scan(i)
		if err != nil {
			yield(Line{}, err)
			return
		}
		s.wanted = wanted
		s.all(yield)
	}
}

// key returns the first key of use at or behind a place; io.EOF when there is none.
func (f *SeekReader) key(i int, use func(key) bool) (key, error) {
	s, err := f.scan(i)
	if err != nil {
		return key{}, err
	}
	for {
		line, err := s.next()
		var bad *LineError
		var torn *TornError
		switch {
		case errors.As(err, &torn):
			return key{}, io.EOF
		case err != nil && !errors.As(err, &bad):
			return key{}, err
		}
		if err != nil {
			continue
		}
		if k, ok := keyOf(line); ok && use(k) {
			return k, nil
		}
	}
}

// scan returns the lines from a place on. In the first place that begins with the header.
func (f *SeekReader) scan(i int) (*scanner, error) {
	if f.frames == nil {
		s := &scanner{offset: max(0, int64(i)*block-1)}
		s.src = bufio.NewReaderSize(f.from(s.offset), 64<<10)
		if i == 0 {
			return s, nil
		}
		return s, s.drop() // from the byte before: a line that begins here is whole
	}
	frames, err := f.frames()
	if err != nil {
		return nil, err
	}
	src, err := expand(bufio.NewReaderSize(f.from(frames[i].offset), 64<<10))
	if err != nil {
		return nil, err
	}
	s := &scanner{src: src, offset: frames[i].plain}
	// Our frames begin with a line, others' anywhere: then the rest of that line is no line.
	if start, _ := src.Peek(1); i > 0 && !slices.Equal(start, []byte("{")) {
		return s, s.drop()
	}
	return s, nil
}

func (f *SeekReader) from(offset int64) io.Reader {
	return io.NewSectionReader(f.file, offset, f.size-offset)
}
