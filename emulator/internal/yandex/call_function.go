package yandex

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// FunctionsPath begins the paths at which functions are called: the id follows.
const FunctionsPath = "/functions/"

// ServeFunctions calls functions over HTTP, as the cloud's functions host does: with integration=raw the body is the argument and the
// result is the answer; without it the function gets the request as an event and returns an answer.
func (c *Cloud) ServeFunctions(w http.ResponseWriter, r *http.Request) {
	d := c.gateways.door
	id, err := d.mint.uuid()
	if err != nil {
		write(w, r, (&failure{status: http.StatusInternalServerError, kind: serverError, text: err.Error()}).answer())
		return
	}
	w.Header().Set("X-Request-Id", id)
	a, err := d.invocation(w, r, id)
	var f *failure
	if errors.As(err, &f) {
		a = f.answer()
	}
	write(w, r, a)
}

// invocation calls the function that a request names. The error is a *failure.
func (d *door) invocation(w http.ResponseWriter, r *http.Request, id string) (answer, error) {
	function := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, FunctionsPath), "/")
	query := r.URL.Query()
	integration, tag := query.Get("integration"), query.Get("tag")
	switch {
	case strings.Contains(function, "/"):
		return answer{}, &failure{status: http.StatusNotImplemented, kind: clientError, text: "not emulated: " + r.URL.Path}
	case !d.functions.has(function):
		return answer{}, &failure{status: http.StatusNotFound, kind: clientError, text: "function not found: " + d.functions.missing(function)}
	case tag != "" && tag != latest && d.functions.resolve == nil:
		return answer{}, &failure{status: http.StatusNotImplemented, kind: clientError, text: "not emulated: tags of versions; emulated: " + latest}
	case integration == "async":
		return answer{}, &failure{status: http.StatusNotImplemented, kind: clientError, text: "not emulated: integration=async"}
	case integration != "" && integration != "raw":
		return answer{}, &failure{status: http.StatusBadRequest, kind: clientError, text: fmt.Sprintf("integration: got %s, want raw", quote(integration))}
	}
	if err := d.admitted(r, roleInvokeFunction, kindFunction, function); err != nil {
		return answer{}, err
	}
	name, version, err := d.functions.version(function, tag)
	if err != nil {
		return answer{}, err
	}
	w.Header().Set("X-Function-Id", function)
	w.Header().Set("X-Function-Version-Id", version)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return answer{}, &failure{status: http.StatusRequestEntityTooLarge, kind: clientError, text: fmt.Sprintf("payload too large: over %d bytes", MaxPayload)}
	case err != nil:
		return answer{}, &failure{status: http.StatusBadRequest, kind: clientError, text: "the body cannot be read: " + err.Error()}
	}
	if integration == "raw" {
		out, err := d.functions.call(d.ctx, name, runner.Request{ID: id, Payload: body})
		if err != nil {
			return answer{}, err
		}
		kind := "application/json"
		if !json.Valid(out) {
			kind = http.DetectContentType(out)
		}
		return answer{status: http.StatusOK, header: http.Header{"Content-Type": {kind}}, body: out}, nil
	}
	trace, err := d.mint.uuid()
	if err != nil {
		return answer{}, &failure{status: http.StatusInternalServerError, kind: serverError, text: err.Error()}
	}
	out, err := d.functions.call(d.ctx, name, runner.Request{ID: id, Payload: encodeJSON(wrapped(r, body, id, trace, d.clock.Now()))})
	if err != nil {
		return answer{}, err
	}
	return readAnswer(out, false)
}

// wrapped is the event of a request that calls a function directly.
func wrapped(r *http.Request, body []byte, id, trace string, now time.Time) map[string]any {
	header := passable(r.Header)
	header.Set("Host", r.Host)
	header.Set("X-Real-Remote-Address", r.RemoteAddr)
	header.Set("X-Request-Id", id)
	header.Set("X-Trace-Id", trace)
	text, encoded := call{body: body, binary: !isJSON(r.Header)}.bodyText()
	query := r.URL.Query()
	return map[string]any{
		"httpMethod": r.Method, "path": "", "url": "",
		"headers": last(header), "multiValueHeaders": header,
		"queryStringParameters": last(query), "multiValueQueryStringParameters": lists(query),
		"params": map[string]string{}, "multiValueParams": map[string][]string{}, "pathParams": map[string]string{},
		"requestContext": requestContext(r.Method, r.RemoteAddr, r.UserAgent(), id, now),
		"body":           text, "isBase64Encoded": encoded,
	}
}
