package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/functions/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// metadata answers with t1.1, t1.2, … for an hour each, or with a status.
type metadata struct {
	transport *http.Transport
	asked     atomic.Int32
	status    atomic.Int32
}

// newMetadata is reached as a proxy: nobody routes 169.254.169.254 here.
func newMetadata(t *testing.T) *metadata {
	m := &metadata{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token" || r.Header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("asked for %s with %v", r.URL, r.Header)
		}
		n := m.asked.Add(1)
		if status := m.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		fmt.Fprintf(w, `{"access_token":"t1.%d","expires_in":3600,"token_type":"Bearer"}`, n)
	}))
	t.Cleanup(s.Close)
	proxy, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	m.transport = &http.Transport{Proxy: http.ProxyURL(proxy)}
	t.Cleanup(m.transport.CloseIdleConnections)
	return m
}

func TestTokenIsKept(t *testing.T) {
	is := is.New(t)
	m := newMetadata(t)
	now := time.Unix(1_790_000_000, 0)
	source := token.NewMetadata("", m.transport, func() time.Time { return now })
	for _, step := range []struct {
		after  time.Duration
		status int32
		want   string
		asked  int32
	}{
		{0, 0, "t1.1", 1},
		{54 * time.Minute, 0, "t1.1", 1},
		{time.Minute, 503, "t1.1", 2}, // five minutes before its end it is fetched anew; the old one serves while that fails
		{time.Minute, 0, "t1.3", 3},
		{59 * time.Minute, 503, "t1.3", 4},
	} {
		now = now.Add(step.after)
		m.status.Store(step.status)
		got, err := source.Token(t.Context())
		is.NoErr(err)
		is.Equal(got, step.want)
		is.Equal(m.asked.Load(), step.asked)
	}
	now = now.Add(time.Minute) // over
	_, err := source.Token(t.Context())
	is.Equal(err.Error(), "token: metadata service at 169.254.169.254: 503 Service Unavailable: has this function a service account?")
}

func TestManyAskOnce(t *testing.T) {
	is := is.New(t)
	m := newMetadata(t)
	source := token.NewMetadata("", m.transport, nil)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if got, err := source.Token(t.Context()); got != "t1.1" || err != nil {
				t.Error(got, err)
			}
		})
	}
	group.Wait()
	is.Equal(m.asked.Load(), int32(1))
}

func TestAnswersThatAreNone(t *testing.T) {
	for body, want := range map[string]string{`{}`: "no access_token in the answer", `<html>`: "invalid character"} {
		is := is.New(t)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		transport := &http.Transport{}
		_, err := token.NewMetadata(strings.TrimPrefix(s.URL, "http://"), transport, nil).Token(t.Context())
		is.True(strings.Contains(err.Error(), want))
		transport.CloseIdleConnections()
		s.Close()
	}
}

func TestContextEnds(t *testing.T) {
	is := is.New(t)
	m := newMetadata(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := token.NewMetadata("", m.transport, nil).Token(ctx)
	is.True(errors.Is(err, context.Canceled))
}
