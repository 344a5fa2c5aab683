//go:build unix

package port_test

import (
	"net"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/port"
)

// The gateway writes straight to sockets, so a wrapper would cost what it saves.
func TestASocketComesOutBare(t *testing.T) {
	is := is.New(t)
	inner := loopback(t)
	l := open(t, inner, port.Options{})
	say(t, dial(t, inner), "x")
	server, err := l.Accept()
	is.NoErr(err)
	defer server.Close()
	_, bare := server.(*net.TCPConn)
	is.True(bare)
	hear(t, server, "x") // and nothing was taken from it
}
