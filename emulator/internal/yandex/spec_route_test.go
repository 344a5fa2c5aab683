package yandex_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

// specOf is a specification of GET paths with these keys, in this order.
func specOf(keys ...string) []byte {
	var b strings.Builder
	b.WriteString("openapi: 3.0.0\npaths:\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  %q: {get: {x-yc-apigateway-integration: {type: dummy}}}\n", k)
	}
	return []byte(b.String())
}

func TestRouteChoice(t *testing.T) {
	for _, tc := range []struct {
		name string
		keys string // in order of the file, which must not matter
		path string
		want string // key, then parameters
	}{
		{"fixed before parameter", "/{a} /ws", "/ws", "/ws"},
		{"parameter before greedy", "/{a+} /{b}", "/ws", "/{b} b=ws"},
		{"fixed before greedy", "/{a+} /ws", "/ws", "/ws"},
		{"from the left: fixed before parameter", "/{a}/chat /rooms/{b}", "/rooms/chat", "/rooms/{b} b=chat"},
		{"from the left: the second segment decides", "/rooms/{a}/{b} /rooms/{a}/new", "/rooms/1/new", "/rooms/{a}/new a=1"},
		{"equal segments: the longer template", "/{prm}/x /{param}/x", "/1/x", "/{param}/x param=1"},
		{"equal in all: the alphabet", "/{b} /{a}", "/1", "/{a} a=1"},
		{"greedy: the longer template", "/a/{r+} /a/bb/{r+}", "/a/bb/c", "/a/bb/{r+} r=c"},
		{"greedy: longer even if less is fixed", "/a/b/{r+} /a/{parameter}/{r+}", "/a/b/c", "/a/{parameter}/{r+} parameter=b r=c"},
		{"any parameter before any greedy", "/a/b/{r+} /{x}/{y}/{z}", "/a/b/c", "/{x}/{y}/{z} x=a y=b z=c"},
		{"greedy takes slashes", "/s/{f+}", "/s/js/main.js", "/s/{f+} f=js/main.js"},
		{"greedy wants something", "/s/{f+}", "/s/", ""},
		{"greedy wants its segment", "/s/{f+}", "/s", ""},
		{"greedy at the root", "/{f+}", "/", ""},
		{"a parameter is one segment", "/{a}", "/x/y", ""},
		{"a parameter is not empty", "/r/{a}", "/r/", ""},
		{"root", "/ /{a}", "/", "/"},
		{"a trailing slash is left out", "/ws", "/ws/", "/ws"},
		{"one of them", "/ws", "/ws//", ""},
		{"a trailing slash does not feed a greedy parameter first", "/ws /{rest+}", "/ws/", "/ws"},
		{"a trailing slash behind a parameter", "/{a}", "/x/", "/{a} a=x"},
		{"a trailing slash in the key", "/ws /ws/", "/ws/", "/ws/"},
		{"parameter and trailing slash", "/{a} /{a}/", "/x/", "/{a}/ a=x"},
		{"case counts", "/ws", "/WS", ""},
		{"escapes are decoded in fixed segments", "/a b", "/a%20b", "/a b"},
		{"escapes are decoded in parameters", "/{a}", "/%D1%8F", "/{a} a=я"},
		{"an escaped slash is no border", "/{a}", "/x%2Fy", "/{a} a=x/y"},
		{"an escaped slash in greedy", "/{a+}", "/x%2Fy/z", "/{a+} a=x/y/z"},
		{"a broken escape matches nothing", "/{a+}", "/%zz", ""},
		{"double slash", "/a/{b}/c /a//c", "/a//c", "/a//c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			// A space stands inside the keys of one case, so keys are told apart by " /".
			spec, err := yandex.ParseSpec("s", specOf(splitKeys(tc.keys)...))
			is.NoErr(err)
			is.Equal(chosen(spec, tc.path), tc.want)
			keys := splitKeys(tc.keys)
			for i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {
				keys[i], keys[j] = keys[j], keys[i]
			}
			spec, err = yandex.ParseSpec("s", specOf(keys...))
			is.NoErr(err)
			is.Equal(chosen(spec, tc.path), tc.want) // whatever the order in the file
		})
	}
}

func splitKeys(s string) []string {
	var out []string
	for i, k := range strings.Split(s, " /") {
		if i > 0 {
			k = "/" + k
		}
		out = append(out, k)
	}
	return out
}

// chosen is the key of the path and its parameters in the order of the key.
func chosen(spec *yandex.Spec, path string) string {
	p, values := spec.Route(path)
	if p == nil {
		return ""
	}
	out := p.Key
	for _, part := range strings.Split(p.Key, "/") {
		name := strings.TrimSuffix(strings.Trim(part, "{}"), "+")
		if v, ok := values[name]; ok && strings.HasPrefix(part, "{") {
			out += " " + name + "=" + v
		}
	}
	return out
}

func TestWrongPathKeys(t *testing.T) {
	for key, want := range map[string]string{
		"ws":           `s:3: paths.ws: got the path key "ws", want it to start with /`,
		"/{a+}/b":      `s:3: paths./{a+}/b: got "{a+}" before the end, want it as the last segment`,
		"/{}":          `s:3: paths./{}: got the segment "{}", want fixed text, {name} or {name+}`,
		"/{a":          `s:3: paths./{a: got the segment "{a", want fixed text, {name} or {name+}`,
		"/x{a}":        `s:3: paths./x{a}: got the segment "x{a}", want fixed text, {name} or {name+}`,
		"/{a}/{a}":     `s:3: paths./{a}/{a}: got the parameter "a" twice, want each name once`,
		"/{a}/b/{a+}":  `s:3: paths./{a}/b/{a+}: got the parameter "a" twice, want each name once`,
		"/{a}.json/{b": `s:3: paths./{a}.json/{b: got the segment "{a}.json", want fixed text, {name} or {name+}`,
	} {
		t.Run(key, func(t *testing.T) {
			is := is.New(t)
			_, err := yandex.ParseSpec("s", specOf(key))
			var fe *yandex.FileError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Problems, []string{want})
		})
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("/{a}", "/{b+}", "/x/y")
	f.Add("/rooms/{room}", "/rooms/new", "/rooms/new")
	f.Add("/a%20b", "/{x}", "/a%20b")
	f.Add("/", "/{x+}", "/%2F")
	f.Fuzz(func(t *testing.T, one, two, path string) {
		spec, err := yandex.ParseSpec("s", specOf(one, two))
		if err != nil {
			return
		}
		swapped, err := yandex.ParseSpec("s", specOf(two, one))
		if err != nil {
			t.Fatalf("the order of paths decides whether they are legal: %v", err)
		}
		p, values := spec.Route(path)
		q, _ := swapped.Route(path)
		if (p == nil) != (q == nil) || p != nil && p.Key != q.Key {
			t.Fatalf("the order of %q and %q decides about %q", one, two, path)
		}
		if p == nil {
			return
		}
		// The parameters put back into the key make the path that was asked for.
		var parts []string
		for _, part := range strings.Split(p.Key, "/") {
			name, isParam := strings.CutPrefix(part, "{")
			v, known := values[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "+")]
			switch {
			case isParam && (!known || v == ""):
				t.Fatalf("%q has no value for %s of %q", path, part, p.Key)
			case isParam:
				part = v
			}
			parts = append(parts, part)
		}
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatalf("%q matched %q with a broken escape", path, p.Key)
		}
		if got := strings.Join(parts, "/"); got != decoded && got+"/" != decoded && "/"+decoded != got {
			t.Fatalf("%q through %q came back as %q", path, p.Key, got)
		}
	})
}
