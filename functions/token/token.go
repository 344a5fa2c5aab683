// Package token gets IAM tokens of Yandex Cloud from the metadata service of where it runs.
package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// MetadataAddr is where Yandex Cloud's machines and functions find the metadata service.
const MetadataAddr = "169.254.169.254"

// Static is a source of one token.
func Static(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// Metadata is a source of the tokens of the service account that this function runs as. It is safe for concurrent use.
type Metadata struct {
	addr      string
	transport http.RoundTripper
	now       func() time.Time

	turn    chan struct{} // held by whoever fetches: a mutex that a context can leave
	mu      sync.Mutex
	token   string
	refresh time.Time
	expires time.Time
}

// NewMetadata makes a Metadata. addr is a host with or without a port (empty: MetadataAddr); transport should go through the proxies of
// the environment, so that an emulator can stand in (nil: http.DefaultTransport, which does); now may be nil.
func NewMetadata(addr string, transport http.RoundTripper, now func() time.Time) *Metadata {
	if addr == "" {
		addr = MetadataAddr
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	if now == nil {
		now = time.Now
	}
	return &Metadata{addr: addr, transport: transport, now: now, turn: make(chan struct{}, 1)}
}

// Token returns a token that is good for a while. When a new one cannot be had the old one serves until it expires.
func (m *Metadata) Token(ctx context.Context) (string, error) {
	if token, fresh, _ := m.cached(); fresh {
		return token, nil
	}
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	token, fresh, usable := m.cached() // somebody else may have been quicker
	if fresh {
		return token, nil
	}
	if err := m.fetch(ctx); err != nil {
		if usable {
			return token, nil
		}
		return "", fmt.Errorf("token: metadata service at %s: %w", m.addr, err)
	}
	token, _, _ = m.cached()
	return token, nil
}

func (m *Metadata) cached() (token string, fresh, usable bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	return m.token, m.token != "" && now.Before(m.refresh), m.token != "" && now.Before(m.expires)
}

func (m *Metadata) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.addr+"/computeMetadata/v1/instance/service-accounts/default/token", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Metadata-Flavor", "Google")
	response, err := m.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: has this function a service account?", response.Status)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if answer.AccessToken == "" {
		return errors.New("no access_token in the answer")
	}
	life := time.Duration(answer.ExpiresIn) * time.Second
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token, m.expires = answer.AccessToken, m.now().Add(life)
	m.refresh = m.expires.Add(-min(5*time.Minute, life/4))
	return nil
}
