package yandex

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuers are what the issuers of tokens have said of their keys.
type issuers struct {
	addresses cache[string]           // of the keys, by the address of the configuration
	keys      cache[*jose.JSONWebKey] // by address and id
}

// signingKey finds the key of that id among an issuer's, without an id the only one; nil: there is none. An error says why it
// could not be asked for.
func (d *door) signingKey(ctx context.Context, j *JWT, id string) (*jose.JSONWebKey, error) {
	address, now := j.Keys, d.clock.Now()
	if address == "" {
		var ok bool
		if address, ok = d.issuers.addresses.get(j.Discovery, now); !ok {
			var told struct {
				Keys string `json:"jwks_uri"`
			}
			if err := d.read(ctx, j.Discovery, &told); err != nil {
				return nil, err
			}
			if told.Keys == "" {
				return nil, fmt.Errorf("%s: there is no jwks_uri", j.Discovery)
			}
			address = told.Keys
			d.issuers.addresses.put(j.Discovery, address, now, j.KeyTTL)
		}
	}
	entry := address + "\n" + id
	if key, ok := d.issuers.keys.get(entry, now); ok {
		return key, nil
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := d.read(ctx, address, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		return nil, fmt.Errorf("%s: there are no keys", address)
	}
	for _, raw := range set.Keys {
		key := new(jose.JSONWebKey)
		if json.Unmarshal(raw, key) != nil {
			continue // of a kind that signs none of these tokens
		}
		if key.KeyID == id || id == "" && len(set.Keys) == 1 {
			d.issuers.keys.put(entry, key, now, j.KeyTTL)
			return key, nil
		}
	}
	return nil, nil
}

// read reads JSON from an issuer.
func (d *door) read(ctx context.Context, address string, v any) error {
	const patience = 10 * time.Second
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if r.URL.Host == "" {
		return fmt.Errorf("got the address %s, want a URL", quote(address))
	}
	r.Header.Set("Accept", "application/json")
	a, err := d.outward.send(r, maxResponse, timeouts{read: patience})
	switch {
	case err != nil:
		return err
	case a.status != http.StatusOK:
		return fmt.Errorf("%s: got the status %d", address, a.status)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}
