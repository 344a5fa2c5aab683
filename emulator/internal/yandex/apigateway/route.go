package apigateway

import (
	"net"
	"strings"
	"sync"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/apigateway/v1"
)

// routes is what each request asks of the gateways' resources: by which host it came, and where its log goes.
type routes struct {
	mu       sync.RWMutex
	gateways map[string]*pb.ApiGateway // by id; never changed
	hosts    map[string]string         // attached domain, perhaps with a leading "*.", to the gateway's id
}

// set enters a gateway; nobody else may change it from then on.
func (r *routes) set(g *pb.ApiGateway) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(g.Id)
	if r.gateways == nil {
		r.gateways, r.hosts = make(map[string]*pb.ApiGateway), make(map[string]string)
	}
	r.gateways[g.Id] = g
	for _, d := range g.AttachedDomains {
		r.hosts[d.Domain] = g.Id
	}
}

func (r *routes) remove(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(id)
}

func (r *routes) drop(id string) {
	for _, d := range r.gateways[id].GetAttachedDomains() {
		delete(r.hosts, d.Domain)
	}
	delete(r.gateways, id)
}

func (r *routes) owner(domain string) (gatewayID string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	gatewayID, ok = r.hosts[domain]
	return gatewayID, ok
}

// GatewayFor finds the gateway that has a request's host, with or without a port, for an attached domain. A domain with a wildcard has
// all hosts below it; of several, the longest.
func (s *Service) GatewayFor(host string) (gatewayID string, ok bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	r := &s.routes
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.hosts) == 0 {
		return "", false
	}
	if gatewayID, ok = r.hosts[host]; ok {
		return gatewayID, true
	}
	for {
		if _, host, ok = strings.Cut(host, "."); !ok {
			return "", false
		}
		if gatewayID, ok = r.hosts["*."+host]; ok {
			return gatewayID, true
		}
	}
}

// LogGroupFor says to which log group an entry of a gateway's log goes, by the gateway's log options; false: it is not to be written.
// The level is one of TRACE, DEBUG, INFO, WARN, ERROR and FATAL.
func (s *Service) LogGroupFor(gatewayID, level string) (groupID string, ok bool) {
	s.routes.mu.RLock()
	g := s.routes.gateways[gatewayID]
	s.routes.mu.RUnlock()
	if g == nil {
		return "", false
	}
	o := g.LogOptions
	if o.GetDisabled() || logging.LogLevel_Level(logging.LogLevel_Level_value[level]) < o.GetMinLevel() {
		return "", false
	}
	switch to := o.GetDestination().(type) {
	case *pb.LogOptions_LogGroupId:
		return to.LogGroupId, true
	case *pb.LogOptions_FolderId:
		return s.o.LogGroup(to.FolderId), true
	}
	return s.o.LogGroup(g.FolderId), true
}
