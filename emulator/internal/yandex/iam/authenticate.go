package iam

import (
	"context"
	"strings"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// toAll tells which methods need no token: where clients learn addresses, and where they get tokens.
func toAll(method string) bool {
	return method == "/yandex.cloud.iam.v1.IamTokenService/Create" || strings.HasPrefix(method, "/yandex.cloud.endpoint.ApiEndpointService/")
}

// Authenticate puts who calls into the context of a call. The authorization is that of the header or metadata, and "" when there is
// none. The error is UNAUTHENTICATED.
func (s *Service) Authenticate(ctx context.Context, method, authorization string) (context.Context, error) {
	c, err := s.Caller(authorization)
	if err != nil && !toAll(method) {
		return ctx, err
	}
	return resource.WithCaller(ctx, c), nil
}

// Caller says who calls. Without StrictAuth a token or API key that was issued here tells, be it expired or revoked, and everybody else
// is the developer. With StrictAuth only the developer's token and those that were issued here and are good are taken; the error of all
// others is UNAUTHENTICATED, and the Caller is the zero one: somebody unknown, as Permit knows it.
func (s *Service) Caller(authorization string) (resource.Caller, error) {
	developer := resource.Caller{ID: s.o.UserID, Type: userAccount}
	scheme, credentials, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	credentials = strings.TrimSpace(credentials)
	who, err := developer, error(nil)
	switch {
	case authorization == "":
		err = bad("Authentication token is missing; send the header Authorization: Bearer <IAM token>")
	case strings.EqualFold(scheme, "Api-Key"):
		who, err = s.byAPIKey(credentials)
	case !strings.EqualFold(scheme, "Bearer"):
		err = bad("got an Authorization of another scheme, want Bearer <IAM token> or Api-Key <API key>")
	case credentials == s.o.DeveloperToken && credentials != "":
		return developer, nil
	default:
		who, err = s.byToken(credentials)
	}
	switch {
	case s.o.StrictAuth && err != nil:
		return resource.Caller{}, err
	case who.ID == "":
		return developer, nil
	}
	return who, nil
}

// byToken says who a token was issued to, also when it is not good any more.
func (s *Service) byToken(token string) (resource.Caller, error) {
	p, ours := s.open(token)
	if !ours {
		return resource.Caller{}, bad("The token is invalid")
	}
	who := resource.Caller{ID: p.Subject, Type: p.Type}
	return who, s.check(p)
}

// byAPIKey says whose an API key is, also when it is not good any more.
func (s *Service) byAPIKey(secret string) (resource.Caller, error) {
	s.mu.RLock()
	id := s.secrets[digest(secret)]
	s.mu.RUnlock()
	k, err := s.apiKeys.Get(id)
	if err != nil {
		return resource.Caller{}, bad("Unknown api key")
	}
	who := resource.Caller{ID: k.Message.ServiceAccountId, Type: serviceAccount}
	if at := k.Message.ExpiresAt; at != nil && !s.now().Before(at.AsTime()) {
		return who, bad("The API key has expired")
	}
	if err := s.usable(who.ID); err != nil {
		return who, bad("%v", err)
	}
	return who, nil
}
