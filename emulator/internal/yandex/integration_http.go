package yandex

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

// HTTP is the integration that sends requests to a URL.
type HTTP struct {
	URL     string // parameters are filled in, as in the values of Headers and Query
	Method  string // empty: the client's
	Headers []Header
	Query   []Header
	// AllHeaders and AllQuery pass on what the client sent and Headers and Query do not name: '*': '*'.
	AllHeaders, AllQuery   bool
	OmitHeaders, OmitQuery bool   // that are empty
	ServiceAccountID       string // whose token goes along; empty: none does
	timeouts               timeouts
}

func parseHTTP(o object, socket bool) *HTTP {
	h := &HTTP{
		URL:              o.get("url").required("a URL, such as https://example.com/{path}").text(),
		OmitHeaders:      o.get("omitEmptyHeaders").boolean(),
		OmitQuery:        o.get("omitEmptyQueryParameters").boolean(),
		ServiceAccountID: o.account(""), // the gateway's own does not hold here
	}
	if scheme, _, whole := strings.Cut(h.URL, "://"); whole && scheme != "http" && scheme != "https" && !strings.Contains(scheme, "{") {
		o.get("url").refuse("got the scheme %s, want http or https", quote(scheme))
	}
	if method := o.get("method"); method.given() {
		h.Method = strings.ToUpper(method.text())
		if !slices.Contains(methods(), strings.ToLower(h.Method)) {
			method.refuse("got %s, want %s", method.got(), oneOf(methods()))
		}
	}
	h.Headers, h.AllHeaders = o.get("headers").values(true)
	h.Query, h.AllQuery = o.get("query").values(false)
	if h.AllHeaders && socket {
		o.get("headers").warn("'*' leaves out Upgrade, Connection and Sec-WebSocket-*; the cloud sends them along, and servers that speak HTTP/2 refuse them")
	}
	waits := o.get("timeouts").object("connect", "read")
	h.timeouts = timeouts{waits.get("connect").wait(), waits.get("read").wait()}
	return h
}

// values reads what is to be sent: strings, or lists that are sent with commas. The key * stands for all that the client sent.
func (f field) values(names bool) (out []Header, all bool) {
	for _, m := range f.members() {
		if m.key == "*" {
			all = true
			continue
		}
		if names {
			m.headerName()
		}
		value := ""
		if m.got() == "a list" {
			var parts []string
			for _, item := range m.items() {
				parts = append(parts, item.text())
			}
			value = strings.Join(parts, ",")
		} else {
			value = m.text()
		}
		out = append(out, Header{m.key, value})
	}
	return out, all
}

// wait reads a time in seconds; 0: there is no bound.
func (f field) wait() time.Duration {
	const longest = 10 * time.Minute
	return time.Duration(f.decimal(0, longest.Seconds()) * float64(time.Second))
}

// http sends a request to the URL of an operation. An error goes with the answer that the client gets instead.
func (d *door) http(ctx context.Context, c call) (answer, error) {
	r, err := c.op.HTTP.request(ctx, c)
	if err != nil {
		return failed(http.StatusBadGateway, "Bad Gateway: "+clip(err.Error())), err
	}
	if account := c.op.HTTP.ServiceAccountID; account != "" {
		token, err := d.token(account)
		if err != nil {
			return failed(http.StatusBadGateway, "Bad Gateway: "+clip(err.Error())), err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return d.outward.call(r, maxResponse, c.op.HTTP.timeouts, runner.Invocation{ID: c.id, Function: httpName(r.URL), Input: c.body})
}

func (h *HTTP) request(ctx context.Context, c call) (*http.Request, error) {
	text := c.fillURL(h.URL)
	u, err := url.Parse(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(text)) // or Go would not keep the path as it is escaped
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("url: got %s, want http:// or https:// and a host", quote(text))
	}
	fill := c.filler()
	if h.AllQuery || len(h.Query) > 0 {
		query := u.Query()
		if h.AllQuery {
			maps.Copy(query, c.query)
		}
		for _, q := range h.Query {
			value := fill.Replace(q.Value)
			query.Del(q.Name)
			if value != "" || !h.OmitQuery {
				query.Set(q.Name, value)
			}
		}
		u.RawQuery = query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, cmp.Or(h.Method, c.method), u.String(), c.content())
	if err != nil {
		return nil, err
	}
	all := c.headers()
	if h.AllHeaders {
		r.Header = all
		r.Header.Del("Content-Length") // the transport knows it
	} else {
		r.Header["User-Agent"] = all["User-Agent"]
	}
	c.told(r.Header)
	for _, f := range h.Headers {
		value := fill.Replace(f.Value)
		r.Header.Del(f.Name)
		if value != "" || !h.OmitHeaders {
			r.Header.Set(f.Name, value)
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Del("Host")
	if r.Header.Get("User-Agent") == "" {
		r.Header["User-Agent"] = []string{""} // or net/http would say its own
	}
	return r, nil
}

// content is the body of an outgoing request; nil when there is none.
func (c call) content() io.Reader {
	if len(c.body) == 0 {
		return nil
	}
	return bytes.NewReader(c.body)
}

// fillURL replaces parameters in a URL: escaped in its path and in its query, as they are before, where the host stands or where
// the parameter is the whole address. Only greedy parameters bring slashes into a path.
func (c call) fillURL(template string) string {
	values := make(map[string]string)
	for _, p := range c.op.Parameters {
		values[p.Name] = c.value(p)
	}
	var b strings.Builder
	for rest := template; rest != ""; {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		name, after, closed := strings.Cut(rest[1:], "}")
		value, declared := values[name]
		if !closed || !declared {
			b.WriteByte('{')
			rest = rest[1:]
			continue
		}
		_, path, _ := strings.Cut(b.String(), "://")
		switch {
		case strings.Contains(path, "?"):
			value = url.QueryEscape(value)
		case strings.Contains(path, "/") && strings.Contains(c.resource, "{"+name+"+}"):
			parts := strings.Split(value, "/")
			for i, part := range parts {
				parts[i] = url.PathEscape(part)
			}
			value = strings.Join(parts, "/")
		case strings.Contains(path, "/"):
			value = url.PathEscape(value)
		}
		b.WriteString(value)
		rest = after
	}
	return b.String()
}
