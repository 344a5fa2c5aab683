package runner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// A process that has had its time by the machine's clock is not waited for, while the house's stands still: who waits for it hears of it,
// and hears before it is answered that it goes on.
func TestAProcessHangs(t *testing.T) {
	var due time.Time
	paused, resumed := make(chan bool, 1), 0
	h := open(t, func(o *runner.Options) {
		o.Pause = func(_ context.Context, at time.Time) func() {
			due = at
			paused <- true
			return func() { resumed++ }
		}
	})
	h.set("hang", func(f *runner.Function) { f.Timeout = 20 * time.Millisecond })
	for n := range 2 {
		hanging := h.invoking("hang", `"hang"`)
		<-paused
		h.is.Equal(due, h.clock.Now().Add(20*time.Millisecond))
		h.is.NoErr(h.Still(t.Context()))
		ended, end := context.WithCancel(t.Context())
		end()
		h.is.True(errors.Is(h.Quiet(ended), context.Canceled))
		begun := h.Begun()
		h.clock.Advance(20 * time.Millisecond)
		h.is.Equal((<-hanging).FunctionError, "Unhandled")
		h.is.Equal(resumed, n+1)
		h.is.True(h.Begun() > begun) // so that nobody takes what comes of it for nothing
		h.is.NoErr(h.Quiet(t.Context()))
	}
}
