package yandex_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const chatSpec = `openapi: 3.0.0
info: {title: chat, version: 1.0.0}
x-yc-apigateway:
  service_account_id: ajemine
paths:
  /rooms/{room}:
    parameters:
      - $ref: '#/components/parameters/Room'
    x-yc-apigateway-websocket-connect:
      operationId: come
      parameters:
        - {name: X-Yc-Apigateway-Websocket-Connection-Id, in: header, schema: {type: string}}
        - {name: name, in: query, schema: {type: string, default: nobody}}
      x-yc-apigateway-integration:
        type: dummy
        http_code: 200
        http_headers: {Content-Type: text/plain}
        content:
          '*': "hello {name} in {room}, you are {X-Yc-Apigateway-Websocket-Connection-Id}"
    x-yc-apigateway-websocket-message:
      x-yc-apigateway-integration:
        $ref: '#/components/x-yc-apigateway-integrations/Echo'
    x-yc-apigateway-websocket-disconnect:
      x-yc-apigateway-integration: {type: dummy}
  /news:
    get:
      summary: plain HTTP
      x-yc-apigateway-integration:
        type: dummy
        content:
          text/plain: news
          application/json: '{"news": true}'
components:
  parameters:
    Room: {name: room, in: path, required: true, schema: {type: string}}
  x-yc-apigateway-integrations:
    Echo:
      type: dummy
      content: {application/json: '{"room": "{room}"}'}
`

func TestSpecIsRead(t *testing.T) {
	is := is.New(t)
	spec, err := yandex.ParseSpec("s", []byte(chatSpec))
	is.NoErr(err)
	is.Equal(len(spec.Warnings), 0)
	is.Equal([]string{spec.Paths[0].Key, spec.Paths[1].Key}, []string{"/news", "/rooms/{room}"}) // fixed paths first
	room := spec.Paths[1]
	is.True(room.Socket() && !spec.Paths[0].Socket())
	is.Equal(room.Connect.Parameters, []yandex.Parameter{
		{Name: "room", In: "path"},
		{Name: "X-Yc-Apigateway-Websocket-Connection-Id", In: "header"},
		{Name: "name", In: "query", Default: "nobody"},
	})
	is.Equal(*room.Message.Dummy, yandex.Dummy{Status: 200, Content: []yandex.Content{{Type: "application/json", Body: `{"room": "{room}"}`}}})
	is.Equal(*room.Disconnect.Dummy, yandex.Dummy{Status: 200})
	is.Equal(len(spec.Paths[0].Methods["GET"].Dummy.Content), 2)
}

func TestSpecInJSONReadsTheSame(t *testing.T) {
	is := is.New(t)
	spec, err := yandex.ParseSpec("s.json", []byte(`{"openapi": "3.0.0", "paths": {"/ws": {
		"x-yc-apigateway-websocket-message": {"x-yc-apigateway-integration": {"type": "dummy", "http_code": 200,
			"content": {"*": "smile \ud83d\ude00, backslash \\ud83d"}}}}}}`))
	is.NoErr(err)
	is.Equal(spec.Paths[0].Message.Dummy.Content, []yandex.Content{{Type: "*", Body: `smile 😀, backslash \ud83d`}})
}

func TestWrongSpecsAreRefusedWithFileAndLine(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           []string
	}{
		{"version", "openapi: 3.0.0", "openapi: 2.0", []string{`s.yaml:1: openapi: got "2.0", want 3.0.0`}},
		{"no version", "openapi: 3.0.0\n", "", []string{`s.yaml:1: openapi: got nothing, want 3.0.0`}},
		{"misspelt socket operation", "websocket-connect:", "websocket-conect:", []string{
			`s.yaml:9: paths./rooms/{room}.x-yc-apigateway-websocket-conect: unknown field, want x-yc-apigateway-websocket-connect`}},
		{"misspelt method", "    get:", "    gett:", []string{`s.yaml:26: paths./news.gett: unknown field, want get`}},
		{"misspelt operation field", "operationId", "operationID",
			[]string{`s.yaml:10: paths./rooms/{room}.x-yc-apigateway-websocket-connect.operationID: unknown field, want operationId`}},
		{"integration of another name", "type: dummy\n        http_code", "type: cloud_function\n        http_code", []string{
			`s.yaml:15: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.type: got "cloud_function", want cloud_functions`}},
		{"no type", "type: dummy\n        http_code", "http_code", []string{
			`s.yaml:14: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.type: got nothing, want one of ` +
				`dummy, cloud_functions, serverless_containers, http, object_storage, cloud_datasphere, cloud_datastreams, cloud_ymq, cloud_ydb`}},
		{"code and header and content", "http_code: 200\n        http_headers: {Content-Type: text/plain}\n        content:\n          '*'",
			"http_code: 99\n        http_headers: {'Content Type': text/plain}\n        content:\n          text", []string{
				`s.yaml:16: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.http_code: got "99", want a whole number from 200 to 599`,
				`s.yaml:17: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.http_headers.Content Type: got the header name "Content Type", want letters, digits, - and _`,
				`s.yaml:19: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.content.text: got the key "text", want a media type such as application/json, or *`}},
		{"place of a parameter", "in: query", "in: body", []string{
			`s.yaml:13: paths./rooms/{room}.x-yc-apigateway-websocket-connect.parameters[1].in: got "body", want one of path, query, header, cookie`}},
		{"parameter twice", "{name: name, in: query,", "{name: X-Yc-Apigateway-Websocket-Connection-Id, in: header,", []string{
			`s.yaml:13: paths./rooms/{room}.x-yc-apigateway-websocket-connect.parameters[1]: got the header parameter X-Yc-Apigateway-Websocket-Connection-Id twice, want it once`}},
		{"reference to nowhere", "integrations/Echo'", "integrations/Ech'", []string{
			`s.yaml:22: paths./rooms/{room}.x-yc-apigateway-websocket-message.x-yc-apigateway-integration.$ref: got "#/components/x-yc-apigateway-integrations/Ech", want a place in this file`}},
		{"reference out of the file", "'#/components/parameters/Room'", "'other.yaml#/Room'", []string{
			`s.yaml:8: paths./rooms/{room}.parameters[0].$ref: not emulated: a reference out of the file; emulated: #/…`}},
		{"reference to itself", "Room: {name: room, in: path, required: true, schema: {type: string}}", "Room: {$ref: '#/components/parameters/Room'}", []string{
			`s.yaml:35: components.parameters.Room: got references more than 8 deep, want fewer`}},
		{"socket operation without integration", "      x-yc-apigateway-integration: {type: dummy}\n", "      summary: nothing\n", []string{
			`s.yaml:23: paths./rooms/{room}.x-yc-apigateway-websocket-disconnect: got no x-yc-apigateway-integration, want one`}},
		{"path twice", "  /news:", "  /rooms/{room}:", []string{
			`s.yaml:25: paths./rooms/{room}: got it twice, the first time in line 6; want it once`}},
		{"not one document", "components:", "---\ncomponents:", []string{`s.yaml:1: got 2 documents, want one`}},
		{"not YAML", "info: {", "info: {{", []string{`s.yaml:3: got what is neither YAML nor JSON: did not find expected ',' or '}'`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := yandex.ParseSpec("s.yaml", []byte(edit(t, chatSpec, tc.old, tc.new)))
			var fe *yandex.FileError
			is.True(errors.As(err, &fe)) // a FileError
			if !slices.Equal(fe.Problems, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(tc.want, "\n"))
			}
		})
	}
	for text, want := range map[string]string{
		"":                                      "s:1: got 0 documents, want one",
		"openapi: 3.0.0":                        "s:1: paths: got nothing, want at least one path",
		"openapi: 3.0.0\npaths: {}":             "s:2: paths: got an empty mapping, want at least one path",
		"openapi: 3.0.0\npaths: [a]":            "s:2: paths: got a list, want a mapping",
		"openapi: 3.0.0\npaths: {/a: {get: 1}}": `s:2: paths./a.get: got "1", want a mapping`,
		"- openapi":                             "s:1: got a list, want a mapping",
	} {
		is := is.New(t)
		_, err := yandex.ParseSpec("s", []byte(text))
		is.True(err != nil)
		is.Equal(err.Error(), want)
	}
}

func TestWhatIsNotEmulatedIsWarnedOf(t *testing.T) {
	for _, tc := range []struct{ name, old, new, want string }{
		{"integration", "type: dummy\n        http_code", "type: object_storage\n        http_code",
			`s:15: paths./rooms/{room}.x-yc-apigateway-websocket-connect.x-yc-apigateway-integration.type: not emulated: object_storage integration; every request is answered 501`},
		{"authorizer", "operationId: come", "security: [{keys: []}]",
			`s:9: paths./rooms/{room}.x-yc-apigateway-websocket-connect: not emulated: the authorizer keys; every request is answered 501`},
		{"no integration", "      x-yc-apigateway-integration:\n        type: dummy\n        content:\n          text/plain", "      x-content:\n        content:\n          text/plain",
			`s:26: paths./news.get: there is no x-yc-apigateway-integration: every request is answered 501`},
		{"gateway option", "  service_account_id: ajemine", "  service_account_id: ajemine\n  rateLimit: {}", `s:5: x-yc-apigateway.rateLimit: not emulated: rateLimit`},
		{"extension", "summary: plain HTTP", "x-yc-status-mapping: {}", `s:27: paths./news.get.x-yc-status-mapping: not emulated: x-yc-status-mapping`},
		{"variable", "hello {name}", "hello ${var.name}", `s:19: the variable name is not declared under x-yc-apigateway.variables: ${var.name} stays as it is written`},
		{"undeclared parameter", "  /news:", "  /news/{id}:", `s:25: paths./news/{id}: the parameter {id} is not declared under parameters, so no answer can contain it`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			spec, err := yandex.ParseSpec("s", []byte(edit(t, chatSpec, tc.old, tc.new)))
			is.NoErr(err)
			is.Equal(spec.Warnings, []string{tc.want})
		})
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(chatSpec))
	f.Add(specOf("/", "/{a}", "/{b+}"))
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/a":{"$ref":"#/paths/~1a"}},"security":[{}]}`))
	f.Add([]byte("openapi: 3.0.0\npaths: {/a: {get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4e, context: {a: [1, .nan]}}}}}"))
	f.Add([]byte("openapi: 3.0.0\npaths: &p\n  /a: *p\n  <<: *p\n"))
	for _, s := range []string{httpSpec, containerSpec, jwtSpec, corsSpec, variableSpec, guardedSpec} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := yandex.ParseSpec("s", data)
		var fe *yandex.FileError
		if err != nil {
			if !errors.As(err, &fe) || len(fe.Problems) == 0 {
				t.Fatalf("an error that names no problem: %v", err)
			}
			return
		}
		if len(spec.Paths) == 0 {
			t.Fatal("a specification without paths was let in")
		}
		for _, p := range spec.Paths {
			for _, op := range []*yandex.Operation{p.Connect, p.Message, p.Disconnect} {
				if op != nil && ((op.Type == "dummy") != (op.Dummy != nil) || (op.Type == "cloud_functions") != (op.Function != nil) ||
					(op.Type == "http") != (op.HTTP != nil) || (op.Type == "serverless_containers") != (op.Container != nil)) {
					t.Fatalf("%s has an integration that cannot answer", p.Key)
				}
			}
		}
	})
}

// A path costs the same among many as among few, though each goes through the shared parts that all refer to.
func TestReadingIsLinear(t *testing.T) {
	perPath := func(n int) float64 {
		var paths, parameters, integrations, schemes strings.Builder
		for i := range n {
			fmt.Fprintf(&paths, "  /p%d/{id}:\n    parameters: [{$ref: '#/components/parameters/p%d'}]\n"+
				"    get: {security: [{s%d: []}], x-yc-apigateway-integration: {$ref: '#/components/integrations/i%d'}}\n", i, i, i, i)
			fmt.Fprintf(&parameters, "    p%d: {name: id, in: path}\n", i)
			fmt.Fprintf(&integrations, "    i%d: {type: dummy}\n", i)
			fmt.Fprintf(&schemes, "    s%d: {type: http, scheme: bearer, x-yc-apigateway-authorizer: {type: function, function_id: d4e}}\n", i)
		}
		text := []byte("openapi: 3.0.0\npaths:\n" + paths.String() + "components:\n  parameters:\n" + parameters.String() +
			"  integrations:\n" + integrations.String() + "  securitySchemes:\n" + schemes.String())
		return testing.AllocsPerRun(1, func() {
			s, err := yandex.ParseSpec("spec.yaml", text)
			is.New(t).NoErr(err)
			is.New(t).Equal([]int{len(s.Paths), len(s.Warnings)}, []int{n, 0})
		}) / float64(n)
	}
	few, many := perPath(50), perPath(500)
	if many > 1.2*few {
		t.Errorf("a path costs %.0f allocations among 50 and %.0f among 500", few, many)
	}
}
