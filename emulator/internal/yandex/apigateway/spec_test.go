package apigateway_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/matryer/is"
	"go.yaml.in/yaml/v4"

	"github.com/regcast/regcast/emulator/internal/yandex/apigateway"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

func (h *house) spec(t *testing.T, id string, f pb.GetOpenapiSpecRequest_Format) string {
	t.Helper()
	got, err := h.GetOpenapiSpec(t.Context(), &pb.GetOpenapiSpecRequest{ApiGatewayId: id, Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return got.OpenapiSpec
}

func TestASpecificationInEitherFormat(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	const asYAML = `# a comment
openapi: 3.0.0
info: {title: "yes", version: "1.0", x: [1.10, .inf, 0x10, ~, true, 2024-01-02, "a\nb", <&>]}
components:
  shared: &shared
    type: dummy
    http_code: 200
paths:
  /b:
    get:
      responses: {200: {description: OK}}
      x-yc-apigateway-integration:
        <<: *shared
        http_code: 201
        content: {'*': b}
  /a:
    get: {x-yc-apigateway-integration: *shared}
`
	g := h.make(t, "yaml", asYAML)
	is.Equal(h.spec(t, g.Id, pb.GetOpenapiSpecRequest_FORMAT_UNSPECIFIED), asYAML)
	is.Equal(h.spec(t, g.Id, pb.GetOpenapiSpecRequest_YAML), asYAML)
	var compact strings.Builder
	asJSON := h.spec(t, g.Id, pb.GetOpenapiSpecRequest_JSON)
	is.True(json.Valid([]byte(asJSON)))
	for line := range strings.Lines(asJSON) {
		compact.WriteString(strings.TrimSpace(line))
	}
	is.Equal(compact.String(), `{"openapi": "3.0.0","info": {"title": "yes","version": "1.0","x": [1.10,".inf",16,null,true,"2024-01-02","a\nb","<&>"]},`+
		`"components": {"shared": {"type": "dummy","http_code": 200}},"paths": {"/b": {"get": {"responses": {"200": {"description": "OK"}},`+
		`"x-yc-apigateway-integration": {"http_code": 201,"content": {"*": "b"},"type": "dummy"}}},`+
		`"/a": {"get": {"x-yc-apigateway-integration": {"type": "dummy","http_code": 200}}}}}`)

	j := h.make(t, "json", asJSON)
	is.Equal(h.spec(t, j.Id, pb.GetOpenapiSpecRequest_JSON), asJSON)
	back := h.spec(t, j.Id, pb.GetOpenapiSpecRequest_YAML)
	is.True(strings.HasPrefix(back, "openapi: 3.0.0\ninfo:\n  title: \"yes\"\n  version: '1.0'\n"))
	same(t, back, asJSON)
}

// same checks that two documents say the same.
func same(t *testing.T, a, b string) {
	t.Helper()
	var x, y any
	if err := yaml.Load([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("got %s, want what says the same as %s", a, b)
	}
}

func TestASpecificationThatAliasesBlowUpStaysYAML(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	var b strings.Builder
	b.WriteString(chat + "x-a: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		b.WriteString("x-a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [")
		b.WriteString(strings.TrimSuffix(strings.Repeat("*a"+string(rune('0'+i))+", ", 10), ", ") + "]\n")
	}
	g := h.make(t, "bomb", b.String())
	_, err := h.GetOpenapiSpec(t.Context(), &pb.GetOpenapiSpecRequest{ApiGatewayId: g.Id, Format: pb.GetOpenapiSpecRequest_JSON})
	is.True(err != nil && strings.Contains(err.Error(), "its aliases make it larger than"))
	is.Equal(h.spec(t, g.Id, pb.GetOpenapiSpecRequest_FORMAT_UNSPECIFIED), b.String())
}

func FuzzFormats(f *testing.F) {
	for _, seed := range []string{chat, `{"a": [1, "1.0", null, true]}`, "a: &x {b: *x}", "<<: [{a: 1}, {b: 2}]\nc: 3", "? [a]\n: b", "- 0o17\n- .nan\n- !!binary aGk="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		asJSON, err := apigateway.ToJSON([]byte(text))
		if err != nil {
			return
		}
		if !json.Valid(asJSON) {
			t.Fatalf("got what is no JSON: %s", asJSON)
		}
		if _, err := apigateway.ToYAML(asJSON); err != nil {
			t.Fatalf("what was written as JSON cannot be written as YAML: %v", err)
		}
	})
}
