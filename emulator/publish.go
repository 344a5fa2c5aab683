package emulator

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/events"
)

// appendLimit bounds one journal append. It is far above what an append takes, so that only a broken disk meets it.
const appendLimit = 30 * time.Second

// publish is the only way in: whatever happens becomes a record here, is worded by every cloud, and is on record when publish
// returns. Rev and At are given where the caller left them empty.
func (e *Emulator) publish(ctx context.Context, origin string, changes []events.Change) (events.Record, uint64, error) {
	r := events.Record{Origin: origin, Changes: changes}
	for i := range r.Changes {
		c := &r.Changes[i]
		if c.Rev == 0 {
			c.Rev = e.rev.Add(1)
		}
		if c.At.IsZero() {
			c.At = e.clock.Now()
		}
		c.At = c.At.UTC()
	}
	r.Events = e.cloud.Word(r.Changes)
	data, err := r.Encode()
	if err != nil {
		return r, 0, fmt.Errorf("publish: %w", err)
	}
	// A client that hangs up now must not leave the question open whether its push happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), appendLimit)
	defer cancel()
	seq, err := e.journal.Append(ctx, journal.Changes, data)
	if err != nil {
		return r, 0, fmt.Errorf("publish: %w", err)
	}
	e.recent.put(seq, r)
	for last := e.published.Load(); seq > last && !e.published.CompareAndSwap(last, seq); last = e.published.Load() {
	}
	if e.records.Add(1)%snapshotEvery == 0 {
		select {
		case e.snapshot <- struct{}{}:
		default: // one is due already
		}
	}
	return r, seq, nil
}

// Emit publishes changes that no push made, one record each, and returns the ids of their events once they are on record.
// Registry defaults to the default registry, At to now.
func (e *Emulator) Emit(ctx context.Context, changes ...events.Change) ([]string, error) {
	records := make([][]events.Change, len(changes))
	for i, c := range changes {
		records[i] = []events.Change{c}
	}
	return e.emit(ctx, records)
}

// emit publishes one record for each list of changes. After an error the ids tell what is on record all the same.
func (e *Emulator) emit(ctx context.Context, records [][]events.Change) ([]string, error) {
	for i, r := range records {
		for j := range r {
			if r[j].Registry == "" {
				r[j].Registry = e.defaults.RegistryID
			}
			if err := r[j].Validate(); err != nil {
				return nil, fmt.Errorf("emit: %d: %w", i, err)
			}
		}
	}
	ids := []string{}
	for _, r := range records {
		record, _, err := e.publish(ctx, events.OriginEmit, r)
		if err != nil {
			return ids, err
		}
		for _, ev := range record.Events {
			ids = append(ids, ev.ID)
		}
	}
	return ids, nil
}

// recent are the last records as they were published, so that the triggers need not decode what this process has just encoded.
// It is a courtesy: a record that is not here, or not yet, is read from the journal's entry.
type recent [256]atomic.Pointer[published]

type published struct {
	seq    uint64
	record events.Record
}

func (r *recent) put(seq uint64, record events.Record) {
	r[seq%uint64(len(r))].Store(&published{seq, record})
}

func (r *recent) get(seq uint64) (events.Record, bool) {
	if p := r[seq%uint64(len(r))].Load(); p != nil && p.seq == seq {
		return p.record, true
	}
	return events.Record{}, false
}
