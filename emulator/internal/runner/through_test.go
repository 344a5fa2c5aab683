package runner_test

import (
	"context"
	"strings"
	"testing"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// What stands before invocations may carry one out twice, and answer itself.
func TestThrough(t *testing.T) {
	h := open(t, func(o *runner.Options) {
		o.Through = func(ctx context.Context, name string, q runner.Request, run func(context.Context, runner.Request) (runner.Response, error)) (runner.Response, error) {
			if name == "echo" {
				_, _ = run(ctx, q) // the second counts
			}
			return run(ctx, q)
		}
	})
	h.set("echo")
	h.is.Equal(string(h.invoke("echo", `"hello"`).Payload), `"hello"`)
	h.is.Equal(h.info("echo").Invocations, uint64(2))
	h.is.True(h.Timeout("echo") > 0)
	h.is.Equal(h.Timeout("nobody"), runner.Function{}.Timeout)
}

// A function that crashes has done its work, and nobody hears of it; the next invocation finds a new process.
func TestCrash(t *testing.T) {
	done := make(chan struct{}, 1)
	h := open(t)
	h.set("echo")
	h.is.NoErr(h.Set(t.Context(), runner.Function{Name: "handler", Handler: handler(func(_ context.Context, payload []byte) ([]byte, error) {
		done <- struct{}{}
		return payload, nil
	})}))
	for _, name := range []string{"echo", "handler"} {
		response, err := h.Invoke(t.Context(), name, runner.Request{Payload: []byte(`1`), Crash: true})
		h.is.NoErr(err)
		h.is.Equal(response.FunctionError, "Unhandled")
		h.is.True(strings.Contains(string(response.Payload), "Runtime exited with error: signal: killed"))
		if name == "handler" {
			<-done // it had run
		}
		h.is.Equal(h.info(name).Errors, uint64(1))
		again := h.invoke(name, "2")
		h.is.Equal(string(again.Payload), "2")
		h.is.Equal(again.Init > 0, name == "echo")
	}
}
