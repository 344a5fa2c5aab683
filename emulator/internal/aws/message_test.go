package aws_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
)

func TestMessageEventBytes(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.raw(handshake)
	c.send(t, ws.NewTextFrame([]byte(`{"action":"x", "s":"<&>"}`)))
	got := plain(string(h.call("default").payload))
	is.Equal(got, `{"requestContext":{"routeKey":"$default","messageId":"ID","eventType":"MESSAGE","extendedRequestId":"REQUEST",`+
		`"requestTime":"25/Sep/2026:00:22:29 +0000","messageDirection":"IN","stage":"dev","connectedAt":1790295749887,"requestTimeEpoch":1790295749887,`+
		`"identity":{"userAgent":"ua","sourceIp":"127.0.0.1"},"requestId":"REQUEST","domainName":"`+apiHost+`","connectionId":"ID","apiId":"`+apiID+`"},`+
		`"body":"{\"action\":\"x\", \"s\":\"<&>\"}","isBase64Encoded":false}`)
}

func TestMessageHasStageVariables(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Stages[0].Variables = map[string]string{"k": "v"}
	})
	c, _ := h.open("/dev")
	h.say(c, "x")
	is.True(strings.HasPrefix(string(h.call("default").payload), `{"stageVariables":{"k":"v"},"requestContext":`))
}

func TestMessageIDSharesTheTail(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	h.say(c, "x")
	var e struct{ RequestContext struct{ MessageID string } }
	is.NoErr(json.Unmarshal(h.call("default").payload, &e))
	is.Equal(len(e.RequestContext.MessageID), len(id))
	is.Equal(e.RequestContext.MessageID[10:], id[10:])
	is.True(e.RequestContext.MessageID != id)
}

func TestReply(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("echo", func(_ context.Context, payload []byte) (string, error) {
		var e struct{ Body string }
		is.NoErr(json.Unmarshal(payload, &e))
		return `{"statusCode":200,"body":"got ж"}`, nil
	})
	c, _ := h.open("/dev")
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "got ж")
}

func TestNoReplyWithoutRouteResponse(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("default", says(`{"statusCode":500,"body":"unheard"}`)) // silent, whatever it says
	c, _ := h.open("/dev")
	h.say(c, "x")
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "no route response"))
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "heard")
}

const internalError = `{"message": "Internal server error", "connectionId":"ID", "requestId":"REQUEST"}`

func TestHandlerErrorFrame(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("default", func(context.Context, []byte) (string, error) { return "", raises{"Error", "boom"} }) // one-way
	h.set("echo", func(context.Context, []byte) (string, error) { return "", raises{"Error", "boom"} })
	c, _ := h.open("/dev")
	h.say(c, "x")
	is.Equal(plain(h.frame(c)), internalError)
	h.say(c, `{"action":"echo"}`)
	is.Equal(plain(h.frame(c)), internalError)
	h.set("echo", says(`{"statusCode":200,"body":"open"}`))
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "open") // the socket stays
}

func TestTwoWayRouteWithBadStatus(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, _ := h.open("/dev")
	for _, answer := range []string{`{"statusCode":400,"body":"x"}`, `"x"`} {
		h.set("echo", says(answer))
		h.say(c, `{"action":"echo"}`)
		is.Equal(plain(h.frame(c)), internalError)
	}
}

func TestThrottledFrame(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("default", func(context.Context, []byte) (string, error) { return "", runner.ErrThrottled })
	c, _ := h.open("/dev")
	h.say(c, "x")
	is.Equal(plain(h.frame(c)), internalError)
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "throttled"))
}

func TestRouteWithANotEmulatedIntegration(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Routes[2] = template.Route{Key: "$default", Integration: "HTTP_PROXY"}
		a.Routes = append(a.Routes, template.Route{Key: "elsewhere", Integration: "AWS_PROXY"}, template.Route{Key: "aimless"})
	})
	c, _ := h.open("/dev")
	h.say(c, "x")
	is.Equal(plain(h.frame(c)), internalError)
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "not emulated: HTTP_PROXY integration"))
	h.say(c, `{"action":"elsewhere"}`)
	is.Equal(plain(h.frame(c)), internalError)
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "not emulated: functions that are not in the template"))
	h.say(c, `{"action":"aimless"}`)
	is.Equal(plain(h.frame(c)), internalError)
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "the route has no target"))
}

func TestReplyWithoutBody(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("echo", says(`{"statusCode":200}`))
	c, _ := h.open("/dev")
	h.say(c, `{"action":"echo"}`)
	is.True(strings.Contains(h.step(aws.StepMessage).Text, "without a body"))
	h.set("echo", says(`{"statusCode":200,"body":"next"}`))
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "next")
}

func TestIntegrationTimeout(t *testing.T) {
	is := is.New(t)
	h := build(t)
	release, ran := make(chan struct{}), make(chan error, 1)
	h.set("default", func(ctx context.Context, _ []byte) (string, error) {
		<-release
		ran <- ctx.Err()
		return "", nil
	})
	c, _ := h.open("/dev")
	h.say(c, "x")
	h.call("connect")
	h.call("default")
	h.pass(29 * time.Second) // that of $connect
	h.pass(29 * time.Second)
	is.Equal(plain(h.frame(c)), internalError)
	close(release)
	is.NoErr(<-ran) // the function was not broken off
}

func TestForbiddenFrame(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Routes = []template.Route{a.Routes[0], a.Routes[3]} // no $default
	})
	c, _ := h.open("/dev")
	h.say(c, `{"action":"unknown"}`)
	is.Equal(plain(h.frame(c)), `{"message": "Forbidden", "connectionId":"ID", "requestId":"REQUEST"}`)
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "heard") // the socket stays
}

func TestMessagesAreDispatchedConcurrently(t *testing.T) {
	is := is.New(t)
	h := build(t)
	release := make(chan struct{})
	h.set("default", func(context.Context, []byte) (string, error) {
		<-release
		return `{"statusCode":200}`, nil
	})
	c, _ := h.open("/dev")
	for range 3 {
		h.say(c, "x")
	}
	for range 3 {
		h.call("default") // all three are there before one has answered
	}
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "heard") // and a later one overtakes them
	close(release)
}

// A client that says more than its functions take is not read on, and is served when they have.
func TestMessagesOfAConnectionAreBounded(t *testing.T) {
	is := is.New(t)
	h := build(t)
	release := make(chan struct{})
	h.set("default", func(context.Context, []byte) (string, error) {
		<-release
		return `{"statusCode":200}`, nil
	})
	c, _ := h.open("/dev")
	const bound, more = 100, 20
	for range bound + more {
		h.say(c, "x")
	}
	for range bound {
		h.call("default")
	}
	other, _ := h.open("/dev")
	h.say(other, `{"action":"echo"}`)
	is.Equal(h.frame(other), "heard")
	h.call("echo")
	is.Equal(len(h.calls), 0) // nothing more of the first
	close(release)
	for range more {
		h.call("default")
	}
}
