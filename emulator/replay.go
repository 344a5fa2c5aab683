package emulator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// ReplayOptions say how a recording is replayed. The zero value publishes it as fast as the house takes it, by the house's clock as it is.
type ReplayOptions struct {
	// Speed is how many recorded seconds pass in a second of the house's clock. 0: gaps are left out.
	Speed float64
	// Virtual moves the house's clock by the recorded gaps, firing what is due on the way, so that batches are those of the recording
	// however fast it goes. A Speed is then of the machine's clock, for somebody who looks on. It needs a clock that can be moved.
	Virtual bool
	// Again gives the events new ids. Otherwise what the journal has already, told by the events' ids, is left out.
	Again bool
	// Eager publishes each record before the next line is read. Otherwise, where gaps count for nothing, some are published together.
	Eager bool
	// Now has changes happen when they are replayed. Otherwise they keep their recorded time.
	Now bool
	// Progress, if there is one, hears of each record after it is published or left out.
	Progress func(ReplayProgress)
	// Control, if there is one, can hold records back.
	Control *ReplayControl
	// Other, if there is one, gets the lines that are no records, in their turn and at their time, when the house is quiet.
	Other func(context.Context, recording.Line) error
}

// ReplayProgress is how far a replay is.
type ReplayProgress struct {
	At      time.Time `json:"at"` // recorded time
	Records int64     `json:"records"`
	Events  int64     `json:"events"`
	Known   int64     `json:"known"` // records left out: the journal has them
}

// ReplaySummary is what a replay came to. Batches, Frames and Lost count what the house did meanwhile, whoever made it do so.
type ReplaySummary struct {
	ReplayProgress
	Lines    int64         `json:"lines"`
	Mute     int64         `json:"mute"`     // records that no cloud has an event for
	Batches  int64         `json:"batches"`  // taken by a target
	Frames   int64         `json:"frames"`   // a message to one socket
	Lost     int64         `json:"lost"`     // deliveries given up
	Failed   int64         `json:"failed"`   // invocations
	Span     time.Duration `json:"span"`     // recorded time from the first record to the last line
	Duration time.Duration `json:"duration"` // of the replay, by the machine's clock
}

// Replay publishes the records of a recording, each worded anew by every cloud (but for those of OriginForeign, whose events are as they
// came), and returns when the house is quiet. The same recording gives the same events. After an error the summary tells what was
// published.
func (e *Emulator) Replay(ctx context.Context, lines iter.Seq2[recording.Line, error], o ReplayOptions) (ReplaySummary, error) {
	r := replay{emulator: e, options: o, began: time.Now(), start: e.clock.Now(), before: e.tally.read(), settle: e.settler()}
	err := r.run(ctx, lines)
	s := r.summary
	s.Duration = time.Since(r.began)
	after := e.tally.read()
	s.Batches, s.Frames = after.batches-r.before.batches, after.frames-r.before.frames
	s.Lost, s.Failed = after.lost-r.before.lost, after.failed-r.before.failed
	if err != nil {
		return s, fmt.Errorf("replay: %w", err)
	}
	return s, nil
}

type replay struct {
	emulator *Emulator
	options  ReplayOptions
	summary  ReplaySummary
	began    time.Time // by the machine's clock
	before   tallied

	settle func(context.Context) error // returns when nothing moves in the house; what hangs is not waited for again and again
	other  bool                        // Options.Other has had its line, and nobody has waited since for what came of it

	start   time.Time       // of the house's clock, at the first line
	first   time.Time       // recorded time of the first line
	settled time.Time       // of the house's clock, when it was quiet last
	quantum time.Duration   // see move
	group   []events.Record // to be written together
	last    [2]uint64       // positions of the last groups
	stuck   bool            // the triggers read no further: see keepUp
}

func (r *replay) run(ctx context.Context, lines iter.Seq2[recording.Line, error]) error {
	e := r.emulator
	if r.options.Virtual {
		if _, ok := e.clock.(clock.Movable); !ok {
			return errors.New("the house's clock cannot be moved")
		}
		if c, ok := e.clock.(*clock.Warp); ok && !c.State().Frozen { // else it would run on between the lines
			c.Freeze()
			defer c.Resume()
			r.start = c.Now()
		}
		if r.options.Other == nil && !r.options.Eager { // else what becomes of it is looked at, and when
			r.quantum = e.plainWindow()
		}
	}
	if err := e.known.load(ctx, e.journal); err != nil {
		return err
	}
	asked := time.Now()
	for line, err := range lines {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return errors.Join(err, r.write(ctx))
		}
		if line.At.IsZero() && line.Record != nil && len(line.Record.Changes) > 0 {
			line.At = line.Record.Changes[0].At
		}
		r.summary.Lines++
		if r.first.IsZero() {
			r.first = line.At
		}
		if line.At.After(r.summary.At) {
			r.summary.At = line.At
			r.summary.Span = line.At.Sub(r.first)
		}
		switch {
		case line.Record != nil:
			at, err := r.turn(ctx, line.At, asked)
			if err != nil {
				return err
			}
			if r.other {
				if err := r.settle(ctx); err != nil {
					return err
				}
				r.other = false
			}
			if err := r.publish(ctx, *line.Record, at); err != nil {
				return err
			}
		case line.End != nil:
			if r.options.Virtual {
				if _, err := r.reach(ctx, line.At, 0); err != nil {
					return err
				}
			}
		case r.options.Other != nil:
			if _, err := r.reach(ctx, line.At, time.Since(asked)); err != nil {
				return err
			}
			if err := r.write(ctx); err != nil {
				return err
			}
			if err := r.settle(ctx); err != nil {
				return err
			}
			if err := r.options.Other(ctx, line); err != nil {
				return err
			}
			r.other = true
		}
		asked = time.Now()
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	if r.options.Virtual {
		if err := r.settle(ctx); err != nil {
			return err
		}
		return e.journal.Sync(ctx)
	}
	return e.Flush(ctx)
}

func (r *replay) publish(ctx context.Context, rec events.Record, at time.Time) error {
	e := r.emulator
	out := events.Record{Origin: events.OriginReplay, Changes: slices.Clone(rec.Changes), At: at}
	if rec.Origin == events.OriginForeign {
		out.Origin = events.OriginForeign
	}
	for i := range out.Changes {
		c := &out.Changes[i]
		if c.Registry == "" {
			c.Registry = e.defaults.RegistryID
		}
		if r.options.Now {
			c.At = at
		}
		if err := c.Validate(); err != nil {
			return err
		}
	}
	known := r.word(&out, rec)
	defer func() {
		if r.options.Progress != nil {
			r.options.Progress(r.summary.ReplayProgress)
		}
	}()
	switch {
	case len(out.Events) == 0:
		r.summary.Mute++
		return nil
	case known:
		r.summary.Known++
		return nil
	}
	r.group = append(r.group, out)
	e.known.add(out) // the same record may stand twice in one group
	r.summary.Records++
	r.summary.Events += int64(len(out.Events))
	if len(r.group) == mostTogether || r.options.Speed > 0 || r.options.Eager || r.options.Virtual && r.quantum == 0 {
		return r.write(ctx)
	}
	return nil
}

// mostTogether bounds the records that are written together when gaps count for nothing, so that a write costs each of them little.
const mostTogether = 256

// write puts on record what was gathered.
func (r *replay) write(ctx context.Context) error {
	if len(r.group) == 0 {
		return nil
	}
	if err := r.keepUp(ctx); err != nil {
		return err
	}
	seq, err := r.emulator.append(ctx, r.group...)
	r.last = [2]uint64{r.last[1], seq}
	clear(r.group)
	r.group = r.group[:0]
	return err
}

// keepUp waits before a whole group until the triggers have the last but one: what is read long after it was written has to be fetched and
// decoded again. Triggers that are full may read on only when the clock moves, so it gives up on them.
func (r *replay) keepUp(ctx context.Context) error {
	if len(r.group) < mostTogether || r.stuck {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := r.emulator.triggers.Read(limited, lastOf(r.last[0]))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		r.stuck = true
		return nil
	}
	return err
}

// word makes the events, and tells whether the journal has them. Where they are to be new, they are.
func (r *replay) word(out *events.Record, rec events.Record) (known bool) {
	for {
		if r.options.Again {
			for i := range out.Changes {
				out.Changes[i].Rev = 0
			}
		}
		r.emulator.complete(out)
		r.emulator.word(out)
		if out.Origin == events.OriginForeign {
			keepWords(out, rec, r.options)
		}
		known = len(out.Events) > 0 && r.emulator.known.has(*out)
		if !known || !r.options.Again { // else another house has given this Rev to the same change
			return known
		}
	}
}

// tally counts what the house does, for summaries.
type tally struct{ batches, frames, lost, failed atomic.Int64 }

type tallied struct{ batches, frames, lost, failed int64 }

func (t *tally) read() tallied {
	return tallied{t.batches.Load(), t.frames.Load(), t.lost.Load(), t.failed.Load()}
}

func (t *tally) step(s events.Step) {
	switch s.What {
	case events.StepDelivered:
		t.batches.Add(1)
	case events.StepLost:
		t.lost.Add(1)
	}
}
