package report

import (
	"maps"
	"slices"
	"time"
)

// tally has a row for each name, of at most maxNames names.
type tally[T any] struct {
	rows map[string]*T
	rest T // of names beyond
}

// of is the row of a name; that of nobody when it is not wanted.
func (t *tally[T]) of(name string, wanted bool) *T {
	if !wanted || name == "" {
		return new(T)
	}
	row := t.rows[name]
	if row == nil {
		if len(t.rows) >= maxNames {
			return &t.rest
		}
		if t.rows == nil {
			t.rows = make(map[string]*T)
		}
		row = new(T)
		t.rows[name] = row
	}
	return row
}

func (t *tally[T]) names() []string { return slices.Sorted(maps.Keys(t.rows)) }

type triggerRow struct {
	batches, events, delivered, lost, skipped int
	took                                      spread
}

type functionRow struct {
	runs, errors, cold int
	took               spread
}

// spread is durations in sum.
type spread struct {
	n        int
	sum, max time.Duration
}

func (s *spread) add(d time.Duration) {
	s.n++
	s.sum += d
	s.max = max(s.max, d)
}

func (s spread) mean() time.Duration {
	if s.n == 0 {
		return 0
	}
	return s.sum / time.Duration(s.n)
}
