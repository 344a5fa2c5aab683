package iam_test

import (
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/iam"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// form is that of the cloud's tokens, as its documentation gives it.
var form = regexp.MustCompile(`^t1\.[A-Z0-9a-z_-]+[=]{0,2}\.[A-Z0-9a-z_-]{86}[=]{0,2}$`)

func byOAuth(token string) *pb.CreateIamTokenRequest {
	return &pb.CreateIamTokenRequest{Identity: &pb.CreateIamTokenRequest_YandexPassportOauthToken{YandexPassportOauthToken: token}}
}

func byJWT(text string) *pb.CreateIamTokenRequest {
	return &pb.CreateIamTokenRequest{Identity: &pb.CreateIamTokenRequest_Jwt{Jwt: text}}
}

func TestTokens(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, strict)
	forAccount, err := h.tokens.CreateForServiceAccount(dev(t), &pb.CreateIamTokenForServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	is.True(form.MatchString(forAccount.IamToken))
	is.Equal(forAccount.ExpiresAt.AsTime(), noon.Add(12*time.Hour))
	other, _, err := h.TokenFor(accountID)
	is.NoErr(err)
	is.True(other != forAccount.IamToken) // of the same second
	account := resource.Caller{ID: accountID, Type: "serviceAccount"}

	h = open(t, j, strict) // they outlive a restart
	who, err := h.Caller("Bearer " + forAccount.IamToken)
	is.NoErr(err)
	is.Equal(who, account)
	who, err = h.Caller("bearer  " + other)
	is.NoErr(err)
	is.Equal(who, account)

	revoked, err := h.tokens.Revoke(dev(t), &pb.RevokeIamTokenRequest{IamToken: other})
	is.NoErr(err)
	is.Equal(revoked.SubjectId, accountID)
	for range 2 { // and so does a revocation
		_, err = h.Caller("Bearer " + other)
		wants(t, err, codes.Unauthenticated, "The token has been revoked")
		_, err = h.Caller("Bearer " + forAccount.IamToken)
		is.NoErr(err)
		h = open(t, j, strict)
	}
	h.clock.Advance(12*time.Hour - time.Second)
	_, err = h.Caller("Bearer " + forAccount.IamToken)
	is.NoErr(err)
	h.clock.Advance(time.Second)
	_, err = h.Caller("Bearer " + forAccount.IamToken)
	wants(t, err, codes.Unauthenticated, "The token has expired")

	// What has expired need not be remembered.
	_, _, err = h.TokenFor(accountID)
	is.NoErr(err)
	kept, err := j.Values(t.Context(), "resource.revoked-token")
	is.NoErr(err)
	is.Equal(len(kept), 1)
	third, _, err := h.TokenFor(accountID)
	is.NoErr(err)
	_, err = h.tokens.Revoke(dev(t), &pb.RevokeIamTokenRequest{IamToken: third})
	is.NoErr(err)
	kept, err = j.Values(t.Context(), "resource.revoked-token")
	is.NoErr(err)
	is.Equal(len(kept), 1)

	for _, token := range []string{developer, "t1.a.b", other[:len(other)-1], "x"} {
		_, err = h.tokens.Revoke(dev(t), &pb.RevokeIamTokenRequest{IamToken: token})
		is.True(err != nil)
	}
}

// No change to a token goes unseen.
func FuzzTokensAreSealed(f *testing.F) {
	h := open(f, nil, strict)
	token, _, err := h.TokenFor(accountID)
	is.New(f).NoErr(err)
	f.Add(token + "x")
	f.Add(strings.Replace(token, "t1.", "t1.e30", 1))
	f.Add("t1.e30.")
	f.Add("t1..")
	f.Add(token[:len(token)-1])
	f.Fuzz(func(t *testing.T, changed string) {
		if changed = strings.TrimSpace(changed); changed == token || changed == developer {
			return
		}
		_, err := h.Caller("Bearer " + changed)
		wants(t, err, codes.Unauthenticated, "The token is invalid")
	})
}

func TestTokensForOAuth(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, nil)
	got, err := h.tokens.Create(t.Context(), byOAuth("y0_whatever")) // it needs no token
	is.NoErr(err)
	is.True(form.MatchString(got.IamToken))
	_, err = h.tokens.Create(t.Context(), &pb.CreateIamTokenRequest{})
	wants(t, err, codes.InvalidArgument, "identity")

	h = open(t, nil, strict)
	_, err = h.tokens.Create(t.Context(), byOAuth("y0_whatever"))
	wants(t, err, codes.Unauthenticated, "OAuth token is invalid or expired")
	got, err = h.tokens.Create(as(t, "Bearer nonsense"), byOAuth("y0_mine"))
	is.NoErr(err)
	who, err := h.Caller("Bearer " + got.IamToken)
	is.NoErr(err)
	is.Equal(who, resource.Caller{ID: userID, Type: "userAccount"})
	_, err = open(t, nil, func(o *iam.Options) { o.StrictAuth = true }).tokens.Create(t.Context(), byOAuth(""))
	wants(t, err, codes.Unauthenticated, "OAuth")
}

// signed makes a JWT as the SDKs do.
func signed(t *testing.T, id, private string, claims jwt.Claims) string {
	t.Helper()
	return signedBy(t, jose.PS256, id, private, claims)
}

func signedBy(t *testing.T, algorithm jose.SignatureAlgorithm, id, private string, claims jwt.Claims) string {
	t.Helper()
	is := is.New(t)
	block, _ := pem.Decode([]byte(private))
	is.True(block != nil)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	is.NoErr(err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	is.NoErr(err)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	is.NoErr(err)
	return text
}

func claims(issuer string, at time.Time) jwt.Claims {
	return jwt.Claims{Issuer: issuer, IssuedAt: jwt.NewNumericDate(at), Expiry: jwt.NewNumericDate(at.Add(time.Hour)),
		Audience: jwt.Audience{"https://iam.api.cloud.yandex.net/iam/v1/tokens"}}
}

// Who signs has the machine's clock, wherever the house's is.
func TestJWTsGoByTheClockOfSigners(t *testing.T) {
	is := is.New(t)
	signers := noon
	h := open(t, nil, func(o *iam.Options) {
		strict(o)
		o.Signers = func() time.Time { return signers }
	})
	made, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	ask := func() error {
		_, err := h.tokens.Create(t.Context(), byJWT(signed(t, made.Key.Id, made.PrivateKey, claims(accountID, noon))))
		return err
	}
	h.clock.Advance(24 * time.Hour)
	is.NoErr(ask())
	signers = noon.Add(time.Hour)
	wants(t, ask(), codes.Unauthenticated, "it has expired")
}

func TestTokensForAuthorizedKeys(t *testing.T) {
	is, j := is.New(t), keep(t)
	h := open(t, j, strict)
	made, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	another, err := h.keys.Create(dev(t), &pb.CreateKeyRequest{ServiceAccountId: create(t, h, "robot").Id})
	is.NoErr(err)
	id, private := made.Key.Id, made.PrivateKey

	h = open(t, j, strict)
	got, err := h.tokens.Create(t.Context(), byJWT(signed(t, id, private, claims(accountID, noon))))
	is.NoErr(err)
	who, err := h.Caller("Bearer " + got.IamToken)
	is.NoErr(err)
	is.Equal(who, resource.Caller{ID: accountID, Type: "serviceAccount"})

	other := claims(accountID, noon)
	other.Audience = jwt.Audience{"https://example.org"}
	long := claims(accountID, noon)
	long.Expiry = jwt.NewNumericDate(noon.Add(2 * time.Hour))
	endless := claims(accountID, noon)
	endless.Expiry = nil
	forged := signed(t, id, another.PrivateKey, claims(accountID, noon))
	for want, text := range map[string]string{
		"has not signed it":         forged,
		"is no authorized key of":   signed(t, another.Key.Id, another.PrivateKey, claims(accountID, noon)),
		"no authorized key of aje9": signed(t, id, private, claims("aje9", noon)),
		"has no iss":                signed(t, id, private, claims("", noon)),
		"aud lacks":                 signed(t, id, private, other),
		"more than an hour":         signed(t, id, private, long),
		"lacks iat or exp":          signed(t, id, private, endless),
		"in the future":             signed(t, id, private, claims(accountID, noon.Add(2*time.Minute))),
		"has expired":               signed(t, id, private, claims(accountID, noon.Add(-time.Hour))),
		"must have three parts":     "nonsense",
		"unexpected signature":      signedBy(t, jose.RS256, id, private, claims(accountID, noon)),
	} {
		_, err := h.tokens.Create(t.Context(), byJWT(text))
		wants(t, err, codes.Unauthenticated, want)
	}
	_, err = h.accounts.Suspend(dev(t), &pb.SuspendServiceAccountRequest{ServiceAccountId: accountID})
	is.NoErr(err)
	_, err = h.tokens.Create(t.Context(), byJWT(signed(t, id, private, claims(accountID, noon))))
	wants(t, err, codes.Unauthenticated, "is suspended")

	t.Run("not strict", func(t *testing.T) {
		is := is.New(t)
		h := open(t, j, nil)
		_, err := h.tokens.Create(t.Context(), byJWT(forged)) // the key is known
		wants(t, err, codes.Unauthenticated, "has not signed it")
		_, err = h.tokens.Create(t.Context(), byJWT("nonsense"))
		wants(t, err, codes.Unauthenticated, "JWT is invalid")
		// The key of an account of the real cloud.
		got, err := h.tokens.Create(t.Context(), byJWT(signed(t, "ajeelsewhere", private, claims("ajereal", noon.AddDate(-1, 0, 0)))))
		is.NoErr(err)
		who, err := h.Caller("Bearer " + got.IamToken)
		is.NoErr(err)
		is.Equal(who.ID, "ajereal")
	})
}
