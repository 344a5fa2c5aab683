package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/recording"
)

// beatEvery is how often the answer says that a replay still runs, so that a client that is gone is noticed.
const beatEvery = time.Second

// tellEvery is how often a replay tells how far it is, by the machine's clock.
const tellEvery = 100 * time.Millisecond

// ReplayNews is a line of the answer to POST /_regcast/replay: progress while it runs, then a summary or an error, or both.
type ReplayNews struct {
	Replay   string          `json:"replay,omitempty"` // id of the replay, for POST /_regcast/replay/{id}/pause, first of all
	Progress *ReplayProgress `json:"progress,omitempty"`
	Summary  *ReplaySummary  `json:"summary,omitempty"`
	Error    string          `json:"error,omitempty"`
	Skipped  string          `json:"skipped,omitempty"` // a line that cannot be read, and why
	Stopped  bool            `json:"stopped,omitempty"` // beside the summary: somebody has stopped it
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
	ctx, cancel := context.WithCancelCause(r.Context())
	news := replayNews{to: json.NewEncoder(w), flush: out.Flush, eager: o.Eager, gone: func() { cancel(errGone) }}
	body := endingBody{Reader: r.Body}
	stop := func(why error) {
		cancel(why)
		if !body.ended.Load() {
			_ = out.SetReadDeadline(time.Now()) // what is not sent yet is not waited for
		}
	}
	defer context.AfterFunc(e.streams, func() { stop(errStopping) })() // a replay must not hold up the end of the house
	id := e.replays.add(runningReplay{control: o.Control, stop: func() { stop(errStopped) }})
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		news.beat(ctx)
	}()
	defer func() {
		e.replays.remove(id)
		cancel(nil)
		<-beating
	}()
	news.tell(ReplayNews{Replay: id})
	o.Progress = news.progress
	run, err := recording.NewReader(&body)
	if err != nil {
		news.tell(ReplayNews{Error: err.Error()})
		return
	}
	lines := func(yield func(recording.Line, error) bool) {
		for line, err := range run.Records() {
			if bad := (*recording.LineError)(nil); errors.As(err, &bad) {
				news.tell(ReplayNews{Skipped: err.Error()})
				continue
			}
			if torn := (*recording.TornError)(nil); errors.As(err, &torn) {
				news.tell(ReplayNews{Skipped: err.Error()})
				return
			}
			if !yield(line, err) {
				return
			}
		}
	}
	summary, err := e.Replay(ctx, lines, o)
	last := ReplayNews{Summary: &summary, Stopped: errors.Is(context.Cause(ctx), errStopped)}
	switch {
	case errors.Is(context.Cause(ctx), errStopping):
		last.Error = errStopping.Error()
	case err != nil && !last.Stopped:
		last.Error = err.Error()
	}
	news.tell(last)
}

// endingBody tells whether all of it was read.
type endingBody struct {
	io.Reader
	ended atomic.Bool
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		b.ended.Store(true)
	}
	return n, err
}

// errStopping ends a replay with the house.
var errStopping = errors.New("replay: the emulator was stopped")

// errGone ends a replay whose client does not listen any more.
var errGone = errors.New("the client is gone")

// replayNews are the lines of an answer.
type replayNews struct {
	flush func() error
	eager bool // tell of every record
	gone  func()

	mu    sync.Mutex
	to    *json.Encoder
	last  *ReplayProgress
	told  time.Time
	fresh bool // last is not told yet
}

func (n *replayNews) tell(one ReplayNews) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.write(one)
}

func (n *replayNews) write(one ReplayNews) {
	n.told, n.fresh = time.Now(), false
	if err := errors.Join(n.to.Encode(one), n.flush()); err != nil {
		n.gone()
	}
}

func (n *replayNews) progress(p ReplayProgress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last, n.fresh = &p, true
	if n.eager || time.Since(n.told) >= tellEvery {
		n.write(ReplayNews{Progress: n.last})
	}
}

// beat tells again and again, so that it shows when nobody listens, until ctx ends.
func (n *replayNews) beat(ctx context.Context) {
	every := time.NewTicker(tellEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			n.mu.Lock()
			if n.fresh || time.Since(n.told) >= beatEvery {
				p := ReplayProgress{}
				if n.last != nil {
					p = *n.last
				}
				n.write(ReplayNews{Progress: &p})
			}
			n.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

func replayOptions(r *http.Request) (o ReplayOptions, err error) {
	o.Control = &ReplayControl{}
	q := r.URL.Query()
	paused := false
	for name := range q {
		switch name {
		case "speed", "virtual", "again", "eager", "paused", "time":
		default:
			return o, fmt.Errorf("%s: no such parameter; there are speed, virtual, again, eager, paused and time", name)
		}
	}
	switch s := q.Get("speed"); s {
	case "", "max":
	default:
		if o.Speed, err = ParseSpeed(s); err != nil {
			return o, fmt.Errorf("speed: %w", err)
		}
	}
	for name, into := range map[string]*bool{"virtual": &o.Virtual, "again": &o.Again, "eager": &o.Eager, "paused": &paused} {
		if s := q.Get(name); s != "" {
			if *into, err = strconv.ParseBool(s); err != nil {
				return o, fmt.Errorf("%s: got %q, want true or false", name, s)
			}
		}
	}
	if paused {
		o.Control.Pause()
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
