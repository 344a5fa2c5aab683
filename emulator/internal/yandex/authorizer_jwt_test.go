package yandex_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/events"
)

const jwtSpec = `openapi: 3.0.0
paths:
  /header/{id}:
    parameters: [{name: id, in: path}]
    get: &function
      security: [{header: ['profile:read', 'profile:write']}]
      x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}
  /query: {get: {security: [{query: []}], x-yc-apigateway-integration: {type: dummy, content: {'*': in}}}}
  /ws:
    x-yc-apigateway-websocket-connect: {security: [{cookie: []}], x-yc-apigateway-integration: {type: dummy}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}
  /http: {get: {security: [{query: []}], x-yc-apigateway-integration: {type: http, url: 'http://upstream.example/'}}}
components:
  securitySchemes:
    header:
      type: openIdConnect
      openIdConnectUrl: https://issuer.example/unused
      x-yc-apigateway-authorizer:
        type: jwt
        jwksUri: https://issuer.example/keys
        identitySource: {in: header, name: Authorization, prefix: 'Bearer '}
        issuers: [https://issuer.example, https://other.example]
        audiences: [one, two]
        requiredClaims: [role, email]
    query:
      type: openIdConnect
      openIdConnectUrl: https://issuer.example/configuration
      x-yc-apigateway-authorizer: &kept {type: jwt, jwkTtlInSeconds: 60, identitySource: {in: query, name: token}}
    cookie:
      type: openIdConnect
      openIdConnectUrl: https://issuer.example/configuration
      x-yc-apigateway-authorizer: {type: jwt, identitySource: {in: cookie, name: token}}
`

// issuer signs tokens and shows its keys to the cloud: it is the transport of the house.
type issuer struct {
	t     *testing.T
	keys  map[string]crypto.Signer // by id
	paths chan string              // that were asked for
	fails bool
	says  map[string]string // instead of what belongs at a path
}

func newIssuer(t *testing.T) *issuer {
	return &issuer{t: t, keys: make(map[string]crypto.Signer), paths: make(chan string, 100), says: make(map[string]string)}
}

func (i *issuer) wire(o *yandex.Options) { o.Transport = i }

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.paths <- r.URL.Path
	w := httptest.NewRecorder()
	switch text, told := i.says[r.URL.Path]; {
	case i.fails:
		w.WriteHeader(http.StatusServiceUnavailable)
	case told:
		_, _ = w.Write([]byte(text))
	case r.URL.Path == "/configuration":
		_, _ = w.Write([]byte(`{"issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/keys"}`))
	case r.URL.Path == "/keys":
		var set struct {
			Keys []any `json:"keys"`
		}
		set.Keys = append(set.Keys, map[string]string{"kty": "unheard of", "kid": "new"})
		for id, key := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: id, Key: key.Public(), Use: "sig"})
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		w.Header().Set("X-Context", r.Header.Get("X-Yc-Apigateway-Authorizer-Context"))
	}
	return w.Result(), nil
}

// sign makes a token; the key is made up at its first use.
func (i *issuer) sign(alg jose.SignatureAlgorithm, kid string, claims any) string {
	i.t.Helper()
	is := is.New(i.t)
	if i.keys[kid] == nil {
		var err error
		switch alg {
		case jose.ES256:
			i.keys[kid], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		case jose.ES384:
			i.keys[kid], err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		case jose.ES512:
			i.keys[kid], err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		default:
			i.keys[kid], err = rsa.GenerateKey(rand.Reader, 2048)
		}
		is.NoErr(err)
	}
	o := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: i.keys[kid]}, o)
	is.NoErr(err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	is.NoErr(err)
	return token
}

// good are claims that the strictest scheme takes, at the time of a house.
func good(change ...any) map[string]any {
	claims := map[string]any{"iss": "https://issuer.example", "aud": "one", "exp": 1741064768, "nbf": 1741064767, "iat": 1741064767, "role": "admin", "email": "a@b.c",
		"scope": "profile:read profile:write more"}
	for i := 0; i+1 < len(change); i += 2 {
		claims[change[i].(string)] = change[i+1]
		if change[i+1] == nil {
			delete(claims, change[i].(string))
		}
	}
	return claims
}

func TestATokenOfEachAlgorithm(t *testing.T) {
	i := newIssuer(t)
	h := build(t, jwtSpec, i.wire, newFunction().wire)
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512} {
		is := is.New(t)
		kid := string(alg)
		if strings.HasPrefix(kid, "RS") {
			kid = "RS" // one key does for all three
		}
		a := h.ask("GET", "/query?token="+i.sign(alg, kid, good()))
		is.Equal([]any{alg, a.status, a.body}, []any{alg, 200, "in"})
	}
	is := is.New(t)
	a := h.ask("GET", "/query?token="+i.sign(jose.PS256, "RS", good()))
	is.Equal(a.status, 401) // not one of them
	is.True(strings.Contains(a.body, `unexpected signature algorithm \"PS256\"`))
}

func TestWhatATokenTells(t *testing.T) {
	is := is.New(t)
	i, f := newIssuer(t), newFunction()
	h := build(t, jwtSpec, i.wire, f.wire)
	is.Equal(len(h.warns), 0)
	token := i.sign(jose.ES256, "one", good("aud", []string{"three", "two"}, "scope", nil, "scp", []string{"profile:write", "profile:read"}, "big", json.Number("12345678901234567890"),
		"deep", map[string]any{"a": []int{1}}, "yes", true))
	f.answers <- says(`{"body": "in"}`)
	a := h.ask("GET", "/header/1", "Authorization", "Bearer "+token)
	is.Equal([]any{a.status, a.body}, []any{200, "in"})
	same(t, eventOf(t, <-f.requests)["requestContext"].(map[string]any)["authorizer"], `{"jwt": {"scopes": ["profile:write", "profile:read"], "claims": {
		"iss": "https://issuer.example", "aud": "[\"three\",\"two\"]", "exp": "1741064768", "nbf": "1741064767", "iat": "1741064767", "role": "admin", "email": "a@b.c",
		"scp": "[\"profile:write\",\"profile:read\"]", "big": "12345678901234567890", "deep": "{\"a\":[1]}", "yes": "true"}}}`)

	a = h.ask("GET", "/http?token="+i.sign(jose.ES256, "one", map[string]any{"sub": "Мария"}))
	is.Equal(a.header.Get("X-Context"), `{"jwt":{"claims":{"sub":"\u041c\u0430\u0440\u0438\u044f"},"scopes":[]}}`)
}

func TestATokenThatIsRefused(t *testing.T) {
	i := newIssuer(t)
	h := build(t, jwtSpec, i.wire, newFunction().wire)
	stolen := newIssuer(t)
	for _, tc := range []struct {
		name, credentials string
		status            int
		message           string
	}{
		{"none", "", 401, "Unauthorized: no header Authorization"},
		{"no prefix", i.sign(jose.RS256, "one", good()), 401, `Unauthorized: the header Authorization does not begin with "Bearer "`},
		{"no token", "Bearer x", 401, "Unauthorized: the token cannot be read: go-jose/go-jose: compact JWS format must have three parts"},
		{"expired", "Bearer " + i.sign(jose.RS256, "one", good("exp", 1741064767)), 401, "Unauthorized: the token has expired (exp)"},
		{"too early", "Bearer " + i.sign(jose.RS256, "one", good("nbf", 1741064768)), 401, "Unauthorized: the token is not valid yet (nbf)"},
		{"of the future", "Bearer " + i.sign(jose.RS256, "one", good("iat", 1741064768)), 401, "Unauthorized: the token was issued in the future (iat)"},
		{"another issuer", "Bearer " + i.sign(jose.RS256, "one", good("iss", "x")), 401,
			`Unauthorized: the token's issuer (iss) is "x", want one of https://issuer.example, https://other.example`},
		{"another audience", "Bearer " + i.sign(jose.RS256, "one", good("aud", []string{"x", "y"})), 401, `Unauthorized: the token's audience (aud) is "x y", want one of one, two`},
		{"no claim", "Bearer " + i.sign(jose.RS256, "one", good("email", nil)), 401, "Unauthorized: the token has no claim email"},
		{"an empty claim", "Bearer " + i.sign(jose.RS256, "one", good("exp", "soon")), 401, "Unauthorized: the token is not the issuer's: "},
		{"another key", "Bearer " + stolen.sign(jose.RS256, "one", good()), 401, "Unauthorized: the token is not the issuer's: go-jose/go-jose: error in cryptographic primitive"},
		{"a key of another kind", "Bearer " + stolen.sign(jose.ES256, "two", good()), 401, `Unauthorized: the issuer has no key "two"`},
		{"no scope", "Bearer " + i.sign(jose.RS256, "one", good("scope", "profile:write")), 403, "Forbidden: the token has no scope profile:read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := *h
			h.t = t
			a := h.ask("GET", "/header/1", "Authorization", tc.credentials)
			var told struct{ Message string }
			is.NoErr(json.Unmarshal([]byte(a.body), &told))
			is.Equal(a.status, tc.status)
			is.True(strings.HasPrefix(told.Message, tc.message)) // the message
			is.Equal(len(h.steps), 0)                            // a refusal is no failure
		})
	}
}

func TestAnIssuerThatCannotBeAsked(t *testing.T) {
	for _, tc := range []struct {
		name, path, says, want string
	}{
		{"no configuration", "/configuration", "!", "https://issuer.example/configuration: got the status 503"},
		{"another configuration", "/configuration", "{}", "https://issuer.example/configuration: there is no jwks_uri"},
		{"no JSON", "/configuration", "<html>", "https://issuer.example/configuration: invalid character '<' looking for beginning of value"},
		{"an address that is none", "/configuration", `{"jwks_uri": "keys"}`, `got the address "keys", want a URL`},
		{"no keys", "/keys", "{}", "https://issuer.example/keys: there are no keys"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			i := newIssuer(t)
			h := build(t, jwtSpec, i.wire)
			if tc.says == "!" {
				i.fails = true
			} else {
				i.says[tc.path] = tc.says
			}
			a := h.ask("GET", "/query?token="+i.sign(jose.ES256, "one", good()))
			is.Equal([]any{a.status, a.body}, []any{500, `{"message":"the authorizer query: ` + strings.ReplaceAll(tc.want, `"`, `\"`) + `"}`})
			is.True(strings.HasSuffix(h.step(events.StepLost).Text, tc.want)) // and is on record
		})
	}
}

func TestKeysAreKept(t *testing.T) {
	is := is.New(t)
	i := newIssuer(t)
	h := build(t, jwtSpec, i.wire)
	asked := func(want ...string) {
		t.Helper()
		for _, path := range want {
			is.Equal(<-i.paths, path)
		}
		is.Equal(len(i.paths), 0)
	}
	ask := func(token string, status int) {
		t.Helper()
		is.Equal(h.ask("GET", "/query?token="+token).status, status)
	}
	one := i.sign(jose.ES256, "one", map[string]any{})
	ask(one, 200)
	asked("/configuration", "/keys")
	h.clock.Advance(time.Minute - 1)
	i.fails = true
	ask(one, 200)
	asked()
	h.clock.Advance(1)
	ask(one, 500)
	asked("/configuration")
	i.fails = false
	ask(one, 200)
	asked("/configuration", "/keys")
	ask(i.sign(jose.ES256, "new", map[string]any{}), 200) // one that it did not know yet; a key of its id that nobody can read is passed over
	asked("/keys")

	single := newIssuer(t)
	h = build(t, jwtSpec, single.wire)
	token := single.sign(jose.ES256, "", map[string]any{}) // names no key
	raw, err := json.Marshal(jose.JSONWebKey{Key: single.keys[""].Public(), KeyID: "only"})
	is.NoErr(err)
	keys := func(list ...string) { single.says["/keys"] = `{"keys": [` + strings.Join(list, ",") + `]}` }
	keys(string(raw), `{"kty": "unheard of", "kid": "other"}`)
	is.Equal(h.ask("GET", "/query?token="+token).status, 401)
	keys(string(raw))
	is.Equal(h.ask("GET", "/query?token="+token).status, 200)
	keys(strings.Replace(string(raw), "{", `{"alg":"ES384",`, 1))
	h.clock.Advance(time.Minute)
	a := h.ask("GET", "/query?token="+token)
	is.Equal([]any{a.status, a.body}, []any{401, `{"message":"Unauthorized: the token is signed by ES256, and the key is for \"ES384\""}`})
}

func TestATokenOpensASocket(t *testing.T) {
	is := is.New(t)
	i, f := newIssuer(t), newFunction()
	h := build(t, jwtSpec, i.wire, f.wire)
	c, a := h.dial(mine, "/ws", nil)
	is.Equal(c, nil)
	is.Equal(a.status, 401)
	token := i.sign(jose.RS256, "one", map[string]any{"sub": "me", "exp": 1741064768})
	c, a = h.dial(mine, "/ws", &websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {"token=" + token}}})
	is.Equal(a.status, 101)
	h.clock.Advance(time.Minute) // it is checked once
	f.answers <- says(`{"body": "heard"}`)
	h.say(c, "x")
	is.Equal(h.frame(c), "heard")
	same(t, eventOf(t, <-f.requests)["requestContext"].(map[string]any)["authorizer"], `{"jwt": {"claims": {"sub": "me", "exp": "1741064768"}, "scopes": []}}`)
}

func TestDecisionsAreKept(t *testing.T) {
	const spec = `openapi: 3.0.0
paths:
  /path/{id}:
    get: {security: [{path: []}], x-yc-apigateway-integration: &in {type: dummy, content: {'*': in}}}
    post: {security: [{path: []}], x-yc-apigateway-integration: *in}
  /uri/{id}: {get: {security: [{uri: []}], x-yc-apigateway-integration: {type: cloud_functions, function_id: d4emine}}}
  /token/{id}: {get: {security: [{token: []}], x-yc-apigateway-integration: *in}}
components:
  securitySchemes:
    path: {type: http, scheme: basic, x-yc-apigateway-authorizer: {type: function, function_id: d4eguard, authorizer_result_ttl_in_seconds: 300}}
    uri:
      type: apiKey
      in: query
      name: key
      x-yc-apigateway-authorizer: {type: function, function_id: d4eguard, authorizer_result_ttl_in_seconds: 300, authorizer_result_caching_mode: URI}
    token:
      type: openIdConnect
      x-yc-apigateway-authorizer: {type: jwt, jwksUri: 'https://issuer.example/keys', identitySource: {in: header, name: X-Token},
        authorizer_result_ttl_in_seconds: 60, authorizer_result_caching_mode: path}
`
	is := is.New(t)
	i := newIssuer(t)
	h, guard, f := guarded(t, spec, i.wire)
	asks := 0
	ask := func(method, path, credentials, answer string, status int) {
		t.Helper()
		if answer != "" { // it is asked
			guard.answers <- says(answer)
			asks++
		}
		is.Equal(h.ask(method, path, "Authorization", credentials).status, status)
		is.Equal(len(guard.requests), asks)
	}
	const yes, no = `{"isAuthorized": true, "context": {"user": "me"}}`, `{"isAuthorized": false}`
	ask("GET", "/path/1", "a", yes, 200)
	ask("GET", "/path/2", "a", "", 200)
	ask("GET", "/path/2", "b", no, 403) // other credentials
	ask("GET", "/path/1", "b", "", 403) // a refusal holds too
	ask("POST", "/path/1", "a", no, 403)
	ask("GET", "/path/1", "", "", 401)
	h.clock.Advance(300*time.Second - 1)
	ask("GET", "/path/1", "a", "", 200)
	h.clock.Advance(1)
	ask("GET", "/path/1", "a", `{}`, 500) // what is no decision does not hold
	ask("GET", "/path/1", "a", yes, 200)
	is.NoErr(h.cloud.SetGateway(yandex.GatewayDefinition{ID: mine, File: "spec.yaml", Spec: []byte(spec)}))
	ask("GET", "/path/1", "a", no, 403) // what held of the gateway as it was does not hold of the new one

	f.answers <- says(`{}`)
	ask("GET", "/uri/1?key=k", "", yes, 200)
	f.answers <- says(`{}`)
	ask("GET", "/uri/1?key=k&more=1", "", "", 200)
	<-f.requests
	same(t, eventOf(t, <-f.requests)["requestContext"].(map[string]any)["authorizer"], `{"user": "me"}`) // what was told holds as well
	ask("GET", "/uri/2?key=k", "", no, 403)

	token := i.sign(jose.ES256, "one", map[string]any{"exp": h.clock.Now().Add(time.Second).Unix()})
	is.Equal(h.ask("GET", "/token/1", "X-Token", token).status, 200)
	h.clock.Advance(59 * time.Second)
	is.Equal(h.ask("GET", "/token/2", "X-Token", token).status, 200) // as the cloud has it: the token is not looked at
	h.clock.Advance(time.Second)
	is.Equal(h.ask("GET", "/token/1", "X-Token", token).status, 401)
	is.Equal(len(i.paths), 2)
}

func TestWrongAuthorizers(t *testing.T) {
	const at = "s:3: components.securitySchemes.a.x-yc-apigateway-authorizer."
	for _, tc := range []struct{ name, fields, want string }{
		{"no source", "type: jwt, jwksUri: 'http://x'", at + "identitySource: got nothing, want where the token is: in, name and prefix"},
		{"a source of another kind", "type: jwt, jwksUri: 'http://x', identitySource: {in: body, name: a}", at + `identitySource.in: got "body", want one of header, query, cookie`},
		{"no keys", "type: jwt, identitySource: {in: query, name: a}", at + "jwksUri: got nothing, want the URL of the keys, or openIdConnectUrl in the scheme"},
		{"mode", "type: function, function_id: d4e, authorizer_result_ttl_in_seconds: 1, authorizer_result_caching_mode: all",
			at + `authorizer_result_caching_mode: got "all", want path or uri`},
		{"ttl", "type: function, function_id: d4e, authorizer_result_ttl_in_seconds: 1m", at + `authorizer_result_ttl_in_seconds: got "1m", want a whole number from 0 to 31536000`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := yandex.ParseSpec("s", []byte("openapi: 3.0.0\npaths: {/: {get: {security: [{a: []}], x-yc-apigateway-integration: {type: dummy}}}}\n"+
				"components: {securitySchemes: {a: {type: http, x-yc-apigateway-authorizer: {"+tc.fields+"}}}}\n"))
			is.True(err != nil)
			is.Equal(err.Error(), tc.want)
		})
	}
}
