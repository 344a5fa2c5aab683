package trigger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

func TestExplain(t *testing.T) {
	h := open(t, trigger.Options{})
	says := func(field, hint string) func(events.Event) *events.Miss {
		return func(events.Event) *events.Miss { return &events.Miss{Field: field, Hint: hint} }
	}
	for _, tr := range []trigger.Trigger{
		on("wants", trigger.Match{Source: "cloud", Registry: "r1", Types: []string{"push"}}, &sink{}),
		on("far", trigger.Match{Source: "sky", Registry: "r2", Types: []string{"drop"}, Doc: "page"}, &sink{}),
		on("elsewhere", trigger.Match{Registry: "r2", Types: []string{"drop"}}, &sink{}),
		on("other type", trigger.Match{Types: []string{"drop", "tag"}, Accept: says("never", "asked")}, &sink{}),
		on("picky", trigger.Match{Types: []string{"push"}, Accept: says("tag", "no")}, &sink{}),
		on("broken", trigger.Match{Types: []string{"push"}, Accept: func(events.Event) *events.Miss { panic("oh") }}, &sink{}),
	} {
		h.set(tr)
	}
	paused := simple("paused", 1, &sink{})
	paused.Paused = true
	h.set(paused)
	filtered := simple("filtered", 2, &sink{})
	filtered.Actions = []trigger.Action{
		{Pack: pack, Target: &sink{}},
		{Pack: pack, Target: &sink{}, Keep: says("filter", "no")},
		{Pack: pack, Target: &sink{}, Keep: func(events.Event) *events.Miss { panic("oh") }},
	}
	h.set(filtered)
	h.emit(push("waits"))
	h.quiet()
	steps := len(h.steps)

	var got []string
	for _, v := range h.Explain(push("1")) {
		line := v.State.Trigger.ID + ": wanted"
		if v.Miss != nil {
			line = v.State.Trigger.ID + ": " + v.Miss.String() + " " + v.Miss.Doc
		}
		for _, skip := range v.Skips {
			if skip != nil {
				line += ", " + skip.String()
			} else {
				line += ", kept"
			}
		}
		got = append(got, strings.TrimSpace(line))
	}
	h.is.Equal(got, []string{
		"wants: wanted, kept",
		`far: cloud: want "sky", got "cloud" (the event is another cloud's) page`,
		`elsewhere: registry_id: want "r2", got "r1" (the trigger is on another registry; what is pushed to HOST/r2/… comes to it)`,
		"other type: type: want drop, tag, got push",
		"picky: tag: no",
		"broken: its filter panicked: oh",
		"paused: paused: resume it; events that come meanwhile are lost for good",
		"filtered: wanted, kept, filter: no, filter: panic: oh",
	})
	h.is.Equal(h.Explain(push("1"))[7].State.Waiting, 1)
	h.quiet()
	h.is.Equal(len(h.steps), steps) // nothing happened
	h.is.Equal(h.Triggers()[0].Matched, uint64(1))

	nowhere := push("2")
	nowhere.Source, nowhere.Change.Registry = "", ""
	h.is.Equal(h.Explain(nowhere)[0].Miss.String(), `cloud: want "cloud", got none (the event is another cloud's)`)
}

// What Explain says is what happens.
func TestExplainAgreesWithTheIndex(t *testing.T) {
	h := open(t, trigger.Options{})
	fields := func(values ...string) []string { return append(values, "") }
	var ids []string
	for _, source := range fields("cloud", "sky") {
		for _, registry := range fields("r1", "r2") {
			id := "t" + source + registry
			ids = append(ids, id)
			h.set(on(id, trigger.Match{Source: source, Registry: registry, Types: []string{"push"}}, &sink{}))
		}
	}
	for _, source := range fields("cloud", "sky", "sea") {
		for _, registry := range fields("r1", "r2", "r3") {
			for _, kind := range []string{"push", "drop"} {
				e := event("e", kind, registry)
				e.Source = source
				before := h.Triggers()
				h.emit(e)
				h.quiet()
				for i, v := range h.Explain(e) {
					h.is.Equal(v.State.Matched-before[i].Matched == 1, v.Miss == nil) // ids[i]
				}
			}
		}
	}
	h.is.Equal(len(ids), 9)
}

func TestBatchesSayWhyTheyLeave(t *testing.T) {
	batches := func(h *house) []string {
		var out []string
		for _, s := range h.steps {
			if s.What == events.StepBatched {
				out = append(out, strings.Join(s.Events, " ")+"|"+s.Who+"|"+s.Text)
			}
		}
		return out
	}
	t.Run("each way", func(t *testing.T) {
		h := open(t, trigger.Options{})
		tr := simple("t", 2, &sink{})
		tr.Window.Bytes = 100
		h.set(tr)
		h.emit(pushes(2)...)
		h.emit(push("3"))
		h.pass(10 * time.Second)
		big := push("4")
		big.Body = []byte(strings.Repeat("x", 200))
		h.emit(push("5"), big, push("6"))
		h.quiet()
		h.set(tr)
		h.emit(push("7"))
		h.quiet()
		h.is.NoErr(h.Remove("t"))
		h.quiet()
		h.is.Equal(batches(h), []string{
			"1 2|t|2 of 2, full", "3|t|1 of 2, its time is over", "5|t|1 of 2, it is as large as it may be",
			"4|t|1 of 2, it is as large as it may be", "6|t|1 of 2, its trigger was changed", "7|t|1 of 2, its trigger was changed",
		})
		for _, s := range h.steps {
			if s.What == events.StepBatched && s.Events[0] == "3" {
				opened := start
				h.is.Equal(s.Data["opened"], opened)
				h.is.Equal(s.Data["waited_ms"], 10_000.0)
				h.is.Equal([]any{s.Data["trigger_id"], s.Data["n"], s.Data["of"]}, []any{"t", 1, 2})
			}
		}
	})
	t.Run("closing", func(t *testing.T) {
		h := open(t, trigger.Options{})
		h.set(simple("t", 2, &sink{}))
		h.emit(push("1"))
		h.pass(4 * time.Second)
		h.is.NoErr(h.Close(t.Context()))
		h.is.Equal(batches(h), []string{"1|t|1 of 2, regcast is stopping"})
		h.is.Equal(h.steps[len(h.steps)-2].Data["waited_ms"], 4000.0)
	})
	t.Run("one by one", func(t *testing.T) {
		is := is.New(t)
		h := open(t, trigger.Options{})
		h.set(simple("t", 1, &sink{}))
		h.emit(pushes(3)...)
		h.quiet()
		is.Equal(len(batches(h)), 0) // each goes alone: the deliveries say all
	})
}
