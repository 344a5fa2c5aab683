package yandex

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ConnectionsPath begins the paths of the ConnectionService.
const ConnectionsPath = "/apigateways/websocket/v1/connections/"

// ServeConnections serves the REST face of the ConnectionService: requests below ConnectionsPath. Who asks is checked by
// Options.Authenticate, and Options.Admit asks for the role api-gateway.websocketWriter.
func (c *Cloud) ServeConnections(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	id := r.Header.Get("X-Request-Id")
	for _, name := range []string{"X-Request-Id", "X-Server-Trace-Id"} {
		made, err := c.gateways.door.mint.uuid()
		if err != nil {
			write(w, r, answer{status: http.StatusInternalServerError, body: (&Error{Code: CodeInternal, Text: err.Error()}).json(id)})
			return
		}
		if id == "" {
			id = made
		}
		header.Set(name, made)
	}
	header.Set("X-Request-Id", id)
	body, err := c.connectionCall(w, r)
	if err != nil {
		var s *Error
		if !errors.As(err, &s) {
			s = &Error{Code: CodeInternal, Text: err.Error()}
		}
		write(w, r, answer{status: s.http(), body: s.json(id)})
		return
	}
	write(w, r, answer{status: http.StatusOK, body: encodeJSON(body)})
}

// connectionCall chooses the method.
func (c *Cloud) connectionCall(w http.ResponseWriter, r *http.Request) (any, error) {
	cs := &c.connections
	if may := c.gateways.door.authenticate; may != nil {
		if err := may(r.Header.Get("Authorization")); err != nil {
			return nil, err
		}
	}
	id, below := strings.CutPrefix(r.URL.Path, ConnectionsPath)
	id, send := strings.CutSuffix(id, ":send")
	if send {
		id = strings.TrimSuffix(id, "/") // users write …/{id}/:send, and the cloud takes it
	}
	if err := c.mayWrite(r.Header.Get("Authorization"), id); err != nil {
		return nil, err
	}
	switch {
	case !below || strings.ContainsAny(id, "/:"):
		// Not code 5: to clients that says that the connection is gone.
		return nil, &Error{Code: CodeUnimplemented, Text: fmt.Sprintf("no method has the path %s; want %s{id} or %s{id}:send", quote(r.URL.Path),
			ConnectionsPath, ConnectionsPath)}
	case send && r.Method == http.MethodPost:
		data, kind, err := readSend(http.MaxBytesReader(w, r.Body, maxSend))
		if err != nil {
			return nil, err
		}
		return struct{}{}, cs.send(id, data, kind)
	case !send && r.Method == http.MethodGet:
		got, err := cs.get(id)
		return got.json(), err
	case !send && r.Method == http.MethodDelete:
		return struct{}{}, cs.disconnect(id)
	case send:
		return nil, &Error{Code: CodeUnimplemented, Text: fmt.Sprintf("got %s, want POST", r.Method)}
	}
	return nil, &Error{Code: CodeUnimplemented, Text: fmt.Sprintf("got %s, want GET or DELETE", r.Method)}
}

// mayWrite asks whether the sender of a request may deal with a connection. Whether there is such a connection is the call's to say.
func (c *Cloud) mayWrite(authorization, id string) error {
	admit := c.gateways.door.admit
	if admit == nil {
		return nil
	}
	found, err := c.connections.get(id)
	if err != nil {
		return nil
	}
	return admit(authorization, roleWriteSockets, kindGateway, found.GatewayID)
}

func (c Connection) json() any {
	return map[string]any{
		"id": c.ID, "gatewayId": c.GatewayID,
		"identity":    map[string]string{"sourceIp": c.SourceIP, "userAgent": c.UserAgent},
		"connectedAt": c.ConnectedAt.UTC().Format(time.RFC3339Nano), "lastActiveAt": c.LastActiveAt.UTC().Format(time.RFC3339Nano),
	}
}

// maxSend bounds the body of a send: a message in base64, escaped at worst, and what is round it.
const maxSend = 1 << 20

// readSend reads the body of a send. Fields that it does not know are left alone.
func readSend(body io.Reader) ([]byte, DataType, error) {
	raw, err := io.ReadAll(body)
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return nil, 0, invalid("data", fmt.Sprintf("got a request of more than %d bytes, want at most %d bytes of data", tooBig.Limit, MaxMessage))
	case err != nil:
		return nil, 0, &Error{Code: CodeInvalidArgument, Text: "the body cannot be read: " + err.Error()}
	case len(bytes.TrimSpace(raw)) == 0:
		raw = []byte("{}")
	}
	var told struct {
		Data *string         `json:"data"`
		Type json.RawMessage `json:"type"`
	}
	if err := json.Unmarshal(raw, &told); err != nil {
		return nil, 0, &Error{Code: CodeInvalidArgument, Text: `got a body that is not {"data": "<base64>", "type": "TEXT"}: ` + err.Error()}
	}
	kind, err := readType(told.Type)
	if err != nil || told.Data == nil {
		return nil, kind, err
	}
	data, err := readBase64(*told.Data)
	return data, kind, err
}

// readType reads the name or the number of a data type.
func readType(raw json.RawMessage) (DataType, error) {
	switch strings.Trim(string(raw), `"`) {
	case "", "null", "0", "DATA_TYPE_UNSPECIFIED":
		return UnspecifiedData, nil
	case "1", "BINARY":
		return BinaryData, nil
	case "2", "TEXT":
		return TextData, nil
	}
	return 0, invalid("type", fmt.Sprintf("got %s, want TEXT or BINARY", clip(string(raw))))
}

// readBase64 reads the standard and the URL's alphabet, with and without padding, as proto's JSON does.
func readBase64(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	data, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, invalid("data", "got what is not base64: "+err.Error())
	}
	return data, nil
}
