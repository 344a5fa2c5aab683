package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

func gather(run Source, o Options, v surveyed) *story {
	r := &story{o: o, header: run.Header(), surveyed: v, events: make(map[string]*event)}
	r.timeline = newTimeline(v)
	r.notes.limit, r.clock.limit, r.runs.limit = o.Events, maxClock, o.Events
	r.frames = newFrames(o.Events)
	r.sockets = newSockets(o.Events, v.first)
	for line, err := range o.lines(run) {
		var unusable *recording.LineError
		if errors.As(err, &unusable) {
			if r.badSeen++; len(r.bad) < maxBad {
				r.bad = append(r.bad, err)
			}
			continue
		}
		if err != nil {
			r.broken = err
			break
		}
		r.read++
		if o.takes(&line, v.invocations) {
			r.take(&line)
		}
	}
	r.settle()
	return r
}

func (r *story) take(line *recording.Line) {
	switch {
	case line.Record != nil:
		r.record(line)
	case line.Step != nil:
		r.step(line)
	case line.Invocation != nil:
		r.invocation(line)
	case line.Frame != nil:
		r.frame(line)
	case line.Socket != nil:
		r.sockets.take(line.At, line.Socket)
		r.timeline.sockets(line.At, r.sockets.open)
	case line.Clock != nil:
		r.clock.add(clockMove{*line.Clock, line.At}, false)
	case line.End != nil:
		r.ended = true
	default:
		r.unknown++
	}
}

func (r *story) record(line *recording.Line) {
	r.figures.records++
	for i := range line.Record.Events {
		ev := line.Record.Events[i]
		if !r.o.wants(ev.ID) {
			continue
		}
		r.figures.events++
		r.timeline.count(laneEvents, line.At)
		e := r.event(ev.ID)
		switch {
		case e == nil:
			continue
		case e.known:
			e.again++
			continue
		}
		if ev.Of >= 0 && ev.Of < len(line.Record.Changes) {
			ev.Change = line.Record.Changes[ev.Of]
		}
		e.Event, e.known, e.at, e.seq, e.origin = ev, true, line.At, line.Seq, line.Record.Origin
		e.body, e.Body = newPayload(ev.Body), nil
	}
}

// event is the one with an id if it is shown.
func (r *story) event(id string) *event {
	if !r.chosen[id] {
		return nil
	}
	e := r.events[id]
	if e == nil {
		e = &event{Event: events.Event{ID: id}}
		r.events[id] = e
		r.order = append(r.order, e)
	}
	return e
}

func (r *story) step(line *recording.Line) {
	s := &step{Step: *line.Step, kind: trouble(line)}
	if s.At.IsZero() {
		s.At = line.At
	}
	if ms, ok := s.Data["took_ms"].(float64); ok {
		s.took = time.Duration(ms * float64(time.Millisecond))
	}
	switch due := s.Data["due"].(type) {
	case string:
		s.due, _ = time.Parse(time.RFC3339Nano, due) // none is as good as one that nobody can read
	case time.Time:
		s.due = due
	}
	s.Data = nil
	row := r.triggers.of(s.Who, s.Room == "trigger" || s.Room == "queue" || s.Room == "lambda")
	switch s.What {
	case events.StepUnmatched:
		r.figures.unmatched++
	case events.StepBatched:
		r.figures.batches++
		r.figures.batched += len(s.Events)
		row.batches++
		row.events += len(s.Events)
		r.timeline.count(laneBatches, s.At)
	case events.StepDelivered:
		r.figures.deliveries++
		row.delivered++
		row.took.add(s.took)
		r.timeline.count(laneDelivered, s.At)
	case events.StepSkipped:
		row.skipped++
	}
	r.note(s, row)
	for _, id := range s.Events {
		e := r.event(id)
		if e == nil {
			continue
		}
		switch s.kind {
		case lost:
			e.lost++
		case failed:
			e.failed++
		case faulted:
			e.faults++
		}
		e.matched = e.matched || s.What == events.StepMatched
		e.unmatched = e.unmatched || s.What == events.StepUnmatched
		e.delivered = e.delivered || s.What == events.StepDelivered
		if len(e.steps) < maxSteps || s.kind != calm && len(e.steps) < 2*maxSteps {
			e.steps = append(e.steps, s)
		} else {
			e.left++
		}
	}
}

// note puts a step that tells of trouble on top of the page.
func (r *story) note(s *step, row *triggerRow) {
	switch s.kind {
	case lost:
		r.figures.lost++
		row.lost++
		r.timeline.count(laneLost, s.At)
	case failed:
		r.figures.failed++
		r.timeline.count(laneLost, s.At)
	case faulted:
		r.figures.faults++
		r.timeline.count(laneFaults, s.At)
	default:
		return
	}
	r.notes.add(s, s.kind == lost)
}

func (r *story) invocation(line *recording.Line) {
	in := &invocation{Invocation: *line.Invocation, at: line.At, input: newPayload(line.Invocation.Input), output: newPayload(line.Invocation.Output)}
	in.Input, in.Output = nil, nil
	if in.Started.IsZero() {
		in.Started = in.at
	}
	if extra := len(in.Log) - maxLog; extra > 0 {
		in.Log, in.LogCut = slices.Clone(in.Log[:maxLog]), in.LogCut+extra
	}
	for i, l := range in.Log {
		in.Log[i] = withoutColours(l)
		if len(l) > maxLogLine {
			in.Log[i] = in.Log[i][:min(len(in.Log[i]), maxLogLine)] + "…"
		}
	}
	r.figures.invocations++
	r.timeline.count(laneInvocations, in.Started)
	row := r.programs.of(in.Function, true)
	row.runs++
	row.took.add(millis(in.DurationMS))
	if in.InitMS > 0 {
		r.figures.cold++
		row.cold++
	}
	shown := false
	for _, id := range in.Events {
		e := r.event(id)
		if e == nil {
			continue
		}
		shown = true
		if in.Error != "" {
			e.failed++
		}
		if len(e.runs) < maxSteps {
			e.runs = append(e.runs, in)
		}
	}
	if in.Error != "" {
		row.errors++
		r.figures.failed++
		r.timeline.count(laneLost, in.at)
		r.notes.add(&step{kind: failed, Step: events.Step{At: in.at, Events: in.Events, Room: "function", What: "error", Who: in.Function,
			Text: in.Error + ": " + failure(in.output)}}, false)
	}
	r.runs.add(in, shown || in.Error != "")
	if !shown {
		r.frames.forget(in.ID)
		return
	}
	r.frames.during(in.ID, in.Events)
}

// failure is the message of a function's error.
func failure(output payload) string {
	var e struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(output.data, &e) == nil && e.Message != "" {
		return e.Message
	}
	return output.preview()
}

func (r *story) frame(line *recording.Line) {
	f := line.Frame
	r.timeline.count(laneFrames, line.At)
	switch {
	case f.In:
		r.figures.received++
	default:
		r.figures.frames++
		r.figures.sent += sentTo(f)
	}
	r.sockets.frame(f)
	shown := false
	for _, id := range f.Events {
		if e := r.event(id); e != nil {
			shown = true
			if f.Error != "" {
				e.failed++
			}
		}
	}
	if f.Error != "" {
		r.figures.failed++
		r.timeline.count(laneLost, line.At)
		r.notes.add(&step{kind: failed, Step: events.Step{At: line.At, Events: f.Events, Room: "gateway", What: "not sent",
			Who: f.Gateway + f.Path, Text: fmt.Sprintf("a frame to %s was not taken: %s", orAll(f.Connection), f.Error)}}, false)
	}
	r.frames.add(line.At, f, shown || f.Error != "")
}

func orAll(connection string) string {
	if connection == "" {
		return "all of its connections"
	}
	return "connection " + connection
}

// settle puts what was gathered in order, gives it numbers, and links frames to the events whose functions sent them.
func (r *story) settle() {
	byTime := func(a, b time.Time) int { return a.Compare(b) }
	runs := r.runs.kept()
	slices.SortStableFunc(runs, func(a, b *invocation) int { return byTime(a.Started, b.Started) })
	r.runs.first, r.runs.others = runs, nil
	for i, in := range runs {
		in.number = i + 1
	}
	notes := r.notes.kept()
	slices.SortStableFunc(notes, func(a, b *step) int { return byTime(a.At, b.At) })
	r.notes.first, r.notes.others = notes, nil
	r.sockets.settle()
	for _, f := range r.frames.settle() {
		for _, id := range f.events {
			e := r.events[id]
			if e == nil {
				continue
			}
			if f.guessed && f.failure != "" {
				e.failed++
			}
			if len(e.frames) < maxSteps {
				e.frames = append(e.frames, f)
			}
		}
	}
	for _, e := range r.order {
		if e.at.IsZero() && len(e.steps) > 0 {
			e.at = e.steps[0].At
		}
	}
	slices.SortStableFunc(r.order, func(a, b *event) int { return byTime(a.at, b.at) })
	for i, e := range r.order {
		e.number = i + 1
		r.timeline.linkTo(e)
	}
}
