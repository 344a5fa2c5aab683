package containers_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/matryer/is"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/containers/v1"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/containers"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type house struct {
	pb.ContainerServiceClient
	service *containers.Service
	warned  []string
}

func open(t *testing.T, values resource.Values) *house {
	t.Helper()
	is := is.New(t)
	h := &house{}
	store, server := resource.New(resource.Options{Values: values}), grpc.NewServer()
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	h.service, err = containers.New(t.Context(), containers.Options{
		Store: store, Bindings: bindings, URL: func(id string) string { return "http://localhost:8080/containers/" + id },
		Warn: func(s string) { h.warned = append(h.warned, s) },
	})
	is.NoErr(err)
	h.service.Register(server)
	l := bufconn.Listen(1 << 20)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///house", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	is.NoErr(err)
	h.ContainerServiceClient = pb.NewContainerServiceClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-served
		store.Close()
	})
	return h
}

func result[M interface {
	*T
	proto.Message
}, T any](t *testing.T, op *operation.Operation, err error) M {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var m M = new(T)
	if err := op.GetResponse().UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func runs(at string) *pb.ImageSpec {
	return &pb.ImageSpec{ImageUrl: "cr.yandex/crp/app:1", Environment: map[string]string{containers.URLVariable: at}}
}

func TestAContainerIsWhereItsRevisionSays(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	op, err := h.Create(t.Context(), &pb.CreateContainerRequest{FolderId: "folder", Name: "app"})
	c := result[*pb.Container](t, op, err)
	is.Equal(c.Url, "http://localhost:8080/containers/"+c.Id)
	_, err = h.service.Target(c.Id)
	is.Equal(status.Code(err), codes.NotFound) // there is no revision yet
	deploy := func(spec *pb.ImageSpec) *pb.Revision {
		op, err := h.DeployRevision(t.Context(), &pb.DeployContainerRevisionRequest{ContainerId: c.Id, ImageSpec: spec})
		return result[*pb.Revision](t, op, err)
	}
	first := deploy(runs("http://127.0.0.1:9001"))
	to, err := h.service.Target(c.Id)
	is.NoErr(err)
	is.Equal(to, "http://127.0.0.1:9001")
	deploy(&pb.ImageSpec{ImageUrl: "cr.yandex/crp/app:2"})
	_, err = h.service.Target(c.Id)
	is.Equal(status.Code(err), codes.Unimplemented)
	is.True(strings.Contains(err.Error(), "not emulated: running the image of"))
	is.Equal(len(h.warned), 1)
	_, err = h.DeployRevision(t.Context(), &pb.DeployContainerRevisionRequest{
		ContainerId: c.Id, ImageSpec: runs("http://127.0.0.1:9001"), Connectivity: &pb.Connectivity{NetworkId: "enp1"},
	})
	is.NoErr(err)
	is.True(strings.Contains(h.warned[1], "not emulated: connectivity"))
	_, err = h.Rollback(t.Context(), &pb.RollbackContainerRequest{ContainerId: c.Id, RevisionId: first.Id})
	is.NoErr(err)

	again := open(t, values)
	to, err = again.service.Target(c.Id)
	is.NoErr(err)
	is.Equal(to, "http://127.0.0.1:9001")
	l, err := again.ListRevisions(t.Context(), &pb.ListContainersRevisionsRequest{Id: &pb.ListContainersRevisionsRequest_ContainerId{ContainerId: c.Id}})
	is.NoErr(err)
	is.Equal(len(l.Revisions), 3)
	is.Equal(l.Revisions[1].Status, pb.Revision_OBSOLETE)
	_, err = again.Delete(t.Context(), &pb.DeleteContainerRequest{ContainerId: c.Id})
	is.NoErr(err)
	_, err = again.service.Target(c.Id)
	is.Equal(status.Code(err), codes.NotFound)
	_, err = again.GetRevision(t.Context(), &pb.GetContainerRevisionRequest{ContainerRevisionId: first.Id})
	is.Equal(status.Code(err), codes.NotFound)
}

func TestWhatIsNoContainer(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	op, err := h.Create(t.Context(), &pb.CreateContainerRequest{FolderId: "folder", Name: "app"})
	c := result[*pb.Container](t, op, err)
	_, err = h.Create(t.Context(), &pb.CreateContainerRequest{FolderId: "folder", Name: "app"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	_, err = h.Get(t.Context(), &pb.GetContainerRequest{ContainerId: "bbanone"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = h.DeployRevision(t.Context(), &pb.DeployContainerRevisionRequest{ContainerId: c.Id, ImageSpec: runs("nowhere")})
	is.Equal(status.Code(err), codes.InvalidArgument)
	is.True(strings.Contains(err.Error(), "want a URL such as"))
	_, err = h.DeployRevision(t.Context(), &pb.DeployContainerRevisionRequest{ContainerId: c.Id, ImageSpec: runs("http://127.0.0.1:1"), Secrets: []*pb.Secret{{}}})
	is.Equal(status.Code(err), codes.Unimplemented)
	_, err = h.Update(t.Context(), &pb.UpdateContainerRequest{ContainerId: c.Id, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"url"}}})
	is.Equal(status.Code(err), codes.InvalidArgument)
	is.True(h.service.Declare(containers.Declared{ID: "x", URL: "9000", File: "--container"}) != nil)
	is.NoErr(h.service.Declare(containers.Declared{ID: "bbafile", FolderID: "folder", URL: "http://127.0.0.1:9", File: "--container"}))
	l, err := h.List(t.Context(), &pb.ListContainersRequest{FolderId: "folder"})
	is.NoErr(err)
	is.Equal(len(l.Containers), 2)
	_, err = h.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: c.Id})
	is.NoErr(err)
}

// What clients do to a container that a file declares is so until the next start.
func TestARevisionOfAFilesContainer(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	declared := containers.Declared{ID: "bbafile", FolderID: "folder", URL: "http://127.0.0.1:9", File: "--container"}
	h := open(t, values)
	is.True(!h.service.Any())
	is.NoErr(h.service.Declare(declared))
	is.True(h.service.Any())
	op, err := h.DeployRevision(t.Context(), &pb.DeployContainerRevisionRequest{ContainerId: "bbafile", ImageSpec: runs("http://127.0.0.1:10")})
	rev := result[*pb.Revision](t, op, err)
	to, err := h.service.Target("bbafile")
	is.NoErr(err)
	is.Equal(to, "http://127.0.0.1:10")

	again := open(t, values)
	is.NoErr(again.service.Declare(declared))
	to, err = again.service.Target("bbafile")
	is.NoErr(err)
	is.Equal(to, "http://127.0.0.1:9")
	_, err = again.GetRevision(t.Context(), &pb.GetContainerRevisionRequest{ContainerRevisionId: rev.Id})
	is.Equal(status.Code(err), codes.NotFound)
}
