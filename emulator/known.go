package emulator

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/events"
)

// known are the events that the journal has, by a hash of their ids. It is filled with the first replay and kept from then on; it is
// bounded as the journal is.
type known struct {
	seed   maphash.Seed
	loaded atomic.Bool

	mu  sync.Mutex
	ids map[uint64]struct{} // nil: nobody has asked yet
}

func (k *known) load(ctx context.Context, j journal.Journal) error {
	k.mu.Lock()
	if k.ids != nil {
		k.mu.Unlock()
		return nil
	}
	k.seed, k.ids = maphash.MakeSeed(), map[uint64]struct{}{}
	k.loaded.Store(true) // what is published from here on is added by publish
	k.mu.Unlock()
	for entry, err := range j.Read(ctx, 1, journal.Changes) {
		if err == nil {
			var r events.Record
			if r, err = events.DecodeRecord(entry.Data); err == nil {
				k.add(r)
			}
		}
		if err != nil {
			k.mu.Lock()
			k.ids = nil
			k.loaded.Store(false)
			k.mu.Unlock()
			return err
		}
	}
	return nil
}

func (k *known) add(r events.Record) {
	if !k.loaded.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ev := range r.Events {
		k.ids[maphash.String(k.seed, ev.ID)] = struct{}{}
	}
}

// has tells whether all events of a record are known.
func (k *known) has(r events.Record) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, ev := range r.Events {
		if _, ok := k.ids[maphash.String(k.seed, ev.ID)]; !ok {
			return false
		}
	}
	return true
}
