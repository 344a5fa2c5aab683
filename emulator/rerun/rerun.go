// Package rerun plays a recording to a fresh emulator under a clock that it moves, and records what becomes of it.
//
// Everything that came from outside happens again, in its order and at its recorded time: changes, clients that open and close sockets,
// what they send. Everything else follows anew from today's code and configuration.
package rerun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// Source is a recording to be read once.
type Source interface {
	Header() recording.Header
	Lines() iter.Seq2[recording.Line, error]
}

// Options say what comes out.
type Options struct {
	// Out gets the new recording; nil: nobody does.
	Out io.Writer
	// Header gives sockets more headers: what was scrubbed from the recording, such as their authorization.
	Header map[string][]string
	// Secrets are what stood there, by the markers in its place (1a2b3c4d of [scrubbed:1a2b3c4d]): clients ask and say the same again.
	Secrets map[string]string
	// Speed is how many recorded seconds pass in a second of the machine, for somebody who looks on. 0: as fast as it goes.
	Speed float64
	// Instead says that the configuration is not the recording's but one in its place: what it says of triggers and gateways holds, and those
	// that clients made then are not made.
	Instead bool
	// Dial opens connections to cfg.Listener, if that is not one of the network. Nil: TCP.
	Dial func(context.Context) (net.Conn, error)
	// Progress hears of each record.
	Progress func(emulator.ReplayProgress)
	// Notice gets what a person should know, such as a socket that was let in then and not now.
	Notice func(string)
	// Linger is how long the house's clock runs on after the recording's last line, with its sockets open: what is tried again gets its
	// turns. The new recording has it.
	Linger time.Duration
	// Opened hears of each socket that is let in: its connection in the recording, and in this house.
	Opened func(recorded, now string)
	// Started is called with the emulator before anything happens in it.
	Started func(*emulator.Emulator) error
	// Begun is called when the sockets are open that were open when the recording began: from here on faults happen, and Out has all.
	Begun func()
}

// patience bounds what waits for a client or for the end of the house, by the machine's clock.
const patience = 30 * time.Second

// Run starts an emulator with cfg, replays the recording in it, and closes it. The error is of the recording, of cfg, or of ctx: what
// the run came to is in Out.
func Run(ctx context.Context, run Source, cfg emulator.Config, o Options) (s emulator.ReplaySummary, err error) {
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	if o.Opened == nil {
		o.Opened = func(string, string) {}
	}
	if o.Begun == nil {
		o.Begun = func() {}
	}
	in := inputs{lines: run.Lines()}
	next, stop := iter.Pull2(in.all)
	defer stop()
	first, err, _ := next() // there is an end at least
	if err != nil {
		return s, fmt.Errorf("rerun: %w", err)
	}
	if first.At.IsZero() {
		return s, errors.New("rerun: the recording has no lines")
	}
	if o.Instead {
		cfg.Kept = append(slices.Clip(cfg.Kept), beside(run.Header().Configuration.Kept)...)
	}
	cfg.Start, cfg.Frozen, cfg.Record = first.At, true, o.Out
	var there []recording.Line
	for ; err == nil && wasThere(first); first, err, _ = next() {
		there = append(there, first)
	}
	firstErr, faults := err, cfg.Faults
	if there != nil {
		cfg.Faults, cfg.Record = nil, nil
	}
	em, err := emulator.New(cfg)
	if err != nil {
		return s, fmt.Errorf("rerun: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	wait := func() {}
	defer func() {
		limit, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		err = errors.Join(err, em.Close(limit), <-served)
		wait()
	}()
	clients, err := newClients(em, o)
	if err != nil {
		return s, fmt.Errorf("rerun: %w", err)
	}
	wait = clients.wait
	if o.Started != nil {
		if err := o.Started(em); err != nil {
			return s, fmt.Errorf("rerun: %w", err)
		}
	}
	if there != nil {
		if err := clients.there(ctx, there, faults, o.Out, cfg.RecordZstd); err != nil {
			return s, fmt.Errorf("rerun: %w", err)
		}
	}
	o.Begun()
	lines := func(yield func(recording.Line, error) bool) {
		if there != nil && !yield(recording.Line{At: cfg.Start}, nil) { // nothing, from which the gap to the first line counts
			return
		}
		for line, err, ok := first, firstErr, true; ok && yield(line, err); {
			line, err, ok = next()
		}
	}
	if s, err = em.Replay(ctx, lines, emulator.ReplayOptions{Virtual: true, Speed: o.Speed, Progress: o.Progress, Other: clients.line}); err != nil {
		return s, fmt.Errorf("rerun: %w", err)
	}
	if o.Linger > 0 {
		if err := em.Advance(ctx, o.Linger); err != nil {
			return s, fmt.Errorf("rerun: %w", err)
		}
	}
	if !in.closing { // the recording does not tell what the end of the house brought, so the new one does not either
		err = em.EndRecord()
	}
	return s, err
}
