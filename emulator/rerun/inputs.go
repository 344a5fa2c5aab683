package rerun

import (
	"bytes"
	"iter"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// A recording tells of what came from outside when it came, and of what follows from it later. In between other things come: a socket that
// opens after a push and before its frame gets the frame. A rerun waits for all that follows from an input before the next, so it takes
// inputs that were close to each other in the order in which they had consequences.
const (
	together = 5 * time.Millisecond // by the house's clock; what is further apart keeps its order
	mostHeld = 1024                 // inputs; then the oldest goes
)

// inputs are the lines of a run that came from outside, in the order in which to play them, and an end.
type inputs struct {
	lines   iter.Seq2[recording.Line, error]
	closing bool // the run tells of the end of its house
}

func (in *inputs) all(yield func(recording.Line, error) bool) {
	var h held
	var last time.Time
	play := func(due []recording.Line) bool {
		for _, l := range due {
			if !yield(l, nil) {
				return false
			}
		}
		return true
	}
	for line, err := range in.lines {
		if in.closing { // what clients said then was heard by nobody; that they went was noticed
			if err == nil && line.Socket != nil && line.Socket.By == "client" {
				line.At = last
				h.lines = append(h.lines, line)
			}
			continue
		}
		if err != nil {
			if !play(h.all()) || !yield(line, err) {
				return
			}
			continue
		}
		if line.At.IsZero() && line.Record != nil && len(line.Record.Changes) > 0 {
			line.At = line.Record.Changes[0].At
		}
		if line.At.After(last) {
			last = line.At
		}
		if line.End != nil {
			break
		}
		if in.closing = line.Step != nil && line.Step.What == events.StepClosing; in.closing {
			continue
		}
		if !play(h.read(line)) {
			return
		}
	}
	if play(h.all()) {
		yield(recording.Line{At: last, End: &recording.End{}}, nil) // what was due until then happens
	}
}

// held are inputs that nothing has followed from yet, in their order.
type held struct{ lines []recording.Line }

// read takes the next line and returns what is to be played.
func (h *held) read(l recording.Line) (due []recording.Line) {
	n := 0
	for n < len(h.lines) && (l.At.Sub(h.lines[n].At) > together || n < len(h.lines)-mostHeld) {
		n++
	}
	due = h.first(n)
	switch {
	case l.Record != nil, l.Frame != nil && l.Frame.In:
		h.lines = append(h.lines, l)
	case l.Kept != nil:
		due = append(append(due, h.all()...), l)
	case l.Socket != nil && l.Socket.What == recording.Opened:
		due = append(due, l)
	case l.Socket != nil: // that it is closed is known at once; what its client said came before
		due = append(h.take(due, func(i recording.Line) bool { return i.Frame != nil && i.Frame.Connection == l.Socket.Connection }), l)
	case l.Frame != nil && len(l.Frame.Events) > 0:
		due = h.events(due, l.Frame.Events)
	case l.Frame != nil:
		due = h.said(due, func(id string) bool { return id == l.Frame.Connection })
	case l.Invocation != nil && len(l.Invocation.Events) > 0:
		due = h.events(due, l.Invocation.Events)
	case l.Invocation != nil:
		due = h.said(due, func(id string) bool { return bytes.Contains(l.Invocation.Input, []byte(id)) })
	}
	if len(due) > 0 && (l.Frame != nil && !l.Frame.In || l.Invocation != nil) {
		due = append(due, recording.Line{At: due[len(due)-1].At}) // nothing, for which the house settles: what follows came after this
	}
	return due
}

func (h *held) all() []recording.Line { return h.first(len(h.lines)) }

func (h *held) first(n int) []recording.Line {
	due := slices.Clone(h.lines[:n])
	h.lines = slices.Delete(h.lines, 0, n)
	return due
}

// take moves what is chosen to due.
func (h *held) take(due []recording.Line, chosen func(recording.Line) bool) []recording.Line {
	h.lines = slices.DeleteFunc(h.lines, func(l recording.Line) bool {
		if chosen(l) {
			due = append(due, l)
			return true
		}
		return false
	})
	return due
}

// events plays the records up to the last of those that some events are of: records keep their order.
func (h *held) events(due []recording.Line, ids []string) []recording.Line {
	end := -1
	for i, l := range h.lines {
		if l.Record != nil && slices.ContainsFunc(l.Record.Events, func(e events.Event) bool { return slices.Contains(ids, e.ID) }) {
			end = i
		}
	}
	i := -1
	return h.take(due, func(l recording.Line) bool {
		i++
		return i <= end && l.Record != nil
	})
}

// said plays the first message of a client that something has followed from.
func (h *held) said(due []recording.Line, of func(connection string) bool) []recording.Line {
	i := slices.IndexFunc(h.lines, func(l recording.Line) bool { return l.Frame != nil && of(l.Frame.Connection) })
	if i >= 0 {
		due = append(due, h.lines[i])
		h.lines = slices.Delete(h.lines, i, i+1)
	}
	return due
}
