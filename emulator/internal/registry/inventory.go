package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/regcast/regcast/events"
)

// The doors for those who know the registry otherwise than by its URLs. They tell what is so at the moment, and change what requests
// change, in the same way.

// What the doors refuse. Another error is one of the disk or of Options.Commit, and nothing but what is told has changed.
var (
	ErrUnknown  = errors.New("registry: not here")
	ErrNotEmpty = errors.New("registry: the repository has images")
)

// RepositoryInfo is a repository that is listed.
type RepositoryInfo struct {
	Registry, Name string
	Images         int
	Created        time.Time // of its first image; zero: not known
	// Seq is the number of the last record about the repository: as long as it stays, so do images and tags.
	Seq uint64
}

// ImageRef says which images there are, and what they can be sorted by.
type ImageRef struct {
	Digest           string
	Created, Changed time.Time // when it was first pushed; when it was last pushed, tagged or untagged. Zero: not known
}

// ImageInfo is an image with what its manifest says.
type ImageInfo struct {
	ImageRef
	MediaType string
	Size      int64      // of the manifest
	Tags      []string   // sorted
	Config    *BlobInfo  // nil: it has none, as an index
	Layers    []BlobInfo // as the manifest lists them
}

// BlobInfo is what a manifest says of a blob that it names.
type BlobInfo struct {
	MediaType string   `json:"mediaType"`
	Digest    string   `json:"digest"`
	Size      int64    `json:"size"`
	URLs      []string `json:"urls"` // where a foreign layer is to be had
}

// CompressedSize is what config and layers take together, in bytes; 0 for an index.
func (i ImageInfo) CompressedSize() int64 {
	var sum int64
	if i.Config != nil {
		sum = i.Config.Size
	}
	for _, l := range i.Layers {
		sum += l.Size
	}
	return sum
}

// Split finds the repository that an image's name means, without tag or digest: "app" is of the default registry.
func (r *Registry) Split(name string) (registry, repository string, ok bool) {
	k, ok := parseName(name, r.opts.Default)
	return k.registry, k.name, ok
}

// Repositories lists the repositories of a registry, or of all for "", in no order. Each is held for a moment.
func (r *Registry) Repositories(registry string) []RepositoryInfo {
	var out []RepositoryInfo
	for _, p := range r.all() {
		if registry != "" && p.key.registry != registry {
			continue
		}
		if i, ok := p.info(); ok {
			out = append(out, i)
		}
	}
	return out
}

// Repository returns one that is listed.
func (r *Registry) Repository(registry, name string) (RepositoryInfo, bool) {
	p := r.lookup(key{registry, name})
	if p == nil {
		return RepositoryInfo{}, false
	}
	return p.info()
}

func (p *repository) info() (RepositoryInfo, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return RepositoryInfo{p.key.registry, p.key.name, len(p.images), p.created, p.seq}, p.listed()
}

// Images lists the images of a repository in no order: none when there is no such repository. Only what is small is copied, for pushes
// wait meanwhile.
func (r *Registry) Images(registry, repository string) []ImageRef {
	p := r.lookup(key{registry, repository})
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]ImageRef, 0, len(p.images))
	for d, m := range p.images {
		out = append(out, ImageRef{string(d), m.created, m.changed})
	}
	return out
}

// Image returns an image with what its manifest says, which is read from disk; ErrUnknown when it is not here. Config and layers of an
// image whose bytes are lost, or are not of the form of an image manifest, are left out.
func (r *Registry) Image(registry, repository, imageDigest string) (ImageInfo, error) {
	p := r.lookup(key{registry, repository})
	if p == nil {
		return ImageInfo{}, ErrUnknown
	}
	d := digest(imageDigest) // a key that is no digest is not in the map
	p.mu.Lock()
	m, ok := p.images[d]
	if !ok {
		p.mu.Unlock()
		return ImageInfo{}, ErrUnknown
	}
	out := ImageInfo{
		ImageRef:  ImageRef{imageDigest, m.created, m.changed},
		MediaType: m.mediaType, Size: m.size, Tags: slices.Clone(m.tags),
	}
	p.mu.Unlock()
	body, err := r.store.read(d)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return ImageInfo{}, fmt.Errorf("registry: %w", err)
	}
	var doc struct {
		Config *BlobInfo  `json:"config"`
		Layers []BlobInfo `json:"layers"`
	}
	if json.Unmarshal(body, &doc) == nil {
		out.Config, out.Layers = doc.Config, doc.Layers
	}
	return out, nil
}

// DeleteImage does what a DELETE of the manifest does; ErrUnknown when the image is not here.
func (r *Registry) DeleteImage(ctx context.Context, registry, repository, imageDigest string) error {
	p := r.lookup(key{registry, repository})
	if p == nil {
		return ErrUnknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := r.deleteImage(ctx, p, digest(imageDigest))
	if err == nil && !found {
		return ErrUnknown
	}
	return err
}

// DeleteRepository deletes a repository and lets go of its blobs. Its images go first as by DeleteImage, one record each, in the order
// of their digests, if withImages is true; else it is ErrNotEmpty when there are any. After an error some of them may be gone.
func (r *Registry) DeleteRepository(ctx context.Context, registry, name string, withImages bool) error {
	p := r.lookup(key{registry, name})
	if p == nil {
		return ErrUnknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.listed():
		return ErrUnknown
	case len(p.images) > 0 && !withImages:
		return ErrNotEmpty
	}
	p.graph = newGraph() // of no images; no need to keep it true on the way, but a failure leaves some
	for _, d := range slices.Sorted(maps.Keys(p.images)) {
		if err := r.commit(ctx, p, events.Delete(p, string(d))); err != nil {
			p.graph = nil
			return err
		}
	}
	if err := r.links.note(linkDropped, p.key, strconv.FormatUint(p.seq, 10)); err != nil {
		return err
	}
	p.dropped = p.seq
	for d := range p.blobs {
		r.store.release(d)
	}
	clear(p.blobs)
	return nil
}
