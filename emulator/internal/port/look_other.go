//go:build !unix

package port

import "net"

// look returns the first byte that will be read from a connection, and the connection to read it from.
func look(conn net.Conn) (byte, net.Conn, error) { return take(conn) }
