package trigger

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
)

// The trace, in sentences. What is said once for each event is put together without fmt: it is on the hot path.

const room = "trigger"

// named is how many triggers a sentence names; Data has them all.
const named = 3

func matchStep(at time.Time, ev *events.Event, m *matcher, total int) events.Step {
	s := events.Step{At: at, Events: []string{ev.ID}, Room: room, What: events.StepMatched, Data: map[string]any{}}
	if len(m.near) > 0 {
		s.Data["near"] = append([]near(nil), m.near...)
	}
	if len(m.wanted) > 0 {
		names := make([]string, 2*len(m.wanted))
		who, ids := names[:len(m.wanted)], names[len(m.wanted):]
		for i, c := range m.wanted {
			who[i], ids[i] = c.def.who, c.def.ID
		}
		s.Data["triggers"], s.Data["trigger_ids"] = who, ids
		s.Text = "wanted by " + list(who, ", ")
		return s
	}
	s.What = events.StepUnmatched
	if len(m.near) == 0 {
		s.Text = fmt.Sprintf("no trigger on registry %s, %d on others", ev.Change.Registry, total)
		return s
	}
	why := make([]string, len(m.near))
	for i, n := range m.near {
		why[i] = n.Trigger + ": " + n.Why
	}
	s.Text = "no trigger wants it; " + list(why, "; ")
	return s
}

// list joins the first few and says how many there are beside them.
func list(items []string, sep string) string {
	if len(items) <= named {
		return strings.Join(items, sep)
	}
	return strings.Join(items[:named], sep) + sep + strconv.Itoa(len(items)-named) + " more"
}

func pausedStep(at time.Time, ev *events.Event, def *definition) events.Step {
	return events.Step{
		At: at, Events: []string{ev.ID}, Room: room, What: events.StepLost, Who: def.who,
		Text: "the trigger is paused: what comes meanwhile is lost", Data: map[string]any{"trigger_id": def.ID},
	}
}

func waitingStep(it item, open batch) events.Step {
	n, of := len(open.items), it.def.Window.Count
	left := open.due.Sub(it.at)
	return events.Step{
		At: it.at, Events: []string{it.event.ID}, Room: room, What: events.StepWaiting, Who: it.def.who,
		Text: strconv.Itoa(n) + " of " + strconv.Itoa(of) + ", goes in " + strconv.FormatFloat(left.Seconds(), 'f', 1, 64) + " s",
		Data: map[string]any{"trigger_id": it.def.ID, "waiting": n, "of": of, "due": open.due},
	}
}

// batchedStep tells of a batch that has left its window.
func batchedStep(at time.Time, b batch) events.Step {
	opened := b.items[0].at
	s := events.Step{
		At: at, Events: make([]string, len(b.items)), Room: room, What: events.StepBatched, Who: b.def.who,
		Text: strconv.Itoa(len(b.items)) + " of " + strconv.Itoa(b.def.Window.Count) + ", " + b.why.sentence(),
		Data: map[string]any{"trigger_id": b.def.ID, "n": len(b.items), "of": b.def.Window.Count, "why": b.why, "bytes": b.bytes,
			"opened": opened, "waited_ms": float64(b.left.Sub(opened)) / float64(time.Millisecond)},
	}
	for i, it := range b.items {
		s.Events[i] = it.event.ID
	}
	return s
}

func (d departure) sentence() string {
	switch d {
	case full:
		return "full"
	case bytes:
		return "it is as large as it may be"
	case cutoff:
		return "its time is over"
	case changed:
		return "its trigger was changed"
	}
	return "regcast is stopping"
}

func skippedStep(at time.Time, def *definition, action int, ev events.Event, miss *events.Miss) events.Step {
	return events.Step{
		At: at, Events: []string{ev.ID}, Room: room, What: events.StepSkipped, Who: def.who,
		Text: miss.String(), Data: map[string]any{"trigger_id": def.ID, "action": action, "miss": miss},
	}
}

func outcomeStep(at time.Time, def *definition, action int, d Delivery, o Outcome, took time.Duration) events.Step {
	s := events.Step{
		At: at, Events: make([]string, len(d.Events)), Room: room, What: events.StepDelivered, Who: def.who,
		Text: o.Text, Data: make(map[string]any, len(o.Data)+5),
	}
	for i, ev := range d.Events {
		s.Events[i] = ev.ID
	}
	if o.Lost {
		s.What = events.StepLost
	}
	if s.Text == "" {
		s.Text = s.What
	}
	maps.Copy(s.Data, o.Data)
	s.Data["trigger_id"], s.Data["action"], s.Data["payload_bytes"] = def.ID, action, len(d.Payload)
	s.Data["took_ms"] = float64(took) / float64(time.Millisecond)
	return s
}
