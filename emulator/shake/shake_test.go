package shake_test

import (
	"os"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/shake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRight(t *testing.T) {
	is := is.New(t)
	run := recorded(t, 4, right)
	is.Equal(frames(t, run), 12)
	r, err := shake.Run(t.Context(), reader(t, run), house(), shake.Options{Fresh: fresh(right), Budget: 2 * time.Minute})
	is.NoErr(err)
	_ = r.Text(os.Stdout, "failure.regcast.jsonl")
	is.True(r.Failure == nil)
}

func TestBroken(t *testing.T) {
	run := recorded(t, 4, right)
	for name, broken := range map[string]func(*handler){
		"again": func(h *handler) { h.again = true }, "fails": func(h *handler) { h.fails = true }, "forget": func(h *handler) { h.forget = true },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r, err := shake.Run(t.Context(), reader(t, run), house(), shake.Options{Fresh: fresh(broken), Budget: 2 * time.Minute})
			is.NoErr(err)
			_ = r.Text(os.Stdout, "failure.regcast.jsonl")
			is.True(r.Failure != nil)
		})
	}
}
