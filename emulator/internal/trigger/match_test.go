package trigger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

// on makes a trigger with a match of its own.
func on(id string, m trigger.Match, target trigger.Target) trigger.Trigger {
	t := simple(id, 1, target)
	t.Match = m
	return t
}

func TestMatching(t *testing.T) {
	h := open(t, trigger.Options{})
	sinks := map[string]*sink{}
	for id, m := range map[string]trigger.Match{
		"exact":           {Source: "cloud", Registry: "r1", Types: []string{"push"}},
		"two types":       {Source: "cloud", Registry: "r1", Types: []string{"push", "drop", "push"}},
		"other registry":  {Source: "cloud", Registry: "r2", Types: []string{"push"}},
		"other source":    {Source: "sky", Registry: "r1", Types: []string{"push"}},
		"other type":      {Source: "cloud", Registry: "r1", Types: []string{"drop"}},
		"any registry":    {Source: "cloud", Types: []string{"push"}},
		"any source":      {Registry: "r1", Types: []string{"push"}},
		"anything pushed": {Types: []string{"push"}},
		"says yes":        {Source: "cloud", Registry: "r1", Types: []string{"push"}, Accept: func(events.Event) *events.Miss { return nil }},
		"says no":         {Source: "cloud", Registry: "r1", Types: []string{"push"}, Accept: func(events.Event) *events.Miss { return &events.Miss{Hint: "no"} }},
		"panics":          {Source: "cloud", Registry: "r1", Types: []string{"push"}, Accept: func(events.Event) *events.Miss { panic("oh") }},
	} {
		sinks[id] = &sink{}
		h.set(on(id, m, sinks[id]))
	}
	bare := event("bare", "push", "")
	bare.Source = ""
	h.emit(push("1"), event("2", "push", "r2"), event("3", "drop", "r1"), bare)
	h.quiet()
	for id, want := range map[string]string{
		"exact": "1", "two types": "1 3", "other registry": "2", "other source": "", "other type": "3",
		"any registry": "1 2", "any source": "1", "anything pushed": "1 2 bare", "says yes": "1", "says no": "", "panics": "",
	} {
		if got := strings.Join(sinks[id].payloads(), " "); got != want {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
}

func TestMatchStepTellsWhoSaidNoAndWhy(t *testing.T) {
	h := open(t, trigger.Options{})
	var s sink
	named := simple("t1", 1, &s)
	named.Name = "deploy"
	h.set(named)
	h.set(on("t2", trigger.Match{Source: "cloud", Registry: "r1", Types: []string{"drop", "tag"}}, &s))
	h.set(on("t3", trigger.Match{Source: "cloud", Registry: "r1", Types: []string{"push"},
		Accept: func(e events.Event) *events.Miss {
			return &events.Miss{Field: "tag", Want: "v1", Got: e.ID, Doc: "page"}
		}}, &s))
	paused := simple("t4", 1, &s)
	paused.Paused = true
	h.set(paused)
	h.set(on("far", trigger.Match{Source: "cloud", Registry: "r2", Types: []string{"push"}}, &s))

	h.emit(push("1"))
	h.quiet()
	h.emit(event("2", "none", "r1"))
	h.emit(event("3", "push", "r3"))
	h.emit() // a record without events
	h.quiet()
	h.is.Equal(h.said(), []string{
		"matched||wanted by deploy",
		"lost|t4|the trigger is paused: what comes meanwhile is lost",
		"delivered|deploy|delivered",
		"unmatched||no trigger wants it; deploy: type: want push, got none; t2: type: want drop, tag, got none; " +
			"t3: type: want push, got none; 1 more",
		"unmatched||no trigger on registry r3, 5 on others",
	})
	h.is.Equal(h.steps[0].Data["triggers"], []string{"deploy"})
	h.is.Equal(h.steps[0].Data["trigger_ids"], []string{"t1"})
	near, err := json.Marshal(h.steps[0].Data["near"])
	h.is.NoErr(err)
	h.is.Equal(string(near), `[{"trigger":"t3","trigger_id":"t3","why":"tag: want v1, got 1","field":"tag","want":"v1","got":"1","doc":"page"},`+
		`{"trigger":"t4","trigger_id":"t4","why":"paused: resume it; events that come meanwhile are lost for good","field":"paused",`+
		`"hint":"resume it; events that come meanwhile are lost for good"},`+
		`{"trigger":"t2","trigger_id":"t2","why":"type: want drop, tag, got push","field":"type","want":"drop, tag","got":"push"}]`)
	h.is.Equal(h.isDone(), []uint64{1, 2, 3, 4})
}

func TestNearMissesAreBounded(t *testing.T) {
	h := open(t, trigger.Options{})
	for i := range 50 {
		h.set(on(fmt.Sprint("a", i), trigger.Match{Registry: "r1", Types: []string{"drop"}}, &sink{}))
		h.set(on(fmt.Sprint("b", i), trigger.Match{Registry: "r1", Types: []string{"push"},
			Accept: func(events.Event) *events.Miss { return &events.Miss{Hint: "no"} }}, &sink{}))
	}
	h.emit(push("1"))
	h.quiet()
	h.is.True(strings.HasSuffix(h.steps[0].Text, "; 17 more"))
}

// The cost of an event is in the triggers of its own registry and type: nobody else is even asked.
func TestOthersAreNotAsked(t *testing.T) {
	h := open(t, trigger.Options{})
	asked := 0
	accept := func(events.Event) *events.Miss {
		asked++
		return nil
	}
	for i := range 1000 {
		h.set(on(fmt.Sprint("registry", i), trigger.Match{Source: "cloud", Registry: fmt.Sprint("x", i), Types: []string{"push"}, Accept: accept}, &sink{}))
		h.set(on(fmt.Sprint("type", i), trigger.Match{Source: "cloud", Registry: "r1", Types: []string{fmt.Sprint("x", i)}, Accept: accept}, &sink{}))
	}
	h.set(on("mine", trigger.Match{Source: "cloud", Registry: "r1", Types: []string{"push"}, Accept: accept}, &sink{}))
	h.emit(pushes(1)...)
	h.quiet()
	h.is.Equal(asked, 1)
}

func TestSetRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*trigger.Trigger){
		"ID":            func(t *trigger.Trigger) { t.ID = "" },
		"Match.Types":   func(t *trigger.Trigger) { t.Match.Types = nil },
		"Window.Count":  func(t *trigger.Trigger) { t.Window.Count = 0 },
		"Window.Bytes":  func(t *trigger.Trigger) { t.Window.Bytes = -1 },
		"Window.Cutoff": func(t *trigger.Trigger) { t.Window.Cutoff = 0 },
		"no Actions":    func(t *trigger.Trigger) { t.Actions = nil },
		"Actions[0]":    func(t *trigger.Trigger) { t.Actions[0].Pack = nil },
	} {
		t.Run(want, func(t *testing.T) {
			is := is.New(t)
			tr := simple("t", 1, &sink{})
			spoil(&tr)
			e := trigger.New(trigger.Options{})
			err := e.Set(tr)
			is.True(err != nil && strings.Contains(err.Error(), want))
			is.Equal(len(e.Triggers()), 0)
		})
	}
}
