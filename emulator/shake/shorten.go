package shake

import (
	"bytes"
	"context"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// shorter is a failure of a recording with fewer events.
type shorter struct {
	*attempt
	src  *source
	base *history
}

// shorten looks for the same failure in a part of the recording: the event alone, with what came just before it, and all up to it.
func (s *search) shorten(ctx context.Context, found *attempt) *shorter {
	if len(found.schedule) == 0 {
		return nil // it may need all that came before, and a part of it proves nothing
	}
	var at, records int
	var all []int
	for i, l := range s.src.lines {
		if l.Record == nil {
			continue
		}
		for _, e := range l.Record.Events {
			if e.ID == found.findings[0].pair.event {
				at = records
			}
		}
		all = append(all, i)
		records++
	}
	for _, part := range [][2]int{{at, at + 1}, {at - 1, at + 1}, {at, at + 2}, {at - 1, at + 3}, {0, at + 1}} {
		from, to := max(0, part[0]), min(records, part[1])
		if to-from == records || ctx.Err() != nil {
			continue
		}
		if short := s.within(ctx, found, s.src.part(all[from], all[to-1])); short != nil {
			return short
		}
	}
	return nil
}

// within looks for a failure of the same kind, by faults of the same sort, in a part of the recording.
func (s *search) within(ctx context.Context, found *attempt, part *source) *shorter {
	base, sites, err := s.calm(ctx, part)
	if err != nil || len(unprovoked(&history{}, base.history)) > 0 {
		return nil
	}
	like := func(x, y slip) bool {
		return x.class == y.class && x.site.Step == y.site.Step && x.fault.Function == y.fault.Function && x.fault.API == y.fault.API &&
			x.fault.Trigger == y.fault.Trigger && x.fault.Gateway == y.fault.Gateway && x.fault.Path == y.fault.Path
	}
	good := func(out outcome) *shorter {
		s.runs.Add(1)
		if out.err != nil {
			return nil
		}
		v := judge(base.history, out.history, out.schedule.faults())
		if len(v.findings) == 0 || v.findings[0].kind != found.findings[0].kind {
			return nil
		}
		return &shorter{&attempt{out, v.findings}, part, base.history}
	}
	tries := mostTries
	for _, x := range slips(sites, 0, 0) {
		if !like(x, found.schedule[0]) {
			continue
		}
		if tries--; tries < 0 {
			return nil
		}
		out := s.play(ctx, part, schedule{x}, len(found.schedule) > 1)
		if len(found.schedule) == 1 {
			if short := good(out); short != nil {
				return short
			}
			continue
		}
		for _, y := range slips(out.sites, x.order+1, 0) {
			if !like(y, found.schedule[1]) {
				continue
			}
			if tries--; tries < 0 {
				return nil
			}
			if short := good(s.play(ctx, part, schedule{x, y}, false)); short != nil {
				return short
			}
		}
	}
	return nil
}

// mostTries bounds the runs for one part.
const mostTries = 24

// part is the recording without the records before one line and after another.
func (s *source) part(from, to int) *source {
	out := &source{header: s.header}
	for i, l := range s.lines {
		if l.Record == nil || i >= from && i <= to {
			out.lines = append(out.lines, l)
		}
	}
	return out
}

// failure says what was found.
func (s *search) failure(found *attempt) (*Failure, error) {
	first := found.findings[0]
	base, run := s.base, found.history
	f := &Failure{
		Kind: first.kind, Schedule: found.schedule.words(), Faults: found.schedule.faults(), Event: first.pair.event, Function: first.by,
		Want: first.want, Got: first.got, Also: len(found.findings) - 1, Promise: first.promise, Why: first.why,
		Socket: base.socketName(first.pair.socket), Events: len(base.order), What: "an event",
	}
	for _, h := range []*history{base, run} {
		if e := h.events[first.pair.event]; e != nil {
			f.What = describe(e.of)
		}
	}
	f.Steps = run.story(first.pair.event)
	var err error
	f.Recording, err = s.file(found)
	return f, err
}

// file is the recording that replays a failure: the run itself, which tells what happened. When a socket of the recording was not let
// in, the run does not tell of it, and replaying it would count otherwise: then it is the recording with the faults.
func (s *search) file(found *attempt) ([]byte, error) {
	if !found.refused && len(found.schedule) > 0 {
		return found.file, nil
	}
	r, err := recording.NewReader(bytes.NewReader(found.file))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := recording.NewWriter(&out, r.Header())
	if err != nil {
		return nil, err
	}
	for _, l := range s.src.lines {
		if l.End != nil {
			continue
		}
		if err := w.Write(l); err != nil {
			return nil, err
		}
	}
	err = w.End(s.src.lines[len(s.src.lines)-1].At)
	return out.Bytes(), err
}

// describe says what an event tells of.
func describe(e events.Event) string {
	c := e.Change
	what := e.Type + " of " + c.Repository
	if c.Tag != "" {
		what += ":" + c.Tag
	} else if c.Digest != "" {
		what += "@" + c.Digest[:min(len(c.Digest), 19)]
	}
	return what
}
