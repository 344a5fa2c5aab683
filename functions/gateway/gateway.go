// Package gateway posts messages to WebSocket connections through a cloud's management API: AWS's @connections or Yandex Cloud's
// ConnectionService.
//
// A message goes to many connections, so what can be made ready once is: the hash that a signature covers, the envelope and its
// base64. One post is one request and never repeated here; the error tells what can be done about it.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MessageLimit is the most bytes that a connection takes in one message, on both clouds.
const MessageLimit = 128 << 10

// What became of a post that was not taken. Anything else is an *Error that says so itself.
var (
	ErrGone     = errors.New("connection is gone")      // for good
	ErrRejected = errors.New("message is rejected")     // too large (413) or otherwise not for this connection (400): not to be repeated
	ErrBusy     = errors.New("gateway is busy")         // throttled, failed or out of reach: may be tried again
	ErrRefused  = errors.New("gateway refuses to post") // credentials or address: it will refuse every post
)

// Error is an answer that is no success. It unwraps to one of the sentinels.
type Error struct {
	Status int    // 0: no answer came
	Code   string // the cloud's word: "GoneException"; may be empty
	Text   string
	Kind   error
}

func (e *Error) Error() string {
	parts := []string{e.Kind.Error()}
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))
	}
	for _, s := range []string{e.Code, e.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Kind }

// Message is ready to go to any connection.
type Message struct {
	body []byte
	hash string // SHA-256 in hex, where requests are signed
}

// Transport is an http.Transport for many posts to one host at once.
func Transport(concurrency int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, concurrency
	t.DisableCompression = true
	t.WriteBufferSize, t.ReadBufferSize = 4<<10, 4<<10
	t.ResponseHeaderTimeout = 10 * time.Second
	return t
}

// post does one request and judges its answer. The transport is asked without a client: there are no redirects to follow.
func post(ctx context.Context, transport http.RoundTripper, r *http.Request, body []byte, judge func(status int, header http.Header, body []byte) error) error {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	// Sent on a kept connection that the server has just closed, the transport repeats the request with this.
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	response, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &Error{Text: err.Error(), Kind: ErrBusy}
	}
	defer response.Body.Close()
	if response.StatusCode/100 == 2 {
		// Read to its end so that the connection is kept; a body of any size is not worth it.
		if response.ContentLength != 0 {
			_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
		}
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10)) // what came of it is what there is to say
	return judge(response.StatusCode, response.Header, text)
}

// kind judges by status alone.
func kind(status int) error {
	switch {
	case status == http.StatusGone:
		return ErrGone
	case status == http.StatusRequestEntityTooLarge, status == http.StatusBadRequest:
		return ErrRejected
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500 && status != http.StatusNotImplemented:
		return ErrBusy
	}
	return ErrRefused
}

// base is an endpoint's URL without a trailing slash.
func base(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(endpoint, "/"))
	if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = errors.New("want http://host… or https://host…")
	}
	if err != nil {
		return nil, fmt.Errorf("gateway: endpoint %q: %w", endpoint, err)
	}
	return u, nil
}
