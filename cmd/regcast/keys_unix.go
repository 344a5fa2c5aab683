//go:build linux || darwin

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// takeKeys makes a terminal hand over each key at once and show none. Signals and line ends stay as they were: Ctrl-C is Ctrl-C, and other
// lines can be printed meanwhile. A terminal that another job has is left alone.
func takeKeys(in *os.File) (restore func(), err error) {
	fd := int(in.Fd())
	was, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	if !inForeground(fd) {
		return nil, errors.New("another job has the terminal")
	}
	is := *was
	is.Lflag &^= unix.ICANON | unix.ECHO
	is.Cc[unix.VMIN], is.Cc[unix.VTIME] = 1, 0
	is.Cc[unix.VQUIT] = noKey // it would end the process with the terminal as it is
	if err := unix.IoctlSetTermios(fd, setTermios, &is); err != nil {
		return nil, err
	}
	// In the background there are no keys, but the replay goes on; back in the foreground the shell has set the terminal its own way.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	back := make(chan os.Signal, 1)
	signal.Notify(back, syscall.SIGCONT)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-back:
				if inForeground(fd) {
					_ = unix.IoctlSetTermios(fd, setTermios, &is) // no keys then
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(back)
		close(done)
		<-ended
		if inForeground(fd) {
			_ = unix.IoctlSetTermios(fd, setTermios, was) // a terminal that is gone needs nothing
		}
		signal.Reset(syscall.SIGTTIN, syscall.SIGTTOU)
	}, nil
}

func inForeground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
