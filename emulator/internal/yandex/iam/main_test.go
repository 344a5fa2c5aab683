package iam_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/iam/v1/awscompatibility"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/iam"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	cloudID   = "b1gdefaultcloud00000"
	folderID  = "b1gdefaultfolder0000"
	otherID   = "b1gotherfolder000000" // in the same cloud
	foreignID = "b1gforeignfolder0000" // in another
	accountID = "ajedefaultaccount000"
	userID    = "ajeregcastuser000000"
	developer = "t1.developer.local"
)

// house is the service as its clients see it, and behind the doors that it gives to others.
type house struct {
	*iam.Service
	tokens     pb.IamTokenServiceClient
	accounts   pb.ServiceAccountServiceClient
	keys       pb.KeyServiceClient
	apiKeys    pb.ApiKeyServiceClient
	accessKeys awscompatibility.AccessKeyServiceClient
	roles      pb.RoleServiceClient
	users      pb.UserAccountServiceClient
	passports  pb.YandexPassportUserAccountServiceClient
	bindings   *resource.Bindings
	clock      *clock.Manual
}

// open starts the service over what is kept, behind its own authentication. adjust may be nil.
func open(t testing.TB, values resource.Values, adjust func(*iam.Options)) *house {
	t.Helper()
	is := is.New(t)
	now := clock.NewManual(noon)
	store := resource.New(resource.Options{Clock: now, Values: values})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	clouds := map[string]string{folderID: cloudID, otherID: cloudID, foreignID: "b1gforeigncloud00000"}
	o := iam.Options{Store: store, Bindings: bindings, DeveloperToken: developer,
		CloudOf: func(folder string) string { return clouds[folder] },
		Folder: func(_ context.Context, id string) error {
			if clouds[id] == "" {
				return status.Errorf(codes.NotFound, "Folder %s not found", id)
			}
			return nil
		},
	}
	if adjust != nil {
		adjust(&o)
	}
	s, err := iam.New(t.Context(), o)
	is.NoErr(err)
	s.DeclareDefault(accountID, "regcast-default", folderID, cloudID)

	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		m, _ := metadata.FromIncomingContext(ctx)
		ctx, err := s.Authenticate(ctx, info.FullMethod, strings.Join(m.Get("authorization"), ""))
		if err != nil {
			return nil, err
		}
		return next(ctx, r)
	}))
	s.Register(server)
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:house", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	is.NoErr(err)
	t.Cleanup(func() {
		is.NoErr(conn.Close())
		server.Stop()
		is.NoErr(<-served)
		store.Close()
	})
	return &house{Service: s, bindings: bindings, clock: now,
		tokens: pb.NewIamTokenServiceClient(conn), accounts: pb.NewServiceAccountServiceClient(conn), keys: pb.NewKeyServiceClient(conn),
		apiKeys: pb.NewApiKeyServiceClient(conn), accessKeys: awscompatibility.NewAccessKeyServiceClient(conn), roles: pb.NewRoleServiceClient(conn),
		users: pb.NewUserAccountServiceClient(conn), passports: pb.NewYandexPassportUserAccountServiceClient(conn)}
}

func strict(o *iam.Options) { o.StrictAuth, o.OAuth = true, "y0_mine" }

func keep(t testing.TB) *journal.Memory {
	j := journal.NewMemory(journal.MemoryOptions{})
	t.Cleanup(func() { is.New(t).NoErr(j.Close()) })
	return j
}

// as sends an authorization with a call.
func as(t testing.TB, authorization string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", authorization)
}

func dev(t testing.TB) context.Context { return as(t, "Bearer "+developer) }

// done reads an operation that is over: exactly these types.
func done[Metadata, Response proto.Message](t testing.TB, metadata Metadata, response Response) func(*operation.Operation, error) (Metadata, Response) {
	return func(op *operation.Operation, err error) (Metadata, Response) {
		t.Helper()
		is := is.New(t)
		is.NoErr(err)
		is.True(op.Done)
		is.NoErr(op.Metadata.UnmarshalTo(metadata))
		is.NoErr(op.GetResponse().UnmarshalTo(response))
		return metadata, response
	}
}

func create(t testing.TB, h *house, name string) *pb.ServiceAccount {
	t.Helper()
	m, a := done(t, &pb.CreateServiceAccountMetadata{}, &pb.ServiceAccount{})(h.accounts.Create(dev(t),
		&pb.CreateServiceAccountRequest{FolderId: folderID, Name: name}))
	is.New(t).Equal(m.ServiceAccountId, a.Id)
	return a
}

func wants(t testing.TB, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		t.Errorf("got %v, want %v and %q in it", err, code, text)
	}
}
