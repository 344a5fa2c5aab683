package emulator_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

func request(t *testing.T, em *emulatortest.Emulator, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, em.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := em.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestPostEvents(t *testing.T) {
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	sum := "sha256:" + strings.Repeat("a", 64)
	for _, tc := range []struct {
		name, body string
		want       []string
	}{
		{"push with tag", `{"kind":"push","repository":"app","tag":"v1"}`, []string{"create-image", "create-image-tag"}},
		{"push by digest", `{"kind":"push","repository":"app","digest":"` + sum + `"}`, []string{"create-image"}},
		{"tag", `{"kind":"tag","repository":"team/app","tag":"v1"}`, []string{"create-image-tag"}},
		{"untag", `{"kind":"untag","repository":"app","tag":"v1","at":"2026-01-02T03:04:05Z"}`, []string{"delete-image-tag"}},
		{"delete", `{"kind":"delete","repository":"app"}`, []string{"delete-image"}},
		{"delete with its tag", `{"kind":"delete","repository":"app","tag":"v1"}`, []string{"delete-image-tag", "delete-image"}},
		{"a list", `[{"kind":"tag","repository":"a","tag":"1"},{"kind":"untag","repository":"a","tag":"1"}]`,
			[]string{"create-image-tag", "delete-image-tag"}},
		{"an empty list", `[]`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			status, text := request(t, em, "POST", "/_regcast/events", tc.body)
			is.Equal(status, http.StatusAccepted)
			var answer struct {
				EventIDs []string `json:"event_ids"`
			}
			is.NoErr(json.Unmarshal([]byte(text), &answer))
			is.Equal(len(answer.EventIDs), len(tc.want))
			for i, m := range ws.Expect(tc.want...) {
				is.Equal(m.EventMetadata.EventID, answer.EventIDs[i])
			}
		})
	}
}

func TestWrongRequestsSayWhatIsWrong(t *testing.T) {
	em := emulatortest.Start(t, emulator.Config{})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/_regcast/events", ``, 400, "empty; want"},
		{"POST", "/_regcast/events", `{`, 400, "unexpected EOF"},
		{"POST", "/_regcast/events", `{"kind":"push","repository":"a"} {}`, 400, "send a list"},
		{"POST", "/_regcast/events", `{"kind":"push","repo":"a"}`, 400, `unknown field "repo"`},
		{"POST", "/_regcast/events", `{"kind":"pushed","repository":"a"}`, 400, `kind: got "pushed", want push, tag, untag or delete`},
		{"POST", "/_regcast/events", `{"kind":"tag","repository":"a"}`, 400, "tag: empty; kind tag needs one"},
		{"POST", "/_regcast/events", `{"kind":"tag","repository":"A","tag":"1"}`, 400, `repository: got "A"`},
		{"POST", "/_regcast/events", `{"kind":"tag","repository":"a","tag":"-"}`, 400, `tag: got "-"`},
		{"POST", "/_regcast/events", `{"kind":"push","repository":"a","digest":"sha256:1"}`, 400, `digest: got "sha256:1"`},
		{"POST", "/_regcast/events", `{"kind":"push","repository":"a","registry_id":"a/b"}`, 400, `registry_id: got "a/b"`},
		{"POST", "/_regcast/events", `{"kind":"push","repository":"a","at":"noon"}`, 400, "body: "},
		{"POST", "/_regcast/events", `[{"kind":"push","repository":"a"},{"kind":"x","repository":"a"}]`, 400, "element 1: kind"},
		{"GET", "/_regcast/events/crp1", ``, 404, "no such event"},
		{"GET", "/_regcast/journal?from=0", ``, 400, `from: got "0", want a position from 1`},
		{"GET", "/_regcast/journal?follow=maybe", ``, 400, `follow: got "maybe", want true or false`},
		{"GET", "/_regcast/nothing", ``, 404, "no such call"},
		{"GET", "/_regcast", ``, 404, "no such call"},
		{"GET", "/_regcast/events", ``, 405, "the method is POST"},
		{"DELETE", "/_regcast/health", ``, 405, "the method is GET"},
		{"GET", "/gw/d5dnobody000000000000/ws", ``, 404, "d5dregcastgateway000"},
		{"GET", "/nothing", ``, 404, ""},
	} {
		t.Run(tc.method+" "+tc.path+" "+tc.body, func(t *testing.T) {
			is := is.New(t)
			status, text := request(t, em, tc.method, tc.path, tc.body)
			is.Equal(status, tc.status)
			var answer struct{ Error, Message string }
			is.NoErr(json.Unmarshal([]byte(text), &answer)) // JSON, for people and programs
			is.True(strings.Contains(answer.Error+answer.Message, tc.want))
		})
	}
	// And nothing of a wrong list was published.
	is := is.New(t)
	_, text := request(t, em, "GET", "/_regcast/journal", "")
	is.Equal(text, "")
}

// Over HTTP/2 as over HTTP/1.1: gRPC clients will share the port, and headers of HTTP/1.1 would break their streams.
func TestHTTP2WithoutTLS(t *testing.T) {
	em := emulatortest.Start(t, emulator.Config{})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for path, want := range map[string]int{"/_regcast/health": 200, "/v2/": 200, "/ws": 426, "/nothing": 404} {
		t.Run(path, func(t *testing.T) {
			is := is.New(t)
			res, err := (&http.Client{Transport: transport}).Get(em.URL() + path)
			is.NoErr(err)
			defer res.Body.Close()
			is.Equal(res.ProtoMajor, 2)
			is.Equal(res.StatusCode, want)
		})
	}
}

func TestJournalFollowsFromThePast(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	em.Push("app:v1")
	em.Flush()
	res, err := em.Client().Get(em.URL() + "/_regcast/journal?follow=true")
	is.NoErr(err)
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	next := func() recording.Line {
		data, err := lines.ReadBytes('\n')
		is.NoErr(err)
		var line recording.Line
		is.NoErr(json.Unmarshal(data, &line))
		return line
	}
	is.Equal(next().Record.Changes[1].Tag, "v1") // what was
	em.Push("app:v2")
	for { // what comes, with the steps of both
		if r := next().Record; r != nil {
			is.Equal(r.Changes[1].Tag, "v2")
			return
		}
	}
}

func TestGatewaysByHostAndPath(t *testing.T) {
	is := is.New(t)
	spec := []byte(`
openapi: 3.0.0
info: {title: rooms, version: 1.0.0}
paths:
  /rooms/{room}:
    x-yc-apigateway-websocket-message:
      x-yc-apigateway-integration: {type: dummy, http_code: 200, content: {'*': ""}}
`)
	trigger := trigger(1, "1s")
	trigger.Data = []byte(strings.NewReplacer("d5dregcastgateway000", "d5drooms000000000000", "path: /ws", "path: /rooms/{room}").
		Replace(string(trigger.Data)))
	em := emulatortest.Start(t, emulator.Config{
		Gateways: []emulator.Gateway{{ID: "d5drooms000000000000", File: emulator.File{Name: "rooms.yaml", Data: spec}}},
		Triggers: []emulator.File{trigger},
	})
	byPath := em.Dial("/gw/d5drooms000000000000/rooms/one")
	_, port, _ := strings.Cut(em.Addr(), ":")
	byHost := em.Dial("ws://d5drooms000000000000.apigw.localhost:" + port + "/rooms/two")
	em.Push("app:v1")
	byPath.Expect("create-image", "create-image-tag")
	byHost.Expect("create-image", "create-image-tag") // one template, so one broadcast
	for _, c := range em.Connections() {
		is.Equal(c.GatewayID, "d5drooms000000000000")
		is.Equal(c.Path, "/rooms/{room}")
	}
	is.Equal(len(em.Connections()), 2)
}

func TestWrongConfigurationIsRefusedWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  emulator.Config
		want []string
	}{
		"trigger": {
			emulator.Config{Triggers: []emulator.File{{Name: "t.yaml", Data: []byte("rule:\n  timer: {}\n")}}},
			[]string{"t.yaml:2", "not emulated: timer"},
		},
		"unknown gateway": {
			emulator.Config{Triggers: []emulator.File{{Name: "t.yaml", Data: []byte(strings.ReplaceAll(string(trigger(1, "1s").Data), "d5dregcastgateway000", "d5dother"))}}},
			[]string{"t.yaml:", "d5dother", "d5dregcastgateway000"},
		},
		"gateway": {
			emulator.Config{Gateways: []emulator.Gateway{{File: emulator.File{Name: "g.yaml", Data: []byte("paths: 7\n")}}}},
			[]string{"g.yaml:1"},
		},
		"origin":               {emulator.Config{AllowOrigins: []string{"["}}, []string{`origin "["`}},
		"memory with a folder": {emulator.Config{InMemory: true, Data: t.TempDir()}, []string{"InMemory"}},
		"address":              {emulator.Config{Addr: "nowhere"}, []string{"nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := emulator.New(tc.cfg)
			is.True(err != nil)
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not tell %q: %v", want, err)
				}
			}
		})
	}
}
