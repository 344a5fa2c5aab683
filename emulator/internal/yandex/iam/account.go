package iam

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// The roles that calls need, on the account, its folder or its cloud.
const (
	accountViewer = "iam.auditor"
	accountAdmin  = "iam.serviceAccounts.admin"
	tokenCreator  = "iam.serviceAccounts.tokenCreator"
)

// began is when what exists without any set-up says that it was made: the same at every start, so that nothing seems to have changed.
func began() *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
}

// expiry reads a time that clients who mean none send as the beginning of all times.
func expiry(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if t.GetSeconds() <= 0 {
		return nil
	}
	return t
}

// usable says why an account may not act; nil when it may.
func (s *Service) usable(id string) error {
	var why error
	there := s.accounts.Look(id, func(a *pb.ServiceAccount) {
		switch {
		case a.Status == pb.ServiceAccount_SUSPENDED:
			why = &accountError{id, "is suspended"}
		case a.ExpiresAt != nil && !s.now().Before(a.ExpiresAt.AsTime()):
			why = &accountError{id, "has expired"}
		}
	})
	if !there {
		return &accountError{id, "does not exist"}
	}
	return why
}

// accountError is what keeps a service account from acting.
type accountError struct{ id, what string }

func (e *accountError) Error() string { return "the service account " + e.id + " " + e.what }

// account returns an account on which the caller has one of the roles.
func (s *Service) account(ctx context.Context, id string, roles ...string) (resource.Item[*pb.ServiceAccount], error) {
	a, err := s.accounts.Get(id)
	if err != nil {
		return a, err
	}
	return a, s.checkAny(ctx, roles, id, a.Message.FolderId)
}

// Chain is an account's folder, after the account itself: where roles on it are looked for.
func (s *Service) Chain(id string) []string {
	chain := []string{id}
	s.accounts.Look(id, func(a *pb.ServiceAccount) { chain = append(chain, a.FolderId) })
	return chain
}

type accountService struct {
	pb.UnimplementedServiceAccountServiceServer
	*Service
}

func (s *accountService) Get(ctx context.Context, r *pb.GetServiceAccountRequest) (*pb.ServiceAccount, error) {
	a, err := s.account(ctx, r.ServiceAccountId, accountViewer)
	return a.Message, err
}

func (s *accountService) List(ctx context.Context, r *pb.ListServiceAccountsRequest) (*pb.ListServiceAccountsResponse, error) {
	if err := s.folder(ctx, r.FolderId); err != nil {
		return nil, err
	}
	if err := s.authorize.Check(ctx, accountViewer, r.FolderId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.accounts.Messages(func(a *pb.ServiceAccount) bool { return a.FolderId == r.FolderId }), r)
	return &pb.ListServiceAccountsResponse{ServiceAccounts: page, NextPageToken: next}, err
}

func (s *accountService) folder(ctx context.Context, id string) error {
	if s.o.Folder == nil {
		return nil
	}
	return s.o.Folder(ctx, id)
}

func (s *accountService) Create(ctx context.Context, r *pb.CreateServiceAccountRequest) (*op, error) {
	if err := s.folder(ctx, r.FolderId); err != nil {
		return nil, err
	}
	if err := s.checkAny(ctx, []string{accountAdmin, "iam.editor"}, r.FolderId); err != nil {
		return nil, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.accounts.Free(s.space(r.FolderId), r.Name, ""); err != nil {
		return nil, err
	}
	id, err := s.o.Store.NewID(prefix)
	if err != nil {
		return nil, err
	}
	a := &pb.ServiceAccount{
		Id: id, FolderId: r.FolderId, CreatedAt: s.o.Store.Now(), Name: r.Name, Description: r.Description, Labels: r.Labels,
		Status: pb.ServiceAccount_ACTIVE, ExpiresAt: expiry(r.ExpiresAt),
	}
	if err := s.accounts.Put(ctx, resource.Item[*pb.ServiceAccount]{Message: a}); err != nil {
		return nil, err
	}
	return s.done(ctx, id, "Create service account", &pb.CreateServiceAccountMetadata{ServiceAccountId: id}, a)
}

func (s *accountService) Update(ctx context.Context, r *pb.UpdateServiceAccountRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	a, err := s.account(ctx, r.ServiceAccountId, accountAdmin, "iam.editor")
	if err != nil {
		return nil, err
	}
	if err := resource.Update(a.Message, r, r.UpdateMask, "name", "description", "labels", "expires_at"); err != nil {
		return nil, err
	}
	a.Message.ExpiresAt = expiry(a.Message.ExpiresAt)
	if a.Message.Name == "" {
		return nil, resource.Invalid("name", "got none, want one")
	}
	if err := s.accounts.Free(s.space(a.Message.FolderId), a.Message.Name, a.Message.Id); err != nil {
		return nil, err
	}
	if err := s.accounts.Put(ctx, a); err != nil {
		return nil, err
	}
	return s.done(ctx, r.ServiceAccountId, "Update service account",
		&pb.UpdateServiceAccountMetadata{ServiceAccountId: r.ServiceAccountId}, a.Message)
}

// Delete takes an account away with all its keys and all that it was bound to. Its tokens die with it.
func (s *accountService) Delete(ctx context.Context, r *pb.DeleteServiceAccountRequest) (*op, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	id := r.ServiceAccountId
	if _, err := s.account(ctx, id, accountAdmin, "iam.editor"); err != nil {
		return nil, err
	}
	if err := s.dropKeys(ctx, id); err != nil {
		return nil, err
	}
	if err := s.accounts.Delete(ctx, id); err != nil {
		return nil, err
	}
	if err := errors.Join(s.o.Bindings.Forget(ctx, id), s.o.Bindings.ForgetSubject(ctx, id)); err != nil {
		return nil, err
	}
	return s.done(ctx, id, "Delete service account", &pb.DeleteServiceAccountMetadata{ServiceAccountId: id}, &emptypb.Empty{})
}

// Suspend keeps an account from acting until it is reactivated. The reason is for the caller's own records.
func (s *accountService) Suspend(ctx context.Context, r *pb.SuspendServiceAccountRequest) (*op, error) {
	err := s.change(ctx, r.ServiceAccountId, func(a *pb.ServiceAccount) {
		a.Status = pb.ServiceAccount_SUSPENDED
		if at := expiry(r.ExpiresAt); at != nil {
			a.ExpiresAt = at
		}
	})
	if err != nil {
		return nil, err
	}
	return s.done(ctx, r.ServiceAccountId, "Suspend service account",
		&pb.SuspendServiceAccountMetadata{ServiceAccountId: r.ServiceAccountId}, &pb.SuspendServiceAccountResponse{})
}

func (s *accountService) Reactivate(ctx context.Context, r *pb.ReactivateServiceAccountRequest) (*op, error) {
	err := s.change(ctx, r.ServiceAccountId, func(a *pb.ServiceAccount) { a.Status = pb.ServiceAccount_ACTIVE })
	if err != nil {
		return nil, err
	}
	return s.done(ctx, r.ServiceAccountId, "Reactivate service account",
		&pb.ReactivateServiceAccountMetadata{ServiceAccountId: r.ServiceAccountId}, &pb.ReactivateServiceAccountResponse{})
}

func (s *accountService) change(ctx context.Context, id string, how func(*pb.ServiceAccount)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	a, err := s.account(ctx, id, accountAdmin)
	if err != nil {
		return err
	}
	how(a.Message)
	return s.accounts.Put(ctx, a)
}

func (s *accountService) ListOperations(ctx context.Context, r *pb.ListServiceAccountOperationsRequest) (*pb.ListServiceAccountOperationsResponse, error) {
	if _, err := s.account(ctx, r.ServiceAccountId, accountViewer); err != nil {
		return nil, err
	}
	page, next, err := resource.List(s.o.Store.OperationsOn(r.ServiceAccountId), r)
	return &pb.ListServiceAccountOperationsResponse{Operations: page, NextPageToken: next}, err
}

func (s *accountService) ListAccessBindings(ctx context.Context, r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	if _, err := s.account(ctx, r.ResourceId, accountViewer); err != nil {
		return nil, err
	}
	return s.o.Bindings.List(r)
}

func (s *accountService) SetAccessBindings(ctx context.Context, r *access.SetAccessBindingsRequest) (*op, error) {
	if _, err := s.account(ctx, r.ResourceId, accountAdmin); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeSet(ctx, r, resource.Effective)
}

func (s *accountService) UpdateAccessBindings(ctx context.Context, r *access.UpdateAccessBindingsRequest) (*op, error) {
	if _, err := s.account(ctx, r.ResourceId, accountAdmin); err != nil {
		return nil, err
	}
	return s.o.Bindings.ServeUpdate(ctx, r, resource.Effective)
}
