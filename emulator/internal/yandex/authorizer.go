package yandex

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Authorizer is a security scheme that guards operations.
type Authorizer struct {
	Scheme   string    // its name
	Function *Function // that decides; nil: the scheme is of a kind that is not emulated

	credentials Parameter // where the client must have put something
}

// scheme names the first scheme of a security list. An empty requirement ({}) lets everybody in.
func (o object) scheme() string {
	name := ""
	for _, item := range o.get("security").items() {
		schemes := item.members()
		if len(schemes) == 0 {
			return ""
		}
		name = cmp.Or(name, schemes[0].key)
	}
	return name
}

// authorizer reads the scheme of that name; nil when there is no name.
func (r specReader) authorizer(name string) *Authorizer {
	if name == "" {
		return nil
	}
	a := &Authorizer{Scheme: name}
	scheme := r.follow(r.root.get("components").open().get("securitySchemes").open().get(name)).open()
	extension := r.follow(scheme.get(authorizerKey)).open()
	if extension.get("type").text() != "function" {
		return a
	}
	switch scheme.get("type").text() {
	case "http":
		a.credentials = Parameter{Name: "Authorization", In: "header"}
	case "apiKey":
		places := []string{"header", "query", "cookie"}
		a.credentials = Parameter{Name: scheme.get("name").required("a name").text(), In: scheme.get("in").required(oneOf(places)).text()}
	default:
		return a
	}
	a.Function = r.function(extension)
	if ttl := extension.get("authorizer_result_ttl_in_seconds"); ttl.given() {
		ttl.warn("not emulated: caching of an authorizer's answers; the function is called each time")
	}
	return a
}

// warn says of what it guards that nobody gets there.
func (a *Authorizer) warn(f field) {
	if a != nil && a.Function == nil {
		f.warn("not emulated: the authorizer %s; every request is answered 501", a.Scheme)
	}
}

// authorize asks the authorizer about a call. It returns what the functions that are called next get to know of it, or the answer
// with which the call is refused; an error says why the function decided nothing.
func (d *door) authorize(ctx context.Context, a *Authorizer, c call) (told map[string]any, refused *answer, err error) {
	refuse := func(status int, text string) *answer {
		no := failed(status, text)
		return &no
	}
	switch {
	case a == nil:
		return nil, nil, nil
	case a.Function == nil:
		return nil, refuse(http.StatusNotImplemented, "not emulated: the authorizer "+a.Scheme), nil
	}
	if values := c.values(a.credentials); len(values) == 0 || values[0] == "" {
		return nil, refuse(http.StatusUnauthorized, fmt.Sprintf("Unauthorized: no %s %s", a.credentials.In, a.credentials.Name)), nil
	}
	c.function = a.Function
	allowed, told, err := d.ask(ctx, c)
	switch {
	case err != nil:
		err = fmt.Errorf("the authorizer %s: the function %s failed: %w", a.Scheme, a.Function.ID, err)
		return nil, refuse(http.StatusInternalServerError, clip(err.Error())), err
	case !allowed:
		return nil, refuse(http.StatusForbidden, "Forbidden"), nil
	}
	return told, nil, nil
}

// ask calls the function of an authorizer.
func (d *door) ask(ctx context.Context, c call) (allowed bool, told map[string]any, err error) {
	if c.id, c.trace, err = d.mint.request(); err != nil { // its own: it is another call
		return false, nil, err
	}
	out, err := d.invoke(ctx, c, c.question(d.clock.Now()))
	if err != nil {
		return false, nil, err
	}
	var says *struct {
		IsAuthorized *bool          `json:"isAuthorized"`
		Context      map[string]any `json:"context"`
	}
	if err := json.Unmarshal(out, &says); err != nil {
		return false, nil, fmt.Errorf(`want {"isAuthorized": true or false, "context": {…}}: %w`, err)
	}
	if says == nil || says.IsAuthorized == nil {
		return false, nil, errors.New(`want {"isAuthorized": true or false, "context": {…}}: there is no isAuthorized`)
	}
	return *says.IsAuthorized, says.Context, nil
}
