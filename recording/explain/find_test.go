package explain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/explain"
)

func TestFindLast(t *testing.T) {
	is := is.New(t)
	later := push()
	later.Events = later.Events[:1]
	later.Events[0].ID = "crplater"
	lines := tape{
		record(push()), step(t, 0, events.StepMatched, "", "", fired), record(later),
		step(t, time.Second, events.StepUnmatched, "", "", nearOne, "crplater"),
		record(events.Record{}), // a change that no event tells of
		step(t, 2*time.Second, events.StepDelivered, "deploy", "to x", `{"action":0}`), // of the one before
	}
	run, err := explain.Find(lines, explain.Last)
	is.NoErr(err)
	is.Equal(run.Event.ID, "crplater")
	is.Equal(run.Event.Change.Repository, "team/app")
	is.Equal(len(run.Steps), 1)
	is.Equal(run.Now, start.Add(2*time.Second))

	_, err = explain.Find(tape{}, explain.Last)
	is.True(errors.Is(err, explain.ErrNoEvent))
	is.Equal(err.Error(), "no such event: there is none at all")
}

func TestAnEventThatCameAgainIsExplainedAnew(t *testing.T) {
	is := is.New(t)
	run, err := explain.Find(tape{
		record(push()), step(t, 0, events.StepMatched, "", "", fired),
		record(push()), step(t, 0, events.StepUnmatched, "", "", nearOne),
	}, "crptagged")
	is.NoErr(err)
	is.Equal(explain.Explain(run).Answer, `deploy did not fire: tag: want "v2", got "v1"`)
}

func TestNearestIDs(t *testing.T) {
	for id, want := range map[string]string{
		"crptaged":                  "no such event: crptaged; did you mean crptagged?",
		"crpt":                      "no such event: crpt; did you mean crptagged?",
		"CRPTAGGED":                 "no such event: CRPTAGGED; did you mean crptagged?",
		"tagged":                    "no such event: tagged; did you mean crptagged?",
		"crptagged,":                "no such event: crptagged,; did you mean crptagged?",
		"something else altogether": "no such event: something else altogether; the recording is from ",
	} {
		t.Run(id, func(t *testing.T) {
			is := is.New(t)
			_, err := explain.Find(tape{record(push())}, id)
			is.True(errors.Is(err, explain.ErrNoEvent))
			is.True(strings.HasPrefix(err.Error(), want))
		})
	}
	is := is.New(t)
	n := explain.Nearest{ID: "abcd"}
	for _, id := range []string{"xxxd", "abcx", "abxx", "abcdef", "abcx", "zzzz", "abcd5"} {
		n.Add(id)
	}
	is.Equal(n.Error("").Error(), "no such event: abcd; did you mean abcdef or abcd5 or abcx?")
}

// Frames that a function sent are of an event that the function was given.
func TestFramesAndInvocations(t *testing.T) {
	is := is.New(t)
	frame := func(f recording.Frame) recording.Line { return recording.Line{At: start, Frame: &f} }
	in := recording.Invocation{
		ID: "i1", Function: "broadcast", Events: []string{"crptagged"}, Input: recording.Payload("large"), Output: recording.Payload("boom"),
		Error: "Unhandled", Log: []string{"1", "2", "3", "4", "5", "6"}, DurationMS: 12,
	}
	x := find(t,
		step(t, 0, events.StepMatched, "", "", fired),
		frame(recording.Frame{Gateway: "d5d1", Path: "/ws", Sent: 3, Data: recording.Payload("abc"), Events: []string{"crptagged"}}),
		frame(recording.Frame{Gateway: "d5d1", Path: "/ws", Sent: 3, Events: []string{"other"}}),
		frame(recording.Frame{Gateway: "api", Path: "prod", Connection: "c1", Sent: 1, During: []string{"i1"}}),
		frame(recording.Frame{Gateway: "api", Path: "prod", Connection: "c2", Error: "gone", During: []string{"i0", "i1"}}),
		frame(recording.Frame{Gateway: "api", Path: "prod", Connection: "c3", Sent: 1, During: []string{"i2"}}),
		frame(recording.Frame{Gateway: "api", Path: "prod", Connection: "c4", In: true}),
		recording.Line{At: start, Invocation: &in},
	)
	is.Equal(x.Frames, []explain.Frame{
		{Gateway: "d5d1", Path: "/ws", Sent: 3, Bytes: 3},
		{Gateway: "api", Path: "prod", Connection: "c1", Sent: 1},
		{Gateway: "api", Path: "prod", Connection: "c2", Error: "gone", Of: 2},
	})
	is.Equal(len(x.Invocations), 1)
	is.Equal(x.Invocations[0].Log, []string{"2", "3", "4", "5", "6"})
	is.Equal(x.Invocations[0].Output, "boom")
	var b strings.Builder
	is.NoErr(x.Text(&b))
	for _, want := range []string{
		"the function broadcast failed: Unhandled; deploy fired, and its target has not taken it yet\n\n",
		"function broadcast, 12 ms: Unhandled\n  boom\n  | 2\n",
		"frame of 3 bytes to 3 connections of d5d1/ws\n",
		"frame to the connection c2 of api/prod: not taken: gone\n",
		"frames to 1 connection, each by itself\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// However many frames others send, memory is bounded.
func TestFramesOfOthersAreForgotten(t *testing.T) {
	is := is.New(t)
	g := explain.Gatherer{ID: "crptagged"}
	g.Add(record(push()))
	for i := range 20_000 {
		g.Add(recording.Line{Frame: &recording.Frame{Connection: fmt.Sprint("c", i), During: []string{"i1"}}})
	}
	g.Add(recording.Line{Invocation: &recording.Invocation{ID: "i1", Events: []string{"crptagged"}}})
	run, ok := g.Run()
	is.True(ok)
	is.True(len(run.Frames) >= 2048 && len(run.Frames) <= 4096)
	is.Equal(run.Frames[len(run.Frames)-1].Connection, "c19999")
}

func TestText(t *testing.T) {
	is := is.New(t)
	run, err := explain.Find(tape{
		record(push()),
		step(t, 0, events.StepMatched, "", "", `{"triggers":["deploy"],"trigger_ids":["a1s1"],"near":[`+
			`{"trigger":"rule","field":"$or","doc":"page","either":[{"field":"a","want":"1","got":"2","hint":"nearly","doc":"a page"},{"field":"b","got":"3"}]},`+
			`{"trigger":"broken","hint":"its filter panicked"}]}`),
		step(t, 0, events.StepWaiting, "deploy", "1 of 3", `{"trigger_id":"a1s1","waiting":1,"of":3,"due":"2026-01-01T12:00:10Z"}`),
	}, "crptagged")
	is.NoErr(err)
	run.Verdicts = []explain.Verdict{
		{ID: "a1s1", Name: "deploy", About: "create-image-tag → the sockets"}, {Name: "rule", Miss: &events.Miss{}}, {Name: "broken", Miss: &events.Miss{}},
	}
	run.Record.At = time.Date(2026, 1, 1, 12, 0, 0, 0, time.Local)
	var b strings.Builder
	is.NoErr(explain.Explain(run).Text(&b))
	want := `deploy fired, and the event waits in a batch, 1 of 3, for at most 10.0 s

crptagged  create-image-tag  crp1/team/app:v1@sha256:00
entry 7, 2026-01-01 12:00:00.000, from registry

deploy  fired
  wants      create-image-tag → the sockets
  batch      1 of 3 so far, goes in 10.0 s at the latest

rule  did not fire
  but        no alternative of $or matches:
             a: want 1, got 2
  hint       nearly
  see        a page
             b: got 3
  see        page

broken  did not fire
  but        its filter panicked
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What JSON carries, the command line prints: an Explanation is the same on the other side.
func TestAnExplanationSurvivesJSON(t *testing.T) {
	is := is.New(t)
	x := find(t, step(t, 0, events.StepMatched, "", "", fired),
		step(t, 0, events.StepBatched, "deploy", "2 of 2, full", `{"trigger_id":"a1s1","n":2,"of":2,"why":"full","waited_ms":1500}`),
		step(t, 0, events.StepLost, "deploy", "nobody", `{"trigger_id":"a1s1","action":0,"connections":0}`))
	data, err := json.Marshal(x)
	is.NoErr(err)
	var back explain.Explanation
	is.NoErr(json.Unmarshal(data, &back))
	var one, two strings.Builder
	is.NoErr(x.Text(&one))
	is.NoErr(back.Text(&two))
	is.Equal(one.String(), two.String())
	is.Equal(*back.Triggers[0].Deliveries[0].Connections, 0)
}

// Whatever steps say, they are explained.
func FuzzExplain(f *testing.F) {
	f.Add("matched", "deploy", fired)
	f.Add("unmatched", "", nearOne)
	f.Add("retry", "deploy", `{"attempt":2,"due":"x","action":"y","near":7,"miss":{"either":[{}]}}`)
	f.Add("lost", "deploy", `{"action":-5,"connections":null}`)
	f.Fuzz(func(t *testing.T, what, who, data string) {
		var d map[string]any
		if json.Unmarshal([]byte(data), &d) != nil {
			return
		}
		s := events.Step{Events: []string{"crptagged"}, Room: "trigger", What: what, Who: who, Text: data, Data: d}
		run, err := explain.Find(tape{record(push()), {Step: &s}, {Step: &s}}, "crptagged")
		if err != nil {
			t.Fatal(err)
		}
		x := explain.Explain(run)
		var b strings.Builder
		if x.Text(&b) != nil || x.Brief(&b) != nil || x.Answer == "" {
			t.Fatalf("%+v", x)
		}
	})
}
