package build_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner/build"
)

// runtimeAPI is the cloud's side of one environment: it hands out one payload after the other, and takes what comes back.
type runtimeAPI struct {
	payloads chan string
	answers  chan answer
	deadline time.Time
}

type answer struct{ path, body, errorType string }

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/2018-06-01/runtime/")
	if path == "invocation/next" {
		select {
		case <-r.Context().Done():
		case payload := <-a.payloads:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id-1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(a.deadline.UnixMilli(), 10))
			_, _ = io.WriteString(w, payload) // the program may be gone
		}
		return
	}
	body, _ := io.ReadAll(r.Body) // what is missing is missed by the test
	a.answers <- answer{path, string(body), r.Header.Get("Lambda-Runtime-Function-Error-Type")}
	w.WriteHeader(http.StatusAccepted)
}

// start runs a program behind a runtime API until the test ends.
func start(t *testing.T, program string) *runtimeAPI {
	t.Helper()
	api := &runtimeAPI{payloads: make(chan string), answers: make(chan answer, 1), deadline: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(api)
	c := exec.Command(program)
	c.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=d4efn", "AWS_LAMBDA_FUNCTION_VERSION=d4eversion", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256")
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()         // by the kill
		server.CloseClientConnections()
		server.Close()
	})
	return api
}

func (a *runtimeAPI) invoke(payload string) answer {
	a.payloads <- payload
	return <-a.answers
}

// Every signature in one package, whose names are chosen to be in the way of a main that would live beside them.
const handlers = `package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
)

type In struct{ Name string ` + "`json:\"name\"`" + ` }
type Out struct{ Hello string }

var json, http, os, runtime, adapt = 1, 2, 3, 4, 5

func Nothing()                                              { fmt.Println("called") }
func OnlyError() error                                      { return errors.New("on purpose") }
func OnlyContext(ctx context.Context) error {
	_, limited := ctx.Deadline()
	return fmt.Errorf("%v %v %d %v %t", ctx.Value("lambdaRuntimeFunctionName"), ctx.Value("lambdaRuntimeFunctionVersion"),
		ctx.Value("lambdaRuntimeMemoryLimit").(int)+1, ctx.Value("lambdaRuntimeRequestID"), limited)
}
func Bytes(ctx context.Context, in []byte) ([]byte, error)  { return append(in, '!'), nil }
func Text(in string) (string, error)                        { return in + "?", nil }
func Struct(ctx context.Context, in In) (Out, error)        { return Out{"<" + in.Name + ">"}, nil }
func Pointer(in *In) (*Out, error)                          { if in.Name == "" { return nil, nil }; return &Out{in.Name}, nil }
func Any(in any) (any, error) {
	if text, ok := in.(string); ok {
		return text, nil
	}
	return []any{in, "x"}, nil
}
func Number() (int, error)                                  { var all []int; return all[len(json2())], nil }
func json2() string                                         { return "ab" }
func Web(w nethttp.ResponseWriter, r *nethttp.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Add("X-Two", "a")
	w.Header().Add("X-Two", "b")
	if r.URL.Query().Has("binary") {
		w.Write([]byte{0, 0xff})
		return
	}
	w.WriteHeader(201)
	w.Header().Add("X-Late", "c")
	fmt.Fprint(w, r.Method, " ", r.RequestURI, " ", r.Host, " ", r.RemoteAddr, " ", r.Header.Get("X-In"), " ", string(body))
}

var Mux = func() *nethttp.ServeMux {
	m := nethttp.NewServeMux()
	m.HandleFunc("GET /hello/{name}", func(w nethttp.ResponseWriter, r *nethttp.Request) { io.WriteString(w, r.PathValue("name")) })
	return m
}()
var Plain = func(in string) (string, error) { return in, nil }
var Wrong = 5
var Late func(a, b string) error = func(a, b string) error { return nil }
`

// one builds a handler of a folder.
func one(t *testing.T, dir, entry string) string {
	t.Helper()
	got, err := build.Build(t.Context(), build.Options{Dir: t.TempDir()}, build.Source{Package: dir, Entry: entry})
	if err != nil {
		t.Fatal(err)
	}
	return got.Path
}

func TestEntryPoints(t *testing.T) {
	dir := folder(t, "go.mod", module, "index.go", handlers, "index_test.go", "package main\n\nfunc Handler() {}\n",
		"local.go", "//go:build !ycf\n\npackage main\n\nfunc main() {}\n")
	before, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	type call struct{ in, want string }
	response, failure := "invocation/id-1/response ", "invocation/id-1/error UserCodeError "
	for name, calls := range map[string][]call{
		"Nothing":     {{`{}`, response}, {`no JSON`, response}},
		"OnlyError":   {{`{}`, failure + `{"errorMessage":"on purpose","errorType":"UserCodeError"}`}},
		"OnlyContext": {{`{}`, failure + `{"errorMessage":"d4efn d4eversion 257 id-1 true","errorType":"UserCodeError"}`}},
		"Bytes":       {{`{"a":1}`, response + `{"a":1}!`}, {``, response + `!`}},
		"Text":        {{`"<ü>"`, response + `"<ü>"?`}},
		"Struct": {{`{"name":"Ann","more":1}`, response + `{"Hello":"\u003cAnn\u003e"}`},
			{`[]`, failure + `{"errorMessage":"request for a main.In: json: cannot unmarshal array into Go value of type main.In","errorType":"UserCodeError"}`},
			{`nope`, failure + `{"errorMessage":"request for a main.In: the request is not JSON: invalid character 'o' in literal null (expecting 'u')","errorType":"UserCodeError"}`}},
		"Pointer": {{`{"name":"Ann"}`, response + `{"Hello":"Ann"}`}, {`{}`, response + `null`}},
		"Any":     {{`{"a":[1]}`, response + `[{"a":[1]},"x"]`}, {`"<"`, response + `"\u003c"`}},
		"Plain":   {{`as it is`, response + `as it is`}},
		"Mux": {{`{"httpMethod":"GET","path":"/hello/ann","headers":{}}`,
			response + `{"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"multiValueHeaders":{"Content-Type":["text/plain; charset=utf-8"]},"body":"ann","isBase64Encoded":false}`},
			// Behind a gateway the path may be the specification's, and url is the one that was sent.
			{`{"httpMethod":"GET","url":"/hello/bob%2Feve?","path":"/hello/{name}","headers":{}}`,
				response + `{"statusCode":200,"headers":{"Content-Type":"text/plain; charset=utf-8"},"multiValueHeaders":{"Content-Type":["text/plain; charset=utf-8"]},"body":"bob/eve","isBase64Encoded":false}`}},
		"Web": {
			{`{"httpMethod":"PUT","path":"/a b","headers":{"Host":"h","X-In":"one"},"multiValueHeaders":{"Host":["h"],"x-in":["two"]},` +
				`"multiValueQueryStringParameters":{"q":["1","2"]},"requestContext":{"identity":{"sourceIp":"10.0.0.1"}},"body":"Ym9keQ==","isBase64Encoded":true}`,
				response + web(201, `"X-Two":"a"`, `"X-Two":["a","b"]`, `PUT /a%20b?q=1\u0026q=2 h 10.0.0.1 two body`, false)},
			{`{"requestContext":{"httpMethod":"POST","eventType":"MESSAGE"},"queryStringParameters":{"binary":""},"body":"x"}`,
				response + web(200, `"X-Two":"a"`, `"X-Two":["a","b"]`, `AP8=`, true)},
			{`{"messages":[]}`, response + web(201, `"X-Two":"a"`, `"X-Two":["a","b"]`, `POST /    {\"messages\":[]}`, false)},
			{`{"httpMethod":"GET","body":"?","isBase64Encoded":true}`, failure + `{"errorMessage":"request: body: illegal base64 data at input byte 0","errorType":"UserCodeError"}`},
		},
		"Wrong": {{"", `init/error UserCodeError {"errorMessage":"the entry point is a int: want a function or an http.Handler","errorType":"UserCodeError"}`}},
		"Late": {{"", `init/error UserCodeError {"errorMessage":"the entry point is func(string, string) error: of two arguments the first is a context.Context; ` +
			`want func([context.Context][, In]) ([Out,] error)","errorType":"UserCodeError"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			api := start(t, one(t, dir, "index."+name))
			for _, c := range calls {
				var got answer
				if strings.HasPrefix(c.want, "init/") {
					got = <-api.answers
				} else {
					got = api.invoke(c.in)
				}
				if said := strings.TrimSpace(got.path+" "+got.errorType) + " " + got.body; said != c.want {
					t.Errorf("%s\ngot  %s\nwant %s", c.in, said, c.want)
				}
			}
		})
	}
	is := is.New(t)
	after, err := filepath.Glob(filepath.Join(dir, "*"))
	is.NoErr(err)
	is.Equal(after, before) // nothing is written beside the source
}

func web(status int, header, headers, body string, base64 bool) string {
	kind := "text/plain; charset=utf-8"
	if base64 {
		kind = "application/octet-stream"
	}
	return fmt.Sprintf(`{"statusCode":%d,"headers":{"Content-Type":%[2]q,%[3]s},"multiValueHeaders":{"Content-Type":[%[2]q],%[4]s},"body":"%[5]s","isBase64Encoded":%[6]t}`,
		status, kind, header, headers, body, base64)
}

func TestAPanicIsToldAndSurvived(t *testing.T) {
	is := is.New(t)
	dir := folder(t, "go.mod", module, "index.go", handlers)
	api := start(t, one(t, dir, "index.Number"))
	for range 2 {
		got := api.invoke(`{}`)
		is.Equal(got.path, "invocation/id-1/error")
		is.Equal(got.errorType, "UserCodePanic")
		var f struct {
			Message string   `json:"errorMessage"`
			Type    string   `json:"errorType"`
			Stack   []string `json:"stackTrace"`
		}
		is.NoErr(json.Unmarshal([]byte(got.body), &f))
		is.Equal(f.Message, "user code execution causes panic: runtime error: index out of range [2] with length 0")
		is.Equal(f.Type, "UserCodePanic")
		is.True(strings.HasPrefix(f.Stack[len(f.Stack)-1], "main.Number (")) // up to the handler, not to who called it
		is.True(strings.Contains(f.Stack[len(f.Stack)-1], "index.go:"))
	}
}

// A folder inside a module may use the rest of it. A go.mod that names no version means the language of Go 1.16.
func TestAnEntryPointInsideAModule(t *testing.T) {
	is := is.New(t)
	root := folder(t, "go.mod", "module fn\n", "say/say.go", "package say\n\nconst Word = \"inside\"\n",
		"deploy/fn/handler.go", "package main\n\nimport \"fn/say\"\n\nfunc Handler() (string, error) { return say.Word, nil }\n")
	api := start(t, one(t, filepath.Join(root, "deploy", "fn"), "handler.Handler"))
	is.Equal(api.invoke("").body, "inside")
}

func TestEntryPointsThatAreNone(t *testing.T) {
	dir := folder(t, "go.mod", module, "index.go", `package main

import (
	"context"
	"net/http"
)

func Good(ctx context.Context, in []byte) ([]byte, error) { return in, nil }
func Generic[T any](in T) error                            { return nil }
func Variadic(in ...string) error                          { return nil }
func Three(a, b, c string) error                           { return nil }
func NoContext(a, b string) error                          { return nil }
func NoError(in string) string                             { return in }
func ErrorFirst(in string) (error, string)                 { return nil, in }
func ThreeResults() (a, b int, err error)                  { return }
func Web(w http.ResponseWriter, r *http.Request) error     { return nil }
func hidden()                                              {}
type Type struct{}
func (Type) Method() error { return nil }
const Const = 1
`, "other.go", "package main\n\nvar Elsewhere, Beside = 1, 2\n", "lib/lib.go", "package lib\n\nfunc Handler() error { return nil }\n",
		"cmd/main.go", "package main\n\nfunc Handler() error { return nil }\n\nfunc main() {}\n", "none/none.go", "//go:build !ycf\n\npackage main\n",
		"broken/index.go", "package main\n\nfunc Handler( {\n", "wrong/index.go", "package main\n\nfunc Handler() error {\n\treturn missing\n}\n")
	index := filepath.Join(dir, "index.go")
	for name, tc := range map[string]struct{ in, entry, want string }{
		"no dot":              {"", "index", `entry point "index": want <file without .go>.<Name>`},
		"two dots":            {"", "index.go.Good", `want <file without .go>.<Name>`},
		"a small letter":      {"", "index.hidden", `the name beginning with a capital, as in index.Handler`},
		"a path":              {"", "../index.Good", `want <file without .go>.<Name>`},
		"no such file":        {"", "main.Good", `entry point main.Good of ` + dir + `: no file main.go for the tag ycf, only index.go, other.go`},
		"no such name":        {"", "index.Handler", `no Handler in index.go; found index.go: func Good(ctx context.Context, in []byte) ([]byte, error); index.go: func Generic`},
		"… lists all":         {"", "index.Handler", `index.go: type Type; index.go: const Const; other.go: var Elsewhere; other.go: var Beside`},
		"in another file":     {"", "index.Elsewhere", `Elsewhere is in other.go: the entry point is other.Elsewhere`},
		"a method":            {"", "index.Method", `no Method in index.go`},
		"a type":              {"", "index.Type", `index.go:18:6: Type is a type; want func([context.Context][, In]) ([Out,] error), func(http`},
		"a constant":          {"", "index.Const", `Const is a const; want`},
		"generic":             {"", "index.Generic", index + `:9:1: Generic has type parameters; want`},
		"variadic":            {"", "index.Variadic", `Variadic is variadic; want`},
		"three arguments":     {"", "index.Three", `Three takes 3 arguments; want`},
		"no context":          {"", "index.NoContext", `NoContext takes two arguments of which the first is no context.Context; want`},
		"no error":            {"", "index.NoError", `NoError has no error as its last result; want`},
		"the error first":     {"", "index.ErrorFirst", `ErrorFirst has no error as its last result; want`},
		"three results":       {"", "index.ThreeResults", `ThreeResults has 3 results; want`},
		"http with a result":  {"", "index.Web", `Web takes an http.ResponseWriter and has a result; want`},
		"another package":     {"lib", "lib.Handler", `lib.go is of package lib; want package main`},
		"with a main":         {"cmd", "main.Handler", filepath.Join(dir, "cmd", "main.go") + `:5:1: a func main, which a cloud function has none of; keep it out with //go:build !ycf`},
		"nothing for ycf":     {"none", "none.Handler", `no Go files for the tag ycf`},
		"it does not parse":   {"broken", "index.Handler", filepath.Join(dir, "broken", "index.go") + `:3:15: `},
		"it does not compile": {"wrong", "index.Handler", filepath.Join(dir, "wrong", "index.go") + `:4:9: undefined: missing`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := build.Build(t.Context(), build.Options{Dir: t.TempDir()}, build.Source{Package: filepath.Join(dir, tc.in), Entry: tc.entry})
			if err == nil {
				t.Fatal("it was built")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

// Builds of one source at once agree on what they made.
func TestBuildsAtOnce(t *testing.T) {
	is := is.New(t)
	o := build.Options{Dir: t.TempDir()}
	s := build.Source{Package: folder(t, "go.mod", module, "main.go", hello)}
	var all sync.WaitGroup
	paths := make([]string, 3)
	for i := range paths {
		all.Go(func() {
			got, err := build.Build(t.Context(), o, s)
			if err != nil {
				t.Error(err)
			}
			paths[i] = got.Path
		})
	}
	all.Wait()
	is.Equal(paths[0], paths[1])
	is.Equal(paths[1], paths[2])
	is.Equal(says(t, paths[0]), "hello")
}
