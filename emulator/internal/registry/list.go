package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

func (r *Registry) listRepositories(w http.ResponseWriter, q *request) error {
	names := []string{}
	for _, p := range r.all() {
		p.mu.Lock()
		if p.listed() {
			names = append(names, p.key.display(r.opts.Default))
		}
		p.mu.Unlock()
	}
	slices.Sort(names)
	names, err := page(w, q, "/v2/_catalog", names)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", struct {
		Repositories []string `json:"repositories"`
	}{names})
	return nil
}

func (r *Registry) listTags(w http.ResponseWriter, q *request) error {
	tags, ok := r.tags(q.key)
	if !ok {
		return nameUnknown(q)
	}
	slices.Sort(tags)
	tags, err := page(w, q, q.location("tags", "list"), tags)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{q.name, tags})
	return nil
}

func (r *Registry) tags(k key) ([]string, bool) {
	p := r.lookup(k)
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	tags := make([]string, 0, len(p.tags))
	for tag := range p.tags {
		tags = append(tags, tag)
	}
	return tags, p.listed()
}

// page cuts a sorted list as parameters n and last say, and links to what follows.
func page(w http.ResponseWriter, q *request, path string, names []string) ([]string, error) {
	query := q.URL.Query()
	if last := query.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	if !query.Has("n") {
		return names, nil
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n < 0 {
		return nil, fail(http.StatusBadRequest, codePageInvalid, "parameter n is %q, want a number that is not negative", query.Get("n"))
	}
	if n >= len(names) {
		return names, nil
	}
	names = names[:n]
	if n > 0 {
		next := url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", path, next.Encode()))
	}
	return names, nil
}

// listReferrers answers with an index of the manifests whose subject is the digest. One that nobody refers to, or that is not here,
// has none: that is no error.
func (r *Registry) listReferrers(w http.ResponseWriter, q *request) error {
	subject, err := q.digest()
	if err != nil {
		return err
	}
	found, err := r.referrers(q.key, subject)
	if err != nil {
		return err
	}
	wanted := q.URL.Query().Get("artifactType")
	h := w.Header()
	h.Set("Content-Type", typeOCIIndex)
	if wanted != "" {
		h.Set("OCI-Filters-Applied", "artifactType")
	}
	// Manifests may have megabytes of annotations, so they are read and sent one at a time.
	_, _ = fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"manifests":[`, typeOCIIndex)
	separator := ""
	for _, from := range found {
		m, err := readManifest(r.store, from.digest, from.mediaType)
		if err != nil || wanted != "" && m.artifactType != wanted {
			continue // deleted since, or not asked for
		}
		line, err := json.Marshal(struct {
			MediaType    string            `json:"mediaType"`
			Digest       digest            `json:"digest"`
			Size         int64             `json:"size"`
			ArtifactType string            `json:"artifactType,omitempty"`
			Annotations  map[string]string `json:"annotations,omitempty"`
		}{from.mediaType, from.digest, from.size, m.artifactType, m.annotations})
		if err != nil {
			continue // strings from a JSON document can be written as one
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, line); err != nil {
			return nil // the client has gone
		}
		separator = ","
	}
	_, _ = fmt.Fprint(w, "]}")
	return nil
}

type referrer struct {
	digest    digest
	mediaType string
	size      int64
}

// referrers lists who names the subject, by digest.
func (r *Registry) referrers(k key, subject digest) ([]referrer, error) {
	p := r.lookup(k)
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.relations(r.store)
	if err != nil {
		return nil, err
	}
	var out []referrer
	for _, d := range g.referrers[subject] {
		if m, ok := p.images[d]; ok {
			out = append(out, referrer{d, m.mediaType, m.size})
		}
	}
	slices.SortFunc(out, func(a, b referrer) int { return cmp.Compare(a.digest, b.digest) })
	return out, nil
}
