package explain

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// Last stands for the last event there is, in the place of an id.
const Last = "last"

// mostHeld is how many frames are kept until it is known whether a function with the event has sent them. Then the oldest go.
const mostHeld = 4096

// Source is a recording.
type Source interface {
	Header() recording.Header
	Lines() iter.Seq2[recording.Line, error]
}

// Find reads what a recording holds of an event. Lines that cannot be read are passed over; the error of a recording that breaks off is
// returned only when the event was not found before.
func Find(src Source, id string) (Run, error) {
	g := Gatherer{ID: id}
	near := Nearest{ID: id}
	var first, last time.Time
	var broken error
	for line, err := range src.Lines() {
		if err != nil {
			broken = err
			continue // where reading cannot go on, the lines end
		}
		if first.IsZero() {
			first = line.At
		}
		last = line.At
		g.Add(line)
		if line.Record != nil {
			for i := range line.Record.Events {
				near.Add(line.Record.Events[i].ID)
			}
		}
	}
	run, ok := g.Run()
	switch {
	case ok:
		run.Now = last
		return run, nil
	case broken != nil:
		return Run{}, broken
	}
	return Run{}, near.Error(fmt.Sprintf("the recording is from %s to %s", first.Local().Format(time.DateTime), last.Local().Format(time.DateTime)))
}

// Gatherer picks out of lines, in their order, what is of one event. One that comes again begins anew.
type Gatherer struct {
	ID string // or Last

	run  Run
	held []heldFrame
}

// heldFrame is of a frame that some function has sent.
type heldFrame struct {
	frame  Frame
	during []string
}

// Add takes a line.
func (g *Gatherer) Add(l recording.Line) {
	id := g.run.Event.ID
	switch {
	case l.Record != nil:
		if i := slices.IndexFunc(l.Record.Events, func(e events.Event) bool { return e.ID == g.ID }); i >= 0 {
			g.begin(l, i)
		} else if last := len(l.Record.Events) - 1; g.ID == Last && last >= 0 {
			g.begin(l, last)
		}
	case id == "":
	case l.Step != nil && slices.Contains(l.Step.Events, id):
		g.run.Steps = append(g.run.Steps, *l.Step)
	case l.Invocation != nil && slices.Contains(l.Invocation.Events, id):
		in := *l.Invocation
		in.Input = nil // the batch, which may be large
		g.run.Invocations = append(g.run.Invocations, in)
		g.held = slices.DeleteFunc(g.held, func(h heldFrame) bool {
			if !slices.Contains(h.during, in.ID) {
				return false
			}
			g.run.Frames = append(g.run.Frames, h.frame)
			return true
		})
	case l.Frame != nil && !l.Frame.In:
		g.frame(*l.Frame)
	}
}

// begin takes an event of a record.
func (g *Gatherer) begin(l recording.Line, of int) {
	r := *l.Record
	r.Events = slices.Clone(r.Events)
	for i := range r.Events {
		if e := &r.Events[i]; e.Of >= 0 && e.Of < len(r.Changes) {
			e.Change = r.Changes[e.Of]
		}
	}
	if r.At.IsZero() {
		r.At = l.At
	}
	g.run, g.held = Run{Seq: l.Seq, Record: r, Event: r.Events[of]}, nil
}

func (g *Gatherer) frame(f recording.Frame) {
	out := Frame{Gateway: f.Gateway, Path: f.Path, Connection: f.Connection, Sent: f.Sent, Bytes: len(f.Data), Error: f.Error}
	if slices.Contains(f.Events, g.run.Event.ID) {
		g.run.Frames = append(g.run.Frames, out)
		return
	}
	if len(f.Events) > 0 || len(f.During) == 0 {
		return
	}
	if len(f.During) > 1 {
		out.Of = len(f.During)
	}
	if len(g.held) == mostHeld {
		g.held = slices.Delete(g.held, 0, mostHeld/2)
	}
	g.held = append(g.held, heldFrame{out, f.During})
}

// Run returns what there was; false: the event did not come.
func (g *Gatherer) Run() (Run, bool) { return g.run, g.run.Event.ID != "" }
