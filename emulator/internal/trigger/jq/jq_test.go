package jq_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/trigger/jq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const message = `{"details":{"tag":"v1","repository_name":"crp0/app","size":12345678901234567890123},"zero":0}`

func compile(t *testing.T, src string) *jq.Program {
	t.Helper()
	p, err := jq.Compile(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

func TestFilter(t *testing.T) {
	for _, tc := range []struct {
		src  string
		want bool
		fail string // a piece of the error
	}{
		{src: `.details.tag == "v1"`, want: true},
		{src: `.details.tag == "v2"`},
		{src: `.details.tag | test("^v[0-9]+$")`, want: true},
		{src: `.details.missing`}, // null
		{src: `empty`},
		{src: `halt`},
		{src: `.zero`, want: true}, // only false and null say no
		{src: `""`, want: true},
		{src: `[]`, want: true},
		{src: `false, true`},             // the first output decides
		{src: `true, error`, want: true}, // and what follows it does not happen
		{src: `.details.tag.x`, fail: "expected an object"},
		{src: `error("on purpose")`, fail: "on purpose"},
		{src: `halt_error`, fail: "halt"},
		{src: `$ENV == {}`, want: true}, // nothing of the process is to be seen
		{src: `env == {}`, want: true},
	} {
		t.Run(tc.src, func(t *testing.T) {
			is := is.New(t)
			got, err := compile(t, tc.src).True(t.Context(), []byte(message))
			is.Equal(got, tc.want)
			if tc.fail == "" {
				is.NoErr(err)
			} else {
				is.True(err != nil && strings.Contains(err.Error(), tc.fail)) // the error tells why
			}
		})
	}
}

func TestTransform(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{`.`, `{"details":{"repository_name":"crp0/app","size":12345678901234567890123,"tag":"v1"},"zero":0}`},
		{`.details.size`, `12345678901234567890123`},     // every digit
		{`.details.size + 1`, `12345678901234567890124`}, // also of a sum
		{`.details.tag`, `v1`},            // bare
		{`.details.tag | tojson`, `"v1"`}, // how to get it quoted
		{`.details | [.tag, .repository_name]`, `["v1","crp0/app"]`},
		{`1, 2, error`, `1`},
		{`null`, `null`},
		{`"/w==" | @base64d`, "\uFFFD"}, // a text frame takes nothing but UTF-8
	} {
		t.Run(tc.src, func(t *testing.T) {
			is := is.New(t)
			got, err := compile(t, tc.src).Transform(t.Context(), []byte(message))
			is.NoErr(err)
			is.Equal(string(got), tc.want)
		})
	}
	is := is.New(t)
	_, err := compile(t, `empty`).Transform(t.Context(), []byte(message))
	is.True(errors.Is(err, jq.ErrNothing))
	_, err = compile(t, `.details.tag.x`).Transform(t.Context(), []byte(message))
	is.True(err != nil)
}

func TestCompileSaysWhere(t *testing.T) {
	for src, want := range map[string]string{
		"":                    "missing query",
		".a |":                "line 1, column 5",
		".a and\n  \"é\" é b": "line 2, column 7",
		"{a: 1":               "line 1, column 6",
		"unknown":             "unknown/0",
		"input":               "not allowed",
		"inputs":              "not allowed",
		`import "a" as a; .`:  "cannot load module",
		`include "a"; .`:      "cannot load module",
		`$__prog_args`:        "variable not defined",
		"input_filename":      "not defined",
		"get_search_list":     "not defined",
		`$__loc__.file, .a[ `: "line 1, column 20",
	} {
		t.Run(src, func(t *testing.T) {
			_, err := jq.Compile(src)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %q in it", err, want)
			}
		})
	}
}

func TestInputIsOneValue(t *testing.T) {
	for _, input := range []string{"", "{", "1 2", "1 x", strings.Repeat("[", 20_000)} {
		if _, err := compile(t, ".").True(t.Context(), []byte(input)); err == nil {
			t.Errorf("%.20q is taken", input)
		}
	}
}

// The bubble's clock does not move while a program runs, so that it is the steps that end it.
func TestEndless(t *testing.T) {
	for _, src := range []string{`def f: f; f`, `last(repeat(.))`, `[range(1e18)]`, `reduce range(1e18) as $i (0; [.])`, `def f: 1 + f; f`} {
		synctest.Test(t, func(t *testing.T) {
			p := compile(t, src)
			if kept, err := p.True(t.Context(), []byte(`{}`)); kept || !errors.Is(err, jq.ErrEndless) {
				t.Errorf("%s: got %t, %v", src, kept, err)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	is := is.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := compile(t, ".").True(ctx, []byte(`1`))
	is.True(errors.Is(err, context.Canceled))
}

func FuzzJQ(f *testing.F) {
	for _, src := range []string{
		`.details.tag == "v1"`, `{text: "\(.details.repository_name):\(.details.tag)"}`, `[.[]?] | map(select(. != null)) | length`,
		`def f(x): x | f(x); f(.)`, `.. |= .`, `try error("x") catch .`, `reduce .[] as [$a, {b: $c}] (0; . + $a)`,
		`label $out | foreach .[] as $i (0; . + $i; if . > 3 then ., break $out else . end)`, `"\u00e9" | ltrimstr("é") | @uri`, `.a[`, `"\(`,
	} {
		f.Add(src, message)
	}
	f.Fuzz(func(t *testing.T, src, input string) {
		if len(src) > 200 || len(input) > 1000 || strings.ContainsAny(src, "*+") {
			return // doubling and multiplying fill the memory, which is not bounded
		}
		p, err := jq.Compile(src)
		if err != nil {
			return
		}
		kept, err := p.True(t.Context(), []byte(input))
		if err != nil && kept {
			t.Fatal("a filter that fails keeps the event")
		}
		out, err := p.Transform(t.Context(), []byte(input))
		if err == nil && !json.Valid(out) && !utf8.Valid(out) {
			t.Fatalf("output is not text: %q", out)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	p, err := jq.Compile(`.details.tag == "v1"`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := p.True(b.Context(), []byte(message)); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
