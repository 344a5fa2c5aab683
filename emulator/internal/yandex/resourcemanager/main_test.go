package resourcemanager_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/resourcemanager/v1"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/resourcemanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	cloudID  = "b1gdefaultcloud00000"
	folderID = "b1gdefaultfolder0000"
)

// house is the service as its clients see it.
type house struct {
	*resourcemanager.Service
	clouds   pb.CloudServiceClient
	folders  pb.FolderServiceClient
	bindings *resource.Bindings
}

// open starts the service over what is kept. adjust may be nil; who calls is the user aje1.
func open(t *testing.T, values resource.Values, adjust func(*resourcemanager.Options)) *house {
	t.Helper()
	is := is.New(t)
	store := resource.New(resource.Options{Clock: clock.NewManual(noon), Values: values})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	o := resourcemanager.Options{Store: store, Bindings: bindings}
	if adjust != nil {
		adjust(&o)
	}
	s, err := resourcemanager.New(t.Context(), o)
	is.NoErr(err)
	s.DeclareDefault(cloudID, folderID, "bpfdefaultorg0000000")

	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		return next(resource.WithCaller(ctx, resource.Caller{ID: "aje1", Type: "userAccount"}), r)
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
	return &house{Service: s, clouds: pb.NewCloudServiceClient(conn), folders: pb.NewFolderServiceClient(conn), bindings: bindings}
}

func keep(t *testing.T) *journal.Memory {
	j := journal.NewMemory(journal.MemoryOptions{})
	t.Cleanup(func() { is.New(t).NoErr(j.Close()) })
	return j
}

// done reads an operation that is over: exactly these types.
func done[Metadata, Response proto.Message](t *testing.T, metadata Metadata, response Response) func(*operation.Operation, error) (Metadata, Response) {
	return func(op *operation.Operation, err error) (Metadata, Response) {
		t.Helper()
		is := is.New(t)
		is.NoErr(err)
		is.True(op.Done)
		is.Equal(op.CreatedBy, "aje1")
		is.NoErr(op.Metadata.UnmarshalTo(metadata))
		is.NoErr(op.GetResponse().UnmarshalTo(response))
		return metadata, response
	}
}
