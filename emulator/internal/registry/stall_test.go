package registry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/registry"
)

// pipes is a listener whose connections are in memory, so that the time of a bubble is theirs, too.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func TestABodyThatStopsMovingIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		r, err := registry.New(registry.Options{Dir: dir, Default: defaultID, Limits: registry.Limits{MaxUploads: 1}})
		is.NoErr(err)
		listener := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: r}
		go server.Serve(listener)
		send := func(method, path string, length int, parts ...string) (net.Conn, *bufio.Reader) {
			conn := listener.dial()
			_, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", method, path, length)
			is.NoErr(err)
			for _, part := range parts {
				_, err := io.WriteString(conn, part)
				is.NoErr(err)
				<-time.After(59 * time.Second) // slow, but moving
			}
			return conn, bufio.NewReader(conn)
		}
		answer := func(conn net.Conn, in *bufio.Reader) int {
			resp, err := http.ReadResponse(in, nil)
			is.NoErr(err)
			_, err = io.ReadAll(resp.Body)
			is.NoErr(err)
			is.NoErr(conn.Close())
			return resp.StatusCode
		}
		post := "/v2/app/blobs/uploads/?digest=" + digestOf("moving")
		began := time.Now()
		is.Equal(answer(send("POST", post, 6, "m", "o", "v", "i", "n", "g")), 201)
		is.True(time.Since(began) > 5*time.Minute)

		began = time.Now()
		is.Equal(answer(send("POST", post, 6, "m")), 408)
		is.Equal(time.Since(began), time.Minute)
		is.Equal(len(files(t, dir, "uploads")), 0)
		is.Equal(answer(send("PUT", "/v2/app/manifests/v1", 100, "{")), 408)

		// The one slot is free again, and what a stalled chunk has brought may be resumed.
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("POST", "/v2/app/blobs/uploads/", nil))
		is.Equal(w.Code, 202)
		url := w.Header().Get("Location")
		is.Equal(answer(send("PATCH", url, 6, "mov")), 408)
		conn, in := send("GET", url, 0)
		resp, err := http.ReadResponse(in, nil)
		is.NoErr(err)
		is.Equal(resp.Header.Get("Range"), "0-2")
		// A connection that has brought a body may lie idle for longer.
		_, err = fmt.Fprintf(conn, "PUT %s?digest=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ning", url, digestOf("moving"))
		is.NoErr(err)
		resp, err = http.ReadResponse(in, nil)
		is.NoErr(err)
		is.Equal(resp.StatusCode, 201)
		<-time.After(10 * time.Minute)
		_, err = io.WriteString(conn, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
		is.NoErr(err)
		is.Equal(answer(conn, in), 200)
		is.NoErr(server.Close())
		is.NoErr(r.Close())
	})
}
