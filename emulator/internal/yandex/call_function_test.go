package yandex_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

func TestRawInvocation(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, "", f.wire)
	f.answers <- says(`{"statusCode": 500}`)
	a := api(t, h.cloud.ServeFunctions, "POST", "/functions/d4emine?integration=raw&tag=$latest", "any\xff")
	got := <-f.requests
	is.Equal(string(got.Payload), "any\xff") // the argument as it is
	is.Equal([]any{a.status, a.body}, []any{200, `{"statusCode": 500}`})
	is.Equal([]string{a.header.Get("Content-Type"), a.header.Get("X-Request-Id"), a.header.Get("X-Function-Id"), a.header.Get("X-Function-Error")},
		[]string{"application/json", got.ID, its, ""})
	is.True(regexp.MustCompile(`^d4e[0-9a-v]{17}$`).MatchString(a.header.Get("X-Function-Version-Id")))
	f.answers <- says("hello")
	a = api(t, h.cloud.ServeFunctions, "POST", "/functions/d4emine/?integration=raw", "")
	is.Equal([]string{a.header.Get("Content-Type"), a.body}, []string{"text/plain; charset=utf-8", "hello"})
}

func TestWrappedInvocation(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, "", f.wire)
	f.answers <- says(`{"statusCode": 201, "headers": {"X-One": "1", "X-Request-Id": "no"}, "body": "hi"}`)
	a := api(t, h.cloud.ServeFunctions, "POST", "http://f.example/functions/d4emine?a=1&a=2&b=1", "hello, world!",
		"User-Agent", "tester", "Authorization", "Bearer x", "Cookie", "a=b", "Te", "x", "X-Mine", "yes")
	got := <-f.requests
	is.Equal([]any{a.status, a.body, a.header.Get("X-One"), a.header.Get("X-Request-Id")}, []any{201, "hi", "1", got.ID})
	got.Payload = []byte(strings.ReplaceAll(string(got.Payload), "192.0.2.1:1234", "127.0.0.1:1234")) // as eventOf wants it
	same(t, eventOf(t, got), `{"httpMethod": "POST", "path": "", "url": "",
		"headers": {"User-Agent": "tester", "X-Mine": "yes"}, "queryStringParameters": {"a": "2", "b": "1"},
		"params": {}, "pathParams": {}, "body": "aGVsbG8sIHdvcmxkIQ==", "isBase64Encoded": true,
		"requestContext": {"identity": {"sourceIp": "192.0.2.1", "userAgent": "tester"}, "httpMethod": "POST",
			"requestTime": "4/Mar/2025:05:06:07 +0000", "requestTimeEpoch": 1741064767}}`)

	f.answers <- says(`{}`)
	api(t, h.cloud.ServeFunctions, "PUT", "/functions/d4emine", `{"a": 1}`, "Content-Type", "application/json")
	var e map[string]any
	is.NoErr(json.Unmarshal((<-f.requests).Payload, &e))
	is.Equal([]any{e["body"], e["isBase64Encoded"], e["httpMethod"]}, []any{`{"a": 1}`, false, "PUT"})
}

func TestInvocationsThatFail(t *testing.T) {
	for _, tc := range []struct {
		name, path, body string
		answer           result
		status           int
		user             bool // X-Function-Error
		want             string
	}{
		{"error", "d4emine?integration=raw", "", failing(boom), 502, true, `{"errorMessage":"no","errorType":"UserCodeError"}`},
		{"panic", "d4emine", "", failing(`{"errorMessage":"no","errorType":"x","stackTrace":["main.go:1"]}`), 502, true,
			`{"errorMessage":"no","errorType":"UserCodePanic","stackTrace":["main.go:1"]}`},
		{"a stack of objects", "d4emine", "", failing(`{"errorMessage":"no","errorType":"x","stackTrace":[{"path":"main.go","line":7,"label":"main"},["odd"]]}`), 502, true,
			`{"errorMessage":"no","errorType":"UserCodePanic","stackTrace":["main (main.go:7)","[\"odd\"]"]}`},
		{"no answer", "d4emine", "", says(`hello`), 502, true,
			`{"errorMessage":"Malformed serverless function response: not a valid json","errorType":"ProxyIntegrationError","payload":"hello"}`},
		{"timeout", "d4emine?integration=raw", "", failing(`{"errorMessage":"2025 x Task timed out after 3.00 seconds"}`), 504, true,
			`{"errorMessage":"2025 x Task timed out after 3.00 seconds","errorType":"Timeout"}`},
		{"throttled", "d4emine?integration=raw", "", result{err: runner.ErrThrottled}, 429, false,
			`{"errorCode":429,"errorMessage":"too many requests: every environment of the function is busy","errorType":"ClientError"}`},
		{"closed", "d4emine?integration=raw", "", result{err: runner.ErrClosed}, 503, false, `{"errorCode":503,"errorMessage":"runner: closed","errorType":"ServerError"}`},
		{"unknown", "d4emin?integration=raw", "", result{}, 404, false,
			`{"errorCode":404,"errorMessage":"function not found: got \"d4emin\", which is no function here; want one of d4emine, d4eother","errorType":"ClientError"}`},
		{"gone", "d4eother?integration=raw", "", result{}, 404, false,
			`{"errorCode":404,"errorMessage":"function not found: got \"d4eother\", which is no function here; want one of d4emine, d4eother","errorType":"ClientError"}`},
		{"too large", "d4emine?integration=raw", strings.Repeat("x", yandex.MaxPayload+1), result{}, 413, false,
			`{"errorCode":413,"errorMessage":"payload too large: over 3670016 bytes","errorType":"ClientError"}`},
		{"too large when wrapped", "d4emine", strings.Repeat("x", yandex.MaxPayload*3/4), result{}, 413, false, ``},
		{"integration", "d4emine?integration=cooked", "", result{}, 400, false, `{"errorCode":400,"errorMessage":"integration: got \"cooked\", want raw","errorType":"ClientError"}`},
		{"async", "d4emine?integration=async", "", result{}, 501, false, `{"errorCode":501,"errorMessage":"not emulated: integration=async","errorType":"ClientError"}`},
		{"tag", "d4emine?tag=old", "", result{}, 501, false, `{"errorCode":501,"errorMessage":"not emulated: tags of versions; emulated: $latest","errorType":"ClientError"}`},
		{"the management API", "v1/functions", "", result{}, 501, false, `{"errorCode":501,"errorMessage":"not emulated: /functions/v1/functions","errorType":"ClientError"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			f := newFunction()
			h := build(t, "", f.wire)
			f.answers <- tc.answer
			a := api(t, h.cloud.ServeFunctions, "POST", "/functions/"+tc.path, tc.body)
			is.Equal(a.status, tc.status)
			if tc.want != "" {
				is.Equal(a.body, tc.want)
			}
			is.Equal(a.header.Get("X-Function-Error") == "true", tc.user)
			is.Equal(a.header.Get("Content-Type"), "application/json")
			is.True(a.header.Get("X-Request-Id") != "")
		})
	}
}

// Whatever a function returns or fails with, it becomes an answer.
func FuzzAnswer(f *testing.F) {
	room := gateway.New(gateway.Options{})
	f.Cleanup(func() { _ = room.Close(context.Background()) })
	for _, s := range []string{`{"statusCode":200,"headers":{"a":"b"},"multiValueHeaders":{"a":["c"]},"body":"x"}`, `{"body":"YQ==","isBase64Encoded":true}`,
		boom, `{"stackTrace":[1],"errorType":2}`, `null`, `[]`, "\xff", `{"statusCode":1e9}`, `{"headers":{"":"\n","Via":""}}`} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, fails bool) {
		cloud := yandex.New(yandex.Options{Gateway: room, Functions: func() []string { return []string{its} },
			Invoke: func(context.Context, string, runner.Request) (runner.Response, error) {
				res := runner.Response{Payload: bytes.Clone(payload)}
				if fails {
					res.FunctionError = "Unhandled"
				}
				return res, nil
			}})
		w := httptest.NewRecorder()
		cloud.ServeFunctions(w, httptest.NewRequest("POST", "/functions/d4emine", nil))
		if w.Code < 200 || w.Code > 599 || fails && w.Code != 502 && w.Code != 504 {
			t.Fatalf("got %d", w.Code)
		}
		if (fails || w.Code == 502) && w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) && w.Header().Get("X-Function-Error") != "" {
			t.Fatalf("an error that is no JSON: %q", w.Body)
		}
	})
}
