package yandex_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

const roomsSpec = `openapi: 3.0.0
paths:
  /rooms/{room}:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
  /rooms/lobby:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
`

// word is one change in the cloud's words.
func word(t *testing.T, w words.Wording, c events.Change) events.Event {
	t.Helper()
	e, ok := w.Word(0, c)
	if !ok {
		t.Fatalf("nothing is said of %+v", c)
	}
	return e
}

func attached(registry, repository, tag string) events.Change {
	return events.Change{Kind: events.TagAttached, Registry: registry, Repository: repository, Tag: tag, Digest: "sha256:00",
		At: time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)}
}

// triggers reads a file and compiles what stands there, as the TriggerService does.
func (h *house) triggers(file string, data []byte) ([]trigger.Trigger, error) {
	h.t.Helper()
	declared, err := h.cloud.ReadTriggers(file, data)
	var out []trigger.Trigger
	for _, t := range declared {
		compiled, err := h.cloud.Compile(t)
		is.New(h.t).NoErr(err)
		out = append(out, compiled)
		h.warns = append(h.warns, h.cloud.Warnings(t)...)
	}
	return out, err
}

// compile reads one trigger for the house's gateway.
func (h *house) compile(text string) trigger.Trigger {
	h.t.Helper()
	ts, err := h.triggers("t.yaml", []byte(text))
	is.New(h.t).NoErr(err)
	return ts[0]
}

func TestFiltersSayWhyTheyRefuse(t *testing.T) {
	h := build(t, roomsSpec)
	noTag := edit(t, v1YAML, "    tag: \"22.04\"\n", "")
	noName := edit(t, v1YAML, "    image_name: ubuntu\n", "")
	created := attached("crpmine", "ubuntu", "22.04")
	created.Kind = events.ImageCreated
	for _, tc := range []struct {
		name, text string
		wording    words.Wording
		change     events.Change
		want       string // empty: accepted
	}{
		{"both hold", v1YAML, words.Wording{}, attached("crpmine", "ubuntu", "22.04"), ""},
		{"name with registry", edit(t, noTag, "ubuntu", "crpmine/ubuntu"), words.Wording{}, attached("crpmine", "ubuntu", "x"), ""},
		{"name with slashes", edit(t, noTag, "ubuntu", "team/app"), words.Wording{}, attached("crpmine", "team/app", "x"), ""},
		{"other name", noTag, words.Wording{}, attached("crpmine", "debian", "x"), `image_name: want "ubuntu", got "debian"`},
		{"case", edit(t, noTag, "ubuntu", "Ubuntu"), words.Wording{}, attached("crpmine", "ubuntu", "x"),
			`image_name: want "Ubuntu", got "ubuntu" (differs only by upper and lower case)`},
		{"other registry in the name", edit(t, noTag, "ubuntu", "crpother/ubuntu"), words.Wording{}, attached("crpmine", "ubuntu", "x"),
			`image_name: want "crpother/ubuntu", got "ubuntu" (the filter has the registry id crpother, the image is in crpmine)`},
		{"a longer name", edit(t, noTag, "ubuntu", "team/app"), words.Wording{}, attached("crpmine", "app", "x"),
			`image_name: want "team/app", got "app" (a name is compared whole, and the filter's is longer)`},
		{"a beginning", noTag, words.Wording{}, attached("crpmine", "ubuntu-slim", "x"),
			`image_name: want "ubuntu", got "ubuntu-slim" (a name is compared whole, a beginning is not enough)`},
		{"an end", edit(t, noTag, "ubuntu", "app"), words.Wording{}, attached("crpmine", "team/app", "x"),
			`image_name: want "app", got "team/app" (a name is compared whole, an end is not enough)`},
		{"a star", edit(t, noTag, "ubuntu", "team/*"), words.Wording{}, attached("crpmine", "team/app", "x"),
			`image_name: want "team/*", got "team/app" (there are no patterns: a name is compared whole, and * is only a *)`},
		{"a tag in the name", edit(t, noTag, "ubuntu", "'ubuntu:22.04'"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "ubuntu:22.04", got "ubuntu" (a name has no tag and no digest; the filter tag is a field of its own)`},
		{"a digest in the name", edit(t, noTag, "ubuntu", "'crpmine/ubuntu@sha256:00'"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "crpmine/ubuntu@sha256:00", got "ubuntu" (a name has no tag and no digest; the filter tag is a field of its own)`},
		{"the registry's host", edit(t, noTag, "ubuntu", "cr.yandex/crpmine/ubuntu"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "cr.yandex/crpmine/ubuntu", got "ubuntu" (a name is written without the registry's host: ubuntu or crpmine/ubuntu)`},
		{"blanks", edit(t, noTag, "ubuntu", "'ubuntu '"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "ubuntu ", got "ubuntu" (the filter has blanks around the name)`},
		{"a slash", edit(t, noTag, "ubuntu", "/ubuntu"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "/ubuntu", got "ubuntu" (the name neither begins nor ends with /)`},
		{"the registry alone", edit(t, noTag, "ubuntu", "crpmine/"), words.Wording{}, attached("crpmine", "ubuntu", "22.04"),
			`image_name: want "crpmine/", got "ubuntu" (a name is compared whole, a beginning is not enough)`},
		{"tag with its image", edit(t, noName, `"22.04"`, "'ubuntu:lts'"), words.Wording{}, attached("crpmine", "ubuntu", "lts"),
			`tag: want "ubuntu:lts", got "lts" (a tag is written without the image's name)`},
		{"a star in a tag", edit(t, noName, `"22.04"`, "'v*'"), words.Wording{}, attached("crpmine", "ubuntu", "v1"),
			`tag: want "v*", got "v1" (there are no patterns: a tag is compared whole, and * is only a *)`},
		{"a tag's beginning", edit(t, noName, `"22.04"`, "v1"), words.Wording{}, attached("crpmine", "ubuntu", "v1.2"),
			`tag: want "v1", got "v1.2" (a tag is compared whole, a beginning is not enough)`},
		{"blanks around a tag", edit(t, noName, `"22.04"`, "'v1 '"), words.Wording{}, attached("crpmine", "ubuntu", "v1"),
			`tag: want "v1 ", got "v1" (the filter has blanks around the tag)`},
		{"other tag", noName, words.Wording{}, attached("crpmine", "ubuntu", "24.04"), `tag: want "22.04", got "24.04"`},
		{"tag by case", edit(t, noName, `"22.04"`, "LTS"), words.Wording{}, attached("crpmine", "ubuntu", "lts"),
			`tag: want "LTS", got "lts" (differs only by upper and lower case)`},
		{"no tag", noName, words.Wording{}, created, `tag: want "22.04", got none (a create-image event carries no tag)`},
		{"create-image with its tag", noName, words.Wording{TagOnCreateImage: true}, created, ""},
		{"create-image with another tag", edit(t, noName, "22.04", "1"), words.Wording{TagOnCreateImage: true}, created, `tag: want "1", got "22.04"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			miss := h.compile(edit(t, tc.text, "id: a1smine\n", "id: "+"a1s"+strings.ReplaceAll(tc.name, " ", "")+"\n")).
				Match.Accept(word(t, tc.wording, tc.change))
			if tc.want == "" {
				is.True(miss == nil)
				return
			}
			is.Equal(miss.String(), tc.want)
			is.True(strings.HasPrefix(miss.Doc, "docs/FIDELITY.md#")) // the cloud does not say
		})
	}
}

func TestCompiledTrigger(t *testing.T) {
	is := is.New(t)
	h := build(t, roomsSpec)
	got := h.compile(edit(t, edit(t, v1YAML, "    image_name: ubuntu\n    tag: \"22.04\"\n", ""), "ACTIVE", "PAUSED"))
	is.Equal([]string{got.ID, got.Name, got.Match.Source, got.Match.Registry}, []string{"a1smine", "my-trigger", words.Source, "crpmine"})
	is.Equal(got.Match.Types, []string{words.CreateImage, words.CreateImageTag})
	is.True(got.Match.Accept == nil) // no filter, nothing to look at
	is.Equal(got.Window, trigger.Window{Count: 3, Cutoff: 20 * time.Second})
	is.True(got.Paused)
}

func TestTriggersThatPointNowhere(t *testing.T) {
	v2 := edit(t, v2YAML, "/rooms/{room}", "/rooms/1")
	for _, tc := range []struct{ name, text, want string }{
		{"gateway", edit(t, v1YAML, "d5dmine", "d5dother"),
			`t.yaml:19: rule.container_registry.gateway_websocket_broadcast.gateway_id: got "d5dother", which is no gateway here; want one of d5dmine, d5dregcastgateway000`},
		{"a URL's path for a path key", v2,
			`t.yaml:21: action[0].gateway_websocket_broadcast.path: got "/rooms/1", which is no path key of the gateway d5dmine; want one of /rooms/lobby, /rooms/{room}`},
		{"jq", edit(t, v2YAML, "status: ACTIVE", "    filter: {jq: '.details.tag =='}"),
			`t.yaml:23: action[0].filter.jq: got ".details.tag ==", want a jq program: jq: line 1, column 16: unexpected EOF`},
		{"the id of another", v1YAML + "---\n" + v2YAML, `t.yaml:24: id: got "a1smine", which t.yaml:1 has; want an id of its own`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := build(t, roomsSpec)
			_, err := h.triggers("t.yaml", []byte(tc.text))
			var fe *yandex.FileError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Problems, []string{tc.want})
			_, err = h.triggers("good.yaml", []byte(v1YAML))
			is.NoErr(err) // a file that was refused leaves nothing behind
		})
	}
}

// deliver packs events as the engine does and hands the batches to an action's target.
func deliver(t *testing.T, a trigger.Action, batches ...[]events.Event) []trigger.Outcome {
	t.Helper()
	var ds []trigger.Delivery
	for _, es := range batches {
		payload, err := a.Pack(es)
		is.New(t).NoErr(err)
		ds = append(ds, trigger.Delivery{Events: es, Payload: payload})
	}
	return a.Target.Deliver(t.Context(), ds)
}

func TestBroadcastReachesAllConnectionsOfThePathKey(t *testing.T) {
	is := is.New(t)
	h := build(t, roomsSpec)
	action := h.compile(v1YAML).Actions[0]
	e := word(t, words.Wording{}, attached("crpmine", "ubuntu", "22.04"))

	lost := deliver(t, action, []events.Event{e})
	is.Equal(lost, []trigger.Outcome{{Lost: true, Text: "nobody is connected to d5dmine/rooms/{room}",
		Data: map[string]any{"connections": 0, "gateway_id": mine, "path": "/rooms/{room}"}}})

	one := h.open("/rooms/1")
	is.Equal(deliver(t, action, []events.Event{e})[0].Text, "to 1 connection of d5dmine/rooms/{room}")
	two := h.open("/rooms/2")
	lobby := h.open("/rooms/lobby") // another path key
	two.SetReadLimit(1 << 20)
	one.SetReadLimit(1 << 20)

	// A batch over the limit of a socket is lost and takes no other with it.
	big := e
	big.Body = json.RawMessage(`"` + strings.Repeat("x", yandex.MaxMessage-len(`{"messages":[""]}`)) + `"`)
	tooBig := e
	tooBig.Body = json.RawMessage(`"` + strings.Repeat("x", yandex.MaxMessage-len(`{"messages":[""]}`)+1) + `"`)
	out := deliver(t, action, []events.Event{tooBig}, []events.Event{e, e}, []events.Event{big})
	is.Equal(out[0], trigger.Outcome{Lost: true, Text: "message of 131073 bytes is over 131072",
		Data: map[string]any{"bytes": 131073, "gateway_id": mine, "path": "/rooms/{room}"}})
	is.Equal(out[1], trigger.Outcome{Text: "to 2 connections of d5dmine/rooms/{room}",
		Data: map[string]any{"connections": 2, "gateway_id": mine, "path": "/rooms/{room}"}})
	is.Equal(out[2].Lost, false) // exactly the limit

	is.Equal(h.frame(one), `{"messages":[`+string(e.Body)+`]}`) // a text frame
	for _, c := range []*websocket.Conn{one, two} {
		is.Equal(h.frame(c), `{"messages":[`+string(e.Body)+`,`+string(e.Body)+`]}`)
		is.Equal(len(h.frame(c)), yandex.MaxMessage)
	}
	is.NoErr(lobby.Close(websocket.StatusNormalClosure, "")) // nothing came there

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := action.Target.Deliver(ended, []trigger.Delivery{{Payload: []byte("{}")}})
	is.True(broken[0].Lost == strings.HasPrefix(broken[0].Text, "broken off")) // either sent or said to be broken off
}

func TestFilterAndTransformer(t *testing.T) {
	is := is.New(t)
	h := build(t, roomsSpec)
	action := h.compile(edit(t, v2YAML, "status: ACTIVE", "    filter: {jq: '.details.tag == \"22.04\"'}\n"+
		"    transformer: {jq: '{tags: [.messages[].details.tag]}'}")).Actions[0]
	wanted := word(t, words.Wording{}, attached("crpmine", "ubuntu", "22.04"))
	is.True(action.Keep(wanted) == nil)
	is.Equal(action.Keep(word(t, words.Wording{}, attached("crpmine", "ubuntu", "24.04"))).String(),
		`filter.jq: want .details.tag == "22.04", got false (.details.tag is "24.04")`)
	payload, err := action.Pack([]events.Event{wanted, wanted})
	is.NoErr(err)
	is.Equal(string(payload), `{"tags":["22.04","22.04"]}`)

	failing := h.compile(edit(t, edit(t, v2YAML, "a1smine", "a1sfailing"), "status: ACTIVE",
		"    filter: {jq: '.details | error(\"no\")'}\n    transformer: {jq: '.messages | error(\"no\")'}")).Actions[0]
	is.Equal(failing.Keep(wanted).Got, "an error")
	_, err = failing.Pack([]events.Event{wanted})
	is.True(err != nil && strings.HasPrefix(err.Error(), "transformer.jq: "))
}

func TestWordsOfARecord(t *testing.T) {
	is := is.New(t)
	silent := attached("crpmine", "ubuntu", "")
	silent.Kind, silent.Silent = events.ImageCreated, true
	got := build(t, "").cloud.Word([]events.Change{silent, attached("crpmine", "ubuntu", "22.04")})
	is.Equal(len(got), 1)  // nothing is said of a silent image
	is.Equal(got[0].Of, 1) // and the event still knows its change
	var m words.Message
	is.NoErr(json.Unmarshal(got[0].Body, &m))
	is.Equal([]string{m.EventMetadata.CloudID, m.EventMetadata.FolderID}, []string{yandex.CloudID, yandex.FolderID})
}

func TestDefaultTrigger(t *testing.T) {
	is := is.New(t)
	h := build(t, "")
	ts, err := h.triggers("default-trigger.yaml", h.cloud.DefaultTrigger())
	is.NoErr(err)
	is.Equal(len(ts), 1)
	got := ts[0]
	is.Equal([]string{got.ID, got.Name, got.Match.Registry}, []string{yandex.TriggerID, yandex.TriggerName, yandex.RegistryID})
	types := words.Types()
	slices.Sort(types)
	slices.Sort(got.Match.Types)
	is.Equal(got.Match.Types, types) // all four
	is.Equal(got.Window, trigger.Window{Count: 1, Cutoff: time.Second})
	c, _ := h.dial(yandex.GatewayID, yandex.DefaultPath, nil)
	e := word(t, words.Wording{}, attached(yandex.RegistryID, "ubuntu", "22.04"))
	is.Equal(deliver(t, got.Actions[0], []events.Event{e})[0].Text, "to 1 connection of d5dregcastgateway000/ws")
	is.Equal(h.frame(c), `{"messages":[`+string(e.Body)+`]}`) // the first frame is the event
	is.Equal(len(h.warns), 0)
	for _, id := range []string{yandex.CloudID, yandex.FolderID, yandex.RegistryID, yandex.GatewayID, yandex.ServiceAccountID, yandex.TriggerID} {
		is.Equal(len(id), 20) // as the cloud's ids
	}
}

func TestADefaultGatewayOfOnesOwn(t *testing.T) {
	is := is.New(t)
	room := gateway.New(gateway.Options{})
	defer func() { is.NoErr(room.Close(context.Background())) }()
	var warns []string
	cloud := yandex.New(yandex.Options{Gateway: room, Warn: func(s string) { warns = append(warns, s) }})
	is.NoErr(cloud.SetGateway(yandex.GatewayDefinition{ID: yandex.GatewayID, File: "mine.yaml", Spec: []byte(roomsSpec)}))
	is.Equal(cloud.Gateways(), []yandex.GatewayInfo{{ID: yandex.GatewayID, Sockets: []string{"/rooms/lobby", "/rooms/{room}"}}})
	warns = nil
	is.True(cloud.DefaultTrigger() == nil)
	is.Equal(warns, []string{"the gateway d5dregcastgateway000 has no path /ws: there is no default trigger"})
}
