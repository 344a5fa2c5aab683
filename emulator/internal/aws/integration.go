package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// called is what came of the invocation of a function.
type called struct {
	function string
	response runner.Response
	took     time.Duration
	err      error // the function was not invoked or has not answered; what it did wrong itself is in response
}

var errNoAnswer = errors.New("no answer in time")

// call invokes a function and waits for it, but not longer than the integration's time; the function runs on after that.
func (c *Cloud) call(function string, limit time.Duration, e *proxyEvent, trace string) called {
	out := called{function: function}
	began := c.clock.Now()
	answered := make(chan called, 1)
	w := c.waiter(e.RequestContext.EventType)
	err := c.start(func() {
		r, err := c.o.Invoke(context.WithValue(c.running, pausing{}, w), function, runner.Request{Payload: encode(e), TraceID: trace})
		answered <- called{function: function, response: r, err: err}
	})
	if err != nil {
		out.err = err
		return out
	}
	timer := c.clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case out = <-answered:
	case <-timer.C():
		w.leave()
		out.err = fmt.Errorf("%w: %v", errNoAnswer, limit)
	}
	out.took = c.clock.Now().Sub(began)
	return out
}

// failed says what went wrong; empty: the function answered.
func (r called) failed() string {
	switch {
	case errors.Is(r.err, runner.ErrThrottled):
		return "throttled: more invocations at once than the function may have"
	case r.err != nil:
		return r.err.Error()
	case r.response.FunctionError != "":
		var f struct{ ErrorType, ErrorMessage string }
		_ = json.Unmarshal(r.response.Payload, &f) // what does not decode is not told
		return strings.TrimSuffix(strings.TrimSpace("the function failed: "+f.ErrorType+" "+f.ErrorMessage), ":")
	}
	return ""
}

// data is what a step tells of the call.
func (r called) data(m map[string]any) map[string]any {
	m["function"], m["duration_ms"] = r.function, r.took.Milliseconds()
	if r.response.ID != "" {
		m["request_id"] = r.response.ID
	}
	return m
}

// answer is what a function answers to a proxy event.
type answer struct {
	status      int
	subprotocol string
	body        string
}

// parseAnswer reads a proxy answer: an object with a statusCode.
func parseAnswer(payload []byte) (answer, error) {
	var in struct {
		StatusCode        any
		Headers           map[string]any
		MultiValueHeaders map[string][]any
		Body              *string
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return answer{}, fmt.Errorf("the answer is no proxy response: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return answer{}, errors.New("the answer is no proxy response: more than one JSON value")
	}
	status, err := strconv.Atoi(fmt.Sprint(in.StatusCode)) // the cloud takes 200 and "200"
	if err != nil || status < 200 || status > 599 {
		return answer{}, fmt.Errorf("the answer is no proxy response: got the statusCode %v, want 200 to 599", in.StatusCode)
	}
	out := answer{status: status}
	if in.Body != nil {
		out.body = *in.Body
	}
	for name, value := range in.Headers {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") && value != nil {
			out.subprotocol = fmt.Sprint(value)
		}
	}
	for name, values := range in.MultiValueHeaders {
		if strings.EqualFold(name, "Sec-WebSocket-Protocol") && len(values) > 0 {
			out.subprotocol = fmt.Sprint(values[0])
		}
	}
	return out, nil
}
