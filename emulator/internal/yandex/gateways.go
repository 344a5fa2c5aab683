package yandex

import (
	"fmt"
	"slices"
	"sync"
)

// gateways are the API gateways there are, by id.
type gateways struct {
	door *door

	mu   sync.RWMutex
	byID map[string]*gatewayHandler
}

// add adds a gateway; an id that is taken is refused.
func (g *gateways) add(id string, spec *Spec) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id == "" || len(id) > 50 {
		return fmt.Errorf("gateway: id %s: want 1 to 50 characters", quote(id))
	}
	if g.byID[id] != nil {
		return fmt.Errorf("gateway: id %s is given twice", id)
	}
	g.byID[id] = &gatewayHandler{id: id, spec: spec, door: g.door}
	return nil
}

// ids lists the ids, sorted.
func (g *gateways) ids() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	ids := make([]string, 0, len(g.byID))
	for id := range g.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// paths lists the path keys of a gateway in the order in which they are tried; false: there is no such gateway.
func (g *gateways) paths(id string) ([]string, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	h := g.byID[id]
	if h == nil {
		return nil, false
	}
	keys := make([]string, len(h.spec.Paths))
	for i, p := range h.spec.Paths {
		keys[i] = p.Key
	}
	return keys, true
}

// handler serves a gateway; nil: there is no such gateway.
func (g *gateways) handler(id string) *gatewayHandler {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.byID[id]
}
