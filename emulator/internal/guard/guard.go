// Package guard stands between functions and the real world: what they send to a real cloud is answered by the emulator, never by the
// cloud.
//
// Functions are given it as their HTTP proxy and the emulator's certificate authority as a trusted one. A request to a host of AWS or Yandex Cloud
// goes to Options.Handler as if it had been sent to the emulator; everything else passes through.
package guard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options make a Guard.
type Options struct {
	// Handler answers what is sent to a host of a cloud. The request's Host is that of the cloud.
	Handler http.Handler
	// Certificate returns the server's side of TLS for a host that the client named before it said so itself.
	Certificate func(host string) *tls.Config
	// Bundle returns the file of the certificates that functions trust; it is asked for when there is a function.
	Bundle func() string
	// Proxy is the address, HOST:PORT, whose requests come to Serve.
	Proxy string
}

// Guard is a proxy. Close it.
type Guard struct {
	handler     http.Handler
	certificate func(host string) *tls.Config
	bundle      func() string
	proxy       string
	secret      string

	server *http.Server // for what comes out of the tunnels to a cloud
	calls  *calls
	served sync.WaitGroup
	pass   *http.Transport
	ahead  *httputil.ReverseProxy
	pipes  pipes
}

// New starts a guard.
func New(o Options) *Guard {
	g := &Guard{
		handler: o.Handler, certificate: o.Certificate, bundle: o.Bundle, proxy: o.Proxy, secret: rand.Text(),
		calls: newCalls(),
		pass:  &http.Transport{ForceAttemptHTTP2: true, ResponseHeaderTimeout: 5 * time.Minute}, // and no proxy: it is one
	}
	g.ahead = &httputil.ReverseProxy{
		Transport: g.pass,
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = r.In.URL, r.In.Host },
		ErrorLog:  log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, fmt.Sprintf("regcast: %s: %v", r.URL.Host, err), http.StatusBadGateway)
		},
	}
	g.server = &http.Server{
		Handler: o.Handler, ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
	}
	g.served.Go(func() { _ = g.server.Serve(g.calls) }) // it ends when calls is closed
	return g
}

// Env returns the variables that make a function's HTTP clients come here: Go, curl, Python and the AWS SDKs for them honour all of
// them; Node reads the certificates, and the proxy from version 24 on.
func (g *Guard) Env(function string) map[string]string {
	proxy := (&url.URL{Scheme: "http", User: url.UserPassword(function, g.secret), Host: g.proxy}).String()
	const local = "localhost,127.0.0.1,::1,.localhost"
	bundle := g.bundle()
	return map[string]string{
		"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": local,
		"http_proxy": proxy, "https_proxy": proxy, "no_proxy": local,
		"NODE_USE_ENV_PROXY": "1",
		"SSL_CERT_FILE":      bundle, "AWS_CA_BUNDLE": bundle, "REQUESTS_CA_BUNDLE": bundle, "NODE_EXTRA_CA_CERTS": bundle,
		"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": bundle, // for gRPC in other languages than Go
	}
}

// Serve answers a request that was sent to a proxy. It returns false for any other request.
func (g *Guard) Serve(w http.ResponseWriter, r *http.Request) bool {
	credentials := r.Header.Get("Proxy-Authorization")
	function, ours := g.whose(credentials)
	if r.Method != http.MethodConnect && credentials == "" {
		return false
	}
	if !ours {
		w.Header().Set("Proxy-Authenticate", `Basic realm="regcast"`)
		http.Error(w, "regcast is a proxy for its own functions only", http.StatusProxyAuthRequired)
		return true
	}
	r.Header.Del("Proxy-Authorization")
	switch host := r.URL.Host; {
	case r.Method == http.MethodConnect:
		g.tunnel(w, r)
	case host == "":
		return false
	case Cloud(host):
		r = r.WithContext(context.WithValue(r.Context(), functionKey{}, function))
		r.Host = host
		g.handler.ServeHTTP(w, r)
	default:
		g.ahead.ServeHTTP(w, r)
	}
	return true
}

// whose is the function that has sent credentials; false: they are not of this guard.
func (g *Guard) whose(credentials string) (function string, ours bool) {
	encoded, ok := strings.CutPrefix(credentials, "Basic ")
	if !ok {
		return "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", false
	}
	function, secret, _ := strings.Cut(string(decoded), ":")
	return function, subtle.ConstantTimeCompare([]byte(secret), []byte(g.secret)) == 1
}

type functionKey struct{}

// Function is the name of the function that has sent the request of a context in the clear, to a cloud's host; empty when it is not known.
func Function(ctx context.Context) string {
	function, _ := ctx.Value(functionKey{}).(string)
	return function
}

// tunnel connects the client with the host that it asks for: with the emulator when that is a cloud's.
func (g *Guard) tunnel(w http.ResponseWriter, r *http.Request) {
	target := r.URL.Host
	if target == "" {
		target = r.Host
	}
	var far net.Conn
	if !Cloud(target) {
		var err error
		var dialer net.Dialer
		if far, err = dialer.DialContext(r.Context(), "tcp", target); err != nil {
			http.Error(w, fmt.Sprintf("regcast: %v", err), http.StatusBadGateway)
			return
		}
	}
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if far != nil {
			_ = far.Close()
		}
		http.Error(w, "regcast: a tunnel needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	_ = near.SetDeadline(time.Time{})
	if n := buffered.Reader.Buffered(); n > 0 { // a client that did not wait for the answer
		early, _ := buffered.Peek(n)
		near = &begun{Conn: near, early: early}
	}
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = near.Close()
		if far != nil {
			_ = far.Close()
		}
		return
	}
	if far != nil {
		g.pipes.join(near, far)
		return
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		host = target
	}
	g.calls.put(tls.Server(near, g.certificate(host)))
}

// Close ends every tunnel; requests that run to the emulator are waited for until ctx ends.
func (g *Guard) Close(ctx context.Context) error {
	err := g.server.Shutdown(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil // waiting no longer is what was asked for
	}
	err = errors.Join(err, g.server.Close())
	_ = g.calls.Close()
	g.pipes.close()
	g.pass.CloseIdleConnections()
	g.served.Wait()
	return err
}
