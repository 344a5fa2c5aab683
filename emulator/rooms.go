package emulator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/events"
)

// The doors between the rooms.

// A snapshot of the registry is due after so many records, or so long after a change: a restart has little to replay, and what the
// journal's retention (1 GiB) takes away is never needed.
const (
	snapshotEvery = 50_000
	snapshotAfter = 5 * time.Minute
)

// commit is the registry's door out: the append that makes its change true.
func (e *Emulator) commit(ctx context.Context, changes []events.Change) (uint64, error) {
	_, seq, err := e.publish(ctx, events.OriginRegistry, changes)
	return seq, err
}

// readRecord is the next record of the journal that has not been handed on.
func (e *Emulator) readRecord(ctx context.Context) (uint64, events.Record, error) {
	entry, err := e.cursor.Next(ctx)
	if err != nil {
		return 0, events.Record{}, err
	}
	number := lastOf(entry.Seq)
	if entry.More {
		number--
	}
	if r, ok := e.recent.take(entry.Data); ok {
		return number, r, nil
	}
	r, err := events.DecodeRecord(entry.Data)
	if err != nil {
		// A record that cannot be read must not stop all that follow.
		e.log.Error("journal: a record cannot be read; it is passed over", "seq", entry.Seq, "error", err)
		return number, events.Record{}, nil
	}
	return number, r, nil
}

// The engine's numbers are two to a position of the journal, because records that were written together share one: the lower number
// says that more of them follow, the higher that this was the last.
func lastOf(seq uint64) uint64 { return 2 * seq }

func (e *Emulator) recordDone(number uint64) {
	if e.passing.counts(number) {
		e.cursor.Done((number + 1) / 2)
	}
}

// note is every room's way to tell what it decided.
func (e *Emulator) note(s events.Step) {
	if s.At.IsZero() {
		s.At = e.clock.Now()
	}
	e.tally.step(s)
	data, err := json.Marshal(s)
	if err != nil {
		e.log.Error("journal: a step cannot be written", "step", s.Text, "error", err)
		return
	}
	e.journal.Note(journal.Steps, data)
}

func (e *Emulator) warn(s string) { e.log.Warn(s) }

// runTriggers is the engine's goroutine. An engine that cannot read on is the end of the house.
func (e *Emulator) runTriggers() {
	if err := e.triggers.Run(e.running); err != nil && e.running.Err() == nil {
		e.failed.Store(&err)
		_ = e.server.Close() // Serve tells
	}
}

func (e *Emulator) runSnapshots() {
	machine := e.clock
	if _, ok := machine.(*clock.Warp); ok { // files are the machine's matter: a clock that is moved on by years must not stop for each
		machine = clock.Real{}
	}
	timer := machine.NewTimer(snapshotAfter)
	defer timer.Stop()
	var saved uint64
	for {
		select {
		case <-e.running.Done():
			return
		case <-timer.C():
			timer.Reset(snapshotAfter)
		case <-e.snapshot:
		}
		last := e.published.Load()
		if last == saved {
			continue
		}
		if err := e.registry.Snapshot(); err != nil {
			e.log.Error("registry: no snapshot; a restart will take longer", "error", err)
			continue
		}
		saved = last
	}
}
