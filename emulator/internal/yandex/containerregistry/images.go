package containerregistry

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/protobuf/types/known/emptypb"

	words "github.com/regcast/regcast/events/yandex"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type images struct{ *Service }

// List returns the images of a repository, a registry or a folder, by default in the order in which they came. Only those of the page
// asked for are looked at closely, that is their manifests are read.
func (s images) List(ctx context.Context, r *pb.ListImagesRequest) (*pb.ListImagesResponse, error) {
	order, err := orderOf(r.OrderBy)
	if err != nil {
		return nil, err
	}
	repositories, err := s.among(ctx, r)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, name := range repositories {
		for _, ref := range s.o.Room.Images(name.registry, name.name) {
			rows = append(rows, row{name, ref})
		}
	}
	scope := strings.Join([]string{"images", r.RepositoryName, r.RegistryId, r.FolderId, r.OrderBy}, " ")
	page, next, err := s.cursors.page(rows, r, scope, order...)
	if err != nil {
		return nil, err
	}
	out := &pb.ListImagesResponse{NextPageToken: next}
	for _, w := range page {
		m, err := s.image(target{w.repository, w.ref.Digest})
		switch {
		case err == nil:
			out.Images = append(out.Images, m)
		case !errors.Is(err, registry.ErrUnknown): // one that has just been deleted is left out
			return nil, fromRoom(err, "Image "+w.ref.Digest)
		}
	}
	return out, nil
}

// among lists the repositories in which a list looks for images.
func (s images) among(ctx context.Context, r *pb.ListImagesRequest) ([]repositoryName, error) {
	if r.RepositoryName != "" {
		name, err := s.named(ctx, "repository_name", r.RepositoryName)
		return []repositoryName{name}, err
	}
	return s.within(ctx, r.RegistryId, r.FolderId)
}

// Get returns an image.
func (s images) Get(ctx context.Context, r *pb.GetImageRequest) (*pb.Image, error) {
	t, err := s.mayImage(ctx, viewer, r.ImageId)
	if err != nil {
		return nil, err
	}
	m, err := s.image(t)
	return m, fromRoom(err, "Image "+r.ImageId)
}

// Delete takes away an image and its tags, as a DELETE of its manifest does.
func (s images) Delete(ctx context.Context, r *pb.DeleteImageRequest) (*operation.Operation, error) {
	t, err := s.mayImage(ctx, pusher, r.ImageId)
	if err != nil {
		return nil, err
	}
	err = s.o.Room.DeleteImage(context.WithoutCancel(ctx), t.repository.registry, t.repository.name, t.digest)
	if err != nil {
		return nil, fromRoom(err, "Image "+r.ImageId)
	}
	return s.done(ctx, r.ImageId, "Delete image", &pb.DeleteImageMetadata{ImageId: r.ImageId}, &emptypb.Empty{})
}

// mayImage finds an image by its id, for a caller who has a role on it, its repository, its registry or the folder. It may be gone.
func (s images) mayImage(ctx context.Context, role, id string) (target, error) {
	t, found := s.index.find(id)
	if !found || t.digest == "" {
		return t, notFound("Image " + id)
	}
	if !s.there(t.repository) {
		return t, notFound("Image " + id)
	}
	return t, s.mayIn(ctx, role, t.repository, id)
}

// image is an image as the APIs tell it; the error is the room's.
func (s images) image(t target) (*pb.Image, error) {
	i, err := s.o.Room.Image(t.repository.registry, t.repository.name, t.digest)
	if err != nil {
		return nil, err
	}
	m := &pb.Image{
		Id:   words.ImageID(t.repository.registry, t.repository.name, t.digest),
		Name: t.repository.String(), Digest: i.Digest, CompressedSize: i.CompressedSize(), Tags: i.Tags, CreatedAt: at(i.Created),
	}
	if i.Config != nil {
		m.Config = blob(*i.Config)
	}
	for _, l := range i.Layers {
		m.Layers = append(m.Layers, blob(l))
	}
	return m, nil
}

func blob(b registry.BlobInfo) *pb.Blob {
	return &pb.Blob{Id: idOf("blob", b.Digest), Digest: b.Digest, Size: b.Size, Urls: b.URLs}
}

// orderOf reads the order of a list of images: fields, which may be followed by asc or desc, separated by commas.
func orderOf(text string) ([]comparison, error) {
	if text == "" {
		return []comparison{byCreated, byName, byDigest}, nil
	}
	by := map[string]comparison{"name": byName, "digest": byDigest, "created_at": byCreated, "last_modified": byChanged}
	order, err := parseOrder(text, by)
	if err != nil {
		return nil, resource.Invalid("order_by", err.Error())
	}
	return append(order, byName, byDigest), nil // so that no two are at one place
}
