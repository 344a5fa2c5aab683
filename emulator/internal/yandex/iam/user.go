package iam

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
)

// login is the developer's.
const login = "regcast"

// user is the developer, the one user there is.
func (s *Service) user() *pb.UserAccount {
	return &pb.UserAccount{Id: s.o.UserID, UserAccount: &pb.UserAccount_YandexPassportUserAccount{
		YandexPassportUserAccount: &pb.YandexPassportUserAccount{Login: login, DefaultEmail: login + "@localhost"},
	}}
}

type userService struct {
	pb.UnimplementedUserAccountServiceServer
	*Service
}

func (s *userService) Get(_ context.Context, r *pb.GetUserAccountRequest) (*pb.UserAccount, error) {
	if r.UserAccountId != s.o.UserID {
		return nil, status.Errorf(codes.NotFound, "User account %s not found", r.UserAccountId)
	}
	return s.user(), nil
}

type passportService struct {
	pb.UnimplementedYandexPassportUserAccountServiceServer
	*Service
}

func (s *passportService) GetByLogin(_ context.Context, r *pb.GetUserAccountByLoginRequest) (*pb.UserAccount, error) {
	if r.Login != login {
		return nil, status.Errorf(codes.NotFound, "User account with login %s not found", r.Login)
	}
	return s.user(), nil
}
