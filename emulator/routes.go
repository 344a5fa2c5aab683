package emulator

import (
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/guard"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

// gatewayDomain ends the host names of gateways: <gateway-id>.apigw.localhost.
const gatewayDomain = ".apigw.localhost"

// handler is the one port. What functions call comes first: it is answered as long as there are functions, while everything else is
// turned away once regcast is stopping.
func (e *Emulator) handler() http.Handler {
	api := e.api()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.guard != nil && e.guard.Serve(w, r) {
			return
		}
		if called := e.called(r); called != nil {
			serve(&e.calls, e.passAPI(r, called), w, r)
			return
		}
		serve(&e.requests, e.asked(api, r), w, r)
	})
}

func serve(door *requests, h http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	if !door.enter() {
		http.Error(w, "regcast is stopping", http.StatusServiceUnavailable)
		return
	}
	defer door.leave()
	h(w, r)
}

// called finds who answers a request to a service that functions use, by its headers, its path or the cloud's host name; nil when it
// is none.
func (e *Emulator) called(r *http.Request) http.HandlerFunc {
	path, target := r.URL.Path, r.Header.Get("X-Amz-Target")
	if _, isGateway := e.gatewayOf(r.Host); isGateway {
		return nil
	}
	switch {
	case strings.HasPrefix(target, aws.TablesTarget):
		if e.aws != nil {
			return e.aws.Tables(e.tables).ServeHTTP
		}
		return e.tables.ServeHTTP
	case strings.HasPrefix(target, aws.SQSTarget):
		if e.aws != nil {
			return e.aws.Queues(e.sqs).ServeHTTP
		}
		return e.sqs.ServeHTTP
	case e.stack != nil && strings.HasPrefix(path, aws.LambdaPath):
		return e.aws.Functions(e.stack.Lambda()).ServeHTTP
	case strings.HasPrefix(path, "/apigateways/websocket/"):
		return e.cloud.ServeConnections
	case strings.HasPrefix(path, "/computeMetadata/"):
		return e.serveMetadata
	case e.control.Claims(r):
		return e.control.ServeHTTP
	case strings.HasPrefix(path, yandex.FunctionsPath) && e.control.HasFunctions():
		return e.cloud.ServeFunctions
	case strings.HasPrefix(path, yandex.ContainersPath) && e.control.HasContainers():
		return e.cloud.ServeContainers
	case hostOf(r) == "functions.yandexcloud.net":
		return func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path = yandex.FunctionsPath + strings.TrimPrefix(r.URL.Path, "/")
			e.cloud.ServeFunctions(w, r)
		}
	case e.aws != nil && e.aws.Claims(r):
		return func(w http.ResponseWriter, r *http.Request) { e.aws.ServeAPI(w, r) }
	}
	service, signed := aws.SignedService(r)
	if signed && service == "sqs" || !signed && e.sqs.IsQuery(r) {
		service, signed = "sqs Query protocol; use an SDK that speaks SQS's JSON protocol", true
	}
	if !signed && guard.Cloud(r.Host) {
		service, signed = hostOf(r), true
	}
	if signed {
		return func(w http.ResponseWriter, r *http.Request) { e.notEmulated(w, r, service) }
	}
	return nil
}

// asked finds who answers a request from outside: a gateway by host name first, then our paths, and what no other route claims goes to
// the default gateway, so that ws://localhost:8080/ws just works.
func (e *Emulator) asked(api http.Handler, r *http.Request) http.HandlerFunc {
	path := r.URL.Path
	if id, isGateway := e.gatewayOf(r.Host); isGateway {
		return e.gatewayHandler(id)
	}
	switch {
	case path == "/v2" || strings.HasPrefix(path, "/v2/"):
		return e.passRegistry(e.registry.ServeHTTP)
	case path == "/_regcast" || strings.HasPrefix(path, "/_regcast/"):
		return api.ServeHTTP
	case strings.HasPrefix(path, "/gw/"):
		id, _, _ := strings.Cut(path[len("/gw/"):], "/")
		return http.StripPrefix("/gw/"+id, e.gatewayHandler(id)).ServeHTTP
	}
	return e.gatewayHandler(e.defaults.GatewayID)
}

func (e *Emulator) gatewayHandler(id string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { e.cloud.ServeGateway(w, r, id) }
}

// notEmulated answers a request to a service of a cloud that regcast does not have, so that SDKs say it loud.
func (e *Emulator) notEmulated(w http.ResponseWriter, r *http.Request, service string) {
	what := service
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		what += ": " + target
	}
	text := fmt.Sprintf("not emulated: %s (%s %s%s); regcast is at http://%s and keeps functions away from the real cloud",
		what, r.Method, r.Host, r.URL.Path, e.local())
	e.warn(text)
	const code = "NotEmulated"
	var inXML any
	switch {
	case service == "s3":
		inXML = struct {
			XMLName       xml.Name `xml:"Error"`
			Code, Message string
		}{Code: code, Message: text}
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.URL.Query().Has("Action"): // SNS, STS and their like
		inXML = struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Type, Code, Message string }
		}{Error: struct{ Type, Code, Message string }{"Receiver", code, text}}
	default:
		w.Header().Set("X-Amzn-Errortype", code)
		answer(w, http.StatusNotImplemented, map[string]any{"__type": code, "code": 12, "message": text}) // 12: gRPC's for Yandex Cloud
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(http.StatusNotImplemented)
	_ = xml.NewEncoder(w).Encode(inXML) // the client has gone
}

// gatewayOf returns the gateway of a host: the id in its name, or the one that a client has attached the domain to.
func (e *Emulator) gatewayOf(hostport string) (id string, ok bool) {
	if id, ok = strings.CutSuffix(strings.ToLower(withoutPort(hostport)), gatewayDomain); ok {
		return id, true
	}
	return e.control.GatewayFor(hostport)
}

func hostOf(r *http.Request) string { return withoutPort(r.Host) }

func withoutPort(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport
	}
	return host
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
