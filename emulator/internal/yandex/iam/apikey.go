package iam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

const apiKeyAdmin = "iam.serviceAccounts.apiKeyAdmin"

// digest is what is kept of a secret: it tells who has it and does not give it away.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func (s *Service) dropAPIKey(ctx context.Context, id string) error {
	k, err := s.apiKeys.Get(id)
	if err != nil {
		return err
	}
	if err := s.apiKeys.Delete(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, string(k.Extra))
	return nil
}

type apiKeyService struct {
	pb.UnimplementedApiKeyServiceServer
	*Service
}

func (s *apiKeyService) key(ctx context.Context, id string) (resource.Item[*pb.ApiKey], error) {
	k, err := s.apiKeys.Get(id)
	if err != nil {
		return k, err
	}
	_, err = s.account(ctx, k.Message.ServiceAccountId, apiKeyAdmin)
	return k, err
}

func (s *apiKeyService) Get(ctx context.Context, r *pb.GetApiKeyRequest) (*pb.ApiKey, error) {
	k, err := s.key(ctx, r.ApiKeyId)
	return k.Message, err
}

func (s *apiKeyService) List(ctx context.Context, r *pb.ListApiKeysRequest) (*pb.ListApiKeysResponse, error) {
	account, err := s.owner(ctx, r.ServiceAccountId, apiKeyAdmin)
	if err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.apiKeys.Messages(func(k *pb.ApiKey) bool { return k.ServiceAccountId == account }), r)
	return &pb.ListApiKeysResponse{ApiKeys: page, NextPageToken: next}, err
}

// Create makes a key and answers with its secret, of which only a digest is kept. Scopes are kept and bind nobody.
func (s *apiKeyService) Create(ctx context.Context, r *pb.CreateApiKeyRequest) (*pb.CreateApiKeyResponse, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	account, err := s.owner(ctx, r.ServiceAccountId, apiKeyAdmin)
	if err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	random, err := s.text(36)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	secret := "AQVN" + random
	k := &pb.ApiKey{
		Id: id, ServiceAccountId: account, CreatedAt: s.o.Store.Now(), Description: r.Description, Scopes: r.Scopes,
		ExpiresAt: expiry(r.ExpiresAt), MaskedSecret: masked(secret),
	}
	//lint:ignore SA1019 clients still send it and want it back
	k.Scope = r.Scope
	if err := s.apiKeys.Put(ctx, resource.Item[*pb.ApiKey]{Message: k, Extra: []byte(digest(secret))}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[digest(secret)] = id
	return &pb.CreateApiKeyResponse{ApiKey: k, Secret: secret}, nil
}

// masked shows the end of a secret; the form knows no hyphen.
func masked(secret string) string {
	return "****" + strings.ReplaceAll(secret[len(secret)-6:], "-", "_")
}

func (s *apiKeyService) Update(ctx context.Context, r *pb.UpdateApiKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	k, err := s.key(ctx, r.ApiKeyId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(k.Message, r, r.UpdateMask, "description", "scopes", "expires_at"); err != nil {
		return nil, err
	}
	k.Message.ExpiresAt = expiry(k.Message.ExpiresAt)
	if err := s.apiKeys.Put(ctx, k); err != nil {
		return nil, err
	}
	return s.done(ctx, r.ApiKeyId, "Update API key", &pb.UpdateApiKeyMetadata{ApiKeyId: r.ApiKeyId}, k.Message)
}

func (s *apiKeyService) Delete(ctx context.Context, r *pb.DeleteApiKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.key(ctx, r.ApiKeyId); err != nil {
		return nil, err
	}
	if err := s.dropAPIKey(ctx, r.ApiKeyId); err != nil {
		return nil, err
	}
	return s.done(ctx, r.ApiKeyId, "Delete API key", &pb.DeleteApiKeyMetadata{ApiKeyId: r.ApiKeyId}, &emptypb.Empty{})
}

func (s *apiKeyService) ListOperations(ctx context.Context, r *pb.ListApiKeyOperationsRequest) (*pb.ListApiKeyOperationsResponse, error) {
	if _, err := s.key(ctx, r.ApiKeyId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.ApiKeyId), r)
	return &pb.ListApiKeyOperationsResponse{Operations: page, NextPageToken: next}, err
}
