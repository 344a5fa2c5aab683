package aws

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
)

// What steps say of a connection; events.StepClosed is the third.
const (
	StepOpened  = "opened"
	StepRefused = "refused"
)

// What the cloud says to those whom something else keeps out.
const (
	textForbidden     = "Forbidden"
	textInternalError = "Internal server error"
)

// refusal is the answer to a handshake that comes to nothing.
type refusal struct {
	status  int
	message string  // in the cloud's words
	body    *string // in the function's words, in place of the cloud's
	why     string  // for people
	data    map[string]any
}

// connect serves a handshake: API key, then IAM or authorizer, then $connect decide, in this order.
func (c *Cloud) connect(w http.ResponseWriter, r *http.Request, a *api, stage template.Stage) {
	s, requestID, trace, err := c.newSocket(r, a, stage)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if bad := c.o.Gateway.Check(r); bad != nil {
		maps.Copy(w.Header(), bad.Header)
		s.refuse(w, r, requestID, &refusal{status: bad.Status, message: bad.Text, why: bad.Text})
		return
	}
	c.setPending(s.id, true)
	defer c.setPending(s.id, false)
	subprotocol, no := s.ask(r, requestID, trace)
	if no != nil {
		s.refuse(w, r, requestID, no)
		return
	}
	accepted := gateway.Socket{
		ID: s.id, Path: a.id + "/" + stage.Name, Subprotocol: subprotocol, Since: s.since,
		Header:  http.Header{"Date": {c.clock.Now().UTC().Format(http.TimeFormat)}},
		Message: s.hear, Closed: s.closed,
	}
	if err := c.o.Gateway.Accept(w, r, accepted); err != nil {
		s.note(StepRefused, fmt.Sprintf("%s was not let in: %v", s.id, err), nil)
		return
	}
	s.note(StepOpened, s.id+" connected", map[string]any{"source_ip": s.who.SourceIP})
	c.setPending(s.id, false) // before anybody hears of its end
	close(s.opened)
}

// newSocket mints what a connection needs. Its id is known to the functions before it is open.
func (c *Cloud) newSocket(r *http.Request, a *api, stage template.Stage) (s *socket, requestID, trace string, err error) {
	s = &socket{
		cloud: c, api: a, stage: stage, since: c.clock.Now(), host: r.Host,
		who:   identity{UserAgent: r.UserAgent(), SourceIP: sourceIP(r)},
		slots: make(chan struct{}, inFlight), opened: make(chan struct{}),
	}
	if s.id, err = c.mint.connection(); err != nil {
		return nil, "", "", err
	}
	if trace = r.Header.Get("X-Amzn-Trace-Id"); trace == "" {
		if trace, err = c.mint.trace(s.since); err != nil {
			return nil, "", "", err
		}
	}
	requestID, err = c.mint.request()
	return s, requestID, trace, err
}

// ask has everybody decide who may let the client in.
func (s *socket) ask(r *http.Request, requestID, trace string) (subprotocol string, no *refusal) {
	c, route := s.cloud, s.api.routes[routeConnect]
	if route == nil {
		return "", nil
	}
	e := s.event(routeConnect, eventConnect, requestID)
	e.IsBase64Encoded = new(bool)
	e.Headers = handshakeHeaders(r, s.who.SourceIP, trace)
	e.QueryStringParameters = queryFields(r.URL.RawQuery)
	e.complete()
	methodARN := s.api.arn + "/" + s.stage.Name + "/" + routeConnect

	if route.APIKey && r.Header.Get("X-Api-Key") == "" {
		return "", &refusal{status: http.StatusForbidden, message: textForbidden, why: "no x-api-key"}
	}
	if route.IAM {
		if bad := c.authorize(r, nil, "execute-api:Invoke", methodARN); bad != nil {
			return "", &refusal{status: bad.Status, message: bad.Message, why: bad.Error()}
		}
	}
	if route.authorizer != nil {
		v, took := s.judge(r, route.authorizer, *e, methodARN, trace)
		if v.status != 0 {
			return "", &refusal{status: v.status, message: v.message, why: v.why}
		}
		s.authorizer = v.context
		e.RequestContext.Authorizer = maps.Clone(v.context)
		e.RequestContext.Authorizer["integrationLatency"] = took // of this event alone, and a number
	}
	if route.Mock != nil {
		if route.Mock.Status > 299 {
			return "", &refusal{status: route.Mock.Status, body: new(string), why: fmt.Sprintf("$connect is a MOCK integration that answers %d", route.Mock.Status)}
		}
		return "", nil
	}
	if route.function == "" {
		why := route.absence()
		return "", &refusal{status: http.StatusNotImplemented, message: why, why: why}
	}
	result := c.call(route.function, route.Timeout, e, trace)
	answer, err := parseAnswer(result.response.Payload)
	switch failed := result.failed(); {
	case failed != "":
		status := http.StatusBadGateway // the function's fault
		if result.err != nil && !errors.Is(result.err, errNoAnswer) {
			status = http.StatusInternalServerError // it was not invoked
		}
		return "", &refusal{status: status, message: textInternalError, why: failed, data: result.data(map[string]any{})}
	case err != nil:
		return "", &refusal{status: http.StatusBadGateway, message: textInternalError, why: err.Error(), data: result.data(map[string]any{})}
	case answer.status > 299:
		why := fmt.Sprintf("$connect answered %d", answer.status)
		return "", &refusal{status: answer.status, body: &answer.body, why: why, data: result.data(map[string]any{})}
	}
	return answer.subprotocol, nil
}

// judge asks the authorizer, and says how many milliseconds that took.
func (s *socket) judge(r *http.Request, a *authorizer, e proxyEvent, methodARN, trace string) (verdict, int64) {
	if missing := a.missing(&e); missing != "" {
		return verdict{status: http.StatusUnauthorized, message: textUnauthorized, why: "the identity source " + missing + " is empty"}, 0
	}
	e.Type, e.MethodARN, e.IsBase64Encoded = "REQUEST", methodARN, nil
	e.Headers = authorizerHeaders(r, e.Headers)
	e.complete()
	result := s.cloud.call(a.function, integrationTimeout, &e, trace)
	return judge(result, methodARN), result.took.Milliseconds()
}

// refuse answers a handshake, and says why where people look.
func (s *socket) refuse(w http.ResponseWriter, r *http.Request, requestID string, no *refusal) {
	body := frameText(no.message, s.id, requestID)
	if no.body != nil {
		body = []byte(*no.body)
	}
	h := w.Header()
	h["Content-Type"] = []string{"application/json; charset=UTF-8"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if r.ProtoMajor == 1 {
		h["Connection"] = []string{"keep-alive"}
	}
	h["x-amz-apigw-id"] = []string{requestID}
	w.WriteHeader(no.status)
	_, _ = w.Write(body) // the client has gone: there is nobody to tell
	if no.data == nil {
		no.data = make(map[string]any)
	}
	no.data["status"] = no.status
	s.note(StepRefused, fmt.Sprintf("%s was refused with %d: %s", s.id, no.status, no.why), no.data)
}

// frameText is how the cloud words an error for a connection, in a frame as in a refusal, with its odd spacing.
func frameText(message, connectionID, requestID string) []byte {
	return fmt.Appendf(nil, `{"message": %s, "connectionId":%s, "requestId":%s}`, encode(message), encode(connectionID), encode(requestID))
}

func (c *Cloud) setPending(id string, pending bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pending {
		c.pending[id] = true
	} else {
		delete(c.pending, id)
	}
}

func sourceIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
