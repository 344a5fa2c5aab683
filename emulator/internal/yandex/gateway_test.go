package yandex_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const beforeSpec = `openapi: 3.0.0
paths:
  /stays/{room}:
    x-yc-apigateway-websocket-connect: &hello {x-yc-apigateway-integration: {type: dummy, content: {'*': ''}}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, content: {text/plain: before}}}
    x-yc-apigateway-websocket-disconnect: &bye {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}
  /goes:
    x-yc-apigateway-websocket-message: *hello
    x-yc-apigateway-websocket-disconnect: *bye
  /plain: {get: {x-yc-apigateway-integration: {type: dummy, content: {'*': before}}}}
`

const afterSpec = `openapi: 3.0.0
paths:
  /goes: {get: {x-yc-apigateway-integration: {type: dummy}}}
  /stays/{room}:
    parameters: [{name: room, in: path}]
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, content: {text/plain: 'after {room}'}}}
  /plain: {get: {x-yc-apigateway-integration: {type: dummy, content: {'*': after}}}}
`

// closing reads the close that a socket gets.
func (h *house) closing(c *websocket.Conn) websocket.StatusCode {
	h.t.Helper()
	_, data, err := c.Read(h.t.Context())
	if err == nil {
		h.t.Fatalf("got the message %s, want a close", data)
	}
	return websocket.CloseStatus(err)
}

func TestAGatewayThatChanges(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, beforeSpec, f.wire)
	stays, goes := h.open("/stays/1"), h.open("/goes")
	h.say(stays, "x")
	is.Equal(h.frame(stays), "before")

	var wrong *yandex.FileError
	is.True(errors.As(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "new.yaml", Spec: []byte("openapi: 2")}), &wrong))
	is.Equal(wrong.Problems[0], `new.yaml:1: openapi: got "2", want 3.0.0`)
	is.Equal(h.ask("GET", "/plain").body, "before") // nothing has changed

	f.answers <- says(`{}`)
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "new.yaml", Spec: []byte(afterSpec)}))
	is.Equal(h.closing(goes), websocket.StatusGoingAway)
	e := eventOf(t, <-f.requests)
	is.Equal(e["requestContext"].(map[string]any)["disconnectStatusCode"], 1001.0) // its operation is still the old one
	is.Equal(e["resource"], "/goes")
	is.Equal(h.step(events.StepClosed).Who, mine+"/goes")
	h.say(stays, "x")
	is.Equal(h.frame(stays), "after 1")
	is.Equal(h.ask("GET", "/plain").body, "after")
	paths, there := h.cloud.GatewayPaths(mine)
	is.Equal(paths, []string{"/plain", "/goes", "/stays/{room}"})
	is.True(there)
	is.NoErr(stays.Close(websocket.StatusNormalClosure, ""))
	is.Equal(h.step(events.StepClosed).Who, mine+"/stays/{room}")
	is.Equal(len(f.requests), 0) // the new specification has no disconnect operation there
}

func TestAGatewayThatStops(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c := h.open("/ws")
	other, a := h.dial(yandex.GatewayID, "/ws", nil)
	is.Equal(a.status, 101)
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	g := yandex.GatewayDefinition{ID: mine, File: "spec.yaml", Spec: []byte(serveSpec), Stopped: true}
	is.NoErr(h.cloud.SetGateway(g))
	is.Equal(h.closing(c), websocket.StatusGoingAway)
	a = h.ask("GET", "/plain")
	is.Equal([]any{a.status, a.body}, []any{503, `{"message":"the gateway d5dmine is stopped"}`})
	none, a := h.dial(mine, "/ws", nil)
	is.Equal(none, nil)
	is.Equal(a.status, 503)
	g.Stopped = false
	is.NoErr(h.cloud.SetGateway(g))
	is.Equal(h.ask("GET", "/plain").status, 200)
	c = h.open("/ws")

	is.NoErr(h.cloud.RemoveGateway(mine))
	is.Equal(h.closing(c), websocket.StatusGoingAway)
	is.Equal(h.ask("GET", "/plain").status, 404)
	_, there := h.cloud.GatewayPaths(mine)
	is.True(!there)
	is.True(errors.Is(h.cloud.RemoveGateway(mine), yandex.ErrNoGateway))
	is.True(h.cloud.SetGateway(yandex.GatewayDefinition{File: "f", Spec: []byte(serveSpec)}) != nil) // no id
	is.NoErr(h.cloud.Send(id, []byte("still here"), yandex.TextData))                                // nobody else's sockets are touched
	is.Equal(h.frame(other), "still here")
}

// A gateway that changes while a client is let in does not keep a socket that nothing serves.
func TestAGatewayThatChangesDuringAHandshake(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, `{openapi: 3.0.0, paths: {/ws: {x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}}}}`, f.wire)
	got := make(chan *websocket.Conn)
	go func() {
		c, _ := h.dial(mine, "/ws", nil)
		got <- c
	}()
	<-f.requests
	is.NoErr(h.cloud.RemoveGateway(mine))
	f.answers <- says(`{}`)
	c := <-got
	is.True(c != nil) // it was let in by what held when it came
	is.Equal(h.closing(c), websocket.StatusGoingAway)
}

// However gateways, clients and deliveries meet, no socket outlives its gateway.
func TestGatewaysThatComeAndGo(t *testing.T) {
	is := is.New(t)
	h := build(t, "", func(o *yandex.Options) { o.Note = func(events.Step) {} })
	compiled, err := h.cloud.Compile(parse(t, broadcastOf(t)))
	is.NoErr(err)
	var opened []*websocket.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for range 100 {
			is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: []byte(roomsSpec)}))
			is.NoErr(h.cloud.RemoveGateway(mine))
		}
		is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "s", Spec: []byte(roomsSpec)}))
	})
	all.Go(func() {
		for range 100 {
			if c, _ := h.dial(mine, "/rooms/1", nil); c != nil {
				opened = append(opened, c)
			}
		}
	})
	all.Go(func() {
		for range 200 {
			compiled.Actions[0].Target.Deliver(t.Context(), []trigger.Delivery{{Payload: []byte("{}")}})
		}
	})
	all.Wait()
	opened = append(opened, h.open("/rooms/1"))
	is.NoErr(h.cloud.RemoveGateway(mine))
	for _, c := range opened {
		var err error
		for err == nil {
			_, _, err = c.Read(t.Context())
		}
		is.Equal(websocket.CloseStatus(err), websocket.StatusGoingAway)
	}
}

func TestConnectionsFromWithin(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec)
	c, a := h.dial(mine, "/ws", &websocket.DialOptions{HTTPHeader: http.Header{"User-Agent": {"tester"}}})
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	got, err := h.cloud.Connection(id)
	is.NoErr(err)
	is.Equal(got, yandex.Connection{ID: id, GatewayID: mine, SourceIP: "127.0.0.1", UserAgent: "tester", ConnectedAt: h.clock.Now(), LastActiveAt: h.clock.Now()})
	is.NoErr(h.cloud.Send(id, []byte("hi"), yandex.BinaryData))
	is.Equal(h.frame(c), "binary:hi")
	is.NoErr(h.cloud.Disconnect(id))
	is.Equal(h.closing(c), websocket.StatusNormalClosure)
	h.step(events.StepClosed)
	var e *yandex.Error
	is.True(errors.As(h.cloud.Disconnect(id), &e))
	is.Equal([]any{e.Code, e.Text}, []any{yandex.CodeNotFound, `Connection "` + id + `" not found`})
	is.True(errors.As(h.cloud.Send("", nil, yandex.TextData), &e))
	is.Equal(e.Violations, []yandex.Violation{{Field: "data", Description: "got nothing, want 1 to 131072 bytes"}})
}

func TestWhoMayCallTheConnectionService(t *testing.T) {
	is := is.New(t)
	h := build(t, serveSpec, func(o *yandex.Options) {
		o.Authenticate = func(authorization string) error {
			if authorization == "Bearer good" || authorization == "Bearer poor" {
				return nil
			}
			return &yandex.Error{Code: yandex.CodeUnauthenticated, Text: "no token"}
		}
		o.Admit = func(authorization, role, kind, id string) error {
			if asked := []string{role, kind, id}; !slices.Equal(asked, []string{"api-gateway.websocketWriter", "gateway", mine}) {
				t.Errorf("asked for %v", asked)
			}
			if authorization == "Bearer poor" {
				return &yandex.Error{Code: yandex.CodePermissionDenied, Text: "no role"}
			}
			return nil
		}
	})
	c, a := h.dial(mine, "/ws", nil)
	id := a.header.Get("X-Yc-Apigateway-Websocket-Connection-Id")
	for _, tc := range []struct {
		authorization string
		status        int
		code          float64
	}{{"", 401, 16}, {"Bearer bad", 401, 16}, {"Bearer poor", 403, 7}, {"Bearer good", 200, 0}} {
		a := api(t, h.cloud.ServeConnections, "POST", yandex.ConnectionsPath+id+":send", `{"data":"aGk=","type":"TEXT"}`, "Authorization", tc.authorization)
		var told struct{ Code float64 }
		is.NoErr(json.Unmarshal([]byte(a.body), &told))
		is.Equal(a.status, tc.status)
		is.Equal(told.Code, tc.code)
	}
	is.Equal(h.frame(c), "hi")
	for authorization, status := range map[string]int{"": 401, "Bearer poor": 403} {
		for _, method := range []string{"GET", "DELETE"} {
			is.Equal(api(t, h.cloud.ServeConnections, method, yandex.ConnectionsPath+id, "", "Authorization", authorization).status, status)
		}
	}
}

func TestAGatewaysLog(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	entries := make(chan yandex.GatewayLog, 100)
	spec := edit(t, callSpec, "operationId: said", "operationId: say")
	h := build(t, spec, f.wire, func(o *yandex.Options) {
		o.Log = func(e yandex.GatewayLog) { entries <- e }
		o.Context = context.Background()
	})
	// next is the next entry, with what a run chooses taken out.
	next := func(level, message, fields string) {
		t.Helper()
		e := <-entries
		is.Equal([]any{e.GatewayID, e.At, e.Level, e.Message}, []any{mine, h.clock.Now(), level, message})
		for _, name := range []string{"request_id", "connection_id", "message_id"} {
			if v, there := e.Fields[name]; there {
				is.True(v.(string) != "")
				e.Fields[name] = "*"
			}
		}
		same(t, e.Fields, fields)
	}
	f.answers <- says(`{"statusCode": 201, "body": "hello"}`)
	h.ask("PUT", "/new/a/b?c=d")
	next("INFO", "PUT /new/a/b 201", `{"release": "stable", "request_id": "*", "method": "PUT", "path": "/new/a/b", "resource": "/new/{rest+}", "operation_id": "anything",
		"integration": "cloud_functions", "code": 201, "duration_seconds": 0, "response_length_bytes": 5}`)
	is.True((<-f.requests).ID != "")
	h.ask("GET", "/nowhere")
	next("WARN", "GET /nowhere 404", `{"release": "stable", "request_id": "*", "method": "GET", "path": "/nowhere", "code": 404, "duration_seconds": 0, "response_length_bytes": 61}`)
	f.answers <- failing(boom)
	h.ask("GET", "/new/a")
	next("ERROR", "GET /new/a 502: "+failed, `{"release": "stable", "request_id": "*", "method": "GET", "path": "/new/a", "resource": "/new/{rest+}", "operation_id": "anything",
		"integration": "cloud_functions", "code": 502, "duration_seconds": 0, "response_length_bytes": 49, "error": "`+failed+`"}`)
	<-f.requests

	f.answers <- says(`{"statusCode": 403}`)
	h.dial(mine, "/chat/1", nil)
	e := <-entries
	is.Equal([]any{e.Level, e.Message, e.Fields["event_type"], e.Fields["code"]}, []any{"WARN", "CONNECT /chat/1 403", "CONNECT", 403})
	<-f.requests
	f.answers <- result{Response: runner.Response{Payload: []byte(`{}`)}}
	c := h.open("/chat/1")
	e = <-entries
	is.Equal([]any{e.Level, e.Message, e.Fields["event_type"], e.Fields["code"]}, []any{"INFO", "CONNECT /chat/1 200", "CONNECT", 200})
	is.Equal((<-f.requests).ID, e.Fields["request_id"]) // what the function was told
	f.answers <- says(`{"body": "hi"}`)
	h.say(c, "x")
	next("INFO", "MESSAGE /chat/1 200", `{"release": "stable", "request_id": "*", "method": "POST", "path": "/chat/1", "resource": "/chat/{room}", "operation_id": "say",
		"integration": "cloud_functions", "event_type": "MESSAGE", "connection_id": "*", "message_id": "*", "code": 200, "duration_seconds": 0, "response_length_bytes": 2}`)
	is.Equal(h.frame(c), "hi")
	f.answers <- says(`{}`)
	is.NoErr(c.Close(4001, "bye"))
	next("INFO", "DISCONNECT /chat/1 200", `{"release": "stable", "request_id": "*", "method": "DELETE", "path": "/chat/1", "resource": "/chat/{room}", "operation_id": "say",
		"integration": "cloud_functions", "event_type": "DISCONNECT", "connection_id": "*", "disconnect_status_code": 4001, "disconnect_reason": "bye",
		"code": 200, "duration_seconds": 0, "response_length_bytes": 0}`)

	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "f", Spec: []byte("{openapi: 3.0.0, paths: {/ws: {x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: dummy}}}}}")}))
	c = h.open("/ws")
	<-entries
	h.say(c, "into the void") // an event without an operation is one all the same
	next("INFO", "MESSAGE /ws", `{"release": "stable", "request_id": "*", "method": "POST", "path": "/ws", "resource": "/ws", "event_type": "MESSAGE", "connection_id": "*", "message_id": "*",
		"duration_seconds": 0, "response_length_bytes": 0}`)
}
