package emulator

import (
	"context"
	"fmt"
	"sync"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/events"
)

// publish is the only way in: whatever happens becomes a record here, is worded by every cloud, and is on record when publish
// returns. Rev and At are given where the caller left them empty.
func (e *Emulator) publish(ctx context.Context, origin string, changes []events.Change) (events.Record, uint64, error) {
	r := events.Record{Origin: origin, Changes: changes, At: e.clock.Now()}
	e.complete(&r)
	e.word(&r)
	seq, err := e.append(ctx, r)
	return r, seq, err
}

// complete gives a record's changes what makes each of them the only one of its kind.
func (e *Emulator) complete(r *events.Record) {
	for i := range r.Changes {
		c := &r.Changes[i]
		if c.Rev == 0 {
			c.Rev = e.rev.Add(1)
		}
		if c.At.IsZero() {
			c.At = r.At
		}
		c.At = c.At.UTC()
	}
}

// word has every cloud say what happened.
func (e *Emulator) word(r *events.Record) {
	r.Events = e.cloud.Word(r.Changes)
	if e.stack != nil { // nobody else would hear of them
		r.Events = append(r.Events, e.stack.Word(r.Changes)...)
	}
}

// append writes records down, in their order: from then on they have happened. It returns the position of the last. After an error some
// of the first may be on record.
func (e *Emulator) append(ctx context.Context, rs ...events.Record) (uint64, error) {
	data := make([][]byte, len(rs))
	for i, r := range rs {
		var err error
		if data[i], err = r.Encode(); err != nil {
			return 0, fmt.Errorf("publish: %w", err)
		}
		e.recent.put(data[i], r)
	}
	// A client that hangs up now must not leave the question open whether its push happened.
	ctx = context.WithoutCancel(ctx)
	e.clients.await(ctx, e.journal)
	seq, err := e.journal.Append(ctx, journal.Changes, data...)
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	for _, r := range rs {
		e.known.add(r)
	}
	for last := e.published.Load(); seq > last && !e.published.CompareAndSwap(last, seq); last = e.published.Load() {
	}
	if n := e.records.Add(int64(len(rs))); n/snapshotEvery > (n-int64(len(rs)))/snapshotEvery {
		select {
		case e.snapshot <- struct{}{}:
		default: // one is due already
		}
	}
	return seq, nil
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

// recent are the last records as they were published, so that the triggers need not decode what this process has just encoded. The
// journal hands out the very bytes that it was given, so where they lie tells which record they are. It is a courtesy: a record that
// is not here any more is decoded.
type recent struct {
	mu      sync.Mutex
	records map[*byte]events.Record
	order   [1024]*byte // a ring of the keys
	next    int
}

func (r *recent) put(data []byte, record events.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.records == nil {
		r.records = make(map[*byte]events.Record, len(r.order))
	}
	delete(r.records, r.order[r.next])
	r.order[r.next] = &data[0]
	r.records[&data[0]] = record
	r.next = (r.next + 1) % len(r.order)
}

// take returns a record, once.
func (r *recent) take(data []byte) (events.Record, bool) {
	if len(data) == 0 {
		return events.Record{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	record, ok := r.records[&data[0]]
	delete(r.records, &data[0])
	return record, ok
}
