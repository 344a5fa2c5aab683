package gateway

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	glob "path"
	"strings"
)

// HandshakeError is the answer to a request that cannot become a WebSocket.
type HandshakeError struct {
	Status int
	Header http.Header // to set on the answer; may be nil
	Text   string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("gateway: handshake: %s (%d)", e.Text, e.Status)
}

// IsUpgrade says whether a request asks for a WebSocket, well or badly.
func IsUpgrade(r *http.Request) bool { return hasToken(r.Header, "Upgrade", "websocket") }

// Check judges a request by RFC 6455, before anything is done for it. Any well-formed origin passes.
func Check(r *http.Request) *HandshakeError {
	bad := func(text string) *HandshakeError { return &HandshakeError{Status: http.StatusBadRequest, Text: text} }
	switch {
	case r.Method != http.MethodGet:
		return &HandshakeError{
			Status: http.StatusMethodNotAllowed, Header: http.Header{"Allow": {http.MethodGet}}, Text: "the method of a WebSocket handshake is GET",
		}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return &HandshakeError{Status: http.StatusHTTPVersionNotSupported, Text: "a WebSocket handshake needs HTTP/1.1"}
	case r.Host == "":
		return bad("no Host")
	case !IsUpgrade(r):
		return &HandshakeError{
			Status: http.StatusUpgradeRequired, Header: http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
			Text: "Upgrade is not websocket",
		}
	case !hasToken(r.Header, "Connection", "upgrade"):
		return bad("Connection is not Upgrade")
	case r.Header.Get("Sec-Websocket-Version") != "13" || len(r.Header["Sec-Websocket-Version"]) > 1:
		return &HandshakeError{
			Status: http.StatusUpgradeRequired, Header: http.Header{"Sec-Websocket-Version": {"13"}}, Text: "Sec-WebSocket-Version is not 13",
		}
	case !validKey(r.Header["Sec-Websocket-Key"]):
		return bad("Sec-WebSocket-Key is not 16 bytes in base64")
	}
	if origins := r.Header["Origin"]; len(origins) > 1 || len(origins) == 1 && parseOrigin(origins[0]) == nil {
		return bad("malformed Origin")
	}
	return nil
}

// Check is the package's Check, and the origin must be in Options.Origins.
func (g *Gateway) Check(r *http.Request) *HandshakeError {
	if bad := Check(r); bad != nil {
		return bad
	}
	text := r.Header.Get("Origin")
	if len(g.options.Origins) == 0 || text == "" {
		return nil // a client that is no browser has no origin
	}
	origin := parseOrigin(text)
	for _, pattern := range g.options.Origins {
		name := strings.ToLower(origin.Host)
		if strings.Contains(pattern, "://") {
			name = origin.Scheme + "://" + name
		}
		if ok, err := glob.Match(strings.ToLower(pattern), name); ok && err == nil { // a bad pattern matches nothing
			return nil
		}
	}
	return &HandshakeError{Status: http.StatusForbidden, Text: "origin " + text + " is not allowed"}
}

// parseOrigin reads an origin as browsers send it: "null" or scheme://host[:port]. Nil: it is none.
func parseOrigin(text string) *url.URL {
	if text == "null" {
		return &url.URL{Host: "null"}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Scheme != "file" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil
	}
	return u
}

func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(key) == 16
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// switching is the answer that makes a connection a WebSocket.
func switching(key, subprotocol string, more http.Header) ([]byte, error) {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // the GUID of RFC 6455 §1.3
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(base64.StdEncoding.EncodeToString(sum[:]))
	b.WriteString("\r\n")
	header := more.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if subprotocol != "" {
		header.Set("Sec-WebSocket-Protocol", subprotocol)
	}
	if err := header.Write(&b); err != nil {
		return nil, fmt.Errorf("gateway: handshake: %w", err)
	}
	b.WriteString("\r\n")
	return b.Bytes(), nil
}
