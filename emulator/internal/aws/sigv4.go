package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AuthError is the answer to a request whose signature, or whose sender, is not good enough.
type AuthError struct {
	Status  int
	Type    string // as in x-amzn-ErrorType
	Message string
	Capital bool // the body says Message and not message, as IAM does
}

func (e *AuthError) Error() string { return e.Type + ": " + e.Message }

func badAuth(kind, format string, args ...any) *AuthError {
	return &AuthError{Status: http.StatusForbidden, Type: kind, Message: fmt.Sprintf(format, args...)}
}

// Kinds of AuthError.
const (
	typeMissingToken  = "MissingAuthenticationTokenException"
	typeIncomplete    = "IncompleteSignatureException"
	typeBadSignature  = "InvalidSignatureException"
	typeUnknownClient = "UnrecognizedClientException"
	typeAccessDenied  = "AccessDeniedException"
)

const (
	algorithm     = "AWS4-HMAC-SHA256"
	scopeEnd      = "aws4_request"
	amzDateLayout = "20060102T150405Z"
	maxSkew       = 5 * time.Minute
	unsigned      = "UNSIGNED-PAYLOAD"
)

// Signature is what a request says of who signed it, and for which service.
type Signature struct {
	AccessKeyID, Date, Region, Service string
	At                                 time.Time // X-Amz-Date
	Expires                            time.Duration
	Presigned                          bool // it stands in the query

	date          string // X-Amz-Date as sent
	signedHeaders []string
	sum           string
}

func (s *Signature) scope() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + scopeEnd
}

// ParseSignature reads an Authorization header, or a presigned query. It does not judge.
func ParseSignature(r *http.Request) (*Signature, *AuthError) {
	query := r.URL.Query()
	header := r.Header.Get("Authorization")
	switch {
	case header != "":
		return parseHeader(header, signingDate(r))
	case query.Get("X-Amz-Algorithm") == algorithm:
		return parsePresigned(query)
	}
	return nil, badAuth(typeMissingToken, "Missing Authentication Token")
}

// SignedService returns the service that a request is signed for.
func SignedService(r *http.Request) (service string, ok bool) {
	if r.Header.Get("Authorization") == "" && r.URL.RawQuery == "" {
		return "", false // most requests, at no cost
	}
	s, err := ParseSignature(r)
	if err != nil {
		return "", false
	}
	return s.Service, true
}

func signingDate(r *http.Request) string {
	if d := r.Header.Get("X-Amz-Date"); d != "" {
		return d
	}
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		return t.UTC().Format(amzDateLayout)
	}
	return ""
}

func parseHeader(header, date string) (*Signature, *AuthError) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if scheme != algorithm {
		rest = "" // whatever it is, the cloud takes it for a signature with everything missing
	}
	values := make(map[string]string)
	for pair := range strings.SplitSeq(rest, ",") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, badAuth(typeIncomplete, "'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'.", pair, header)
		}
		values[name] = value
	}
	var missing strings.Builder
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if values[name] == "" {
			fmt.Fprintf(&missing, "Authorization header requires '%s' parameter. ", name)
		}
	}
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, badAuth(typeIncomplete, "%sAuthorization=%s", missing.String(), scheme)
	}
	return newSignature(values["Credential"], values["SignedHeaders"], values["Signature"], date)
}

func parsePresigned(query url.Values) (*Signature, *AuthError) {
	var missing strings.Builder
	for _, name := range []string{"X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if query.Get(name) == "" {
			fmt.Fprintf(&missing, "AWS query-string parameters must include '%s'. ", name)
		}
	}
	if missing.Len() > 0 {
		return nil, badAuth(typeIncomplete, "%sRe-examine the query-string parameters.", missing.String())
	}
	s, bad := newSignature(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"), query.Get("X-Amz-Date"))
	if bad != nil {
		return nil, bad
	}
	s.Presigned, s.Expires = true, maxSkew
	if seconds, err := strconv.Atoi(query.Get("X-Amz-Expires")); err == nil {
		s.Expires = time.Duration(seconds) * time.Second
	}
	return s, nil
}

func newSignature(credential, signedHeaders, sum, date string) (*Signature, *AuthError) {
	parts := strings.Split(credential, "/")
	if len(parts) < 5 || parts[len(parts)-1] != scopeEnd {
		return nil, badAuth(typeIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	at, err := time.Parse(amzDateLayout, date)
	if err != nil {
		return nil, badAuth(typeIncomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	n := len(parts)
	return &Signature{
		AccessKeyID: strings.Join(parts[:n-4], "/"), Date: parts[n-4], Region: parts[n-3], Service: parts[n-2],
		At: at, date: date, signedHeaders: strings.Split(strings.ToLower(signedHeaders), ";"), sum: sum,
	}, nil
}

// verify judges a signature for a service.
func (s *Signature) verify(r *http.Request, body []byte, service, secret string, now time.Time) *AuthError {
	now = now.Truncate(time.Second) // as times are signed
	age := now.Sub(s.At)
	switch {
	case s.Service != service:
		return badAuth(typeBadSignature, "Credential should be scoped to correct service: '%s'. ", service)
	case s.Date != s.At.Format("20060102"):
		return badAuth(typeBadSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			s.Date, s.At.Format("20060102"), s.date)
	case s.Presigned && age > s.Expires, !s.Presigned && age > maxSkew:
		limit := maxSkew
		if s.Presigned {
			limit = s.Expires
		}
		return badAuth(typeBadSignature, "Signature expired: %s is now earlier than %s (%s - %d min.)",
			s.date, now.Add(-limit).Format(amzDateLayout), now.Format(amzDateLayout), int(limit.Minutes()))
	case age < -maxSkew:
		return badAuth(typeBadSignature, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			s.date, now.Add(maxSkew).Format(amzDateLayout), now.Format(amzDateLayout))
	case !slices.Contains(s.signedHeaders, "host"):
		return badAuth(typeBadSignature, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	canonical := s.canonical(r, body)
	sum := sha256.Sum256([]byte(canonical))
	toSign := algorithm + "\n" + s.date + "\n" + s.scope() + "\n" + hex.EncodeToString(sum[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.Date, s.Region, s.Service, scopeEnd} {
		key = hmacSum(key, part)
	}
	if hmac.Equal([]byte(hex.EncodeToString(hmacSum(key, toSign))), []byte(s.sum)) {
		return nil
	}
	return badAuth(typeBadSignature, "The request signature we calculated does not match the signature you provided. "+
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n"+
		"The Canonical String for this request should have been\n'%s'\n\nThe String-to-Sign should have been\n'%s'\n", canonical, toSign)
}

func hmacSum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonical is the request as it was signed: the path as sent, escaped once more.
func (s *Signature) canonical(r *http.Request, body []byte) string {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") { // a request that names the whole URL, or that was not read from a wire
		path, query = r.URL.EscapedPath(), r.URL.RawQuery
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + uriEncode(path, true) + "\n" + canonicalQuery(query) + "\n")
	for _, name := range s.signedHeaders {
		b.WriteString(name + ":" + signedValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.signedHeaders, ";") + "\n" + s.payloadSum(r, body))
	return b.String()
}

func (s *Signature) payloadSum(r *http.Request, body []byte) string {
	if r.Header.Get("X-Amz-Content-Sha256") == unsigned {
		return unsigned
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func canonicalQuery(raw string) string {
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = recode(name), recode(value)
		if pair != "" && name != "X-Amz-Signature" {
			pairs = append(pairs, name+"="+value)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func recode(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	return uriEncode(s, false)
}

func uriEncode(s string, keepSlash bool) string {
	if s == "" && keepSlash {
		return "/"
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func signedValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// authorize judges who sends a request to execute-api, if the cloud is strict. Body is what was read of the request.
func (c *Cloud) authorize(r *http.Request, body []byte, action, resource string) *AuthError {
	denied := c.judge(r, body, "execute-api", permission{action, resource})
	if denied != nil && denied.Type == typeAccessDenied {
		shown := strings.Replace(resource, ":"+c.o.Account+":", ":********"+c.o.Account[max(0, len(c.o.Account)-4):]+":", 1)
		denied.Message = strings.Replace(denied.Message, resource, shown, 1)
		denied.Capital = true
	}
	return denied
}

// permission is what a request needs.
type permission struct{ action, resource string }

// judge looks at a request's signature, and at what its sender may do, if the cloud is strict.
func (c *Cloud) judge(r *http.Request, body []byte, service string, needs ...permission) *AuthError {
	s, bad := ParseSignature(r)
	if !c.o.StrictAuth {
		if bad != nil {
			c.warnOnce("a request that is not signed as AWS demands was served; AWS refuses it with " + bad.Type + ", and so does --strict-auth")
		}
		return nil
	}
	if bad != nil {
		return bad
	}
	secret, principal, ok := c.o.Secret(s.AccessKeyID)
	if !ok {
		return badAuth(typeUnknownClient, "The security token included in the request is invalid.")
	}
	if bad := s.verify(r, body, service, secret, c.o.Signers.Now().UTC()); bad != nil {
		return bad
	}
	for _, p := range needs {
		if !c.o.Allowed(principal, p.action, p.resource) {
			return badAuth(typeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
				principal, p.action, p.resource, p.action)
		}
	}
	return nil
}
