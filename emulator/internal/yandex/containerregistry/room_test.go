package containerregistry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"google.golang.org/grpc"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/containerregistry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

func TestWhatCannotBePutOnRecordIsNotDeleted(t *testing.T) {
	is := is.New(t)
	h := open(t)
	id, _ := h.push("app:v1", 1)
	h.broken.Store(true)
	_, err := h.images.Delete(t.Context(), &pb.DeleteImageRequest{ImageId: id})
	is.Equal(status.Code(err), codes.Unavailable)
	is.Equal(code(h.registries.ForceDelete(t.Context(), &pb.DeleteRegistryRequest{RegistryId: yandex.RegistryID})), codes.Unavailable)
	h.broken.Store(false)
	is.Equal(code(h.images.Get(t.Context(), &pb.GetImageRequest{ImageId: id})), codes.OK)
	is.True(h.service.Known(yandex.RegistryID))
}

// A repository that has gone as a whole, and come again, has the same id and other images.
func TestARepositoryThatGoesAndComes(t *testing.T) {
	is := is.New(t)
	h := open(t)
	ctx := t.Context()
	h.push("stays:v1", 1)
	old, _ := h.push("app:v1", 1)
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: old})), codes.OK)
	repository, err := h.repositories.GetByName(ctx, &pb.GetRepositoryByNameRequest{RepositoryName: "app"})
	is.NoErr(err)
	is.NoErr(h.room.DeleteRepository(ctx, yandex.RegistryID, "app", true))
	for range 2 { // with the index as it was, and as it is after it has looked
		is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: old})), codes.NotFound)
		is.Equal(code(h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: repository.Id})), codes.NotFound)
		is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: "crp00000000000000000"})), codes.NotFound)
	}
	id, _ := h.push("app:v1", 1)
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: id})), codes.OK)
	is.Equal(code(h.images.Get(ctx, &pb.GetImageRequest{ImageId: old})), codes.NotFound)
	is.Equal(code(h.repositories.Get(ctx, &pb.GetRepositoryRequest{RepositoryId: repository.Id})), codes.OK)
}

// Those who delete and those who list do not fall out.
func TestImagesAreListedWhileTheyAreDeleted(t *testing.T) {
	is := is.New(t)
	h := open(t)
	var ids []string
	for i := range 20 {
		id, _ := h.push(fmt.Sprintf("app%d:v1", i%2), 1)
		ids = append(ids, id)
	}
	deleted := make(chan error, 1)
	go func() {
		var err error
		for _, id := range ids {
			_, one := h.images.Delete(t.Context(), &pb.DeleteImageRequest{ImageId: id})
			err = errors.Join(err, one)
		}
		deleted <- err
	}()
	for left := len(ids); left > 0; {
		list, err := h.images.List(t.Context(), &pb.ListImagesRequest{RegistryId: yandex.RegistryID})
		is.NoErr(err)
		is.True(len(list.Images) <= left)
		left = len(list.Images)
	}
	is.NoErr(<-deleted)
}

// registrar catches a service, so that it is called without a wire.
type registrar struct{ images pb.ImageServiceServer }

func (r *registrar) RegisterService(_ *grpc.ServiceDesc, service any) {
	if s, ok := service.(pb.ImageServiceServer); ok {
		r.images = s
	}
}

// crowded is a registry of 10,000 images in ten repositories, which have no manifests.
func crowded(b *testing.B) (pb.ImageServiceServer, *registry.Registry) {
	b.Helper()
	room, err := registry.New(registry.Options{Dir: b.TempDir(), Default: yandex.RegistryID})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = room.Close() })
	for i := range 10_000 {
		c := events.Change{Kind: events.ImageCreated, Registry: yandex.RegistryID, Repository: fmt.Sprint("app", i%10), Digest: digest(i),
			At: start.Add(time.Duration(i) * time.Second)}
		if err := room.Apply(uint64(i+1), []events.Change{c}); err != nil && !errors.Is(err, registry.ErrBytesMissing) {
			b.Fatal(err)
		}
	}
	store := resource.New(resource.Options{})
	bindings, err := resource.OpenBindings(context.Background(), store)
	if err != nil {
		b.Fatal(err)
	}
	s, err := containerregistry.New(context.Background(), containerregistry.Options{Store: store, Bindings: bindings, Room: room})
	if err != nil {
		b.Fatal(err)
	}
	var r registrar
	s.Register(&r)
	return r.images, room
}

func digest(i int) string { return fmt.Sprintf("sha256:%064x", i) }

func BenchmarkImages(b *testing.B) {
	s, room := crowded(b)
	last := words.ImageID(yandex.RegistryID, "app9", digest(9999))
	get := func(id string, want codes.Code) {
		if _, err := s.Get(b.Context(), &pb.GetImageRequest{ImageId: id}); status.Code(err) != want {
			b.Fatal(err)
		}
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			get(last, codes.OK)
		}
	})
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			get("crp00000000000000000", codes.NotFound)
		}
	})
	b.Run("get after a push beside 1000", func(b *testing.B) {
		n := 10_000
		for b.Loop() {
			n++
			c := events.Change{Kind: events.ImageCreated, Registry: yandex.RegistryID, Repository: "app0", Digest: digest(n), At: start}
			_ = room.Apply(uint64(n), []events.Change{c}) // it has no bytes
			get(words.ImageID(yandex.RegistryID, "app0", digest(n)), codes.OK)
			gone := c
			gone.Kind = events.ImageDeleted
			n++
			_ = room.Apply(uint64(n), []events.Change{gone})
		}
	})
	b.Run("page of 100", func(b *testing.B) {
		for b.Loop() {
			list, err := s.List(b.Context(), &pb.ListImagesRequest{RegistryId: yandex.RegistryID})
			if err != nil || len(list.Images) != 100 {
				b.Fatal(err)
			}
		}
	})
}
