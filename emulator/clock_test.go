package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

// move has the clock of a house do something, over its API, and returns where it stands then.
func move(t *testing.T, em *emulatortest.Emulator, body string) (state emulator.ClockState) {
	t.Helper()
	code, text := request(t, em, http.MethodPost, "/_regcast/clock", body)
	if code != http.StatusOK {
		t.Fatalf("clock: %s: %d %s", body, code, text)
	}
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		t.Fatal(err)
	}
	return state
}

func quiet(t *testing.T, em *emulatortest.Emulator) {
	t.Helper()
	if code, text := request(t, em, http.MethodGet, "/_regcast/quiet?timeout=1m", ""); code != http.StatusOK {
		t.Fatalf("quiet: %d %s", code, text)
	}
}

func TestClockOverTheAPI(t *testing.T) {
	is := is.New(t)
	start := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	em := emulatortest.Start(t, emulator.Config{Start: start, Frozen: true})
	began := em.ClockState().Now
	is.True(began.Sub(start) < time.Minute && !began.Before(start))

	code, text := request(t, em, http.MethodGet, "/_regcast/clock", "")
	is.Equal(code, http.StatusOK)
	var s emulator.ClockState
	is.NoErr(json.Unmarshal([]byte(text), &s))
	is.Equal([]any{s.Now, s.Frozen, s.Speed}, []any{began, true, 1.0})
	is.True(s.Ahead > 365*24*time.Hour)

	is.Equal(move(t, em, `{"advance":"1h30m"}`).Now, began.Add(90*time.Minute))
	is.Equal(move(t, em, `{"to":"2030-01-02T12:00:00+01:00"}`).Now, start.Add(23*time.Hour))
	is.Equal(move(t, em, `{"speed":60}`).Speed, 60.0)
	is.True(!move(t, em, `{"resume":true}`).Frozen)
	is.True(move(t, em, `{"freeze":true}`).Frozen)
	stands := em.ClockState().Now

	for body, want := range map[string]string{
		``:                              "EOF; want one of",
		`[]`:                            "want one of",
		`{}`:                            "got 0 things to do",
		`{"advance":"1m","speed":2}`:    "got 2 things to do",
		`{"advance":"soon"}`:            `advance: got \"soon\", want a duration`,
		`{"advance":"-1m"}`:             `advance: got \"-1m\", want a duration that is not negative`,
		`{"advance":60}`:                "cannot unmarshal number",
		`{"to":"noon"}`:                 `to: got \"noon\", want a time such as`,
		`{"to":"2029-12-31T00:00:00Z"}`: "a clock never goes back",
		`{"freeze":false}`:              "freeze: got false, want true",
		`{"speed":0}`:                   "a speed is from 0.001 to 1000000",
		`{"speed":"60x"}`:               "cannot unmarshal string",
		`{"backwards":true}`:            `unknown field \"backwards\"`,
	} {
		code, text := request(t, em, http.MethodPost, "/_regcast/clock", body)
		if code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: got %d %s, want 400 with %s", body, code, text, want)
		}
	}
	is.Equal(em.ClockState().Now, stands)

	em.Flush()
	var moves []recording.Clock
	for _, l := range history(t, em, "?topic=clock") {
		moves = append(moves, *l.Clock)
	}
	is.Equal(moves, []recording.Clock{
		{What: "advance", By: 90 * time.Minute},
		{What: "advance", By: start.Add(23 * time.Hour).Sub(began.Add(90 * time.Minute))},
		{What: "speed", Speed: 60}, {What: "resume"}, {What: "freeze"},
	})
}

// A clock that is moved by hand can be advanced, and says what it cannot.
func TestManualClockOverTheAPI(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{Clock: clock, Triggers: []emulator.File{trigger(100, "60s")}})
	ws := em.Dial("/ws")
	em.Push("team/app:v1")
	began := clock.Now()
	s := move(t, em, `{"advance":"1m"}`)
	is.Equal(s.Now, began.Add(time.Minute))
	is.True(s.Frozen)
	ws.Expect("create-image", "create-image-tag")
	move(t, em, `{"freeze":true}`)
	for _, body := range []string{`{"resume":true}`, `{"speed":2}`} {
		code, text := request(t, em, http.MethodPost, "/_regcast/clock", body)
		is.Equal(code, http.StatusConflict)
		is.True(strings.Contains(text, "moved by hand alone"))
	}
	is.True(errors.Is(em.Resume(), emulator.ErrClock))
}

// What an advance sets off may set timers, which are honoured in their turn, each at its time.
func TestAdvanceHonoursWhatItSetsOff(t *testing.T) {
	is := is.New(t)
	var at []time.Duration
	var em *emulatortest.Emulator
	var began time.Time
	cfg := emulator.Config{Frozen: true, Triggers: []emulator.File{retrying}}
	cfg.Functions = map[string]emulator.Function{"d4efails000000000000": function(func(context.Context, []byte) ([]byte, error) {
		at = append(at, em.ClockState().Now.Sub(began))
		return nil, errors.New("no")
	})}
	em = emulatortest.Start(t, cfg)
	began = em.ClockState().Now
	em.Push("team/app:v1")
	move(t, em, `{"advance":"1h"}`)
	is.Equal(at, []time.Duration{10 * time.Second, 40 * time.Second, 70 * time.Second})
}

// A function that hangs does not hold the clock for ever: it goes on, and so the function's time limit runs out.
func TestAdvancePastAFunctionThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{
			Frozen: true, Listener: emulatortest.NewNetwork(),
			Functions: map[string]emulator.Function{"hangs": function(func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})},
		})
		began, real := em.ClockState().Now, time.Now()
		failed := make(chan error, 1)
		go func() {
			_, err := em.Invoke(t.Context(), "hangs", nil)
			failed <- err
		}()
		synctest.Wait()
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		is.True(errors.Is(em.Emulator.Flush(limited), context.DeadlineExceeded)) // whoever invoked it, it is in flight
		is.Equal(em.ClockState().Now, began)
		real = real.Add(time.Minute)
		is.NoErr(em.Advance(t.Context(), time.Hour))
		is.True(strings.Contains((<-failed).Error(), "Task timed out after 3.00 seconds"))
		is.Equal(em.ClockState().Now, began.Add(time.Hour))
		is.True(time.Since(real) < 11*time.Second)
		em.Flush()
	})
}

// At speed a minute is over in a second, and nothing is moved by hand.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{Listener: emulatortest.NewNetwork(), Triggers: []emulator.File{trigger(100, "60s")}})
		ws := em.Dial("/ws")
		is.NoErr(em.SetSpeed(60))
		began := time.Now()
		em.Push("team/app:v1")
		ws.Expect("create-image", "create-image-tag")
		is.True(time.Since(began) <= 1100*time.Millisecond)
	})
}

// A frozen house can be closed: what waits for time that does not pass is given up after a while.
func TestCloseFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		em, err := emulator.New(emulator.Config{
			InMemory: true, Frozen: true, Listener: emulatortest.NewNetwork(),
			Functions: map[string]emulator.Function{"hangs": function(func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})},
		})
		is.NoErr(err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = em.Invoke(t.Context(), "hangs", nil) // which says that it timed out, or that all is closed
		}()
		synctest.Wait()
		began := time.Now()
		is.NoErr(em.Close(context.Background()))
		<-ended
		is.True(time.Since(began) < 20*time.Second)
	})
}
