package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/regcast/regcast/events"
)

// repository is what one name holds. Its lock is held across derive, commit and change, so that what is told is what happened.
type repository struct {
	key key

	mu  sync.Mutex
	seq uint64 // of the last record that changed images or tags; 0: there has been none
	// dropped is what seq was when the repository was deleted as a whole: it has not been since.
	dropped uint64
	created time.Time // of the first record since it is; zero: not known
	images  map[digest]*image
	tags    map[string]digest
	blobs   map[digest]struct{}
	graph   *graph // nil: not read from disk yet
}

// image is a manifest of a repository. Its bytes are on disk.
type image struct {
	mediaType string
	size      int64
	silent    bool
	tags      []string  // sorted
	created   time.Time // when it was pushed first; zero: not known
	changed   time.Time // when it was pushed, tagged or untagged last
}

func newRepository(k key) *repository {
	return &repository{
		key: k, images: map[digest]*image{}, tags: map[string]digest{}, blobs: map[digest]struct{}{}, graph: newGraph(),
	}
}

// listed tells whether an image is here, or has been since the repository was last deleted: blobs alone make no repository. The lock
// is held.
func (p *repository) listed() bool { return p.seq > p.dropped || len(p.images) > 0 }

// The repository is the index that changes are derived from. The lock is held.

func (p *repository) Image(d string) (silent, ok bool) {
	m, ok := p.images[digest(d)]
	return ok && m.silent, ok
}

func (p *repository) Tag(tag string) (string, bool) {
	d, ok := p.tags[tag]
	return string(d), ok
}

func (p *repository) Tags(d string) []string {
	if m, ok := p.images[digest(d)]; ok {
		return m.tags
	}
	return nil
}

// fold makes one change true. created is called for an image that comes to be here, deleted for one that goes.
func (p *repository) fold(c events.Change, created, deleted func(digest)) {
	d := digest(c.Digest)
	switch c.Kind {
	case events.ImageCreated:
		if m, ok := p.images[d]; ok {
			m.silent, m.changed = c.Silent, c.At
			return
		}
		p.images[d] = &image{mediaType: c.MediaType, size: c.Size, silent: c.Silent, created: c.At, changed: c.At}
		created(d)
	case events.TagAttached:
		p.detach(c)
		if m, ok := p.images[d]; ok {
			p.tags[c.Tag] = d
			m.changed = c.At
			if i, found := slices.BinarySearch(m.tags, c.Tag); !found {
				m.tags = slices.Insert(m.tags, i, c.Tag)
			}
		}
	case events.TagDetached:
		p.detach(c)
	case events.ImageDeleted:
		m, ok := p.images[d]
		if !ok {
			return
		}
		for _, tag := range m.tags {
			delete(p.tags, tag)
		}
		delete(p.images, d)
		deleted(d)
	}
}

func (p *repository) detach(c events.Change) {
	d, ok := p.tags[c.Tag]
	if !ok {
		return
	}
	delete(p.tags, c.Tag)
	if m := p.images[d]; m != nil {
		m.changed = c.At
		if i, found := slices.BinarySearch(m.tags, c.Tag); found {
			m.tags = slices.Delete(m.tags, i, i+1)
		}
	}
}

// graph is who refers to whom in a repository, as the manifests' bytes say.
type graph struct {
	uses      map[digest]int      // how often manifests name a blob or a child
	referrers map[digest][]digest // subject → who names it
}

func newGraph() *graph { return &graph{uses: map[digest]int{}, referrers: map[digest][]digest{}} }

func (g *graph) add(d digest, m *manifest) {
	for _, to := range m.references() {
		g.uses[to.digest]++
	}
	if m.subject != "" {
		g.referrers[m.subject] = append(g.referrers[m.subject], d)
	}
}

func (g *graph) remove(d digest, m *manifest) {
	for _, to := range m.references() {
		if g.uses[to.digest]--; g.uses[to.digest] <= 0 {
			delete(g.uses, to.digest)
		}
	}
	if m.subject == "" {
		return
	}
	left := slices.DeleteFunc(g.referrers[m.subject], func(o digest) bool { return o == d })
	if g.referrers[m.subject] = left; len(left) == 0 {
		delete(g.referrers, m.subject)
	}
}

// relations returns the graph, reading the manifests if this is the first question since the start. The lock is held.
func (p *repository) relations(s *store) (*graph, error) {
	if p.graph != nil {
		return p.graph, nil
	}
	g := newGraph()
	for d, held := range p.images {
		m, err := readManifest(s, d, held.mediaType)
		switch {
		case err == nil:
			g.add(d, m)
		case !errors.Is(err, fs.ErrNotExist): // lost bytes refer to nothing
			return nil, fmt.Errorf("repository %s: who refers to whom: %w", p.key.name, err)
		}
	}
	p.graph = g
	return g, nil
}
