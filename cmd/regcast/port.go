package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// firstPort is where `up` listens when nobody names an address, and portTries how many ports after it are tried.
const (
	firstPort = 8080
	portTries = 100
)

// listenAt listens on addr; the error of a taken port names who holds it.
func listenAt(ctx context.Context, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	if addrInUse(err) {
		return nil, fmt.Errorf("--addr %s is taken by %s; stop it, or name another address", addr, holder(ctx, addr))
	}
	return nil, fmt.Errorf("--addr %s: %w; want HOST:PORT such as 127.0.0.1:8080", addr, err)
}

// listenDefault listens on the first free port from firstPort on, and tells who holds firstPort when that is another one.
func listenDefault(ctx context.Context) (l net.Listener, holderOfFirst string, err error) {
	for port := firstPort; port < firstPort+portTries; port++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if l, err = net.Listen("tcp", addr); err == nil {
			return l, holderOfFirst, nil
		}
		if port == firstPort {
			holderOfFirst = holder(ctx, addr)
		}
	}
	return nil, "", fmt.Errorf("no free port from %d to %d: %w; name one with --addr", firstPort, firstPort+portTries-1, err)
}

// holder says who listens on addr, as well as can be known without more rights.
func holder(ctx context.Context, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	who := "another process"
	_, port, _ := net.SplitHostPort(addr)
	want, _ := strconv.ParseUint(port, 10, 16)
	conns, _ := psnet.ConnectionsWithContext(ctx, "tcp") // without the right to look, nothing is found
	for _, c := range conns {
		if c.Status != "LISTEN" || uint64(c.Laddr.Port) != want || c.Pid == 0 {
			continue
		}
		who = fmt.Sprintf("process %d", c.Pid)
		if p, err := process.NewProcessWithContext(ctx, c.Pid); err == nil {
			if name, err := p.NameWithContext(ctx); err == nil {
				who = fmt.Sprintf("%s (process %d)", name, c.Pid)
			}
		}
		break
	}
	if v := regcastAt(ctx, addr); v != "" {
		who += ", a running regcast " + v
	}
	return who
}

// regcastAt returns the version of the regcast that answers at addr, or nothing.
func regcastAt(ctx context.Context, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/_regcast/health", nil)
	if err != nil {
		return ""
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	var health struct{ Status, Version string }
	if json.NewDecoder(res.Body).Decode(&health) != nil || health.Status != "ready" {
		return ""
	}
	return health.Version
}
