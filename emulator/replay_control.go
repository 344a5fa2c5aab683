package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// ReplayControl lets somebody hold a replay back while it runs. The zero value lets everything through.
type ReplayControl struct {
	mu      sync.Mutex
	paused  bool
	steps   int           // records to let through while paused
	changed chan struct{} // closed at the next change; nil: nobody waits
}

// Pause holds the next record back.
func (c *ReplayControl) Pause() { c.set(true, 0) }

// Resume goes on.
func (c *ReplayControl) Resume() { c.set(false, 0) }

// Step lets one record through, at once, and holds back the one behind it.
func (c *ReplayControl) Step() { c.set(true, 1) }

func (c *ReplayControl) set(paused bool, steps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
	c.steps = min(c.steps+steps, mostTogether)
	if !paused {
		c.steps = 0
	}
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// state tells whether a record may go although it is not its time, and whether it may when it is; changed is closed when that changes.
func (c *ReplayControl) state() (early, open bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.paused && c.steps > 0, !c.paused || c.steps > 0, c.changed
}

// pass returns when a record may go. held is called when it may not yet.
func (c *ReplayControl) pass(ctx context.Context, held func() error) error {
	for first := true; ; first = false {
		early, open, changed := c.state()
		if open {
			if early {
				c.mu.Lock()
				c.steps--
				c.mu.Unlock()
			}
			return nil
		}
		if first {
			if err := held(); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// errStopped ends a replay because its client said so.
var errStopped = errors.New("stopped")

// runningReplay is one of POST /_regcast/replay.
type runningReplay struct {
	control *ReplayControl
	stop    func()
}

// replays are those that run, by id.
type replays struct {
	mu      sync.Mutex
	last    int
	running map[string]runningReplay
}

func (r *replays) add(one runningReplay) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		r.running = map[string]runningReplay{}
	}
	r.last++
	id = strconv.Itoa(r.last)
	r.running[id] = one
	return id
}

func (r *replays) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, id)
}

// postReplayControl is for a replay that runs: POST /_regcast/replay/{id}/pause, resume, step or stop.
func (e *Emulator) postReplayControl(w http.ResponseWriter, r *http.Request) {
	e.replays.mu.Lock()
	one, known := e.replays.running[r.PathValue("id")]
	e.replays.mu.Unlock()
	if !known {
		answerError(w, http.StatusNotFound, fmt.Errorf("replay %s: it does not run", r.PathValue("id")))
		return
	}
	switch what := r.PathValue("what"); what {
	case "pause":
		one.control.Pause()
	case "resume":
		one.control.Resume()
	case "step":
		one.control.Step()
	case "stop":
		one.stop()
	default:
		answerError(w, http.StatusNotFound, fmt.Errorf("replay: got %q, want pause, resume, step or stop", what))
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "done"})
}
