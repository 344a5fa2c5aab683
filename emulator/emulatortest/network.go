package emulatortest

import (
	"context"
	"net"
	"sync"
)

// Network is a listener inside the process: connections are pipes, with no port and no kernel between.
type Network struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

// NewNetwork returns a network for one emulator. Inside testing/synctest, make it in the bubble.
func NewNetwork() *Network {
	return &Network{conns: make(chan net.Conn), done: make(chan struct{})}
}

// DialContext opens a connection to whoever listens.
func (n *Network) DialContext(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.done:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept returns the next connection. It is for the emulator.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, &net.OpError{Op: "accept", Net: "memory", Err: net.ErrClosed}
	}
}

// Close ends Accept and DialContext.
func (n *Network) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

// Addr returns a name that is good for URLs.
func (n *Network) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "regcast.memory:80" }
