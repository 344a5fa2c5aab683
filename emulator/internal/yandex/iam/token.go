package iam

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// tokenLife is how long an IAM token is good for.
const tokenLife = 12 * time.Hour

// pass is what an IAM token says. Tokens are t1.<pass>.<seal>, in base64url: as the cloud's they have two dots and a seal of 64 bytes.
// Nothing is stored of those that were issued, so they outlive restarts.
type pass struct {
	Subject string `json:"sub"`
	Type    string `json:"typ"`
	Expires int64  `json:"exp"` // Unix time
	Nonce   string `json:"non"` // tells tokens of one second apart; what is revoked is known by it
}

// bad is what is wrong with a token, for who has sent it.
func bad(format string, args ...any) error {
	return status.Errorf(codes.Unauthenticated, format, args...)
}

// openTokens reads the key that tokens are sealed with, or makes it, and the tokens that were revoked.
func (s *Service) openTokens(ctx context.Context) error {
	const name = "seal"
	secrets, err := resource.Open(ctx, s.o.Store, resource.Kind[*wrapperspb.StringValue]{
		Name: "iam-secret", Private: true, ID: func(m *wrapperspb.StringValue) string { return m.Value },
	})
	if err != nil {
		return err
	}
	if kept, err := secrets.Get(name); err == nil {
		s.sealing = kept.Extra
	} else {
		s.sealing = make([]byte, sha512.Size)
		if _, err := io.ReadFull(s.o.Random, s.sealing); err != nil {
			return fmt.Errorf("iam: key of tokens: %w", err)
		}
		if err := secrets.Put(ctx, resource.Item[*wrapperspb.StringValue]{Message: wrapperspb.String(name), Extra: s.sealing}); err != nil {
			return fmt.Errorf("iam: key of tokens: %w", err)
		}
	}
	s.revoked, err = resource.Open(ctx, s.o.Store, resource.Kind[*pb.RevokeIamTokenRequest]{
		Name: "revoked-token", Private: true, ID: func(m *pb.RevokeIamTokenRequest) string { return nonceOf(m.IamToken) },
	})
	if err != nil {
		return err
	}
	for _, m := range s.revoked.Messages(nil) {
		if p, ok := s.open(m.IamToken); ok {
			s.dead[p.Nonce] = time.Unix(p.Expires, 0)
		}
	}
	return s.forgetRevoked(ctx)
}

// issue makes a token.
func (s *Service) issue(subject, kind string) (token string, expires time.Time, err error) {
	nonce, err := s.text(12)
	if err != nil {
		return "", time.Time{}, err
	}
	expires = s.now().Add(tokenLife).Truncate(time.Second)
	said, err := json.Marshal(pass{Subject: subject, Type: kind, Expires: expires.Unix(), Nonce: nonce})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("iam: token: %w", err)
	}
	body := base64.RawURLEncoding.EncodeToString(said)
	return "t1." + body + "." + s.seal(body), expires, nil
}

func (s *Service) seal(body string) string {
	mac := hmac.New(sha512.New, s.sealing)
	_, _ = mac.Write([]byte(body)) // it does not fail
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// open reads a token that was issued here; false for all others.
func (s *Service) open(token string) (pass, bool) {
	rest, ours := strings.CutPrefix(token, "t1.")
	body, seal, whole := strings.Cut(rest, ".")
	if !ours || !whole || !hmac.Equal([]byte(seal), []byte(s.seal(body))) {
		return pass{}, false
	}
	return read(body)
}

func read(body string) (p pass, ok bool) {
	said, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return p, false
	}
	return p, json.Unmarshal(said, &p) == nil
}

// nonceOf reads the nonce of a token whose seal has been checked before.
func nonceOf(token string) string {
	body, _, _ := strings.Cut(strings.TrimPrefix(token, "t1."), ".")
	p, _ := read(body)
	return p.Nonce
}

// check says what is wrong with a token that was issued here.
func (s *Service) check(p pass) error {
	s.mu.RLock()
	_, dead := s.dead[p.Nonce]
	s.mu.RUnlock()
	switch {
	case dead:
		return bad("The token has been revoked")
	case s.now().Unix() >= p.Expires:
		return bad("The token has expired")
	case p.Type == serviceAccount:
		if err := s.usable(p.Subject); err != nil {
			return bad("%v", err)
		}
	}
	return nil
}

// revoke ends a token before its time.
func (s *Service) revoke(ctx context.Context, token string, p pass) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.forgetRevoked(ctx); err != nil {
		return err
	}
	if err := s.revoked.Put(ctx, resource.Item[*pb.RevokeIamTokenRequest]{Message: &pb.RevokeIamTokenRequest{IamToken: token}}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[p.Nonce] = time.Unix(p.Expires, 0)
	return nil
}

// forgetRevoked drops what has expired since, so that not more is remembered than was revoked in the life of a token.
func (s *Service) forgetRevoked(ctx context.Context) error {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for nonce, expires := range s.dead {
		if now.Before(expires) {
			continue
		}
		if err := s.revoked.Delete(ctx, nonce); err != nil {
			return err
		}
		delete(s.dead, nonce)
	}
	return nil
}

// TokenFor issues an IAM token to a service account, for the metadata service. The error says why the account may not have one; without
// StrictAuth only a suspended or expired account may not.
func (s *Service) TokenFor(serviceAccountID string) (token string, expires time.Time, err error) {
	if err := s.mayHaveToken(serviceAccountID); err != nil {
		return "", time.Time{}, err
	}
	return s.issue(serviceAccountID, serviceAccount)
}

// mayHaveToken says why an account gets no token. One that is not here gets one without StrictAuth: functions may name accounts of the
// real cloud.
func (s *Service) mayHaveToken(id string) error {
	known := s.accounts.Look(id, func(*pb.ServiceAccount) {})
	if !known && !s.o.StrictAuth {
		return nil
	}
	return s.usable(id)
}

// alphabet is what secrets are made of: 64 letters, so that each random byte gives one and all are equally likely.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// text makes a random text.
func (s *Service) text(length int) (string, error) {
	b := make([]byte, length)
	s.random.Lock()
	_, err := io.ReadFull(s.o.Random, b)
	s.random.Unlock()
	if err != nil {
		return "", fmt.Errorf("iam: random: %w", err)
	}
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b), nil
}
