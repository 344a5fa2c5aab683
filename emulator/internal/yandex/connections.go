package yandex

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// connections is what the cloud's ConnectionService does, whatever the wire. Errors are *status.
type connections struct {
	sockets  *gateway.Gateway
	gateways *gateways
}

// connection is an open socket of a gateway of this cloud.
type connection struct {
	id, gatewayID         string
	sourceIP, userAgent   string
	connectedAt, activeAt time.Time
}

// dataType says what kind of message is sent; the numbers are the API's.
type dataType int

const (
	unspecified dataType = iota // text if the data are UTF-8, else binary
	binaryData
	textData
)

func (cs *connections) get(id string) (connection, error) {
	info, err := cs.find(id)
	if err != nil {
		return connection{}, err
	}
	gatewayID, _, _ := strings.Cut(info.Path, "/")
	return connection{id, gatewayID, info.SourceIP, info.UserAgent, info.ConnectedAt, info.LastActiveAt}, nil
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

func (cs *connections) send(id string, data []byte, t dataType) error {
	switch {
	case len(data) == 0:
		return invalid("data", "got nothing, want 1 to 131072 bytes")
	case len(data) > MaxMessage:
		return invalid("data", fmt.Sprintf("got %d bytes, want 1 to %d", len(data), MaxMessage))
	case t == textData && !utf8.Valid(data):
		return invalid("data", "got what is not UTF-8, want UTF-8 in a message of the type TEXT")
	}
	if _, err := cs.find(id); err != nil {
		return err
	}
	m := gateway.Message{Data: data, Binary: t == binaryData || t == unspecified && !utf8.Valid(data)}
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
	if err := cs.sockets.Drop(id, normal, ""); err != nil {
		return refusal(id, err)
	}
	return nil
}

// refusal words what the gateway's room says.
func refusal(id string, err error) *status {
	switch {
	case errors.Is(err, gateway.ErrGone), errors.Is(err, gateway.ErrSlow): // the slow one has been closed
		return &status{code: notFound, text: fmt.Sprintf("Connection %s not found", quote(id))}
	case errors.Is(err, gateway.ErrTooBig):
		return invalid("data", err.Error())
	case errors.Is(err, gateway.ErrClosed):
		return &status{code: unavailable, text: err.Error()}
	}
	return &status{code: internal, text: err.Error()}
}
