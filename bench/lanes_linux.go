package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// lane is a connection that sends its requests one after another.
type lane struct {
	*client
	requests [][]byte           // still to be sent
	take     func(answer) error // judges each answer
}

// advance sends the next request; done when there is none.
func (l *lane) advance() (done bool, err error) {
	if len(l.requests) == 0 {
		return true, nil
	}
	err = l.send(l.requests[0])
	l.requests = l.requests[1:]
	return false, err
}

// drive lets every lane send its requests: one each at a time, all behind one epoll.
func drive(ctx context.Context, lanes []*lane) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer unix.Close(epoll)
	for i, l := range lanes {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, l.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		if _, err := l.advance(); err != nil {
			return err
		}
	}
	ready := make([]unix.EpollEvent, len(lanes))
	for running := len(lanes); running > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.EpollWait(epoll, ready, int(patience/time.Millisecond))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("epoll: %w", err)
		case n == 0:
			return fmt.Errorf("no answer for %s", patience)
		}
		for _, e := range ready[:n] {
			l := lanes[e.Fd]
			a, err := l.receiveAny()
			if err != nil {
				return err
			}
			if err := l.take(a); err != nil {
				return err
			}
			done, err := l.advance()
			if err != nil {
				return err
			}
			if done {
				running--
			}
		}
	}
	return nil
}
