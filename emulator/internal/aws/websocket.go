package aws

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Routes with a meaning of their own.
const (
	routeConnect    = "$connect"
	routeDisconnect = "$disconnect"
	routeDefault    = "$default"
)

// integrationTimeout is how long a function has to answer unless its route says otherwise.
const integrationTimeout = 29 * time.Second

// api is a WebSocket API.
type api struct {
	info      APIInfo
	id, arn   string
	selection selection
	stages    map[string]template.Stage
	routes    map[string]*route // by key
}

// route is a route with what its functions are called.
type route struct {
	template.Route
	function   string // empty: the integration is not emulated
	authorizer *authorizer
}

// absence says why a route calls nothing.
func (r *route) absence() string {
	switch r.Integration {
	case "":
		return "the route has no target"
	case "AWS_PROXY":
		return "not emulated: functions that are not in the template"
	}
	return "not emulated: " + r.Integration + " integration"
}

// newAPI reads an API and names everything that is wrong with it at once.
func newAPI(arn string, t template.API, function func(logicalID string) string) (_ *api, warnings []string, err error) {
	a := &api{
		info: APIInfo{ID: t.ID, Name: t.Name}, id: t.ID, arn: arn,
		stages: make(map[string]template.Stage), routes: make(map[string]*route),
	}
	var problems []error
	wrong := func(at template.Place, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", place(at), fmt.Sprintf(format, args...)))
	}
	if a.selection, err = parseSelection(t.RouteSelection); err != nil {
		wrong(t.At, "the route selection expression of %s: %v", t.LogicalID, err)
	}
	for _, s := range t.Stages {
		a.stages[s.Name] = s
		a.info.Stages = append(a.info.Stages, s.Name)
	}
	for _, r := range t.Routes {
		out := &route{Route: r}
		out.Timeout = cmp.Or(r.Timeout, integrationTimeout)
		if r.Function != "" { // otherwise the template's notices say why
			if out.function = function(r.Function); out.function == "" {
				wrong(r.At, "the route %s of %s: there is no function %s", r.Key, t.LogicalID, r.Function)
			}
		}
		if r.Authorizer != nil {
			if out.authorizer, err = newAuthorizer(*r.Authorizer, function); err != nil {
				wrong(r.At, "the authorizer %s of %s: %v", r.Authorizer.Name, t.LogicalID, err)
			}
		}
		if r.APIKey {
			warnings = append(warnings, fmt.Sprintf("%s: not emulated: API keys; the route %s of %s takes any x-api-key", place(r.At), r.Key, t.LogicalID))
		}
		if a.routes[r.Key] != nil {
			wrong(r.At, "%s has the route %s twice", t.LogicalID, r.Key)
		}
		a.routes[r.Key] = out
		a.info.Routes = append(a.info.Routes, r.Key)
	}
	return a, warnings, errors.Join(problems...)
}

func (a *api) has(key string) bool { return a.routes[key] != nil }
