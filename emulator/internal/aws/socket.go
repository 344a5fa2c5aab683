package aws

import (
	"errors"
	"fmt"
	"time"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/events"
)

// StepMessage is what a step says of a message from a client.
const StepMessage = "message"

// Close codes and reasons of the cloud.
const (
	closeNormal       = 1000
	reasonNormal      = "Connection Closed Normally"
	closeUnsupported  = 1003
	reasonUnsupported = "Binary is not supported"
)

// socket is one connection as the façade sees it.
type socket struct {
	cloud      *Cloud
	api        *api
	stage      template.Stage
	id         string
	host       string
	who        identity
	since      time.Time
	authorizer map[string]any // what the authorizer told of the client
	slots      chan struct{}  // one for each message that is with a function
	opened     chan struct{}  // closed when its opening has been noted
}

// event is what all events of the connection have in common.
func (s *socket) event(routeKey, eventType, requestID string) *proxyEvent {
	now := s.cloud.clock.Now().UTC()
	return &proxyEvent{
		StageVariables: s.stage.Variables,
		RequestContext: requestContext{
			RouteKey: routeKey, EventType: eventType, Authorizer: s.authorizer,
			RequestID: requestID, ExtendedRequestID: requestID,
			RequestTime: now.Format(requestTimeLayout), RequestTimeEpoch: now.UnixMilli(), ConnectedAt: s.since.UnixMilli(),
			MessageDirection: "IN", Stage: s.stage.Name, Identity: s.who,
			DomainName: s.cloud.o.Domain(s.api.id), ConnectionID: s.id, APIID: s.api.id,
		},
	}
}

// complete repeats the lists in their other form.
func (e *proxyEvent) complete() {
	e.MultiValueHeaders = allValues(e.Headers)
	e.MultiValueQueryStringParameters = allValues(e.QueryStringParameters)
}

// hear takes a message from the client. Messages are with functions at the same time, inFlight of them at most.
func (s *socket) hear(_ string, m gateway.Message) {
	if m.Binary {
		s.note(StepMessage, fmt.Sprintf("%s sent %d bytes of binary; the cloud takes text only, and closes with %d", s.id, len(m.Data), closeUnsupported),
			map[string]any{"bytes": len(m.Data)})
		_ = s.cloud.o.Gateway.Drop(s.id, closeUnsupported, reasonUnsupported, gateway.ByGateway) // it may be gone already
		return
	}
	select {
	case s.slots <- struct{}{}:
	case <-s.cloud.running.Done():
		return
	}
	err := s.cloud.start(func() {
		defer func() { <-s.slots }()
		s.dispatch(m.Data)
	})
	if err != nil {
		<-s.slots
	}
}

// dispatch takes a message to the function of its route, and what is to be said back to the client.
func (s *socket) dispatch(body []byte) {
	<-s.opened // so that a trace tells things in their order
	key, why := s.api.selection.route(body, s.api.has)
	requestID, err := s.cloud.mint.request()
	if err != nil {
		s.note(events.StepLost, err.Error(), nil)
		return
	}
	data := map[string]any{"bytes": len(body), "route": key}
	text := fmt.Sprintf("%s sent %d bytes; route %s: %s", s.id, len(body), key, why)
	var back []byte
	sender := ""
	if key == "" {
		text = fmt.Sprintf("%s sent %d bytes; no route: %s", s.id, len(body), why)
		back = frameText(textForbidden, s.id, requestID)
	} else {
		var outcome string
		back, outcome = s.integrate(s.api.routes[key], body, requestID, data)
		sender, _ = data["request_id"].(string)
		text += "; " + outcome
	}
	if back != nil {
		if err := s.cloud.o.Gateway.Send(s.id, gateway.Message{Data: back, Sender: sender}); err != nil {
			text += fmt.Sprintf("; the answer is lost: %v", err)
		}
	}
	s.note(StepMessage, text, data)
}

// integrate invokes a route's function with a message. It returns what the client is to hear, and what came of it in words.
func (s *socket) integrate(r *route, body []byte, requestID string, data map[string]any) (back []byte, outcome string) {
	failure := frameText(textInternalError, s.id, requestID)
	if r.Mock != nil {
		outcome = fmt.Sprintf("MOCK answered %d", r.Mock.Status)
		if r.Mock.Body == nil {
			return nil, outcome
		}
		return []byte(*r.Mock.Body), fmt.Sprintf("%s; %d bytes go back", outcome, len(*r.Mock.Body))
	}
	if r.function == "" {
		return failure, r.absence()
	}
	e := s.event(r.Key, eventMessage, requestID)
	messageID, err := s.cloud.mint.message(s.id)
	if err != nil {
		return failure, err.Error()
	}
	text := string(body)
	e.RequestContext.MessageID, e.Body, e.IsBase64Encoded = messageID, &text, new(bool)
	trace, err := s.cloud.mint.trace(s.cloud.clock.Now())
	if err != nil {
		return failure, err.Error()
	}
	result := s.cloud.call(r.function, r.Timeout, e, trace)
	result.data(data)
	if why := result.failed(); why != "" {
		if errors.Is(result.err, errClosed) {
			return nil, why
		}
		return failure, why
	}
	took := fmt.Sprintf("%s answered in %v", r.function, result.took.Round(time.Millisecond))
	if !r.Reply {
		return nil, took + "; what it said stays here, as the route has no route response"
	}
	answer, err := parseAnswer(result.response.Payload)
	switch {
	case err != nil:
		return failure, took + "; " + err.Error()
	case answer.status > 299:
		return failure, fmt.Sprintf("%s with status %d", took, answer.status)
	case answer.body == "":
		return nil, took + " without a body"
	}
	return []byte(answer.body), fmt.Sprintf("%s; %d bytes go back", took, len(answer.body))
}

// closed tells the function of $disconnect, as best it can, that the connection is gone.
func (s *socket) closed(_ gateway.Info, code int, reason string) {
	<-s.opened
	how := fmt.Sprintf("closed with %d", code)
	if reason != "" {
		how += " " + reason
	}
	s.cloud.gone.bury(s.id, how)
	data := map[string]any{"code": code, "reason": reason}
	text := s.id + " " + how
	if r := s.api.routes[routeDisconnect]; r != nil && r.function != "" {
		text += "; $disconnect: " + s.farewell(r, code, reason, data)
	}
	s.note(events.StepClosed, text, data)
}

// farewell invokes $disconnect when its turn has come.
func (s *socket) farewell(r *route, code int, reason string, data map[string]any) string {
	c := s.cloud
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.running.Done():
		return "not invoked: the emulator has stopped"
	}
	requestID, err1 := c.mint.request()
	trace, err2 := c.mint.trace(c.clock.Now())
	if err := errors.Join(err1, err2); err != nil {
		return err.Error()
	}
	e := s.event(routeDisconnect, eventDisconnect, requestID)
	e.Headers = disconnectHeaders(s.host)
	e.complete()
	e.RequestContext.DisconnectStatusCode, e.RequestContext.DisconnectReason, e.IsBase64Encoded = code, &reason, new(bool)
	result := c.call(r.function, r.Timeout, e, trace)
	result.data(data)
	if why := result.failed(); why != "" {
		return why
	}
	return fmt.Sprintf("%s answered in %v", r.function, result.took.Round(time.Millisecond))
}

func (s *socket) note(what, text string, data map[string]any) {
	if data == nil {
		data = make(map[string]any)
	}
	data["connection_id"] = s.id
	s.cloud.note(what, s.api.id+"/"+s.stage.Name, text, data)
}

func (c *Cloud) note(what, who, text string, data map[string]any) {
	c.o.Note(events.Step{At: c.clock.Now(), Room: "gateway", What: what, Who: who, Text: text, Data: data})
}
