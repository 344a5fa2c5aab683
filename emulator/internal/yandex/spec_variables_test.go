package yandex_test

import (
	"errors"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const variableSpec = `openapi: 3.0.0
x-yc-apigateway:
  variables:
    place: {default: prod, enum: [prod, testing], description: where}
    code: {default: 201}
    handler: {default: '#/components/x-yc-apigateway-integrations/One'}
paths:
  /${var.place}/info:
    get:
      x-yc-apigateway-integration:
        type: dummy
        content: {'*': 'It is ${var.place} and ${var.place}, not $${var.other}!'}
        http_code: ${var.code}
        http_headers: {Content-Type: text/plain}
  /function:
    get: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine, context: {code: '${var.code}', text: 'x${var.code}'}}}
  /ref:
    get: {x-yc-apigateway-integration: {$ref: '${var.handler}'}}
components:
  x-yc-apigateway-integrations:
    One: {type: dummy, content: {'*': one}}
    Two: {type: dummy, content: {'*': two}}
`

func TestVariables(t *testing.T) {
	is := is.New(t)
	f := newFunction()
	h := build(t, "", f.wire)
	set := func(variables map[string]string) {
		t.Helper()
		h.warns = nil
		is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "spec.yaml", Spec: []byte(variableSpec), Variables: variables}))
	}
	set(nil)
	is.Equal(h.warns, []string{"spec.yaml:12: the variable other is not declared under x-yc-apigateway.variables: ${var.other} stays as it is written"})
	a := h.ask("GET", "/prod/info")
	is.Equal([]any{a.status, a.body}, []any{201, "It is prod and prod, not $${var.other}!"})
	is.Equal(h.ask("GET", "/ref").body, "one")
	f.answers <- says(`{}`)
	h.ask("GET", "/function")
	same(t, eventOf(t, <-f.requests)["requestContext"].(map[string]any)["apiGateway"], `{"operationContext": {"code": 201, "text": "x201"}}`)

	set(map[string]string{"place": "testing", "code": "418", "handler": "#/components/x-yc-apigateway-integrations/Two", "none": "x"})
	is.Equal(h.warns[0], `spec.yaml:3: x-yc-apigateway.variables: there is no variable "none", so its value has no effect`)
	a = h.ask("GET", "/testing/info")
	is.Equal([]any{a.status, a.body}, []any{418, "It is testing and testing, not $${var.other}!"})
	is.Equal(h.ask("GET", "/ref").body, "two")
	is.Equal(h.ask("GET", "/prod/info").status, 404)
}

func TestWrongVariables(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		values         map[string]string
		want           string
	}{
		{"not in the enum", "", "", map[string]string{"place": "dev"}, `s:4: x-yc-apigateway.variables.place: got the value "dev", want one of prod, testing`},
		{"no default", "{default: 201}", "{enum: [1]}", map[string]string{},
			`s:5: x-yc-apigateway.variables.code.default: got nothing, want a default, or a value from the gateway's variables` + "\n" +
				`s:5: x-yc-apigateway.variables.code: got the value "", want 1` + "\n" + // it would be the value
				`s:13: paths./prod/info.get.x-yc-apigateway-integration.http_code: got "", want a whole number from 200 to 599`},
		{"no default, and none needed", "{default: 201}", "{enum: [202]}", map[string]string{"code": "202"}, ""},
		{"of the wrong kind", "", "", map[string]string{"code": "many"},
			`s:13: paths./prod/info.get.x-yc-apigateway-integration.http_code: got "many", want a whole number from 200 to 599`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			text := variableSpec
			if tc.old != "" {
				text = edit(t, text, tc.old, tc.new)
			}
			_, err := yandex.CheckSpec("s", []byte(text), tc.values)
			if tc.want == "" {
				is.NoErr(err)
				return
			}
			var wrong *yandex.FileError
			is.True(errors.As(err, &wrong))
			is.Equal(err.Error(), tc.want)
		})
	}
}
