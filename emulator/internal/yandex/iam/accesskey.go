package iam

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	aws "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

const accessKeyAdmin = "iam.serviceAccounts.accessKeyAdmin"

func (s *Service) dropAccessKeys(ctx context.Context, account string) error {
	for _, k := range s.accessKeys.Messages(func(k *aws.AccessKey) bool { return k.ServiceAccountId == account }) {
		if err := s.accessKeys.Delete(ctx, k.Id); err != nil {
			return err
		}
	}
	return nil
}

// accessKeyService serves static access keys, for the services that speak AWS's protocols. Regcast's take any key, so that no secret is
// kept.
type accessKeyService struct {
	aws.UnimplementedAccessKeyServiceServer
	*Service
}

func (s *accessKeyService) key(ctx context.Context, id string) (resource.Item[*aws.AccessKey], error) {
	k, err := s.accessKeys.Get(id)
	if err != nil {
		return k, err
	}
	_, err = s.account(ctx, k.Message.ServiceAccountId, accessKeyAdmin)
	return k, err
}

func (s *accessKeyService) Get(ctx context.Context, r *aws.GetAccessKeyRequest) (*aws.AccessKey, error) {
	k, err := s.key(ctx, r.AccessKeyId)
	return k.Message, err
}

func (s *accessKeyService) List(ctx context.Context, r *aws.ListAccessKeysRequest) (*aws.ListAccessKeysResponse, error) {
	account, err := s.owner(ctx, r.ServiceAccountId, accessKeyAdmin)
	if err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.accessKeys.Messages(func(k *aws.AccessKey) bool { return k.ServiceAccountId == account }), r)
	return &aws.ListAccessKeysResponse{AccessKeys: page, NextPageToken: next}, err
}

func (s *accessKeyService) Create(ctx context.Context, r *aws.CreateAccessKeyRequest) (*aws.CreateAccessKeyResponse, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	account, err := s.owner(ctx, r.ServiceAccountId, accessKeyAdmin)
	if err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	random, err := s.text(23 + 38)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	k := &aws.AccessKey{Id: id, ServiceAccountId: account, CreatedAt: s.o.Store.Now(), Description: r.Description, KeyId: "YC" + random[:23]}
	if err := s.accessKeys.Put(ctx, resource.Item[*aws.AccessKey]{Message: k}); err != nil {
		return nil, err
	}
	return &aws.CreateAccessKeyResponse{AccessKey: k, Secret: "YC" + random[23:]}, nil
}

func (s *accessKeyService) Update(ctx context.Context, r *aws.UpdateAccessKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	k, err := s.key(ctx, r.AccessKeyId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(k.Message, r, r.UpdateMask, "description"); err != nil {
		return nil, err
	}
	if err := s.accessKeys.Put(ctx, k); err != nil {
		return nil, err
	}
	return s.done(ctx, r.AccessKeyId, "Update access key", &aws.UpdateAccessKeyMetadata{AccessKeyId: r.AccessKeyId}, k.Message)
}

func (s *accessKeyService) Delete(ctx context.Context, r *aws.DeleteAccessKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.key(ctx, r.AccessKeyId); err != nil {
		return nil, err
	}
	if err := s.accessKeys.Delete(ctx, r.AccessKeyId); err != nil {
		return nil, err
	}
	return s.done(ctx, r.AccessKeyId, "Delete access key", &aws.DeleteAccessKeyMetadata{AccessKeyId: r.AccessKeyId}, &emptypb.Empty{})
}

func (s *accessKeyService) ListOperations(ctx context.Context, r *aws.ListAccessKeyOperationsRequest) (*aws.ListAccessKeyOperationsResponse, error) {
	if _, err := s.key(ctx, r.AccessKeyId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.AccessKeyId), r)
	return &aws.ListAccessKeyOperationsResponse{Operations: page, NextPageToken: next}, err
}
