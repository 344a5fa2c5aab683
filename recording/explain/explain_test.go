package explain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/explain"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// push is the record of an image with a tag, as a registry of Yandex Cloud tells of it.
func push() events.Record {
	change := events.Change{Registry: "crp1", Repository: "team/app", Tag: "v1", Digest: "sha256:00"}
	created, tagged := change, change
	created.Kind, tagged.Kind = events.ImageCreated, events.TagAttached
	return events.Record{
		Origin: events.OriginRegistry, At: start, Changes: []events.Change{created, tagged},
		Events: []events.Event{
			{ID: "crpcreated", Source: "yandex", Type: "create-image", Of: 0, Change: created},
			{ID: "crptagged", Source: "yandex", Type: "create-image-tag", Of: 1, Change: tagged},
		},
	}
}

// tape is a recording in memory.
type tape []recording.Line

func (tape) Header() recording.Header { return recording.Header{} }

func (t tape) Lines() iter.Seq2[recording.Line, error] {
	return func(yield func(recording.Line, error) bool) {
		for _, l := range t {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// record and step are lines a second apart.
func record(r events.Record) recording.Line { return recording.Line{Seq: 7, At: start, Record: &r} }

func step(t testing.TB, after time.Duration, what, who, text, data string, ids ...string) recording.Line {
	t.Helper()
	s := events.Step{At: start.Add(after), Events: ids, Room: "trigger", What: what, Who: who, Text: text}
	if ids == nil {
		s.Events = []string{"crptagged"}
	}
	if data != "" {
		if err := json.Unmarshal([]byte(data), &s.Data); err != nil {
			t.Fatal(err)
		}
	}
	return recording.Line{At: s.At, Step: &s}
}

// find explains the tagged event of a tape.
func find(t testing.TB, lines ...recording.Line) explain.Explanation {
	t.Helper()
	run, err := explain.Find(append(tape{record(push())}, lines...), "crptagged")
	if err != nil {
		t.Fatal(err)
	}
	return explain.Explain(run)
}

const (
	fired   = `{"triggers":["deploy"],"trigger_ids":["a1s1"]}`
	nearOne = `{"near":[{"trigger":"deploy","trigger_id":"a1s1","why":"tag: want \"v2\", got \"v1\"","field":"tag","want":"\"v2\"","got":"\"v1\"","doc":"page"}]}`
)

func TestAnswers(t *testing.T) {
	s := func(after time.Duration, what, text, data string, ids ...string) recording.Line {
		return step(t, after, what, "deploy", text, data, ids...)
	}
	matched := step(t, 0, events.StepMatched, "", "wanted by deploy", fired)
	q := func(room, what, who, text, data string) recording.Line { // behind the trigger
		line := step(t, 0, what, who, text, data)
		line.Step.Room = room
		return line
	}
	call := func(failure string) recording.Line {
		return recording.Line{At: start, Invocation: &recording.Invocation{ID: "1", Function: "f", Events: []string{"crptagged"}, Error: failure}}
	}
	fault := q("fault", events.StepFault, "f1", "a call: crash", `{"step":"invoke","action":"crash"}`)
	again := s(0, "retry", "attempt 2 of 3", `{"trigger_id":"a1s1","attempt":2,"of":3,"due":"2026-01-01T12:00:00Z"}`)
	queued := s(0, events.StepDelivered, "to the queue q", `{"trigger_id":"a1s1","action":0,"target":"arn:aws:sqs:r:1:q"}`)
	failed := q("queue", events.StepWaiting, "f", "1 message failed: boom; visible again in 30s", `{"queue":"q","why":"boom","due":"2026-01-01T12:00:30Z"}`)
	for name, tc := range map[string]struct {
		lines []recording.Line
		want  string
	}{
		"nobody has read it": {nil, "no trigger has read it yet"},
		"no trigger there":   {[]recording.Line{step(t, 0, events.StepUnmatched, "", "no trigger on registry crp1, 0 on others", "")}, "there is no trigger that could want it"},
		"one said no":        {[]recording.Line{step(t, 0, events.StepUnmatched, "", "x", nearOne)}, `deploy did not fire: tag: want "v2", got "v1"`},
		"an older recording": {[]recording.Line{step(t, 0, events.StepUnmatched, "", "x", `{"near":[{"trigger":"deploy","why":"because"}]}`)}, `deploy did not fire: because`},
		"its target has it":  {[]recording.Line{matched}, "deploy fired, and its target has not taken it yet"},
		"it waits":           {[]recording.Line{matched, s(0, events.StepWaiting, "1 of 3", `{"trigger_id":"a1s1","waiting":1,"of":3,"due":"2026-01-01T12:00:10Z"}`), s(4*time.Second, events.StepClosed, "", "", "other")}, "deploy fired, and the event waits in a batch, 1 of 3, for at most 6.0 s"},
		"it is due":          {[]recording.Line{matched, s(0, events.StepWaiting, "1 of 3", `{"trigger_id":"a1s1","waiting":1,"of":3,"due":"2026-01-01T12:00:10Z"}`), s(11*time.Second, events.StepClosed, "", "", "other")}, "deploy fired, and the event waits in a batch, 1 of 3, which is due"},
		"its batch went":     {[]recording.Line{matched, s(0, events.StepBatched, "2 of 3, its time is over", `{"trigger_id":"a1s1","n":2,"of":3,"why":"cutoff","waited_ms":10000}`)}, "deploy fired, and its batch has gone to the target (2 of 3, its time is over)"},
		"delivered":          {[]recording.Line{matched, s(0, events.StepDelivered, "to 2 connections of d5d1/ws", `{"trigger_id":"a1s1","action":0,"connections":2}`)}, "deploy fired: delivered to 2 connections of d5d1/ws"},
		"lost":               {[]recording.Line{matched, s(0, events.StepLost, "nobody is connected to d5d1/ws", `{"trigger_id":"a1s1","action":0,"connections":0}`)}, "deploy fired, and its delivery is lost: nobody is connected to d5d1/ws"},
		"a filter":           {[]recording.Line{matched, s(0, events.StepSkipped, "filter.jq: no", `{"trigger_id":"a1s1","action":0}`)}, "deploy fired, and the filter of its action leaves the event out: filter.jq: no"},
		"a filter of one":    {[]recording.Line{matched, s(0, events.StepSkipped, "no", `{"action":0}`), s(0, events.StepDelivered, "to x", `{"action":1}`)}, "deploy fired: delivered to x"},
		"lost by one":        {[]recording.Line{matched, s(0, events.StepDelivered, "to x", `{"action":0}`), s(0, events.StepLost, "too big", `{"action":1}`)}, "deploy fired, and its delivery is lost: too big"},
		"tried again":        {[]recording.Line{matched, s(0, "retry", "attempt 2 of 3 in 10 s because 500", `{"trigger_id":"a1s1","attempt":2,"of":3,"due":"2026-01-01T12:00:10Z"}`)}, "deploy fired, and the event waits for its next attempt, due in 10.0 s: attempt 2 of 3 in 10 s because 500"},
		"paused":             {[]recording.Line{step(t, 0, events.StepUnmatched, "", "x", `{"near":[{"trigger":"deploy","trigger_id":"a1s1","field":"paused","hint":"lost"}]}`), s(0, events.StepLost, "the trigger is paused", `{"trigger_id":"a1s1"}`)}, "deploy did not fire: paused: lost"},
		"lost further on":    {[]recording.Line{matched, s(0, events.StepDelivered, "to the queue q", `{"action":0}`), {Step: &events.Step{Events: []string{"crptagged"}, Room: "queue", What: events.StepLost, Who: "q", Text: "failed 3 times"}}}, "q: failed 3 times; deploy fired: delivered to the queue q"},
		"a function failed":  {[]recording.Line{matched, s(0, events.StepDelivered, "to f", `{"action":0}`), {Invocation: &recording.Invocation{ID: "1", Function: "f", Events: []string{"crptagged"}, Error: "Unhandled"}}}, "the function f failed: Unhandled; deploy fired: delivered to f"},
		"an injected fault":  {[]recording.Line{matched, {Step: &events.Step{Events: []string{"crptagged"}, Room: "fault", What: "fault", Who: "drop-1", Text: "dropped on purpose"}}}, "deploy fired, and its target has not taken it yet; an injected fault, drop-1: dropped on purpose"},
		"swallowed":          {[]recording.Line{q("fault", "fault", "f1", "a record: drop", `{"step":"publish","action":"drop"}`)}, "an injected fault, f1: a record: drop"},
		"made good": {[]recording.Line{matched, fault, again, s(9*time.Second, events.StepDelivered, "to f, attempt 2 of 3", `{"trigger_id":"a1s1","action":0,"attempt":2}`),
			call("Unhandled"), call("")}, "deploy fired: delivered to f, attempt 2 of 3; an injected fault, f1: a call: crash"},
		"not made good yet": {[]recording.Line{matched, fault, again, call("Unhandled")}, "deploy fired, and the event waits for its next attempt, which is due: attempt 2 of 3; an injected fault, f1: a call: crash"},
		"a dead letter": {[]recording.Line{matched, again, s(9*time.Second, events.StepLost, "given up after 2 attempts: 500; dead letter to dlq", `{"trigger_id":"a1s1","action":0,"attempt":2,"dead_letter_queue":"dlq"}`),
			call("Unhandled")}, "deploy fired, and the event was given up, but the dead-letter queue dlq has it: given up after 2 attempts: 500; dead letter to dlq"},
		"through a queue": {[]recording.Line{matched, queued, q("queue", events.StepDelivered, "f", "1 of 1", `{"queue":"q"}`)}, "deploy fired: delivered to the queue q, and f handled it"},
		"in a batch behind a queue": {[]recording.Line{matched, queued, q("queue", events.StepWaiting, "f", "1 of 10, goes in 9 s", `{"queue":"q","waiting":1,"of":10,"due":"2026-01-01T12:00:09Z"}`)},
			"deploy fired, and the event waits in a batch, 1 of 10, for at most 9.0 s; then f gets it"},
		"failed behind a queue": {[]recording.Line{matched, queued, failed}, "deploy fired, and the event waits in the queue q for its next attempt, due in 30.0 s: f failed at attempt 1: boom"},
		"of a recording that does not tell when": {[]recording.Line{matched, queued, q("queue", events.StepWaiting, "f", "1 message failed: boom", `{"queue":"q"}`)},
			"deploy fired, and the event waits in the queue q for its next attempt: f failed at attempt 1: 1 message failed: boom"},
		"made good behind a queue": {[]recording.Line{matched, queued, fault, failed, call("Unhandled"), q("queue", events.StepDelivered, "f", "1 of 1", `{"queue":"q"}`), call("")},
			"deploy fired: delivered to the queue q, and f handled it at attempt 2; before that it failed: boom; an injected fault, f1: a call: crash"},
		"given up behind a queue": {[]recording.Line{matched, queued, failed, q("queue", events.StepLost, "q", "received once in vain: dropped", `{"queue":"q","receives":1}`)},
			"deploy fired, and the event is lost: f: received once in vain: dropped; the last time it failed: boom"},
		"a filter behind a queue": {[]recording.Line{matched, queued, q("queue", events.StepSkipped, "f", "no", `{"queue":"q"}`)}, "deploy fired, and the filter of f leaves the event out: no"},
		"a dead letter that is handled": {[]recording.Line{matched, queued, failed, q("queue", events.StepLost, "q", "moved", `{"queue":"q","receives":1,"dead_letter_queue":"dlq"}`),
			q("queue", events.StepDelivered, "undertaker", "1 of 1", `{"queue":"dlq"}`)},
			"deploy fired, and the event was given up, but the dead-letter queue dlq has it: f: moved; the last time it failed: boom; undertaker handled it"},
		"an asynchronous call": {[]recording.Line{matched, s(0, events.StepDelivered, "to the function f, asynchronously", `{"action":0,"target":"arn:aws:lambda:r:1:function:f"}`),
			q("queue", events.StepWaiting, "f", "x", `{"queue":"async f","why":"boom"}`), q("lambda", events.StepLost, "f", "f failed 2 times", `{"tries":2}`),
			q("lambda", events.StepDelivered, "f", "handed over", `{"target":"arn:aws:sqs:r:1:dlq"}`)},
			"deploy fired, and the event was given up, but the dead-letter queue dlq has it: f: f failed 2 times; the last time it failed: boom"},
		"an asynchronous call that nobody takes over": {[]recording.Line{matched, s(0, events.StepDelivered, "to f", `{"action":0,"target":"f"}`),
			q("lambda", events.StepLost, "f", "f failed 2 times", `{"tries":2}`), q("lambda", events.StepLost, "f", "not handed over to x", "")},
			"deploy fired, and the event is lost: f: f failed 2 times; not handed over to x"},
		"two others":          {[]recording.Line{step(t, 0, events.StepUnmatched, "", "x", `{"near":[{"trigger":"a","why":"x","field":"type"},{"trigger":"b","field":"image_name","want":"1","got":"2","hint":"nearly"},{"trigger":"c","field":"image_name","want":"1","got":"2"}]}`)}, "b did not fire: image_name: want 1, got 2 (nearly); nor did the 2 others"},
		"one other":           {[]recording.Line{step(t, 0, events.StepUnmatched, "", "x", `{"near":[{"trigger":"a","field":"type","got":"x"},{"trigger":"b","field":"tag","got":"y"}]}`)}, "b did not fire: tag: got y; nor did the other one"},
		"lost and lost and …": {[]recording.Line{step(t, 0, events.StepMatched, "", "x", `{"triggers":["a","b","c","d","e"]}`)}, "a fired, and its target has not taken it yet; b fired, and its target has not taken it yet; c fired, and its target has not taken it yet; and 2 more, below"},
	} {
		t.Run(name, func(t *testing.T) { is.New(t).Equal(find(t, tc.lines...).Answer, tc.want) })
	}
}

func TestDeliveries(t *testing.T) {
	is := is.New(t)
	retry := func(after time.Duration, attempt int) recording.Line {
		return step(t, after, "retry", "deploy", fmt.Sprintf("attempt %d of 3 because 500", attempt),
			fmt.Sprintf(`{"trigger_id":"a1s1","attempt":%d,"of":3,"due":"2026-01-01T12:00:%d0Z"}`, attempt, attempt-1), "crptagged", "other")
	}
	lines := []recording.Line{
		step(t, 0, events.StepMatched, "", "", fired),
		step(t, 0, events.StepBatched, "deploy", "2 of 2, full", `{"trigger_id":"a1s1","n":2,"of":2,"why":"full","waited_ms":1500}`, "crptagged", "other"),
		step(t, 0, events.StepDelivered, "deploy", "to the container", `{"trigger_id":"a1s1","action":0,"attempt":1}`),
		retry(time.Second, 2), retry(11*time.Second, 3),
	}
	d := find(t, lines...).Triggers[0].Deliveries
	is.Equal(len(d), 2)
	is.Equal([]any{d[1].Action, d[1].What, d[1].Attempts, d[1].Next.Sub(start), len(d[1].Retries), d[1].Events},
		[]any{-1, explain.Retrying, 2, 20 * time.Second, 2, 2})

	x := find(t, append(lines, step(t, 21*time.Second, events.StepLost, "deploy", "given up after 3 attempts: 500; dead letter to q",
		`{"trigger_id":"a1s1","action":1,"attempt":3,"dead_letter_queue":"q"}`))...)
	d = x.Triggers[0].Deliveries
	is.Equal(len(d), 2)
	is.Equal([]any{d[1].Action, d[1].What, d[1].Attempts, d[1].DeadLetter, len(d[1].Retries), d[1].Next.IsZero()},
		[]any{1, explain.Lost, 3, "q", 2, true})
	b := x.Triggers[0].Batch
	is.Equal([]any{b.Open, b.Why, b.Waited, fmt.Sprint(b.With)}, []any{false, "full", 1500 * time.Millisecond, "[other]"})

	// After a restart a batch is handed on again: what came last counts.
	again := find(t, append(lines[:3:3], step(t, time.Minute, events.StepLost, "deploy", "gone", `{"trigger_id":"a1s1","action":0}`))...)
	is.Equal(len(again.Triggers[0].Deliveries), 1)
	is.Equal(again.Triggers[0].Deliveries[0].Text, "gone")
}

// What the triggers say now is set beside what was said then.
func TestVerdictsOfNow(t *testing.T) {
	no := &events.Miss{Field: "tag", Want: "1", Got: "2"}
	for name, tc := range map[string]struct {
		steps    []recording.Line
		verdicts []explain.Verdict
		want     string // of each trigger: fired, miss, note
	}{
		"the same":            {[]recording.Line{step(t, 0, events.StepMatched, "", "", fired)}, []explain.Verdict{{ID: "a1s1", Name: "deploy"}}, "deploy true <nil> "},
		"by name alone":       {[]recording.Line{step(t, 0, events.StepMatched, "", "", `{"triggers":["deploy"]}`)}, []explain.Verdict{{ID: "a1s1", Name: "deploy"}}, "deploy true <nil> "},
		"it would not now":    {[]recording.Line{step(t, 0, events.StepMatched, "", "", fired)}, []explain.Verdict{{ID: "a1s1", Name: "deploy", Miss: no}}, "deploy true tag: want 1, got 2 it would not fire now"},
		"it would now":        {[]recording.Line{step(t, 0, events.StepUnmatched, "", "", nearOne)}, []explain.Verdict{{ID: "a1s1", Name: "deploy"}}, `deploy false tag: want "v2", got "v1" it wants such an event now: it was changed or resumed since`},
		"made since":          {[]recording.Line{step(t, 0, events.StepUnmatched, "", "", "")}, []explain.Verdict{{ID: "a1s1", Name: "deploy"}}, "deploy false <nil> it wants such an event now: it was made or changed since"},
		"gone since":          {[]recording.Line{step(t, 0, events.StepMatched, "", "", fired)}, []explain.Verdict{}, "deploy true <nil> it is not there any more"},
		"on another registry": {[]recording.Line{step(t, 0, events.StepUnmatched, "", "", "")}, []explain.Verdict{{ID: "a1s1", Name: "deploy", Miss: &events.Miss{Field: events.FieldRegistry, Got: "x"}}}, "deploy false registry_id: got x "},
		"not read yet":        {nil, []explain.Verdict{{ID: "a1s1", Name: "deploy"}}, "deploy false <nil> "},
		"two of one name": {[]recording.Line{step(t, 0, events.StepMatched, "", "", `{"triggers":["deploy"],"trigger_ids":["a1s2"],"near":[{"trigger":"deploy","trigger_id":"a1s1","field":"tag","got":"2"}]}`)},
			[]explain.Verdict{{ID: "a1s1", Name: "deploy", Miss: no}, {ID: "a1s2", Name: "deploy"}}, "deploy true <nil> ; deploy false tag: got 2 "},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			run, err := explain.Find(append(tape{record(push())}, tc.steps...), "crptagged")
			is.NoErr(err)
			run.Verdicts = tc.verdicts
			var got []string
			for _, tr := range explain.Explain(run).Triggers {
				miss := "<nil>"
				if tr.Miss != nil {
					miss = tr.Miss.String()
				}
				got = append(got, fmt.Sprint(tr.Name, " ", tr.Fired, " ", miss, " ", tr.Note))
			}
			is.Equal(strings.Join(got, "; "), tc.want)
		})
	}
	t.Run("what it will say", func(t *testing.T) {
		is := is.New(t)
		run, err := explain.Find(tape{record(push())}, "crptagged")
		is.NoErr(err)
		run.Verdicts = []explain.Verdict{{Name: "deploy", Miss: no}}
		is.Equal(explain.Explain(run).Answer, "no trigger has read it yet; deploy will not want it: tag: want 1, got 2")
		run.Verdicts[0].Miss = nil
		is.Equal(explain.Explain(run).Answer, "no trigger has read it yet; deploy wants it")
	})
}

// The event that somebody meant may be the other one of the push.
func TestAnotherEventOfTheSameRecord(t *testing.T) {
	is := is.New(t)
	explained := func(id string, miss events.Miss) *events.Miss {
		run, err := explain.Find(tape{record(push())}, id)
		is.NoErr(err)
		run.Verdicts, run.Dry = []explain.Verdict{{ID: "a1s1", Name: "deploy", Miss: &miss}}, true
		return explain.Explain(run).Triggers[0].Miss
	}
	of := explained("crpcreated", events.Miss{Field: events.FieldType, Want: "create-image-tag, delete-image-tag", Got: "create-image"})
	is.Equal(of.Hint, "the create-image-tag that came with it is crptagged")
	of = explained("crpcreated", events.Miss{Field: "tag", Want: `"v1"`, Got: "none", Hint: "a create-image event carries no tag"})
	is.Equal(of.Hint, "a create-image event carries no tag; the tag v1 is on the create-image-tag that came with it, crptagged")
	of = explained("crptagged", events.Miss{Field: events.FieldType, Want: "delete-image", Got: "create-image-tag"})
	is.Equal(of.Hint, "")
}

func TestDry(t *testing.T) {
	is := is.New(t)
	r := push()
	skip := &events.Miss{Field: "filter.jq", Want: ".a", Got: "null"}
	x := explain.Explain(explain.Run{Record: r, Event: r.Events[1], Dry: true, Verdicts: []explain.Verdict{
		{Name: "no", Miss: &events.Miss{Field: "tag", Got: "2", Doc: "page"}},
		{Name: "yes", Skips: []*events.Miss{nil, skip}},
		{Name: "silent", Skips: []*events.Miss{skip, skip}},
		{Name: "far", Miss: &events.Miss{Field: events.FieldCloud}},
		{Name: "farther", Miss: &events.Miss{Field: events.FieldCloud}},
	}})
	is.Equal(x.Answer, "yes would fire; silent would fire; the filter of every action leaves it out")
	is.True(x.Fired())
	var b strings.Builder
	is.NoErr(x.Brief(&b))
	is.Equal(b.String(), `crptagged  create-image-tag  crp1/team/app:v1@sha256:00
  yes  yes     action 2: filter.jq: want .a, got null
  yes  silent  the filter of every action leaves it out; action 1: filter.jq: want .a, got null; action 2: filter.jq: want .a, got null
  no   no      tag: got 2
               see page
  no   of another cloud: far, farther
`)
	silent, err := x.Only("silent")
	is.NoErr(err)
	is.True(!silent.Fired())
	_, err = x.Only("none")
	is.True(errors.Is(err, explain.ErrNoTrigger))
	is.Equal(err.Error(), `no such trigger: "none"; there is far, farther, no, silent, yes`)
	no, err := x.Only("no")
	is.NoErr(err)
	is.Equal(no.Answer, "no would not fire: tag: got 2")
}
