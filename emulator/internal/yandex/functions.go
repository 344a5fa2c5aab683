package yandex

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// MaxPayload is how large what a function is given or gives back may be, in bytes: 3.5 MB.
const MaxPayload = 3_670_016

// functions is the door to the functions, with the rules that the cloud has whoever calls.
type functions struct {
	invoke func(ctx context.Context, function string, r runner.Request) (runner.Response, error)
	ids    func() []string
	// resolve gives the name that invoke knows a version by; nil: the function's id, whatever the tag.
	resolve func(functionID, tag string) (name, versionID string, err error)
}

// version is what to call for a tag of a function, and the version's id; an empty tag is $latest. The error is a *failure.
func (f *functions) version(functionID, tag string) (name, id string, err error) {
	if f.resolve == nil {
		return functionID, idFor("d4e", functionID+" "+latest), nil
	}
	name, id, err = f.resolve(functionID, cmp.Or(tag, latest))
	if err != nil {
		return "", "", &failure{status: http.StatusNotFound, kind: clientError, text: err.Error()}
	}
	return name, id, nil
}

func (f *functions) has(id string) bool { return slices.Contains(f.ids(), id) }

// missing says that there is no such function, and which there are.
func (f *functions) missing(id string) string {
	ids := slices.Clone(f.ids())
	slices.Sort(ids)
	if len(ids) == 0 {
		return fmt.Sprintf("got %s, which is no function here; there is none", quote(id))
	}
	return fmt.Sprintf("got %s, which is no function here; want %s", quote(id), oneOf(ids))
}

// failure is a call that came to nothing.
type failure struct {
	status int    // what the cloud answers over HTTP
	kind   string // errorType
	text   string // errorMessage
	user   bool   // the function's own fault
	body   []byte // what the function said of it; nil: the cloud words it
}

func (f *failure) Error() string {
	if f.kind == "" || f.kind == clientError {
		return f.text
	}
	return f.kind + ": " + f.text
}

const (
	clientError = "ClientError" // errorType of what is the caller's fault
	serverError = "ServerError"
	proxyError  = "ProxyIntegrationError"
)

// call calls a function once. The error is a *failure.
func (f *functions) call(ctx context.Context, function string, r runner.Request) ([]byte, error) {
	if len(r.Payload) > MaxPayload {
		return nil, tooLarge(len(r.Payload), MaxPayload)
	}
	res, err := f.invoke(ctx, function, r)
	switch {
	case errors.Is(err, runner.ErrNoFunction):
		return nil, &failure{status: http.StatusNotFound, kind: clientError, text: "function not found: " + f.missing(function)}
	case errors.Is(err, runner.ErrThrottled):
		return nil, &failure{status: http.StatusTooManyRequests, kind: clientError, text: "too many requests: every environment of the function is busy"}
	case errors.Is(err, runner.ErrTooBig):
		return nil, tooLarge(len(r.Payload), MaxPayload)
	case errors.Is(err, runner.ErrClosed):
		return nil, &failure{status: http.StatusServiceUnavailable, kind: serverError, text: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &failure{status: http.StatusGatewayTimeout, kind: serverError, text: err.Error()}
	case err != nil:
		return nil, &failure{status: http.StatusInternalServerError, kind: serverError, text: err.Error()}
	case res.FunctionError != "":
		return nil, failureOf(res.Payload)
	case len(res.Payload) > MaxPayload:
		return nil, &failure{status: http.StatusBadGateway, kind: serverError, user: true,
			text: fmt.Sprintf("the function's response of %d bytes is over %d", len(res.Payload), MaxPayload)}
	}
	return res.Payload, nil
}

func tooLarge(got, most int) *failure {
	return &failure{status: http.StatusRequestEntityTooLarge, kind: clientError, text: fmt.Sprintf("payload too large: %d bytes is over %d", got, most)}
}

// failureOf words what a function's runtime says of a failed call as this cloud does.
func failureOf(payload []byte) *failure {
	var told map[string]json.RawMessage
	f := &failure{status: http.StatusBadGateway, kind: "UserCodeError", user: true}
	if json.Unmarshal(payload, &told) != nil || told == nil {
		f.text = quote(string(payload))
		return f
	}
	var kind string
	_ = json.Unmarshal(told["errorType"], &kind) // what is no string is nothing
	_ = json.Unmarshal(told["errorMessage"], &f.text)
	if timedOut(kind, f.text) {
		return &failure{status: http.StatusGatewayTimeout, kind: "Timeout", text: f.text, user: true}
	}
	var stack []json.RawMessage
	_ = json.Unmarshal(told["stackTrace"], &stack)
	switch {
	case strings.HasPrefix(kind, "UserCode"): // the runtime is this cloud's
		f.kind = kind
	case len(stack) > 0:
		f.kind = "UserCodePanic"
	}
	if len(stack) > 0 {
		told["stackTrace"] = encodeJSON(stackLines(stack))
	}
	told["errorType"] = encodeJSON(f.kind)
	f.body = encodeJSON(told)
	return f
}

// stackLines writes a stack as this cloud does, a string for each call; runtimes of the other cloud have objects.
func stackLines(stack []json.RawMessage) []string {
	out := make([]string, len(stack))
	for i, raw := range stack {
		var frame struct {
			Path, Label string
			Line        int
		}
		switch {
		case json.Unmarshal(raw, &out[i]) == nil:
		case json.Unmarshal(raw, &frame) == nil:
			out[i] = fmt.Sprintf("%s (%s:%d)", frame.Label, frame.Path, frame.Line)
		default:
			out[i] = string(raw)
		}
	}
	return out
}

// timedOut knows a timeout by the words of the runtime API's service, which has no other way to tell.
func timedOut(kind, text string) bool {
	return kind == "Sandbox.Timedout" || strings.Contains(text, "Task timed out after")
}

// answer is what the cloud answers over HTTP when a call has failed.
func (f *failure) answer() answer {
	a := answer{status: f.status, header: http.Header{"Content-Type": {"application/json"}}, body: f.body}
	if f.user {
		a.header.Set("X-Function-Error", "true")
	}
	if a.body != nil {
		return a
	}
	told := map[string]any{"errorMessage": f.text, "errorType": f.kind}
	if !f.user {
		told["errorCode"] = f.status
	}
	a.body = encodeJSON(told)
	return a
}
