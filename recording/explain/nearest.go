package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Nearest finds ids that are nearly the one that was asked for.
type Nearest struct {
	ID string

	best []scored
	any  bool
}

type scored struct {
	id  string
	off int
}

const (
	suggested = 3 // ids
	mostOff   = 3 // characters, for one to be suggested
)

// Add looks at an id that there is.
func (n *Nearest) Add(id string) {
	n.any = true
	off := mostOff + 1
	switch {
	case len(n.ID) >= 4 && (strings.HasPrefix(id, n.ID) || strings.HasPrefix(n.ID, id) || strings.HasSuffix(id, n.ID)):
		off = 0 // a part of it was copied, or more than it
	case strings.EqualFold(id, n.ID):
		off = 0
	case len(id) >= len(n.ID)-mostOff && len(id) <= len(n.ID)+mostOff:
		off = distance(id, n.ID)
	}
	if off > mostOff || slices.ContainsFunc(n.best, func(s scored) bool { return s.id == id }) {
		return
	}
	n.best = append(n.best, scored{id, off})
	slices.SortStableFunc(n.best, func(a, b scored) int { return cmp.Compare(a.off, b.off) })
	n.best = n.best[:min(len(n.best), suggested)]
}

// Error says that there is no such event, and what else; span tells what was searched.
func (n *Nearest) Error(span string) error {
	ids := make([]string, len(n.best))
	for i, s := range n.best {
		ids[i] = s.id
	}
	switch {
	case !n.any:
		return fmt.Errorf("%w: there is none at all", ErrNoEvent)
	case len(ids) > 0:
		return fmt.Errorf("%w: %s; did you mean %s?", ErrNoEvent, n.ID, strings.Join(ids, " or "))
	}
	return fmt.Errorf("%w: %s; %s", ErrNoEvent, n.ID, span)
}

// distance is how many characters one has to change, leave out or put in (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
