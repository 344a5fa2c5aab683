package diff

import (
	"fmt"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
)

// wait is where an event waits: in an open batch, or in a queue to be tried again.
type wait struct {
	room, who string
	due       time.Time // zero: unknown
}

// waits keeps which events wait, so that what has not come by the end of a run is not called lost.
func (s *side) waits(it *item, st events.Step) {
	switch st.What {
	case events.StepWaiting, events.StepBatched, events.StepDelivered, events.StepLost:
	default:
		return
	}
	for _, name := range it.each {
		if name == 0 {
			continue
		}
		all, there := s.waiting[name]
		if there { // what a queue gives up it calls by its own name
			all = slices.DeleteFunc(all, func(w wait) bool { return w.room == st.Room && (w.who == st.Who || w.room != "trigger") })
		}
		if st.What == events.StepWaiting {
			all = append(all, wait{room: st.Room, who: st.Who, due: dueOf(st.Data)})
		}
		if len(all) == 0 {
			delete(s.waiting, name)
			continue
		}
		if len(s.waiting) >= crowd && !there {
			clear(s.waiting) // more wait than any house lets wait
		}
		s.waiting[name] = all
	}
}

func dueOf(data map[string]any) time.Time {
	switch due := data["due"].(type) {
	case time.Time:
		return due
	case string:
		t, _ := time.Parse(time.RFC3339, due) // zero: it says nothing
		return t
	}
	return time.Time{}
}

// still says where an event waits at the end of the run in which nothing corresponds to what the other has of it. Empty: it does not wait,
// or the runs are not over.
func (c *comparison) still(missing int, names ...uint64) string {
	if !c.ended {
		return ""
	}
	s := c.sides[missing]
	for _, name := range names {
		if len(s.waiting[name]) == 0 {
			continue
		}
		w := s.waiting[name][0]
		text := "it has not come yet: at the end of this run it waits at " + w.who
		if missing == 0 {
			text = "then it had not come yet: at the end of that run it waited at " + w.who
		}
		if left := w.due.Sub(s.end); !w.due.IsZero() && left >= 0 {
			text += fmt.Sprintf(", for %s more", short(left))
		}
		return text
	}
	return ""
}

// orWaiting is kind and text, or that it waits.
func (c *comparison) orWaiting(kind Kind, text string, missing int, names ...uint64) (Kind, string) {
	if still := c.still(missing, names...); still != "" {
		return Waiting, still
	}
	return kind, text
}

// lacks reports what only one of the runs has, and that it waits in the other where it does.
func (c *comparison) lacks(kind Kind, s *Subject, w, g *item, text string) {
	if w != nil {
		kind, text = c.orWaiting(kind, text, 1, w.each...)
	} else {
		kind, text = c.orWaiting(kind, text, 0, g.each...)
	}
	c.differ(kind, s, w, g, text)
}
