package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
)

func TestAProcessAnswers(t *testing.T) {
	h := open(t)
	h.set("echo")
	first := h.invoke("echo", `{"a":1}`)
	h.is.Equal(string(first.Payload), `{"a":1}`)
	h.is.Equal(first.FunctionError, "")
	h.is.True(first.Init > 0) // a process was started
	h.log.wait("REPORT")
	second := h.invoke("echo", `"again"`)
	h.is.Equal(string(second.Payload), `"again"`)
	h.is.Equal(second.Init, time.Duration(0)) // it was warm
	h.is.True(first.ID != second.ID)
	h.log.wait("REPORT", 2)
	info := h.info("echo")
	h.is.Equal(info.Environments, 1)
	h.is.Equal(info.Invocations, uint64(2))
	h.is.Equal(info.Errors, uint64(0))
	h.is.Equal(filepath.Base(info.Executable), filepath.Base(os.Args[0]))
}

func TestWhatAProcessIsTold(t *testing.T) {
	dir := t.TempDir()
	h := open(t, func(o *runner.Options) {
		o.Region = "eu-north-1"
		o.Host = []string{"PATH=/bin:/host", "AWS_PROFILE=prod", "AWS_SECRET_ACCESS_KEY=real", "HOME=/root", "GOOGLE_APPLICATION_CREDENTIALS=/x", "HTTP_PROXY=http://corp"}
		o.Env = func(f runner.Function) map[string]string {
			return map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "fake", "HOUSE": f.Name, "TABLE": "house"}
		}
	})
	h.set("about", func(f *runner.Function) {
		f.Dir, f.Memory, f.Timeout = dir, 256, 50*time.Second
		f.Env = map[string]string{"TABLE": "mine", "AWS_ACCESS_KEY_ID": "stolen", "AWS_REGION": "mars"}
	})
	response, err := h.Invoke(t.Context(), "about", runner.Request{
		ID: "7f1c9a52-5d7e-4a55-9b7e-0a4f6a1f3c21", TraceID: "Root=1-2-3", ClientContext: `{"client":{"app_title":"shop"}}`, Payload: []byte("null"),
	})
	h.is.NoErr(err)
	var about struct {
		ID, ARN, Client, Dir, Trace string
		Left                        float64
		Env                         []string
	}
	h.is.NoErr(json.Unmarshal(response.Payload, &about))
	h.is.Equal(about.ID, "7f1c9a52-5d7e-4a55-9b7e-0a4f6a1f3c21")
	h.is.Equal(response.ID, about.ID)
	h.is.Equal(about.ARN, "arn:aws:lambda:us-east-1:000000000000:function:about")
	h.is.Equal(about.Client, "shop")
	h.is.Equal(about.Trace, "Root=1-2-3")
	h.is.Equal(about.Dir, dir)
	h.is.True(about.Left > 40 && about.Left <= 50) // by the machine's clock, though ours stands in another year
	env := map[string]string{}
	for _, pair := range about.Env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	for name, want := range map[string]string{
		"PATH": "/bin:/host", "AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "fake", "TABLE": "mine", "HOUSE": "about",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_LAMBDA_FUNCTION_NAME": "about", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/about",
		"LAMBDA_TASK_ROOT": dir, "LAMBDA_RUNTIME_DIR": "/var/runtime", "TZ": ":UTC", "LANG": "en_US.UTF-8", "_HANDLER": "about",
		"AWS_SECRET_ACCESS_KEY": "test",
	} {
		if env[name] != want {
			t.Errorf("%s: got %q, want %q", name, env[name], want)
		}
	}
	for _, name := range []string{"AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "AWS_EXECUTION_ENV"} {
		if value, set := env[name]; set {
			t.Errorf("%s reached the process: %q", name, value)
		}
	}
	h.is.True(env["HOME"] != "/root" && env["HOME"] == env["TMPDIR"])
	h.is.True(regexp.MustCompile(`^2026/01/01/\[\$LATEST][0-9a-f]{32}$`).MatchString(env["AWS_LAMBDA_LOG_STREAM_NAME"]))
	h.is.True(regexp.MustCompile(`^127\.0\.0\.1:\d+$`).MatchString(env["AWS_LAMBDA_RUNTIME_API"])) // no path: clients take it as host:port
}

// A Yandex Cloud Function's variables are its own, static keys for the document API of YDB among them.
func TestAYandexFunctionsVariables(t *testing.T) {
	h := open(t)
	h.set("about", func(f *runner.Function) {
		f.Entry = "index.Handler"
		f.Env = map[string]string{"AWS_ACCESS_KEY_ID": "static", "AWS_REGION": "ru-central1", "AWS_LAMBDA_RUNTIME_API": "elsewhere"}
	})
	answer := string(h.invoke("about", "null").Payload)
	for _, pair := range []string{`"AWS_ACCESS_KEY_ID=static"`, `"AWS_REGION=ru-central1"`} {
		if !strings.Contains(answer, pair) {
			t.Errorf("no %s in %s", pair, answer)
		}
	}
}

// A Yandex Cloud Function is a folder of source and the name of a function in it.
func TestAYandexFunctionIsBuiltAndCalled(t *testing.T) {
	h := open(t, func(o *runner.Options) { o.Host = os.Environ() })
	dir := t.TempDir()
	h.is.NoErr(os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module fn\n\ngo 1.26\n"), 0o600))
	h.is.NoErr(os.WriteFile(filepath.Join(dir, "index.go"), []byte(`package main

import (
	"context"
	"errors"
	"fmt"
)

func Handler(ctx context.Context, in struct{ Who string }) (string, error) {
	if in.Who == "" {
		return "", errors.New("nobody is there")
	}
	fmt.Println("called")
	return fmt.Sprint("hello ", in.Who, " from ", ctx.Value("lambdaRuntimeFunctionVersion")), nil
}
`), 0o600))
	h.is.NoErr(h.Set(t.Context(), runner.Function{Name: "d4e", Version: "d4ev1", Package: dir, Entry: "index.Handler"}))
	h.is.Equal(string(h.invoke("d4e", `{"who":"you"}`).Payload), "hello you from d4ev1")
	h.log.wait("called")
	_, message := h.failed(h.invoke("d4e", `{}`))
	h.is.Equal(message, "nobody is there")
}

func TestTheLogOfAnInvocation(t *testing.T) {
	h := open(t)
	h.set("say")
	response, err := h.Invoke(t.Context(), "say", runner.Request{Payload: []byte(`"hello"`), Tail: true})
	h.is.NoErr(err)
	want := `^START RequestId: ID Version: \$LATEST
out hello
err hello
no end hello
END RequestId: ID
REPORT RequestId: ID\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: [1-9]\d* MB\tInit Duration: \d+\.\d\d ms\t
$`
	if got := string(response.Log); !regexp.MustCompile(strings.ReplaceAll(want, "ID", response.ID)).MatchString(got) {
		t.Errorf("got %q, want %s", got, want)
	}
	h.is.True(strings.HasPrefix(h.log.String(), "INIT_START ")) // before START, so not of the invocation

	response, err = h.Invoke(t.Context(), "say", runner.Request{Payload: []byte(`"` + strings.Repeat("x", 9000) + `"`), Tail: true})
	h.is.NoErr(err)
	h.is.Equal(len(response.Log), 4096)
	h.is.True(strings.HasSuffix(string(response.Log), " MB\t\n"))
}

func TestALongLineIsCut(t *testing.T) {
	h := open(t)
	h.set("say")
	h.invoke("say", `"`+strings.Repeat("x", 600<<10)+`"`)
	h.log.wait("REPORT")
	lengths := map[int]int{}
	for line := range strings.Lines(h.log.String()) {
		lengths[len(strings.TrimSuffix(line, "\n"))]++
	}
	h.is.Equal(lengths[256<<10], 6) // three lines of 600 KB and a little
	h.is.Equal(lengths[88<<10+4], 2)
	h.is.Equal(lengths[88<<10+7], 1)
}

func TestManyAtOnce(t *testing.T) {
	h := open(t, func(o *runner.Options) { o.Processes = 4 })
	h.set("echo")
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			response, err := h.Invoke(t.Context(), "echo", runner.Request{Payload: []byte(`"x"`)})
			if err != nil || string(response.Payload) != `"x"` || response.FunctionError != "" {
				t.Errorf("got %+v, %v", response, err)
			}
		})
	}
	wg.Wait()
	h.log.wait("REPORT", 200)
	h.is.True(h.info("echo").Environments <= 4)
	h.is.Equal(h.info("echo").Errors, uint64(0))
}

func TestTheLimitThrottles(t *testing.T) {
	h := open(t)
	h.set("hang", func(f *runner.Function) { f.Limit = 1 })
	hanging := h.invoking("hang", `"hang"`)
	h.log.wait("hanging")
	_, err := h.Invoke(t.Context(), "hang", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrThrottled))
	h.is.Equal(h.info("hang").Throttled, uint64(1))
	h.clock.Advance(3 * time.Second)
	<-hanging

	h.set("echo", func(f *runner.Function) { f.Limit = -1 })
	_, err = h.Invoke(t.Context(), "echo", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrThrottled))
}

func TestWhoWaitsIsServedInTurn(t *testing.T) {
	h := open(t, func(o *runner.Options) { o.Processes = 1 })
	h.set("hang")
	hanging := h.invoking("hang", `"hang"`)
	h.log.wait("hanging")
	waiting := h.invoking("hang", `"next"`)
	h.clock.Advance(3 * time.Second)
	h.is.Equal((<-hanging).FunctionError, "Unhandled")
	h.is.Equal(string((<-waiting).Payload), `"next"`) // in another process: the first was killed
}

func TestTheCallerLeaves(t *testing.T) {
	h := open(t)
	h.set("hang")
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := h.Invoke(ctx, "hang", runner.Request{Payload: []byte(`"hang"`)})
		left <- err
	}()
	h.log.wait("hanging")
	cancel()
	h.is.True(errors.Is(<-left, context.Canceled))
	h.is.Equal(h.info("hang").InFlight, 1) // Lambda does not cancel
	h.clock.Advance(3 * time.Second)
	h.log.wait("Status: timeout") // its time is the bound
}

func TestWhatCannotBeInvoked(t *testing.T) {
	h := open(t)
	_, err := h.Invoke(t.Context(), "nobody", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrNoFunction))
	h.is.True(errors.Is(h.Remove("nobody"), runner.ErrNoFunction))
	h.set("echo")
	_, err = h.Invoke(t.Context(), "echo", runner.Request{Payload: make([]byte, runner.MaxPayload+1)})
	h.is.True(errors.Is(err, runner.ErrTooBig))
	h.is.NoErr(h.Remove("echo"))
	_, err = h.Invoke(t.Context(), "echo", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrNoFunction))

	for _, f := range []runner.Function{
		{}, {Name: "x"}, {Name: "x", Package: ".", Handler: handler(echo)}, {Name: "x", Timeout: -1, Package: "."}, {Name: "x", Executables: []string{"/none"}},
	} {
		if err := h.Set(t.Context(), f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	h.is.NoErr(h.Close(t.Context()))
	_, err = h.Invoke(t.Context(), "echo", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrClosed))
	h.is.True(errors.Is(h.Set(t.Context(), runner.Function{Name: "x", Handler: handler(echo)}), runner.ErrClosed))
}

func TestAnotherDefinitionTakesOver(t *testing.T) {
	h := open(t)
	h.set("hang")
	hanging := h.invoking("hang", `"hang"`)
	h.log.wait("hanging")
	h.set("hang", func(f *runner.Function) { f.HandlerName = "fail" })
	h.is.Equal(h.invoke("hang", `"x"`).FunctionError, "Unhandled") // the new one
	h.clock.Advance(3 * time.Second)
	response := <-hanging // the old one was not cut short
	h.is.True(strings.Contains(string(response.Payload), "Task timed out after 3.00 seconds"))
	h.set("hang", func(f *runner.Function) { f.Executables, f.Handler = nil, handler(echo) })
	h.is.Equal(string(h.invoke("hang", `"x"`).Payload), `"x"`)
}

func TestAnIdleEnvironmentEnds(t *testing.T) {
	h := open(t, func(o *runner.Options) { o.Idle = time.Minute })
	h.set("sigterm")
	h.invoke("sigterm", `1`)
	h.clock.made.wait("1m0s") // it is idle
	h.clock.Advance(time.Minute)
	h.log.wait("asked to end") // an extension has registered: it gets SIGTERM
	h.is.True(h.invoke("sigterm", `2`).Init > 0)
}

func TestCloseWaitsForWhatIsInFlight(t *testing.T) {
	h := open(t)
	h.set("hang")
	hanging := h.invoking("hang", `"hang"`)
	h.log.wait("hanging")
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan error)
	go func() { closed <- h.Close(ctx) }()
	cancel() // no patience
	h.is.NoErr(<-closed)
	h.is.True(strings.Contains(string((<-hanging).Payload), "the emulator was closed"))
}

func TestTheFolderOfARunnerIsRemoved(t *testing.T) {
	is := is.New(t)
	t.Setenv("TMPDIR", t.TempDir())
	r := runner.New(runner.Options{})
	is.NoErr(r.Set(t.Context(), runner.Function{Name: "f", Handler: handler(echo)}))
	is.NoErr(r.Close(t.Context()))
	left, err := os.ReadDir(os.TempDir())
	is.NoErr(err)
	is.Equal(len(left), 0)
}

// A clock that is moved after Quiet meets no limit of an invocation that has been answered.
func TestQuietWaitsUntilTheAnsweredAreOver(t *testing.T) {
	h := open(t)
	h.set("hang") // which answers what is not "hang"
	h.set("fail")
	for n := range 20 {
		h.invoke("hang", `"x"`)
		h.invoke("fail", `1`)
		h.is.Equal(h.Functions()[0].Errors, uint64(n+1)) // known with the answer
		h.is.NoErr(h.Quiet(t.Context()))
		h.is.Equal(h.log.count("REPORT"), 2*(n+1))
		h.clock.Advance(3 * time.Second)
	}
	h.is.Equal(h.log.count("timed out"), 0)
	hanging := h.invoking("hang", `"hang"`)
	h.log.wait("hanging")
	ended, end := context.WithCancel(t.Context())
	end()
	h.is.True(errors.Is(h.Quiet(ended), context.Canceled)) // who has not answered is waited for
	h.clock.Advance(3 * time.Second)
	<-hanging
}
