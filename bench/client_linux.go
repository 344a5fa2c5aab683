package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait for the other side. It is far above what anything takes, so that only what hangs meets it.
const patience = 30 * time.Second

// client is a kept-alive HTTP connection on a raw socket. It costs the load little, and the machine belongs to the server.
type client struct {
	fd   int
	host string
	got  []byte // read and not yet taken
	used int    // bytes of got that the last answer pointed into
}

// dial connects a blocking socket on which nothing waits for longer than patience.
func dial(addr netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	limit := unix.NsecToTimeval(int64(patience))
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		again(func() error {
			return unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()})
		}),
	)
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return fd, nil
}

// again repeats a call that a signal interrupted; the Go runtime sends its threads many.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func readSome(fd int, b []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Read(fd, b); return err })
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, fmt.Errorf("read: nothing came for %s", patience)
	case err != nil:
		return 0, fmt.Errorf("read: %w", err)
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		var n int
		err := again(func() (err error) { n, err = unix.Write(fd, b); return err })
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		b = b[n:]
	}
	return nil
}

func dialHTTP(addr netip.AddrPort) (*client, error) {
	fd, err := dial(addr)
	if err != nil {
		return nil, err
	}
	return &client{fd: fd, host: addr.String()}, nil
}

func (c *client) close() { _ = unix.Close(c.fd) }

// request returns a whole request, ready to send.
func (c *client) request(method, path, contentType string, body []byte) []byte {
	return append(c.head(method, path, contentType, int64(len(body))), body...)
}

func (c *client) head(method, path, contentType string, length int64) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		method, path, c.host, contentType, length)
}

func (c *client) send(request []byte) error { return writeAll(c.fd, request) }

// sendFile sends bytes of a file without copying them here.
func (c *client) sendFile(f *os.File, length int64) error {
	var from int64
	for from < length {
		err := again(func() error { _, err := unix.Sendfile(c.fd, int(f.Fd()), &from, int(length-from)); return err })
		if err != nil {
			return fmt.Errorf("sendfile: %w", err)
		}
	}
	return nil
}

// fill reads once.
func (c *client) fill() error {
	if c.used == len(c.got) {
		c.got, c.used = c.got[:0], 0
	}
	if cap(c.got)-len(c.got) < 4096 {
		c.got = append(make([]byte, 0, max(2*cap(c.got), 16384)), c.got...)
	}
	n, err := readSome(c.fd, c.got[len(c.got):cap(c.got)])
	c.got = c.got[:len(c.got)+n]
	return err
}

// next takes a whole answer from what was read. It is good until the next fill.
func (c *client) next() (a answer, ok bool, err error) {
	a, length, err := parseAnswer(c.got[c.used:])
	c.used += length
	return a, length > 0, err
}

// receive waits for the next answer, which must have the status.
func (c *client) receive(status int) (answer, error) {
	a, err := c.receiveAny()
	if err == nil {
		err = a.want(status)
	}
	return a, err
}

// receiveAny waits for the next answer, whatever it is.
func (c *client) receiveAny() (answer, error) {
	for {
		a, ok, err := c.next()
		if ok || err != nil {
			return a, err
		}
		if err := c.fill(); err != nil {
			return a, err
		}
	}
}

// do sends a request and waits for its answer.
func (c *client) do(status int, method, path, contentType string, body []byte) (answer, error) {
	if err := c.send(c.request(method, path, contentType, body)); err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	a, err := c.receive(status)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, err
}
