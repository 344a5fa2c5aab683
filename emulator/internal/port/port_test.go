package port_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/port"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

func TestOnePortSpeaksAll(t *testing.T) {
	inMemory := newMemory()
	for name, dial := range map[string]func(l net.Listener) func(context.Context, string, string) (net.Conn, error){
		"TCP": func(l net.Listener) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			}
		},
		"memory": func(net.Listener) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, _, _ string) (net.Conn, error) { return inMemory.dial(ctx) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var inner net.Listener = inMemory
			if name == "TCP" {
				inner = loopback(t)
			}
			serve(t, open(t, inner, port.Options{}))
			is.Equal(ask(t, "http", "1", dial(inner)), "HTTP/1.1")
			is.Equal(ask(t, "http", "2", dial(inner)), "HTTP/2.0")
			is.Equal(ask(t, "https", "1", dial(inner)), "HTTP/1.1 TLS")
			is.Equal(ask(t, "https", "2", dial(inner)), "HTTP/2.0 TLS")
		})
	}
}

func TestNothingIsLost(t *testing.T) {
	for name, inner := range map[string]net.Listener{"TCP": loopback(t), "memory": newMemory()} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			l := open(t, inner, port.Options{})
			client := dial(t, inner)
			go func() { _, _ = io.WriteString(client, "hello") }() // a pipe waits for its reader
			server, err := l.Accept()
			is.NoErr(err)
			defer server.Close()
			hear(t, server, "hello")
			go func() { _, _ = io.WriteString(server, "welcome") }()
			hear(t, client, "welcome")
		})
	}
}

func TestASilentClientHoldsUpNobody(t *testing.T) {
	is := is.New(t)
	inner := loopback(t)
	l := open(t, inner, port.Options{})
	serve(t, l)
	var silent []net.Conn
	for range 100 {
		silent = append(silent, dial(t, inner))
	}
	speaker := dial(t, inner)
	say(t, speaker, "GET / HTTP/1.0\r\n\r\n")
	hear(t, speaker, "HTTP/1.0 200 OK")
	say(t, silent[50], "GET / HTTP/1.0\r\n\r\n") // it has been waited for
	hear(t, silent[50], "HTTP/1.0 200 OK")
	is.NoErr(l.Close())
	hungUp(t, silent[0])
	hungUp(t, silent[99])
}

func TestASilentClientIsHungUpOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		inner := newMemory()
		l := port.Listen(inner, port.Options{Wait: 10 * time.Second})
		defer l.Close()
		client, err := inner.dial(t.Context())
		is.NoErr(err)
		began := time.Now()
		_, err = client.Read(make([]byte, 1))
		is.True(errors.Is(err, io.EOF))
		is.Equal(time.Since(began), 10*time.Second)

		// Once it has spoken, it may take its time.
		client, err = inner.dial(t.Context())
		is.NoErr(err)
		go func() { _, _ = io.WriteString(client, "a") }()
		server, err := l.Accept()
		is.NoErr(err)
		defer server.Close()
		hear(t, server, "a")
		time.AfterFunc(time.Hour, func() { _, _ = io.WriteString(client, "b") })
		hear(t, server, "b")
	})
}

func TestTheLongestSilentMakesRoom(t *testing.T) {
	is := is.New(t)
	inner := newMemory()
	l := open(t, inner, port.Options{Silent: 2})
	first, second, third := dial(t, inner), dial(t, inner), dial(t, inner)
	hungUp(t, first)
	for _, client := range []net.Conn{third, second} {
		go func() { _, _ = io.WriteString(client, "x") }()
		server, err := l.Accept()
		is.NoErr(err)
		hear(t, server, "x")
		is.NoErr(server.Close())
	}
}

func TestAClientThatGoesWithoutAWord(t *testing.T) {
	is := is.New(t)
	inner := loopback(t)
	l := open(t, inner, port.Options{})
	is.NoErr(dial(t, inner).Close())
	client := dial(t, inner)
	say(t, client, "x")
	server, err := l.Accept() // not the one that has gone
	is.NoErr(err)
	defer server.Close()
	is.Equal(server.RemoteAddr().String(), client.LocalAddr().String())
}

func TestCloseHangsUpOnWhoeverWasNotAccepted(t *testing.T) {
	is := is.New(t)
	inner := loopback(t)
	l := port.Listen(inner, port.Options{})
	client := dial(t, inner)
	say(t, client, "x")
	is.NoErr(l.Close())
	hungUp(t, client)
	is.NoErr(l.Close()) // again
	_, err := l.Accept()
	is.True(errors.Is(err, net.ErrClosed))
	_, err = net.Dial("tcp", inner.Addr().String())
	is.True(err != nil)
}

// faulty fails as many times as it has errors.
type faulty struct {
	net.Listener
	errs chan error
}

func (f faulty) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

func TestAcceptTellsErrorsAndGoesOn(t *testing.T) {
	is := is.New(t)
	inner := faulty{loopback(t), make(chan error, 1)}
	tooMany := errors.New("too many open files")
	inner.errs <- tooMany
	l := open(t, inner, port.Options{})
	_, err := l.Accept()
	is.True(errors.Is(err, tooMany))
	say(t, dial(t, inner), "x")
	server, err := l.Accept()
	is.NoErr(err)
	is.NoErr(server.Close())
}

// A listener that is given may speak TLS itself.
func TestTheInnerListenersOwnTLS(t *testing.T) {
	is := is.New(t)
	own, roots := identity()
	l := open(t, tls.NewListener(loopback(t), own), port.Options{})
	serve(t, l)
	client, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots})
	is.NoErr(err)
	defer client.Close()
	say(t, client, "GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(client)
	is.NoErr(err)
	is.True(strings.HasSuffix(string(answer), "HTTP/1.0 TLS"))
}

// What no client should send is refused, and the next one is served.
func TestJunk(t *testing.T) {
	inner := loopback(t)
	serve(t, open(t, inner, port.Options{}))
	for name, junk := range map[string]string{
		"zeros":                     strings.Repeat("\x00", 1000),
		"HTTP/0.9":                  "GET /\r\n\r\n",
		"a record that is no hello": "\x16\x03\x01\x00\x05hello",
		"a record that is too long": "\x16\x03\x01\xff\xff" + strings.Repeat("x", 1<<16),
		"not a record":              "\x16 what a day\r\n\r\n",
		"SSL 2":                     "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, inner)
			_, _ = io.WriteString(client, junk) // it may be hung up on meanwhile
			_ = client.(*net.TCPConn).CloseWrite()
			answer, err := io.ReadAll(client)
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				t.Fatal("still connected")
			}
			if strings.Contains(string(answer), " 200 ") {
				t.Errorf("answered %q", answer)
			}
		})
	}
	half := dial(t, inner) // a hello that is never finished
	say(t, half, "\x16\x03\x01\x02\x00\x01")
	next := dial(t, inner)
	say(t, next, "GET / HTTP/1.0\r\n\r\n")
	hear(t, next, "HTTP/1.0 200 OK")
}

func BenchmarkAccept(b *testing.B) {
	for _, name := range []string{"bare", "port"} {
		b.Run(name, func(b *testing.B) {
			var l net.Listener
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			addr := l.Addr().String()
			if name == "port" {
				l = port.Listen(l, port.Options{})
			}
			server := &http.Server{
				Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			}
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(l) }()
			answer := make([]byte, 1000)
			for b.Loop() {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
					b.Fatal(err)
				}
				if _, err := conn.Read(answer); err != nil {
					b.Fatal(err)
				}
				_ = conn.(*net.TCPConn).SetLinger(0) // no port stays taken
				_ = conn.Close()
			}
			_ = server.Close()
			<-ended
		})
	}
}
