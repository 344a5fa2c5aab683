package yandex_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const callSpec = `openapi: 3.0.0
paths:
  /chat/{room}:
    parameters:
      - {name: room, in: path}
      - {name: from, in: query, schema: {default: nowhere}}
      - {name: seat, in: cookie}
      - {name: X-Who, in: header}
    x-yc-apigateway-websocket-connect:
      x-yc-apigateway-integration:
        type: cloud_functions
        function_id: d4emine
        tag: $latest
        service_account_id: ajemine
        context: {of: '{room}', list: ['{from}', 1, true, {deep: 'x{seat}'}]}
    x-yc-apigateway-websocket-message: &call
      operationId: said
      x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}
    x-yc-apigateway-websocket-disconnect: *call
  /quiet:
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: dummy}}
    x-yc-apigateway-websocket-disconnect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}
  /old/{id}:
    parameters: [{name: id, in: path}, {name: many, in: query}]
    post: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}
  /new/{rest+}:
    parameters: [{name: rest, in: path}]
    x-yc-apigateway-any-method:
      operationId: anything
      x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine, payload_format_version: '1.0'}
  /gone:
    get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4eother}}
`

// seeded makes ids random and all the same in every run.
func seeded(o *yandex.Options) { o.Random = rand.NewChaCha8([32]byte{1}) }

// event reads what a function was called with and takes out what a run chooses: ids, ports, and the lists beside single values, which
// have been compared with these.
func eventOf(t *testing.T, r runner.Request) map[string]any {
	t.Helper()
	is := is.New(t)
	var e map[string]any
	is.NoErr(json.Unmarshal(r.Payload, &e))
	for single, multi := range map[string]string{"headers": "multiValueHeaders", "queryStringParameters": "multiValueQueryStringParameters",
		"params": "multiValueParams", "parameters": "multiValueParameters"} {
		values, _ := e[single].(map[string]any)
		lists, _ := e[multi].(map[string]any)
		is.Equal(e[single] == nil, e[multi] == nil)
		is.Equal(len(values), len(lists))
		for name, v := range values {
			list := lists[name].([]any)
			is.Equal(list[len(list)-1], v) // the last of them
		}
		delete(e, multi)
	}
	header := e["headers"].(map[string]any)
	context := e["requestContext"].(map[string]any)
	is.Equal(header["X-Request-Id"], r.ID)
	is.Equal(context["requestId"], r.ID)
	is.True(regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(r.ID))
	is.True(header["X-Trace-Id"] != r.ID)
	is.True(strings.HasPrefix(header["X-Real-Remote-Address"].(string), "127.0.0.1:"))
	for _, name := range []string{"X-Request-Id", "X-Trace-Id", "X-Real-Remote-Address", "Host"} {
		is.True(header[name] != "")
		delete(header, name)
	}
	delete(context, "requestId")
	return e
}

// same compares a value with JSON.
func same(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	is.New(t).NoErr(json.Unmarshal([]byte(want), &w))
	a, _ := json.MarshalIndent(got, "", " ")
	b, _ := json.MarshalIndent(w, "", " ")
	if string(a) != string(b) {
		t.Fatalf("got\n%s\nwant\n%s", a, b)
	}
}

func TestTheEventsOfASocket(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, callSpec, f.wire, seeded)
	is.Equal(len(h.warns), 0) // nothing of it is not emulated
	f.answers <- says(`{"statusCode": 200}`)
	c, a := h.dial(mine, "/chat/r%201?from=here&from=there&x=1", &websocket.DialOptions{HTTPHeader: http.Header{
		"Cookie": {"seat=12"}, "X-Who": {"me", "you"}, "Authorization": {"Bearer x"}, "User-Agent": {"tester"}, "Origin": {"http://a.example"},
		"X-Forwarded-For": {"10.1.1.1"}, "Accept-Encoding": {"br"}}})
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	const proxies = `"X-Api-Gateway-Function-Id": "d4emine", "X-Envoy-External-Address": "127.0.0.1", "X-Envoy-Original-Path": "/chat/r%201",
		"X-Forwarded-For": "10.1.1.1, 127.0.0.1", "X-Forwarded-Proto": "http", "X-Serverless-Certificate-Ids": "{}", "X-Serverless-Gateway-Id": "d5dmine",`
	client := `"Accept-Encoding": "br", "Authorization": "Bearer x", "Cookie": "seat=12", "Origin": "http://a.example", "User-Agent": "tester", "X-Who": "you",` +
		`"X-Yc-Apigateway-Websocket-Connected-At": "1741064767000", "X-Yc-Apigateway-Websocket-Connection-Id": "` + id + `",`
	const common = `"identity": {"sourceIp": "127.0.0.1", "userAgent": "tester"}, "requestTime": "4/Mar/2025:05:06:07 +0000", "requestTimeEpoch": 1741064767,
		"connectedAt": 1741064767000,`
	e := eventOf(t, <-f.requests)
	operation, _ := e["operationId"].(string)
	is.True(regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(operation))
	same(t, e, `{"httpMethod": "GET", "resource": "/chat/{room}", "path": "/chat/r%201", "pathParameters": {"room": "r 1"}, "operationId": "`+operation+`",
		"headers": {`+proxies+client+`"X-Yc-Apigateway-Websocket-Event-Type": "CONNECT"},
		"queryStringParameters": {"from": "there", "x": "1"},
		"parameters": {"room": "r 1", "from": "there", "seat": "12", "X-Who": "you"},
		"requestContext": {`+common+`"httpMethod": "GET", "eventType": "CONNECT", "connectionId": "`+id+`",
			"apiGateway": {"operationContext": {"of": "r 1", "list": ["here", 1, true, {"deep": "x12"}]}}}}`)

	f.answers <- says(`{}`)
	h.say(c, `{"say": "<hi>"}`)
	e = eventOf(t, <-f.requests)
	message := e["requestContext"].(map[string]any)["messageId"].(string)
	is.True(regexp.MustCompile(`^[0-9a-v]{30}$`).MatchString(message))
	same(t, e, `{"resource": "/chat/{room}", "path": "/chat/r%201", "pathParameters": {"room": "r 1"}, "operationId": "said",
		"headers": {`+proxies+client+`"X-Yc-Apigateway-Websocket-Event-Type": "MESSAGE", "X-Yc-Apigateway-Websocket-Message-Id": "`+message+`",
			"Content-Type": "application/json", "Content-Length": "15"},
		"parameters": {"room": "r 1", "from": "nowhere", "seat": "12", "X-Who": "you"},
		"body": "{\"say\": \"<hi>\"}", "isBase64Encoded": false,
		"requestContext": {`+common+`"httpMethod": "POST", "eventType": "MESSAGE", "connectionId": "`+id+`", "messageId": "`+message+`"}}`)

	f.answers <- says(`{}`)
	is.NoErr(c.Write(t.Context(), websocket.MessageBinary, []byte{0xff, 0}))
	e = eventOf(t, <-f.requests)
	is.Equal([]any{e["body"], e["isBase64Encoded"]}, []any{"/wA=", true})
	is.Equal(e["headers"].(map[string]any)["Content-Type"], "application/octet-stream")

	f.answers <- says(`{}`)
	is.NoErr(c.Close(4001, "had enough"))
	same(t, eventOf(t, <-f.requests), `{"resource": "/chat/{room}", "path": "/chat/r%201", "pathParameters": {"room": "r 1"}, "operationId": "said",
		"headers": {`+proxies+client+`"X-Yc-Apigateway-Websocket-Event-Type": "DISCONNECT", "X-Yc-Apigateway-Websocket-Disconnect-Status-Code": "4001",
			"X-Yc-Apigateway-Websocket-Disconnect-Reason": "had enough"},
		"parameters": {"room": "r 1", "from": "nowhere", "seat": "12", "X-Who": "you"},
		"requestContext": {`+common+`"httpMethod": "DELETE", "eventType": "DISCONNECT", "connectionId": "`+id+`",
			"disconnectStatusCode": 4001, "disconnectReason": "had enough"}}`)
	is.Equal(h.step(events.StepClosed).Text, id+" disconnected: 4001 had enough")
}

func TestAFunctionHearsOfASocketThatVanished(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, callSpec, f.wire)
	c := h.open("/quiet")
	f.answers <- failing(boom) // which changes nothing: nobody waits for the answer
	is.NoErr(c.CloseNow())
	e := eventOf(t, <-f.requests)
	context := e["requestContext"].(map[string]any)
	is.Equal([]any{context["eventType"], context["disconnectStatusCode"], context["disconnectReason"]}, []any{"DISCONNECT", 1006.0, nil})
	is.Equal(e["headers"].(map[string]any)["X-Yc-Apigateway-Websocket-Disconnect-Reason"], "") // there, and empty
	is.True(strings.HasSuffix(h.step(events.StepClosed).Text, "disconnected: 1006 (disconnect: "+failed+")"))
}

func TestTheEventsOfPlainRequests(t *testing.T) {
	f := newFunction()
	h := build(t, callSpec, f.wire)
	const proxies = `"X-Api-Gateway-Function-Id": "d4emine", "X-Envoy-External-Address": "127.0.0.1", "X-Forwarded-For": "127.0.0.1",
		"X-Forwarded-Proto": "http", "X-Serverless-Certificate-Ids": "{}", "X-Serverless-Gateway-Id": "d5dmine", "User-Agent": "tester",`
	const common = `"identity": {"sourceIp": "127.0.0.1", "userAgent": "tester"}, "requestTime": "4/Mar/2025:05:06:07 +0000", "requestTimeEpoch": 1741064767`
	f.answers <- says(`{}`)
	h.send("POST", "/old/1?many=a&many=b", `{"a": 1}`, "User-Agent", "tester", "Content-Type", "application/json; charset=utf-8", "Accept-Encoding", "br")
	same(t, eventOf(t, <-f.requests), `{"httpMethod": "POST", "url": "/old/1?many=a&many=b", "path": "/old/{id}",
		"headers": {`+proxies+`"X-Envoy-Original-Path": "/old/1", "Content-Type": "application/json; charset=utf-8", "Content-Length": "8", "Accept-Encoding": "br"},
		"queryStringParameters": {"many": "b"}, "pathParams": {"id": "1"}, "params": {"id": "1", "many": "b"},
		"body": "{\"a\": 1}", "isBase64Encoded": false, "requestContext": {`+common+`, "httpMethod": "POST"}}`)

	f.answers <- says(`{}`)
	h.send("PUT", "/new/a/b", "hello", "User-Agent", "tester", "Accept-Encoding", "br")
	same(t, eventOf(t, <-f.requests), `{"version": "1.0", "httpMethod": "PUT", "resource": "/new/{rest+}", "path": "/new/a/b", "operationId": "anything",
		"headers": {`+proxies+`"X-Envoy-Original-Path": "/new/a/b", "Content-Length": "5", "Accept-Encoding": "br"},
		"queryStringParameters": {}, "pathParameters": {"rest": "a/b"}, "parameters": {"rest": "a/b"},
		"body": "aGVsbG8=", "isBase64Encoded": true, "requestContext": {`+common+`, "httpMethod": "PUT"}}`)

	f.answers <- says(`{}`)
	h.ask("GET", "/new/a")
	e := eventOf(t, <-f.requests)
	is := is.New(t)
	is.Equal([]any{e["body"], e["isBase64Encoded"]}, []any{"", true})
	f.answers <- says(`{}`)
	h.send("POST", "/old/1", "")
	is.Equal(eventOf(t, <-f.requests)["url"], "/old/1?") // with the question mark, always
}

func TestTheAnswersOfAFunction(t *testing.T) {
	malformed := func(why, payload string) string {
		b, _ := json.Marshal(map[string]string{"errorMessage": "Malformed serverless function response: " + why, "errorType": "ProxyIntegrationError", "payload": payload})
		return string(b)
	}
	for _, tc := range []struct {
		name   string
		answer result
		status int
		header http.Header // nil: as the name says, there is nothing to see
		body   string
	}{
		{"all of it", says(`{"statusCode": 201, "headers": {"x-one": "1", "X-Two": "no"}, "multiValueHeaders": {"x-two": ["2", "3"]}, "body": "hi"}`),
			201, http.Header{"X-One": {"1"}, "X-Two": {"2", "3"}, "Content-Type": {"text/plain; charset=utf-8"}}, "hi"},
		{"nothing of it", says(`{}`), 200, http.Header{"Content-Type": nil}, ""},
		{"base64", says(`{"body": "/wA=", "isBase64Encoded": true, "headers": {"Content-Type": "image/x"}}`), 200, http.Header{"Content-Type": {"image/x"}}, "\xff\x00"},
		{"taken out and renamed", says(`{"headers": {"connection": "x", "Cookie": "x", "X-Request-Id": "x", "Content-Length": "99", "Server": "mine", "Www-Authenticate": "Basic", "Via": "x"}, "body": "1"}`),
			200, http.Header{"Connection": nil, "Cookie": nil, "X-Request-Id": nil, "Content-Length": {"1"}, "X-Yf-Remapped-Server": {"mine"},
				"Www-Authenticate": {"Basic"}, "Via": {"x"}}, "1"},
		{"not JSON", says(`hello`), 502, http.Header{"X-Function-Error": {"true"}, "Content-Type": {"application/json"}}, malformed("not a valid json", "hello")},
		{"nothing", says(``), 502, nil, malformed("not a valid json", "")},
		{"null", says(`null`), 502, nil, malformed("got null, want an object", "null")},
		{"a forbidden header", says(`{"headers": {"proxy-authenticate": "x"}}`), 502, nil, malformed("the header Proxy-Authenticate is not allowed", `{"headers": {"proxy-authenticate": "x"}}`)},
		{"a status that is none", says(`{"statusCode": 99}`), 502, nil, malformed("got the statusCode 99, want 200 to 599", `{"statusCode": 99}`)},
		{"error", failing(boom), 502, http.Header{"X-Function-Error": {"true"}}, `{"errorMessage":"no","errorType":"UserCodeError"}`},
		{"timeout", failing(`{"errorType":"Sandbox.Timedout","errorMessage":"late"}`), 504, nil, `{"errorMessage":"late","errorType":"Timeout"}`},
		{"throttled", result{err: runner.ErrThrottled}, 429, http.Header{"X-Function-Error": nil},
			`{"errorCode":429,"errorMessage":"too many requests: every environment of the function is busy","errorType":"ClientError"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			f := newFunction()
			h := build(t, callSpec, f.wire)
			f.answers <- tc.answer
			a := h.ask("GET", "/new/x")
			is.Equal(a.status, tc.status)
			is.Equal(a.body, tc.body)
			for name, values := range tc.header {
				is.Equal(a.header.Values(name), values)
			}
			is.Equal(len(h.steps) == 1, tc.status >= 429) // what failed is on record
		})
	}
	for _, wrong := range []string{`[]`, `"x"`, `{"statusCode": "200"}`, `{"body": {}}`, `{"headers": {"a": 1}}`, `{"multiValueHeaders": {"a": "b"}}`,
		`{"body": "*", "isBase64Encoded": true}`, `{"isBase64Encoded": "yes"}`} {
		f := newFunction()
		h := build(t, callSpec, f.wire)
		f.answers <- says(wrong)
		a := h.ask("GET", "/new/x")
		is := is.New(t)
		is.Equal(a.status, 502)
		is.True(strings.Contains(a.body, `"errorMessage":"Malformed serverless function response: `))
		is.True(!strings.Contains(a.body, "Go ")) // no word of what we are made of
	}
}

func TestABodyOverTheLimitReachesNoFunction(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, callSpec, f.wire)
	a := h.send("PUT", "/new/x", strings.Repeat("x", 2_621_441))
	is.Equal([]any{a.status, a.body}, []any{413, `{"message":"the body is over 2621440 bytes"}`})
	is.Equal(len(f.requests), 0)
}

func TestAFunctionThatIsNotThere(t *testing.T) {
	is := is.New(t)
	h := build(t, edit(t, callSpec, "function_id: d4emine\n        tag: $latest", "function_id: d4emin\n        tag: old"), newFunction().wire)
	is.Equal(h.warns, []string{
		`spec.yaml:12: paths./chat/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.function_id: got "d4emin", ` +
			`which is no function here; want one of d4emine, d4eother; every call fails`,
	})
	a := h.ask("GET", "/gone")
	is.Equal(a.status, 404)
	c, a := h.dial(mine, "/chat/1", nil)
	is.Equal(c, nil)
	is.Equal(a.status, 404)
	is.True(strings.HasSuffix(h.step(events.StepLost).Text, "function not found: got \"d4eother\", which is no function here; want one of d4emine, d4eother"))
}

func TestATagOfAFunction(t *testing.T) {
	is := is.New(t)
	const spec = "openapi: 3.0.0\npaths:\n  /{tag}: {get: {parameters: [{name: tag, in: path}], x-yc-apigateway-integration: " +
		"{type: cloud_functions, function_id: d4emine, tag: '{tag}'}}}\n  /: {get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine, tag: old}}}\n"
	f := newFunction()
	h := build(t, spec, f.wire)
	is.Equal(h.warns, []string{"spec.yaml:4: paths./.get.x-yc-apigateway-integration.tag: not emulated: tags of versions; $latest is called"})

	var called []string
	h = build(t, spec, f.wire, func(o *yandex.Options) {
		invoke := o.Invoke
		o.Invoke = func(ctx context.Context, function string, r runner.Request) (runner.Response, error) {
			called = append(called, function)
			return invoke(ctx, its, r)
		}
		o.Resolve = func(id, tag string) (string, string, error) {
			if tag == "old" {
				return "", "", errors.New("no version has the tag old")
			}
			return id + "@" + tag, "", nil
		}
	})
	is.Equal(h.warns, []string{"spec.yaml:4: paths./.get.x-yc-apigateway-integration.tag: no version has the tag old; every call fails"})
	f.answers <- says(`{}`)
	is.Equal(h.ask("GET", "/stable").status, 200)
	is.Equal(called, []string{"d4emine@stable"})
	is.Equal(h.ask("GET", "/").status, 404)
}

func TestAFunctionLetsInAndAnswers(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, callSpec, f.wire)
	f.answers <- says(`{"statusCode": 403, "headers": {"X-Why": "closed"}, "body": "not today"}`)
	c, a := h.dial(mine, "/chat/1", nil)
	is.Equal(c, nil)
	is.Equal([]any{a.status, a.header.Get("X-Why"), a.body}, []any{403, "closed", "not today"})
	is.Equal(len(h.steps), 0) // a refusal is no failure

	f.answers <- failing(boom)
	c, a = h.dial(mine, "/chat/1", nil)
	is.Equal(c, nil)
	is.Equal([]any{a.status, a.body}, []any{502, `{"errorMessage":"no","errorType":"UserCodeError"}`})
	is.Equal(h.step(events.StepLost).Text, "CONNECT: "+failed)

	f.answers <- says(`{"headers": {"Sec-WebSocket-Protocol": "v2.chat"}, "body": "welcome"}`)
	c, a = h.dial(mine, "/chat/1", &websocket.DialOptions{Subprotocols: []string{"v1.chat", "v2.chat"}})
	is.Equal(a.status, 101)
	is.Equal(c.Subprotocol(), "v2.chat")
	is.Equal(h.frame(c), "welcome") // the first message

	for _, tc := range []struct{ answer, want string }{
		{`{"body": "hi"}`, "hi"},
		{`{"body": "{}", "headers": {"Content-Type": "application/json"}}`, "{}"},
		{`{"body": "hi", "headers": {"Content-Type": "application/octet-stream"}}`, "binary:hi"},
		{`{"body": "/wA=", "isBase64Encoded": true}`, "binary:\xff\x00"},
		{`{"statusCode": 500, "body": "an answer as any other"}`, "an answer as any other"},
	} {
		f.answers <- says(tc.answer)
		h.say(c, "x")
		is.Equal(h.frame(c), tc.want)
	}
	f.answers <- says(`{"statusCode": 200}`) // empty: nothing comes back
	h.say(c, "x")
	f.answers <- failing(boom)
	h.say(c, "x")
	is.Equal(h.frame(c), `{"errorMessage":"no","errorType":"UserCodeError"}`)
	is.True(regexp.MustCompile(`^MESSAGE [0-9a-v]{30}: the function d4emine failed: UserCodeError: no$`).MatchString(h.step(events.StepLost).Text))
	f.answers <- says(`{}`)
	is.NoErr(c.Close(websocket.StatusNormalClosure, ""))
}

func TestCallsEndWithTheContext(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	ctx, cancel := context.WithCancel(t.Context())
	h := build(t, callSpec, f.wire, func(o *yandex.Options) { o.Context = ctx })
	got := make(chan answer)
	go func() {
		_, a := h.dial(mine, "/chat/1", nil)
		got <- a
	}()
	<-f.requests
	cancel() // nobody waits any longer
	a := <-got
	is.Equal(a.status, 500)
	is.True(strings.Contains(a.body, "context canceled"))
}

func TestWrongFunctionIntegrations(t *testing.T) {
	const at = "s:12: paths./chat/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration."
	for _, tc := range []struct{ name, old, new, want string }{
		{"no id", "function_id: d4emine\n        tag", "function_id: ''\n        tag", at + "function_id: got nothing, want the id of a function"},
		{"format", "function_id: d4emine\n        tag", "payload_format_version: 2.0\n        function_id: x\n        tag", at + `payload_format_version: got "2.0", want one of 0.1, 1.0`},
		{"context", "function_id: d4emine\n        tag", "context: 1\n        function_id: x\n        taq", at + `context: got "1", want a mapping`},
		{"context that JSON cannot hold", "function_id: d4emine\n        tag", "context: {a: .nan}\n        function_id: x\n        taq",
			at + `context: got what JSON cannot hold: json: unsupported value: NaN`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := edit(t, callSpec, tc.old, tc.new)
			if strings.HasPrefix(tc.name, "context") {
				text = edit(t, text, "        context: {of: '{room}', list: ['{from}', 1, true, {deep: 'x{seat}'}]}\n", "")
			}
			_, err := yandex.ParseSpec("s", []byte(text))
			is := is.New(t)
			is.True(err != nil)
			is.Equal(err.Error(), tc.want)
		})
	}
}
