package iam

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// audience is who the JWTs of authorized keys are for, wherever they are sent.
const audience = "https://iam.api.cloud.yandex.net/iam/v1/tokens"

// fromJWT returns who has signed a JWT. Without StrictAuth that of a key that is not here is taken as it is, since clients come with the
// keys of real accounts, and the times that it says are not looked at: the clock of the house may have been moved.
func (s *Service) fromJWT(text string) (issuer string, err error) {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return "", err
	}
	if claims.Issuer == "" {
		return "", errors.New("it has no iss, want the id of the account")
	}
	id := token.Headers[0].KeyID
	key, known := s.publicKey(id, claims.Issuer)
	switch {
	case !known && s.o.StrictAuth:
		return "", errors.New("its kid " + id + " is no authorized key of " + claims.Issuer)
	case !known:
		return claims.Issuer, nil
	}
	if err := token.Claims(key); err != nil {
		return "", fmt.Errorf("the key %s has not signed it: %w", id, err)
	}
	if s.o.StrictAuth {
		return claims.Issuer, s.timely(claims)
	}
	return claims.Issuer, nil
}

// timely checks what a JWT says of when and for whom it is.
func (s *Service) timely(claims jwt.Claims) error {
	const skew = time.Minute // of the clients' clocks
	now := s.o.Signers()
	switch {
	case !slices.Contains(claims.Audience, audience):
		return errors.New("its aud lacks " + audience)
	case claims.IssuedAt == nil || claims.Expiry == nil:
		return errors.New("it lacks iat or exp")
	case claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Hour:
		return errors.New("its exp is more than an hour after its iat")
	case claims.IssuedAt.Time().After(now.Add(skew)):
		return errors.New("its iat is in the future")
	case !now.Before(claims.Expiry.Time()):
		return errors.New("it has expired")
	}
	return nil
}

// publicKey returns an authorized key of an account.
func (s *Service) publicKey(id, account string) (key any, known bool) {
	k, err := s.keys.Get(id)
	if err != nil || k.Message.GetServiceAccountId() != account && k.Message.GetUserAccountId() != account {
		return nil, false
	}
	block, _ := pem.Decode([]byte(k.Message.PublicKey))
	if block == nil {
		return nil, false
	}
	key, err = x509.ParsePKIXPublicKey(block.Bytes)
	return key, err == nil
}
