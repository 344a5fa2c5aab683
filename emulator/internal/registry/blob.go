package registry

import (
	"io"
	"net/http"
	"os"
	"time"
)

func blobUnknown(q *request, d digest) error {
	return fail(http.StatusNotFound, codeBlobUnknown, "repository %s has no blob %s", q.name, d)
}

func (r *Registry) getBlob(w http.ResponseWriter, q *request) error {
	d, err := q.digest()
	if err != nil {
		return err
	}
	if !r.holds(q.key, d) {
		return blobUnknown(q, d)
	}
	f, err := r.store.open(d)
	if os.IsNotExist(err) {
		return blobUnknown(q, d)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	serveContent(w, q, f, d, typeOctets)
	return nil
}

// serveContent answers with content or the ranges asked for. Content never changes under its digest, so the digest is its ETag.
func serveContent(w http.ResponseWriter, q *request, content io.ReadSeeker, d digest, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType) // or net/http would look into the bytes and guess
	h.Set("Docker-Content-Digest", string(d))
	h.Set("ETag", `"`+string(d)+`"`)
	http.ServeContent(w, q.Request, "", time.Time{}, content)
}

func (r *Registry) holds(k key, d digest) bool {
	p := r.lookup(k)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.blobs[d]
	return ok
}

// deleteBlob takes a blob from the repository. While a manifest of the repository names it, it is not to be had: a deleted layer
// would make an image that every list shows and nobody can pull. The specification has no word for that; 405 is its answer
// where deleting is not offered, and clients expect it.
func (r *Registry) deleteBlob(w http.ResponseWriter, q *request) error {
	d, err := q.digest()
	if err != nil {
		return err
	}
	p := r.lookup(q.key)
	if p == nil {
		return blobUnknown(q, d)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.blobs[d]; !ok {
		return blobUnknown(q, d)
	}
	g, err := p.relations(r.store)
	if err != nil {
		return err
	}
	if g.uses[d] > 0 {
		return notAllowed(w, []string{"GET", "HEAD"}, "blob %s is in use by a manifest of %s; delete the manifest first", d, q.name)
	}
	if err := r.links.note(linkRemoved, p.key, string(d)); err != nil {
		return err
	}
	delete(p.blobs, d)
	r.store.release(d)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// mount gives a repository a blob that another one has; from nil means any. It tells whether it did.
func (r *Registry) mount(to key, d digest, from *key) (bool, error) {
	if from != nil && !r.pinHeld(*from, d) {
		return false, nil
	}
	if from == nil {
		r.store.pin(d)
	}
	// From here on the content can not go, whatever happens to its source.
	defer r.store.release(d)
	if !r.store.hasBlob(d) {
		return false, nil
	}
	p := r.repository(to)
	p.mu.Lock()
	defer p.mu.Unlock()
	return true, r.link(p, d)
}

// pinHeld pins a blob if the repository has it.
func (r *Registry) pinHeld(k key, d digest) bool {
	p := r.lookup(k)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.blobs[d]
	if ok {
		r.store.pin(d)
	}
	return ok
}

// link makes a blob one of the repository's, which then has a pin of its own. The repository's lock is held.
func (r *Registry) link(p *repository, d digest) error {
	if _, ok := p.blobs[d]; ok {
		return nil
	}
	if err := r.links.note(linkAdded, p.key, string(d)); err != nil {
		return err
	}
	p.blobs[d] = struct{}{}
	r.store.pin(d)
	return nil
}
