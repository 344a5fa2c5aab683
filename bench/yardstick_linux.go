package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"sync"

	"golang.org/x/sys/unix"
)

// serveYardstick is the server that everything on sockets is measured against: it accepts connections, keeps each as a plain Go
// server does, with one goroutine parked in Read, and writes one ready frame with one write(2) to each. Orders come as lines on
// in; each is answered by a line on out.
//
//	accept N          take N connections
//	send LENGTH N     write N frames of LENGTH bytes to each connection, message by message
func serveYardstick(in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintln(out, l.Addr())
	var y yard
	defer y.close()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if err := y.obey(l, lines.Text()); err != nil {
			return fmt.Errorf("yardstick: %s: %w", lines.Text(), err)
		}
		fmt.Fprintln(out, "done")
	}
	return nil // the harness is gone or has had enough
}

// yard holds the yardstick's connections and the descriptors to write to.
type yard struct {
	conns   []net.Conn
	fds     []int
	readers sync.WaitGroup
}

func (y *yard) close() {
	for _, c := range y.conns {
		_ = c.Close()
	}
	y.readers.Wait()
}

func (y *yard) obey(l net.Listener, order string) error {
	var length, n int
	if _, err := fmt.Sscanf(order, "accept %d", &n); err == nil {
		return y.accept(l, n)
	}
	if _, err := fmt.Sscanf(order, "send %d %d", &length, &n); err != nil {
		return errors.New("no such order")
	}
	return y.send(readyFrame(length), n)
}

func (y *yard) accept(l net.Listener, n int) error {
	for range n {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { y.fds = append(y.fds, int(fd)) }); err != nil {
			return err
		}
		y.conns = append(y.conns, c)
		y.readers.Go(func() {
			var b [1]byte
			_, _ = c.Read(b[:]) // nothing comes; it ends with the connection
		})
	}
	return nil
}

// send is the yardstick itself.
func (y *yard) send(frame []byte, messages int) error {
	for range messages {
		for _, fd := range y.fds {
			n, err := unix.Write(fd, frame)
			if n == len(frame) {
				continue
			}
			if err := writeRest(fd, frame, n, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeRest goes on where a write stopped short, and waits for a reader that is behind.
func writeRest(fd int, frame []byte, n int, err error) error {
	for done := max(n, 0); done < len(frame); {
		switch {
		case errors.Is(err, unix.EAGAIN):
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		}
		n, err = unix.Write(fd, frame[done:])
		done += max(n, 0)
	}
	return nil
}

// yardstick is the harness's end of a yardstick server.
type yardstick struct {
	process
	orders  io.WriteCloser
	answers *bufio.Reader
	addr    netip.AddrPort
}

func startYardstick() (*yardstick, error) { return startSelf(yardstickCommand) }

// startPlain starts the yardstick of HTTP, which takes no orders.
func startPlain() (*yardstick, error) { return startSelf(plainCommand) }

func startSelf(command string) (*yardstick, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	y := &yardstick{process: process{cmd: exec.Command(self, command)}}
	if y.orders, err = y.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := y.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	y.answers = bufio.NewReader(out)
	y.cmd.Stderr = os.Stderr
	if err := y.cmd.Start(); err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	line, err := y.answers.ReadString('\n')
	if err == nil {
		y.addr, err = netip.ParseAddrPort(line[:len(line)-1])
	}
	if err != nil {
		y.stop()
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	return y, nil
}

// order gives an order and does not wait for its end.
func (y *yardstick) order(format string, args ...any) error {
	_, err := fmt.Fprintf(y.orders, format+"\n", args...)
	return err
}

// done waits for the end of an order.
func (y *yardstick) done() error {
	if _, err := y.answers.ReadString('\n'); err != nil {
		return fmt.Errorf("yardstick: %w", err)
	}
	return nil
}

// open connects n sockets.
func (y *yardstick) open(ctx context.Context, n int) (*sockets, error) {
	if err := y.order("accept %d", n); err != nil {
		return nil, err
	}
	s, err := open(ctx, y.addr, "", n)
	if err != nil {
		return nil, err
	}
	return s, y.done()
}

// stop ends it by the end of its input, and waits.
func (y *yardstick) stop() {
	_ = y.orders.Close()
	_ = y.cmd.Wait() // an error of its own is on standard error
}
