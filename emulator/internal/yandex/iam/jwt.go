package iam

import (
	"crypto/rsa"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// audience is who the JWTs of authorized keys are for, wherever they are sent.
const audience = "https://iam.api.cloud.yandex.net/iam/v1/tokens"

// fromJWT returns who has signed a JWT. Without StrictAuth that of a key that is not here is taken as it is, since clients come with the
// keys of real accounts, and the times that it says are not looked at: the clock of the house may have been moved.
func (s *Service) fromJWT(text string) (issuer string, err error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"PS256"}), jwt.WithoutClaimsValidation())
	claims := &jwt.RegisteredClaims{}
	unverified, _, err := parser.ParseUnverified(text, claims)
	if err != nil {
		return "", err
	}
	if claims.Issuer == "" {
		return "", errors.New("it has no iss, want the id of the account")
	}
	id, _ := unverified.Header["kid"].(string)
	key, known := s.publicKey(id, claims.Issuer)
	switch {
	case !known && s.o.StrictAuth:
		return "", errors.New("its kid " + id + " is no authorized key of " + claims.Issuer)
	case !known:
		return claims.Issuer, nil
	}
	if _, err := parser.ParseWithClaims(text, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return "", err
	}
	if s.o.StrictAuth {
		return claims.Issuer, s.timely(claims)
	}
	return claims.Issuer, nil
}

// timely checks what a JWT says of when and for whom it is.
func (s *Service) timely(claims *jwt.RegisteredClaims) error {
	const skew = time.Minute // of the clients' clocks
	now := s.now()
	switch {
	case !slices.Contains(claims.Audience, audience):
		return errors.New("its aud lacks " + audience)
	case claims.IssuedAt == nil || claims.ExpiresAt == nil:
		return errors.New("it lacks iat or exp")
	case claims.ExpiresAt.Sub(claims.IssuedAt.Time) > time.Hour:
		return errors.New("its exp is more than an hour after its iat")
	case claims.IssuedAt.After(now.Add(skew)):
		return errors.New("its iat is in the future")
	case !now.Before(claims.ExpiresAt.Time):
		return errors.New("it has expired")
	}
	return nil
}

// publicKey returns an authorized key of an account.
func (s *Service) publicKey(id, account string) (*rsa.PublicKey, bool) {
	k, err := s.keys.Get(id)
	if err != nil || k.Message.GetServiceAccountId() != account && k.Message.GetUserAccountId() != account {
		return nil, false
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(k.Message.PublicKey))
	return key, err == nil
}
