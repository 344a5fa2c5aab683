package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/recording"
)

// ErrClock says that the clock of Config.Clock cannot do what is asked of it.
var ErrClock = errors.New("the clock that the emulator was given cannot do that")

// While the clock is moved on, the house is waited for by the machine's clock. Functions that hang are told apart (runner.Still). For what
// else does not come to an end, say a client that does not read, hang is how long it holds up the first move after it has begun; then the
// clock goes on. Until the house is quiet again each move waits for hangAgain. It is longer than a function may take.
const (
	hang      = 15 * time.Second
	hangAgain = 100 * time.Millisecond
)

func newClock(cfg Config) clock.Clock {
	if cfg.Frozen {
		return clock.NewFrozen(cfg.Start)
	}
	return clock.NewWarp(cfg.Start)
}

// ClockState tells of the house's clock, as GET /_regcast/clock does.
type ClockState struct {
	Now    time.Time     `json:"now"`
	Frozen bool          `json:"frozen"`
	Speed  float64       `json:"speed"`          // seconds a second, when it is not frozen
	Ahead  time.Duration `json:"ahead"`          // of the machine's clock, in nanoseconds; negative: behind
	Next   *time.Time    `json:"next,omitempty"` // when the next timer of the house is due; nil: none is set
}

// ClockState returns where the house's clock stands and how it runs.
func (e *Emulator) ClockState() ClockState {
	c, ok := e.clock.(clock.Movable)
	if !ok {
		now := e.clock.Now()
		return ClockState{Now: now, Speed: 1, Ahead: time.Until(now)}
	}
	s := c.State()
	out := ClockState{Now: s.Now.Round(0), Frozen: s.Frozen, Speed: s.Speed, Ahead: s.Ahead}
	if next, ok := c.Next(); ok {
		next = next.Round(0)
		out.Next = &next
	}
	return out
}

// Advance moves the house's clock on by d, frozen or not. What falls due happens in its order, and the clock waits for it, and for all that
// it sets off, before it goes on to the next: functions answer, frames are sent, and timers that are set meanwhile are honoured in their
// turn. It returns when the house is quiet at the end. A function is waited for as long by the machine's clock as its time limit is, but not
// longer than 10 seconds, nor than 1 second if its call before took too long: then it only waits for its time limit by the house's clock. So
// it costs that once, however often the clock is moved. What else does not come to an end, such as a client that does not read, is waited
// for 15 seconds. Several calls wait for each other.
func (e *Emulator) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("clock: advance %v: %w", d, clock.ErrPast)
	}
	return e.move(ctx, func(c clock.Movable, settle func(context.Context) error) error { return c.AdvanceBy(ctx, d, settle) })
}

// AdvanceTo moves the house's clock on to t, as Advance does.
func (e *Emulator) AdvanceTo(ctx context.Context, t time.Time) error {
	return e.move(ctx, func(c clock.Movable, settle func(context.Context) error) error { return c.AdvanceTo(ctx, t, settle) })
}

func (e *Emulator) move(ctx context.Context, move func(clock.Movable, func(context.Context) error) error) error {
	c, ok := e.clock.(clock.Movable)
	if !ok {
		return fmt.Errorf("clock: advance: %w", ErrClock)
	}
	var from time.Time
	settle := e.settler()
	err := move(c, func(ctx context.Context) error {
		if from.IsZero() {
			from = c.Now()
		}
		return settle(ctx)
	})
	if !from.IsZero() {
		now := c.Now()
		e.noteClock(now, recording.Clock{What: "advance", By: now.Sub(from)})
	}
	return err
}

// settler returns what waits for a quiet house while one caller moves the clock, but not for ever: see hang.
func (e *Emulator) settler() func(context.Context) error {
	patience := hang
	return func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err := e.quiet(limited)
		switch {
		case err == nil:
			patience = hang
		case ctx.Err() == nil && limited.Err() != nil:
			if patience == hang {
				e.log.Warn("clock: it goes on although the house is not quiet", "after", hang, "error", err)
			}
			patience = hangAgain
			return nil
		}
		return err
	}
}

// Freeze stops the house's clock: nothing falls due until it is moved on or resumes. Functions in processes have the machine's clock and
// go on; only their time limits stand still.
func (e *Emulator) Freeze() error {
	switch c := e.clock.(type) {
	case *clock.Warp:
		c.Freeze()
	case *clock.Manual: // stands still by nature
	default:
		return fmt.Errorf("clock: freeze: %w", ErrClock)
	}
	e.noteClock(e.clock.Now(), recording.Clock{What: "freeze"})
	return nil
}

// Resume lets a frozen clock run on from where it stands.
func (e *Emulator) Resume() error {
	c, ok := e.clock.(*clock.Warp)
	if !ok {
		return fmt.Errorf("clock: resume: %w: it is moved by hand alone", ErrClock)
	}
	c.Resume()
	e.noteClock(c.Now(), recording.Clock{What: "resume"})
	return nil
}

// SetSpeed makes x seconds pass in the house in one of the machine's, from 0.001 to 1,000,000. A frozen clock stays frozen.
func (e *Emulator) SetSpeed(x float64) error {
	c, ok := e.clock.(*clock.Warp)
	if !ok {
		return fmt.Errorf("clock: speed: %w: it is moved by hand alone", ErrClock)
	}
	if err := c.SetSpeed(x); err != nil {
		return err
	}
	e.noteClock(c.Now(), recording.Clock{What: "speed", Speed: x})
	return nil
}

// thaw lets a clock that is frozen, or slow, run when the house has been closing for a while: what waits for its time then, say for the
// limit of a function that hangs, would hold up the end for ever.
func (e *Emulator) thaw() (stop func() bool) {
	c, ok := e.clock.(*clock.Warp)
	if !ok {
		return func() bool { return true }
	}
	return time.AfterFunc(10*time.Second, func() {
		_ = c.SetSpeed(max(1, c.State().Speed)) // which it has had
		c.Resume()
	}).Stop
}

func (e *Emulator) noteClock(at time.Time, what recording.Clock) {
	data, err := json.Marshal(struct {
		At time.Time `json:"at"`
		recording.Clock
	}{at.Round(0), what})
	if err != nil {
		e.log.Error("journal: a move of the clock cannot be written", "error", err)
		return
	}
	e.journal.Note(journal.Clock, data)
}

func (e *Emulator) getClock(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, e.ClockState())
}

// clockRequest is the body of POST /_regcast/clock. One member is set.
type clockRequest struct {
	Advance *string  `json:"advance"`
	To      *string  `json:"to"`
	Freeze  *bool    `json:"freeze"`
	Resume  *bool    `json:"resume"`
	Speed   *float64 `json:"speed"`
}

const clockUsage = `want one of {"advance":"10m"}, {"to":"2026-01-02T15:04:05Z"}, {"freeze":true}, {"resume":true}, {"speed":60}`

func (e *Emulator) postClock(w http.ResponseWriter, r *http.Request) {
	do, err := e.parseClock(http.MaxBytesReader(w, r.Body, 1<<10))
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	err = do(r.Context())
	switch {
	case errors.Is(err, clock.ErrPast) || errors.Is(err, clock.ErrSpeed) || errors.Is(err, clock.ErrFar):
		answerError(w, http.StatusBadRequest, err)
	case errors.Is(err, ErrClock):
		answerError(w, http.StatusConflict, err)
	case err != nil:
		answerError(w, http.StatusServiceUnavailable, err)
	default:
		answer(w, http.StatusOK, e.ClockState())
	}
}

// parseClock reads what is to be done.
func (e *Emulator) parseClock(body io.Reader) (do func(context.Context) error, err error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("clock: body: %w", err)
	}
	var q clockRequest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return nil, fmt.Errorf("clock: body: %w; %s", err, clockUsage)
	}
	n := 0
	if q.Advance != nil {
		n++
		by, err := time.ParseDuration(*q.Advance)
		if err != nil || by < 0 {
			return nil, fmt.Errorf("clock: advance: got %q, want a duration that is not negative, such as 90s, 10m or 1h30m", *q.Advance)
		}
		do = func(ctx context.Context) error { return e.Advance(ctx, by) }
	}
	if q.To != nil {
		n++
		t, err := time.Parse(time.RFC3339Nano, *q.To)
		if err != nil {
			return nil, fmt.Errorf("clock: to: got %q, want a time such as 2026-01-02T15:04:05Z", *q.To)
		}
		do = func(ctx context.Context) error { return e.AdvanceTo(ctx, t) }
	}
	for name, set := range map[string]*bool{"freeze": q.Freeze, "resume": q.Resume} {
		if set == nil {
			continue
		}
		n++
		if !*set {
			return nil, fmt.Errorf("clock: %s: got false, want true", name)
		}
		do = func(context.Context) error { return e.Freeze() }
		if name == "resume" {
			do = func(context.Context) error { return e.Resume() }
		}
	}
	if q.Speed != nil {
		n++
		do = func(context.Context) error { return e.SetSpeed(*q.Speed) }
	}
	if n != 1 {
		return nil, fmt.Errorf("clock: got %d things to do; %s", n, clockUsage)
	}
	return do, nil
}
