package recording

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// scanner takes lines from a stream.
type scanner struct {
	src    *bufio.Reader
	line   int64  // number of the next line; 0: unknown
	offset int64  // of the next line; -1: unknown
	long   []byte // a line that is longer than src's buffer
	last   bool   // the line that next returned has no end: it is the file's last
	at     struct{ line, offset int64 }
	wanted func(key) bool // all passes over the other lines; nil: none

	records bool // lines without a record or an end need not be decoded
}

// next returns the next line that is not blank, without its end; it holds until the next call. The error is io.EOF, a *LineError,
// after which there may be more, a *TornError, or what the stream says.
func (s *scanner) next() ([]byte, error) {
	if cap(s.long) > 1<<20 { // one long line does not hold memory for ever
		s.long = nil
	}
	for {
		s.at.line, s.at.offset = s.line, s.offset
		line, n, err := s.take()
		if s.offset >= 0 {
			s.offset += n
		}
		if s.line > 0 {
			s.line++
		}
		s.last = err != nil
		tooLong := n > MaxLine+2
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return nil, io.EOF
		case errors.Is(err, io.ErrUnexpectedEOF): // zstd's
			return nil, s.torn(errors.New("the compressed data ends within a frame"))
		case err != nil && !errors.Is(err, io.EOF):
			return nil, s.failed(err)
		case tooLong:
			return nil, &LineError{Line: s.at.line, Offset: s.at.offset, Err: ErrTooLong}
		}
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) > 0 {
			return line, nil
		}
	}
}

// take returns bytes up to a line's end, and how many it took; of a line that is too long only the count.
func (s *scanner) take() (line []byte, n int64, err error) {
	s.long = s.long[:0]
	for {
		part, err := s.src.ReadSlice('\n')
		n += int64(len(part))
		if err == nil && len(s.long) == 0 {
			return part, n, nil
		}
		if n <= MaxLine+2 {
			s.long = append(s.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return s.long, n, err
		}
	}
}

// drop leaves out what is left of a line.
func (s *scanner) drop() error {
	_, n, err := s.take()
	if s.offset >= 0 {
		s.offset += n
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return s.torn(errors.New("the compressed data ends within a frame"))
	}
	return s.failed(err)
}

func (s *scanner) torn(err error) error {
	return &TornError{Line: s.at.line, Offset: s.at.offset, Err: err}
}

func (s *scanner) failed(err error) error {
	return fmt.Errorf("recording: %s: read: %w", place(s.at.line, s.at.offset), err)
}

// decode makes a Line of a line.
func (s *scanner) decode(line []byte) (Line, error) {
	var l Line
	err := l.decode(line)
	if err == nil && l.At.IsZero() {
		err = errors.New("no time: want at")
		if bytes.Contains(line[:min(len(line), 64)], []byte(`"`+Format+`"`)) {
			err = errors.New("a second header: these are two recordings in one file")
		}
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return l, nil
	case s.last && !json.Valid(line):
		return Line{}, s.torn(err)
	case kind(line) != '{':
		err = errors.New("want a JSON object")
	case errors.As(err, &wrong) && wrong.Field != "":
		err = fmt.Errorf("%s: a %s; want %s", wrong.Field, wrong.Value, wrong.Type)
	}
	return Line{}, &LineError{Line: s.at.line, Offset: s.at.offset, Err: err}
}

// all reads to the end.
func (s *scanner) all(yield func(Line, error) bool) {
	for {
		data, err := s.next()
		if errors.Is(err, io.EOF) {
			return
		}
		var bad *LineError
		if err != nil {
			if !yield(Line{}, err) || !errors.As(err, &bad) || s.last {
				return
			}
			continue
		}
		if s.wants(data) && !yield(s.decode(bytes.Clone(data))) || s.last {
			return
		}
	}
}

// wants says no only of lines that can be read, or that hold nothing of what is asked for.
func (s *scanner) wants(line []byte) bool {
	if s.records && !s.last && !bytes.Contains(line, []byte(`"record"`)) && !bytes.Contains(line, []byte(`"end"`)) {
		return false
	}
	if s.wanted == nil {
		return true
	}
	k, ok := keyOf(line)
	return !ok || s.wanted(k)
}
