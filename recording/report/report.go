// Package report makes one HTML page of a run, or of two compared.
//
// The page is whole in itself: it opens from a disk or from a CI's artefacts, asks for nothing from any network, is readable without
// JavaScript, and forbids by its own policy every script but its own. Everything that comes from the recording is escaped.
package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/regcast/regcast/recording"
)

// Source is a run. Write ranges over Lines twice, first to choose what it shows, then to show it, so that its memory does not grow with
// the run. A recording.SeekReader can be, a recording.Reader cannot.
type Source interface {
	Header() recording.Header
	Lines() iter.Seq2[recording.Line, error]
}

// Options say what the page shows. The zero value is the whole run.
type Options struct {
	// Name is what the run is called on the page: the file's name.
	Name string
	// Note is a sentence on top of the page, of whoever made it: "go test ./... ended with exit code 1".
	Note string
	// Events is how many events are shown in detail: first those that were lost, failed or met a fault, then the latest; and as many
	// invocations, frames, sockets, losses. 0: 2,000.
	Events int
	// From and To are the first moment shown and the first that is not any more, by the house's clock. Zero: open.
	From, To time.Time
	// Only are ids of events: lines that tell of none of them are left out. Empty: all.
	Only []string
}

// Bounds of a page beside Options.Events.
const (
	defaultEvents = 2000
	maxPayload    = 16 << 10 // bytes of one that are shown
	maxPayloads   = 24 << 20 // bytes of all that are shown
	maxSteps      = 100      // of one event
	maxNames      = 500      // of triggers and functions in the tables
	maxLog        = 200      // lines of one invocation
	maxLogLine    = 4 << 10  // bytes
	maxGaps       = 12       // that the timeline draws short
	maxClock      = 200      // moves of the clock
	maxBad        = 20       // lines that cannot be used, that are told of
)

// ErrOnce is returned for a source whose lines can be read only once.
var ErrOnce = errors.New("the source gave other lines when it was read again")

// Write makes the page of a run. An error of the source does not end it: the page shows what came before, and says so.
func Write(w io.Writer, run Source, o Options) error {
	o.Events = cmp.Or(max(o.Events, 0), defaultEvents)
	v := survey(run, o)
	r := gather(run, o, v)
	if r.read != v.read {
		return fmt.Errorf("report: %w: %d, then %d", ErrOnce, v.read, r.read)
	}
	p := newPage(w)
	r.write(p)
	if err := p.flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
