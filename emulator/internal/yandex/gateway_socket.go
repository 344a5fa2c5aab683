package yandex

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/events"
)

// socket is one connection as the façade sees it: what its integrations are called with.
type socket struct {
	gateway *gatewayHandler
	path    *Path // as the specification had it that let the client in: see served
	id      string
	call    call          // what all calls have in common: the handshake's
	opened  chan struct{} // closed when its opening has been noted
}

// connect runs the connect integration and lets the client in if that answers 2xx.
func (h *gatewayHandler) connect(w http.ResponseWriter, r *http.Request, path *Path, release string, values map[string]string) {
	if bad := h.door.sockets.Check(r); bad != nil {
		for name, v := range bad.Header {
			w.Header()[name] = v
		}
		write(w, r, failed(bad.Status, bad.Text))
		return
	}
	id, err := h.door.mint.connection()
	if err != nil {
		write(w, r, failed(http.StatusInternalServerError, err.Error()))
		return
	}
	now := h.door.clock.Now().UnixMilli()
	s := &socket{gateway: h, path: path, id: id, call: h.call(r, path, nil, values), opened: make(chan struct{})}
	s.call.release = release
	s.call.header = r.Header.Clone()
	dropHop(s.call.header) // before the gateway's own are there: Connection may name any
	s.call.header.Set(headerConnectionID, id)
	s.call.header.Set(headerConnectedAt, strconv.FormatInt(now, 10))
	s.call.socket = &occasion{id: id, connectedAt: now}

	began := h.door.clock.Now()
	c, a, err := s.ask()
	h.log(c, a, began, err)
	if a.status < 200 || a.status > 299 {
		write(w, r, a)
		return
	}
	s.call.header, s.call.query, s.call.url = path.kept(s.call.header), nil, strings.Clone(s.call.url)
	accepted := gateway.Socket{
		ID:          id,
		Path:        key(h.id, path.Key),
		Header:      http.Header{headerConnectionID: {id}},
		Subprotocol: a.header.Get(headerSubprotocol),
		First:       a.message(c),
		Message:     s.message,
		Closed:      s.closed,
	}
	if release == canaryRelease {
		accepted.Header[headerRelease] = []string{release}
	}
	if err := h.door.sockets.Accept(w, r, accepted); err != nil {
		s.note(events.StepClosed, fmt.Sprintf("%s was not let in: %v", id, err), nil)
		return
	}
	s.note(StepOpened, id+" connected", nil)
	close(s.opened)
	if h.state.Load().socketPath(path.Key, release) == nil { // the gateway was changed meanwhile
		h.door.leave(id)
	}
}

// ask asks the authorizer and then the connect integration whether the client is let in.
func (s *socket) ask() (call, answer, error) {
	d, op, authorizer := s.gateway.door, s.path.Connect, s.path.guarded
	if op != nil {
		authorizer = op.Authorizer
	}
	c, err := s.about("CONNECT", http.MethodGet, op)
	if err != nil {
		return c, failed(http.StatusInternalServerError, err.Error()), err
	}
	says, err := d.authorize(d.ctx, authorizer, c)
	a := answer{status: http.StatusOK}
	switch {
	case says.refused != nil:
		a = says.refused.clone()
	case op != nil:
		s.call.authorizer, c.authorizer = says.told, says.told
		a, err = s.gateway.run(c)
	}
	if err != nil {
		s.note(events.StepLost, "CONNECT: "+clip(err.Error()), map[string]any{"status": a.status})
	}
	return c, a, err
}

// kept is what later calls can read of the headers of a handshake: a connection lives for an hour and its headers would be most of
// what it costs.
func (p *Path) kept(header http.Header) http.Header {
	out := make(http.Header)
	keep := func(name string) {
		if values := header.Values(name); len(values) > 0 {
			out[http.CanonicalHeaderKey(name)] = values
		}
	}
	for _, op := range []*Operation{p.Message, p.Disconnect} {
		if op == nil {
			continue
		}
		if op.Function != nil || op.Container != nil || op.HTTP != nil && op.HTTP.AllHeaders {
			return header // it gets them all
		}
		if op.Dummy != nil {
			keep("Accept")
		}
		if op.HTTP != nil {
			keep("User-Agent")
		}
		for _, parameter := range op.Parameters {
			switch parameter.In {
			case "header":
				keep(parameter.Name)
			case "cookie":
				keep("Cookie")
			}
		}
	}
	return out
}

// about is the call to an integration of this connection for an event.
func (s *socket) about(event, method string, op *Operation) (call, error) {
	c, o := s.call, *s.call.socket
	o.event = event
	c.op, c.method, c.socket = op, method, &o
	c.header = c.header.Clone()
	c.header.Set(headerEventType, event)
	if s.gateway.door.log == nil {
		return c, nil
	}
	return c, s.gateway.door.identify(&c)
}

// served is the path as the gateway's specification has it now, else as it was last.
func (s *socket) served() *Path {
	if p := s.gateway.state.Load().socketPath(s.path.Key, s.call.release); p != nil {
		return p
	}
	return s.path
}

// message takes a message from the client to the integration, and its answer back.
func (s *socket) message(id string, m gateway.Message) {
	d, op := s.gateway.door, s.served().Message
	if op == nil && d.log == nil {
		return // as in the cloud, nobody hears it
	}
	began := d.clock.Now()
	messageID, err := d.mint.message(began)
	if err != nil {
		s.note(events.StepLost, err.Error(), nil)
		return
	}
	c, err := s.about("MESSAGE", http.MethodPost, op)
	if err != nil {
		s.note(events.StepLost, err.Error(), nil)
		return
	}
	c.body, c.binary, c.socket.message = m.Data, m.Binary, messageID
	c.header.Set(headerMessageID, messageID)
	c.header.Set("Content-Length", strconv.Itoa(len(m.Data)))
	c.header.Set("Content-Type", "application/json")
	if m.Binary {
		c.header.Set("Content-Type", "application/octet-stream")
	}
	var a answer
	if op != nil {
		a, err = s.gateway.run(c)
	}
	s.gateway.log(c, a, began, err)
	if err != nil {
		s.note(events.StepLost, "MESSAGE "+messageID+": "+clip(err.Error()), map[string]any{"status": a.status})
	}
	if back := a.message(c); back != nil {
		if err := d.sockets.Send(id, *back); err != nil {
			s.note(events.StepLost, fmt.Sprintf("the answer to a message of %s: %v", id, err), nil)
		}
	}
}

// closed calls the disconnect integration, which has nobody to answer to.
func (s *socket) closed(info gateway.Info, code int, reason string) {
	<-s.opened // so that a trace tells things in their order
	text := fmt.Sprintf("%s disconnected: %d", s.id, code)
	if reason != "" {
		text += " " + reason
	}
	if more := s.farewell(code, reason); more != "" {
		text += fmt.Sprintf(" (disconnect: %s)", more)
	}
	s.note(events.StepClosed, text, map[string]any{"code": code, "reason": reason})
}

// farewell runs the disconnect operation and says what went wrong with it.
func (s *socket) farewell(code int, reason string) string {
	d, op := s.gateway.door, s.served().Disconnect
	if op == nil && d.log == nil {
		return ""
	}
	began := d.clock.Now()
	c, err := s.about("DISCONNECT", http.MethodDelete, op)
	if err != nil {
		return clip(err.Error())
	}
	c.socket.code, c.socket.reason = code, reason
	c.header.Set(headerDisconnectStatus, strconv.Itoa(code))
	c.header.Set(headerDisconnectReason, reason)
	var a answer
	if op != nil {
		a, err = s.gateway.run(c)
	}
	s.gateway.log(c, a, began, err)
	switch {
	case err != nil:
		return clip(err.Error())
	case a.status == http.StatusNotImplemented:
		return string(a.body)
	}
	return ""
}

func (s *socket) note(what, text string, data map[string]any) {
	d := s.gateway.door
	if data == nil {
		data = make(map[string]any)
	}
	data["connection_id"] = s.id
	d.note(events.Step{At: d.clock.Now(), Room: "gateway", What: what, Who: key(s.gateway.id, s.path.Key), Text: text, Data: data})
}

// message makes the body of the answer to a call a message; nil when it is empty.
func (a answer) message(c call) *gateway.Message {
	if len(a.body) == 0 {
		return nil
	}
	m := &gateway.Message{Data: slices.Clone(a.body), Binary: !a.text()}
	if c.op != nil && c.op.calls() {
		m.Sender = c.id
	}
	return m
}
