package shake_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/emulator/shake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const budget = 2 * time.Minute // after which a test is wrong

func run(t *testing.T, file []byte, cfg emulator.Config, o shake.Options) shake.Report {
	t.Helper()
	o.Budget = budget
	r, err := shake.Run(t.Context(), reader(t, file), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Text(&text, "failure.regcast.jsonl"); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	return r
}

func TestARightHandlerPasses(t *testing.T) {
	is := is.New(t)
	r := run(t, recorded(t, 1, 3, right), house(), shake.Options{Fresh: fresh(right)})
	is.True(r.Failure == nil)
	is.Equal(r.Messages, 2)
	is.Equal(len(r.Lengths), 1)
	is.True(r.Lengths[0].Of > 40)
	is.Equal(r.Lengths[0].Tried, r.Lengths[0].Of)
	is.Equal(len(r.Unfinished), 0)
	is.Equal(len(r.Notes), 0)
}

// Handlers that are broken on purpose are found out, by the shortest schedule there is, and what is reported fails again.
func TestBrokenHandlers(t *testing.T) {
	sound, full := recorded(t, 2, 3, right), recorded(t, 50, 1, right)
	drops := func(n int) func(*handler) { return func(h *handler) { h.drops = n } }
	for _, tc := range []struct {
		name     string
		file     []byte
		broken   func(*handler)
		kind     shake.Kind
		schedule string
		why      string
	}{
		{"drops one event in fifty", full, drops(50), shake.Lost, "", "it came when the recording was made"},
		{"dropped one in five when it was recorded", recorded(t, 4, 1, drops(5)), drops(5), shake.Lost,
			"kill the function after its work in the 1st call of broadcast", "answered success"},
		{"doubles on retry", sound, func(h *handler) { h.tries = 1 }, shake.Doubled, "answer 500 to the 1st connections.Send to the 2nd socket", "failed once, without having been killed"},
		{"fails on 410", sound, func(h *handler) { h.fails = true }, shake.Lost,
			"kill the function after its work in the 1st call of connect", "broadcast was called 3 times for it without a fault, and failed 3 times"},
		{"stops on 410", sound, func(h *handler) { h.forget = true }, shake.Lost, "answer 410 to the 1st connections.Send to the 1st socket", "answered success"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			r := run(t, tc.file, house(), shake.Options{Fresh: fresh(tc.broken), Parallel: 2})
			f := r.Failure
			is.True(f != nil)
			is.Equal(f.Kind, tc.kind)
			is.Equal(strings.Join(f.Schedule, ", and "), tc.schedule)
			is.True(strings.Contains(f.Why, tc.why))
			if tc.schedule == "" {
				return
			}
			is.Equal(f.Again, [2]int{3, 3})
			// The recording has the faults: with nothing else it fails again, and passes when the handler is mended.
			cfg, notices := rerun.Config(reader(t, f.Recording).Header().Configuration, nil)
			is.Equal(len(notices), 0)
			is.Equal(len(cfg.Faults), 1)
			again := run(t, f.Recording, cfg, shake.Options{Fresh: fresh(tc.broken), Whole: true}).Failure
			is.True(again != nil)
			is.Equal(again.Kind, f.Kind)
			is.Equal(again.Faults, f.Faults)
		})
	}
}

// Two faults are tried when one does no harm.
func TestPairs(t *testing.T) {
	is := is.New(t)
	r := run(t, recorded(t, 1, 2, right), house(), shake.Options{Fresh: fresh(func(h *handler) { h.tries = 2 }), Pairs: true})
	is.Equal(r.Failure.Kind, shake.Doubled)
	is.Equal(len(r.Failure.Faults), 2)
	is.Equal(r.Lengths[0].Tried, r.Lengths[0].Of)
	is.True(strings.Contains(r.Failure.Schedule[0], "connections.Send"))
	is.True(strings.Contains(r.Failure.Schedule[1], "connections.Send"))
}
