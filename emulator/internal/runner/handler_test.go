package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// handle adds a function in this process.
func (h *house) handle(name string, f runner.Invoker) {
	h.t.Helper()
	h.is.NoErr(h.Set(h.t.Context(), runner.Function{Name: name, ARN: "arn:" + name, Handler: f}))
}

func TestAHandlerIsToldWhatAProcessIs(t *testing.T) {
	h := open(t)
	h.handle("about", lambda.NewHandler(func(ctx context.Context, text string) (map[string]any, error) {
		about, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": about.AwsRequestID, "arn": about.InvokedFunctionArn, "client": about.ClientContext.Client.AppTitle, "text": text,
			"trace": ctx.Value("x-amzn-trace-id"), "soon": time.Until(deadline) <= 3*time.Second,
		}, nil
	}))
	response, err := h.Invoke(t.Context(), "about", runner.Request{
		ID: "1-2", Payload: []byte(`"hello"`), ClientContext: `{"client":{"app_title":"shop"}}`, TraceID: "Root=1", Tail: true,
	})
	h.is.NoErr(err)
	h.is.Equal(string(response.Payload), `{"arn":"arn:about","client":"shop","id":"1-2","soon":true,"text":"hello","trace":"Root=1"}`)
	h.is.Equal(string(response.Log), "START RequestId: 1-2 Version: $LATEST\nEND RequestId: 1-2\n"+
		"REPORT RequestId: 1-2\tDuration: 0.00 ms\tBilled Duration: 0 ms\tMemory Size: 128 MB\t\n")
}

// The same mistakes get the same words whether the function is here or in a process.
func TestAHandlerFailsAsAProcessDoes(t *testing.T) {
	h := open(t)
	for name, f := range map[string]handler{
		"fail":  func(context.Context, []byte) ([]byte, error) { return nil, &badOrder{"7"} },
		"panic": func(context.Context, []byte) ([]byte, error) { panic("out of cheese") },
	} {
		h.set(name)
		process := h.invoke(name, `1`)
		h.handle(name, f)
		here := h.invoke(name, `1`)
		h.is.Equal(here.FunctionError, process.FunctionError)
		if name == "fail" {
			h.is.Equal(string(here.Payload), string(process.Payload))
			continue
		}
		var a, b struct {
			ErrorMessage, ErrorType string
			StackTrace              []struct {
				Path, Label string
				Line        int
			}
		}
		h.is.NoErr(json.Unmarshal(process.Payload, &a))
		h.is.NoErr(json.Unmarshal(here.Payload, &b))
		h.is.Equal(a.ErrorMessage, b.ErrorMessage)
		h.is.Equal(a.ErrorType, b.ErrorType)
		h.is.True(strings.HasSuffix(b.StackTrace[0].Path, "runner/handler_test.go")) // where it panicked
		h.is.True(strings.Contains(string(process.Payload), "runner/program_test.go"))
		h.is.True(strings.HasPrefix(b.StackTrace[0].Label, "TestAHandlerFailsAsAProcessDoes"))
	}
	h.handle("worded", handler(func(context.Context, []byte) ([]byte, error) {
		return nil, messages.InvokeResponse_Error{Type: "My.Type", Message: "my words"}
	}))
	kind, message := h.failed(h.invoke("worded", `1`))
	h.is.Equal(kind, "My.Type")
	h.is.Equal(message, "my words")
}

func TestAHandlerIsTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		r := runner.New(runner.Options{Dir: t.TempDir()})
		let := make(chan struct{})
		is.NoErr(r.Set(t.Context(), runner.Function{Name: "heeds", Timeout: 2 * time.Second, Handler: handler(func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})}))
		is.NoErr(r.Set(t.Context(), runner.Function{Name: "does not", Handler: handler(func(context.Context, []byte) ([]byte, error) {
			<-let
			return nil, errors.New("nobody hears this")
		})}))
		for name, seconds := range map[string]string{"heeds": "2.00", "does not": "3.00"} {
			response, err := r.Invoke(t.Context(), name, runner.Request{})
			is.NoErr(err)
			is.Equal(response.FunctionError, "Unhandled")
			is.Equal(string(response.Payload), `{"errorMessage":"RequestId: `+response.ID+` Error: Task timed out after `+seconds+` seconds","errorType":"Sandbox.Timedout"}`)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := r.Close(ctx) // it waits as long as it may, then names who is left
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.True(strings.Contains(err.Error(), "does not (1)"))
		close(let)
	})
}

func TestHandlersRunAtOnce(t *testing.T) {
	h := open(t, func(o *runner.Options) { o.Processes = 1; o.Limit = 3 })
	all := make(chan struct{})
	in := make(chan struct{})
	h.handle("meet", handler(func(context.Context, []byte) ([]byte, error) {
		in <- struct{}{}
		<-all
		return []byte("1"), nil
	}))
	var responses []<-chan runner.Response
	for range 3 {
		responses = append(responses, h.invoking("meet", `1`))
		<-in
	}
	_, err := h.Invoke(t.Context(), "meet", runner.Request{})
	h.is.True(errors.Is(err, runner.ErrThrottled))
	close(all)
	for _, c := range responses {
		h.is.Equal(string((<-c).Payload), "1")
	}
}

// lambda.NewHandler writes all its answers into one buffer.
func TestAnswersOfALambdaHandlerAreTheirOwn(t *testing.T) {
	h := open(t)
	h.handle("echo", lambda.NewHandler(func(_ context.Context, text string) (string, error) { return text, nil }))
	answers := map[string]<-chan runner.Response{}
	for i := range 50 {
		text := `"` + strings.Repeat(string(rune('a'+i%26)), 10+i) + `"`
		answers[text] = h.invoking("echo", text)
	}
	for want, answer := range answers {
		h.is.Equal(string((<-answer).Payload), want)
	}
}
