package yandex

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/gateway"
)

// GatewayDefinition is a gateway as it is declared.
type GatewayDefinition struct {
	ID        string
	File      string // what messages call the specification
	Spec      []byte // YAML or JSON
	Variables map[string]string
	// Stopped lets nobody in and closes the sockets.
	Stopped bool
	// ExecutionTimeout bounds a call to an integration; 0: 5 minutes.
	ExecutionTimeout time.Duration
	Canary           *Canary // nil: all requests have the same variables
}

const executionTimeout = 5 * time.Minute

// ErrNoGateway is what is wrong with an id that no gateway has.
var ErrNoGateway = errors.New("yandex: no such gateway")

// SetGateway adds a gateway or changes the one of that id at once, for all requests and messages that come from now on; those
// that are under way end as they began. Sockets whose path key the new specification has too stay open and follow it; the others
// are closed with 1001, as are all of a gateway that is stopped, and their disconnect operation is still the old one.
// The error of a bad specification is a *FileError.
func (c *Cloud) SetGateway(g GatewayDefinition) error {
	spec, canary, err := parseReleases(g)
	if err != nil {
		return err
	}
	h, err := c.gateways.set(g, spec, canary)
	if err != nil {
		return fmt.Errorf("%s: %w", g.File, err)
	}
	c.gateways.door.closeUnserved(h)
	for _, w := range spec.Warnings {
		c.warn(w)
	}
	for _, f := range allFunctions(spec, canary) {
		c.warnOf(f)
	}
	return nil
}

// warnOf tells of a function that is not there, or not as it is asked for.
func (c *Cloud) warnOf(f *Function) {
	functions := c.gateways.door.functions
	if !functions.has(f.ID) {
		c.warn(fmt.Sprintf("%v: %s; every call fails", f.at, functions.missing(f.ID)))
		return
	}
	switch {
	case f.Tag == "" || f.Tag == latest || strings.Contains(f.Tag, "{"):
	case functions.resolve == nil:
		c.warn(fmt.Sprintf("%v: not emulated: tags of versions; %s is called", f.tagAt, latest))
	default:
		if _, _, err := functions.version(f.ID, f.Tag); err != nil {
			c.warn(fmt.Sprintf("%v: %v; every call fails", f.tagAt, err))
		}
	}
}

// RemoveGateway removes a gateway and closes its sockets with 1001. The error is ErrNoGateway.
func (c *Cloud) RemoveGateway(id string) error {
	h := c.gateways.remove(id)
	if h == nil {
		return fmt.Errorf("gateway %s: %w", quote(id), ErrNoGateway)
	}
	c.gateways.door.closeUnserved(h)
	return nil
}

// GatewayPaths lists the path keys of a gateway in the order in which they are tried; false: there is no such gateway.
func (c *Cloud) GatewayPaths(id string) ([]string, bool) { return c.gateways.paths(id) }

// CheckSpec reads a specification as SetGateway does and changes nothing. The error is a *FileError.
func CheckSpec(file string, data []byte, variables map[string]string) (warnings []string, err error) {
	spec, err := parse(file, data, variables)
	if err != nil {
		return nil, err
	}
	return spec.Warnings, nil
}

// gateways are the API gateways there are, by id.
type gateways struct {
	door *door

	mu   sync.RWMutex
	byID map[string]*gatewayHandler
}

// gatewayHandler serves one gateway.
type gatewayHandler struct {
	id    string
	door  *door
	state atomic.Pointer[gatewayState] // never nil

	requests atomic.Uint64 // that a canary could have had
}

// gatewayState is what a gateway is between two changes.
type gatewayState struct {
	spec    *Spec
	canary  *Spec  // nil: there is none
	weight  uint64 // of the canary, in percent
	stopped bool
	gone    bool // removed
	timeout time.Duration
}

// set adds or changes a gateway.
func (g *gateways) set(def GatewayDefinition, spec, canary *Spec) (*gatewayHandler, error) {
	if def.ID == "" || len(def.ID) > 50 {
		return nil, fmt.Errorf("gateway: id %s: want 1 to 50 characters", quote(def.ID))
	}
	state := &gatewayState{spec: spec, stopped: def.Stopped, timeout: def.ExecutionTimeout}
	if canary != nil {
		if def.Canary.Weight < 1 || def.Canary.Weight > 99 {
			return nil, fmt.Errorf("gateway: canary: weight %d: want 1 to 99 percent", def.Canary.Weight)
		}
		state.canary, state.weight = canary, uint64(def.Canary.Weight)
	}
	if state.timeout <= 0 {
		state.timeout = executionTimeout
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.byID[def.ID]
	if h == nil {
		h = &gatewayHandler{id: def.ID, door: g.door}
		g.byID[def.ID] = h
	}
	h.state.Store(state)
	return h, nil
}

// remove takes a gateway away; nil: there is none.
func (g *gateways) remove(id string) *gatewayHandler {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.byID[id]
	if h == nil {
		return nil
	}
	delete(g.byID, id)
	h.state.Store(&gatewayState{spec: &Spec{}, gone: true, timeout: executionTimeout})
	return h
}

// closeUnserved closes the sockets of a gateway whose path takes none any more.
func (d *door) closeUnserved(h *gatewayHandler) {
	for _, info := range d.sockets.List() {
		id, path, _ := strings.Cut(info.Path, "/")
		if id == h.id && h.state.Load().socketPath("/"+path, stableRelease) == nil {
			d.leave(info.ID)
		}
	}
}

// leave closes a socket whose gateway no longer serves it. One that has gone by itself is closed already.
func (d *door) leave(id string) {
	const goingAway = 1001
	_ = d.sockets.Drop(id, goingAway, "", gateway.ByGateway)
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
	h := g.handler(id)
	if h == nil {
		return nil, false
	}
	spec := h.state.Load().spec
	keys := make([]string, len(spec.Paths))
	for i, p := range spec.Paths {
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
