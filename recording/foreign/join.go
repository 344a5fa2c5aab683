package foreign

import (
	"cmp"
	"slices"
	"time"

	"github.com/regcast/regcast/events"
)

// join hands items on, and makes one record of the events that one request caused: a record is what one request changed, and what the
// other cloud makes of it depends on that. It holds back the last record, while events may still join it, and what was skipped since.
//
// Yandex Cloud tells of a push by CreateImage, DeleteImageTag of the tag's old image and CreateImageTag, and of a deletion by DeleteImage
// and DeleteImageTag of each tag. They have nothing in common that says so. So what follows within a second, in the same repository, with
// nothing else of a registry between them, and fits, is taken for the same request. Distribution's notifications have the request's id.
type join struct {
	yield   func(Item) bool
	stopped bool
	items   int64 // that were added
	held    []Item
	request string // of held[0], when that may be joined
}

// heldMost bounds what is held back: the changes of a record, and what was skipped since.
const heldMost = 64

// near is how far apart in time the events of one request are at most.
const near = time.Second

// add takes an item. request is what the events of its request share; empty: nothing joins it.
func (j *join) add(i Item, request string) {
	j.items++
	if i.Skipped != "" {
		if len(j.held) == 0 {
			j.hand(i)
		} else if j.held = append(j.held, i); len(j.held) >= heldMost {
			j.flush()
		}
		return
	}
	if len(j.held) > 0 && request != "" && request == j.request && j.joined(i) {
		return
	}
	j.flush()
	if request == "" {
		j.hand(i)
		return
	}
	j.held, j.request = append(j.held, i), request
}

// joined makes i a part of the record that is held, if it fits.
func (j *join) joined(i Item) bool {
	to, r, next := j.held[0].Recorded.Record, i.Recorded.Record, i.Recorded.Record.Changes[0]
	if len(r.Changes) != 1 || len(to.Changes) >= heldMost || !fits(to.Changes, next) {
		return false
	}
	if next.Digest == "" && next.Kind == events.TagDetached {
		next.Digest = to.Changes[0].Digest // distribution leaves it out of a tag's deletion
	}
	for _, e := range r.Events {
		e.Of = len(to.Changes)
		to.Events = append(to.Events, e)
	}
	to.Changes = append(to.Changes, next)
	sortChanges(to)
	j.held[0].And = append(j.held[0].And, i.Place)
	return true
}

// fits tells whether one request can have changed next too. Changes are in the order of sortChanges.
func fits(changes []events.Change, next events.Change) bool {
	count := map[events.Kind]int{next.Kind: 1}
	for _, c := range changes {
		if c.Registry != next.Registry || c.Repository != next.Repository || c.At.Sub(next.At).Abs() > near {
			return false
		}
		if c.Kind == next.Kind && (c.Kind != events.TagDetached || c.Tag == next.Tag) {
			return false // there is one of a kind, but for the tags that a deleted image had
		}
		count[c.Kind]++
	}
	all := append(slices.Clip(changes), next)
	of := func(k events.Kind) events.Change {
		i := slices.IndexFunc(all, func(c events.Change) bool { return c.Kind == k })
		if i < 0 {
			return events.Change{}
		}
		return all[i]
	}
	created, attached, detached, deleted := of(events.ImageCreated), of(events.TagAttached), of(events.TagDetached), of(events.ImageDeleted)
	push := count[events.ImageCreated]+count[events.TagAttached] > 0
	switch {
	case push && (deleted.Kind != "" || count[events.TagDetached] > 1):
		return false
	case push:
		return (created.Kind == "" || attached.Kind == "" || created.Digest == attached.Digest) &&
			(detached.Kind == "" || detached.Digest != cmp.Or(created.Digest, attached.Digest)) &&
			(detached.Kind == "" || attached.Kind == "" || detached.Tag == attached.Tag)
	}
	for _, c := range all { // a deletion
		if c.Digest != next.Digest && c.Digest != "" && next.Digest != "" {
			return false
		}
	}
	return true
}

// sortChanges puts the changes into the order in which a registry makes them. The events stay in the order in which they were told.
func sortChanges(r *events.Record) {
	rank := map[events.Kind]int{events.ImageCreated: 0, events.TagDetached: 1, events.TagAttached: 2, events.ImageDeleted: 3}
	order := make([]int, len(r.Changes)) // order[i]: where the change was that is now i
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank[r.Changes[a].Kind] - rank[r.Changes[b].Kind] })
	sorted := make([]events.Change, len(order))
	now := make([]int, len(order))
	tag := ""
	for i, was := range order {
		sorted[i], now[was] = r.Changes[was], i
		if sorted[i].Kind == events.TagAttached {
			tag = sorted[i].Tag
		}
	}
	if sorted[0].Kind == events.ImageCreated && sorted[0].Tag == "" {
		sorted[0].Tag = tag // it was pushed with it
	}
	r.Changes = sorted
	for i := range r.Events {
		e := &r.Events[i]
		e.Of = now[e.Of]
		e.Change = sorted[e.Of]
	}
}

// flush hands on what is held.
func (j *join) flush() {
	for _, i := range j.held {
		j.hand(i)
	}
	j.held, j.request = j.held[:0], ""
}

func (j *join) hand(i Item) {
	j.stopped = j.stopped || !j.yield(i)
}
