package yandex_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

const corsSpec = `openapi: 3.0.0
x-yc-apigateway: {cors: {origin: '*', methods: '*', allowedHeaders: '*'}}
paths:
  /any: {get: &get {x-yc-apigateway-integration: {type: dummy, http_headers: {Access-Control-Allow-Origin: mine}, content: {'*': got}}}}
  /off:
    x-yc-apigateway-cors: {origin: false}
    get: *get
    options: {x-yc-apigateway-integration: {type: dummy, http_code: 204, http_headers: {Access-Control-Allow-Origin: mine}}}
  /mirror: {x-yc-apigateway-cors: {origin: true, exposedHeaders: x-mine, maxAge: 3600}, get: *get}
  /list: {x-yc-apigateway-cors: {$ref: '#/components/x-yc-apigateway-cors-rules/list'}, get: *get}
components:
  x-yc-apigateway-cors-rules:
    list:
      origin: [https://one.example, https://two.example]
      methods: [GET, POST]
      allowedHeaders: [x-one, x-two]
      exposedHeaders: [x-three, x-four]
      credentials: true
      maxAge: 60
      optionsSuccessStatus: 204
`

func TestCORS(t *testing.T) {
	h := build(t, corsSpec)
	is.New(t).Equal(len(h.warns), 0)
	type headers map[string]string
	for _, tc := range []struct {
		name, method, path, origin string
		status                     int
		want                       headers // of Access-Control-…; the others are absent
	}{
		{"preflight", "OPTIONS", "/any", "https://a.example", 200, headers{"Allow-Origin": "*", "Allow-Methods": "*", "Allow-Headers": "*"}},
		{"preflight, for a mirror", "OPTIONS", "/mirror", "https://a.example", 200,
			headers{"Allow-Origin": "https://a.example", "Allow-Methods": "PUT", "Expose-Headers": "x-mine", "Max-Age": "3600"}},
		{"preflight, for a list", "OPTIONS", "/list", "https://two.example", 204, headers{"Allow-Origin": "https://two.example", "Allow-Methods": "GET,POST",
			"Allow-Headers": "x-one,x-two", "Expose-Headers": "x-three,x-four", "Allow-Credentials": "true", "Max-Age": "60"}},
		{"preflight of an origin that is not in the list", "OPTIONS", "/list", "https://three.example", 204, headers{"Allow-Methods": "GET,POST",
			"Allow-Headers": "x-one,x-two", "Expose-Headers": "x-three,x-four", "Allow-Credentials": "true", "Max-Age": "60"}},
		{"preflight, switched off", "OPTIONS", "/off", "https://a.example", 204, headers{"Allow-Origin": "mine"}},
		{"of nobody else", "OPTIONS", "/any", "", 405, nil},
		{"an answer", "GET", "/any", "https://a.example", 200, headers{"Allow-Origin": "*"}},
		{"an answer, for a list", "GET", "/list", "https://one.example", 200,
			headers{"Allow-Origin": "https://one.example", "Expose-Headers": "x-three,x-four", "Allow-Credentials": "true"}},
		{"an answer, switched off", "GET", "/off", "https://a.example", 200, headers{"Allow-Origin": "mine"}},
		{"an answer to nobody else", "GET", "/any", "", 200, headers{"Allow-Origin": "mine"}},
		{"an error", "DELETE", "/any", "https://a.example", 405, headers{"Allow-Origin": "*"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			var header []string
			if tc.origin != "" {
				header = []string{"Origin", tc.origin}
			}
			if tc.method == "OPTIONS" {
				header = append(header, "Access-Control-Request-Method", "PUT")
			}
			a := h.ask(tc.method, tc.path, header...)
			is.Equal(a.status, tc.status)
			for _, name := range []string{"Allow-Origin", "Allow-Methods", "Allow-Headers", "Expose-Headers", "Allow-Credentials", "Max-Age"} {
				is.Equal(name+": "+a.header.Get("Access-Control-"+name), name+": "+tc.want[name])
			}
		})
	}
	is := is.New(t)
	is.Equal(h.ask("GET", "/list", "Origin", "https://three.example").header.Get("Vary"), "Origin")
	_, err := yandex.CheckSpec("s", []byte(edit(t, corsSpec, "origin: true, ", "orign: true, ")), nil)
	is.True(err != nil)
	is.Equal(err.Error(), "s:9: paths./mirror.x-yc-apigateway-cors.orign: unknown field, want origin\n"+
		"s:9: paths./mirror.x-yc-apigateway-cors.origin: got nothing, want true, false, an origin or a list of origins")
}
