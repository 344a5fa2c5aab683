package emulator

import (
	"net"
	"net/http"
	"strings"
)

// gatewayDomain ends the host names of gateways: <gateway-id>.apigw.localhost.
const gatewayDomain = ".apigw.localhost"

// handler is the one port: a gateway by host name first, then our paths, and what no other route claims goes to the default
// gateway, so that ws://localhost:8080/ws just works.
func (e *Emulator) handler() http.Handler {
	api := e.api()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
