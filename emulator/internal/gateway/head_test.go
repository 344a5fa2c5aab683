package gateway_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// names serves requests on a listener that keeps heads, and tells what SentNames said of each.
func names(t *testing.T, l net.Listener) <-chan map[string]string {
	t.Helper()
	told := make(chan map[string]string, 10)
	server := &http.Server{
		ConnContext: gateway.KeepHead,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			told <- gateway.SentNames(r)
		}),
	}
	done := make(chan error)
	go func() { done <- server.Serve(gateway.KeepHeads(l)) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return told
}

func TestSentNames(t *testing.T) {
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	told := names(t, l)
	nc, err := net.Dial("tcp", l.Addr().String())
	is.NoErr(err)
	defer nc.Close()
	first := "GET / HTTP/1.1\r\nhost: h\r\nSEC-websocket-KEY: k\r\nx-Mine: a:b\r\nX-mine: c\r\n\r\n"
	for _, piece := range []string{first[:20], first[20 : len(first)-3], first[len(first)-3:]} {
		_, err = io.WriteString(nc, piece)
		is.NoErr(err)
	}
	is.Equal(<-told, map[string]string{"Host": "host", "Sec-Websocket-Key": "SEC-websocket-KEY", "X-Mine": "x-Mine"})

	_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nhost: h\r\nsec-websocket-key: other\r\n\r\n")
	is.NoErr(err)
	is.Equal(len(<-told), 0) // a later request of the connection: its spelling is not known
}

func TestAHeadThatIsTooBigIsNotKept(t *testing.T) {
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	told := names(t, l)
	nc, err := net.Dial("tcp", l.Addr().String())
	is.NoErr(err)
	defer nc.Close()
	_, err = io.WriteString(nc, "GET / HTTP/1.1\r\nhost: h\r\nx: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")
	is.NoErr(err)
	is.Equal(len(<-told), 0)
}

func TestWithoutAListenerThatKeepsHeads(t *testing.T) {
	is := is.New(t)
	r, err := http.NewRequest("GET", "/", nil)
	is.NoErr(err)
	is.Equal(len(gateway.SentNames(r)), 0)
}
