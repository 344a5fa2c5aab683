package yandex

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// Connection is an open socket of a gateway of this cloud.
type Connection struct {
	ID, GatewayID             string
	SourceIP, UserAgent       string
	ConnectedAt, LastActiveAt time.Time
}

// DataType says what kind of message is sent; the numbers are the API's.
type DataType int

// The kinds of messages.
const (
	UnspecifiedData DataType = iota // text if the data are UTF-8, else binary
	BinaryData
	TextData
)

// Connection describes an open connection. The error is an *Error.
func (c *Cloud) Connection(id string) (Connection, error) { return c.connections.get(id) }

// Send queues a message for an open connection. The error is an *Error.
func (c *Cloud) Send(id string, data []byte, t DataType) error {
	return c.connections.send(id, data, t)
}

// Disconnect closes a connection with 1000 and no reason, after what waits for it has been sent. The error is an *Error.
func (c *Cloud) Disconnect(id string) error { return c.connections.disconnect(id) }

// connections is what the cloud's ConnectionService does, whatever the wire. Errors are *Error.
type connections struct {
	sockets  *gateway.Gateway
	gateways *gateways
}

func (cs *connections) get(id string) (Connection, error) {
	info, err := cs.find(id)
	if err != nil {
		return Connection{}, err
	}
	gatewayID, _, _ := strings.Cut(info.Path, "/")
	return Connection{id, gatewayID, info.SourceIP, info.UserAgent, info.ConnectedAt, info.LastActiveAt}, nil
}

// find finds an open connection, unless it is another cloud's.
func (cs *connections) find(id string) (gateway.Info, error) {
	if id == "" || len(id) > 50 {
		return gateway.Info{}, invalid("connection_id", fmt.Sprintf("got %d characters, want 1 to 50", len(id)))
	}
	info, err := cs.sockets.Get(id)
	if err == nil {
		if gatewayID, _, _ := strings.Cut(info.Path, "/"); cs.gateways.handler(gatewayID) != nil {
			return info, nil
		}
		err = gateway.ErrGone
	}
	return gateway.Info{}, refusal(id, err)
}

func (cs *connections) send(id string, data []byte, t DataType) error {
	switch {
	case len(data) == 0:
		return invalid("data", "got nothing, want 1 to 131072 bytes")
	case len(data) > MaxMessage:
		cs.sockets.Refused(gateway.SentFrame{ID: id, Message: gateway.Message{Data: data}, Err: gateway.ErrTooBig})
		return invalid("data", fmt.Sprintf("got %d bytes, want 1 to %d", len(data), MaxMessage))
	case t == TextData && !utf8.Valid(data):
		return invalid("data", "got what is not UTF-8, want UTF-8 in a message of the type TEXT")
	}
	m := gateway.Message{Data: data, Binary: t == BinaryData || t == UnspecifiedData && !utf8.Valid(data)}
	if _, err := cs.find(id); err != nil {
		cs.sockets.Refused(gateway.SentFrame{ID: id, Message: m, Err: gateway.ErrGone})
		return err
	}
	if err := cs.sockets.Send(id, m); err != nil {
		return refusal(id, err)
	}
	return nil
}

// disconnect closes a connection with 1000 and no reason, after what waits for it has been sent.
func (cs *connections) disconnect(id string) error {
	if _, err := cs.find(id); err != nil {
		return err
	}
	const normal = 1000
	if err := cs.sockets.Drop(id, normal, "", gateway.ByFunction); err != nil {
		return refusal(id, err)
	}
	return nil
}

// refusal words what the gateway's room says.
func refusal(id string, err error) *Error {
	switch {
	case errors.Is(err, gateway.ErrGone), errors.Is(err, gateway.ErrSlow): // the slow one has been closed
		return &Error{Code: CodeNotFound, Text: fmt.Sprintf("Connection %s not found", quote(id))}
	case errors.Is(err, gateway.ErrTooBig):
		return invalid("data", err.Error())
	case errors.Is(err, gateway.ErrBusy):
		return &Error{Code: CodeResourceExhausted, Text: err.Error()}
	case errors.Is(err, gateway.ErrClosed):
		return &Error{Code: CodeUnavailable, Text: err.Error()}
	}
	return &Error{Code: CodeInternal, Text: err.Error()}
}
