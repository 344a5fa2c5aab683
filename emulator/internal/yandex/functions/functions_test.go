package functions_test

import (
	"archive/zip"
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
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
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex/functions"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is the service with a real runner.
type house struct {
	pb.FunctionServiceClient
	service *functions.Service
	runner  *runner.Runner
	store   *resource.Store
	server  *grpc.Server
	warned  []string

	authorize resource.Authorize
}

func open(t *testing.T, values resource.Values, dir string) *house {
	t.Helper()
	is := is.New(t)
	h := &house{
		store: resource.New(resource.Options{Values: values}), server: grpc.NewServer(),
		runner: runner.New(runner.Options{Dir: t.TempDir(), Host: []string{"PATH=/usr/local/go/bin:/usr/bin:/bin"}}),
	}
	bindings, err := resource.OpenBindings(t.Context(), h.store)
	is.NoErr(err)
	h.service, err = functions.New(t.Context(), functions.Options{
		Store: h.store, Bindings: bindings, Dir: dir, Set: h.runner.Set,
		Remove:    func(_ context.Context, name string) error { return h.runner.Remove(name) },
		LogGroup:  func(folder string) string { return "default of " + folder },
		URL:       func(id string) string { return "http://localhost:8080/functions/" + id },
		Authorize: func(ctx context.Context, role string, on ...string) error { return h.authorize.Check(ctx, role, on...) },
		Folder: func(_ context.Context, id string) error {
			if id != "folder" {
				return status.Errorf(codes.NotFound, "Folder %s not found", id)
			}
			return nil
		},
		Warn: func(s string) { h.warned = append(h.warned, s) },
	})
	is.NoErr(err)
	is.NoErr(h.service.Restore(t.Context()))
	h.service.Register(h.server)
	operation.RegisterOperationServiceServer(h.server, h.store.Operations())
	l := bufconn.Listen(1 << 20)
	served := make(chan struct{})
	go func() { defer close(served); _ = h.server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///house", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	is.NoErr(err)
	h.FunctionServiceClient = pb.NewFunctionServiceClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		h.server.Stop()
		<-served
		h.store.Close()
		_ = h.runner.Close(context.Background())
	})
	return h
}

func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte(files[i+1]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func says(word string) string {
	return "package main\n\nimport \"context\"\n\nfunc Handler(ctx context.Context) (string, error) { return \"" + word + "\", nil }\n"
}

// version makes a version and waits until its operation is over.
func (h *house) version(t *testing.T, r *pb.CreateFunctionVersionRequest) (*pb.Version, error) {
	t.Helper()
	if r.Runtime == "" {
		r.Runtime, r.Entrypoint = "golang123", "index.Handler"
		r.Resources, r.ExecutionTimeout = &pb.Resources{Memory: 128 << 20}, durationpb.New(3e9)
	}
	op, err := h.CreateVersion(t.Context(), r)
	if err != nil {
		return nil, err
	}
	if err := h.store.Wait(t.Context(), op.Id); err != nil {
		t.Fatal(err)
	}
	op, err = h.store.Operations().Get(t.Context(), &operation.GetOperationRequest{OperationId: op.Id})
	if err != nil {
		t.Fatal(err)
	}
	var about pb.CreateFunctionVersionMetadata
	if err := op.Metadata.UnmarshalTo(&about); err != nil {
		t.Fatal(err)
	}
	if op.GetError() != nil {
		return nil, status.FromProto(op.GetError()).Err()
	}
	v := &pb.Version{}
	if err := op.GetResponse().UnmarshalTo(v); err != nil {
		t.Fatal(err)
	}
	return v, nil
}

func (h *house) call(t *testing.T, function, tag string) string {
	t.Helper()
	name, _, err := h.service.Resolve(function, tag)
	if err != nil {
		return err.Error()
	}
	r, err := h.runner.Invoke(t.Context(), name, runner.Request{Payload: []byte("{}")})
	if err != nil {
		return err.Error()
	}
	return string(r.Payload)
}

func (h *house) make(t *testing.T, name string) *pb.Function {
	t.Helper()
	op, err := h.Create(t.Context(), &pb.CreateFunctionRequest{FolderId: "folder", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	f := &pb.Function{}
	if err := op.GetResponse().UnmarshalTo(f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAVersionIsBuiltAndCalled(t *testing.T) {
	is := is.New(t)
	values, dir := journal.NewMemory(journal.MemoryOptions{}), filepath.Join(t.TempDir(), "sources")
	h := open(t, values, dir)
	f := h.make(t, "hello")
	is.Equal(f.HttpInvokeUrl, "http://localhost:8080/functions/"+f.Id)
	is.Equal(f.Status, pb.Function_ACTIVE)
	is.True(strings.HasPrefix(f.Id, "d4e") && len(f.Id) == 20)
	is.True(strings.Contains(h.call(t, f.Id, ""), "has none with the tag $latest"))

	content := archive(t, "index.go", says("one")) // without go.mod, as many have it
	one, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: f.Id, PackageSource: zipped(content), Tag: []string{"stable"}})
	is.NoErr(err)
	is.Equal(one.Tags, []string{"$latest", "stable"})
	is.Equal(one.ImageSize, int64(len(content)))
	is.Equal(h.call(t, f.Id, ""), "one")
	is.Equal(h.call(t, f.Id, "stable"), "one")

	two, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: f.Id, PackageSource: zipped(archive(t, "index.go", says("two"), "go.mod", "module two\n"))})
	is.NoErr(err)
	is.Equal(h.call(t, f.Id, ""), "two")
	is.Equal(h.call(t, f.Id, "stable"), "one")
	one, err = h.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: one.Id})
	is.NoErr(err)
	is.Equal(one.Tags, []string{"stable"})
	by, err := h.GetVersionByTag(t.Context(), &pb.GetFunctionVersionByTagRequest{FunctionId: f.Id, Tag: "$latest"})
	is.NoErr(err)
	is.True(proto.Equal(by, two))
	_, err = h.SetTag(t.Context(), &pb.SetFunctionTagRequest{FunctionVersionId: two.Id, Tag: "stable"})
	is.NoErr(err)
	is.Equal(h.call(t, f.Id, "stable"), "two")

	// The same after a restart.
	again := open(t, values, dir)
	is.Equal(again.call(t, f.Id, "stable"), "two")
	vs, err := again.ListVersions(t.Context(), &pb.ListFunctionsVersionsRequest{Id: &pb.ListFunctionsVersionsRequest_FunctionId{FunctionId: f.Id}})
	is.NoErr(err)
	is.Equal(len(vs.Versions), 2)

	_, err = again.DeleteVersion(t.Context(), &pb.DeleteFunctionVersionRequest{FunctionVersionId: two.Id})
	is.Equal(status.Code(err), codes.FailedPrecondition) // it has tags
	_, err = again.DeleteVersion(t.Context(), &pb.DeleteFunctionVersionRequest{FunctionVersionId: one.Id})
	is.NoErr(err)
	_, err = again.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: one.Id})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = again.Delete(t.Context(), &pb.DeleteFunctionRequest{FunctionId: f.Id})
	is.NoErr(err)
	is.True(strings.Contains(again.call(t, f.Id, ""), "function not found"))
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0)
	ops, err := again.store.Operations().Get(t.Context(), &operation.GetOperationRequest{OperationId: "d4enone"})
	is.Equal(status.Code(err), codes.NotFound)
	is.True(ops == nil)
}

func TestWhatIsNoVersion(t *testing.T) {
	is := is.New(t)
	dir := filepath.Join(t.TempDir(), "sources")
	h := open(t, journal.NewMemory(journal.MemoryOptions{}), dir)
	f := h.make(t, "hello")
	request := func(change func(*pb.CreateFunctionVersionRequest)) *pb.CreateFunctionVersionRequest {
		r := &pb.CreateFunctionVersionRequest{
			FunctionId: f.Id, Runtime: "golang123", Entrypoint: "index.Handler", PackageSource: zipped(archive(t, "index.go", says("x"))),
		}
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		change func(*pb.CreateFunctionVersionRequest)
		code   codes.Code
		says   string
	}{
		"no function": {func(r *pb.CreateFunctionVersionRequest) { r.FunctionId = "d4enone" }, codes.NotFound, "d4enone"},
		"no zip":      {func(r *pb.CreateFunctionVersionRequest) { r.PackageSource = zipped([]byte("garbage")) }, codes.InvalidArgument, "content: got what is no zip file"},
		"out of it": {func(r *pb.CreateFunctionVersionRequest) {
			r.PackageSource = zipped(archive(t, "../x.go", "package main"))
		}, codes.InvalidArgument, "../x.go"},
		"no Go":     {func(r *pb.CreateFunctionVersionRequest) { r.Runtime = "python312" }, codes.Unimplemented, "not emulated: the runtime python312"},
		"no entry":  {func(r *pb.CreateFunctionVersionRequest) { r.Entrypoint = "Handler" }, codes.InvalidArgument, "entrypoint"},
		"no source": {func(r *pb.CreateFunctionVersionRequest) { r.PackageSource = nil }, codes.InvalidArgument, "package_source"},
		"a secret":  {func(r *pb.CreateFunctionVersionRequest) { r.Secrets = []*pb.Secret{{}} }, codes.Unimplemented, "not emulated: secrets"},
		"several that are not emulated, the first is told": {func(r *pb.CreateFunctionVersionRequest) {
			r.Secrets, r.Mounts, r.Runtime = []*pb.Secret{{}}, []*pb.Mount{{}}, "python312"
		}, codes.Unimplemented, "not emulated: secrets"},
		"a big env": {func(r *pb.CreateFunctionVersionRequest) {
			r.Environment = map[string]string{"A": strings.Repeat("x", 5000)}
		}, codes.InvalidArgument, "environment"},
		"what is no Go": {func(r *pb.CreateFunctionVersionRequest) {
			r.PackageSource = zipped(archive(t, "index.go", "package main\nfunc Handler( {}"))
		}, codes.InvalidArgument, "cannot be built"},
		"no handler": {func(r *pb.CreateFunctionVersionRequest) { r.Entrypoint = "index.Other" }, codes.InvalidArgument, "Other"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := h.version(t, request(c.change))
			is.Equal(status.Code(err), c.code)
			is.True(strings.Contains(err.Error(), c.says))
		})
	}
	left, _ := os.ReadDir(dir)
	is.Equal(len(left), 0) // nothing is left of what was refused
	_, err := h.GetVersionByTag(t.Context(), &pb.GetFunctionVersionByTagRequest{FunctionId: f.Id, Tag: "$latest"})
	is.Equal(status.Code(err), codes.NotFound)
}

func TestFunctionsAreNamedListedAndBound(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, t.TempDir())
	f := h.make(t, "one")
	h.make(t, "two")
	_, err := h.Create(t.Context(), &pb.CreateFunctionRequest{FolderId: "folder", Name: "one"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	l, err := h.List(t.Context(), &pb.ListFunctionsRequest{FolderId: "folder", Filter: `name="two"`})
	is.NoErr(err)
	is.Equal(len(l.Functions), 1)
	_, err = h.Update(t.Context(), &pb.UpdateFunctionRequest{FunctionId: f.Id, Name: "two"})
	is.Equal(status.Code(err), codes.AlreadyExists)
	_, err = h.Update(t.Context(), &pb.UpdateFunctionRequest{
		FunctionId: f.Id, Description: "told", Name: "ignored", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}},
	})
	is.NoErr(err)
	got, err := h.Get(t.Context(), &pb.GetFunctionRequest{FunctionId: f.Id})
	is.NoErr(err)
	is.Equal(got.Name, "one")
	is.Equal(got.Description, "told")

	all := &access.AccessBinding{RoleId: "functions.functionInvoker", Subject: &access.Subject{Id: "allUsers", Type: "system"}}
	_, err = h.UpdateAccessBindings(t.Context(), &access.UpdateAccessBindingsRequest{ResourceId: f.Id,
		AccessBindingDeltas: []*access.AccessBindingDelta{{Action: access.AccessBindingAction_ADD, AccessBinding: all}}})
	is.NoErr(err)
	bs, err := h.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: f.Id})
	is.NoErr(err)
	is.Equal(len(bs.AccessBindings), 1)
	is.True(proto.Equal(bs.AccessBindings[0], all))

	is.NoErr(h.service.Declare(functions.Declared{ID: "d4efromafile", FolderID: "folder", Entry: "index.Handler", File: "--function"}))
	name, version, err := h.service.Resolve("d4efromafile", "")
	is.NoErr(err)
	is.Equal(name, "d4efromafile") // as the configuration called it
	v, err := h.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: version})
	is.NoErr(err)
	is.Equal(v.FunctionId, "d4efromafile")
	ops, err := h.ListOperations(t.Context(), &pb.ListFunctionOperationsRequest{FunctionId: f.Id, PageSize: 2})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 2)
	is.Equal(ops.Operations[0].Description, "Update access bindings")
}

func zipped(content []byte) *pb.CreateFunctionVersionRequest_Content {
	return &pb.CreateFunctionVersionRequest_Content{Content: content}
}
