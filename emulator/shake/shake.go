// Package shake looks for the shortest schedule of faults after which a message is lost or doubled beyond what the clouds promise.
//
// It replays a recording in emulators of its own under a clock that it moves: without a fault, to learn who gets what and everything that
// can go wrong; then with one fault at each of these places; then, if asked to, with each two. The fault happens once, as the clouds' own
// do, and the emulator does what the cloud would do then: it tries again, gives up, or calls twice.
//
// # What is promised
//
// A message is an event at a socket that got it in the run without faults.
//
//   - A trigger of Yandex Cloud that broadcasts sends each event once to every socket that is open on its path, and drops what the gateway
//     refuses (docs: api-gateway/concepts/trigger; FIDELITY: "a broadcast is one message to every connection of the path").
//   - A trigger of Yandex Cloud that calls a function tries 1 + retry_attempts times, and then hands over to its dead-letter queue or drops;
//     without retry_settings there is one try (FIDELITY: "Retries").
//   - EventBridge to a queue, and the queue to a function, is at least once: what fails is visible again, and after maxReceiveCount goes to
//     the dead-letter queue (FIDELITY: "Mapping: failure", "SQS: dead letters").
//   - EventBridge to a function is an asynchronous invocation: at least once, up to 2 more tries within 6 hours, then the destination for
//     failures, or the dead-letter queue (FIDELITY: "Asynchronous invoke: retries").
//   - A client whose socket has gone, or was not let in, is owed nothing; nor is one of which the function was told that it is gone (410).
//
// So a message may be missing only if its socket has gone before all was over, or if every try of the function that owes it was hit by a
// fault of the schedule, and the platform gave it up with a step (dead letter or not, as configured) or is yet to try again. It may come
// twice only if the schedule delivered something twice, or killed the function after its work.
//
// # What a handler must do
//
// It follows that a handler passes which posts every event to every connection that wants it before it answers success; repeats a request
// that was answered 429 or 5xx, or not at all, as SDKs do (three times), in place of failing: for when it fails all comes again to those
// that have had it; takes 410 for an answer, forgets that connection, and goes on with the others; and keeps nothing in its process on
// which the next call depends. Doubled events after it was killed are not its fault.
package shake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// Source is a recording to be read once.
type Source interface {
	Header() recording.Header
	Lines() iter.Seq2[recording.Line, error]
}

// Options say what to try. The zero value tries single faults for a minute.
type Options struct {
	// Seed orders what is equally telling; 0: as it comes.
	Seed uint64
	// Budget is how long to search, by the machine's clock; 0: a minute. To confirm and shorten what was found it takes at most half as
	// long again.
	Budget time.Duration
	// Pairs goes on with each two faults when no single one does.
	Pairs bool
	// Parallel is how many emulators run at once; 0: as many as there are processors.
	Parallel int
	// Linger is how long the house's clock runs on after the recording, so that retries have their turns; 0: an hour.
	Linger time.Duration
	// Limit bounds one run, by the machine's clock; 0: 20 seconds. A run that takes longer is told of in the report.
	Limit time.Duration
	// Fresh makes the functions of one run, in the place of Config.Functions, and what is to be done with its emulator before anything
	// happens in it, which may be nil. Functions that call their emulator need it: each run has one of its own, and several run at once.
	Fresh func() (functions map[string]emulator.Function, started func(*emulator.Emulator) error, err error)
	// Header and Secrets give sockets what was scrubbed, as rerun.Options does.
	Header  map[string][]string
	Secrets map[string]string
	// Instead says that the configuration takes the place of the recording's, as rerun.Options has it.
	Instead bool
	// Whole leaves the recording of the failure as long as it is.
	Whole bool
	// Progress hears how far the search is.
	Progress func(Progress)
}

// Progress is how far a search is.
type Progress struct {
	Faults       int // in a schedule
	Tried, Total int // schedules of so many
}

// Report is what a search came to.
type Report struct {
	// Failure is what was found; nil: nothing.
	Failure *Failure `json:"failure,omitempty"`
	// Messages is how many are owed to sockets: events times sockets that got them without faults.
	Messages int `json:"messages"`
	Events   int `json:"events"`
	Sockets  int `json:"sockets"`
	// Lengths tells for schedules of one fault, and of two, how many were tried of how many.
	Lengths []Length `json:"lengths"`
	// GivenUp are messages that were given up as configured, which is allowed: how many schedules do that, and an example.
	GivenUp *GivenUp `json:"given_up,omitempty"`
	// Unfinished are runs that cannot be judged, at most 20.
	Unfinished []Unfinished `json:"unfinished,omitempty"`
	// Notes are what a person should know of the search.
	Notes    []string      `json:"notes,omitempty"`
	Seed     uint64        `json:"seed"`
	Runs     int           `json:"runs"`
	Duration time.Duration `json:"duration"` // nanoseconds
}

// Length is about schedules of so many faults.
type Length struct {
	Faults int `json:"faults"`
	Tried  int `json:"tried"`
	Of     int `json:"of"`
}

// GivenUp is about messages that the platform may give up.
type GivenUp struct {
	Schedules int      `json:"schedules"`
	Schedule  []string `json:"schedule"` // of the first
	Event     string   `json:"event"`
	Step      string   `json:"step"`
}

// Unfinished is a run that cannot be judged.
type Unfinished struct {
	Schedule []string `json:"schedule"`
	Why      string   `json:"why"`
}

// Failure is a message that was lost or doubled.
type Failure struct {
	Kind Kind `json:"kind"`
	// Schedule is what goes wrong, and Faults the same for the emulator; empty: nothing, and still.
	Schedule []string         `json:"schedule"`
	Faults   []emulator.Fault `json:"faults"`
	// Event is its id, and What says what it tells of.
	Event string `json:"event"`
	What  string `json:"what"`
	// Socket says which, by its turn on its path and by its URL.
	Socket string `json:"socket"`
	// Function owes the message; empty: a broadcast.
	Function string `json:"function,omitempty"`
	Want     int    `json:"want"`
	Got      int    `json:"got"`
	// Also is how many other messages are lost or doubled by the same schedule.
	Also int `json:"also,omitempty"`
	// Steps are what the platform did with the event.
	Steps []events.Step `json:"steps"`
	// Promise is what is promised, and Why says why nothing excuses this.
	Promise string `json:"promise"`
	Why     string `json:"why"`
	// Again is how often the schedule failed, and of how many runs.
	Again [2]int `json:"again"`
	// Events is how many the recording has that replays this.
	Events int `json:"events"`
	// Recording replays it: its configuration has the faults.
	Recording []byte `json:"-"`
}

var (
	errSlow = errors.New("the run takes too long")
	errOver = errors.New("the budget is used up")
)

// mostLines bounds the recording, which is held in memory to be replayed again and again.
const mostLines = 200_000

// Run searches. What of cfg concerns a recording's run (Start, Frozen, Record) is overridden; Data must be empty. Faults in cfg are the
// first schedule that is tried. The error is of the recording, of cfg, or of ctx.
func Run(ctx context.Context, run Source, cfg emulator.Config, o Options) (Report, error) {
	if o.Budget <= 0 {
		o.Budget = time.Minute
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Linger <= 0 {
		o.Linger = time.Hour
	}
	if o.Limit <= 0 {
		o.Limit = 20 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if cfg.Data != "" {
		return Report{}, errors.New("shake: every run begins with nothing: there can be no data folder")
	}
	cfg.InMemory, cfg.Record, cfg.Addr, cfg.Listener = true, nil, "", nil
	began := time.Now()
	s := &search{cfg: cfg, options: o}
	s.report.Seed = o.Seed
	err := s.run(ctx, run)
	s.report.Runs = int(s.runs.Load())
	s.report.Duration = time.Since(began)
	if err != nil {
		return s.report, fmt.Errorf("shake: %w", err)
	}
	return s.report, nil
}

// load reads the recording.
func load(run Source) (*source, int, error) {
	src := &source{header: run.Header()}
	skipped := 0
	for line, err := range run.Lines() {
		var bad *recording.LineError
		var torn *recording.TornError
		switch {
		case errors.As(err, &bad), errors.As(err, &torn):
			skipped++
			continue
		case err != nil:
			return nil, 0, err
		case len(src.lines) == mostLines:
			return nil, 0, fmt.Errorf("the recording has more than %d lines, which is too much to be replayed again and again: "+
				"take a part of it with `regcast journal export --from --to`", mostLines)
		}
		if line.Step != nil && line.Step.What == events.StepClosing {
			break // what its end brought is not judged
		}
		src.lines = append(src.lines, line)
	}
	return src, skipped, nil
}
