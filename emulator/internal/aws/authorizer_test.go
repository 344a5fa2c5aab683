package aws_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

const methodARN = "arn:aws:execute-api:us-east-1:" + account + ":" + apiID + "/dev/$connect"

// guarded is a house whose $connect has an authorizer with these identity sources.
func guarded(t *testing.T, sources ...string) *house {
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Stages[0].Variables = map[string]string{"set": "yes", "empty": ""}
		a.Routes[0].Authorizer = &template.Authorizer{Name: "Auth", Function: "auth", IdentitySources: sources}
	})
	h.set("auth", says(verdict(`"Effect":"Allow","Action":"execute-api:Invoke","Resource":"`+methodARN+`"`, `{}`)))
	return h
}

func verdict(statement, context string) string {
	return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{` + statement + `}]},"context":` + context + `}`
}

func allow(context string) string {
	return verdict(`"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"`, context)
}

func TestAuthorizerEventBytes(t *testing.T) {
	is := is.New(t)
	h := guarded(t)
	h.raw(strings.Replace(handshake, "Origin: https://example.org\n", "", 1))
	got := plain(string(h.call("auth").payload))
	is.Equal(got, strings.ReplaceAll(`{"type":"REQUEST","methodArn":"`+methodARN+`",`+
		`"headers":{"Connection":"upgrade","content-length":"0","Host":"HOST","Sec-WebSocket-Key":"KEY","Sec-WebSocket-Version":"13",`+
		`"Upgrade":"websocket","User-Agent":"ua","X-Amzn-Trace-Id":"Root=TRACE","X-Forwarded-For":"127.0.0.1","X-Forwarded-Port":"443",`+
		`"X-Forwarded-Proto":"https","X-Probe":"one"},`+
		`"multiValueHeaders":{"Connection":["upgrade"],"content-length":["0"],"Host":["HOST"],"Sec-WebSocket-Key":["KEY"],"Sec-WebSocket-Version":["13"],`+
		`"Upgrade":["websocket"],"User-Agent":["ua"],"X-Amzn-Trace-Id":["Root=TRACE"],"X-Forwarded-For":["127.0.0.1"],"X-Forwarded-Port":["443"],`+
		`"X-Forwarded-Proto":["https"],"X-Probe":["one"]},`+
		`"queryStringParameters":{"q":"a+b c","token":"b"},"multiValueQueryStringParameters":{"q":["a+b c"],"token":["a","b"]},`+
		`"stageVariables":{"empty":"","set":"yes"},`+
		`"requestContext":{"routeKey":"$connect","eventType":"CONNECT","extendedRequestId":"REQUEST","requestTime":"25/Sep/2026:00:22:29 +0000",`+
		`"messageDirection":"IN","stage":"dev","connectedAt":1790295749887,"requestTimeEpoch":1790295749887,"identity":{"userAgent":"ua",`+
		`"sourceIp":"127.0.0.1"},"requestId":"REQUEST","domainName":"`+apiHost+`","connectionId":"ID","apiId":"`+apiID+`"}}`,
		"KEY", plain("dGhlIHNhbXBsZSBub25jZQ==")))
	event := string(h.call("connect").payload)
	is.True(!strings.Contains(event, `"Upgrade"`)) // the integration does not see them
	is.True(!strings.Contains(event, `"content-length"`))
}

func TestAuthorizerContextIsInAllEvents(t *testing.T) {
	is := is.New(t)
	h := guarded(t)
	h.set("auth", func(context.Context, []byte) (string, error) {
		h.clock.Advance(15 * time.Millisecond)
		return allow(`{"s":"<x>","n":7,"f":1.50,"yes":true,"no":false,"none":null,"empty":""}`), nil
	})
	c, _ := h.open("/dev")
	values := `"empty":"","f":"1.50","n":"7","no":"false","principalId":"me","s":"<x>","yes":"true"}`
	connect := string(h.call("connect").payload)
	is.True(strings.Contains(connect, `"routeKey":"$connect","authorizer":{"empty":"","f":"1.50","integrationLatency":15,"n":"7",`)) // a number, and here alone
	h.say(c, "x")
	is.True(strings.Contains(string(h.call("default").payload), `"routeKey":"$default","authorizer":{`+values+`,"messageId":`))
	is.NoErr(c.Close(1000, ""))
	is.True(strings.Contains(string(h.call("disconnect").payload), `"disconnectStatusCode":1000,"authorizer":{`+values+`,"eventType":`))
}

func TestAuthorizerIdentitySources(t *testing.T) {
	for _, test := range []struct {
		sources string
		status  int
	}{
		{"route.request.header.X-Who", 101},
		{"route.request.header.x-who", 101},
		{"route.request.querystring.token", 101},
		{"stageVariables.set context.connectionId context.identity.sourceIp context.stage", 101},
		{"route.request.header.X-Who route.request.header.Missing", 401},
		{"route.request.header.X-Empty", 401},
		{"route.request.querystring.empty", 401},
		{"route.request.querystring.Token", 401},
		{"stageVariables.empty", 401},
		{"context.nothing", 401},
	} {
		t.Run(test.sources, func(t *testing.T) {
			is := is.New(t)
			h := guarded(t, strings.Fields(test.sources)...)
			_, a := h.dial("/dev?token=&token=x&empty=", &websocket.DialOptions{
				HTTPHeader: map[string][]string{"X-Who": {"me"}, "X-Empty": {""}},
			})
			is.Equal(a.status, test.status)
			if test.status == 401 {
				is.Equal(plain(a.body), `{"message": "Unauthorized", "connectionId":"ID", "requestId":"REQUEST"}`)
				is.Equal(len(h.calls), 0) // the authorizer is not asked
			}
		})
	}
}

func TestAuthorizerVerdicts(t *testing.T) {
	const (
		denied     = `User is not authorized to access this resource with an explicit deny in an identity-based policy`
		notAllowed = `User is not authorized to access this resource because no identity-based policy allows the execute-api:Invoke action`
	)
	policy := func(statement string) function { return says(verdict(statement, `{}`)) }
	raise := func(message string) function {
		return func(context.Context, []byte) (string, error) { return "", raises{"Error", message} }
	}
	for name, test := range map[string]struct {
		f       function
		status  int
		message string
	}{
		"allow":                {policy(`"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + methodARN + `"`), 101, ""},
		"allow in lists":       {policy(`"Effect":"Allow","Action":["x:y","execute-api:*"],"Resource":["z","arn:aws:execute-api:*:*:` + apiID + `/*"]`), 101, ""},
		"allow by ?":           {policy(`"Effect":"Allow","Action":"EXECUTE-API:INVOKE","Resource":"` + strings.Replace(methodARN, "dev", "d?v", 1) + `"`), 101, ""},
		"no principal":         {says(`{"policyDocument":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}`), 101, ""},
		"principal of number":  {says(strings.Replace(allow(`{}`), `"me"`, `7`, 1)), 101, ""},
		"null in the context":  {says(allow(`{"a":null}`)), 101, ""},
		"deny":                 {policy(`"Effect":"Deny","Action":"execute-api:Invoke","Resource":"*"`), 403, denied},
		"deny beside allow":    {policy(`"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*"`), 403, denied},
		"another resource":     {policy(`"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + methodARN + `x"`), 403, notAllowed},
		"another action":       {policy(`"Effect":"Allow","Action":"execute-api:ManageConnections","Resource":"*"`), 403, notAllowed},
		"no statements":        {says(`{"principalId":"me","policyDocument":{"Statement":[]}}`), 403, notAllowed},
		"raises Unauthorized":  {raise("Unauthorized"), 401, "Unauthorized"},
		"raises anything else": {raise("boom"), 500, ""},
		"simple response":      {says(`{"isAuthorized":true}`), 500, ""},
		"no object":            {says(`"yes"`), 500, ""},
		"strange effect":       {policy(`"Effect":"Maybe","Action":"*","Resource":"*"`), 500, ""},
		"no action":            {policy(`"Effect":"Allow","Resource":"*"`), 500, ""},
		"not emulated":         {policy(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{}`), 500, ""},
		"nested principal":     {says(strings.Replace(allow(`{}`), `"me"`, `{}`, 1)), 500, ""},
		"nested context":       {says(allow(`{"a":{}}`)), 500, ""},
		"list in the context":  {says(allow(`{"a":[]}`)), 500, ""},
		"scalar context":       {says(allow(`"a"`)), 500, ""},
		"over 8 KB":            {says(allow(fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", 8<<10)))), 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := guarded(t)
			h.set("auth", test.f)
			_, a := h.dial("/dev", nil)
			is.Equal(a.status, test.status)
			if test.status != 101 {
				is.Equal(plain(a.body), `{"message": "`+test.message+`", "connectionId":"ID", "requestId":"REQUEST"}`)
				is.Equal(a.header.Get("Content-Type"), "application/json; charset=UTF-8")
				h.call("auth")
				is.Equal(len(h.calls), 0) // $connect is not asked
			}
		})
	}
}

func TestPermits(t *testing.T) {
	for _, test := range []struct {
		resource string
		want     bool
	}{
		{"*", true},
		{"arn:aws:execute-api:*:*:*/@connections/*", true},
		{"arn:aws:execute-api:us-east-1:1:api/dev/*", true},
		{"arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections/{connectionId}", true},
		{"arn:aws:execute-api:us-east-1:1:api/*/POST/@connections/*", true},
		{"arn:aws:execute-api:us-east-1:1:api/dev/GET/@connections/*", false},
		{"arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections", false},
		{"arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections/gbgHN0-zjQAYKEjhgA==", false}, // one id never matches
		{"arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections/{connectionId}?", false},
		{"arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections/{connectionId}*", true},
		{"", false},
	} {
		is := is.New(t)
		is.Equal(aws.Permits([]template.Statement{{Effect: "Allow", Actions: []string{"execute-api:ManageConnections"}, Resources: []string{test.resource}}},
			"execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:1:api/dev/POST/@connections/{connectionId}"), test.want)
	}
}

// An authorizer whose function is not in the template lets nobody in, and does not keep the rest from working.
func TestAuthorizerElsewhere(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Routes[0].Authorizer = &template.Authorizer{Name: "Auth"}
	})
	_, refused := h.dial("/dev", nil)
	is.Equal(refused.status, 500)
}
