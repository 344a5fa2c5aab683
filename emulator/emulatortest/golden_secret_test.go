package emulatortest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// What clients asked and said with secrets is a test once the secrets are given again; until then it is told which are missing, and where.
func TestGoldenWithSecrets(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "run.regcast.jsonl")
	out, err := os.Create(file)
	is.NoErr(err)
	functions := map[string]emulator.Function{"d4ecareful": function(func(_ context.Context, payload []byte) ([]byte, error) {
		var e struct {
			Body       string
			Parameters map[string]string `json:"queryStringParameters"`
			Headers    map[string]string
			Context    struct{ EventType string } `json:"requestContext"`
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, err
		}
		answer := map[string]any{"statusCode": 200, "body": "token=" + e.Parameters["token"]}
		if e.Context.EventType == "MESSAGE" && !strings.Contains(e.Body, `"open sesame"`) ||
			e.Context.EventType == "CONNECT" && e.Parameters["token"] != "first-one" && e.Parameters["token"] != "second-one" {
			answer = map[string]any{"statusCode": 403, "body": "no"}
		}
		return json.Marshal(answer)
	})}
	const spec = `
openapi: 3.0.0
info: {title: g, version: "1"}
paths:
  /ws:
    x-yc-apigateway-websocket-connect: &f {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4ecareful, service_account_id: aje}}
    x-yc-apigateway-websocket-message: *f
`
	em := emulatortest.Start(t, emulator.Config{
		Record: out, Frozen: true, Functions: functions,
		Gateways: []emulator.Gateway{{ID: "d5dcareful", File: emulator.File{Name: "client:spec", Data: []byte(spec)}}},
	})
	for _, token := range []string{"first-one", "second-one"} {
		s := em.Dial(strings.Replace(em.URL(), "http", "ws", 1) + "/gw/d5dcareful/ws?token=" + token)
		is.Equal(string(s.Read()), "token="+token)
		s.Write([]byte(`{"password":"open sesame"}`))
		is.Equal(string(s.Read()), "token=")
	}
	em.Flush()
	is.NoErr(em.EndRecord())
	is.NoErr(out.Close())

	// Another process has other markers.
	run, err := os.ReadFile(file)
	is.NoErr(err)
	run = regexp.MustCompile(`\[scrubbed:[0-9a-f]{8}`).ReplaceAllFunc(run, func(m []byte) []byte {
		slices.Reverse(m[len("[scrubbed:"):])
		return m
	})
	is.NoErr(os.WriteFile(file, run, 0o600))
	markers := func(behind string) (found []string) {
		for _, m := range regexp.MustCompile(behind+`\[scrubbed:([0-9a-f]{8})\]`).FindAllStringSubmatch(string(run), -1) {
			found = append(found, m[1])
		}
		return found
	}
	tokens, passwords := markers(`"url":"/ws\?token=`), markers(`password\\":\\"`)
	is.Equal(len(tokens), 2)
	is.True(tokens[0] != tokens[1])

	v := golden(t, file, emulatortest.GoldenOptions{Functions: functions})
	is.True(v.failed)
	for _, says := range []string{"answered 403", "[scrubbed:" + tokens[0] + "] in its URL", "Secrets"} {
		if !strings.Contains(v.said, says) {
			t.Errorf("it does not say %q:\n%s", says, v.said)
		}
	}
	v = golden(t, file, emulatortest.GoldenOptions{Functions: functions, Secrets: map[string]string{
		tokens[0]: "first-one", tokens[1]: "second-one", passwords[0]: "open sesame",
	}})
	if v.failed || strings.Contains(v.said, "first-one") {
		t.Error(v.said)
	}
	// Who is somebody else now does not say the same.
	v = golden(t, file, emulatortest.GoldenOptions{Functions: functions, Secrets: map[string]string{
		tokens[0]: "first-one", tokens[1]: "first-one", passwords[0]: "open sesame",
	}})
	if !v.failed || !strings.Contains(v.said, "elsewhere these ids stand for others") {
		t.Error(v.said)
	}
}
