package yandex

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authorizer is a security scheme that guards operations, as one of them asks for it.
type Authorizer struct {
	Scheme string   // its name
	Scopes []string // that the operation wants
	// What decides; if both are nil, the scheme is of a kind that is not emulated.
	Function *Function
	JWT      *JWT
	// TTL is for how long a decision holds; 0: for one request. It holds for the same credentials, method and path key, or path.
	TTL   time.Duration
	ByURI bool

	credentials Parameter // where the client must have put something
	decided     *cache[decision]
}

// decision is what an authorizer says of a call.
type decision struct {
	told    map[string]any // what the integration gets to know of it
	refused *answer        // nil: the call goes on
}

// scheme names the first scheme of a security list and the scopes that it wants. An empty requirement ({}) lets everybody in.
func (o object) scheme() (name string, scopes []string) {
	for _, item := range o.get("security").items() {
		schemes := item.members()
		if len(schemes) == 0 {
			return "", nil
		}
		if name == "" {
			name, scopes = schemes[0].key, schemes[0].texts()
		}
	}
	return name, scopes
}

// authorizer reads the scheme of that name; nil when there is no name.
func (r specReader) authorizer(name string, scopes []string) *Authorizer {
	if name == "" {
		return nil
	}
	a := &Authorizer{Scheme: name, Scopes: scopes, decided: &cache[decision]{}}
	scheme := r.follow(r.below("components", "securitySchemes", name)).open()
	extension := r.follow(scheme.get(authorizerKey)).open()
	switch extension.get("type").text() {
	case "jwt":
		a.JWT = parseJWT(scheme, extension)
		a.credentials = a.JWT.Source
	case "function":
		places := []string{"header", "query", "cookie"}
		switch scheme.get("type").text() {
		case "http":
			a.credentials = Parameter{Name: "Authorization", In: "header"}
		case "apiKey":
			a.credentials = Parameter{Name: scheme.get("name").required("a name").text(), In: scheme.get("in").required(oneOf(places)).text()}
		default:
			return a
		}
		a.Function = r.function(extension)
	default:
		return a
	}
	a.TTL = extension.get("authorizer_result_ttl_in_seconds").ttl()
	switch mode := extension.get("authorizer_result_caching_mode"); strings.ToLower(mode.text()) {
	case "", "path":
	case "uri":
		a.ByURI = true
	default:
		mode.refuse("got %s, want path or uri", mode.got())
	}
	return a
}

// ttl reads a whole number of seconds.
func (f field) ttl() time.Duration {
	if !f.given() {
		return 0
	}
	const longest = 365 * 24 * 60 * 60
	return time.Duration(f.number(0, longest)) * time.Second
}

// emulated tells whether there is something that decides.
func (a *Authorizer) emulated() bool { return a.Function != nil || a.JWT != nil }

// warn says of what it guards that nobody gets there.
func (a *Authorizer) warn(f field) {
	if a != nil && !a.emulated() {
		f.warn("not emulated: the authorizer %s; every request is answered 501", a.Scheme)
	}
}

// refuse is the decision against a call.
func refuse(status int, text string) decision {
	no := failed(status, text)
	return decision{refused: &no}
}

// authorize asks the authorizer about a call. An error says why nothing was decided; the call is then refused.
func (d *door) authorize(ctx context.Context, a *Authorizer, c call) (decision, error) {
	switch {
	case a == nil:
		return decision{}, nil
	case !a.emulated():
		return refuse(http.StatusNotImplemented, "not emulated: the authorizer "+a.Scheme), nil
	}
	credentials := ""
	if values := c.values(a.credentials); len(values) > 0 {
		credentials = values[0]
	}
	if credentials == "" {
		return refuse(http.StatusUnauthorized, fmt.Sprintf("Unauthorized: no %s %s", a.credentials.In, a.credentials.Name)), nil
	}
	path := c.resource
	if a.ByURI {
		path = c.pathOnly()
	}
	key := fmt.Sprintf("%s %s %x", c.method, path, sha256.Sum256([]byte(credentials)))
	if found, ok := a.decided.get(key, d.clock.Now()); ok {
		return found, nil
	}
	var says decision
	var err error
	if a.JWT != nil {
		says, err = d.judge(ctx, a, credentials)
	} else {
		c.function = a.Function
		if says, err = d.ask(ctx, c); err != nil {
			err = fmt.Errorf("the function %s failed: %w", a.Function.ID, err)
		}
	}
	if err != nil {
		err = fmt.Errorf("the authorizer %s: %w", a.Scheme, err)
		return refuse(http.StatusInternalServerError, clip(err.Error())), err
	}
	a.decided.put(key, says, d.clock.Now(), a.TTL)
	return says, nil
}

// ask calls the function of an authorizer.
func (d *door) ask(ctx context.Context, c call) (decision, error) {
	var err error
	if c.id, c.trace, err = d.mint.request(); err != nil { // its own: it is another call
		return decision{}, err
	}
	out, err := d.invoke(ctx, c, c.question(d.clock.Now()))
	if err != nil {
		return decision{}, err
	}
	var says *struct {
		IsAuthorized *bool          `json:"isAuthorized"`
		Context      map[string]any `json:"context"`
	}
	if err := json.Unmarshal(out, &says); err != nil {
		return decision{}, fmt.Errorf(`want {"isAuthorized": true or false, "context": {…}}: %w`, err)
	}
	if says == nil || says.IsAuthorized == nil {
		return decision{}, errors.New(`want {"isAuthorized": true or false, "context": {…}}: there is no isAuthorized`)
	}
	if !*says.IsAuthorized {
		return refuse(http.StatusForbidden, "Forbidden"), nil
	}
	return decision{told: says.Context}, nil
}
