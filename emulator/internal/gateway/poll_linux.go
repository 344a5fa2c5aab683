//go:build linux

package gateway

import "net"

// poller is Linux's way to wait for many sockets at once. Elsewhere every connection has a goroutine.
type poller struct{}

func (*poller) close() {}

func (g *Gateway) attach(c *conn, nc net.Conn) func(early []byte) { return attachPlain(c, nc) }
