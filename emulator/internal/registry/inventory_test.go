package registry_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/events"
)

// timed is a registry whose time is moved by hand.
func timed(t *testing.T, dir string, j *journal, at *clock.Manual) *house {
	t.Helper()
	return open(t, dir, j, func(o *registry.Options) { o.Clock = at })
}

// inventory is everything that the doors list, in words.
func inventory(t *testing.T, r *registry.Registry) string {
	t.Helper()
	var out []string
	repositories := r.Repositories("")
	slices.SortFunc(repositories, func(a, b registry.RepositoryInfo) int { return cmp.Compare(a.Registry+a.Name, b.Registry+b.Name) })
	for _, p := range repositories {
		out = append(out, fmt.Sprintf("%s/%s images %d created %v", p.Registry, p.Name, p.Images, p.Created.Sub(start)))
		if same, ok := r.Repository(p.Registry, p.Name); !ok || same != p {
			t.Errorf("Repository returned %v, Repositories %v", same, p)
		}
		refs := r.Images(p.Registry, p.Name)
		slices.SortFunc(refs, func(a, b registry.ImageRef) int { return cmp.Compare(a.Digest, b.Digest) })
		for _, ref := range refs {
			i, err := r.Image(p.Registry, p.Name, ref.Digest)
			if err != nil || i.ImageRef != ref {
				t.Errorf("Image returned %v, %v; Images %v", i.ImageRef, err, ref)
			}
			config := "no config"
			if i.Config != nil {
				config = fmt.Sprint("config ", i.Config.Size)
			}
			out = append(out, fmt.Sprintf("  %.15s created %v changed %v tags %v %s layers %d sum %d", i.Digest, i.Created.Sub(start),
				i.Changed.Sub(start), i.Tags, config, len(i.Layers), i.CompressedSize()))
		}
	}
	return strings.Join(out, "\n")
}

func TestTheInventoryIsWhatWasPushed(t *testing.T) {
	is := is.New(t)
	dir, j, at := t.TempDir(), &journal{}, clock.NewManual(start)
	h := timed(t, dir, j, at)
	for _, b := range []string{"config", "one", "three"} {
		h.blob("app", b)
	}
	h.blob("only-blobs", "one")
	image := imageOf("config", "one", "three")
	h.push("app", "v1", image)
	at.Advance(time.Second)
	h.push("app", "v2", image)
	h.push(otherID+"/team/app", "v1", index("a"))
	at.Advance(time.Second)
	h.push("app", "v1", index("b"))
	h.push("app", digestOf(image), image) // nothing changes

	want := lines(
		defaultID+"/app images 2 created 0s",
		fmt.Sprintf("  %.15s created 0s changed 2s tags [v2] config 6 layers 2 sum 14", digestOf(image)),
		fmt.Sprintf("  %.15s created 2s changed 2s tags [v1] no config layers 0 sum 0", digestOf(index("b"))),
		otherID+"/team/app images 1 created 1s",
		fmt.Sprintf("  %.15s created 1s changed 1s tags [v1] no config layers 0 sum 0", digestOf(index("a"))),
	)
	if digestOf(image) > digestOf(index("b")) {
		t.Fatal("the lines above are not in the order of the digests")
	}
	is.Equal(inventory(t, h.registry), want)
	i, err := h.registry.Image(defaultID, "app", digestOf(image))
	is.NoErr(err)
	is.Equal(i.MediaType, manifestType)
	is.Equal(i.Size, int64(len(image)))
	is.Equal(i.Config.Digest, digestOf("config"))
	is.Equal(i.Layers[1], registry.BlobInfo{
		MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: digestOf("three"), Size: 5,
	})
	is.Equal(len(h.registry.Repositories(otherID)), 1)
	is.Equal(len(h.registry.Images(defaultID, "only-blobs")), 0)
	_, err = h.registry.Image(defaultID, "app", digestOf(index("a")))
	is.True(errors.Is(err, registry.ErrUnknown)) // it is in another repository
	_, err = h.registry.Image(defaultID, "none", digestOf(image))
	is.True(errors.Is(err, registry.ErrUnknown))
	_, ok := h.registry.Repository(defaultID, "only-blobs")
	is.True(!ok)

	h.close()
	h = timed(t, dir, j, at)
	is.Equal(inventory(t, h.registry), want) // by the journal
	is.NoErr(h.registry.Snapshot())
	h.close()
	h = timed(t, dir, j, at)
	is.Equal(h.registry.From(), uint64(len(j.records)))
	is.Equal(inventory(t, h.registry), want) // by the snapshot
}

func TestANameSaysItsRepository(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	for name, want := range map[string]string{
		"app": defaultID + " app true", otherID + "/team/app": otherID + " team/app true", "team/app": defaultID + " team/app true",
		otherID: defaultID + " " + otherID + " true", "Upper": "  false",
	} {
		id, repository, ok := h.registry.Split(name)
		is.Equal(fmt.Sprint(id, " ", repository, " ", ok), want)
	}
}

// Whoever deletes by the door deletes as by a request: the same changes, the same end of what referred to what.
func TestAnImageIsDeletedByTheDoorAsByARequest(t *testing.T) {
	is := is.New(t)
	j := &journal{}
	h := open(t, t.TempDir(), j)
	layer := h.blob("app", "layer")
	image := imageOf("layer")
	h.push("app", "v2", image)
	h.push("app", "v1", image)
	note := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"subject":{"digest":%q}}`, indexType, digestOf(image))
	h.push("app", digestOf(note), note)
	h.want(405, "DELETE", "app/blobs/"+layer, "")
	j.take()

	j.fail(errors.New("no journal"))
	err := h.registry.DeleteImage(t.Context(), defaultID, "app", digestOf(image))
	is.True(err != nil && strings.Contains(err.Error(), "no journal"))
	j.fail(nil)
	h.want(200, "GET", "app/manifests/v1", "")

	is.NoErr(h.registry.DeleteImage(t.Context(), defaultID, "app", digestOf(image)))
	is.Equal(j.take(), lines("tag-detached v1 "+digestOf(image), "tag-detached v2 "+digestOf(image), "image-deleted "+digestOf(image)))
	h.want(404, "GET", "app/manifests/v1", "")
	h.want(404, "GET", "app/manifests/"+digestOf(image), "")
	h.want(202, "DELETE", "app/blobs/"+layer, "") // nobody uses it any more
	is.True(strings.Contains(h.want(200, "GET", "app/referrers/"+digestOf(image), "").body, digestOf(note)))
	is.NoErr(h.registry.DeleteImage(t.Context(), defaultID, "app", digestOf(note)))
	is.True(!strings.Contains(h.want(200, "GET", "app/referrers/"+digestOf(image), "").body, digestOf(note)))

	for _, err := range []error{
		h.registry.DeleteImage(t.Context(), defaultID, "app", digestOf(image)),
		h.registry.DeleteImage(t.Context(), defaultID, "app", "no digest"),
		h.registry.DeleteImage(t.Context(), defaultID, "none", digestOf(image)),
	} {
		is.True(errors.Is(err, registry.ErrUnknown))
	}
}

func TestARepositoryGoesAsAWhole(t *testing.T) {
	is := is.New(t)
	dir, j, at := t.TempDir(), &journal{}, clock.NewManual(start)
	h := timed(t, dir, j, at)
	layer := h.blob("app", "layer")
	h.push("app", "v1", imageOf("layer"))
	h.push("app", "v2", index("a"))
	h.push("stays", "v1", index("a"))
	is.True(errors.Is(h.registry.DeleteRepository(t.Context(), defaultID, "app", false), registry.ErrNotEmpty))
	is.Equal(len(j.records), 3)

	is.NoErr(h.registry.DeleteRepository(t.Context(), defaultID, "app", true))
	is.Equal(len(j.records), 5) // one for each image
	for i, d := range slices.Sorted(slices.Values([]string{digestOf(imageOf("layer")), digestOf(index("a"))})) {
		is.Equal(j.records[3+i][0].Kind, events.TagDetached)
		is.Equal(j.records[3+i][1].Kind, events.ImageDeleted)
		is.Equal(j.records[3+i][1].Digest, d)
	}
	gone := func(h *house) {
		t.Helper()
		is.Equal(h.want(200, "GET", "_catalog", "").body, `{"repositories":["stays"]}`)
		is.Equal(h.want(404, "GET", "app/tags/list", "").code(), "NAME_UNKNOWN")
		h.want(404, "GET", "app/blobs/"+layer, "")
		is.Equal(len(h.registry.Repositories("")), 1)
		is.True(errors.Is(h.registry.DeleteRepository(t.Context(), defaultID, "app", true), registry.ErrUnknown))
	}
	gone(h)
	is.Equal(len(files(t, dir, "blobs")), 0)

	h = timed(t, dir, j, at) // h is not closed: what a kill leaves
	gone(h)
	is.NoErr(h.registry.Snapshot())
	h.close()
	h = timed(t, dir, j, at)
	gone(h)

	at.Advance(time.Minute)
	h.push("app", "v1", index("b"))
	p, ok := h.registry.Repository(defaultID, "app")
	is.True(ok)
	is.Equal(p.Created, start.Add(time.Minute)) // another one of the same name
	h.close()
	h = timed(t, dir, j, at)
	is.Equal(len(h.registry.Repositories("")), 2)
	p, _ = h.registry.Repository(defaultID, "app")
	is.Equal(p.Created, start.Add(time.Minute))
	is.NoErr(h.registry.DeleteImage(t.Context(), defaultID, "app", digestOf(index("b"))))
	is.NoErr(h.registry.DeleteRepository(t.Context(), defaultID, "app", false)) // it is empty
	gone(h)
	is.True(errors.Is(h.registry.DeleteRepository(t.Context(), defaultID, "none", true), registry.ErrUnknown))
}

// What could not be deleted is whole.
func TestADeletionThatFailsHalfwayLeavesWholeImages(t *testing.T) {
	is := is.New(t)
	j, fails := &journal{}, -1 // which commit of those to come
	h := open(t, t.TempDir(), j, func(o *registry.Options) {
		o.Commit = func(ctx context.Context, changes []events.Change) (uint64, error) {
			if fails--; fails == -1 {
				return 0, errors.New("no journal")
			}
			return j.commit(ctx, changes)
		}
	})
	images := []string{imageOf("a"), imageOf("b")}
	slices.SortFunc(images, func(a, b string) int { return cmp.Compare(digestOf(a), digestOf(b)) })
	for _, blob := range []string{"a", "b"} {
		h.blob("app", blob)
	}
	for _, m := range images {
		h.push("app", digestOf(m), m)
	}
	fails = 1
	is.True(h.registry.DeleteRepository(t.Context(), defaultID, "app", true) != nil)
	h.want(404, "GET", "app/manifests/"+digestOf(images[0]), "")
	h.want(200, "GET", "app/manifests/"+digestOf(images[1]), "")
	used := digestOf("a")
	if images[1] == imageOf("b") {
		used = digestOf("b")
	}
	h.want(405, "DELETE", "app/blobs/"+used, "")
	h.want(200, "GET", "app/tags/list", "")
	is.NoErr(h.registry.DeleteRepository(t.Context(), defaultID, "app", true))
}

func TestLostBytesHaveNoLayers(t *testing.T) {
	is := is.New(t)
	dir, j := t.TempDir(), &journal{}
	h := open(t, dir, j)
	h.blob("app", "layer")
	h.push("app", "v1", imageOf("layer"))
	h.close()
	is.NoErr(os.Remove(filepath.Join(dir, "manifests.pack")))
	r, err := registry.New(registry.Options{Dir: dir, Default: defaultID})
	is.NoErr(err)
	defer r.Close()
	is.True(errors.Is(r.Apply(1, j.records[0]), registry.ErrBytesMissing))
	i, err := r.Image(defaultID, "app", digestOf(imageOf("layer")))
	is.NoErr(err)
	is.Equal(i.Tags, []string{"v1"})
	is.True(i.Config == nil)
	is.Equal(i.CompressedSize(), int64(0))
}

func TestAPushToARegistryThatNobodyKnowsIsRefused(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{}, func(o *registry.Options) {
		o.Known = func(id string) bool { return id == otherID }
	})
	h.push(otherID+"/app", "v1", index("a"))
	for _, request := range [][2]string{
		{"PUT", "app/manifests/v1"}, {"POST", "app/blobs/uploads/"}, {"POST", "app/blobs/uploads/?digest=" + digestOf("a")},
	} {
		is.Equal(h.want(404, request[0], request[1], index("a")).code(), "NAME_UNKNOWN")
	}
	is.Equal(len(h.registry.Repositories("")), 1)
	h.want(404, "GET", "app/manifests/v1", "")
	h.want(200, "GET", otherID+"/app/manifests/v1", "")
	h.want(202, "DELETE", otherID+"/app/manifests/v1", "")
}
