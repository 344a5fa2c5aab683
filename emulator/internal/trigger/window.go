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
}

// window gathers items into batches. What it makes depends on the items and their times alone, not on when it is asked.
type window struct {
	open  batch
	ready []batch
}

// add takes an item and tells whether it now waits in the open batch.
func (w *window) add(it item) (waits bool) {
	if it.event == nil {
		w.shut()
		return false
	}
	size := len(it.event.Body)
	if len(w.open.items) > 0 && (w.open.def != it.def || !it.at.Before(w.open.due) || !it.def.fits(w.open.bytes+size)) {
		w.shut()
	}
	if len(w.open.items) == 0 {
		w.open.def, w.open.due = it.def, it.at.Add(it.def.Window.Cutoff)
	}
	w.open.items = append(w.open.items, it)
	w.open.bytes += size
	if len(w.open.items) == it.def.Window.Count || it.def.Window.Bytes > 0 && w.open.bytes >= it.def.Window.Bytes {
		w.shut()
	}
	return len(w.open.items) > 0
}

func (d *definition) fits(bytes int) bool { return d.Window.Bytes == 0 || bytes <= d.Window.Bytes }

// shut makes the open batch ready to go; there is no empty batch.
func (w *window) shut() {
	if len(w.open.items) > 0 {
		w.ready = append(w.ready, w.open)
		w.open = batch{}
	}
}
