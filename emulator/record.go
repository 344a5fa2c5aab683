package emulator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/recording"
)

// ExportOptions choose a part of the history. The zero value is all of it.
type ExportOptions struct {
	From, To time.Time // by the house's clock; zero: no bound
	// Follow goes on with what is to come until ctx or the house ends. What has happened is left out unless From says otherwise.
	Follow bool
	// Compress writes zstd.
	Compress bool
}

// Export writes the history as a recording. The end of ctx ends a recording that follows, which is no error then.
func (e *Emulator) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	from, begin := uint64(1), o.From
	if o.Follow && o.From.IsZero() {
		begin = e.clock.Now()
		_, last, err := e.journal.Bounds(ctx)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		from = last + 1
	}
	if err := e.journal.Sync(ctx); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	h := e.Header()
	if !o.Follow || !o.From.IsZero() { // what they have done by now they do again
		h.Configuration.Faults = e.faultsInForce(false)
	}
	if err := e.rewind(ctx, &h.Configuration, from, begin); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	r, err := e.newRecorder(w, h, o)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	r.next = from
	if !begin.IsZero() {
		err = r.opened(ctx, from, begin)
	}
	switch {
	case err != nil:
	case o.Follow:
		err = r.follow(ctx)
	default:
		err = r.read(ctx)
	}
	if err == nil {
		err = r.out.End(e.clock.Now())
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// Follow yields what is written to the history from the call on, as lines, until ctx or the house ends; then it yields no error. Kinds are
// those of recording.Line.Kind; none: all.
func (e *Emulator) Follow(ctx context.Context, kinds ...string) (iter.Seq2[recording.Line, error], error) {
	topics, err := topicsOf(strings.Join(kinds, ","))
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	if err := e.journal.Sync(ctx); err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	_, last, err := e.journal.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("follow: %w", err)
	}
	return func(yield func(recording.Line, error) bool) {
		for entry, err := range e.journal.Follow(ctx, last+1, topics...) {
			if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) {
				return
			}
			var line recording.Line
			if err == nil {
				line, err = journalLine(entry)
			}
			if !yield(line, err) {
				return
			}
		}
	}, nil
}

// recorder writes entries of the journal as lines.
type recorder struct {
	emulator *Emulator
	out      *recording.Writer
	flush    func() error // so that a reader has what a quiet house has said; nil: at the end alone
	options  ExportOptions
	next     uint64 // the position to read from
	written  int    // of the entries at that position, which are several where they were written as one message
}

func (e *Emulator) newRecorder(w io.Writer, h recording.Header, o ExportOptions) (*recorder, error) {
	open := recording.NewWriter
	if o.Compress {
		open = recording.NewZstdWriter
	}
	out, err := open(w, h)
	if err != nil {
		return nil, err
	}
	r := &recorder{emulator: e, out: out, options: o}
	if o.Follow {
		r.flush = out.Flush
	}
	return r, nil
}

// opened writes the sockets that are open where a part of the history begins, as if they had opened then: who gets a broadcast follows from
// them, and a rerun needs them.
func (r *recorder) opened(ctx context.Context, from uint64, begin time.Time) error {
	open := map[string]recording.Line{}
	for entry, err := range r.emulator.journal.Read(ctx, 1, journal.Sockets) {
		if err != nil {
			return err
		}
		if from > 1 && entry.Seq >= from {
			break
		}
		line, err := journalLine(entry)
		switch {
		case err != nil: // told where it is written
		case from == 1 && !line.At.Before(begin): // those that follow may be older by a moment
		case line.Socket.What == recording.Opened:
			open[line.Socket.Connection] = line
		default:
			delete(open, line.Socket.Connection)
		}
	}
	for _, line := range slices.SortedFunc(maps.Values(open), func(a, b recording.Line) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Socket.Connection, b.Socket.Connection))
	}) {
		line.Socket.Since, line.At = line.At, begin
		if err := r.out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// read writes what is on record and not yet written.
func (r *recorder) read(ctx context.Context) error {
	from, skip := r.next, r.written
	for entry, err := range r.emulator.journal.Read(ctx, from) {
		if err != nil {
			return err
		}
		if entry.Seq == from && skip > 0 {
			skip--
			continue
		}
		if err := r.write(entry); err != nil {
			return err
		}
	}
	return nil
}

// follow writes what is on record and what comes, until ctx or the journal ends.
func (r *recorder) follow(ctx context.Context) error {
	if err := r.flush(); err != nil { // the header: a reader sees that it has begun, and a file says what it is
		return err
	}
	for entry, err := range r.emulator.journal.Follow(ctx, r.next) {
		switch {
		case ctx.Err() != nil, errors.Is(err, journal.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		if err := r.write(entry); err != nil {
			return err
		}
		if err := r.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) write(entry journal.Entry) error {
	if entry.Seq != r.next {
		r.next, r.written = entry.Seq, 0
	}
	r.written++
	line, err := journalLine(entry)
	if err != nil {
		r.emulator.log.Error("journal: entry left out of a recording", "seq", entry.Seq, "error", err)
		return nil
	}
	if !r.options.From.IsZero() && line.At.Before(r.options.From) || !r.options.To.IsZero() && line.At.After(r.options.To) {
		return nil
	}
	return r.out.Write(line)
}

// Header is what a recording begins with: what there is now, and how this emulator was configured.
func (e *Emulator) Header() recording.Header {
	h := recording.Header{
		Format: recording.Format, Version: recording.Version, Regcast: e.version, Created: time.Now().UTC(), Now: e.clock.Now(),
		Resources: map[string]json.RawMessage{}, Configuration: e.inForce(),
	}
	for name, list := range map[string]any{
		"triggers": e.Triggers(), "gateways": e.Gateways(), "apis": e.APIs(), "functions": e.Functions(), "queues": e.Queues(),
		"tables": e.Tables(), "connections": e.Connections(),
	} {
		if data, err := json.Marshal(list); err == nil && string(data) != "null" && string(data) != "[]" { // they are plain values
			h.Resources[name] = data
		}
	}
	return h
}

// configurationOf is the part of a Config that a recording keeps.
func configurationOf(cfg Config) recording.Configuration {
	c := recording.Configuration{
		AllowOrigins: cfg.AllowOrigins, TagOnCreateImage: cfg.TagOnCreateImage, QuietChildren: cfg.QuietChildren,
		StrictAuth: cfg.StrictAuth, LazyTTL: cfg.LazyTTL, FragmentFrames: cfg.FragmentFrames,
		InProcess: slices.Sorted(maps.Keys(cfg.Functions)),
	}
	for _, t := range cfg.Triggers {
		c.Triggers = append(c.Triggers, recording.File{Name: t.Name, Data: string(t.Data)})
	}
	for _, g := range cfg.Gateways {
		c.Gateways = append(c.Gateways, recording.Gateway{ID: g.ID, File: recording.File{Name: g.Name, Data: string(g.Data)}})
	}
	if t := cfg.Template; t != nil {
		c.Template = &recording.Template{
			File: recording.File{Name: t.Name, Data: string(t.Data)},
			Dir:  t.Dir, Parameters: t.Parameters, Stack: t.Stack, Region: t.Region, Account: t.Account,
		}
	}
	for _, f := range cfg.CloudFunctions {
		c.Functions = append(c.Functions, recording.CloudFunction{
			ID: f.ID, Package: f.Package, Entry: f.Entry, Env: f.Env, Memory: f.Memory, Timeout: f.Timeout,
		})
	}
	for _, o := range cfg.Containers {
		c.Containers = append(c.Containers, recording.Container{ID: o.ID, URL: o.URL})
	}
	return c
}

// getRecording answers the history as a recording: from, to (RFC 3339), follow, zstd.
func (e *Emulator) getRecording(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var o ExportOptions
	for name, into := range map[string]*time.Time{"from": &o.From, "to": &o.To} {
		if s := q.Get(name); s != "" {
			t, err := time.Parse(time.RFC3339, s)
			if err != nil {
				answerError(w, http.StatusBadRequest, fmt.Errorf("%s: got %q, want a time such as 2026-01-02T15:04:05Z", name, s))
				return
			}
			*into = t
		}
	}
	for name, into := range map[string]*bool{"follow": &o.Follow, "zstd": &o.Compress} {
		if s := q.Get(name); s != "" {
			b, err := strconv.ParseBool(s)
			if err != nil {
				answerError(w, http.StatusBadRequest, fmt.Errorf("%s: got %q, want true or false", name, s))
				return
			}
			*into = b
		}
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := http.NewResponseController(w)
	defer context.AfterFunc(e.streams, func() {
		cancel()
		_ = out.SetWriteDeadline(time.Now().Add(time.Second)) // for the last line; a reader that stands still must not hold up the end
	})()
	w.Header().Set("Content-Type", "application/x-ndjson")
	if o.Compress {
		w.Header().Set("Content-Type", "application/zstd")
	}
	var to io.Writer = w
	if o.Follow {
		to = flushed{w, out}
	}
	if err := e.Export(ctx, to, o); err != nil && ctx.Err() == nil {
		e.log.Error("recording: not sent", "error", err)
		panic(http.ErrAbortHandler) // the client must see that it does not have all
	}
}

// flushed sends every write at once.
type flushed struct {
	io.Writer
	out *http.ResponseController
}

func (f flushed) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.out.Flush()
	}
	return n, err
}
