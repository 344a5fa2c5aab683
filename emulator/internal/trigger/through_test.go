package trigger_test

import (
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

// An event may be lost on its way to a trigger, come twice, or late; its record is done when that is over.
func TestThrough(t *testing.T) {
	late := make(chan func(), 1)
	var got sink
	h := open(t, trigger.Options{Through: func(tr trigger.Trigger, ev events.Event, put func(time.Duration), over func()) {
		switch ev.ID {
		case "lost":
		case "twice":
			put(0)
			put(0)
		case "late":
			late <- func() {
				put(time.Minute)
				over()
			}
			return
		default:
			put(0)
		}
		over()
	}})
	h.set(simple("t", 1, &got))
	for _, id := range []string{"lost", "twice", "late", "last"} {
		h.emit(push(id))
	}
	h.quiet()
	h.is.Equal(got.payloads(), []string{"twice", "twice", "last"})
	h.is.Equal(h.isDone(), []uint64{1, 2, 4}) // after a restart the third comes again
	(<-late)()
	h.awaitDone(3)
	h.is.Equal(got.payloads(), []string{"twice", "twice", "last", "late"})
}
