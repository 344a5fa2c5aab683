package yandex

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// NewTransport is a transport for Options.Transport that goes wherever it is told, as the cloud does; bodies come as they are, packed
// or not. Its idle connections are the caller's to close.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableCompression: true, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}
}

// Inward is a transport for Options.Transport that keeps what is meant for regcast's own services within the machine.
type Inward struct {
	// Own tells whether a host, as it stands in a URL, is answered here. Nil: Emulated.
	Own func(host string) bool
	// Address is where regcast listens, "127.0.0.1:8080", in plain HTTP.
	Address func() string
	Next    http.RoundTripper
}

// RoundTrip sends requests to its own hosts to the address, with the host named in the header.
func (t Inward) RoundTrip(r *http.Request) (*http.Response, error) {
	own := t.Own
	if own == nil {
		own = Emulated
	}
	if own(r.URL.Hostname()) {
		host := r.Host
		if host == "" {
			host = r.URL.Host
		}
		r = r.Clone(r.Context())
		r.Host = host
		r.URL = &url.URL{Scheme: "http", Host: t.Address(), Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	}
	return t.Next.RoundTrip(r)
}

// Emulated tells whether a host is one of the cloud's that regcast answers for: gateways, functions, containers and the APIs.
func Emulated(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range []string{"yandexcloud.net", "api.cloud.yandex.net"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}
