package aws_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

func TestRouteSelection(t *testing.T) {
	for _, test := range []struct{ expression, body, want string }{
		{"$request.body.action", `{"action":"join"}`, "join"},
		{"${request.body.action}", `{"action":"join"}`, "join"},
		{"$request.body.a.b", `{"a":{"b":"join"}}`, "join"},
		{"$request.body['a b']", `{"a b":"join"}`, "join"},
		{"$request.body.list[1]", `{"list":["x","join"]}`, "join"},
		{"$request.body[0].a", `[{"a":"join"}]`, "join"},
		{"$request.body.list[7]", `{"list":["join"]}`, "$default"},
		{"$request.body.list", `{"list":["a","b"]}`, "[a, b]"},
		{"$request.body.list[*].n", `{"list":[{"n":"a"},{},{"n":"b"}]}`, "[a, b]"},
		{"$request.body.o.*", `{"o":{"y":"b","x":"a"}}`, "[a, b]"},
		{"${request.body.a}-${request.body.b}", `{"a":"x","b":"y"}`, "x-y"},
		{"$request.body.a/$request.body.b", `{"a":"x","b":"y"}`, "x/y"},
		{"${request.body.a}-${request.body.b}", `{"a":"x"}`, "$default"},
		{`\$x`, `{}`, "$x"},
		{"join", `{}`, "join"},
		{"join", `no JSON`, "$default"}, // even for a constant
		{"$request.body.action", `{"action":"join"} x`, "$default"},
		{"$request.body.action", `{"action":1}`, "1"},
		{"$request.body.action", `{"action":true}`, "true"},
		{"$request.body.action", `{"action":null}`, "$default"},
		{"$request.body.action", `{}`, "$default"},
		{"$request.body.action", `"join"`, "$default"},
		{"$request.body", `"join"`, "join"},
		{"$request.body.action", `{"action":""}`, "$default"},
		{"$request.body.action", `{"action":"unknown"}`, "$default"},
		{"$request.body.action", `{"action":"Join"}`, "$default"},
		{"$request.body.action", `{"action":"$default"}`, "$default"},
		{"$request.body.action", `{"action":"$connect"}`, "$default"}, // never from a message
		{"$request.body.action", `{"action":"$disconnect"}`, "$default"},
	} {
		got, _, err := aws.Select(test.expression, []byte(test.body), "$connect", "$disconnect", "$default",
			"join", "[a, b]", "x-y", "x/y", "$x", "1", "true")
		is := is.New(t)
		is.NoErr(err)
		is.Equal(test.expression+" "+test.body+" "+got, test.expression+" "+test.body+" "+test.want)
	}
}

func TestRouteSelectionSaysWhy(t *testing.T) {
	is := is.New(t)
	for body, want := range map[string]string{
		`{"action":"join"}`: `$request.body.action gave "join"`,
		`{"action":"x"}`:    `$request.body.action gave "x", which is no route for messages`,
		`x`:                 `the message is not JSON`,
	} {
		_, why, err := aws.Select("$request.body.action", []byte(body), "$default", "join")
		is.NoErr(err)
		is.Equal(why, want)
	}
	key, why, err := aws.Select("$request.body.action", []byte(`{"action":"x"}`), "join")
	is.NoErr(err)
	is.Equal(key, "")
	is.Equal(why, `$request.body.action gave "x", which is no route for messages, and there is no $default`)
}

func TestWrongSelectionExpressions(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "got nothing",
		"$":                      "want $request.body.NAME",
		"$context.routeKey":      "want $request.body.NAME",
		"$request.header.x":      "want $request.body.NAME",
		"${request.body.a":       "want } at the end",
		"$request.body.":         "want a name after the dot",
		"$request.body..a":       "not emulated: the descent ..",
		"$request.body[a]":       "want [0], [*] or ['name']",
		"$request.body[0":        "want ] after [",
		"$request.body[-1]":      "want [0], [*] or ['name']",
		"$request.body[?(@.a)]":  "want [0], [*] or ['name']",
		"x${request.body.a}${x}": "want $request.body.NAME",
	} {
		_, _, err := aws.Select(text, nil)
		is.New(t).True(err != nil && strings.Contains(err.Error(), want)) // the message says what is wanted
	}
}

func FuzzRouteSelection(f *testing.F) {
	f.Add("$request.body.action", []byte(`{"action":"a"}`))
	f.Add(`${request.body.a[0]['b'].*}-\$x`, []byte(`{"a":[{"b":[1,null,{}]}]}`))
	f.Fuzz(func(t *testing.T, expression string, body []byte) {
		key, why, err := aws.Select(expression, body, "$default", "a")
		if err == nil && (key != "$default" && key != "a" || why == "") {
			t.Errorf("%q chose %q: %q", expression, key, why)
		}
	})
}

func TestStageOfASocket(t *testing.T) {
	is := is.New(t)
	h := build(t, func(_ *aws.Options, _ *gateway.Options, a *template.API) {
		a.Stages[1].Variables = map[string]string{"k": "other"}
	})
	h.open("/other")
	got := string(h.call("connect").payload)
	is.True(strings.Contains(got, `"stageVariables":{"k":"other"}`))
	is.True(strings.Contains(got, `"stage":"other"`))
}
