package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/foreign"
)

// recordedRun is a file that holds what happened: a recording, or what others have recorded.
type recordedRun struct {
	name        string
	header      recording.Header
	all         lines
	first, last time.Time // recorded; zero: not known before it is read
	foreign     bool      // others have recorded it
	left        int       // lines and items that could not be used so far
	warn        func(error)
	close       func() error
}

func (r *recordedRun) Header() recording.Header { return r.header }
func (r *recordedRun) Lines() lines             { return r.all }
func (r *recordedRun) Close() error             { return r.close() }
func (r *recordedRun) skipped() int             { return r.left }

// openRun opens a file, or standard input for "-". What cannot be used of it is told on standard error, and left out.
func openRun(name string, env environment) (*recordedRun, error) {
	r := &recordedRun{name: name, close: func() error { return nil }}
	r.warn = func(err error) {
		r.left++
		fmt.Fprintf(env.stderr, "regcast: %s: %v\n", name, err)
	}
	empty := "the file is empty"
	in := env.stdin
	if name != "-" {
		f, err := openFile(name)
		if err != nil {
			return nil, err
		}
		in, r.close = f, f.Close
	} else {
		empty = "nothing came on standard input"
	}
	buffered := bufio.NewReader(in)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return nil, errors.Join(usageError("%s: %s", name, empty), r.Close())
	}
	in = buffered
	ours, rest, err := foreign.Recognise(in)
	if err == nil && ours {
		err = r.read(rest)
	} else if err == nil {
		r.foreign = true
		r.convert(rest)
	}
	if err != nil {
		return nil, errors.Join(usageError("%s: %w", name, err), r.Close())
	}
	if name != "-" && ours {
		r.span()
	}
	return r, nil
}

// openFile opens a file to read.
func openFile(name string) (*os.File, error) {
	switch info, err := os.Stat(name); {
	case errors.Is(err, os.ErrNotExist):
		return nil, usageError("%s: there is no such file", name)
	case err == nil && info.IsDir():
		return nil, usageError("%s: it is a folder; want a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError("%w", err)
	}
	return f, nil
}

// openSeek opens a recording on disk.
func openSeek(name string) (*recording.SeekReader, error) {
	f, err := openFile(name)
	if err != nil {
		return nil, err
	}
	_ = f.Close() // it is there, and a file
	r, err := recording.Open(name)
	if err != nil {
		return nil, usageError("%w; `regcast inspect %s` says what it holds", err, name)
	}
	return r, nil
}

// nothing is the error of a file from elsewhere that has nothing to replay. lines are those that were found.
func (r *recordedRun) nothing(lines int) error {
	if !r.foreign || lines > 0 || r.left == 0 {
		return nil
	}
	return fmt.Errorf("%s: there is nothing to replay; regcast inspect %s says what it holds", r.name, r.name)
}

// useless is the error of a file of which no line can be replayed.
func (r *recordedRun) useless(s selection) error {
	why := "it has no line of what happened"
	if s.from != "" || s.to != "" || s.filter != "" {
		why = "--from, --to and --filter leave no line"
	}
	return usageError("%s: there is nothing to replay: %s; `regcast inspect %s` says what it holds", r.name, why, r.name)
}

// counted are lines, and how many of them can be used so far.
func counted(all lines) (lines, *int) {
	n := 0
	return func(yield func(recording.Line, error) bool) {
		for line, err := range all {
			if err == nil {
				n++
			}
			if !yield(line, err) {
				return
			}
		}
	}, &n
}

// read is for a recording.
func (r *recordedRun) read(in io.Reader) error {
	run, err := recording.NewReader(in)
	if err != nil {
		return err
	}
	r.header = run.Header()
	r.all = r.usable(run.Lines())
	return nil
}

// usable are the lines that can be used.
func (r *recordedRun) usable(all lines) lines {
	return func(yield func(recording.Line, error) bool) {
		for line, err := range all {
			var bad *recording.LineError
			var torn *recording.TornError
			if errors.As(err, &bad) || errors.As(err, &torn) {
				r.warn(err)
				continue
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// since reads on from a recorded time; zero: all. Of a recording on disk it does not read what is before.
func (r *recordedRun) since(from time.Time) lines {
	if from.IsZero() || r.foreign || r.name == "-" {
		return r.all
	}
	return func(yield func(recording.Line, error) bool) {
		f, err := recording.Open(r.name)
		if err != nil { // a pipe, for one
			r.all(yield)
			return
		}
		defer f.Close()
		r.usable(f.From(from))(yield)
	}
}

// convert is for what others have recorded.
func (r *recordedRun) convert(in io.Reader) {
	r.header = recording.Header{Format: recording.Format, Version: recording.Version, Created: time.Now().UTC()}
	r.all = func(yield func(recording.Line, error) bool) {
		for item, err := range foreign.Read(in, foreign.Options{}) {
			if err == nil && item.Skipped != "" {
				r.left++
				continue
			}
			if r := item.Recorded.Record; r != nil && item.Recorded.At.IsZero() && len(r.Changes) > 0 {
				item.Recorded.At = r.Changes[0].At
			}
			if !yield(item.Recorded, err) {
				return
			}
		}
	}
}

// span finds the first and the last time of a recording. A file that does not tell is replayed all the same.
func (r *recordedRun) span() {
	f, err := recording.Open(r.name)
	if err != nil {
		return
	}
	defer f.Close()
	for line, err := range f.Lines() {
		if err == nil {
			r.first = line.At
		}
		break
	}
	if last, err := f.Last(); err == nil {
		r.last = last.At
	}
}
