package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/regcast/regcast/recording"
)

// tellEvery is how often a replay tells how far it is, by the machine's clock.
const tellEvery = 100 * time.Millisecond

// ReplayNews is a line of the answer to POST /_regcast/replay: progress while it runs, then a summary or an error, or both.
type ReplayNews struct {
	Progress *ReplayProgress `json:"progress,omitempty"`
	Summary  *ReplaySummary  `json:"summary,omitempty"`
	Error    string          `json:"error,omitempty"`
	Skipped  string          `json:"skipped,omitempty"` // a line that cannot be read, and why
}

// postReplay replays the recording in the body, or lines of one, while it is read. It answers lines of JSON.
func (e *Emulator) postReplay(w http.ResponseWriter, r *http.Request) {
	o, err := replayOptions(r)
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	out := http.NewResponseController(w)
	if err := out.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) { // HTTP/2 has it anyway
		answerError(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	_ = out.Flush() // the client is gone, or it sees that it may begin
	enc := json.NewEncoder(w)
	tell := func(n ReplayNews) {
		_ = enc.Encode(n) // as above
		_ = out.Flush()
	}
	told := time.Now()
	o.Progress = func(p ReplayProgress) {
		if time.Since(told) >= tellEvery {
			tell(ReplayNews{Progress: &p})
			told = time.Now()
		}
	}
	run, err := recording.NewReader(r.Body)
	if err != nil {
		tell(ReplayNews{Error: err.Error()})
		return
	}
	lines := func(yield func(recording.Line, error) bool) {
		for line, err := range run.Records() {
			if bad := (*recording.LineError)(nil); errors.As(err, &bad) {
				tell(ReplayNews{Skipped: err.Error()})
				continue
			}
			if torn := (*recording.TornError)(nil); errors.As(err, &torn) {
				tell(ReplayNews{Skipped: err.Error()})
				return
			}
			if !yield(line, err) {
				return
			}
		}
	}
	summary, err := e.Replay(r.Context(), lines, o)
	news := ReplayNews{Summary: &summary}
	if err != nil {
		news.Error = err.Error()
	}
	tell(news)
}

func replayOptions(r *http.Request) (o ReplayOptions, err error) {
	q := r.URL.Query()
	for name := range q {
		switch name {
		case "speed", "virtual", "again", "eager", "time":
		default:
			return o, fmt.Errorf("%s: no such parameter; there are speed, virtual, again, eager and time", name)
		}
	}
	switch s := q.Get("speed"); s {
	case "", "max":
	default:
		if o.Speed, err = ParseSpeed(s); err != nil {
			return o, fmt.Errorf("speed: %w", err)
		}
	}
	for name, into := range map[string]*bool{"virtual": &o.Virtual, "again": &o.Again, "eager": &o.Eager} {
		if s := q.Get(name); s != "" {
			if *into, err = strconv.ParseBool(s); err != nil {
				return o, fmt.Errorf("%s: got %q, want true or false", name, s)
			}
		}
	}
	switch s := q.Get("time"); s {
	case "", "keep":
	case "now":
		o.Now = true
	default:
		return o, fmt.Errorf("time: got %q, want keep or now", s)
	}
	return o, nil
}

// ParseSpeed reads a speed such as "1x", "10x" or "0.5"; "max" is 0.
func ParseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	number := s
	if n := len(s); n > 1 && s[n-1] == 'x' {
		number = s[:n-1]
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !(x >= 0.001 && x <= 1e6) {
		return 0, fmt.Errorf("got %q, want max or a factor from 0.001 to 1000000 such as 1x, 10x or 0.5x", s)
	}
	return x, nil
}
