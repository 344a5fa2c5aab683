// Package emulatortest runs an emulator inside a test.
//
//	em := emulatortest.Start(t, emulator.Config{})
//	ws := em.Dial("/ws")
//	em.Push("ubuntu:22.04")
//	ws.Expect("create-image", "create-image-tag")
//
// Start listens on a free loopback port, so that any client can be pointed at em.URL(); with a Network as Config.Listener nothing
// leaves the process, and the whole chain runs inside testing/synctest. With NewClock as Config.Clock time moves by hand.
// Every emulator is its own: tests may run in parallel.
package emulatortest

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator"
)

// patience bounds every wait of this package. It is the time after which a test is wrong, not a time that tests take; inside
// testing/synctest it must be longer than any cutoff.
const patience = 5 * time.Minute

// Emulator is an emulator that belongs to a test.
type Emulator struct {
	*emulator.Emulator
	t       testing.TB
	network *Network
	client  *http.Client
}

// Start starts an emulator with cfg, its journal in memory unless cfg.Data is set, and closes it when the test ends. Functions have this
// process's environment and the user's cache folder unless cfg says otherwise.
// It fails the test when the configuration is wrong.
func Start(t testing.TB, cfg emulator.Config) *Emulator {
	t.Helper()
	complete(&cfg)
	em, err := emulator.New(cfg)
	if err != nil {
		t.Fatalf("emulatortest: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	e := Attach(t, em)
	e.network, _ = cfg.Listener.(*Network)
	t.Cleanup(func() {
		e.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := em.Close(ctx); err != nil {
			t.Errorf("emulatortest: close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("emulatortest: serve: %v", err)
		}
	})
	return e
}

// Attach gives a test the methods of this package on an emulator that it has started itself, and that it closes itself.
func Attach(t testing.TB, em *emulator.Emulator) *Emulator {
	e := &Emulator{Emulator: em, t: t}
	e.client = &http.Client{Transport: &http.Transport{DialContext: e.dial}}
	t.Cleanup(e.client.CloseIdleConnections)
	return e
}

// complete gives a configuration what every test wants.
func complete(cfg *emulator.Config) {
	cfg.InMemory = cfg.Data == ""
	if cfg.Environ == nil {
		cfg.Environ = os.Environ()
	}
	if cache, err := os.UserCacheDir(); err == nil && cfg.Cache == "" {
		cfg.Cache = filepath.Join(cache, "regcast", "functions")
	}
}

// Client returns an HTTP client for which every host is the emulator: also a gateway's own name, and over a Network.
func (e *Emulator) Client() *http.Client { return e.client }

func (e *Emulator) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if e.network != nil {
		return e.network.DialContext(ctx)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", e.Addr())
}

// Flush waits until the emulator is quiet: nothing in flight and no batch due now.
func (e *Emulator) Flush() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Emulator.Flush(ctx); err != nil {
		e.t.Fatalf("emulatortest: flush: %v", err)
	}
}
