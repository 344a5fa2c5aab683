//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

var errNeedsLinux = errors.New("needs Linux: it reads another process's CPU clock and memory, and drives its sockets with epoll")

type bench struct{}

func figures() []figure { return nil }

func serveYardstick(io.Reader, io.Writer) error { return errNeedsLinux }

func run(context.Context, config, []figure, string) error { return errNeedsLinux }
