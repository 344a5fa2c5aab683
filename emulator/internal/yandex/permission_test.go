package yandex_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// refuses lets nobody act, and writes down who asked for what.
func refuses(asked *[]string, strict bool) func(*yandex.Options) {
	return func(o *yandex.Options) {
		o.StrictAuth = strict
		o.Permit = func(account, role, kind, id string) error {
			*asked = append(*asked, strings.Join([]string{account, role, kind, id}, " "))
			return errors.New(account + " lacks " + role)
		}
	}
}

func broadcastOf(t *testing.T) string {
	return edit(t, v1YAML, "    image_name: ubuntu\n    tag: \"22.04\"\n", "")
}

func TestWhatATriggersAccountMayNotIsToldAndDone(t *testing.T) {
	is := is.New(t)
	var asked []string
	f, b := newFunction(), newBox(t)
	h := build(t, roomsSpec, f.wire, b.wire, refuses(&asked, false))
	room := h.open("/rooms/1")
	one, two := events.Event{ID: "1", Body: []byte("1")}, events.Event{ID: "2", Body: []byte("2")}

	out := deliver(t, h.compile(broadcastOf(t)).Actions[0], []events.Event{one}, []events.Event{two})
	is.True(!out[0].Lost && !out[1].Lost)
	is.Equal(h.frame(room), `{"messages":[1]}`)
	for _, id := range []string{"1", "2"} { // under each event's id
		s := h.step(yandex.StepUnpermitted)
		is.Equal([]any{s.Events, s.Room, s.Who}, []any{[]string{id}, "trigger", "my-trigger"})
		is.Equal(s.Text, "ajemine lacks api-gateway.websocketBroadcaster; the cloud would refuse it")
		is.Equal(s.Data, map[string]any{"trigger_id": "a1smine", "service_account_id": "ajemine",
			"role": "api-gateway.websocketBroadcaster", "gateway_id": mine})
	}

	f.answers <- says("null")
	out = deliver(t, h.compile(edit(t, edit(t, callV1, "a1smine", "a1sf"), "      service_account_id: ajemine\n", "")).Actions[0], []events.Event{one})
	is.Equal(out[0].Text, "to the function d4emine")
	b.answers <- 200
	out = deliver(t, h.compile(edit(t, posting(t, callV2), "a1smine", "a1sc")).Actions[0], []events.Event{one})
	is.Equal(out[0].Text, "to the container bbamine/in?a=b")
	is.Equal(asked, []string{
		"ajemine api-gateway.websocketBroadcaster gateway d5dmine", // once for both
		" functions.functionInvoker function d4emine",              // nobody's account
		"ajemine serverless-containers.containerInvoker container bbamine",
	})
}

func TestWhatATriggersAccountMayNotIsToldOnceForAllAttempts(t *testing.T) {
	is := is.New(t)
	var asked []string
	f := newFunction()
	h := build(t, roomsSpec, f.wire, refuses(&asked, false))
	in := h.engine(nil, h.compile(edit(t, callV1, "a1smine", "a1sf")))
	for range 3 {
		f.answers <- failing(`{}`)
	}
	in <- word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	is.Equal(h.step(yandex.StepUnpermitted).Who, "my-trigger")
	for range 2 {
		h.step(yandex.StepRetry)
		h.clock.Advance(10 * time.Second)
	}
	h.step(events.StepLost)
	is.Equal(len(asked), 1)
}

func TestWhatATriggersAccountMayNotIsRefusedWhenRolesAreEnforced(t *testing.T) {
	is := is.New(t)
	var asked []string
	f, l := newFunction(), &letters{sent: make(chan []string, 1)}
	h := build(t, roomsSpec, f.wire, l.wire, refuses(&asked, true))
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))

	out := deliver(t, h.compile(broadcastOf(t)).Actions[0], []events.Event{e}, []events.Event{e})
	is.Equal(len(out), 2)
	is.True(out[0].Lost && out[1].Lost)
	is.Equal(out[1].Text, "403 permission denied: ajemine lacks api-gateway.websocketBroadcaster")

	in := h.engine(nil, h.compile(edit(t, callV1, "a1smine", "a1sf")))
	in <- e
	const why = "403 permission denied: ajemine lacks functions.functionInvoker"
	for range 2 { // as other failures
		is.True(strings.HasSuffix(h.step(yandex.StepRetry).Text, why))
		h.clock.Advance(10 * time.Second)
	}
	is.Equal(h.step(events.StepLost).Text, "given up after 3 attempts: "+why+"; dead letter to "+queue)
	is.Equal((<-l.sent)[0], queue)
	is.Equal(len(f.requests), 0) // it was never called
	is.Equal(slices.Compact(asked[1:]), []string{"ajemine functions.functionInvoker function d4emine"})
}

func TestWhatIsPermittedIsNotTold(t *testing.T) {
	for _, strict := range []bool{false, true} {
		is := is.New(t)
		f := newFunction()
		h := build(t, "", f.wire, func(o *yandex.Options) {
			o.StrictAuth, o.Permit = strict, func(string, string, string, string) error { return nil }
		})
		f.answers <- says("null")
		out := h.compile(callV1).Actions[0].Target.Deliver(t.Context(), []trigger.Delivery{{Events: []events.Event{{ID: "1"}}, Payload: []byte("{}")}})
		is.Equal(out[0].Text, "to the function d4emine")
		is.Equal(len(h.steps), 0)
	}
}
