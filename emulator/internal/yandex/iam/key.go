package iam

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

const authorizedKeyAdmin = "iam.serviceAccounts.authorizedKeyAdmin"

// keyNote begins every private key, as the cloud's; readers of PEM pass over it, and those who search for leaked keys find it.
const keyNote = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <%s>\n%s"

// owner is the service account that a request for a key is about: the caller itself when none is named. Users have none of the kinds of
// keys that only service accounts have.
func (s *Service) owner(ctx context.Context, id, role string) (string, error) {
	if c := resource.CallerOf(ctx); id == "" && c.Type == serviceAccount {
		id = c.ID
	}
	if id == "" {
		return "", resource.Invalid("service_account_id", "got none and the caller is a user, want the id of a service account")
	}
	_, err := s.account(ctx, id, role)
	return id, err
}

// dropKeys deletes all keys of a service account.
func (s *Service) dropKeys(ctx context.Context, account string) error {
	for _, k := range s.keys.Messages(func(k *pb.Key) bool { return k.GetServiceAccountId() == account }) {
		if err := s.keys.Delete(ctx, k.Id); err != nil {
			return err
		}
	}
	for _, k := range s.apiKeys.Messages(func(k *pb.ApiKey) bool { return k.ServiceAccountId == account }) {
		if err := s.dropAPIKey(ctx, k.Id); err != nil {
			return err
		}
	}
	return s.dropAccessKeys(ctx, account)
}

// keyService serves authorized keys: pairs of which the service keeps the public one.
type keyService struct {
	pb.UnimplementedKeyServiceServer
	*Service
}

// key returns a key whose account is the caller's to manage.
func (s *keyService) key(ctx context.Context, id string) (resource.Item[*pb.Key], error) {
	k, err := s.keys.Get(id)
	if err != nil {
		return k, err
	}
	return k, s.mine(ctx, k.Message.GetServiceAccountId(), k.Message.GetUserAccountId())
}

// mine asks whether keys of an account, or of a user, are the caller's to manage.
func (s *keyService) mine(ctx context.Context, account, user string) error {
	if account != "" {
		_, err := s.account(ctx, account, authorizedKeyAdmin)
		return err
	}
	if s.o.StrictAuth && resource.CallerOf(ctx).ID != user {
		return status.Error(codes.PermissionDenied, "Permission denied: the keys of a user are the user's own")
	}
	return nil
}

// subject is whose keys a request is about when it does not name a service account: the caller's.
func (s *keyService) subject(ctx context.Context, named string) (account, user string) {
	c := resource.CallerOf(ctx)
	switch {
	case named != "":
		return named, ""
	case c.Type == serviceAccount:
		return c.ID, ""
	case c.ID != "":
		return "", c.ID
	}
	return "", s.o.UserID
}

func (s *keyService) Get(ctx context.Context, r *pb.GetKeyRequest) (*pb.Key, error) {
	k, err := s.key(ctx, r.KeyId)
	return k.Message, err
}

func (s *keyService) List(ctx context.Context, r *pb.ListKeysRequest) (*pb.ListKeysResponse, error) {
	account, user := s.subject(ctx, r.ServiceAccountId)
	if err := s.mine(ctx, account, user); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.keys.Messages(func(k *pb.Key) bool {
		return k.GetServiceAccountId() == account && k.GetUserAccountId() == user
	}), r)
	return &pb.ListKeysResponse{Keys: page, NextPageToken: next}, err
}

// Create makes a pair and answers with the private key, which is not kept.
func (s *keyService) Create(ctx context.Context, r *pb.CreateKeyRequest) (*pb.CreateKeyResponse, error) {
	account, user := s.subject(ctx, r.ServiceAccountId)
	if err := s.mine(ctx, account, user); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	bits, algorithm := 2048, pb.Key_RSA_2048
	if r.KeyAlgorithm == pb.Key_RSA_4096 {
		bits, algorithm = 4096, pb.Key_RSA_4096
	}
	public, private, err := pair(bits)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "key: %v", err)
	}
	k := &pb.Key{Id: id, CreatedAt: s.o.Store.Now(), Description: r.Description, KeyAlgorithm: algorithm, PublicKey: public}
	if account != "" {
		k.Subject = &pb.Key_ServiceAccountId{ServiceAccountId: account}
	} else {
		k.Subject = &pb.Key_UserAccountId{UserAccountId: user}
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.mine(ctx, account, user); err != nil { // the making took its time
		return nil, err
	}
	if err := s.keys.Put(ctx, resource.Item[*pb.Key]{Message: k}); err != nil {
		return nil, err
	}
	return &pb.CreateKeyResponse{Key: k, PrivateKey: fmt.Sprintf(keyNote, id, private)}, nil
}

// pair makes the two halves of a key, as PEM.
func pair(bits int) (public, private string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return "", "", err
	}
	half, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", err
	}
	whole, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: half})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: whole})), nil
}

func (s *keyService) Update(ctx context.Context, r *pb.UpdateKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	k, err := s.key(ctx, r.KeyId)
	if err != nil {
		return nil, err
	}
	if err := resource.Update(k.Message, r, r.UpdateMask, "description"); err != nil {
		return nil, err
	}
	if err := s.keys.Put(ctx, k); err != nil {
		return nil, err
	}
	return s.done(ctx, r.KeyId, "Update key", &pb.UpdateKeyMetadata{KeyId: r.KeyId}, k.Message)
}

func (s *keyService) Delete(ctx context.Context, r *pb.DeleteKeyRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.key(ctx, r.KeyId); err != nil {
		return nil, err
	}
	if err := s.keys.Delete(ctx, r.KeyId); err != nil {
		return nil, err
	}
	return s.done(ctx, r.KeyId, "Delete key", &pb.DeleteKeyMetadata{KeyId: r.KeyId}, &emptypb.Empty{})
}

func (s *keyService) ListOperations(ctx context.Context, r *pb.ListKeyOperationsRequest) (*pb.ListKeyOperationsResponse, error) {
	if _, err := s.key(ctx, r.KeyId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.KeyId), r)
	return &pb.ListKeyOperationsResponse{Operations: page, NextPageToken: next}, err
}
