package containerregistry_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"

	"github.com/regcast/regcast/emulator/internal/yandex"
)

// sizes are those of the config and of the layers, as the client knows them.
func sizes(t *testing.T, i v1.Image) (config int64, layers []int64) {
	t.Helper()
	m, err := i.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Layers {
		layers = append(layers, l.Size)
	}
	return m.Config.Size, layers
}

func TestAnImageFromPushToDelete(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	registry := h.create("mine")
	id, pushed := h.push(registry+"/team/app:v1", 2)
	h.write(registry+"/team/app:v2", pushed)
	digest, err := pushed.Digest()
	is.NoErr(err)
	is.Equal(h.events(), []string{"create-image " + id, "create-image-tag " + id + " v1", "create-image-tag " + id + " v2"})

	got, err := h.images.Get(ctx, &pb.GetImageRequest{ImageId: id})
	is.NoErr(err)
	is.Equal(got.Id, id)
	is.Equal(got.Name, registry+"/team/app")
	is.Equal(got.Digest, digest.String())
	is.Equal(got.Tags, []string{"v1", "v2"})
	is.Equal(got.CreatedAt.AsTime(), h.clock.Now().Add(-1e9)) // of the first push
	config, layers := sizes(t, pushed)
	is.Equal(got.Config.Size, config)
	is.Equal(len(got.Layers), 2)
	is.Equal(got.CompressedSize, config+layers[0]+layers[1])
	first, err := pushed.Layers()
	is.NoErr(err)
	layer, err := first[0].Digest()
	is.NoErr(err)
	is.Equal(got.Layers[0].Digest, layer.String())
	is.True(strings.HasPrefix(got.Layers[0].Id, "crp") && len(got.Layers[0].Id) == 20)

	for _, r := range []*pb.ListImagesRequest{
		{RegistryId: registry}, {RepositoryName: registry + "/team/app"}, {FolderId: yandex.FolderID},
		{RepositoryName: registry + "/team/app", RegistryId: "ignored", FolderId: "ignored"},
	} {
		list, err := h.images.List(ctx, r)
		is.NoErr(err)
		is.Equal(len(list.Images), 1)
		is.True(proto.Equal(list.Images[0], got))
	}

	h = h.restart() // the same to the last byte
	again, err := h.images.Get(ctx, &pb.GetImageRequest{ImageId: id})
	is.NoErr(err)
	is.True(proto.Equal(again, got))

	_, err = h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: id})
	is.NoErr(err)
	is.Equal(h.events(), []string{"delete-image-tag " + id + " v1", "delete-image-tag " + id + " v2", "delete-image " + id})
	for _, ref := range []string{"v1", "v2", digest.String()} {
		status, _ := h.rest(http.MethodGet, "/v2/"+registry+"/team/app/manifests/"+ref)
		is.Equal(status, http.StatusNotFound)
	}
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: id})), codes.NotFound)
	is.Equal(code(h.images.Delete(ctx, &pb.DeleteImageRequest{ImageId: id})), codes.NotFound)
	is.Equal(len(h.events()), 0)
	h = h.restart()
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: id})), codes.NotFound)
	list, err := h.images.List(ctx, &pb.ListImagesRequest{RegistryId: registry})
	is.NoErr(err)
	is.Equal(len(list.Images), 0)
}

func TestAnImageOverREST(t *testing.T) {
	is := is.New(t)
	h := open(t)
	id, _ := h.push("app:v1", 1)
	status, body := h.rest(http.MethodGet, "/container-registry/v1/images?registryId="+yandex.RegistryID)
	is.Equal(status, http.StatusOK)
	listed := body["images"].([]any)[0].(map[string]any)
	is.Equal(listed["id"], id)
	is.Equal(listed["name"], yandex.RegistryID+"/app")
	_, ok := listed["compressedSize"].(string)
	is.True(ok) // int64 are strings
	status, body = h.rest(http.MethodGet, "/container-registry/v1/repositories/"+yandex.RegistryID+"/app:byName")
	is.Equal(status, http.StatusOK)
	is.Equal(body["name"], yandex.RegistryID+"/app")
	status, body = h.rest(http.MethodGet, "/container-registry/v1/repositories/"+body["id"].(string))
	is.Equal(status, http.StatusOK)
	is.Equal(body["name"], yandex.RegistryID+"/app")
	status, body = h.rest(http.MethodDelete, "/container-registry/v1/images/"+id)
	is.Equal(status, http.StatusOK)
	is.Equal(body["metadata"].(map[string]any)["imageId"], id)
	status, body = h.rest(http.MethodDelete, "/container-registry/v1/images/"+id)
	is.Equal(status, http.StatusNotFound)
	is.Equal(body["message"], "Image "+id+" not found")
}

// The id finds an image without any list before, also one that came after the last look.
func TestAnImageIsFoundByTheIdOfItsEvent(t *testing.T) {
	is := is.New(t)
	h := open(t)
	for i := range 3 {
		id, _ := h.push(fmt.Sprintf("app%d:v1", i%2), 1)
		got, err := h.images.Get(t.Context(), &pb.GetImageRequest{ImageId: id})
		is.NoErr(err)
		is.Equal(got.Name, fmt.Sprintf("%s/app%d", yandex.RegistryID, i%2))
	}
	index, err := random.Index(100, 1, 2)
	is.NoErr(err)
	h.writeIndex("multi:v1", index)
	list, err := h.images.List(t.Context(), &pb.ListImagesRequest{RepositoryName: yandex.RegistryID + "/multi"})
	is.NoErr(err)
	is.Equal(len(list.Images), 3) // the children are images as well
	tagged := slices.IndexFunc(list.Images, func(m *pb.Image) bool { return len(m.Tags) == 1 })
	is.True(list.Images[tagged].Config == nil && list.Images[tagged].CompressedSize == 0) // the index itself has no layers
	is.Equal(code(h.images.Get(t.Context(), &pb.GetImageRequest{ImageId: "crp00000000000000000"})), codes.NotFound)
	repository, err := h.repositories.GetByName(t.Context(), &pb.GetRepositoryByNameRequest{RepositoryName: yandex.RegistryID + "/multi"})
	is.NoErr(err)
	is.Equal(code(h.images.Get(t.Context(), &pb.GetImageRequest{ImageId: repository.Id})), codes.NotFound) // of another kind
}

func TestImagesInOrderAndPages(t *testing.T) {
	is := is.New(t)
	h := open(t)
	other := h.create("other")
	names := []string{"b:1", "a:1", "b:2", other + "/a:1", "a:2"}
	var byTime []string
	digests := map[string]string{}
	for _, ref := range names {
		id, image := h.push(ref, 1)
		byTime = append(byTime, id)
		d, err := image.Digest()
		is.NoErr(err)
		digests[id] = d.String()
		if ref == "b:2" {
			h.write("b:changed", image)
		}
	}
	ids := func(r *pb.ListImagesRequest) []string {
		t.Helper()
		var out []string
		for {
			list, err := h.images.List(t.Context(), r)
			is.NoErr(err)
			for _, m := range list.Images {
				out = append(out, m.Id)
			}
			if r.PageToken = list.NextPageToken; r.PageToken == "" {
				return out
			}
			is.Equal(len(list.Images), int(r.PageSize))
		}
	}
	pick := func(i ...int) (out []string) {
		for _, n := range i {
			out = append(out, byTime[n])
		}
		return out
	}
	folder := func(order, filter string, size int64) *pb.ListImagesRequest {
		return &pb.ListImagesRequest{FolderId: yandex.FolderID, OrderBy: order, Filter: filter, PageSize: size}
	}
	byDigest := slices.SortedFunc(slices.Values(byTime), func(a, b string) int { return strings.Compare(digests[a], digests[b]) })
	def, oth := yandex.RegistryID, other
	inOrder := pick(1, 4, 0, 2) // of the default registry, by name
	if digests[byTime[1]] > digests[byTime[4]] {
		inOrder[0], inOrder[1] = inOrder[1], inOrder[0]
	}
	if digests[byTime[0]] > digests[byTime[2]] {
		inOrder[2], inOrder[3] = inOrder[3], inOrder[2]
	}
	for _, size := range []int64{0, 1, 2, 1000} {
		if size == 0 {
			is.Equal(ids(folder("", "", 0)), byTime)
			continue
		}
		is.Equal(ids(folder("", "", size)), byTime)
		is.Equal(ids(folder("created_at desc", "", size)), pick(4, 3, 2, 1, 0))
		is.Equal(ids(folder("digest", "", size)), byDigest)
		is.Equal(ids(folder("last_modified ASC", "", size)), byTime) // b:2 got its second tag before the next came
		is.Equal(ids(folder("name , created_at", `name != "`+oth+`/a"`, size)), pick(1, 4, 0, 2))
		is.Equal(ids(folder("name", `name != "`+oth+`/a"`, size)), inOrder)
		is.Equal(ids(folder("name desc,created_at desc", fmt.Sprintf(`name IN ("%s/a", "%s/b")`, def, def), size)), pick(2, 0, 4, 1))
		is.Equal(ids(&pb.ListImagesRequest{RegistryId: oth, PageSize: size}), pick(3))
		is.Equal(ids(&pb.ListImagesRequest{RepositoryName: def + "/a", PageSize: size}), pick(1, 4))
		is.Equal(ids(&pb.ListImagesRequest{RepositoryName: "a", PageSize: size}), pick(1, 4)) // as in an image's name
	}
	h.write("b:3", h.pull(byTime[0]))
	is.Equal(ids(folder("last_modified", "", 2)), pick(1, 2, 3, 4, 0))

	for _, r := range []*pb.ListImagesRequest{
		{}, folder("size", "", 0), folder("name up", "", 0), folder(",", "", 0), folder("", `digest = "sha256:1"`, 0), folder("", "name", 0),
		folder("", "", 1001), folder("", "", -1), {FolderId: yandex.FolderID, PageToken: "none"}, {RepositoryName: "UPPER"},
	} {
		is.Equal(code(h.images.List(t.Context(), r)), codes.InvalidArgument)
	}
	first, err := h.images.List(t.Context(), folder("name", "", 1))
	is.NoErr(err)
	r := folder("digest", "", 1)
	r.PageToken = first.NextPageToken
	is.Equal(code(h.images.List(t.Context(), r)), codes.InvalidArgument) // of another list
	for _, r := range []*pb.ListImagesRequest{
		{RegistryId: "crp00000000000000000"}, {RepositoryName: def + "/none"}, {FolderId: "b1g00000000000000000"},
	} {
		is.Equal(code(h.images.List(t.Context(), r)), codes.NotFound)
	}
}

// Whoever cleans up deletes a page and asks for the next one.
func TestPagesGoOnWhenThePageBeforeIsDeleted(t *testing.T) {
	is := is.New(t)
	h := open(t)
	for i := range 7 {
		h.push(fmt.Sprintf("app%d:v1", i), 1)
	}
	r, seen := &pb.ListImagesRequest{FolderId: yandex.FolderID, PageSize: 3, OrderBy: "name"}, 0
	for {
		list, err := h.images.List(t.Context(), r)
		is.NoErr(err)
		for _, m := range list.Images {
			is.Equal(m.Name, fmt.Sprintf("%s/app%d", yandex.RegistryID, seen))
			seen++
			_, err := h.images.Delete(t.Context(), &pb.DeleteImageRequest{ImageId: m.Id})
			is.NoErr(err)
		}
		if r.PageToken = list.NextPageToken; r.PageToken == "" {
			break
		}
	}
	is.Equal(seen, 7)
}

func TestARegistryOfAPush(t *testing.T) {
	is := is.New(t)
	h := open(t)
	const id = "crp00000000000pushed"
	is.True(!h.service.Known(id))
	_, _ = h.push(id+"/app:v1", 1)
	first := timestamppb.New(h.clock.Now())
	_, _ = h.push(id+"/lib:v1", 1)
	is.True(h.service.Known(id))
	want := &pb.Registry{Id: id, FolderId: yandex.FolderID, Status: pb.Registry_ACTIVE, CreatedAt: first}
	got, err := h.registries.Get(t.Context(), &pb.GetRegistryRequest{RegistryId: id})
	is.NoErr(err)
	is.True(proto.Equal(got, want))
	h = h.restart()
	list, err := h.registries.List(t.Context(), &pb.ListRegistriesRequest{FolderId: yandex.FolderID})
	is.NoErr(err)
	is.Equal(len(list.Registries), 2) // and the default one, which is older
	is.Equal(list.Registries[0].Name, "regcast-default")
	is.True(proto.Equal(list.Registries[1], want))
	list, err = h.registries.List(t.Context(), &pb.ListRegistriesRequest{FolderId: otherFolder})
	is.NoErr(err)
	is.Equal(len(list.Registries), 0)

	_, err = h.registries.Update(t.Context(), &pb.UpdateRegistryRequest{RegistryId: id, Name: "named"})
	is.NoErr(err)
	h = h.restart()
	got, err = h.registries.Get(t.Context(), &pb.GetRegistryRequest{RegistryId: id})
	is.NoErr(err)
	want.Name = "named"
	is.True(proto.Equal(got, want))
	list, err = h.registries.List(t.Context(), &pb.ListRegistriesRequest{FolderId: yandex.FolderID, Filter: `name="named"`})
	is.NoErr(err)
	is.Equal(len(list.Registries), 1) // not twice
}
