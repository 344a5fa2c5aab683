package yandex

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// JWT says which tokens let a call pass.
type JWT struct {
	// Keys is where the issuer's keys are. Empty: Discovery names it.
	Keys, Discovery string
	Source          Parameter // where the token stands
	Prefix          string    // what stands before it there
	// One of each, if there are any, must be in the token.
	Issuers, Audiences []string
	Claims             []string      // that must all be in the token
	KeyTTL             time.Duration // for how long a key is kept; 0: for one request
}

func parseJWT(scheme, o object) *JWT {
	places := []string{"header", "query", "cookie"}
	source := o.get("identitySource").required("where the token is: in, name and prefix").object("in", "name", "prefix")
	j := &JWT{
		Keys: o.get("jwksUri").text(), Discovery: scheme.get("openIdConnectUrl").text(),
		Source: Parameter{In: source.get("in").required(oneOf(places)).text(), Name: source.get("name").required("a name").text()},
		Prefix: source.get("prefix").text(), Issuers: o.get("issuers").texts(), Audiences: o.get("audiences").texts(),
		Claims: o.get("requiredClaims").texts(), KeyTTL: o.get("jwkTtlInSeconds").ttl(),
	}
	if j.Source.In != "" && !slices.Contains(places, j.Source.In) {
		source.get("in").refuse("got %s, want %s", quote(j.Source.In), oneOf(places))
	}
	if j.Keys == "" && j.Discovery == "" {
		o.get("jwksUri").refuse("got nothing, want the URL of the keys, or openIdConnectUrl in the scheme")
	}
	return j
}

func signatures() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
}

// judge decides by a token. An error says why the issuer's keys could not be had.
func (d *door) judge(ctx context.Context, a *Authorizer, credentials string) (decision, error) {
	no := func(format string, args ...any) (decision, error) {
		return refuse(http.StatusUnauthorized, "Unauthorized: "+clip(fmt.Sprintf(format, args...))), nil
	}
	j := a.JWT
	raw, ok := strings.CutPrefix(credentials, j.Prefix)
	if !ok {
		return no("the %s %s does not begin with %s", j.Source.In, j.Source.Name, quote(j.Prefix))
	}
	token, err := jwt.ParseSigned(strings.TrimSpace(raw), signatures())
	if err != nil {
		return no("the token cannot be read: %v", err)
	}
	header := token.Headers[0]
	key, err := d.signingKey(ctx, j, header.KeyID)
	switch {
	case err != nil:
		return decision{}, err
	case key == nil:
		return no("the issuer has no key %s", quote(header.KeyID))
	case key.Algorithm != "" && key.Algorithm != header.Algorithm:
		return no("the token is signed by %s, and the key is for %s", header.Algorithm, quote(key.Algorithm))
	}
	var claims jwt.Claims
	var all map[string]json.RawMessage
	if err := token.Claims(key.Key, &claims, &all); err != nil {
		return no("the token is not the issuer's: %v", err)
	}
	if wrong := j.wrong(claims, all, d.clock.Now()); wrong != "" {
		return no("%s", wrong)
	}
	has := scopesOf(all)
	for _, scope := range a.Scopes {
		if !slices.Contains(has, scope) {
			return refuse(http.StatusForbidden, "Forbidden: the token has no scope "+scope), nil
		}
	}
	texts := make(map[string]string, len(all))
	for name, value := range all {
		texts[name] = claimText(value)
	}
	return decision{told: map[string]any{"jwt": map[string]any{"claims": texts, "scopes": has}}}, nil
}

// wrong says what is wrong with the claims of a token that is the issuer's; empty: nothing.
func (j *JWT) wrong(claims jwt.Claims, all map[string]json.RawMessage, now time.Time) string {
	switch {
	case claims.Expiry != nil && !claims.Expiry.Time().After(now):
		return "the token has expired (exp)"
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now):
		return "the token is not valid yet (nbf)"
	case claims.IssuedAt != nil && claims.IssuedAt.Time().After(now):
		return "the token was issued in the future (iat)"
	case len(j.Issuers) > 0 && !slices.Contains(j.Issuers, claims.Issuer):
		return fmt.Sprintf("the token's issuer (iss) is %s, want %s", quote(claims.Issuer), oneOf(j.Issuers))
	case len(j.Audiences) > 0 && !slices.ContainsFunc(j.Audiences, claims.Audience.Contains):
		return fmt.Sprintf("the token's audience (aud) is %s, want %s", quote(strings.Join(claims.Audience, " ")), oneOf(j.Audiences))
	}
	for _, name := range j.Claims {
		if value, ok := all[name]; !ok || string(value) == "null" {
			return "the token has no claim " + name
		}
	}
	return ""
}

// scopesOf reads what the owner of a token may: words, or a list.
func scopesOf(all map[string]json.RawMessage) []string {
	has := []string{}
	for _, name := range []string{"scope", "scopes", "scp"} {
		var words string
		var list []string
		if json.Unmarshal(all[name], &words) == nil {
			has = append(has, strings.Fields(words)...)
		} else if json.Unmarshal(all[name], &list) == nil {
			has = append(has, list...)
		}
	}
	return has
}

// claimText is a claim as functions get it: all are strings, and what is none is JSON.
func claimText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return string(value)
	}
	return b.String()
}
