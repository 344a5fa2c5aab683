package emulator

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/explain"
)

// ErrNoEvent is returned for an event id that is not in the journal.
var ErrNoEvent = explain.ErrNoEvent

// Trace is the walk of one event from its record to the sockets.
type Trace struct {
	Seq    uint64        `json:"seq"`    // position of its record in the journal
	Origin string        `json:"origin"` // events.OriginRegistry, …
	At     time.Time     `json:"at"`     // when it was recorded
	Event  events.Event  `json:"event"`
	Change events.Change `json:"change"`
	Steps  []events.Step `json:"steps"`
	// Lines are the steps, and the invocations and frames that had the event inside, in the order of the journal.
	Lines []recording.Line `json:"lines,omitempty"`
}

// Trace returns what became of an event so far. It reads the journal, so its cost grows with the journal's length.
func (e *Emulator) Trace(ctx context.Context, id string) (Trace, error) {
	t, err := e.findEvent(ctx, id)
	if err != nil {
		return t, fmt.Errorf("trace %s: %w", id, err)
	}
	if err := e.journal.Sync(ctx); err != nil {
		return t, fmt.Errorf("trace %s: %w", id, err)
	}
	t.Steps = []events.Step{}
	for entry, err := range e.journal.Read(ctx, t.Seq, journal.Steps, journal.Invocations, journal.Frames) {
		if err != nil {
			return t, fmt.Errorf("trace %s: %w", id, err)
		}
		if !bytes.Contains(entry.Data, []byte(id)) { // most are of other events: they need no decoding
			continue
		}
		line, err := journalLine(entry)
		if err != nil {
			return t, fmt.Errorf("trace %s: entry %d: %w", id, entry.Seq, err)
		}
		switch {
		case line.Step != nil && slices.Contains(line.Step.Events, id):
			t.Steps = append(t.Steps, *line.Step)
			t.Lines = append(t.Lines, line)
		case line.Invocation != nil && slices.Contains(line.Invocation.Events, id), line.Frame != nil && slices.Contains(line.Frame.Events, id):
			t.Lines = append(t.Lines, line)
		}
	}
	return t, nil
}

func (e *Emulator) findEvent(ctx context.Context, id string) (Trace, error) {
	if id == "" {
		return Trace{}, ErrNoEvent
	}
	for entry, err := range e.journal.Read(ctx, 1, journal.Changes) {
		if err != nil {
			return Trace{}, err
		}
		if !bytes.Contains(entry.Data, []byte(id)) {
			continue
		}
		r, err := events.DecodeRecord(entry.Data)
		if err != nil {
			return Trace{}, fmt.Errorf("entry %d: %w", entry.Seq, err)
		}
		for _, ev := range r.Events {
			if ev.ID == id {
				at := r.At
				if at.IsZero() { // of a journal from before records told it
					at = entry.At
				}
				return Trace{Seq: entry.Seq, Origin: r.Origin, At: at, Event: ev, Change: ev.Change}, nil
			}
		}
	}
	return Trace{}, ErrNoEvent
}
