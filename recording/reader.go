package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
)

// What can be wrong with a file as a whole.
var (
	ErrEmpty        = errors.New("recording: the file is empty")
	ErrNotRecording = errors.New("recording: this is no recording")
	ErrVersion      = errors.New("recording: written by a newer regcast")
	ErrTooLong      = fmt.Errorf("longer than %d MB", MaxLine>>20)
)

// MaxLine is how long a line may be, in bytes. A longer one is a LineError.
const MaxLine = 64 << 20

// window is how much a zstd decoder may keep; `zstd --long` asks for 128 MB.
const window = 128 << 20

// LineError is a line that cannot be used. Reading goes on behind it.
type LineError struct {
	Line   int64 // from 1, the header's; 0 when the file was not read from its start
	Offset int64 // of its first byte, in the file as it is when it is not compressed; -1: unknown
	Err    error
}

func (e *LineError) Error() string {
	return "recording: " + place(e.Line, e.Offset) + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *LineError) Unwrap() error { return e.Err }

// TornError is the last line of a recording whose writer was stopped while it wrote. Everything before it was read.
type TornError struct {
	Line, Offset int64 // as in LineError
	Err          error
}

func (e *TornError) Error() string {
	return "recording: " + place(e.Line, e.Offset) + ": the file is torn off here; what stands before is whole: " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *TornError) Unwrap() error { return e.Err }

func place(line, offset int64) string {
	switch {
	case line == 0 && offset < 0:
		return "a line"
	case line == 0:
		return fmt.Sprintf("byte %d", offset)
	}
	return fmt.Sprintf("line %d (byte %d)", line, offset)
}

// Reader reads a recording from its start to its end, in constant memory but for the longest line.
type Reader struct {
	lines  scanner
	header Header
	first  []byte // of a recording without a header: its first line
}

// NewReader reads the header. The recording may be compressed with zstd. One without a header, as GET /_regcast/journal answers,
// has an empty one: its Format is "".
// The error is ErrEmpty, ErrNotRecording, ErrVersion, a *TornError when there is not even a whole header, or what r says.
func NewReader(r io.Reader) (*Reader, error) {
	plain, err := expand(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return nil, err
	}
	out := &Reader{lines: scanner{src: plain, line: 1}}
	line, err := out.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, ErrEmpty
	case err != nil:
		return nil, err
	}
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	if !json.Valid(line) || kind(line) != '{' {
		if out.lines.last && kind(line) == '{' {
			return nil, out.lines.torn(errors.New("no whole line"))
		}
		return nil, fmt.Errorf("%w: it %s; want lines of JSON that begin with %s, or those compressed with zstd",
			ErrNotRecording, sniff(line), `{"format":"`+Format+`"`)
	}
	all := members(line)
	format, headed := find(all, "format")
	if !headed {
		if _, ok := find(all, "at"); !ok {
			return nil, fmt.Errorf("%w: its first line is JSON, but neither a header (format, version) nor a line (seq, at); "+
				"events that come from elsewhere can be imported", ErrNotRecording)
		}
		out.first = bytes.Clone(line)
		return out, nil
	}
	if string(format) != `"`+Format+`"` {
		return nil, fmt.Errorf("%w: its format is %.80s; want %q", ErrNotRecording, format, Format)
	}
	var version struct {
		Version int    `json:"version"`
		Regcast string `json:"regcast"`
	}
	if err := json.Unmarshal(line, &version); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrNotRecording, err)
	}
	switch {
	case version.Version > Version:
		return nil, fmt.Errorf("%w: it is version %d of the format (regcast %q), this one reads up to %d; update regcast",
			ErrVersion, version.Version, version.Regcast, Version)
	case version.Version < 1:
		return nil, fmt.Errorf("%w: header: version %d; want 1 to %d", ErrNotRecording, version.Version, Version)
	}
	if err := out.header.UnmarshalJSON(line); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrNotRecording, err)
	}
	return out, nil
}

// Header returns what the recording begins with. Its Format is empty when the recording has no header.
func (r *Reader) Header() Header { return r.header }

// Lines reads on, line by line: once. A *LineError does not end it; any other error does, a *TornError at the end of a file that
// was not finished among them.
func (r *Reader) Lines() iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		if first := r.first; first != nil {
			r.first = nil
			if r.lines.wants(first) && !yield(r.lines.decode(first)) {
				return
			}
		}
		r.lines.all(yield)
	}
}

// Records is Lines for those who want records and the end alone: most other lines are passed over, readable or not, in a fraction of the
// time.
func (r *Reader) Records() iter.Seq2[Line, error] {
	r.lines.records = true
	return r.Lines()
}

// expand returns what src says, without the compression.
func expand(src *bufio.Reader) (*bufio.Reader, error) {
	magic, err := src.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("recording: read: %w", err)
	}
	if !compressed(magic) {
		return src, nil
	}
	// One decoder a stream: no goroutines, so nobody has to wait for them.
	d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, fmt.Errorf("recording: zstd: %w", err)
	}
	return bufio.NewReaderSize(d, 64<<10), nil
}

// sniff says what a line is that is no JSON object.
func sniff(line []byte) string {
	switch {
	case bytes.HasPrefix(line, []byte("\x1f\x8b")):
		return "is compressed with gzip (gunzip it first)"
	case bytes.HasPrefix(line, []byte("PK\x03\x04")):
		return "is a ZIP archive"
	case bytes.HasPrefix(line, []byte("\xff\xfe")), bytes.HasPrefix(line, []byte("\xfe\xff")):
		return "is UTF-16 text, as PowerShell's > writes it (write it with -o instead)"
	case kind(line) == '[':
		return "begins with a JSON array"
	case kind(line) == '{':
		return "begins with { but its first line is no whole JSON object"
	case kind(line) == '<':
		return "is HTML or XML"
	case bytes.IndexByte(line, 0) >= 0:
		return "is binary"
	}
	return fmt.Sprintf("begins with %.40q", line)
}
