//go:build unix

package port

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// look returns the first byte that will be read from a connection, and the connection to read it from: of a socket it is the same.
func look(conn net.Conn) (byte, net.Conn, error) {
	switch socket := conn.(type) {
	case *net.TCPConn:
		first, err := peek(socket)
		return first, conn, err
	case *net.UnixConn:
		first, err := peek(socket)
		return first, conn, err
	}
	return take(conn)
}

// peek waits for the first byte and leaves it where it is.
func peek(conn syscall.Conn) (byte, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var first [1]byte
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		for {
			n, _, failed = unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK)
			if !errors.Is(failed, unix.EINTR) {
				return !errors.Is(failed, unix.EAGAIN)
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, os.NewSyscallError("recvfrom", failed)
	case n == 0:
		return 0, io.EOF
	}
	return first[0], nil
}
