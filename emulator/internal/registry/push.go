package registry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// startUpload is the POST that begins every blob: it mounts, takes the whole blob at once, or opens an upload.
func (r *Registry) startUpload(w http.ResponseWriter, q *request) error {
	query := q.URL.Query()
	if query.Has("mount") {
		if d, from, ok := r.mountSource(query); ok {
			mounted, err := r.mount(q.key, d, from)
			if err != nil {
				return err
			}
			if mounted {
				return created(w, q, "blobs", d)
			}
		}
		// The specification wants an ordinary upload for a mount that cannot be.
	}
	algorithm := sha256Name
	if a := query.Get("digest-algorithm"); a != "" {
		algorithm = a
	}
	var whole digest
	if query.Has("digest") {
		var err error
		if whole, err = wantedDigest(query); err != nil {
			return err
		}
		algorithm = whole.algorithm()
	}
	if !knownAlgorithm(algorithm) {
		return fail(http.StatusBadRequest, codeDigestInvalid, "digest algorithm %q is not supported, want sha256 or sha512", algorithm)
	}
	x, err := r.uploads.start(q.key, algorithm)
	if err != nil {
		return err
	}
	if whole == "" {
		defer r.uploads.leave(x)
		uploadStatus(w, q, x, http.StatusAccepted)
		return nil
	}
	defer r.uploads.end(x)
	if _, err := r.uploads.write(x, q.body, -1); err != nil {
		return err
	}
	return r.finish(w, q, x, whole)
}

// mountSource reads what a mount asks for. A nil from is every repository.
func (r *Registry) mountSource(query url.Values) (d digest, from *key, ok bool) {
	d, ok = parseDigest(query.Get("mount"))
	if name := query.Get("from"); ok && name != "" {
		var k key
		k, ok = parseName(name, r.opts.Default)
		from = &k
	}
	return d, from, ok
}

func wantedDigest(query url.Values) (digest, error) {
	d, ok := parseDigest(query.Get("digest"))
	if !ok {
		return "", fail(http.StatusBadRequest, codeDigestInvalid, "parameter digest %q is not valid", query.Get("digest"))
	}
	return d, nil
}

func (r *Registry) getUpload(w http.ResponseWriter, q *request) error {
	x, err := r.uploads.find(q)
	if err != nil {
		return err
	}
	defer r.uploads.leave(x)
	uploadStatus(w, q, x, http.StatusNoContent)
	return nil
}

func (r *Registry) patchUpload(w http.ResponseWriter, q *request) error {
	x, err := r.uploads.find(q)
	if err != nil {
		return err
	}
	defer r.uploads.leave(x)
	if err := r.take(w, q, x); err != nil {
		return err
	}
	uploadStatus(w, q, x, http.StatusAccepted)
	return nil
}

// putUpload is the end of an upload; its body, if any, is the last chunk.
func (r *Registry) putUpload(w http.ResponseWriter, q *request) error {
	d, err := wantedDigest(q.URL.Query())
	if err != nil {
		return err
	}
	x, err := r.uploads.find(q)
	if err != nil {
		return err
	}
	if x.size.Load() == 0 && x.algorithm != d.algorithm() {
		x.algorithm, x.hash = d.algorithm(), newHash(d.algorithm())
	}
	if err := r.take(w, q, x); err != nil {
		r.uploads.leave(x)
		return err
	}
	defer r.uploads.end(x)
	return r.finish(w, q, x, d)
}

func (r *Registry) deleteUpload(w http.ResponseWriter, q *request) error {
	x, err := r.uploads.find(q)
	if err != nil {
		return err
	}
	r.uploads.end(x)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// take appends a request's body to the upload. With a Content-Range the body must continue where the upload stands, and be as long
// as it says.
func (r *Registry) take(w http.ResponseWriter, q *request, x *upload) error {
	start, limit := x.size.Load(), int64(-1)
	if text := q.Header.Get("Content-Range"); text != "" {
		first, last, ok := parseContentRange(text)
		switch {
		case !ok:
			return fail(http.StatusBadRequest, codeUploadInvalid, "Content-Range %q: want <first byte>-<last byte>", text)
		case first != start:
			uploadHeader(w, q, x)
			return fail(http.StatusRequestedRangeNotSatisfiable, codeUploadInvalid, "the chunk begins at byte %d, the upload stands at %d", first, start)
		case q.ContentLength >= 0 && q.ContentLength != last-first+1:
			return fail(http.StatusBadRequest, codeSizeInvalid, "Content-Range %q is %d bytes, Content-Length %d", text, last-first+1, q.ContentLength)
		}
		limit = last - first + 1
	}
	if q.ContentLength == 0 {
		return nil
	}
	n, err := r.uploads.write(x, q.body, limit)
	if err != nil || limit < 0 {
		return err
	}
	if more, _ := fill(q.body, make([]byte, 1)); n != limit || more > 0 {
		short := fail(http.StatusBadRequest, codeSizeInvalid, "the body is not as long as its Content-Range says, %d bytes", limit)
		return errors.Join(short, x.cut(start))
	}
	return nil
}

// finish makes the upload a blob of the repository, if it is what it should be.
func (r *Registry) finish(w http.ResponseWriter, q *request, x *upload, d digest) error {
	if x.size.Load() == 0 {
		if err := os.WriteFile(x.file, nil, 0o644); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
	}
	sum, err := r.uploads.sum(x, d.algorithm())
	if err != nil {
		return err
	}
	if sum != d {
		return fail(http.StatusBadRequest, codeDigestInvalid, "the digest of the %d bytes received is %s, not %s", x.size.Load(), sum, d)
	}
	if err := r.keep(x, d); err != nil {
		return err
	}
	return created(w, q, "blobs", d)
}

// keep files the bytes. The link is written first: bytes without a link would never be found again, a link without bytes is
// dropped at the next start.
func (r *Registry) keep(x *upload, d digest) error {
	r.store.pin(d)
	defer r.store.release(d)
	p := r.repository(x.key)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, had := p.blobs[d]
	if err := r.link(p, d); err != nil {
		return err
	}
	err := r.store.place(x.file, d)
	if err != nil && !had {
		_ = r.links.note(linkRemoved, p.key, string(d)) // should this fail too, the next start finds no bytes and drops the link
		delete(p.blobs, d)
		r.store.release(d)
	}
	return err
}

func created(w http.ResponseWriter, q *request, what string, d digest) error {
	h := w.Header()
	h.Set("Location", q.location(what, string(d)))
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

func uploadHeader(w http.ResponseWriter, q *request, x *upload) {
	h := w.Header()
	h.Set("Location", q.location("blobs/uploads", x.id))
	h.Set("Docker-Upload-UUID", x.id)
	h.Set("Range", "0-"+strconv.FormatInt(max(x.size.Load()-1, 0), 10))
}

func uploadStatus(w http.ResponseWriter, q *request, x *upload, status int) {
	uploadHeader(w, q, x)
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", "0")
	}
	w.WriteHeader(status)
}

// parseContentRange reads "<first>-<last>", the form of chunks. It is not the form of HTTP's own Content-Range.
func parseContentRange(s string) (first, last int64, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	from, err1 := strconv.ParseUint(a, 10, 62)
	to, err2 := strconv.ParseUint(b, 10, 62)
	if err1 != nil || err2 != nil || to < from {
		return 0, 0, false
	}
	return int64(from), int64(to), true
}
