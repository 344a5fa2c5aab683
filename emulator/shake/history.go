package shake

import (
	"bytes"
	"cmp"
	"errors"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// history is what a run came to, as far as a verdict needs it. Sockets go by their names in the recording, so that runs can be compared.
// What happened is ordered by the number of its line.
type history struct {
	events  map[string]*fate
	order   []string // events, as they were published
	sockets map[string]*socket
	opened  []string // sockets, as they were opened
	got     map[pair]*receipt
	calls   map[string]*call // by request id
	faults  []mishap
	lines   int
}

// fate is what became of an event.
type fate struct {
	record int // line of the record; 0: unknown
	last   int // the last line that is about it
	of     events.Event
	calls  map[string]int // of each function, that ran
	failed map[string]int // of these
	lost   string         // why it was given up, as the step says; empty: it was not
	waits  bool           // it is to be tried again
	steps  []told         // the first mostSteps
}

// told is a step with its line.
type told struct {
	line int
	step events.Step
}

const mostSteps = 60

// story is what happened to an event, and what went wrong before it was over.
func (h *history) story(event string) (steps []events.Step) {
	e := h.events[event]
	if e == nil {
		return nil
	}
	all := slices.Clone(e.steps)
	for _, m := range h.faults {
		if !slices.Contains(m.events, event) && m.line <= e.last {
			all = append(all, told{m.line, m.told})
		}
	}
	slices.SortStableFunc(all, func(a, b told) int { return cmp.Compare(a.line, b.line) })
	for _, t := range all {
		steps = append(steps, t.step)
	}
	return steps
}

// socket is a connection of the recording.
type socket struct {
	gateway, path, url string
	opened             int // line
	closed             int // line; 0: it is open
	said               int // line of its first message; 0: it said nothing
}

// pair is a message that somebody was to get: an event at a socket.
type pair struct{ event, socket string }

// receipt is how a message came.
type receipt struct {
	times  int
	by     string // the function that sent it; empty: a broadcast
	same   int    // how often one call, or calls that failed, sent the very same
	at     []int  // lines
	hashes map[sent]int
}

type sent struct {
	call string
	data uint64
}

type call struct {
	function string
	events   []string
	failed   bool
}

// mishap is a fault that happened.
type mishap struct {
	line       int
	fault      string // its id
	action     emulator.FaultAction
	step       emulator.FaultStep
	events     []string
	connection string // the socket, or "" when it is about none
	told       events.Step
}

// frame is a message until it is known who sent it.
type frame struct {
	line    int
	sockets []string
	events  []string
	during  []string
	data    uint64
}

// reader reads a run.
type reader struct {
	*history
	names  map[string]string // of connections: what the recording calls them
	frames []frame
	seed   maphash.Seed
}

// read reads a run. names are those that connections have in the recording, by those that they have in the run; nil: this is the recording.
func read(lines iter.Seq2[recording.Line, error], names map[string]string) (*history, error) {
	r := reader{
		history: &history{events: map[string]*fate{}, sockets: map[string]*socket{}, got: map[pair]*receipt{}, calls: map[string]*call{}},
		names:   names, seed: maphash.MakeSeed(),
	}
	for line, err := range lines {
		var bad *recording.LineError
		if errors.As(err, &bad) {
			continue // it is reported where the recording is read first
		}
		if err != nil {
			return nil, err
		}
		r.lines++
		r.line(line)
	}
	for _, f := range r.frames {
		r.deliver(f)
	}
	return r.history, nil
}

func (r *reader) line(l recording.Line) {
	switch {
	case l.Record != nil:
		for _, e := range l.Record.Events {
			f := r.about(e.ID)
			if f.record == 0 {
				f.record, f.of = r.lines, e
				if e.Of < len(l.Record.Changes) {
					f.of.Change = l.Record.Changes[e.Of]
				}
				f.of.Body = nil
				r.order = append(r.order, e.ID)
			}
		}
	case l.Step != nil:
		r.step(*l.Step)
	case l.Socket != nil:
		r.socket(*l.Socket)
	case l.Frame != nil && l.Frame.In:
		if s := r.sockets[r.name(l.Frame.Connection)]; s != nil && s.said == 0 {
			s.said = r.lines
		}
	case l.Frame != nil:
		r.frame(*l.Frame)
	case l.Invocation != nil:
		in := l.Invocation
		r.calls[in.ID] = &call{in.Function, in.Events, in.Error != ""} // tries may share an id: the last counts
		for _, id := range in.Events {
			f := r.about(id)
			f.calls[in.Function]++
			if in.Error != "" {
				f.failed[in.Function]++
			}
		}
	}
}

func (r *reader) name(connection string) string {
	if r.names == nil {
		return connection
	}
	return r.names[connection]
}

// about is what is known of an event that a line is about.
func (r *reader) about(id string) *fate {
	f := r.events[id]
	if f == nil {
		f = &fate{calls: map[string]int{}, failed: map[string]int{}}
		r.events[id] = f
	}
	f.last = r.lines
	return f
}

func (r *reader) step(s events.Step) {
	if s.What == events.StepFault {
		text := func(key string) string { v, _ := s.Data[key].(string); return v }
		r.faults = append(r.faults, mishap{
			line: r.lines, fault: s.Who, events: s.Events, connection: r.name(text("connection")),
			step: emulator.FaultStep(text("step")), action: emulator.FaultAction(text("action")), told: s,
		})
	}
	for _, id := range s.Events {
		f := r.about(id)
		if len(f.steps) < mostSteps {
			f.steps = append(f.steps, told{r.lines, s})
		}
		switch s.What {
		case events.StepLost:
			f.lost, f.waits = s.Text, false
		case events.StepWaiting, "retry":
			f.waits = true
		case events.StepDelivered:
			f.waits = false
		}
	}
}

func (r *reader) socket(s recording.Socket) {
	name := r.name(s.Connection)
	if name == "" {
		return // not one of the recording's
	}
	if s.What == recording.Opened {
		r.sockets[name] = &socket{gateway: s.Gateway, path: s.Path, url: s.URL, opened: r.lines}
		r.opened = append(r.opened, name)
	} else if k := r.sockets[name]; k != nil && k.closed == 0 {
		k.closed = r.lines
	}
}

// frame notes a message that was taken for sockets.
func (r *reader) frame(f recording.Frame) {
	ids := f.Events
	if len(ids) == 0 {
		ids = r.inside(f.Data)
	}
	for _, id := range ids {
		r.about(id)
	}
	if f.Error != "" || f.Sent == 0 {
		return
	}
	out := frame{line: r.lines, events: ids, during: f.During, data: maphash.Bytes(r.seed, f.Data)}
	if f.Connection != "" {
		out.sockets = []string{r.name(f.Connection)}
	} else {
		for _, name := range r.opened {
			if s := r.sockets[name]; s.closed == 0 && s.gateway == f.Gateway && s.path == f.Path {
				out.sockets = append(out.sockets, name)
			}
		}
	}
	r.frames = append(r.frames, out)
}

// inside finds the ids of events that were published, where a message has them as strings of JSON.
func (r *reader) inside(data []byte) (ids []string) {
	for {
		from := bytes.IndexByte(data, '"')
		if from < 0 {
			return ids
		}
		data = data[from+1:]
		to := bytes.IndexByte(data, '"')
		if to < 0 {
			return ids
		}
		if id := string(data[:to]); to < 100 && r.events[id] != nil {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
			data = data[to+1:]
		}
	}
}

// deliver enters a message, when all calls are known. One that names no event is about that of the call that sent it, if it had one only.
func (r *reader) deliver(f frame) {
	if len(f.events) == 0 && len(f.during) == 1 {
		if c := r.calls[f.during[0]]; c != nil && len(c.events) == 1 {
			f.events = c.events
		}
	}
	for _, id := range f.events {
		by, request, failed := "", "", false
		for _, d := range f.during {
			if c := r.calls[d]; c != nil && (len(c.events) == 0 || slices.Contains(c.events, id)) {
				by, request, failed = c.function, d, c.failed
			}
		}
		if failed {
			request = "" // all that failed are one: what comes again after them is the same message
		}
		for _, name := range f.sockets {
			if name == "" {
				continue
			}
			got := r.got[pair{id, name}]
			if got == nil {
				got = &receipt{hashes: map[sent]int{}}
				r.got[pair{id, name}] = got
			}
			got.times++
			got.by = by
			got.at = append(got.at, f.line)
			got.hashes[sent{request, f.data}]++
			got.same = max(got.same, got.hashes[sent{request, f.data}])
		}
	}
}
