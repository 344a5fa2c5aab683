package yandex_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const serveSpec = `openapi: 3.0.0
paths:
  /ws:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
  /quiet:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: dummy, content: {'*': ''}}}
  /echo/{room}:
    parameters:
      - {name: room, in: path}
      - {name: X-Yc-Apigateway-Websocket-Connection-Id, in: header}
      - {name: X-Yc-Apigateway-Websocket-Message-Id, in: header}
      - {name: X-Yc-Apigateway-Websocket-Event-Type, in: header}
      - {name: X-Yc-Apigateway-Websocket-Connected-At, in: header}
      - {name: Content-Type, in: header}
      - {name: seat, in: cookie, schema: {default: standing}}
      - {name: from, in: query, schema: {default: nowhere}}
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration:
        type: dummy
        content: {application/json: '{X-Yc-Apigateway-Websocket-Event-Type} {room} {from} {seat} {X-Yc-Apigateway-Websocket-Connected-At}'}
    x-yc-apigateway-websocket-message:
      x-yc-apigateway-integration:
        type: dummy
        content:
          '*': '{X-Yc-Apigateway-Websocket-Event-Type} {room} {from} {seat} {Content-Type} {X-Yc-Apigateway-Websocket-Connection-Id} {X-Yc-Apigateway-Websocket-Message-Id} {unknown}'
  /binary:
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration: {type: dummy, content: {application/octet-stream: 'raw'}}
    x-yc-apigateway-websocket-message:
      x-yc-apigateway-integration: {type: dummy, content: {'*': 'raw'}, http_headers: {Content-Type: image/png}}
  /spoken:
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration: {type: dummy, http_headers: {Sec-WebSocket-Protocol: v2.chat, X-Other: x}}
  /refused:
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration: {type: dummy, http_code: 403, http_headers: {X-Why: closed}, content: {text/plain: 'not today'}}
  /function:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: object_storage, bucket: b, object: o}}
  /half:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: object_storage, bucket: b, object: o}}
    x-yc-apigateway-websocket-disconnect: {x-yc-apigateway-integration: {type: object_storage, bucket: b, object: o}}
  /guarded:
    x-yc-apigateway-websocket-connect:
      security: [{keys: []}]
      x-yc-apigateway-integration: {type: dummy}
  /both:
    get: {x-yc-apigateway-integration: {type: dummy, content: {'*': 'plain'}}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy}}
  /plain:
    get:
      parameters: [{name: who, in: query, schema: {default: world}}]
      x-yc-apigateway-integration:
        type: dummy
        content: {text/plain: 'hello {who}', application/json: '{"hello": "{who}"}', 'application/vnd.x+json; v=1': 'x'}
    post: {x-yc-apigateway-integration: {type: dummy, http_code: 302, http_headers: {Location: /elsewhere}}}
  /any:
    delete: {x-yc-apigateway-integration: {type: dummy, http_code: 204}}
    x-yc-apigateway-any-method: {x-yc-apigateway-integration: {type: dummy, content: {'*': '<html>any</html>'}}}
  /object:
    get: {x-yc-apigateway-integration: {type: object_storage, bucket: b, object: o}}
`

func TestPlainRequests(t *testing.T) {
	h := build(t, serveSpec)
	for _, tc := range []struct {
		name, method, path string
		header             []string
		status             int
		contentType, body  string
	}{
		{"no Accept: the first", "GET", "/plain", nil, 200, "text/plain", "hello world"},
		{"Accept picks", "GET", "/plain?who=you", []string{"Accept", "application/json"}, 200, "application/json", `{"hello": "you"}`},
		{"Accept by quality", "GET", "/plain", []string{"Accept", "text/plain;q=0.5, application/json;q=0.6"}, 200, "application/json", `{"hello": "world"}`},
		{"the more specific first", "GET", "/plain", []string{"Accept", "text/*, application/json"}, 200, "application/json", `{"hello": "world"}`},
		{"a range", "GET", "/plain", []string{"Accept", "application/*"}, 200, "application/json", `{"hello": "world"}`},
		{"anything", "GET", "/plain", []string{"Accept", "*/*"}, 200, "text/plain", "hello world"},
		{"unwanted by q=0", "GET", "/plain", []string{"Accept", "text/plain;q=0"}, 415, "application/json", `{"message":"Media not supported"}`},
		{"no match and no default", "GET", "/plain", []string{"Accept", "image/png"}, 415, "application/json", `{"message":"Media not supported"}`},
		{"no match: the default, its type seen", "GET", "/any", []string{"Accept", "image/png"}, 200, "text/html; charset=utf-8", "<html>any</html>"},
		{"its own method before any method", "DELETE", "/any", nil, 204, "", ""},
		{"HEAD has no body", "HEAD", "/any", nil, 200, "text/html; charset=utf-8", ""},
		{"headers", "POST", "/plain", nil, 302, "", ""},
		{"unknown path", "GET", "/nowhere", nil, 404, "application/json", `{"message":"no path of the gateway d5dmine matches /nowhere"}`},
		{"a trailing slash is left out", "GET", "/plain/", nil, 200, "text/plain", "hello world"},
		{"no such operation", "PUT", "/plain", nil, 405, "application/json", `{"message":"/plain has no operation for PUT"}`},
		{"other integrations", "GET", "/object", nil, 501, "application/json", `{"message":"not emulated: object_storage integration"}`},
		{"plain GET of a socket path", "GET", "/ws", nil, 426, "application/json", `{"message":"/ws is for WebSocket connections"}`},
		{"POST to a socket path", "POST", "/ws", nil, 405, "application/json", `{"message":"/ws has no operation for POST"}`},
		{"plain GET of a path that has both", "GET", "/both", nil, 200, "text/plain; charset=utf-8", "plain"},
		{"an upgrade where no sockets are is a plain request", "GET", "/plain", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 200, "text/plain", "hello world"},
		{"handshake without a key", "GET", "/refused", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13"}, 400,
			"application/json", `{"message":"Sec-WebSocket-Key is not 16 bytes in base64"}`},
		{"handshake of another version", "GET", "/refused", []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "8"}, 426,
			"application/json", `{"message":"Sec-WebSocket-Version is not 13"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			a := h.ask(tc.method, tc.path, tc.header...)
			is.Equal(a.status, tc.status)
			is.Equal(a.header.Get("Content-Type"), tc.contentType)
			is.Equal(a.body, tc.body)
		})
	}
	is := is.New(t)
	is.Equal(h.ask("POST", "/plain").header.Get("Location"), "/elsewhere")
	is.Equal(h.ask("PUT", "/plain").header.Get("Allow"), "GET, POST")
	is.Equal(h.ask("POST", "/ws").header.Get("Allow"), "GET")
	is.Equal(h.ask("GET", "/ws").header.Get("Upgrade"), "websocket")
}

func TestUnknownGateway(t *testing.T) {
	is := is.New(t)
	h := build(t, "")
	a := h.ask("GET", "/ws") // d5dmine has no specification here
	is.Equal(a.status, 404)
	is.Equal(a.body, `{"message":"there is no gateway \"d5dmine\"; there is d5dregcastgateway000"}`)
}

func TestOpening(t *testing.T) {
	h := build(t, serveSpec)
	for _, tc := range []struct {
		name, path string
		want       string // the first frame; empty: there is none
	}{
		{"without a connect operation", "/ws", ""},
		{"with an empty answer", "/quiet", ""},
		{"the answer is the first message", "/echo/r1?from=here", "CONNECT r1 here standing 1741064767000"},
		{"binary, by content type", "/binary", "binary:raw"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			c, a := h.dial(mine, tc.path, nil)
			is.Equal(a.status, http.StatusSwitchingProtocols)
			is.True(regexp.MustCompile(`^d[0-9a-v]{32}$`).MatchString(a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")))
			if tc.want != "" {
				is.Equal(h.frame(c), tc.want)
				return
			}
			// The next thing to come is the answer to a close: nothing came before it.
			is.NoErr(c.Close(websocket.StatusNormalClosure, ""))
		})
	}
}

func TestSubprotocolIsTheIntegrationsChoice(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	offer := func() *websocket.DialOptions {
		return &websocket.DialOptions{Subprotocols: []string{"v1.chat", "v2.chat"}}
	}
	c, a := h.dial(mine, "/spoken", offer())
	is.Equal(c.Subprotocol(), "v2.chat")
	is.Equal(a.header.Get("X-Other"), "") // only that header goes on
	c, _ = h.dial(mine, "/ws", offer())
	is.Equal(c.Subprotocol(), "") // the gateway chooses none
}

func TestRefusedHandshakes(t *testing.T) {
	h := build(t, serveSpec)
	for _, tc := range []struct {
		path   string
		status int
		body   string
	}{
		{"/refused", 403, "not today"},
		{"/function", 501, `{"message":"not emulated: object_storage integration"}`},
		{"/guarded", 501, `{"message":"not emulated: the authorizer keys"}`},
		{"/nowhere", 404, `{"message":"no path of the gateway d5dmine matches /nowhere"}`},
	} {
		t.Run(tc.path, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			c, a := h.dial(mine, tc.path, nil)
			is.Equal(c, nil)
			is.Equal(a.status, tc.status)
			is.Equal(a.body, tc.body)
			if tc.path == "/refused" {
				is.Equal(a.header.Get("X-Why"), "closed") // headers go back as well
			}
		})
	}
	is.New(t).Equal(len(h.steps), 0) // nobody was let in
}

// An authorizer that stands for the whole gateway guards paths without a connect operation too.
func TestNobodyIsLetInPastAnAuthorizer(t *testing.T) {
	is := is.New(t)
	h := build(t, edit(t, serveSpec, "paths:\n", "security: [{keys: []}]\npaths:\n"))
	for _, path := range []string{"/ws", "/quiet", "/both"} {
		c, a := h.dial(mine, path, nil)
		is.Equal(c, nil)
		is.Equal(a.status, 501)
	}
	is.Equal(h.ask("GET", "/plain").status, 501)

	open := edit(t, serveSpec, "paths:\n", "security: [{keys: []}, {}]\npaths:\n") // {}: nobody needs a key
	h = build(t, open)
	is.Equal(h.ask("GET", "/plain").status, 200)
	h.open("/ws")
}

func TestMessages(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c, a := h.dial(mine, "/echo/r1?from=here", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"seat=12"}}})
	is.Equal(h.frame(c), "CONNECT r1 here 12 1741064767000")
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	form := regexp.MustCompile(`^MESSAGE r1 nowhere 12 (\S+) (\S+) ([0-9a-v]{30}) \{unknown\}$`) // a query is of the handshake alone
	last := ""
	for range 20 {
		h.say(c, "x")
		got := form.FindStringSubmatch(h.frame(c))
		is.True(got != nil) // as the specification words it
		is.Equal(got[1:3], []string{"application/json", id})
		is.True(got[3] > last) // message ids sort by time, though the clock stands still
		last = got[3]
	}
	is.NoErr(c.Write(t.Context(), websocket.MessageBinary, []byte{1}))
	is.Equal(form.FindStringSubmatch(h.frame(c))[1], "application/octet-stream")

	binary := h.open("/binary")
	is.Equal(h.frame(binary), "binary:raw")
	h.say(binary, "x")
	is.Equal(h.frame(binary), "binary:raw") // image/png is no text

	half := h.open("/half")
	h.say(half, "x")
	is.Equal(h.frame(half), `{"message":"not emulated: object_storage integration"}`)

	quiet := h.open("/quiet") // no message operation
	h.say(quiet, "x")
	is.NoErr(quiet.Close(websocket.StatusNormalClosure, "")) // nothing came before the answer to the close
}

func TestOpeningAndClosingAreNoted(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c, a := h.dial(mine, "/half", nil)
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	is.NoErr(c.Close(4001, "had enough"))
	opened, closed := <-h.steps, <-h.steps
	is.Equal([]string{opened.What, opened.Room, opened.Who, opened.Text}, []string{yandex.StepOpened, "gateway", mine + "/half", id + " connected"})
	is.Equal([]string{closed.What, closed.Who}, []string{events.StepClosed, mine + "/half"})
	is.Equal(closed.Text, id+` disconnected: 4001 had enough (disconnect: {"message":"not emulated: object_storage integration"})`)
	is.Equal(closed.Data, map[string]any{"connection_id": id, "code": 4001, "reason": "had enough"})
}

func TestDefaultGateway(t *testing.T) {
	is := is.New(t)
	h := build(t, "")
	c, a := h.dial(yandex.GatewayID, "/ws", nil)
	is.Equal(a.status, http.StatusSwitchingProtocols)
	h.say(c, "anybody there?")
	is.NoErr(c.Close(websocket.StatusNormalClosure, "")) // neither a greeting nor an answer: the first frame is an event
	is.Equal(h.cloud.Gateways(), []yandex.GatewayInfo{{ID: yandex.GatewayID, Sockets: []string{"/ws"}}})
}

func TestGatewayIDs(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	is.True(h.cloud.SetGateway(yandex.GatewayDefinition{ID: strings.Repeat("d", 51), File: "long.yaml", Spec: []byte(serveSpec)}) != nil)
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: "d5d0", File: "third.yaml", Spec: []byte(serveSpec)}))
	var ids []string
	for _, g := range h.cloud.Gateways() {
		ids = append(ids, g.ID)
	}
	is.Equal(ids, []string{yandex.GatewayID, "d5d0", mine}) // the default one first

	id := yandex.GatewayIDFor("chat.yaml")
	is.True(strings.HasPrefix(id, "d5d") && len(id) == 20)
	is.Equal(yandex.GatewayIDFor("chat.yaml"), id)
	is.True(yandex.GatewayIDFor("other.yaml") != id)
}

func FuzzDummy(f *testing.F) {
	room := gateway.New(gateway.Options{})
	f.Cleanup(func() { _ = room.Close(context.Background()) })
	f.Add("text/plain", "{q}", "text/*;q=0.1", "x")
	f.Add("*", "{", "", "}")
	f.Add("application/json", "{q}{q}", "*/*, ,;", "{q}")
	f.Fuzz(func(t *testing.T, contentType, content, accept, q string) {
		spec, err := json.Marshal(map[string]any{"openapi": "3.0.0", "paths": map[string]any{"/a": map[string]any{"get": map[string]any{
			"parameters":                  []any{map[string]any{"name": "q", "in": "query"}},
			"x-yc-apigateway-integration": map[string]any{"type": "dummy", "content": map[string]any{contentType: content}},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		cloud := yandex.New(yandex.Options{Gateway: room})
		if cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: spec}) != nil {
			return
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/a?"+url.Values{"q": {q}}.Encode(), nil)
		r.Header.Set("Accept", accept)
		cloud.ServeGateway(w, r, mine)
		switch {
		case w.Code == http.StatusUnsupportedMediaType && contentType != "*":
		case w.Code != http.StatusOK:
			t.Fatalf("got %d", w.Code)
		case content == "{q}" && w.Body.String() != q:
			t.Fatalf("%q was filled in as %q", q, w.Body)
		}
	})
}
