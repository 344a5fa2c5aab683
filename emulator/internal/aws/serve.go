package aws

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Host names of APIs: {api}.execute-api.localhost here, {api}.execute-api.{region}.amazonaws.com in the cloud.
const (
	hostInfix = ".execute-api."
	hostLocal = "localhost"
	// hostSuffix follows the region.
	hostSuffix = ".amazonaws.com"
)

// connectionsPath begins the part of a path that names a connection.
const connectionsPath = "@connections"

// target is what a request to an API is for.
type target struct {
	api   *api   // nil: the host names one that there is not, or the path names a connection of whichever API
	stage string // empty: none is named
	rest  []string
}

// ServeAPI serves a request to a WebSocket API or to its @connections, and says whether it was one. An API is named by the host, or by
// the first segment of the path, or by nothing when there is only one; the next segment is the stage.
func (c *Cloud) ServeAPI(w http.ResponseWriter, r *http.Request) bool {
	t, ours := c.locate(r)
	if !ours {
		return false
	}
	c.mu.RLock()
	closing := c.closing
	c.mu.RUnlock()
	if closing {
		http.Error(w, "regcast is stopping", http.StatusServiceUnavailable)
		return true
	}
	var stage template.Stage
	if t.stage != "" {
		var known bool
		if stage, known = t.api.stages[t.stage]; !known {
			c.forbid(w, r, "there is no stage "+t.stage)
			return true
		}
	}
	switch {
	case len(t.rest) == 2 && t.rest[0] == connectionsPath:
		c.manage(w, r, t.api, t.stage, t.rest[1])
	case t.stage != "" && (len(t.rest) == 0 || len(t.rest) == 1 && t.rest[0] == ""):
		c.connect(w, r, t.api, stage)
	default:
		c.forbid(w, r, "a WebSocket API has nothing at "+r.URL.Path+"; want /{stage}, or /{stage}/@connections/{id}")
	}
	return true
}

// locate reads the host and the path as they were sent, because ids may be escaped.
func (c *Cloud) locate(r *http.Request) (t target, ours bool) {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, s := range segments {
		if plain, err := url.PathUnescape(s); err == nil {
			segments[i] = plain
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if id, ok := apiOf(r.Host); ok {
		if a := c.apis[id]; a != nil {
			return stageOf(a, segments), true
		}
		return t, true
	}
	if a := c.apis[segments[0]]; a != nil {
		return stageOf(a, segments[1:]), true
	}
	if len(c.apis) == 0 {
		return t, false
	}
	if len(c.apis) > 1 {
		return target{rest: segments}, segments[0] == connectionsPath
	}
	for _, a := range c.apis {
		_, known := a.stages[segments[0]]
		if known || segments[0] == connectionsPath || len(segments) > 1 && segments[1] == connectionsPath {
			return stageOf(a, segments), true
		}
	}
	return t, false
}

func stageOf(a *api, segments []string) target {
	if len(segments) == 0 || segments[0] == connectionsPath {
		return target{api: a, rest: segments}
	}
	return target{api: a, stage: segments[0], rest: segments[1:]}
}

// apiOf returns the API id in a host name.
func apiOf(hostport string) (id string, ok bool) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	id, domain, ok := strings.Cut(strings.ToLower(host), hostInfix)
	return id, ok && (domain == hostLocal || strings.HasSuffix(strings.TrimSuffix(domain, ".cn"), hostSuffix))
}

// forbid is the answer where there is nothing.
func (c *Cloud) forbid(w http.ResponseWriter, r *http.Request, why string) {
	c.fail(w, r, http.StatusForbidden, "ForbiddenException", map[string]string{"message": textForbidden})
	c.note(StepRefused, "", r.Method+" "+r.URL.Path+" was refused with 403: "+why, map[string]any{"status": http.StatusForbidden})
}
