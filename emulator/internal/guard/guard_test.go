package guard_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/authority"
	"github.com/regcast/regcast/emulator/internal/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is an emulator's port with a guard in front.
type house struct {
	*guard.Guard
	port *httptest.Server
	env  map[string]string
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "emulator: %s %s%s", r.Method, r.Host, r.URL.Path)
		if function := guard.Function(r.Context()); function != "" {
			fmt.Fprint(w, " for ", function)
		}
	})
	h.port = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.Serve(w, r) {
			answer(w, r)
		}
	}))
	ca, err := authority.Open(authority.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	bundle, _, err := ca.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	h.Guard = guard.New(guard.Options{
		Handler: answer, Proxy: h.port.Listener.Addr().String(), Bundle: func() string { return bundle },
		Certificate: func(host string) *tls.Config { return ca.Server(host, "http/1.1") },
	})
	h.env = h.Env("fn")
	t.Cleanup(func() {
		h.port.CloseClientConnections()
		h.port.Close()
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// client is what a function's HTTP client becomes by its environment.
func (h *house) client(t *testing.T, more ...*x509.Certificate) *http.Client {
	t.Helper()
	proxy, err := url.Parse(h.env["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(h.env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	for _, c := range more {
		roots.AddCert(c)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestCloudsAreAnsweredHere(t *testing.T) {
	h := open(t)
	c := h.client(t)
	for url, want := range map[string]string{
		"https://abc123.execute-api.us-east-1.amazonaws.com/prod/@connections/x": "emulator: GET abc123.execute-api.us-east-1.amazonaws.com/prod/@connections/x",
		"https://apigateway-connections.api.cloud.yandex.net/apigateways":        "emulator: GET apigateway-connections.api.cloud.yandex.net/apigateways",
		"http://169.254.169.254/computeMetadata/v1/":                             "emulator: GET 169.254.169.254/computeMetadata/v1/ for fn",
		"http://sns.eu-west-1.amazonaws.com/":                                    "emulator: GET sns.eu-west-1.amazonaws.com/ for fn",
	} {
		t.Run(url, func(t *testing.T) {
			is := is.New(t)
			status, body := get(t, c, url)
			is.Equal(status, http.StatusOK)
			is.Equal(body, want)
		})
	}
}

func TestTheRestPassesThrough(t *testing.T) {
	is := is.New(t)
	h := open(t)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "outside ", r.URL.Path, r.Header.Get("Proxy-Authorization"))
	})
	secure, plain := httptest.NewTLSServer(answer), httptest.NewServer(answer)
	defer secure.Close()
	defer plain.Close()
	c := h.client(t, secure.Certificate())
	_, body := get(t, c, secure.URL+"/a")
	is.Equal(body, "outside /a")
	_, body = get(t, c, plain.URL+"/b")
	is.Equal(body, "outside /b") // and the secret stays here
	nobody := httptest.NewServer(answer)
	nobody.Close()
	status, body := get(t, c, nobody.URL)
	is.Equal(status, http.StatusBadGateway)
	is.True(strings.HasPrefix(body, "regcast: ")) // says who failed
	_, err := c.Get("https://" + nobody.Listener.Addr().String())
	is.True(err != nil)
	c.CloseIdleConnections()
}

func TestOnlyFunctionsMayUseIt(t *testing.T) {
	is := is.New(t)
	h := open(t)
	proxy, err := url.Parse(h.env["HTTP_PROXY"])
	is.NoErr(err)
	for _, user := range []*url.Userinfo{nil, url.UserPassword("fn", "guess"), url.User("fn")} {
		proxy.User = user
		transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
		c := &http.Client{Transport: transport}
		_, err := c.Get("https://sns.us-east-1.amazonaws.com/")
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "Proxy Authentication Required"))
		if user != nil {
			status, _ := get(t, c, "http://example.invalid/")
			is.Equal(status, http.StatusProxyAuthRequired)
		}
		transport.CloseIdleConnections()
	}
	// A request in absolute form to the port itself is no proxy request.
	_, body := get(t, &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: h.port.Listener.Addr().String()}), DisableKeepAlives: true,
	}}, "http://example.invalid/v2/")
	is.Equal(body, "emulator: GET example.invalid/v2/")
}

// A client may send its first bytes together with CONNECT.
func TestEarlyBytes(t *testing.T) {
	is := is.New(t)
	h := open(t)
	far, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer far.Close()
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		conn, err := far.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	}()
	conn, err := net.Dial("tcp", h.port.Listener.Addr().String())
	is.NoErr(err)
	defer conn.Close()
	proxy, _ := url.Parse(h.env["HTTP_PROXY"])
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: far.Addr().String()}, Host: far.Addr().String(), Header: http.Header{}}
	password, _ := proxy.User.Password()
	req.SetBasicAuth("fn", password)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\nearly", far.Addr(), req.Header.Get("Authorization"))
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req)
	is.NoErr(err)
	is.Equal(resp.StatusCode, http.StatusOK)
	is.NoErr(conn.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(reader)
	is.NoErr(err)
	is.Equal(string(got), "early")
	<-echoed
}

func TestCloseEndsTunnels(t *testing.T) {
	is := is.New(t)
	h := open(t)
	far, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer far.Close()
	conn, err := net.Dial("tcp", h.port.Listener.Addr().String())
	is.NoErr(err)
	defer conn.Close()
	proxy, _ := url.Parse(h.env["HTTP_PROXY"])
	password, _ := proxy.User.Password()
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth("fn", password)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", far.Addr(), req.Header.Get("Authorization"))
	reader := bufio.NewReader(conn)
	_, err = http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	is.NoErr(err)
	is.NoErr(h.Close(t.Context()))
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = reader.ReadByte()
	is.True(err != nil) // and goleak finds nobody who waits
}

func TestCloud(t *testing.T) {
	is := is.New(t)
	for host, want := range map[string]bool{
		"sts.amazonaws.com": true, "SQS.us-east-1.amazonaws.com:443": true, "s3.amazonaws.com.": true, "amazonaws.com": true,
		"notamazonaws.com": false, "amazonaws.com.evil.org": false, "lambda.us-east-1.api.aws": true,
		"d5d.apigw.yandexcloud.net": true, "iam.api.cloud.yandex.net": true, "yandex.ru": false, "169.254.169.254": true,
		"[fd00:ec2::254]:80": true, "hooks.slack.com": false, "127.0.0.1:8080": false, "": false,
	} {
		is.Equal(guard.Cloud(host), want) // see host
	}
}
