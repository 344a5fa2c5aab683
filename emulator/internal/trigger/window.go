package trigger

import (
	"time"

	"github.com/regcast/regcast/events"
)

// item is an event on its way through one trigger. Without an event it closes the open batch.
type item struct {
	event  *events.Event
	def    *definition // that it matched
	at     time.Time   // when it was published, or read where that is not known
	record *receipt
}

// batch is what goes to the target together.
type batch struct {
	def   *definition
	items []item
	bytes int
	due   time.Time // Cutoff after the first event
	why   departure
	left  time.Time // the window
}

// departure is why a batch has left its window.
type departure string

const (
	full    departure = "full"
	bytes   departure = "bytes"   // it holds Window.Bytes, or would hold more with the next event
	cutoff  departure = "cutoff"  // its time is over
	changed departure = "changed" // its trigger was changed or removed
	closing departure = "closing" // the engine is
)

// window gathers items into batches. What it makes depends on the items and their times alone, not on when it is asked.
type window struct {
	open  batch
	ready []batch
}

// add takes an item and tells whether it now waits in the open batch.
func (w *window) add(it item) (waits bool) {
	if it.event == nil {
		w.shut(changed, it.at)
		return false
	}
	size := len(it.event.Body)
	if len(w.open.items) > 0 {
		switch {
		case w.open.def != it.def:
			w.shut(changed, it.at)
		case !it.at.Before(w.open.due):
			w.shut(cutoff, w.open.due)
		case !it.def.fits(w.open.bytes + size):
			w.shut(bytes, it.at)
		}
	}
	if len(w.open.items) == 0 {
		w.open.def, w.open.due = it.def, it.at.Add(it.def.Window.Cutoff)
	}
	w.open.items = append(w.open.items, it)
	w.open.bytes += size
	switch {
	case len(w.open.items) == it.def.Window.Count:
		w.shut(full, it.at)
	case it.def.Window.Bytes > 0 && w.open.bytes >= it.def.Window.Bytes:
		w.shut(bytes, it.at)
	}
	return len(w.open.items) > 0
}

func (d *definition) fits(bytes int) bool { return d.Window.Bytes == 0 || bytes <= d.Window.Bytes }

// shut makes the open batch ready to go; there is no empty batch.
func (w *window) shut(why departure, at time.Time) {
	if len(w.open.items) > 0 {
		w.open.why, w.open.left = why, at
		w.ready = append(w.ready, w.open)
		w.open = batch{}
	}
}
