package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// told is what Options.Invoked has heard.
type told struct {
	mu  sync.Mutex
	all []runner.Invocation
}

func (r *told) option(o *runner.Options) {
	o.Invoked = func(in runner.Invocation) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, in)
	}
}

// last returns what was told last, when the house is quiet.
func (r *told) last(h *house) runner.Invocation {
	h.t.Helper()
	h.is.NoErr(h.Quiet(h.t.Context()))
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[len(r.all)-1]
}

func TestTellsOfEachInvocation(t *testing.T) {
	r := &told{}
	h := open(t, r.option)
	h.set("say")
	response, err := h.Invoke(t.Context(), "say", runner.Request{Payload: []byte(`"hi"`), Events: []string{"e1", "e2"}})
	h.is.NoErr(err)
	got := r.last(h)
	h.is.True(got.Duration > 0 && got.Init > 0) // though the clock stands still
	h.is.True(got.Started.Equal(h.clock.Now()))
	got.Duration, got.Init, got.Started = 0, 0, time.Time{}
	h.is.Equal(got, runner.Invocation{
		ID: response.ID, Function: "say", Events: []string{"e1", "e2"}, Input: []byte(`"hi"`), Output: []byte("null"),
		Log: []string{"out hi", "err hi", "no end hi"},
	})
	h.invoke("say", `"again"`)
	h.is.Equal(r.last(h).Init, time.Duration(0)) // warm
	h.is.Equal(r.last(h).Log[0], "out again")
	h.is.Equal(len(r.all), 2)
	h.is.Equal(len(h.InFlight()), 0)
}

// However an invocation fails, it is told once, with what the caller got.
func TestTellsOfEachFailure(t *testing.T) {
	r := &told{}
	h := open(t, r.option)
	for i, name := range []string{"fail", "panic", "exit", "init exit", "hang"} {
		h.set(name)
		payload := `1`
		if name == "hang" {
			payload = `"hang"`
		}
		answer := h.invoking(name, payload)
		if name == "hang" {
			h.log.wait("hanging")
			h.is.Equal(h.InFlight()[0].Function, "hang")
			h.clock.Advance(3 * time.Second)
		}
		response := <-answer
		got := r.last(h)
		h.is.Equal(len(r.all), i+1)
		h.is.Equal([]string{got.ID, got.Function, got.Error, string(got.Output)}, []string{response.ID, name, "Unhandled", string(response.Payload)})
		log := strings.Join(got.Log, "\n")
		for _, line := range []string{"START ", "END ", "REPORT ", "INIT_"} {
			h.is.True(!strings.Contains(log, line))
		}
		switch name {
		case "hang":
			h.is.True(strings.Contains(log, "Task timed out after 3.00 seconds"))
		case "exit":
			h.is.True(strings.Contains(log, "Runtime.ExitError"))
		}
	}
}

func TestTellsOfTheThrottled(t *testing.T) {
	r := &told{}
	h := open(t, r.option)
	h.set("none", func(f *runner.Function) { f.Limit = -1 })
	_, err := h.Invoke(t.Context(), "none", runner.Request{ID: "1", Payload: []byte(`1`), Events: []string{"e"}})
	h.is.True(errors.Is(err, runner.ErrThrottled))
	h.is.Equal(r.last(h), runner.Invocation{
		ID: "1", Function: "none", Events: []string{"e"}, Input: []byte(`1`), Error: "throttled", Started: h.clock.Now(),
	})
}

func TestAnInvocationsLogIsBounded(t *testing.T) {
	r := &told{}
	h := open(t, r.option)
	h.set("lines")
	h.invoke("lines", `[1200,1]`)
	h.is.Equal(len(r.last(h).Log), 1000)
	h.is.Equal(r.last(h).LogCut, 200)
	h.invoke("lines", `[100,1000]`)
	h.is.Equal(len(r.last(h).Log), 65)
	h.is.Equal(r.last(h).LogCut, 35)
}

// A process is told a trace id of its own, as on Lambda, and InFlight tells whose it is.
func TestInFlight(t *testing.T) {
	h := open(t)
	var seen []runner.Flight
	var trace any
	h.handle("look", handler(func(ctx context.Context, _ []byte) ([]byte, error) {
		seen, trace = h.InFlight(), ctx.Value("x-amzn-trace-id")
		return nil, nil
	}))
	response := h.invoke("look", `1`)
	h.is.Equal(seen, []runner.Flight{{ID: response.ID, Function: "look", TraceID: fmt.Sprint(trace)}})
	h.is.True(strings.HasPrefix(seen[0].TraceID, "Root=1-"))
	h.is.NoErr(h.Quiet(t.Context()))
	h.is.Equal(len(h.InFlight()), 0)
	h.set("about")
	h.is.True(strings.Contains(string(h.invoke("about", `1`).Payload), `"trace":"Root=1-`))
}
