package port_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/port"
)

// patience is the time after which a test is wrong.
const patience = time.Minute

// identity is a certificate for 127.0.0.1 and example.com, and what trusts it.
var identity = sync.OnceValues(func() (*tls.Config, *x509.CertPool) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}, roots
})

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// open takes the connections of inner until the test ends.
func open(t *testing.T, inner net.Listener, o port.Options) *port.Listener {
	t.Helper()
	if o.TLS == nil {
		o.TLS, _ = identity()
	}
	l := port.Listen(inner, o)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	if m, ok := l.(*memory); ok {
		conn, err = m.dial(t.Context())
	} else {
		conn, err = net.Dial("tcp", l.Addr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func say(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads as many bytes as want has, and compares.
func hear(t *testing.T, conn io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

// hungUp fails the test unless the other side ends the connection.
func hungUp(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := conn.Read(make([]byte, 1))
	if late, ok := err.(net.Error); err == nil || ok && late.Timeout() {
		t.Fatalf("read: %v, want the end of the connection", err)
	}
}

// memory is a listener of pipes.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

// serve answers HTTP with the protocol and whether it came by TLS.
func serve(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said := r.Proto
			if r.TLS != nil {
				said += " TLS"
			}
			_, _ = io.WriteString(w, said)
		}),
		Protocols: new(http.Protocols),
		ErrorLog:  discard(),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

// ask sends a request in one protocol over connections of dial.
func ask(t *testing.T, scheme, protocol string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) string {
	t.Helper()
	_, roots := identity()
	transport := &http.Transport{DialContext: dial, Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	switch protocol {
	case "1":
		transport.Protocols.SetHTTP1(true)
	case "2":
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get(scheme + "://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
