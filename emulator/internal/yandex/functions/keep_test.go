package functions_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/functions"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// full is a disk that is full when it is told so.
type full struct {
	*journal.Memory
	is atomic.Bool
}

func (f *full) Put(ctx context.Context, name string, data []byte) error {
	if f.is.Load() {
		return errors.New("disk full")
	}
	return f.Memory.Put(ctx, name, data)
}

func (f *full) Remove(ctx context.Context, name string) error {
	if f.is.Load() {
		return errors.New("disk full")
	}
	return f.Memory.Remove(ctx, name)
}

func TestWhatCannotBeKeptDoesNotRun(t *testing.T) {
	is := is.New(t)
	values, dir := &full{Memory: journal.NewMemory(journal.MemoryOptions{})}, filepath.Join(t.TempDir(), "sources")
	h := open(t, values, dir)
	f := h.make(t, "hello")
	one, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: f.Id, PackageSource: zipped(archive(t, "index.go", says("one")))})
	is.NoErr(err)
	runs := len(h.runner.Functions())
	values.is.Store(true)
	_, err = h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: f.Id, PackageSource: zipped(archive(t, "index.go", says("two")))})
	is.Equal(status.Code(err), codes.Internal)
	is.Equal(len(h.runner.Functions()), runs)
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 1)
	is.Equal(h.call(t, f.Id, ""), "one")
	// What cannot be forgotten still runs.
	_, err = h.Delete(t.Context(), &pb.DeleteFunctionRequest{FunctionId: f.Id})
	is.Equal(status.Code(err), codes.Internal)
	is.Equal(h.call(t, f.Id, ""), "one")
	_, err = h.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: one.Id})
	is.NoErr(err)
	values.is.Store(false)
	_, err = h.Delete(t.Context(), &pb.DeleteFunctionRequest{FunctionId: f.Id})
	is.NoErr(err)
	is.Equal(len(h.runner.Functions()), runs-1)
}

// A process that was killed while a tag moved has left two versions with it.
func TestATagThatTwoVersionsHave(t *testing.T) {
	is := is.New(t)
	values, dir := journal.NewMemory(journal.MemoryOptions{}), filepath.Join(t.TempDir(), "sources")
	h := open(t, values, dir)
	f := h.make(t, "hello")
	one, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: f.Id, PackageSource: zipped(archive(t, "index.go", says("one"))), Tag: []string{"a", "b", "a"}})
	is.NoErr(err)
	is.Equal(one.Tags, []string{"$latest", "a", "b"})
	two, err := h.version(t, &pb.CreateFunctionVersionRequest{
		FunctionId: f.Id, PackageSource: &pb.CreateFunctionVersionRequest_VersionId{VersionId: one.Id}, Tag: []string{"a"},
	})
	is.NoErr(err)
	kept, err := resource.Open(t.Context(), resource.New(resource.Options{Values: values}), resource.Kind[*pb.Version]{Name: "function-version"})
	is.NoErr(err)
	it, err := kept.Get(one.Id)
	is.NoErr(err)
	it.Message.Tags = []string{"a", "b"}
	is.NoErr(kept.Put(t.Context(), it))

	again := open(t, values, dir)
	_, version, err := again.service.Resolve(f.Id, "a")
	is.NoErr(err)
	is.Equal(version, two.Id) // the younger
	_, err = again.SetTag(t.Context(), &pb.SetFunctionTagRequest{FunctionVersionId: one.Id, Tag: "a"})
	is.NoErr(err)
	_, version, err = again.service.Resolve(f.Id, "a")
	is.NoErr(err)
	is.Equal(version, one.Id)
	got, err := again.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: two.Id})
	is.NoErr(err)
	is.Equal(got.Tags, []string{"$latest"})
}

// What clients do to a function that a file declares is so until the next start.
func TestAVersionOfAFilesFunction(t *testing.T) {
	is := is.New(t)
	values, dir := journal.NewMemory(journal.MemoryOptions{}), filepath.Join(t.TempDir(), "sources")
	declared := functions.Declared{ID: "d4efromafile", FolderID: "folder", Entry: "index.Handler", File: "--function"}
	h := open(t, values, dir)
	is.NoErr(h.service.Declare(declared))
	v, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: declared.ID, PackageSource: zipped(archive(t, "index.go", says("mine")))})
	is.NoErr(err)
	is.Equal(h.call(t, declared.ID, ""), "mine")

	again := open(t, values, dir)
	is.NoErr(again.service.Declare(declared))
	name, _, err := again.service.Resolve(declared.ID, "")
	is.NoErr(err)
	is.Equal(name, declared.ID)
	_, err = again.GetVersion(t.Context(), &pb.GetFunctionVersionRequest{FunctionVersionId: v.Id})
	is.Equal(status.Code(err), codes.NotFound)
	left, err := os.ReadDir(dir)
	is.NoErr(err)
	is.Equal(len(left), 0)
}

func TestRolesOnFunctions(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, filepath.Join(t.TempDir(), "sources"))
	secret, mine := h.make(t, "secret"), h.make(t, "mine")
	v, err := h.version(t, &pb.CreateFunctionVersionRequest{FunctionId: secret.Id, PackageSource: zipped(archive(t, "index.go", says("one")))})
	is.NoErr(err)
	h.authorize = func(_ context.Context, role string, on ...string) error {
		if on[0] == mine.Id {
			return nil
		}
		return status.Error(codes.PermissionDenied, role)
	}
	_, err = h.version(t, &pb.CreateFunctionVersionRequest{
		FunctionId: mine.Id, PackageSource: &pb.CreateFunctionVersionRequest_VersionId{VersionId: v.Id},
	})
	is.Equal(status.Code(err), codes.PermissionDenied) // nobody copies the source of what he may not read
	_, err = h.ListVersions(t.Context(), &pb.ListFunctionsVersionsRequest{Id: &pb.ListFunctionsVersionsRequest_FolderId{FolderId: "b1gnone"}})
	is.Equal(status.Code(err), codes.NotFound)
}

func TestWhereAVersionLogs(t *testing.T) {
	is, values := is.New(t), journal.NewMemory(journal.MemoryOptions{})
	store := resource.New(resource.Options{Values: values})
	kept, err := resource.Open(t.Context(), store, resource.Kind[*pb.Function]{Name: "function"})
	is.NoErr(err)
	is.NoErr(kept.Put(t.Context(), resource.Item[*pb.Function]{Message: &pb.Function{Id: "d4e1", FolderId: "folder"}}))
	versions, err := resource.Open(t.Context(), store, resource.Kind[*pb.Version]{Name: "function-version"})
	is.NoErr(err)
	options := map[string]*pb.LogOptions{
		"default": nil,
		"nowhere": {Disabled: true, Destination: &pb.LogOptions_LogGroupId{LogGroupId: "e23one"}},
		"group":   {Destination: &pb.LogOptions_LogGroupId{LogGroupId: "e23one"}},
		"folder":  {Destination: &pb.LogOptions_FolderId{FolderId: "other"}},
	}
	for id, o := range options {
		is.NoErr(versions.Put(t.Context(), resource.Item[*pb.Version]{Message: &pb.Version{Id: id, FunctionId: "d4e1", LogOptions: o}}))
	}
	h := open(t, values, filepath.Join(t.TempDir(), "sources"))
	is.Equal(len(h.warned), len(options)) // their sources are lost
	for id, want := range map[string]string{
		"default": "default of folder", "nowhere": "", "group": "e23one", "folder": "default of other", "being built": "default of folder",
	} {
		group, wanted := h.service.LogGroupFor("d4e1", id)
		is.Equal(wanted, want != "")
		is.True(!wanted || group == want)
	}
}
