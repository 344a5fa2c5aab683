package emulator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording/explain"
)

// Explain says of an event which triggers and rules fired and which did not, why, and what became of it so far. The id may be "last", for
// the last event on record; a trigger's name or id leaves that one alone. It reads the journal, so its cost grows with the journal's length.
// It waits for what is in flight, a second at most. Errors are ErrNoEvent and explain.ErrNoTrigger.
func (e *Emulator) Explain(ctx context.Context, id, trigger string) (explain.Explanation, error) {
	x, err := e.explain(ctx, id)
	if err == nil && trigger != "" {
		x, err = x.Only(trigger)
	}
	if err != nil {
		return x, fmt.Errorf("explain: %w", err)
	}
	return x, nil
}

func (e *Emulator) explain(ctx context.Context, id string) (explain.Explanation, error) {
	// Who asks right after a push wants to know what became of it, not that it is on its way.
	soon, cancel := context.WithTimeout(ctx, settling)
	_ = e.Flush(soon) // what takes longer is explained as it stands
	cancel()
	if err := e.journal.Sync(ctx); err != nil {
		return explain.Explanation{}, err
	}
	run, ok, err := e.gather(ctx, id, e.recordOf(ctx, id))
	if err == nil && !ok && id == explain.Last { // the last record has no event
		run, ok, err = e.gather(ctx, id, 1)
	}
	switch {
	case err != nil:
		return explain.Explanation{}, err
	case !ok:
		return explain.Explanation{}, e.noEvent(ctx, id)
	}
	run.Now = e.clock.Now()
	run.Verdicts = verdicts(e.triggers.Explain(run.Event))
	if e.plan != nil {
		_, idle, err := aws.DryRules(e.plan)
		if err != nil {
			return explain.Explanation{}, err
		}
		run.Verdicts = append(run.Verdicts, idleVerdicts(idle)...)
	}
	return explain.Explain(run), nil
}

// recordOf is where the record of an event is at the earliest.
func (e *Emulator) recordOf(ctx context.Context, id string) uint64 {
	if id == explain.Last {
		return max(1, e.published.Load())
	}
	if t, err := e.findEvent(ctx, id); err == nil {
		return t.Seq
	}
	return 0 // it is not there
}

// gather reads what the journal has of an event from a position on.
func (e *Emulator) gather(ctx context.Context, id string, from uint64) (run explain.Run, ok bool, err error) {
	if from == 0 {
		return run, false, nil
	}
	g := explain.Gatherer{ID: id}
	for entry, err := range e.journal.Read(ctx, from, journal.Changes, journal.Steps, journal.Invocations, journal.Frames) {
		if err != nil {
			return run, false, err
		}
		// Most entries are of other events: they need no decoding. Which frames a function has sent turns out later.
		if id != explain.Last && !bytes.Contains(entry.Data, []byte(id)) &&
			!(entry.Topic == journal.Frames && bytes.Contains(entry.Data, []byte(`"during"`))) {
			continue
		}
		line, err := journalLine(entry)
		if err != nil {
			e.log.Error("journal: entry left out", "seq", entry.Seq, "error", err)
			continue
		}
		g.Add(line)
	}
	run, ok = g.Run()
	return run, ok, nil
}

// noEvent says that there is no such event, and which is nearly it or how far back the journal goes.
func (e *Emulator) noEvent(ctx context.Context, id string) error {
	near := explain.Nearest{ID: id}
	var from time.Time
	for entry, err := range e.journal.Read(ctx, 1, journal.Changes) {
		if err != nil {
			return err
		}
		r, err := events.DecodeRecord(entry.Data)
		if err != nil {
			continue
		}
		if from.IsZero() {
			from = entry.At
		}
		for i := range r.Events {
			near.Add(r.Events[i].ID)
		}
	}
	span := "`regcast journal` lists the events on record"
	if first, _, err := e.journal.Bounds(ctx); err == nil && first > 1 {
		span = fmt.Sprintf("the journal goes back to entry %d of %s; what was before has left it", first, from.Local().Format(time.DateTime))
	}
	return near.Error(span)
}

func verdicts(vs []trigger.Verdict) []explain.Verdict {
	out := make([]explain.Verdict, len(vs))
	for i, v := range vs {
		t := v.State.Trigger
		out[i] = explain.Verdict{ID: t.ID, Name: cmp.Or(t.Name, t.ID), About: t.About, Miss: v.Miss, Skips: v.Skips}
	}
	return out
}

// idleVerdicts are of rules that do nothing, whatever happens.
func idleVerdicts(rules []aws.IdleRule) []explain.Verdict {
	var out []explain.Verdict
	for _, r := range rules {
		miss := &events.Miss{Field: explain.FieldState, Hint: "the rule does nothing here: " + r.Why}
		if strings.HasPrefix(r.Why, "not emulated") {
			miss.Doc = "docs/FIDELITY.md#Rule: other buses, schedules, other targets"
		}
		out = append(out, explain.Verdict{ID: r.ARN, Name: r.Name, Miss: miss})
	}
	return out
}

func (e *Emulator) getExplain(w http.ResponseWriter, r *http.Request) {
	x, err := e.Explain(r.Context(), r.PathValue("id"), r.URL.Query().Get("trigger"))
	switch {
	case errors.Is(err, ErrNoEvent), errors.Is(err, explain.ErrNoTrigger):
		answerError(w, http.StatusNotFound, err)
	case err != nil:
		answerError(w, http.StatusInternalServerError, err)
	default:
		answer(w, http.StatusOK, x)
	}
}
