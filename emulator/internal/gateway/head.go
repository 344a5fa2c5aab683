package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/textproto"
)

// net/http spells header names its own way, and some clouds tell functions how the client spelled them. So a listener can keep the
// head of the first request of each connection, which is what a handshake nearly always is.

// maxHead is how much of a connection is kept, at most, until its first request is known.
const maxHead = 16 << 10

// KeepHeads returns a listener whose connections keep the head of their first request, for SentNames. KeepHead must be the
// ConnContext of the server. Those of TLS keep none: net/http knows a *tls.Conn by its type.
func KeepHeads(l net.Listener) net.Listener { return headListener{l} }

type headListener struct{ net.Listener }

func (l headListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	switch c := nc.(type) {
	case *net.TCPConn:
		return &tcpHead{TCPConn: c}, nil
	case *tls.Conn:
		return c, nil
	}
	return &anyHead{Conn: nc}, nil
}

// head is the beginning of what was read. Its owner is whoever reads; a handler runs when that is the handler's request.
type head struct {
	data []byte
	done bool
}

func (h *head) saw(p []byte) {
	if h.done {
		return
	}
	// The end may lie across the border.
	from := max(0, len(h.data)-len(endOfHead)+1)
	h.data = append(h.data, p[:min(len(p), maxHead-len(h.data))]...)
	if i := bytes.Index(h.data[from:], []byte(endOfHead)); i >= 0 {
		h.data, h.done = h.data[:from+i+2], true
	} else if len(h.data) == maxHead {
		h.data, h.done = nil, true
	}
}

const endOfHead = "\r\n\r\n"

// tcpHead is its own type so that the methods that spare a copy stay in reach.
type tcpHead struct {
	*net.TCPConn
	head head
}

func (c *tcpHead) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.head.saw(p[:n])
	return n, err
}

type anyHead struct {
	net.Conn
	head head
}

func (c *anyHead) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.head.saw(p[:n])
	return n, err
}

// bare returns the connection that keeps no head.
func bare(nc net.Conn) net.Conn {
	switch c := nc.(type) {
	case *tcpHead:
		return c.TCPConn
	case *anyHead:
		return c.Conn
	}
	return nc
}

type headKey struct{}

// KeepHead lets the requests of a connection find what it has kept.
func KeepHead(ctx context.Context, nc net.Conn) context.Context {
	switch c := nc.(type) {
	case *tcpHead:
		return context.WithValue(ctx, headKey{}, &c.head)
	case *anyHead:
		return context.WithValue(ctx, headKey{}, &c.head)
	}
	return ctx
}

// SentNames returns the names of a handshake's headers as the client spelled them, by their canonical form. It is empty when they
// were not kept.
func SentNames(r *http.Request) map[string]string {
	h, _ := r.Context().Value(headKey{}).(*head)
	if h == nil || !h.done {
		return nil
	}
	names := make(map[string]string)
	key := ""
	for line := range bytes.SplitSeq(h.data, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		canonical := textproto.CanonicalMIMEHeaderKey(string(name))
		if _, twice := names[canonical]; !twice {
			names[canonical] = string(name)
		}
		if canonical == "Sec-Websocket-Key" {
			key = string(bytes.TrimSpace(value))
		}
	}
	if key != r.Header.Get("Sec-Websocket-Key") { // what was kept is an earlier request
		return nil
	}
	return names
}
