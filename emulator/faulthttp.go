package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

// The doors of the APIs and of the registry where faults happen, and what is said then in each one's words.

// faultBody bounds the body of a request that is carried out twice, in bytes. A longer one is refused.
const faultBody = 64 << 20

// connectionService begins the paths of gRPC calls.
const connectionService = "/yandex.cloud.serverless.apigateway.websocket.v1.ConnectionService/"

// asker is an API as faults know it.
type asker struct {
	name, connection string
	refuse           func(w http.ResponseWriter, a asker, code int, why string)
}

// askerOf finds the API that a request is for; false: faults know nothing of it.
func askerOf(r *http.Request) (a asker, ok bool) {
	path, target := r.URL.Path, r.Header.Get("X-Amz-Target")
	method := func(names map[string]string) string { return "connections." + names[r.Method] }
	if operation, ok := strings.CutPrefix(target, aws.TablesTarget); ok {
		return asker{name: "dynamodb." + operation, refuse: refuseTables}, true
	}
	if operation, ok := strings.CutPrefix(target, aws.SQSTarget); ok {
		return asker{name: "sqs." + operation, refuse: refuseQueues}, true
	}
	if operation, ok := strings.CutPrefix(path, connectionService); ok && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		return asker{name: "connections." + operation, refuse: refuseGRPC}, true
	}
	if id, ok := strings.CutPrefix(path, yandex.ConnectionsPath); ok {
		id, _, _ = strings.Cut(id, ":")
		return asker{
			method(map[string]string{"POST": "Send", "GET": "Get", "DELETE": "Disconnect"}), strings.TrimSuffix(id, "/"), refuseREST,
		}, true
	}
	if _, id, ok := strings.Cut(path, "/@connections/"); ok {
		return asker{
			method(map[string]string{"POST": "PostToConnection", "GET": "GetConnection", "DELETE": "DeleteConnection"}), id, refuseSockets,
		}, true
	}
	return a, false
}

// passAPI stands before an API that functions ask.
func (e *Emulator) passAPI(r *http.Request, serve http.HandlerFunc) http.HandlerFunc {
	if !e.faults.On(fault.API) {
		return serve
	}
	a, ok := askerOf(r)
	if !ok {
		return serve
	}
	return func(w http.ResponseWriter, r *http.Request) {
		hit, ok := e.faults.At(fault.Point{Step: fault.API, API: a.name, Connection: a.connection})
		if !ok {
			serve(w, r)
			return
		}
		defer e.faults.Passed(hit)
		e.mishap(w, r, hit, serve, func(code int, why string) { a.refuse(w, a, code, why) })
	}
}

// passRegistry stands before the registry.
func (e *Emulator) passRegistry(serve http.HandlerFunc) http.HandlerFunc {
	if !e.faults.On(fault.Registry) {
		return serve
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var about []events.Event
		if name := e.repositoryOf(r.URL.Path); name != "" {
			about = []events.Event{{Change: events.Change{Repository: name}}}
		}
		hit, ok := e.faults.At(fault.Point{Step: fault.Registry, API: r.Method + " " + r.URL.Path, Events: about})
		if !ok {
			serve(w, r)
			return
		}
		defer e.faults.Passed(hit)
		e.mishap(w, r, hit, serve, func(code int, why string) { refuseRegistry(w, code, why) })
	}
}

// repositoryOf is the repository that a path of the registry is about, without the registry's id.
func (e *Emulator) repositoryOf(path string) string {
	path = strings.TrimPrefix(path, "/v2/")
	for _, what := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(path, what); i > 0 {
			return strings.TrimPrefix(path[:i], e.defaults.RegistryID+"/")
		}
	}
	return ""
}

// mishap does with a request what a fault does.
func (e *Emulator) mishap(w http.ResponseWriter, r *http.Request, hit fault.Hit, serve http.HandlerFunc, refuse func(code int, why string)) {
	why := "fault " + hit.ID
	switch {
	case hit.Action == fault.Drop:
		panic(http.ErrAbortHandler) // no answer
	case hit.Code == fault.Timeout:
		_, _ = io.Copy(io.Discard, r.Body) // before that the server does not see a client go
		_ = e.faults.Linger(r.Context(), hit, time.Time{}, nil)
		panic(http.ErrAbortHandler)
	case hit.Action == fault.Error:
		code, _ := strconv.Atoi(string(hit.Code)) // it was checked
		refuse(code, why)
		return
	case hit.Action == fault.Duplicate:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, faultBody))
		if err != nil {
			refuse(http.StatusServiceUnavailable, fmt.Sprintf("%s: the request: %v", why, err))
			return
		}
		first := r.Clone(r.Context())
		first.Body = io.NopCloser(bytes.NewReader(body))
		serve(nowhere{header: http.Header{}}, first)
		r.Body = io.NopCloser(bytes.NewReader(body))
	default:
		if e.faults.Stay(r.Context(), hit, nil) != nil {
			panic(http.ErrAbortHandler) // nobody is there
		}
	}
	serve(w, r)
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}
func (n nowhere) Flush()                      {} // without which gRPC does nothing

func say(w http.ResponseWriter, status int, mediaType string, body any) {
	var data []byte
	if body != nil {
		data, _ = json.Marshal(body) // maps of strings and numbers
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may be gone
}

func refuseTables(w http.ResponseWriter, _ asker, code int, why string) {
	status, kind := code, "com.amazonaws.dynamodb.v20120810#InternalServerError"
	switch code {
	case http.StatusTooManyRequests:
		status, kind = http.StatusBadRequest, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
	case http.StatusForbidden:
		status, kind = http.StatusBadRequest, "com.amazon.coral.service#AccessDeniedException"
	case http.StatusServiceUnavailable:
		kind = "com.amazon.coral.service#ServiceUnavailable"
	}
	say(w, status, "application/x-amz-json-1.0", map[string]string{"__type": kind, "message": why})
}

func refuseQueues(w http.ResponseWriter, _ asker, code int, why string) {
	status, kind, who := code, "InternalFailure", "Receiver"
	switch code {
	case http.StatusTooManyRequests:
		status, kind, who = http.StatusBadRequest, "RequestThrottled", "Sender"
	case http.StatusForbidden:
		status, kind, who = http.StatusBadRequest, "AccessDeniedException", "Sender"
	case http.StatusServiceUnavailable:
		kind = "ServiceUnavailable"
	}
	w.Header().Set("x-amzn-query-error", kind+";"+who)
	say(w, status, "application/x-amz-json-1.0", map[string]string{"__type": "com.amazonaws.sqs#" + kind, "message": why})
}

func refuseSockets(w http.ResponseWriter, _ asker, code int, _ string) {
	kind, text := "InternalServerErrorException", "Internal server error"
	switch code {
	case http.StatusForbidden:
		kind, text = "ForbiddenException", "Forbidden"
	case http.StatusGone:
		kind, text = "GoneException", ""
	case http.StatusTooManyRequests:
		kind, text = "LimitExceededException", "Limit Exceeded"
	case http.StatusServiceUnavailable:
		kind, text = "ServiceUnavailableException", "Service Unavailable"
	}
	w.Header()["x-amzn-ErrorType"] = []string{kind}
	var body any
	if text != "" {
		body = map[string]string{"message": text}
	}
	say(w, code, "application/json", body)
}

// grpcOf is the code and the text of Yandex Cloud's APIs.
func grpcOf(a asker, code int, why string) (grpc, status int, text string) {
	switch code {
	case http.StatusForbidden:
		return yandex.CodePermissionDenied, code, "Permission denied: " + why
	case http.StatusGone: // there is no such code
		return yandex.CodeNotFound, http.StatusNotFound, fmt.Sprintf("Connection %q not found", a.connection)
	case http.StatusTooManyRequests:
		return yandex.CodeResourceExhausted, code, "Too many requests: " + why
	case http.StatusServiceUnavailable:
		return yandex.CodeUnavailable, code, "Unavailable: " + why
	}
	return yandex.CodeInternal, code, "Internal error: " + why
}

func refuseREST(w http.ResponseWriter, a asker, code int, why string) {
	grpc, status, text := grpcOf(a, code, why)
	say(w, status, "application/json", map[string]any{"code": grpc, "message": text, "details": []any{}})
}

// refuseGRPC answers with trailers alone.
func refuseGRPC(w http.ResponseWriter, a asker, code int, why string) {
	grpc, _, text := grpcOf(a, code, why)
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(grpc))
	h.Set("Grpc-Message", text)
	w.WriteHeader(http.StatusOK)
}

func refuseRegistry(w http.ResponseWriter, code int, why string) {
	kind := map[int]string{
		http.StatusUnauthorized: "UNAUTHORIZED", http.StatusForbidden: "DENIED", http.StatusTooManyRequests: "TOOMANYREQUESTS",
		http.StatusServiceUnavailable: "UNAVAILABLE",
	}[code]
	if kind == "" {
		kind = "UNKNOWN"
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	say(w, code, "application/json", map[string]any{"errors": []any{map[string]string{"code": kind, "message": why}}})
}
