package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// sockets is the load: many connections behind one epoll, read by one loop that counts messages. It is the same for the yardstick
// and for regcast, down to the frames.
type sockets struct {
	epoll  int
	fds    []int
	frames []frames
	total  int // messages on all sockets
	last   time.Time
	buf    []byte
	ready  []unix.EpollEvent
}

// open connects n sockets and, where there is a path, makes WebSockets of them.
func open(ctx context.Context, addr netip.AddrPort, path string, n int) (*sockets, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	s := &sockets{epoll: epoll, frames: make([]frames, n), buf: make([]byte, 256<<10), ready: make([]unix.EpollEvent, 512)}
	for i := range n {
		if err := ctx.Err(); err != nil {
			s.close()
			return nil, err
		}
		if err := s.add(i, addr, path); err != nil {
			s.close()
			return nil, fmt.Errorf("socket %d of %d: %w", i+1, n, err)
		}
	}
	return s, nil
}

func (s *sockets) add(i int, addr netip.AddrPort, path string) error {
	fd, err := dial(addr)
	if err != nil {
		return err
	}
	s.fds = append(s.fds, fd)
	if path != "" {
		if err := s.upgrade(i, addr, path); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
	}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

// upgrade makes the WebSocket handshake by hand. The key is the RFC's own: a server may not care, and nobody listens in.
func (s *sockets) upgrade(i int, addr netip.AddrPort, path string) error {
	fd := s.fds[i]
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr)
	if err := writeAll(fd, request); err != nil {
		return err
	}
	got := 0
	for {
		n, err := readSome(fd, s.buf[got:])
		if err != nil {
			return err
		}
		got += n
		end := bytes.Index(s.buf[:got], []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		if !bytes.HasPrefix(s.buf, []byte("HTTP/1.1 101 ")) {
			return fmt.Errorf("got %.300q, want 101", s.buf[:got])
		}
		_, err = s.frames[i].feed(s.buf[end+4 : got])
		return err
	}
}

// await reads until all sockets together have so many messages, and none more than its share.
func (s *sockets) await(ctx context.Context, total int) error {
	for s.total < total {
		n, err := s.read(ctx, patience)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("sockets: %d of %d messages came, and then nothing for %s", s.total, total, patience)
		}
	}
	s.last = time.Now()
	for i := range s.frames {
		if got, want := s.frames[i].count, total/len(s.fds); got != want {
			return fmt.Errorf("socket %d: got %d messages, want %d", i, got, want)
		}
	}
	return nil
}

// read waits for sockets with something to read, reads each once, and returns how many there were.
func (s *sockets) read(ctx context.Context, limit time.Duration) (int, error) {
	var n int
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var err error
		if n, err = unix.EpollWait(s.epoll, s.ready, int(limit/time.Millisecond)); err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("epoll: %w", err)
		}
	}
	for _, e := range s.ready[:n] {
		got, err := readSome(s.fds[e.Fd], s.buf)
		if err == nil {
			var messages int
			messages, err = s.frames[e.Fd].feed(s.buf[:got])
			s.total += messages
		}
		if err != nil {
			return 0, fmt.Errorf("socket %d: %w", e.Fd, err)
		}
	}
	return n, nil
}

// length is the length on the wire of the last message of the first socket.
func (s *sockets) length() int { return s.frames[0].length }

func (s *sockets) close() {
	for _, fd := range s.fds {
		_ = unix.Close(fd)
	}
	_ = unix.Close(s.epoll)
}
