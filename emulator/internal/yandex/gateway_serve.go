package yandex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/events"
)

// The headers that the cloud adds to what an integration receives. Connection-Id is in the answer to the handshake as well.
const (
	headerConnectionID     = "X-Yc-Apigateway-Websocket-Connection-Id"
	headerEventType        = "X-Yc-Apigateway-Websocket-Event-Type"
	headerConnectedAt      = "X-Yc-Apigateway-Websocket-Connected-At" // milliseconds since 1970
	headerMessageID        = "X-Yc-Apigateway-Websocket-Message-Id"
	headerDisconnectStatus = "X-Yc-Apigateway-Websocket-Disconnect-Status-Code"
	headerDisconnectReason = "X-Yc-Apigateway-Websocket-Disconnect-Reason"
	headerSubprotocol      = "Sec-Websocket-Protocol"
)

// StepOpened is what a step says of a connection that was let in; events.StepClosed is its counterpart.
const StepOpened = "opened"

// door is what all gateways share: the room of the sockets and what is needed to speak of them.
type door struct {
	sockets    *gateway.Gateway
	functions  *functions
	containers containers
	outward    outward
	token      func(serviceAccountID string) (string, error)
	permits    *permits
	issuers    *issuers
	log        func(GatewayLog) // nil: nobody hears

	authenticate func(authorization string) error // of calls to the ConnectionService; nil: everybody may
	admit        func(authorization, role, kind, id string) error
	clock        clock.Clock
	mint         *minter
	note         func(events.Step)
	ctx          context.Context // of the calls to functions: they go on when the client has left, as in the cloud
}

// ServeHTTP chooses the path, then serves a socket or a plain request.
func (h *gatewayHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began, state := h.door.clock.Now(), h.state.Load()
	spec, release := h.release(state)
	path, values := spec.Route(r.URL.EscapedPath())
	if release == canaryRelease {
		w.Header().Set(headerRelease, release)
	}
	// An upgrade where there are no sockets is an ordinary request, as HTTP has it.
	if path != nil && !state.stopped && path.Socket() && gateway.IsUpgrade(r) {
		h.connect(w, r, path, release, values)
		return
	}
	c := h.call(r, path, nil, values)
	c.release = release
	if h.door.log != nil {
		if err := h.door.identify(&c); err != nil {
			write(w, r, failed(http.StatusInternalServerError, err.Error()))
			return
		}
	}
	var a answer
	var err error
	switch {
	case state.stopped:
		a = failed(http.StatusServiceUnavailable, "the gateway "+h.id+" is stopped")
	case path == nil:
		a = failed(http.StatusNotFound, fmt.Sprintf("no path of the gateway %s matches %s", h.id, r.URL.Path))
	default:
		a, err = h.reply(w, r, path, &c)
		path.cors.mark(a.header, r)
	}
	write(w, r, a)
	h.log(c, a, began, err)
	if err != nil {
		h.door.note(events.Step{At: h.door.clock.Now(), Room: "gateway", What: events.StepLost, Who: key(h.id, path.Key),
			Text: fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, clip(err.Error())), Data: map[string]any{"status": a.status}})
	}
}

// reply finds the answer to a plain request. An error says why it is not an integration's.
func (h *gatewayHandler) reply(w http.ResponseWriter, r *http.Request, path *Path, c *call) (answer, error) {
	if a, ok := path.cors.preflight(r); ok {
		return a, nil
	}
	op := path.Methods[r.Method]
	if op == nil {
		op = path.Methods[AnyMethod]
	}
	switch {
	case op != nil:
		c.op = op
		return h.plain(w, r, c)
	case path.Socket() && r.Method == http.MethodGet:
		a := failed(http.StatusUpgradeRequired, path.Key+" is for WebSocket connections")
		if r.ProtoMajor == 1 { // HTTP/2 has no such headers
			a.header.Set("Upgrade", "websocket")
			a.header.Set("Connection", "Upgrade")
		}
		return a, nil
	}
	a := failed(http.StatusMethodNotAllowed, fmt.Sprintf("%s has no operation for %s", path.Key, r.Method))
	a.header.Set("Allow", path.allow())
	return a, nil
}

// maxRequest bounds the body of a plain request, in bytes: 2.5 MB.
const maxRequest = 2_621_440

// plain asks the authorizer and calls the integration of a plain operation.
func (h *gatewayHandler) plain(w http.ResponseWriter, r *http.Request, c *call) (answer, error) {
	says, err := h.door.authorize(h.door.ctx, c.op.Authorizer, *c)
	if says.refused != nil {
		return says.refused.clone(), err
	}
	c.authorizer = says.told
	if c.op.calls() {
		if c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
			return unread(err), nil
		}
		c.binary = !isJSON(r.Header)
	}
	return h.run(*c)
}

// unread is the answer to a request whose body could not be read.
func unread(err error) answer {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		return failed(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", tooBig.Limit))
	}
	return failed(http.StatusBadRequest, "the body cannot be read: "+err.Error())
}

// call is what a request says to the integration of op.
func (h *gatewayHandler) call(r *http.Request, path *Path, op *Operation, values map[string]string) call {
	resource := ""
	if path != nil {
		resource = path.Key
	}
	return call{
		op: op, gateway: h.id, resource: resource, method: r.Method, host: r.Host, remote: r.RemoteAddr, secure: r.TLS != nil,
		url: r.URL.RequestURI(), path: values, query: r.URL.Query(), header: r.Header,
	}
}

func write(w http.ResponseWriter, r *http.Request, a answer) {
	for name, values := range a.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	// The length is told by hand so that HEAD and 204 say the same as any other answer and no body is sniffed.
	length := r.Method == http.MethodHead && w.Header().Get("Content-Length") != "" // somebody has said what a GET would have
	if !length && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the client has gone: there is nobody to tell
	}
}
