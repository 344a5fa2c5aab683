package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
)

// LambdaPath begins the path of every request for Lambda that is emulated.
const LambdaPath = "/2015-03-31/functions"

// The most bytes of a payload.
const (
	maxPayload      = 6 << 20
	maxAsyncPayload = 1 << 20
)

// Lambda serves Lambda's Invoke API, and lists functions.
type Lambda struct {
	Account, Region string
	Functions       func() []template.Function
	// Invoke calls a function by its name and returns when it has answered.
	Invoke func(ctx context.Context, name string, r runner.Request) (runner.Response, error)
	// InvokeAsync takes an event for a function by its name and returns when that is on record.
	InvokeAsync func(ctx context.Context, name string, r runner.Request, events []string) (id string, err error)
}

// lambdaError is an error in Lambda's words.
type lambdaError struct {
	Status  int
	Type    string
	Message string
	Reason  string // of throttling
}

func (e *lambdaError) Error() string { return e.Type + ": " + e.Message }

// body has the keys that the service model gives: two of the errors spell the message with a capital.
func (e *lambdaError) body() []byte {
	who := "User"
	if e.Status >= http.StatusInternalServerError {
		who = "Service"
	}
	if e.Type == "ResourceNotFoundException" || e.Type == "ServiceException" {
		return encode(struct{ Message, Type string }{e.Message, who})
	}
	return encode(struct {
		Reason  string `json:",omitempty"`
		Type    string
		Message string `json:"message"`
	}{e.Reason, who, e.Message})
}

// lambdaErrorOf maps the rooms' errors.
func lambdaErrorOf(err error, arn string) *lambdaError {
	var e *lambdaError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, runner.ErrNoFunction):
		return noFunction(arn)
	case errors.Is(err, runner.ErrThrottled), errors.Is(err, queue.ErrFull):
		return &lambdaError{http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded"}
	case errors.Is(err, runner.ErrTooBig):
		return tooLarge(maxPayload)
	}
	return &lambdaError{Status: http.StatusInternalServerError, Type: "ServiceException", Message: err.Error()}
}

func noFunction(arn string) *lambdaError {
	return &lambdaError{Status: http.StatusNotFound, Type: "ResourceNotFoundException", Message: "Function not found: " + arn}
}

func tooLarge(most int) *lambdaError {
	return &lambdaError{Status: http.StatusRequestEntityTooLarge, Type: "RequestTooLargeException",
		Message: fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", most)}
}

func badContent(message string) *lambdaError {
	return &lambdaError{Status: http.StatusBadRequest, Type: "InvalidRequestContentException", Message: message}
}

// ServeHTTP answers one request.
func (l *Lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", newRequestID())
	w.Header().Set("Content-Type", "application/json")
	name, what, ok := lambdaRoute(r)
	if !ok {
		l.fail(w, &lambdaError{Status: http.StatusNotImplemented, Type: "NotImplementedException", Message: "not emulated: lambda " + r.Method + " " + r.URL.Path})
		return
	}
	if what == "" && name == "" {
		l.list(w)
		return
	}
	f, arn, err := l.find(name, r.URL.Query().Get("Qualifier"))
	if err != nil {
		l.fail(w, lambdaErrorOf(err, arn))
		return
	}
	switch what {
	case "invocations":
		if err := l.invoke(w, r, f); err != nil && r.Context().Err() == nil {
			l.fail(w, lambdaErrorOf(err, arn))
		}
	case "configuration":
		_, _ = w.Write(encode(configuration(f)))
	default:
		_, _ = w.Write(encode(functionOutput(f)))
	}
}

func (l *Lambda) fail(w http.ResponseWriter, e *lambdaError) {
	w.Header().Set("x-amzn-ErrorType", e.Type)
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.body()) // a client that has gone is no news
}

// lambdaRoute reads /functions/, /functions/{name} and /functions/{name}/{what}. A name may be an ARN, and escaped.
func lambdaRoute(r *http.Request) (name, what string, ok bool) {
	rest, under := strings.CutPrefix(r.URL.EscapedPath(), LambdaPath)
	if !under || rest != "" && rest[0] != '/' {
		return "", "", false
	}
	name, what, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	name, err := url.PathUnescape(name)
	what = strings.TrimSuffix(what, "/")
	switch {
	case err != nil:
		return "", "", false
	case what == "invocations":
		return name, what, r.Method == http.MethodPost && name != ""
	case what == "" || what == "configuration":
		return name, what, r.Method == http.MethodGet && (name != "" || what == "")
	}
	return "", "", false
}

// find takes a name, a partial ARN (account:function:name) or an ARN, each with :qualifier behind it; a logical id will do as a name.
func (l *Lambda) find(text, qualifier string) (f template.Function, arn string, err error) {
	parts := strings.Split(text, ":")
	account := l.Account
	switch {
	case len(parts) >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function":
		account, parts = parts[4], parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		account, parts = parts[0], parts[2:]
	case len(parts) >= 2 && parts[0] == "function":
		parts = parts[1:]
	}
	if len(parts) > 2 || parts[0] == "" {
		return f, "", &lambdaError{Status: http.StatusBadRequest, Type: "InvalidParameterValueException",
			Message: fmt.Sprintf("got the function name %q, want a name, account:function:name or an ARN, and :qualifier behind it", text)}
	}
	if len(parts) == 2 {
		qualifier = parts[1]
	}
	arn = "arn:aws:lambda:" + l.Region + ":" + account + ":function:" + parts[0]
	if qualifier != "" {
		arn += ":" + qualifier
	}
	all := l.Functions()
	i := slices.IndexFunc(all, func(f template.Function) bool { return f.Name == parts[0] })
	if i < 0 { // people know the template's name for it, and not the one that a deployment makes of that
		i = slices.IndexFunc(all, func(f template.Function) bool { return f.LogicalID == parts[0] })
	}
	if i < 0 || account != l.Account || qualifier != "" && qualifier != latest && !slices.Contains(all[i].Qualifiers, qualifier) {
		return f, arn, noFunction(arn)
	}
	return all[i], arn, nil
}

// latest is the only version that there is: the template's aliases and versions are names for it.
const latest = "$LATEST"

func (l *Lambda) invoke(w http.ResponseWriter, r *http.Request, f template.Function) error {
	kind := r.Header.Get("X-Amz-Invocation-Type")
	limit := maxPayload
	switch kind {
	case "", "RequestResponse", "DryRun":
	case "Event":
		limit = maxAsyncPayload
	default:
		return &lambdaError{Status: http.StatusBadRequest, Type: "InvalidParameterValueException",
			Message: fmt.Sprintf("got the invocation type %q, want RequestResponse, Event or DryRun", kind)}
	}
	q := runner.Request{ID: w.Header().Get("x-amzn-RequestId"), TraceID: r.Header.Get("X-Amzn-Trace-Id"), Tail: r.Header.Get("X-Amz-Log-Type") == "Tail"}
	var err error
	if q.Payload, err = io.ReadAll(io.LimitReader(r.Body, int64(limit)+1)); err != nil {
		return badContent("Could not read the request: " + err.Error())
	}
	if len(q.Payload) > limit {
		return tooLarge(limit)
	}
	if len(q.Payload) == 0 {
		q.Payload = []byte("{}")
	}
	if err := json.Unmarshal(q.Payload, new(json.RawMessage)); err != nil {
		return badContent("Could not parse request body into json: " + err.Error())
	}
	if text := r.Header.Get("X-Amz-Client-Context"); text != "" {
		context, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !json.Valid(context) {
			return badContent("Client context must be a valid Base64-encoded JSON object.")
		}
		q.ClientContext = string(context)
	}
	switch kind {
	case "DryRun":
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return nil
	case "Event":
		q.ClientContext = "" // the service hands it on in synchronous calls alone
		id, err := l.InvokeAsync(r.Context(), f.Name, q, nil)
		if err != nil {
			return err
		}
		w.Header().Set("x-amzn-RequestId", id) // which the function's tries have too
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	a, err := l.Invoke(r.Context(), f.Name, q)
	if err != nil {
		return err
	}
	w.Header().Set("X-Amz-Executed-Version", latest)
	if a.FunctionError != "" {
		w.Header().Set("X-Amz-Function-Error", a.FunctionError)
	}
	if q.Tail {
		w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(a.Log))
	}
	_, _ = w.Write(a.Payload)
	return nil
}

// functionConfiguration is what is true of a function here; what the service knows besides is left out.
type functionConfiguration struct {
	FunctionName, FunctionArn, Runtime, Handler string
	Version, PackageType                        string
	State, LastUpdateStatus                     string
	MemorySize, Timeout                         int
	Architectures                               []string
	Environment                                 *functionVariables `json:",omitempty"`
	DeadLetterConfig                            *deadLetterConfig  `json:",omitempty"`
}

type functionVariables struct{ Variables map[string]string }

type deadLetterConfig struct{ TargetArn string }

func configuration(f template.Function) functionConfiguration {
	c := functionConfiguration{
		FunctionName: f.Name, FunctionArn: f.ARN, Runtime: f.Runtime, Handler: f.Handler, Version: latest, PackageType: "Zip",
		State: "Active", LastUpdateStatus: "Successful", MemorySize: f.Memory, Timeout: int(f.Timeout / time.Second),
		Architectures: []string{f.Architecture},
	}
	if len(f.Env) > 0 {
		c.Environment = &functionVariables{f.Env}
	}
	if f.DeadLetter != "" {
		c.DeadLetterConfig = &deadLetterConfig{f.DeadLetter}
	}
	return c
}

// getFunctionOutput says nothing of where the code is: it is not kept anywhere that could be fetched.
type getFunctionOutput struct {
	Configuration functionConfiguration
	Concurrency   *reserved `json:",omitempty"`
}

type reserved struct{ ReservedConcurrentExecutions int }

func functionOutput(f template.Function) getFunctionOutput {
	out := getFunctionOutput{Configuration: configuration(f)}
	if f.Reserved != nil {
		out.Concurrency = &reserved{*f.Reserved}
	}
	return out
}

// list gives all functions on one page.
func (l *Lambda) list(w http.ResponseWriter) {
	out := struct{ Functions []functionConfiguration }{[]functionConfiguration{}}
	for _, f := range l.Functions() {
		out.Functions = append(out.Functions, configuration(f))
	}
	_, _ = w.Write(encode(out))
}
