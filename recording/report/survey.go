package report

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// Words of the runner's steps that are trouble.
const (
	stepFailed  = "failed"  // a process gave no answer
	stepUnbuilt = "unbuilt" // a changed function could not be built
)

// surveyed is what the first reading finds out: how long the run is, and which events the page shows.
type surveyed struct {
	read        int // lines
	first, last time.Time
	gaps        []gap           // the longest times in which nothing happened, the longest first
	chosen      map[string]bool // ids
	invocations map[string]bool // ids, of those of Options.Only
	failing     map[string]bool // ids of invocations of which a frame was not taken: whose events these are is said later
}

// survey chooses events: those in trouble from the start, and the latest.
func survey(run Source, o Options) surveyed {
	v := surveyed{chosen: make(map[string]bool), invocations: make(map[string]bool), failing: make(map[string]bool)}
	for _, id := range o.Only {
		v.chosen[id] = true
	}
	latest := shelf[string]{limit: o.Events}
	for line, err := range o.lines(run) {
		var unusable *recording.LineError
		if errors.As(err, &unusable) {
			continue // the second reading tells of it
		}
		if err != nil {
			break // and of this
		}
		v.read++
		if !o.takes(&line, v.invocations) {
			continue
		}
		v.spread(line.At)
		if inv := line.Invocation; inv != nil {
			v.spread(inv.Started)
			if len(o.Only) > 0 && len(v.invocations) < 5*o.Events {
				v.invocations[inv.ID] = true
			}
		}
		if r := line.Record; r != nil {
			for i := range r.Events {
				if o.wants(r.Events[i].ID) {
					latest.add(r.Events[i].ID, false)
				}
			}
		}
		bad := trouble(&line) != calm
		if inv := line.Invocation; inv != nil && v.failing[inv.ID] {
			bad = true
			delete(v.failing, inv.ID)
		}
		if bad {
			if f := line.Frame; f != nil && len(f.Events) == 0 && len(v.failing) < o.Events {
				for _, id := range f.During {
					v.failing[id] = true
				}
			}
			for _, id := range eventsOf(&line) {
				if o.wants(id) && len(v.chosen) < o.Events {
					v.chosen[id] = true
				}
			}
		}
	}
	kept := latest.kept()
	for i := len(kept) - 1; i >= 0 && len(v.chosen) < o.Events; i-- {
		v.chosen[kept[i]] = true
	}
	return v
}

func (v *surveyed) spread(at time.Time) {
	if at.IsZero() {
		return
	}
	if v.first.IsZero() || at.Before(v.first) {
		v.first = at
	}
	if at.After(v.last) {
		v.gap(gap{from: v.last, long: at.Sub(v.last)})
		v.last = at
	}
}

// gap is a time in which nothing happened.
type gap struct {
	from time.Time
	long time.Duration
}

func (v *surveyed) gap(g gap) {
	if g.from.IsZero() || len(v.gaps) == maxGaps && g.long <= v.gaps[maxGaps-1].long {
		return
	}
	i, _ := slices.BinarySearchFunc(v.gaps, g, func(a, b gap) int { return cmp.Compare(b.long, a.long) })
	v.gaps = slices.Insert(v.gaps, i, g)
	v.gaps = v.gaps[:min(len(v.gaps), maxGaps)]
}

// kind of trouble that a line tells of.
type kind int

const (
	calm kind = iota
	lost
	failed
	faulted
)

func trouble(line *recording.Line) kind {
	switch {
	case line.Step != nil:
		switch line.Step.What {
		case events.StepLost:
			return lost
		case stepFailed, stepUnbuilt:
			return failed
		case events.StepFault:
			return faulted
		}
	case line.Invocation != nil && line.Invocation.Error != "", line.Frame != nil && line.Frame.Error != "":
		return failed
	}
	return calm
}

// eventsOf are the ids of the events that a line names.
func eventsOf(line *recording.Line) []string {
	switch {
	case line.Step != nil:
		return line.Step.Events
	case line.Invocation != nil:
		return line.Invocation.Events
	case line.Frame != nil:
		return line.Frame.Events
	}
	return nil
}

func (o Options) wants(id string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, id) }

// takes tells whether a line is shown at all. What tells of no event, as sockets and the clock do, is.
func (o Options) takes(line *recording.Line, invocations map[string]bool) bool {
	if !o.From.IsZero() && line.At.Before(o.From) || !o.To.IsZero() && !line.At.Before(o.To) {
		return line.End != nil
	}
	if len(o.Only) == 0 {
		return true
	}
	switch {
	case line.Record != nil:
		return slices.ContainsFunc(line.Record.Events, func(e events.Event) bool { return o.wants(e.ID) })
	case line.Frame != nil && len(line.Frame.Events) == 0:
		return slices.ContainsFunc(line.Frame.During, func(id string) bool { return invocations[id] })
	case line.Step != nil || line.Invocation != nil || line.Frame != nil:
		return slices.ContainsFunc(eventsOf(line), o.wants)
	}
	return true
}

// lines are the run's, from the page's first moment on where the source can seek.
func (o Options) lines(run Source) iter.Seq2[recording.Line, error] {
	if s, ok := run.(interface {
		From(t time.Time) iter.Seq2[recording.Line, error]
	}); ok && !o.From.IsZero() {
		return s.From(o.From)
	}
	return run.Lines()
}
