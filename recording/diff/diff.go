// Package diff says what a user would notice between two runs: frames that changed, were lost, came twice, in another order or later,
// sockets that were closed otherwise, functions that fail now, and events that did not fire any more.
//
// Both runs are read once, side by side, and what corresponds is let go at once, so memory does not grow with the files (see Compare).
//
// Values that differ from run to run are matched, not ignored. An event is named by what happened in its registry, a connection by its
// path, its URL and its turn there: such a name is the same in both runs. Any other id (a UUID, a port of this machine, the marker of a
// scrubbed secret, or what stands under a key such as request_id) must map to one value of the other run, and that value back to it, everywhere. Times must be as far
// apart as the runs are, or the lines, or the events that they belong to. Tags, digests and repositories are never taken for such values.
package diff

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/regcast/regcast/recording"
)

// Source is a run: a *recording.Reader, or lines in memory. Lines is called once.
type Source interface {
	Header() recording.Header
	Lines() iter.Seq2[recording.Line, error]
}

// Options are how strict to be. The zero value is usable.
type Options struct {
	// Ignore are paths into frames, and into inputs and outputs of functions, as jq writes them (.a.b[0], .a[].b, ..c, .a.*), of what
	// is not compared, and Volatile of values that are ids, whatever they look like.
	Ignore, Volatile []string
	// Later is how much later than before, in house time and counted from its event, a frame may come; 0: a second. A tenth of the time
	// that it took before is allowed anyhow. Times and durations inside messages may differ as much.
	Later time.Duration
	// Limit is how many differences are listed; 0: 100. The rest is counted.
	Limit int
}

// What Options leave open.
const (
	defaultLater = time.Second
	defaultLimit = 100
)

// Compare says how got differs from want.
//
// What is seen in one run and not yet in the other is kept: up to 262,144 lines, or 64 MiB of what they say; then the oldest counts as
// lost or extra. Ids are remembered for 131,072 others at least. A line that cannot be read becomes a note of the report; the error is a
// wrong path, or what a source ends with.
func Compare(want, got Source, o Options) (Report, error) {
	c, err := newComparison(o)
	if err != nil {
		return Report{}, err
	}
	sides := [2]*side{newSide(c, 0, want.Header()), newSide(c, 1, got.Header())}
	c.sides = sides
	var next [2]func() (recording.Line, error, bool)
	for i, source := range []Source{want, got} {
		pull, stop := iter.Pull2(source.Lines())
		defer stop()
		next[i] = pull
	}
	var ended [2]bool
	for turn := 0; !ended[0] || !ended[1]; {
		// The run that has more to be answered waits for the other.
		switch {
		case ended[0]:
			turn = 1
		case ended[1]:
			turn = 0
		case c.pending[0] != c.pending[1]:
			turn = 0
			if c.pending[0] > c.pending[1] {
				turn = 1
			}
		default:
			turn = 1 - turn
		}
		line, err, ok := next[turn]()
		s := sides[turn]
		switch {
		case !ok:
			ended[turn] = true
			continue
		case err != nil && !s.unreadable(err):
			return Report{}, fmt.Errorf("diff: %s: %w", s, err)
		case err != nil:
			continue
		}
		s.read(line)
		c.bound()
	}
	c.finish()
	return c.report.finished(), nil
}

// unreadable notes what is wrong with a line and says whether the rest can be used.
func (s *side) unreadable(err error) bool {
	var line *recording.LineError
	var torn *recording.TornError
	if !errors.As(err, &line) && !errors.As(err, &torn) {
		return false
	}
	s.line++
	s.c.report.note(Difference{Kind: Unreadable, Where: s.String(), Text: err.Error()})
	return true
}
