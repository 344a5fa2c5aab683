// Package iam serves the cloud's identities: service accounts, their keys and tokens, and roles; and judges by them who calls and who
// may do what.
package iam

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	aws "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type op = operation.Operation

// prefix begins the ids of accounts and keys.
const prefix = "aje"

// The types of subjects that access bindings name.
const (
	serviceAccount = "serviceAccount"
	userAccount    = "userAccount"
	system         = "system" // everybody, or everybody who says who they are
)

// Options of a Service. Store and Bindings are needed.
type Options struct {
	Store    *resource.Store
	Bindings *resource.Bindings
	// Random feeds tokens and secrets; nil: crypto/rand. Reads are one at a time.
	Random io.Reader

	// Signers is the clock of those who sign JWTs, which they make when they need one; nil: the Store's.
	Signers func() time.Time

	// StrictAuth asks for tokens that were issued here, and for roles. Without it every caller may do everything.
	StrictAuth bool
	// DeveloperToken is the IAM token of the developer, who may do everything. It does not expire.
	DeveloperToken string
	// OAuth is what the developer gets an IAM token for: with StrictAuth the only OAuth token that is taken, and when it is empty none
	// is. Without StrictAuth every one is.
	OAuth string
	// UserID is the developer's; empty: "ajeregcastuser000000".
	UserID string

	// Folder answers NOT_FOUND for a folder that is not there. Nil: every folder is.
	Folder func(ctx context.Context, id string) error
	// CloudOf returns the cloud that a folder is in, and "" for what is no folder. Nil: roles on clouds are not seen.
	CloudOf func(folderID string) string
}

// Service is the accounts, keys, tokens and roles.
type Service struct {
	o         Options
	authorize resource.Authorize // nil without StrictAuth
	roles     *roles

	accounts   *resource.Collection[*pb.ServiceAccount]
	keys       *resource.Collection[*pb.Key]
	apiKeys    *resource.Collection[*pb.ApiKey] // the digest of the secret beside each
	accessKeys *resource.Collection[*aws.AccessKey]
	revoked    *resource.Collection[*pb.RevokeIamTokenRequest]

	changing sync.Mutex // round a check and the change that rests on it
	random   sync.Mutex
	sealing  []byte // the key that tokens are sealed with

	mu      sync.RWMutex
	secrets map[string]string    // ids of API keys by the digest of the secret
	dead    map[string]time.Time // revoked tokens by their nonce: when they would have expired anyway
}

// New opens the accounts, keys and tokens that were kept.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.UserID == "" {
		o.UserID = "ajeregcastuser000000"
	}
	if o.CloudOf == nil {
		o.CloudOf = func(string) string { return "" }
	}
	if o.Signers == nil {
		o.Signers = func() time.Time { return o.Store.Now().AsTime() }
	}
	s := &Service{o: o, roles: newRoles(), secrets: make(map[string]string), dead: make(map[string]time.Time)}
	if o.StrictAuth {
		s.authorize = func(ctx context.Context, role string, on ...string) error {
			return s.Permit(resource.CallerOf(ctx), role, on...)
		}
	}
	var err error
	if s.accounts, err = resource.Open(ctx, o.Store, resource.Kind[*pb.ServiceAccount]{
		Name: "service-account", Folder: func(a *pb.ServiceAccount) string { return s.space(a.FolderId) },
	}); err != nil {
		return nil, err
	}
	if s.keys, err = resource.Open(ctx, o.Store, resource.Kind[*pb.Key]{Name: "key", Private: true}); err != nil {
		return nil, err
	}
	if s.apiKeys, err = resource.Open(ctx, o.Store, resource.Kind[*pb.ApiKey]{Name: "api-key", Private: true}); err != nil {
		return nil, err
	}
	if s.accessKeys, err = resource.Open(ctx, o.Store, resource.Kind[*aws.AccessKey]{Name: "access-key", Private: true}); err != nil {
		return nil, err
	}
	for _, k := range s.apiKeys.All(nil) {
		s.secrets[string(k.Extra)] = k.Message.Id
	}
	return s, s.openTokens(ctx)
}

// Register makes the services known.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	pb.RegisterIamTokenServiceServer(r, &tokenService{Service: s})
	pb.RegisterServiceAccountServiceServer(r, &accountService{Service: s})
	pb.RegisterKeyServiceServer(r, &keyService{Service: s})
	pb.RegisterApiKeyServiceServer(r, &apiKeyService{Service: s})
	aws.RegisterAccessKeyServiceServer(r, &accessKeyService{Service: s})
	pb.RegisterRoleServiceServer(r, &roleService{Service: s})
	pb.RegisterUserAccountServiceServer(r, &userService{Service: s})
	pb.RegisterYandexPassportUserAccountServiceServer(r, &passportService{Service: s})
}

// DeclareDefault adds the service account that exists without any set-up, who is admin on its folder, and makes the developer the owner
// of the cloud.
func (s *Service) DeclareDefault(accountID, name, folderID, cloudID string) {
	s.accounts.DeclareDefault(resource.Item[*pb.ServiceAccount]{Message: &pb.ServiceAccount{
		Id: accountID, FolderId: folderID, CreatedAt: began(), Name: name, Status: pb.ServiceAccount_ACTIVE,
	}})
	s.o.Bindings.Bind(folderID, &access.AccessBinding{RoleId: "admin", Subject: &access.Subject{Id: accountID, Type: serviceAccount}})
	s.o.Bindings.Bind(cloudID, &access.AccessBinding{RoleId: "resource-manager.clouds.owner",
		Subject: &access.Subject{Id: s.o.UserID, Type: userAccount}})
}

// Contents says what of a folder's contents is kept here, for those who want to delete the folder.
func (s *Service) Contents(folderID string) []string {
	var out []string
	for _, a := range s.accounts.Messages(func(a *pb.ServiceAccount) bool { return a.FolderId == folderID }) {
		out = append(out, "service account "+a.Id)
	}
	return out
}

// CheckAccount answers NOT_FOUND for an id that no service account has.
func (s *Service) CheckAccount(_ context.Context, id string) error {
	_, err := s.accounts.Get(id)
	return err
}

func (s *Service) now() time.Time { return s.o.Store.Now().AsTime() }

// space is where names of service accounts are unique: the cloud.
func (s *Service) space(folderID string) string {
	if cloud := s.o.CloudOf(folderID); cloud != "" {
		return cloud
	}
	return folderID
}

// checkAny asks for one of several roles.
func (s *Service) checkAny(ctx context.Context, roles []string, on ...string) error {
	var first error
	for _, role := range roles {
		err := s.authorize.Check(ctx, role, on...)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (s *Service) done(ctx context.Context, on, description string, metadata, response proto.Message) (*op, error) {
	return s.o.Store.Done(ctx, on, description, metadata, response)
}
