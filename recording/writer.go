package recording

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrEnded is returned for a line after the end.
var ErrEnded = errors.New("recording: write: the recording is ended")

// Writer writes a recording. Secrets are scrubbed from everything that it writes. It is for one goroutine at a time.
type Writer struct {
	out   sink
	lines int64
	ended bool
	err   error
	file  io.Closer // what Create opened
}

// sink takes what a Writer writes.
type sink interface {
	io.Writer
	Flush() error
	Close() error
}

// NewWriter writes the header; Format and Version are this package's, whatever h says.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	return newWriter(&buffered{bufio.NewWriterSize(w, 64<<10)}, h)
}

func newWriter(out sink, h Header) (*Writer, error) {
	h.Format, h.Version = Format, Version
	data, err := h.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("recording: header: %w", err)
	}
	w := &Writer{out: out}
	return w, w.put(scrubValue(data, ""))
}

// Write writes l. It may wait in a buffer until Flush, End or Close. After an error there is no use in going on.
// An End line, when a recording is copied, ends this one as End does.
func (w *Writer) Write(l Line) error {
	if l.End != nil {
		return w.end(l)
	}
	if w.ended {
		return ErrEnded
	}
	if err := w.line(l); err != nil {
		return err
	}
	w.lines++
	return nil
}

func (w *Writer) line(l Line) error {
	data, err := l.MarshalJSON()
	if err != nil {
		return fmt.Errorf("recording: write: %w", err)
	}
	if hidden(data) || bytes.Contains(data, []byte(`"base64"`)) {
		data = scrubValue(data, "")
	}
	if len(data) > MaxLine {
		return fmt.Errorf("recording: write: a %s line of %d MB is %w", l.Kind(), len(data)>>20, ErrTooLong)
	}
	return w.put(data)
}

func (w *Writer) put(data []byte) error {
	for _, part := range [][]byte{data, {'\n'}} {
		if w.err != nil {
			break
		}
		if _, err := w.out.Write(part); err != nil {
			w.err = fmt.Errorf("recording: write: %w", err)
		}
	}
	return w.err
}

// Flush hands everything to the writer below: whoever reads it then finds every line so far, also when this process is killed.
func (w *Writer) Flush() error {
	if w.err == nil {
		if err := w.out.Flush(); err != nil {
			w.err = fmt.Errorf("recording: flush: %w", err)
		}
	}
	return w.err
}

// End writes that the recording is complete, and closes it. The writer below stays open.
func (w *Writer) End(at time.Time) error {
	if w.ended {
		return w.err
	}
	return w.end(Line{At: at, End: &End{}})
}

func (w *Writer) end(l Line) error {
	if w.ended {
		return ErrEnded
	}
	end := *l.End
	end.Lines = w.lines
	l.End = &end
	if err := w.line(l); err != nil {
		return err
	}
	return w.Close()
}

// Close finishes the recording without saying that the recording is complete; after End it does nothing.
func (w *Writer) Close() error {
	if w.ended {
		return w.err
	}
	w.ended = true
	if w.err == nil {
		if err := w.out.Close(); err != nil {
			w.err = fmt.Errorf("recording: close: %w", err)
		}
	}
	if w.file != nil {
		if err := w.file.Close(); err != nil && w.err == nil {
			w.err = fmt.Errorf("recording: close: %w", err)
		}
	}
	return w.err
}

type buffered struct{ *bufio.Writer }

func (b *buffered) Close() error { return b.Flush() }
