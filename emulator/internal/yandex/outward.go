package yandex

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/runner"
)

// maxResponse bounds what an integration may answer, in bytes: 2.5 MB, as much as a request may have.
const maxResponse = maxRequest

// outward is the way out: to http integrations, containers and issuers of tokens, for gateways and triggers alike.
type outward struct {
	transport http.RoundTripper
	clock     clock.Clock
	mint      *minter
	invoked   func(runner.Invocation) // nil: nobody hears of calls
}

// timeouts bound an outgoing request beside what its context does; 0: not at all.
type timeouts struct{ connect, read time.Duration }

// send makes a request and reads its whole answer, of most bytes. An error goes with the answer that the client gets instead.
func (o outward) send(r *http.Request, most int64, t timeouts) (answer, error) {
	ctx, p := patient(r.Context(), o.clock)
	defer p.end()
	fail := func(err error) (answer, error) {
		switch err := fmt.Errorf("%s %s: %w", r.Method, r.URL.Redacted(), err); {
		case tooSlow(ctx):
			err = fmt.Errorf("%s %s: %w", r.Method, r.URL.Redacted(), context.Cause(ctx))
			return failed(http.StatusGatewayTimeout, "Gateway Timeout: "+context.Cause(ctx).Error()), err
		default:
			return failed(http.StatusBadGateway, "Bad Gateway: "+clip(err.Error())), err
		}
	}
	p.give(t.read, errRead)
	// Only what really connects has these moments.
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) {
			if t.connect > 0 {
				p.give(t.connect, errConnect)
			}
		},
		GotConn: func(httptrace.GotConnInfo) { p.give(t.read, errRead) },
	}))
	res, err := o.transport.RoundTrip(r)
	if err != nil {
		return fail(err)
	}
	if res.StatusCode < 200 || res.StatusCode > 599 {
		_ = res.Body.Close() // unread: that of 101 is the connection, which no context ends
		return fail(fmt.Errorf("got the status %d, want 200 to 599", res.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if e := res.Body.Close(); err == nil {
		err = e
	}
	switch {
	case err != nil:
		return fail(err)
	case int64(len(body)) > most:
		return fail(fmt.Errorf("the answer is over %d bytes", most))
	}
	a := answer{status: res.StatusCode, header: res.Header, body: body}
	dropHop(a.header)
	if r.Method != http.MethodHead {
		a.header.Del("Content-Length") // it is told by hand
	}
	if a.header["Content-Type"] == nil {
		a.header["Content-Type"] = nil // or net/http would find one
	}
	return a, nil
}

// call is send for what stands for a function; in says what is known of it before. Without an ID it gets one.
func (o outward) call(r *http.Request, most int64, t timeouts, in runner.Invocation) (answer, error) {
	if o.invoked == nil {
		return o.send(r, most, t)
	}
	if in.ID == "" {
		id, err := o.mint.uuid()
		if err != nil {
			return failed(http.StatusInternalServerError, err.Error()), err
		}
		in.ID = id
	}
	began := time.Now()
	in.Started = o.clock.Now()
	a, err := o.send(r, most, t)
	in.Duration = time.Since(began)
	switch {
	case err != nil:
		in.Error = err.Error()
	case a.status > 299:
		in.Error = fmt.Sprintf("answered %d", a.status)
	}
	if err == nil {
		in.Output = a.body
	}
	o.invoked(in)
	return a, err
}

// What records call those that are no functions.
func containerName(id string) string { return "container:" + id }
func httpName(u *url.URL) string     { return "http:" + u.Host + u.EscapedPath() }

// dropHop takes from headers what is of one hop, by its name or since Connection says so, or of the handshake alone.
func dropHop(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions",
		"Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding"} {
		h.Del(name)
	}
}
