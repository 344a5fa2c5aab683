package emulator

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
)

// gatewayDomain ends the host names of gateways: <gateway-id>.apigw.localhost.
const gatewayDomain = ".apigw.localhost"

// handler is the one port: a gateway by host name first, then our paths, and what no other route claims goes to the default
// gateway, so that ws://localhost:8080/ws just works.
func (e *Emulator) handler() http.Handler {
	api := e.api()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.requests.enter() {
			http.Error(w, "regcast is stopping", http.StatusServiceUnavailable)
			return
		}
		defer e.requests.leave()
		path := r.URL.Path
		switch id, isGateway := gatewayOf(r.Host); {
		case isGateway:
			e.cloud.ServeGateway(w, r, id)
		case path == "/v2" || strings.HasPrefix(path, "/v2/"):
			e.registry.ServeHTTP(w, r)
		case path == "/_regcast" || strings.HasPrefix(path, "/_regcast/"):
			api.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/gw/"):
			id, _, _ := strings.Cut(path[len("/gw/"):], "/")
			http.StripPrefix("/gw/"+id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				e.cloud.ServeGateway(w, r, id)
			})).ServeHTTP(w, r)
		default:
			e.cloud.ServeGateway(w, r, e.defaults.GatewayID)
		}
	})
}

// gatewayOf returns the gateway id in a host name.
func gatewayOf(hostport string) (id string, ok bool) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.CutSuffix(strings.ToLower(host), gatewayDomain)
}

// requests counts the requests that run, so that the rooms outlive them.
type requests struct {
	mu     sync.Mutex
	n      int
	closed bool
	over   chan struct{} // closed when the last one has left; nil until somebody waits
}

func (r *requests) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.n++
	}
	return !r.closed
}

func (r *requests) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.closed {
		close(r.over)
	}
}

// wait lets nobody in any more and returns when everybody is out, or when ctx ends.
func (r *requests) wait(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed, r.over = true, make(chan struct{})
		if r.n == 0 {
			close(r.over)
		}
	}
	r.mu.Unlock()
	select {
	case <-r.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
