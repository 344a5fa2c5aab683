package yandex_test

import (
	"testing"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const releasesSpec = `openapi: 3.0.0
x-yc-apigateway: {variables: {who: {default: stable}}}
paths:
  /ws:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, content: {text/plain: '${var.who}'}}}
  /${var.who}:
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: dummy, content: {text/plain: own}}}
`

func TestASocketStaysWithTheReleaseThatLetItIn(t *testing.T) {
	is := is.New(t)
	h := build(t, releasesSpec)
	half := yandex.GatewayDefinition{ID: mine, File: "spec.yaml", Spec: []byte(releasesSpec), Canary: &yandex.Canary{Weight: 50, Variables: map[string]string{"who": "canary"}}}
	is.NoErr(h.cloud.SetGateway(half))
	open := func(path string) (*websocket.Conn, string) {
		t.Helper()
		c, a := h.dial(mine, path, nil)
		if c == nil {
			t.Fatalf("dial %s: %d %s", path, a.status, a.body)
		}
		return c, a.header.Get("X-Yc-Apigateway-Release")
	}
	// Every other request is the canary's.
	first, release := open("/ws")
	is.Equal(release, "")
	second, release := open("/ws")
	is.Equal(release, "canary")
	stable, _ := open("/stable")
	canary, release := open("/canary")
	is.Equal(release, "canary")
	for range 2 {
		h.say(first, "x")
		is.Equal(h.frame(first), "stable")
		h.say(second, "x")
		is.Equal(h.frame(second), "canary")
	}
	h.say(canary, "x")
	is.Equal(h.frame(canary), "own")
	// Without it its sockets go on as the gateway's, where it has their path.
	half.Canary = nil
	is.NoErr(h.cloud.SetGateway(half))
	is.Equal(h.closing(canary), websocket.StatusGoingAway)
	h.say(second, "x")
	is.Equal(h.frame(second), "stable")
	h.say(stable, "x")
	is.Equal(h.frame(stable), "own")
	is.True(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, Spec: half.Spec, Canary: &yandex.Canary{Weight: 100}}) != nil)
}
