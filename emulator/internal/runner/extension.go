package runner

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// extension is who registered at the extensions API.
type extension struct {
	name     string
	events   []string
	busy     bool                // has not asked for the next event since it registered or got one; under api.mu
	next     chan map[string]any // room for one
	shutdown bool                // wants SHUTDOWN: counts as external
}

const (
	extensionHeader = "Lambda-Extension-Identifier"
	maxExtensions   = 10
)

func (a *api) routeExtensions(mux *http.ServeMux) {
	mux.HandleFunc("POST /2020-01-01/extension/register", a.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", a.extensionNext)
	mux.HandleFunc("POST /2020-01-01/extension/init/error", a.extensionError("Extension.InitError"))
	mux.HandleFunc("POST /2020-01-01/extension/exit/error", a.extensionError("Extension.ExitError"))
	mux.HandleFunc("PUT /2020-08-15/logs", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusAccepted, "Logs.NotSupported", "Logs API is not supported")
	})
	mux.HandleFunc("PUT /2022-07-01/telemetry", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusAccepted, "Telemetry.NotSupported", "Telemetry API is not supported")
	})
}

func (a *api) register(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	if name == "" {
		refuse(w, http.StatusForbidden, "Extension.InvalidExtensionName", "Empty extension name")
		return
	}
	var wish struct{ Events []string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&wish); err != nil {
		refuse(w, http.StatusForbidden, "InvalidRequestFormat", err.Error())
		return
	}
	for _, event := range wish.Events {
		if event != "INVOKE" && event != "SHUTDOWN" {
			refuse(w, http.StatusForbidden, "Extension.InvalidEventType", event+": want INVOKE or SHUTDOWN")
			return
		}
	}
	x := &extension{name: name, events: wish.Events, busy: true, next: make(chan map[string]any, 2), shutdown: slices.Contains(wish.Events, "SHUTDOWN")}
	id := newID()
	a.mu.Lock()
	kind, message := "", ""
	switch {
	case a.state != started:
		kind, message = "Extension.RegistrationClosed", "Extension registration closed already"
	case len(a.extensions) == maxExtensions:
		kind, message = "Extension.TooManyExtensions", "Extension limit (10) reached"
	case a.registered(name):
		kind, message = "Extension.InvalidExtensionState", "Extension with this name already registered"
	default:
		a.extensions[id] = x
	}
	a.mu.Unlock()
	if kind != "" {
		refuse(w, http.StatusForbidden, kind, message)
		return
	}
	w.Header().Set(extensionHeader, id)
	answer := map[string]string{"functionName": a.def.Name, "functionVersion": a.def.Version, "handler": a.def.HandlerName}
	if strings.Contains(r.Header.Get("Lambda-Extension-Accept-Feature"), "accountId") {
		answer["accountId"] = account(a.def.ARN)
	}
	answerJSON(w, http.StatusOK, answer)
}

// registered tells whether an extension of that name is known. The caller holds mu.
func (a *api) registered(name string) bool {
	for _, x := range a.extensions {
		if x.name == name {
			return true
		}
	}
	return false
}

// extension returns who asks, or answers that nobody is known by that identifier.
func (a *api) extension(w http.ResponseWriter, r *http.Request) *extension {
	id := r.Header.Get(extensionHeader)
	if id == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing "+extensionHeader+" header")
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.extensions[id]
	if x == nil {
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	}
	return x
}

func (a *api) extensionNext(w http.ResponseWriter, r *http.Request) {
	x := a.extension(w, r)
	if x == nil {
		return
	}
	a.mu.Lock()
	if x.busy {
		x.busy = false
		a.advance()
	}
	a.mu.Unlock()
	select {
	case event := <-x.next:
		w.Header().Set(extensionHeader, r.Header.Get(extensionHeader))
		answerJSON(w, http.StatusOK, event)
	case <-r.Context().Done():
	case <-a.gone:
		panic(http.ErrAbortHandler)
	}
}

func (a *api) extensionError(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := a.extension(w, r)
		if x == nil {
			return
		}
		said := r.Header.Get("Lambda-Extension-Function-Error-Type")
		if said == "" {
			refuse(w, http.StatusForbidden, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
			return
		}
		accept(w)
		_ = http.NewResponseController(w).Flush() // the process may be killed as soon as it is known
		a.fail(&failure{kind: kind, message: "extension " + x.name + ": " + said, status: "error"})
	}
}

// invoke queues the INVOKE event; from then on the invocation is not over before the extension asks again. The caller holds api.mu.
func (x *extension) invoke(d *definition, in *invocation) {
	if !slices.Contains(x.events, "INVOKE") {
		return
	}
	x.busy = true
	x.next <- map[string]any{ // has room: the extension asked for it
		"eventType": "INVOKE", "deadlineMs": in.deadline.UnixMilli(), "requestId": in.ID, "invokedFunctionArn": d.ARN,
		"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": in.TraceID},
	}
}

// shutdown tells the extensions that the environment ends and returns how long it is given: nothing when none registered, 500 ms when
// all are part of the function, 2 s when one asked for SHUTDOWN as only external extensions may on Lambda.
func (a *api) shutdown(reason string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	grace := time.Duration(0)
	for _, x := range a.extensions {
		grace = max(grace, 500*time.Millisecond)
		if x.shutdown {
			grace = 2 * time.Second
		}
	}
	for _, x := range a.extensions {
		if x.shutdown {
			select {
			case x.next <- map[string]any{"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": time.Now().Add(grace).UnixMilli()}:
			default: // it never asked for what it has
			}
		}
	}
	return grace
}

// account returns the account of an ARN, "" when there is none.
func account(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}
