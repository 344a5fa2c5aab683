package runner

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What is kept of an invocation's log for Options.Invoked; the rest is counted.
const (
	maxLogLines = 1000
	maxLogBytes = 64 << 10
)

// throttled is what Invocation.Error says of one that the function has no room for.
const throttled = "throttled"

// Invocation is one that is over: see Options.Invoked.
type Invocation struct {
	ID       string // the request id
	Function string // its name
	Events   []string
	Input    []byte
	Output   []byte
	Error    string    // empty: it answered; "Unhandled": the output is the error; "throttled": it was not taken
	Log      []string  // lines, without START, END and REPORT
	LogCut   int       // lines that were left out
	Started  time.Time // by Options.Clock
	// By the machine's clock, whatever the other says.
	Duration time.Duration // until the answer
	Init     time.Duration // of the environment's start; 0: it was warm
}

// invocationLog is the log of one invocation. Its output owns it until the REPORT line.
type invocationLog struct {
	lines []string
	bytes int
	cut   int
}

// add is called for every line; l may be nil.
func (l *invocationLog) add(line []byte) {
	switch {
	case l == nil:
	case len(l.lines) == maxLogLines || l.bytes+len(line) > maxLogBytes:
		l.cut++
	default:
		l.lines = append(l.lines, string(line))
		l.bytes += len(line)
	}
}

// tellInvoked tells of an invocation whose REPORT line is out.
func (r *Runner) tellInvoked(name string, in *invocation) {
	if r.o.Invoked == nil {
		return
	}
	r.o.Invoked(Invocation{
		ID: in.ID, Function: name, Events: in.Events, Input: in.Payload, Output: in.response.Payload, Error: in.response.FunctionError,
		Log: in.log.lines, LogCut: in.log.cut, Started: in.began, Duration: in.took, Init: in.starting,
	})
}

// tellThrottled tells of one that was not taken.
func (r *Runner) tellThrottled(name string, in *invocation, err error) {
	if r.o.Invoked != nil && errors.Is(err, ErrThrottled) {
		r.o.Invoked(Invocation{ID: in.ID, Function: name, Events: in.Events, Input: in.Payload, Error: throttled, Started: r.o.Clock.Now()})
	}
}

// Flight is an invocation that is with its function.
type Flight struct {
	ID, Function string
	TraceID      string // as its process was told it
}

// InFlight returns the invocations that are with their functions, the oldest first.
func (r *Runner) InFlight() []Flight {
	f := &r.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// flights are the invocations that are with their functions, in the order in which they came.
type flights struct {
	mu  sync.Mutex
	all []Flight
}

func (f *flights) add(name string, in *invocation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, Flight{in.ID, name, in.TraceID})
}

func (f *flights) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.all, func(x Flight) bool { return x.ID == id }); i >= 0 {
		f.all = slices.Delete(f.all, i, i+1)
	}
}

// newTrace returns a trace id as Lambda gives one to every invocation.
func newTrace(now time.Time) string {
	return fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", uint32(now.Unix()), random(12), random(8))
}
