package iam

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type tokenService struct {
	pb.UnimplementedIamTokenServiceServer
	*Service
}

// Create issues a token to the developer for an OAuth token, and to an account for a JWT that its key has signed.
func (s *tokenService) Create(_ context.Context, r *pb.CreateIamTokenRequest) (*pb.CreateIamTokenResponse, error) {
	switch identity := r.Identity.(type) {
	case *pb.CreateIamTokenRequest_YandexPassportOauthToken:
		given := identity.YandexPassportOauthToken
		if given == "" || s.o.StrictAuth && (given != s.o.OAuth && given != s.o.DeveloperToken) {
			return nil, bad("OAuth token is invalid or expired")
		}
		return s.answer(s.o.UserID, userAccount)
	case *pb.CreateIamTokenRequest_Jwt:
		issuer, err := s.fromJWT(identity.Jwt)
		if err != nil {
			return nil, bad("JWT is invalid: %v", err)
		}
		if issuer == s.o.UserID {
			return s.answer(issuer, userAccount)
		}
		if err := s.mayHaveToken(issuer); err != nil {
			return nil, bad("%v", err)
		}
		return s.answer(issuer, serviceAccount)
	}
	return nil, resource.Invalid("identity", "got none, want yandex_passport_oauth_token or jwt")
}

// CreateForServiceAccount lets a caller act as a service account.
func (s *tokenService) CreateForServiceAccount(ctx context.Context, r *pb.CreateIamTokenForServiceAccountRequest) (*pb.CreateIamTokenResponse, error) {
	if _, err := s.account(ctx, r.ServiceAccountId, tokenCreator); err != nil {
		return nil, err
	}
	if err := s.usable(r.ServiceAccountId); err != nil {
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	return s.answer(r.ServiceAccountId, serviceAccount)
}

// Revoke ends a token that was issued here, whoever asks.
func (s *tokenService) Revoke(ctx context.Context, r *pb.RevokeIamTokenRequest) (*pb.RevokeIamTokenResponse, error) {
	if r.IamToken == s.o.DeveloperToken {
		return nil, status.Error(codes.FailedPrecondition, "the developer's token cannot be revoked: regcast itself uses it")
	}
	p, ours := s.open(r.IamToken)
	if !ours {
		return nil, resource.Invalid("iam_token", "got one that was not issued here")
	}
	if s.now().Unix() < p.Expires { // one that has expired is dead enough
		if err := s.revoke(ctx, r.IamToken, p); err != nil {
			return nil, err
		}
	}
	return &pb.RevokeIamTokenResponse{SubjectId: p.Subject}, nil
}

func (s *tokenService) answer(subject, kind string) (*pb.CreateIamTokenResponse, error) {
	token, expires, err := s.issue(subject, kind)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &pb.CreateIamTokenResponse{IamToken: token, ExpiresAt: timestamppb.New(expires)}, nil
}
