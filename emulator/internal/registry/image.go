package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/regcast/regcast/events"
)

func nameUnknown(q *request) error {
	return fail(http.StatusNotFound, codeNameUnknown, "there is no repository %s", q.name)
}

func manifestUnknown(q *request) error {
	return fail(http.StatusNotFound, codeManifestUnknown, "repository %s has no manifest %s", q.name, q.ref)
}

// reference reads the last segment of a manifest's URL: a digest, or a tag.
func (q *request) reference() (d digest, tag string, err error) {
	if strings.Contains(q.ref, ":") {
		d, err = q.digest()
		return d, "", err
	}
	if !validTag(q.ref) {
		return "", "", badManifest("tag %q is not valid", q.ref)
	}
	return "", q.ref, nil
}

func (r *Registry) getManifest(w http.ResponseWriter, q *request) error {
	d, tag, err := q.reference()
	if err != nil {
		return err
	}
	p := r.lookup(q.key)
	if p == nil {
		return nameUnknown(q)
	}
	d, mediaType, ok := p.resolve(d, tag)
	if !ok {
		return manifestUnknown(q)
	}
	body, err := r.store.read(d)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(http.StatusNotFound, codeManifestUnknown, "the bytes of manifest %s of %s are not on disk; push it again", d, q.name)
	}
	if err != nil {
		return err
	}
	serveContent(w, q, bytes.NewReader(body), d, mediaType)
	return nil
}

// resolve finds the image that a digest or a tag names.
func (p *repository) resolve(d digest, tag string) (found digest, mediaType string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tag != "" {
		d = p.tags[tag]
	}
	m, ok := p.images[d]
	if !ok {
		return "", "", false
	}
	return d, m.mediaType, true
}

// putManifest is the push: the only request that makes images and moves tags.
func (r *Registry) putManifest(w http.ResponseWriter, q *request) error {
	d, tag, err := q.reference()
	if err != nil {
		return err
	}
	tags := q.URL.Query()["tag"]
	switch {
	case tag != "" && len(tags) > 0:
		return badManifest("parameter tag goes with a digest, not with tag %q", tag)
	case tag != "":
		tags = []string{tag}
	}
	for _, t := range tags {
		if !validTag(t) {
			return badManifest("tag %q is not valid", t)
		}
	}
	body, err := r.readBody(q)
	if err != nil {
		return err
	}
	if d == "" {
		d = digestOfBytes(sha256Name, body)
	} else if sum := digestOfBytes(d.algorithm(), body); sum != d {
		return fail(http.StatusBadRequest, codeDigestInvalid, "the digest of the manifest is %s, not %s", sum, d)
	}
	m, err := parseManifest(body, q.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if err := r.push(q, d, tags, m, body); err != nil {
		return err
	}
	h := w.Header()
	if m.subject != "" {
		h.Set("OCI-Subject", string(m.subject))
	}
	if tag == "" {
		for _, t := range tags {
			h.Add("OCI-Tag", t)
		}
	}
	return created(w, q, "manifests", d)
}

// readBody reads a manifest into memory, which is why its size has a limit.
func (r *Registry) readBody(q *request) ([]byte, error) {
	limit := r.opts.Limits.ManifestBytes
	if q.ContentLength > limit {
		return nil, fail(http.StatusRequestEntityTooLarge, codeSizeInvalid, "the manifest is %d bytes, the limit is %d", q.ContentLength, limit)
	}
	var body bytes.Buffer
	body.Grow(int(max(q.ContentLength, 0)) + bytes.MinRead)
	n, err := body.ReadFrom(io.LimitReader(q.body, limit+1))
	if err != nil {
		return nil, brokenBody(codeManifestInvalid, err)
	}
	if n > limit {
		return nil, fail(http.StatusRequestEntityTooLarge, codeSizeInvalid, "the manifest is larger than the limit, %d bytes", limit)
	}
	return body.Bytes(), nil
}

// push files the bytes, then, in one hold of the lock: looks for what the manifest names, derives what changes, and commits it.
func (r *Registry) push(q *request, d digest, tags []string, m *manifest, body []byte) error {
	r.store.pin(d)
	defer r.store.release(d)
	wrote, err := r.store.put(d, body)
	if err != nil {
		return err
	}
	p := r.lookup(q.key)
	if p == nil {
		// Nothing is here, so only a manifest that names nothing of here can make the repository.
		if err := newRepository(q.key).missing(m); err != nil {
			return err
		}
		p = r.repository(q.key)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.missing(m); err != nil {
		return err
	}
	_, known := p.images[d]
	if changes := events.Push(p, string(d), tags, r.opts.QuietChildren); len(changes) > 0 {
		for i := range changes {
			if changes[i].Digest == string(d) {
				changes[i].MediaType, changes[i].Size = m.mediaType, int64(len(body))
			}
		}
		if err := r.commit(q.Context(), p, changes); err != nil {
			return err
		}
	}
	switch {
	case known && wrote:
		p.graph = nil // its bytes had been lost, and what it refers to with them
	case !known && p.graph != nil:
		p.graph.add(d, m)
	}
	return nil
}

// missing names what a manifest refers to and the repository does not have. A subject may be missing: it may come later. The
// lock is held.
func (p *repository) missing(m *manifest) error {
	var absent []digest
	for _, b := range m.blobs {
		if _, ok := p.blobs[b.digest]; !ok && !b.foreign {
			absent = append(absent, b.digest)
		}
	}
	for _, c := range m.children {
		_, image := p.images[c.digest]
		_, blob := p.blobs[c.digest] // BuildKit's cache is an index of layers
		if !image && !blob && !c.foreign {
			absent = append(absent, c.digest)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return fail(http.StatusBadRequest, codeManifestBlobUnknown, "the manifest names %d that the repository does not have, first %s",
		len(absent), absent[0]).with(absent)
}

func (r *Registry) deleteManifest(w http.ResponseWriter, q *request) error {
	d, tag, err := q.reference()
	if err != nil {
		return err
	}
	p := r.lookup(q.key)
	if p == nil {
		return nameUnknown(q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var found bool
	if tag != "" {
		found, err = r.untag(q.Context(), p, tag)
	} else {
		found, err = r.deleteImage(q.Context(), p, d)
	}
	if err != nil {
		return err
	}
	if !found {
		return manifestUnknown(q)
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// untag takes a tag away. The repository's lock is held.
func (r *Registry) untag(ctx context.Context, p *repository, tag string) (found bool, err error) {
	changes := events.Untag(p, tag)
	if len(changes) == 0 {
		return false, nil
	}
	return true, r.commit(ctx, p, changes)
}

// deleteImage takes an image and its tags away. The repository's lock is held.
func (r *Registry) deleteImage(ctx context.Context, p *repository, d digest) (found bool, err error) {
	changes := events.Delete(p, string(d))
	if len(changes) == 0 {
		return false, nil
	}
	mediaType := p.images[d].mediaType
	if err := r.commit(ctx, p, changes); err != nil {
		return true, err
	}
	if p.graph == nil {
		return true, nil
	}
	if m, err := readManifest(r.store, d, mediaType); err == nil {
		p.graph.remove(d, m)
	} else {
		p.graph = nil
	}
	return true, nil
}
