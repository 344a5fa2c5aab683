package yandex_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const guardedSpec = `openapi: 3.0.0
paths:
  /bearer/{id}:
    parameters: [{name: id, in: path}]
    get:
      security: [{bearer: []}]
      x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}
  /key:
    get: {security: [{key: []}], x-yc-apigateway-integration: {type: dummy, content: {'*': 'in'}}}
  /ws:
    x-yc-apigateway-websocket-connect: {security: [{cookie: []}], x-yc-apigateway-integration: {type: dummy}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}
components:
  securitySchemes:
    bearer:
      type: http
      scheme: bearer
      x-yc-apigateway-authorizer: &guard {type: function, function_id: d4eguard, service_account_id: ajemine}
    key: {type: apiKey, in: query, name: key, x-yc-apigateway-authorizer: *guard}
    cookie: {type: apiKey, in: cookie, name: key, x-yc-apigateway-authorizer: *guard}
`

// guarded is a house whose functions are d4eguard, which decides, and d4emine.
func guarded(t *testing.T, spec string, more ...func(*yandex.Options)) (h *house, guard, f *function) {
	t.Helper()
	guard, f = newFunction(), newFunction()
	return build(t, spec, append(more, f.wire, func(o *yandex.Options) {
		mine := o.Invoke
		o.Functions = func() []string { return []string{"d4eguard", its} }
		o.Invoke = func(ctx context.Context, function string, r runner.Request) (runner.Response, error) {
			if function != "d4eguard" {
				return mine(ctx, function, r)
			}
			guard.requests <- r
			a := <-guard.answers
			return a.Response, a.err
		}
	})...), guard, f
}

func TestAnAuthorizerDecides(t *testing.T) {
	is := is.New(t)
	h, guard, f := guarded(t, guardedSpec)
	is.Equal(len(h.warns), 0)
	guard.answers <- says(`{"isAuthorized": true, "context": {"user": "me", "list": [1]}}`)
	f.answers <- says(`{"body": "in"}`)
	a := h.ask("GET", "/bearer/1?a=1&a=2", "Authorization", "Bearer secret", "Cookie", "k=v", "User-Agent", "tester", "Accept-Encoding", "br")
	is.Equal([]any{a.status, a.body}, []any{200, "in"})

	var e map[string]any
	is.NoErr(json.Unmarshal((<-guard.requests).Payload, &e))
	header := e["headers"].(map[string]any)
	is.Equal([]any{header["Authorization"], header["X-Api-Gateway-Function-Id"]}, []any{"Bearer secret", "d4eguard"})
	is.True(e["requestContext"].(map[string]any)["requestId"] != nil)
	delete(e, "headers")
	delete(e, "requestContext")
	same(t, e, `{"resource": "/bearer/{id}", "path": "/bearer/1", "httpMethod": "GET", "queryStringParameters": {"a": "2"},
		"pathParameters": {"id": "1"}, "cookies": {"k": "v"}}`)
	told := eventOf(t, <-f.requests)["requestContext"].(map[string]any)["authorizer"]
	same(t, told, `{"user": "me", "list": [1]}`)
}

func TestAnAuthorizerRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		header     []string
		answer     string // of the function; empty: it is not asked
		status     int
		body       string
	}{
		{"no credentials", "/bearer/1", nil, "", 401, `{"message":"Unauthorized: no header Authorization"}`},
		{"no key", "/key?other=1", nil, "", 401, `{"message":"Unauthorized: no query key"}`},
		{"an empty key", "/key?key=", nil, "", 401, `{"message":"Unauthorized: no query key"}`},
		{"no", "/key?key=1", nil, `{"isAuthorized": false, "context": {}}`, 403, `{"message":"Forbidden"}`},
		{"yes", "/key?key=1", nil, `{"isAuthorized": true}`, 200, "in"},
		{"no answer", "/key?key=1", nil, `{"authorized": true}`, 500,
			`{"message":"the authorizer key: the function d4eguard failed: want {\"isAuthorized\": true or false, \"context\": {…}}: there is no isAuthorized"}`},
		{"another answer", "/key?key=1", nil, `null`, 500,
			`{"message":"the authorizer key: the function d4eguard failed: want {\"isAuthorized\": true or false, \"context\": {…}}: there is no isAuthorized"}`},
		{"failed", "/key?key=1", nil, "!", 500, `{"message":"the authorizer key: the function d4eguard failed: UserCodeError: no"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h, guard, f := guarded(t, guardedSpec)
			guard.answers <- says(tc.answer)
			if tc.answer == "!" {
				<-guard.answers
				guard.answers <- failing(boom)
			}
			a := h.ask("GET", tc.path, tc.header...)
			is.Equal([]any{a.status, a.body}, []any{tc.status, tc.body})
			is.Equal(len(guard.requests) == 1, tc.answer != "")
			is.Equal(len(f.requests), 0)
			is.Equal(len(h.steps) == 1, tc.status == 500) // what failed is on record
		})
	}
}

func TestAnAuthorizerGuardsASocketAtItsOpening(t *testing.T) {
	is := is.New(t)
	h, guard, f := guarded(t, guardedSpec)
	c, a := h.dial(mine, "/ws", nil)
	is.Equal(c, nil)
	is.Equal(a.status, 401)
	key := &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"key=1"}}}
	guard.answers <- says(`{"isAuthorized": false}`)
	c, a = h.dial(mine, "/ws", key)
	is.Equal(c, nil)
	is.Equal(a.status, 403)
	<-guard.requests
	guard.answers <- failing(boom)
	c, a = h.dial(mine, "/ws", key)
	is.Equal(c, nil)
	is.Equal(a.status, 500)
	<-guard.requests
	is.Equal(h.step(events.StepLost).Text, "CONNECT: the authorizer cookie: the function d4eguard failed: UserCodeError: no")

	guard.answers <- says(`{"isAuthorized": true, "context": {"user": "me"}}`)
	c, a = h.dial(mine, "/ws", key)
	is.Equal(a.status, 101)
	var e map[string]any
	is.NoErr(json.Unmarshal((<-guard.requests).Payload, &e))
	is.Equal(e["requestContext"].(map[string]any)["eventType"], "CONNECT")
	f.answers <- says(`{"body": "heard"}`)
	h.say(c, "x")
	is.Equal(h.frame(c), "heard")
	same(t, eventOf(t, <-f.requests)["requestContext"].(map[string]any)["authorizer"], `{"user": "me"}`) // for as long as it lives
	is.Equal(len(guard.requests), 0)                                                                     // asked once
}

// An authorizer of the whole gateway guards a socket without a connect operation too.
func TestAnAuthorizerOfTheWholeGateway(t *testing.T) {
	is := is.New(t)
	spec := edit(t, guardedSpec, "paths:\n", "security: [{key: []}]\npaths:\n")
	spec = edit(t, spec, "    x-yc-apigateway-websocket-connect: {security: [{cookie: []}], x-yc-apigateway-integration: {type: dummy}}\n", "")
	h, guard, _ := guarded(t, spec)
	c, a := h.dial(mine, "/ws", nil)
	is.Equal(c, nil)
	is.Equal(a.status, 401)
	guard.answers <- says(`{"isAuthorized": true}`)
	_, a = h.dial(mine, "/ws?key=1", nil)
	is.Equal(a.status, 101)
}

func TestWhatAnAuthorizerHasForNothingIsWarnedOf(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"its function is not there", "    key: {type: apiKey, in: query, name: key, x-yc-apigateway-authorizer: *guard}",
			"    key: {type: apiKey, in: query, name: key, x-yc-apigateway-authorizer: {type: function, function_id: d4eguardian}}",
			`spec.yaml:19: components.securitySchemes.key.x-yc-apigateway-authorizer.function_id: got "d4eguardian", which is no function here; ` +
				`want one of d4eguard, d4emine; every call fails`},
		{"IAM", "    key: {type: apiKey, in: query, name: key, x-yc-apigateway-authorizer: *guard}",
			"    key: {type: openIdConnect, x-yc-apigateway-authorizer: {type: iam}}",
			`spec.yaml:9: paths./key.get: not emulated: the authorizer key; every request is answered 501`},
		{"on a message", "    x-yc-apigateway-websocket-message: {", "    x-yc-apigateway-websocket-message: {security: [{key: []}], ",
			`spec.yaml:12: paths./ws.x-yc-apigateway-websocket-message.security: has no effect here: a socket is guarded by its connect operation`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, _, _ := guarded(t, edit(t, guardedSpec, tc.old, tc.new))
			is.New(t).Equal(h.warns[:1], []string{tc.want})
		})
	}
}
