package aws_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/events"
)

// What differs from run to run, in what the cloud writes.
var (
	idPattern      = regexp.MustCompile(`[A-Za-z0-9_-]{18}==`)
	requestPattern = regexp.MustCompile(`[A-Za-z0-9_-]{15}=`)
	tracePattern   = regexp.MustCompile(`1-[0-9a-f]{8}-[0-9a-f]{24}`)
	hostPattern    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// plain puts ID, REQUEST, TRACE and HOST in the place of what differs.
func plain(text string) string {
	text = idPattern.ReplaceAllString(text, "ID")
	text = requestPattern.ReplaceAllString(text, "REQUEST")
	text = tracePattern.ReplaceAllString(text, "TRACE")
	return hostPattern.ReplaceAllString(text, "HOST")
}

func TestConnectEventBytes(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Stages[0].Variables = map[string]string{"table": "t<1>", "a": "b"}
	})
	h.raw(handshake)
	got := plain(string(h.call("connect").payload))
	headers := []string{
		`"Host":"HOST"`, `"Origin":"https://example.org"`, `"Sec-WebSocket-Key":"dGhlIHNhbXBsZSBub25jZQ=="`, `"Sec-WebSocket-Version":"13"`,
		`"User-Agent":"ua"`, `"X-Amzn-Trace-Id":"Root=TRACE"`, `"X-Forwarded-For":"127.0.0.1"`, `"X-Forwarded-Port":"443"`,
		`"X-Forwarded-Proto":"https"`, `"X-Probe":"one"`,
	}
	multi := slices.Clone(headers)
	for i, h := range multi {
		name, value, _ := strings.Cut(h, `":`)
		multi[i] = name + `":[` + value + `]`
	}
	want := `{"headers":{` + strings.Join(headers, ",") + `},"multiValueHeaders":{` + strings.Join(multi, ",") + `},` +
		`"queryStringParameters":{"q":"a+b c","token":"b"},"multiValueQueryStringParameters":{"q":["a+b c"],"token":["a","b"]},` +
		`"stageVariables":{"a":"b","table":"t<1>"},` +
		`"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"REQUEST","requestTime":"25/Sep/2026:00:22:29 +0000",` +
		`"messageDirection":"IN","stage":"dev","connectedAt":1790295749887,"requestTimeEpoch":1790295749887,` +
		`"identity":{"userAgent":"ua","sourceIp":"127.0.0.1"},"requestId":"REQUEST","domainName":"` + apiHost + `","connectionId":"ID",` +
		`"apiId":"` + apiID + `"},"isBase64Encoded":false}`
	is.Equal(got, strings.ReplaceAll(want, "dGhlIHNhbXBsZSBub25jZQ==", plain("dGhlIHNhbXBsZSBub25jZQ==")))
}

func TestConnectEventWithoutQueryAndAgent(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.raw("GET /dev HTTP/1.1\nHost: h\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n" +
		"X-Forwarded-For: 203.0.113.9\n\n")
	got := plain(string(h.call("connect").payload))
	is.True(!strings.Contains(got, "ueryStringParameters"))
	is.True(!strings.Contains(got, "stageVariables"))
	is.True(!strings.Contains(got, `"body"`))
	is.True(strings.Contains(got, `"identity":{"sourceIp":"127.0.0.1"}`))
	is.True(strings.Contains(got, `"X-Forwarded-For":"203.0.113.9, 127.0.0.1"`))
}

func TestHeadersAreSpelledAsSent(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.raw("GET /dev HTTP/1.1\nhost: h\nupgrade: websocket\nconnection: Upgrade\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\n" +
		"Sec-WebSocket-Version: 13\nauthorization: a\nX-API-Key: b\n\n")
	got := string(h.call("connect").payload)
	is.True(strings.HasPrefix(got, `{"headers":{"authorization":"a","Host":"h","sec-websocket-key":`)) // and sorted whatever the case
	is.True(strings.Contains(got, `"X-API-Key":"b"`))
	is.True(!strings.Contains(got, `"upgrade"`))
}

// A listener that does not keep what was sent leaves net/http's spelling, but for the headers of the RFC.
func TestHeadersOfAPlainListener(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.server.Config.ConnContext = nil
	h.server.Close()
	h.server = httptest.NewServer(h.server.Config.Handler)
	h.raw(strings.Replace(handshake, "X-Probe", "x-probe", 1))
	got := string(h.call("connect").payload)
	is.True(strings.Contains(got, `"X-Probe":"one"`))
	is.True(strings.Contains(got, `"Sec-WebSocket-Key":"`))
}

func TestRequestIDs(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, id := h.open("/dev")
	var e struct {
		RequestContext struct{ RequestID, ExtendedRequestID, ConnectionID string }
	}
	is.NoErr(json.Unmarshal(h.call("connect").payload, &e))
	is.Equal(e.RequestContext.RequestID, e.RequestContext.ExtendedRequestID)
	is.Equal(requestPattern.FindString(e.RequestContext.RequestID), e.RequestContext.RequestID)
	is.Equal(e.RequestContext.ConnectionID, id)
	is.Equal(idPattern.FindString(id), id) // 20 characters
}

func TestSwitchingHeaders(t *testing.T) {
	is := is.New(t)
	h := build(t)
	_, head := h.raw(handshake)
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(head, "\r", "")), "\n")
	is.Equal(lines[0], "HTTP/1.1 101 Switching Protocols")
	slices.Sort(lines[1:])
	is.Equal(lines[1:], []string{
		"Connection: Upgrade", "Date: Fri, 25 Sep 2026 00:22:29 GMT", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Upgrade: websocket",
	})
}

func TestNoCompression(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, a := h.dial("/dev", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	is.True(c != nil)
	is.Equal(a.header.Get("Sec-WebSocket-Extensions"), "")
}

func TestConnectBodyIsDropped(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("connect", says(`{"statusCode":"204","headers":{"X-Mine":"1"},"body":"hello"}`))
	c, a := h.dial("/dev", nil)
	is.True(c != nil)
	is.Equal(a.header.Get("X-Mine"), "") // only the subprotocol is forwarded
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "heard") // the first that the client hears
}

func TestConnectRefusalIsVerbatim(t *testing.T) {
	for _, status := range []int{403, 301, 401, 501} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			h.set("connect", says(fmt.Sprintf(`{"statusCode":%d,"headers":{"X-Mine":"1"},"body":"no <entry> \n"}`, status)))
			c, head := h.raw(handshake)
			lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(head, "\r", "")), "\n")
			is.True(strings.HasPrefix(lines[0], fmt.Sprintf("HTTP/1.1 %d ", status)))
			var names []string
			for _, l := range lines[1:] {
				name, value, _ := strings.Cut(l, ": ")
				names = append(names, name)
				switch name {
				case "Content-Type":
					is.Equal(value, "application/json; charset=UTF-8")
				case "Content-Length":
					is.Equal(value, "12")
				case "Connection":
					is.Equal(value, "keep-alive")
				case "x-amz-apigw-id":
					is.Equal(plain(value), "REQUEST")
				}
			}
			slices.Sort(names)
			is.Equal(names, []string{"Connection", "Content-Length", "Content-Type", "Date", "x-amz-apigw-id"})
			body := make([]byte, 12)
			_, err := c.in.Read(body)
			is.NoErr(err)
			is.Equal(string(body), "no <entry> \n")
			is.Equal(h.step(aws.StepRefused).Data["status"], status)
		})
	}
}

func TestRefusedConnectionHasNoDisconnect(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("connect", says(`{"statusCode":403}`))
	c, a := h.dial("/dev", nil)
	is.True(c == nil)
	is.Equal(a.status, 403)
	is.NoErr(h.cloud.Close(t.Context())) // whatever was to be invoked has been
	is.Equal(h.call("connect").function, "connect")
	is.Equal(len(h.calls), 0)
}

func TestConnectFailures(t *testing.T) {
	for name, test := range map[string]struct {
		f      function
		status int
	}{
		"raised":         {func(context.Context, []byte) (string, error) { return "", raises{"Error", "boom"} }, 502},
		"no object":      {says(`"fine"`), 502},
		"null":           {says(`null`), 502},
		"no status":      {says(`{"body":"x"}`), 502},
		"status of 100":  {says(`{"statusCode":101}`), 502},
		"body no string": {says(`{"statusCode":200,"body":{}}`), 502},
		"not there":      {func(context.Context, []byte) (string, error) { return "", runner.ErrNoFunction }, 500},
		"throttled":      {func(context.Context, []byte) (string, error) { return "", runner.ErrThrottled }, 500},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			h.set("connect", test.f)
			c, a := h.dial("/dev", nil)
			is.True(c == nil)
			is.Equal(a.status, test.status)
			is.Equal(plain(a.body), `{"message": "Internal server error", "connectionId":"ID", "requestId":"REQUEST"}`)
			is.Equal(requestPattern.FindString(a.header.Get("X-Amz-Apigw-Id")), a.header.Get("X-Amz-Apigw-Id"))
		})
	}
}

func TestConnectTimesOut(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) { a.Routes[0].Timeout = time.Second })
	release := make(chan struct{})
	h.set("connect", func(context.Context, []byte) (string, error) {
		<-release
		return `{"statusCode":200}`, nil
	})
	got := make(chan answer)
	go func() {
		_, a := h.dial("/dev", nil)
		got <- a
	}()
	h.pass(time.Second)
	is.Equal((<-got).status, 502)
	close(release)
}

func TestNoConnectRoute(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) { a.Routes = a.Routes[2:] })
	c, _ := h.open("/dev")
	h.say(c, `{"action":"echo"}`)
	is.Equal(h.frame(c), "heard")
}

func TestSubprotocol(t *testing.T) {
	offered := &websocket.DialOptions{Subprotocols: []string{"v1", "v2"}}
	for name, test := range map[string]struct{ answer, want string }{
		"chosen":       {`{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"v2"}}`, "v2"},
		"in any case":  {`{"statusCode":200,"headers":{"sec-websocket-protocol":"v1"}}`, "v1"},
		"multi":        {`{"statusCode":200,"multiValueHeaders":{"Sec-WebSocket-Protocol":["v2"]}}`, "v2"},
		"none of them": {`{"statusCode":200}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			h.set("connect", says(test.answer))
			c, a := h.dial("/dev", offered)
			is.True(c != nil)
			is.Equal(a.header.Get("Sec-WebSocket-Protocol"), test.want)
			is.True(strings.Contains(string(h.call("connect").payload), `"Sec-Websocket-Protocol":"v1,v2"`)) // as this client spells it
		})
	}
}

func TestGoneUntilConnectReturned(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("connect", func(_ context.Context, payload []byte) (string, error) {
		var e struct{ RequestContext struct{ ConnectionID string } }
		is.NoErr(json.Unmarshal(payload, &e))
		a := h.ask("POST", "/dev/@connections/"+e.RequestContext.ConnectionID, "early")
		is.Equal(a.status, 410)
		return `{"statusCode":200}`, nil
	})
	_, id := h.open("/dev")
	is.Equal(h.ask("POST", "/dev/@connections/"+id, "now").status, 200)
}

func TestWhyAPostFromConnectIsGone(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.set("connect", func(_ context.Context, payload []byte) (string, error) {
		var e struct{ RequestContext struct{ ConnectionID string } }
		is.NoErr(json.Unmarshal(payload, &e))
		h.ask("POST", "/dev/@connections/"+e.RequestContext.ConnectionID, "early")
		return `{"statusCode":200}`, nil
	})
	c, _ := h.dial("/dev", nil)
	is.True(c != nil)
	is.True(strings.Contains(h.step(aws.StepRefused).Text, "its $connect has not returned"))
}

func TestUnknownStage(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, a := h.dial("/"+apiID+"/nowhere", nil)
	is.True(c == nil)
	is.Equal(a.status, 403)
	is.Equal(a.body, `{"message":"Forbidden"}`)
}

func TestNoUpgrade(t *testing.T) {
	is := is.New(t)
	h := build(t)
	a := h.ask("GET", "/dev", "")
	is.Equal(a.status, 426)
	is.Equal(plain(a.body), `{"message": "Upgrade is not websocket", "connectionId":"ID", "requestId":"REQUEST"}`)
	is.Equal(len(h.calls), 0) // nobody was asked
}

func TestAPIKey(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) { a.Routes[0].APIKey = true })
	is.Equal(len(h.warns), 1)
	c, a := h.dial("/dev", nil)
	is.True(c == nil)
	is.Equal(a.status, 403)
	is.Equal(plain(a.body), `{"message": "Forbidden", "connectionId":"ID", "requestId":"REQUEST"}`)
	c, _ = h.dial("/dev", &websocket.DialOptions{HTTPHeader: map[string][]string{"X-Api-Key": {"any"}}})
	is.True(c != nil)
}

func TestNotEmulatedIntegration(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Routes[0] = template.Route{Key: "$connect", Integration: "MOCK", At: template.Place{File: "t.yaml", Line: 3}}
		a.Routes[2] = template.Route{Key: "$default", Integration: "HTTP_PROXY"}
	})
	is.Equal(len(h.warns), 0) // the template's notices say it
	c, a := h.dial("/dev", nil)
	is.True(c == nil)
	is.Equal(a.status, 501)
	is.True(strings.Contains(a.body, "not emulated: MOCK integration"))
}

func TestMockIntegration(t *testing.T) {
	is := is.New(t)
	hi := "hi"
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		for i, status := range []int{200, 200, 200} {
			a.Routes[i] = template.Route{Key: a.Routes[i].Key, Integration: "MOCK", Mock: &template.Mock{Status: status}}
		}
		a.Routes = append(a.Routes, template.Route{Key: "hi", Integration: "MOCK", Mock: &template.Mock{Status: 200, Body: &hi}, Reply: true})
	})
	c, id := h.open("/dev")
	h.say(c, "x")
	is.Equal(h.step(aws.StepMessage).Text, id+" sent 1 bytes; route $default: the message is not JSON; MOCK answered 200")
	h.say(c, `{"action":"hi"}`)
	is.Equal(h.frame(c), hi) // and nothing before it
	is.Equal(h.step(aws.StepMessage).Text, id+` sent 15 bytes; route hi: $request.body.action gave "hi"; MOCK answered 200; 2 bytes go back`)
	is.NoErr(c.Close(4000, "lunch"))
	is.Equal(h.step(events.StepClosed).Text, id+" closed with 4000 lunch")
	is.Equal(len(h.calls), 0)

	h = build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Routes[0] = template.Route{Key: "$connect", Integration: "MOCK", Mock: &template.Mock{Status: 403}}
	})
	refused, answer := h.dial("/dev", nil)
	is.True(refused == nil)
	is.Equal(answer.status, 403)
}

func TestSteps(t *testing.T) {
	is := is.New(t)
	h := build(t)
	c, id := h.open("/dev")
	h.say(c, `{"action":"echo"}`)
	s := h.step(aws.StepMessage)
	is.Equal(s.Who, apiID+"/dev")
	is.Equal(s.Text, id+` sent 17 bytes; route echo: $request.body.action gave "echo"; echo answered in 0s; 5 bytes go back`)
	is.Equal(s.Data, map[string]any{"bytes": 17, "route": "echo", "function": "echo", "duration_ms": int64(0), "request_id": "req", "connection_id": id})
	is.NoErr(c.Close(4000, "lunch"))
	s = h.step(events.StepClosed)
	is.Equal(s.Text, id+" closed with 4000 lunch; $disconnect: disconnect answered in 0s")
}
