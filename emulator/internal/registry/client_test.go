package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/matryer/is"
)

// What crane and ko are made of, from outside.
func TestGoContainerRegistryIsAtHome(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	host := strings.TrimPrefix(h.server.URL, "http://")
	opts := []remote.Option{
		remote.WithTransport(h.server.Client().Transport),
		remote.WithAuth(&authn.Basic{Username: "anybody", Password: "anything"}),
	}
	ref := func(path string) name.Reference {
		t.Helper()
		r, err := name.ParseReference(host + "/" + path)
		is.NoErr(err)
		return r
	}
	img, err := random.Image(64<<10, 3)
	is.NoErr(err)
	is.NoErr(remote.Write(ref("app:v1"), img, opts...))
	digest := func(of interface{ Digest() (v1.Hash, error) }) string {
		t.Helper()
		d, err := of.Digest()
		is.NoErr(err)
		return d.String()
	}
	first := digest(img)
	is.Equal(h.journal.take(), lines("image-created v1 "+first, "tag-attached v1 "+first))
	pulled, err := remote.Image(ref(defaultID+"/app:v1"), opts...)
	is.NoErr(err)
	is.NoErr(validate.Image(pulled))
	is.Equal(digest(pulled), first)

	is.NoErr(remote.Tag(ref("app:v1").Context().Tag("v2"), img, opts...))
	is.Equal(h.journal.take(), "tag-attached v2 "+first)

	// A copy mounts the layers.
	is.NoErr(remote.Write(ref("copy:v1"), pulled, opts...))
	is.Equal(h.journal.take(), lines("image-created v1 "+first, "tag-attached v1 "+first))

	index, err := random.Index(1<<10, 1, 3)
	is.NoErr(err)
	is.NoErr(remote.WriteIndex(ref("multi:v1"), index, opts...))
	is.Equal(strings.Count(h.journal.take(), "image-created"), 4) // three children and the index
	got, err := remote.Index(ref("multi:v1"), opts...)
	is.NoErr(err)
	is.NoErr(validate.Index(got))

	// What a client lists, in pages that it follows by itself.
	for i := range 5 {
		is.NoErr(remote.Tag(ref("app:v1").Context().Tag(fmt.Sprint("t", i)), img, opts...))
	}
	tags, err := remote.List(ref("app").Context(), append(opts, remote.WithPageSize(2))...)
	is.NoErr(err)
	is.Equal(strings.Join(tags, " "), "t0 t1 t2 t3 t4 v1 v2")
	registry, err := name.NewRegistry(host)
	is.NoErr(err)
	repos, err := remote.Catalog(t.Context(), registry, append(opts, remote.WithPageSize(1))...)
	is.NoErr(err)
	is.Equal(strings.Join(repos, " "), "app copy multi")

	subject, err := remote.Head(ref("app:v1"), opts...)
	is.NoErr(err)
	note, err := random.Image(10, 1)
	is.NoErr(err)
	signed := mutate.Subject(mutate.ConfigMediaType(mutate.MediaType(note, types.OCIManifestSchema1), "text/note"), *subject).(v1.Image)
	is.NoErr(remote.Write(ref("app@"+digest(signed)), signed, opts...))
	referrers, err := remote.Referrers(ref("app@"+first).(name.Digest), append(opts, remote.WithFilter("artifactType", "text/note"))...)
	is.NoErr(err)
	list, err := referrers.IndexManifest()
	is.NoErr(err)
	is.Equal(len(list.Manifests), 1)
	is.Equal(list.Manifests[0].Digest.String(), digest(signed))

	h.journal.take()
	is.NoErr(remote.Delete(ref("app:t0"), opts...))
	is.NoErr(remote.Delete(ref("app@"+first), opts...))
	is.Equal(h.journal.take(), lines("tag-detached t0 "+first, "tag-detached t1 "+first, "tag-detached t2 "+first, "tag-detached t3 "+first,
		"tag-detached t4 "+first, "tag-detached v1 "+first, "tag-detached v2 "+first, "image-deleted "+first))
	copied, err := remote.Image(ref("copy:v1"), opts...)
	is.NoErr(err)
	is.NoErr(validate.Image(copied)) // the copy has everything still
}
