package report

import (
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// story is what the second reading gathers: figures of everything, and what is shown in detail.
type story struct {
	o      Options
	header recording.Header
	surveyed
	read    int
	ended   bool
	broken  error   // why the lines ended early
	bad     []error // lines that could not be used: the first few
	badSeen int
	unknown int // lines of kinds that this version does not know

	figures  figures
	timeline *timeline
	events   map[string]*event
	order    []*event
	notes    shelf[*step] // losses, errors, faults: what is told on top
	clock    shelf[clockMove]
	runs     shelf[*invocation]
	frames   frames
	sockets  sockets
	triggers tally[triggerRow]
	programs tally[functionRow]
}

type figures struct {
	records, events, unmatched, batches, batched, deliveries, lost, failed, faults int
	invocations, cold, frames, sent, received                                      int
}

type event struct {
	events.Event
	number int
	at     time.Time
	seq    uint64
	origin string
	body   payload
	known  bool // its record was read
	again  int  // how often it was published once more

	steps                []*step
	left                 int // steps that are not shown
	runs                 []*invocation
	frames               []*frame
	lost, failed, faults int
	matched, delivered   bool
	unmatched            bool
}

type step struct {
	events.Step
	kind kind
	took time.Duration
	due  time.Time
}

type invocation struct {
	recording.Invocation
	number        int
	at            time.Time
	input, output payload
}

type clockMove struct {
	recording.Clock
	at time.Time
}
