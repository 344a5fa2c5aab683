package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/events"
)

// AsyncOptions are the doors of Async. Queues, Invoke and Send are needed.
type AsyncOptions struct {
	Queues *queue.Queues
	Clock  clock.Clock // nil: clock.Real
	// Invoke calls a function by its name and returns when it has answered.
	Invoke func(ctx context.Context, name string, r runner.Request) (runner.Response, error)
	// Send puts a message into the SQS queue of an ARN.
	Send func(ctx context.Context, arn string, m queue.Message) error
	Note func(events.Step)
	Warn func(string)
}

// Async invokes functions for senders that do not wait: each function has a queue, tries, and places where its results go.
type Async struct {
	o AsyncOptions

	mu        sync.Mutex
	functions map[string]*asyncFunction // by name
}

// asyncFunction is a function with a queue.
type asyncFunction struct {
	template.Function
	async *Async
	stop  func()

	mu   sync.Mutex
	last map[string]attempt // by message: what the last try that failed came to
}

// attempt is what a try came to.
type attempt struct {
	response runner.Response
	err      error // the function was not run
	count    int
}

const (
	// asyncQueue begins the names of the queues of functions. SQS takes no such name.
	asyncQueue = "async:"
	// asyncAtOnce is how many events of a function are being handled at once; fewer if the function is bound to fewer.
	asyncAtOnce = 50
	traceName   = "trace"
	// What a throttled event waits: as long as it has waited already, but this at least and at most.
	throttledMin, throttledMax = time.Second, 5 * time.Minute
)

// NewAsync returns an Async without functions.
func NewAsync(o AsyncOptions) *Async {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Note == nil {
		o.Note = func(events.Step) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return &Async{o: o, functions: make(map[string]*asyncFunction)}
}

// Add makes a function's queue and takes events from it until Close.
func (a *Async) Add(f template.Function) error {
	for _, to := range []struct {
		name, arn string
		function  bool // may be one
	}{{"OnFailure", f.OnFailure, true}, {"OnSuccess", f.OnSuccess, true}, {"DeadLetterQueue", f.DeadLetter, false}} {
		if s := serviceOf(to.arn); to.arn != "" && s != "sqs" && (s != "lambda" || !to.function) {
			a.o.Warn(fmt.Sprintf("%s: %s of the function %s: not emulated: %s; what should go there is told in a step and dropped",
				place(f.At), to.name, f.LogicalID, to.arn))
		}
	}
	x := &asyncFunction{Function: f, async: a, last: make(map[string]attempt)}
	def := queue.Queue{
		Name: asyncQueue + f.Name, Retention: x.maxAge(), MaxReceives: f.Retries + 1,
		Backoff: retryAfter,
		Dead:    x.dead,
	}
	if err := a.o.Queues.Set(def); err != nil {
		return fmt.Errorf("%s: asynchronous invocations of %s: %w", place(f.At), f.LogicalID, err)
	}
	atOnce := asyncAtOnce
	if f.Reserved != nil {
		atOnce = max(1, min(atOnce, *f.Reserved))
	}
	stop, err := a.o.Queues.Consume(queue.Consumer{
		Name: f.Name, Queue: def.Name, Batch: 1, Concurrency: atOnce, Hold: true,
		Handle: func(ctx context.Context, batch []queue.Received) ([]string, error) { return nil, x.try(ctx, batch[0]) },
	})
	if err != nil {
		return fmt.Errorf("%s: asynchronous invocations of %s: %w", place(f.At), f.LogicalID, err)
	}
	x.stop = stop
	a.mu.Lock()
	defer a.mu.Unlock()
	a.functions[f.Name] = x
	return nil
}

// Close stops taking events and waits for those that are being handled. The others stay in their queues.
func (a *Async) Close() {
	a.mu.Lock()
	all := a.functions
	a.functions = make(map[string]*asyncFunction)
	a.mu.Unlock()
	for _, x := range all {
		x.stop()
	}
}

// Invoke takes an event for a function by its name; of r, Payload and TraceID go with it. When it returns the event is on record. It
// says runner.ErrNoFunction and queue.ErrFull.
func (a *Async) Invoke(ctx context.Context, name string, r runner.Request, events []string) (id string, err error) {
	a.mu.Lock()
	known := a.functions[name] != nil
	a.mu.Unlock()
	if !known {
		return "", fmt.Errorf("%w: %q", runner.ErrNoFunction, name)
	}
	if len(r.Payload) > maxAsyncPayload {
		return "", tooLarge(maxAsyncPayload)
	}
	m := queue.Message{Body: r.Payload, Events: events}
	if r.TraceID != "" {
		m.Attributes = map[string]queue.Attribute{traceName: {Type: "String", Value: []byte(r.TraceID)}}
	}
	sent, err := a.o.Queues.Send(ctx, asyncQueue+name, []queue.Message{m})
	if err != nil {
		return "", err
	}
	return sent[0].ID, nil
}

// retryAfter is the rest between tries: a minute, and then two.
func retryAfter(failed int) time.Duration { return time.Duration(min(failed, 2)) * time.Minute }

func (x *asyncFunction) maxAge() time.Duration {
	if x.MaxAge > 0 {
		return x.MaxAge
	}
	return 6 * time.Hour
}

// try is one invocation. All tries of an event have the same request id.
func (x *asyncFunction) try(ctx context.Context, r queue.Received) error {
	response, err := x.async.o.Invoke(ctx, x.Name, runner.Request{
		ID: r.ID, Payload: r.Body, TraceID: string(r.Attributes[traceName].Value), Events: r.Events,
	})
	now := x.async.o.Clock.Now()
	if errors.Is(err, runner.ErrThrottled) {
		rest := min(max(now.Sub(r.SentAt), throttledMin), throttledMax)
		return &queue.Later{After: min(rest, r.SentAt.Add(x.maxAge()).Sub(now)), Err: err}
	}
	if err == nil && response.FunctionError == "" {
		x.forget(r.ID)
		if x.OnSuccess != "" {
			x.send(ctx, r, x.OnSuccess, queue.Message{Body: x.record(r, "Success", attempt{response: response, count: r.Receives})})
		}
		return nil
	}
	x.mu.Lock()
	x.last[r.ID] = attempt{response, err, r.Receives}
	x.mu.Unlock()
	if err == nil {
		err = functionFailure(response)
	}
	if !now.Add(retryAfter(r.Receives)).Before(r.SentAt.Add(x.maxAge())) && r.Receives <= x.Retries {
		return &queue.GiveUp{Why: queue.Expired, Err: err} // it would be too old for the next try
	}
	return err
}

// functionFailure says in a line what a function did wrong.
func functionFailure(r runner.Response) error {
	kind, message := failureOf(r.Payload)
	return fmt.Errorf("the function failed: %s: %s", kind, message)
}

func failureOf(payload []byte) (kind, message string) {
	var e struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(payload, &e) != nil || e.ErrorType == "" && e.ErrorMessage == "" {
		return "Unhandled", string(payload)
	}
	return e.ErrorType, e.ErrorMessage
}

func (x *asyncFunction) forget(id string) attempt {
	x.mu.Lock()
	defer x.mu.Unlock()
	last := x.last[id]
	delete(x.last, id)
	return last
}

// dead hands over an event that was tried for the last time, or is too old.
func (x *asyncFunction) dead(ctx context.Context, r queue.Received, why queue.Reason) {
	last := x.forget(r.ID)
	condition := "RetriesExhausted"
	text := fmt.Sprintf("%s failed %d times", x.Name, r.Receives)
	if why == queue.Expired {
		condition = "EventAgeExceeded"
		text = fmt.Sprintf("the event would be older than %v before %s could be tried again", x.maxAge(), x.Name)
	}
	if x.DeadLetter == "" && x.OnFailure == "" {
		text += ", and it has neither a destination for failures nor a dead-letter queue: dropped"
	}
	x.note(events.StepLost, r, text, map[string]any{"condition": condition, "tries": r.Receives})
	if x.OnFailure != "" {
		last.count = r.Receives
		x.send(ctx, r, x.OnFailure, queue.Message{Body: x.record(r, condition, last)})
	}
	if x.DeadLetter != "" {
		x.send(ctx, r, x.DeadLetter, queue.Message{Body: r.Body, Attributes: last.attributes(r.ID)})
	}
}

// attributes tell a dead-letter queue why the event is there.
func (a attempt) attributes(requestID string) map[string]queue.Attribute {
	code, message := "200", ""
	if a.err != nil {
		code, message = "500", a.err.Error()
	} else if len(a.response.Payload) > 0 {
		_, message = failureOf(a.response.Payload)
	}
	out := map[string]queue.Attribute{
		"RequestID": {Type: "String", Value: []byte(requestID)},
		"ErrorCode": {Type: "Number", Value: []byte(code)},
	}
	if message != "" {
		out["ErrorMessage"] = queue.Attribute{Type: "String", Value: []byte(strings.ToValidUTF8(message[:min(len(message), 1024)], ""))}
	}
	return out
}

// send hands something over to a queue or to another function.
func (x *asyncFunction) send(ctx context.Context, r queue.Received, arn string, m queue.Message) {
	m.Events = r.Events
	var err error
	switch serviceOf(arn) {
	case "sqs":
		err = x.async.o.Send(ctx, arn, m)
	case "lambda":
		_, err = x.async.Invoke(ctx, functionName(arn), runner.Request{Payload: m.Body}, r.Events)
	default:
		err = errors.New("not emulated")
	}
	if err != nil {
		x.note(events.StepLost, r, fmt.Sprintf("not handed over to %s: %v", arn, err), nil)
		return
	}
	x.note(events.StepDelivered, r, "handed over to "+arn, map[string]any{"target": arn})
}

func (x *asyncFunction) note(what string, r queue.Received, text string, data map[string]any) {
	x.async.o.Note(events.Step{At: x.async.o.Clock.Now(), Events: r.Events, Room: "lambda", What: what, Who: x.Name, Text: text, Data: data})
}

// invocationRecord is what a destination gets, its keys in the order of the service's.
type invocationRecord struct {
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	RequestContext  recordRequest    `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *recordResponse  `json:"responseContext,omitempty"`
	ResponsePayload *json.RawMessage `json:"responsePayload,omitempty"`
}

type recordRequest struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"`
	Count       int    `json:"approximateInvokeCount"`
}

type recordResponse struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// record words an invocation. Without an answer of the function there is no response in it.
func (x *asyncFunction) record(r queue.Received, condition string, a attempt) []byte {
	out := invocationRecord{
		Version: "1.0", Timestamp: x.async.o.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		RequestContext: recordRequest{r.ID, x.ARN + ":" + latest, condition, a.count},
		RequestPayload: asJSON(r.Body),
	}
	if a.err == nil && a.response.ID != "" {
		payload := asJSON(a.response.Payload)
		out.ResponseContext = &recordResponse{200, latest, a.response.FunctionError}
		out.ResponsePayload = &payload
	}
	return encode(out)
}

// asJSON is data if that is JSON, and else the text of it.
func asJSON(data []byte) json.RawMessage {
	switch {
	case len(data) == 0:
		return json.RawMessage("null")
	case json.Valid(data):
		return data
	}
	return encode(string(data))
}

// serviceOf is the service of an ARN.
func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	return parts[2]
}

// functionName is the name in a function's ARN, which may have a qualifier.
func functionName(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 {
		return arn
	}
	return parts[6]
}
