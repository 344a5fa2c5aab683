package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/matryer/is"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The load counts what the yardstick sends, with more in flight than the sockets hold.
func TestYardstickReachesEverySocket(t *testing.T) {
	is := is.New(t)
	ordersOut, orders := io.Pipe()
	answers, answersIn := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serveYardstick(ordersOut, answersIn) }()
	said := bufio.NewScanner(answers)
	is.True(said.Scan())
	addr, err := netip.ParseAddrPort(said.Text())
	is.NoErr(err)

	fmt.Fprintln(orders, "accept 3")
	s, err := open(context.Background(), addr, "", 3)
	is.NoErr(err)
	is.True(said.Scan())
	fmt.Fprintln(orders, "send 700 2")
	is.NoErr(s.await(context.Background(), 6))
	is.Equal(s.length(), 700)
	is.True(said.Scan())
	fmt.Fprintln(orders, "send 65000 400")
	is.NoErr(s.await(context.Background(), 6+1200))
	is.Equal(s.length(), 65000)
	is.True(said.Scan())
	s.close()
	is.NoErr(orders.Close())
	is.NoErr(<-served)
}

func TestYardstickRefusesOtherOrders(t *testing.T) {
	is := is.New(t)
	err := serveYardstick(strings.NewReader("dance\n"), io.Discard)
	is.Equal(err.Error(), "yardstick: dance: no such order")
}
