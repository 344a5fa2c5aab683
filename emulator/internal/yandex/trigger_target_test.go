package yandex_test

import (
	"context"
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// parse reads a trigger as a client declares it: without a file.
func parse(t *testing.T, text string) yandex.Trigger {
	t.Helper()
	ts, err := yandex.ParseTriggers("", []byte(text))
	is.New(t).NoErr(err)
	return ts[0]
}

func TestAGatewayIsLookedUpAtDelivery(t *testing.T) {
	is := is.New(t)
	h := build(t, "")
	compiled, err := h.cloud.Compile(parse(t, broadcastOf(t)))
	is.NoErr(err) // it is not there yet
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "1"))
	lost := func() string {
		out := deliver(t, compiled.Actions[0], []events.Event{e})[0]
		is.True(out.Lost)
		return out.Text
	}
	is.Equal(lost(), "there is no gateway d5dmine")
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: []byte("openapi: 3.0.0\npaths:\n  /other: {get: {x-yc-apigateway-integration: {type: dummy}}}\n")}))
	is.Equal(lost(), `the gateway d5dmine has no path key "/rooms/{room}"; it has /other`)
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: []byte(roomsSpec)}))
	is.Equal(lost(), "nobody is connected to d5dmine/rooms/{room}")
	c := h.open("/rooms/1")
	is.Equal(deliver(t, compiled.Actions[0], []events.Event{e})[0].Text, "to 1 connection of d5dmine/rooms/{room}")
	is.Equal(h.frame(c), `{"messages":[`+string(e.Body)+`]}`)
	is.NoErr(h.cloud.RemoveGateway(mine))
	is.Equal(lost(), "there is no gateway d5dmine")
}

func TestTargetsThatAreNotThereAreNamedByField(t *testing.T) {
	is := is.New(t)
	h := build(t, "", newFunction().wire)
	is.NoErr(h.cloud.CheckTargets(parse(t, edit(t, broadcastOf(t), "d5dmine", yandex.GatewayID)))) // any path will do
	is.NoErr(h.cloud.CheckTargets(parse(t, callV1)))
	for text, want := range map[string]yandex.Problem{
		broadcastOf(t): {Field: "rule.container_registry.gateway_websocket_broadcast.gateway_id",
			Text: `got "d5dmine", which is no gateway here; want d5dregcastgateway000`},
		edit(t, callV2, "d4emine", "d4egone"): {Field: "action[0].invoke_function.function_id",
			Text: `got "d4egone", which is no function here; want one of d4emine, d4eother`},
		posting(t, callV2): {Field: "action[0].invoke_container.container_id", Text: `got "bbamine", which is no container here; there is none`},
	} {
		var fe *yandex.FileError
		is.True(errors.As(h.cloud.CheckTargets(parse(t, text)), &fe))
		is.Equal(fe.Fields, []yandex.Problem{want})
	}
	_, err := yandex.ParseTriggers("", []byte(edit(t, callV1, "10s", "9s")))
	var fe *yandex.FileError
	is.True(errors.As(err, &fe))
	is.Equal(fe.Fields, []yandex.Problem{{Field: "rule.container_registry.invoke_function.retry_settings.interval",
		Text: `got "9s", want seconds from 10s to 60s, such as "10s"`}})
}

func TestATagCallsItsVersion(t *testing.T) {
	is := is.New(t)
	var asked, called []string
	h := build(t, "", func(o *yandex.Options) {
		o.Functions = func() []string { return []string{its} }
		o.Resolve = func(id, tag string) (string, string, error) {
			asked = append(asked, tag)
			if tag == "gone" {
				return "", "", errors.New("the function " + id + " has no version with the tag gone")
			}
			return id + "@" + tag, "", nil
		}
		o.Invoke = func(_ context.Context, name string, _ runner.Request) (runner.Response, error) {
			called = append(called, name)
			return runner.Response{Payload: []byte("null")}, nil
		}
	})
	text := edit(t, edit(t, callV1, "      retry_settings: {retry_attempts: \"2\", interval: 10s}\n", ""),
		"      dead_letter_queue: {queue_id: '"+queue+"', service_account_id: ajedead}\n", "")
	var texts []string
	for _, tag := range []string{"$latest", "''", "stable", "gone"} {
		tagged := parse(t, edit(t, text, "$latest", tag))
		compiled, err := h.cloud.Compile(tagged)
		is.NoErr(err)
		if tag == "gone" {
			is.Equal(h.cloud.Warnings(tagged), []string{"rule.container_registry.invoke_function.function_tag: the function d4emine has no version with the tag gone"})
		} else {
			is.Equal(len(h.cloud.Warnings(tagged)), 0)
		}
		texts = append(texts, deliver(t, compiled.Actions[0], []events.Event{{ID: "1"}})[0].Text)
	}
	is.Equal(asked, []string{"$latest", "$latest", "stable", "stable", "gone", "gone"}) // for a warning, and for the call
	is.Equal(called, []string{"d4emine@$latest", "d4emine@$latest", "d4emine@stable"})
	is.Equal(texts, []string{"to the function d4emine", "to the function d4emine", "to the function d4emine:stable",
		"given up after 1 attempt: the function d4emine:gone failed: the function d4emine has no version with the tag gone; dropped"})
	is.NoErr(h.cloud.CheckTargets(parse(t, edit(t, text, "$latest", "gone")))) // the version may follow
	_, err := h.cloud.ReadTriggers("t", []byte(edit(t, text, "$latest", "gone")))
	is.Equal(err.Error(), "t:9: rule.container_registry.invoke_function.function_tag: the function d4emine has no version with the tag gone")
}

func TestADeclarationKeepsItsForm(t *testing.T) {
	is := is.New(t)
	text := edit(t, edit(t, edit(t, callV1, "invoke_function:", "invoke_function_with_retry:"), "function_tag: $latest\n", "functionTag: null\n"),
		"name: my-trigger", "name: my-trigger\nlabels: {team-color: blue}\ncreatedAt: 2025-01-02T03:04:05Z")
	text = edit(t, text, "ACTIVE", "PAUSED")
	got := parse(t, text)
	is.Equal(got.Version, 1)
	is.Equal(string(got.Document), `{"created_at":"2025-01-02T03:04:05Z","id":"a1smine","labels":{"team-color":"blue"},"name":"my-trigger",`+
		`"rule":{"container_registry":{"event_type":["CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG"],`+
		`"invoke_function":{"dead_letter_queue":{"queue_id":"`+queue+`","service_account_id":"ajedead"},"function_id":"d4emine",`+
		`"retry_settings":{"interval":"10s","retry_attempts":"2"},"service_account_id":"ajemine"},"registry_id":"crpmine"}}}`)
	is.Equal(parse(t, callV2).Version, 2)
}
