package yandex

import (
	"fmt"
	"net/http"
	"time"
)

// GatewayLog is an entry of a gateway's log: one for each request and for each event of a socket, when it is over.
type GatewayLog struct {
	GatewayID string
	At        time.Time // when it was over
	Level     string    // "INFO"; "WARN" for an answer of 4xx, "ERROR" for one of 5xx and for what failed
	Message   string
	Fields    map[string]any // strings, and numbers as int or float64
}

// log writes an entry about a call that is over. The names code, event_type, response_length_bytes and duration_seconds are the
// cloud's, as is release; the others are like them.
func (h *gatewayHandler) log(c call, a answer, began time.Time, err error) {
	if h.door.log == nil {
		return
	}
	now := h.door.clock.Now()
	e := GatewayLog{GatewayID: h.id, At: now, Level: "INFO", Fields: map[string]any{
		"release": c.release, "request_id": c.id, "method": c.method, "path": c.pathOnly(),
		"duration_seconds": now.Sub(began).Seconds(), "response_length_bytes": len(a.body),
	}}
	what := c.method
	add := func(name, value string) {
		if value != "" {
			e.Fields[name] = value
		}
	}
	add("resource", c.resource)
	if c.op != nil {
		add("operation_id", c.op.ID)
		add("integration", c.op.Type)
	}
	if s := c.socket; s != nil {
		what = s.event
		add("event_type", s.event)
		add("connection_id", s.id)
		add("message_id", s.message)
		if s.event == "DISCONNECT" {
			e.Fields["disconnect_status_code"] = s.code
			add("disconnect_reason", s.reason)
		}
	}
	e.Message = what + " " + c.pathOnly()
	if a.status != 0 {
		e.Fields["code"] = a.status
		e.Message += fmt.Sprintf(" %d", a.status)
	}
	switch {
	case err != nil || a.status >= http.StatusInternalServerError:
		e.Level = "ERROR"
	case a.status >= http.StatusBadRequest:
		e.Level = "WARN"
	}
	if err != nil {
		add("error", clip(err.Error()))
		e.Message += ": " + clip(err.Error())
	}
	h.door.log(e)
}
