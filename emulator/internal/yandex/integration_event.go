package yandex

import (
	"encoding/base64"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// words makes the event that a function gets of a call. A plain request has two formats; a socket's events are the same in both.
func (c call) words(now time.Time) map[string]any {
	header := c.headers()
	e := map[string]any{
		"headers":           last(header),
		"multiValueHeaders": header,
		"requestContext":    c.context(c.id, now),
	}
	single, multi := c.declared()
	values := c.pathValues()
	path, query, _ := strings.Cut(c.url, "?")
	if c.socket == nil && c.function.Version == "0.1" {
		e["url"], e["path"] = path+"?"+query, c.resource // the question mark is always there
		e["pathParams"], e["params"], e["multiValueParams"] = values, single, multi
	} else {
		e["resource"], e["path"] = c.resource, path
		e["pathParameters"], e["parameters"], e["multiValueParameters"] = values, single, multi
		e["operationId"] = c.op.ID
	}
	if c.socket == nil && c.function.Version == "1.0" {
		e["version"] = c.function.Version
	}
	if c.socket == nil || c.socket.event == "CONNECT" {
		e["httpMethod"] = c.method
		e["queryStringParameters"], e["multiValueQueryStringParameters"] = last(c.query), lists(c.query)
	}
	if c.socket == nil || c.socket.event == "MESSAGE" {
		e["body"], e["isBase64Encoded"] = c.bodyText()
	}
	return e
}

// question is the event that an authorizer's function gets.
func (c call) question(now time.Time) map[string]any {
	cookies := map[string]string{}
	for _, cookie := range (&http.Request{Header: c.header}).Cookies() {
		cookies[cookie.Name] = cookie.Value
	}
	return map[string]any{
		"resource": c.resource, "path": c.pathOnly(), "httpMethod": c.method, "headers": last(c.headers()),
		"queryStringParameters": last(c.query), "pathParameters": c.pathValues(), "requestContext": c.context(c.id, now), "cookies": cookies,
	}
}

// pathValues are the parameters of the path; an empty mapping if there is none.
func (c call) pathValues() map[string]string {
	if c.path == nil {
		return map[string]string{}
	}
	return c.path
}

func (c call) context(id string, now time.Time) map[string]any {
	e := requestContext(c.method, c.remote, c.header.Get("User-Agent"), id, now)
	if c.authorizer != nil {
		e["authorizer"] = c.authorizer
	}
	if c.function.Context != nil {
		e["apiGateway"] = map[string]any{"operationContext": fillAll(c.function.Context, c.filler())}
	}
	if s := c.socket; s != nil {
		e["eventType"], e["connectionId"], e["connectedAt"] = s.event, s.id, s.connectedAt
		switch s.event {
		case "MESSAGE":
			e["messageId"] = s.message
		case "DISCONNECT":
			e["disconnectStatusCode"] = s.code
			if s.reason != "" {
				e["disconnectReason"] = s.reason
			}
		}
	}
	return e
}

func requestContext(method, remote, userAgent, id string, now time.Time) map[string]any {
	return map[string]any{
		"identity":         map[string]string{"sourceIp": hostOf(remote), "userAgent": userAgent},
		"httpMethod":       method,
		"requestId":        id,
		"requestTime":      now.UTC().Format("2/Jan/2006:15:04:05 -0700"),
		"requestTimeEpoch": now.Unix(),
	}
}

// headers are the client's, those of the cloud's own proxies, and those of the socket. What is of one hop is left out, as is what
// only the handshake needs.
func (c call) headers() http.Header {
	h := c.header.Clone()
	dropHop(h)
	ip := hostOf(c.remote)
	for name, value := range map[string]string{
		"Host": c.host, "X-Envoy-External-Address": ip, "X-Envoy-Original-Path": c.pathOnly(),
		"X-Forwarded-Proto": "http", "X-Real-Remote-Address": c.remote, "X-Request-Id": c.id, "X-Trace-Id": c.trace,
		"X-Serverless-Certificate-Ids": "{}", "X-Serverless-Gateway-Id": c.gateway,
	} {
		h.Set(name, value)
	}
	if c.function != nil {
		h.Set("X-Api-Gateway-Function-Id", c.function.ID)
	}
	if c.secure {
		h.Set("X-Forwarded-Proto", "https")
	}
	h.Set("X-Forwarded-For", strings.Join(append(slices.Clone(c.header.Values("X-Forwarded-For")), ip), ", "))
	return h
}

// declared are the values of the parameters that the specification declares, from wherever they are read.
func (c call) declared() (single map[string]string, multi map[string][]string) {
	single, multi = map[string]string{}, map[string][]string{}
	for _, p := range c.op.Parameters {
		values := c.values(p)
		if len(values) == 0 && p.Default != "" {
			values = []string{p.Default}
		}
		if len(values) > 0 {
			single[p.Name], multi[p.Name] = values[len(values)-1], values
		}
	}
	return single, multi
}

// values are those that the call has for a parameter.
func (c call) values(p Parameter) []string {
	switch p.In {
	case "path":
		if v, ok := c.path[p.Name]; ok {
			return []string{v}
		}
	case "query":
		return c.query[p.Name]
	case "header":
		return c.header.Values(p.Name)
	case "cookie":
		if cookie, err := (&http.Request{Header: c.header}).Cookie(p.Name); err == nil {
			return []string{cookie.Value}
		}
	}
	return nil
}

func (c call) bodyText() (text string, encoded bool) {
	if c.binary || !utf8.Valid(c.body) {
		return base64.StdEncoding.EncodeToString(c.body), true
	}
	return string(c.body), false
}

// isJSON tells whether a request's body stays as it is on its way to a function; all others are given in base64.
func isJSON(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return kind == "application/json"
}

// last are the last values of what may have several.
func last(m map[string][]string) map[string]string {
	out := make(map[string]string, len(m))
	for name, values := range m {
		if len(values) > 0 {
			out[name] = values[len(values)-1]
		}
	}
	return out
}

// lists is m; an empty mapping if there is none.
func lists(m url.Values) map[string][]string {
	out := make(map[string][]string, len(m))
	maps.Copy(out, m)
	return out
}

// fillAll replaces parameters in all strings of a JSON value.
func fillAll(v any, fill *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return fill.Replace(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fillAll(v[i], fill)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = fillAll(v[name], fill)
		}
		return out
	}
	return v
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
