// Package registry is an OCI registry that knows exactly what each request changed.
//
// Blobs and manifests lie on disk by digest, once for all repositories: a file for each blob, one file for all manifests. What a
// repository holds (images, tags) is in memory and is the sum of the changes it announced through its one door out, Options.Commit.
// Who refers to whom is read from the manifests' bytes. Which blobs a repository has is in nobody's journal, so it is kept in a log
// of links beside them.
//
// What is thrown away, and when: a blob that no repository has any more, at once; a deleted image's bytes, after the next snapshot
// (until then a replay may ask for them); an upload, UploadLife after its last byte, and all of them at start. A blob that no
// manifest refers to stays until a client deletes it, or the whole repository.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Options is what a registry needs from the house.
type Options struct {
	// Dir holds blobs, uploads, links and the snapshot. It is created when missing and belongs to one Registry at a time.
	Dir string
	// Commit makes the changes of one request true: when it returns nil they are on record, in order, under the sequence number
	// returned, which grows and starts at 1. It is called under the repository's lock, with everything filled in but Rev, and may
	// fill in Rev. When it fails nothing has changed. A nil Commit only counts.
	Commit func(ctx context.Context, changes []events.Change) (seq uint64, err error)
	// Clock is the time of changes and of the uploads' lives. Nil is the machine's.
	Clock clock.Clock
	// Default is the id of the registry of names that name none.
	Default string
	// Known refuses pushes to registries that it does not know, with 404. Nil: a registry comes into being with its first image.
	Known func(registry string) bool
	// QuietChildren makes images without a tag silent; see events.Push.
	QuietChildren bool
	// Limits that are zero have their defaults.
	Limits Limits
}

// Limits bound what clients can take.
type Limits struct {
	MaxUploads int           // open at a time; one more is refused with 429. Default 1000.
	UploadLife time.Duration // of an upload that nothing comes for. Default 1 hour.
	// BodyStall is how long a request's body may stand still, by the machine's clock whatever Options.Clock is; then the request is
	// refused with 408. So no client holds an upload by doing nothing, and one that is slow but moves is let be. Default 1 minute.
	BodyStall     time.Duration
	ManifestBytes int64 // a larger manifest is refused with 413. Default 4 MiB.
}

// ErrBytesMissing says that an image of the journal has no bytes on disk. The registry serves all others.
var ErrBytesMissing = errors.New("registry: manifest bytes are missing")

// Registry serves /v2/. Its methods may be called at the same time, but for Apply, which is for the time before the first request.
type Registry struct {
	opts     Options
	handlers map[kind]map[string]handler
	store    *store
	links    *links
	uploads  *uploads
	from     uint64        // the snapshot contains every record up to here
	last     atomic.Uint64 // the highest sequence number that any repository has seen
	counted  atomic.Uint64 // for a nil Commit
	serving  atomic.Bool   // there has been a request, so every record has been applied

	mu           sync.RWMutex
	repositories map[key]*repository

	snapshots sync.Mutex // one at a time
	goneMu    sync.Mutex
	gone      []digest // deleted images, pinned until the next snapshot is written
}

// New opens Dir and restores what its snapshot knows. The records after From are then to be applied.
func New(o Options) (*Registry, error) {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Limits.MaxUploads == 0 {
		o.Limits.MaxUploads = 1000
	}
	if o.Limits.UploadLife == 0 {
		o.Limits.UploadLife = time.Hour
	}
	if o.Limits.BodyStall == 0 {
		o.Limits.BodyStall = time.Minute
	}
	if o.Limits.ManifestBytes == 0 {
		o.Limits.ManifestBytes = 4 << 20
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	r := &Registry{opts: o, handlers: handlers(), repositories: map[key]*repository{}}
	if r.opts.Commit == nil {
		r.opts.Commit = func(context.Context, []events.Change) (uint64, error) { return r.counted.Add(1), nil }
	}
	var err error
	if r.store, err = openStore(o.Dir); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if err := r.restore(); err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), r.store.close())
	}
	r.uploads = newUploads(r.store, o.Clock, o.Limits)
	return r, nil
}

// Close stops the registry's goroutine and closes its files. It takes no snapshot. Requests must have ended.
func (r *Registry) Close() error {
	r.uploads.close()
	return errors.Join(r.links.close(), r.store.close())
}

// From returns the sequence number up to which the snapshot knows everything: the journal is to be replayed after it.
func (r *Registry) From() uint64 { return r.from }

// Rewind is for a journal that ends at last, before From: a damaged one, whose next records will have numbers that the snapshot took
// for known. The snapshot is the truth that is left; a new one is written under the journal's numbers.
func (r *Registry) Rewind(last uint64) error {
	for _, p := range r.all() {
		p.mu.Lock()
		p.seq, p.dropped = min(p.seq, last), min(p.dropped, last)
		p.mu.Unlock()
	}
	r.from = min(r.from, last)
	r.last.Store(min(r.last.Load(), last))
	return r.Snapshot()
}

// Apply makes a record of the journal true again. Records that the snapshot contains, or that were applied before, change nothing.
// All changes of a record are about one repository. An error that is ErrBytesMissing has applied the record all the same.
func (r *Registry) Apply(seq uint64, changes []events.Change) error {
	if len(changes) == 0 {
		return nil
	}
	k := key{changes[0].Registry, changes[0].Repository}
	for _, c := range changes {
		_, valid := parseDigest(c.Digest)
		switch {
		case c.Registry != k.registry || c.Repository != k.name:
			return fmt.Errorf("registry: record %d is about %v and %s/%s; want one repository", seq, k, c.Registry, c.Repository)
		case !valid || !validName(c.Repository):
			return fmt.Errorf("registry: record %d: repository %q, digest %q: not valid", seq, c.Repository, c.Digest)
		}
	}
	p := r.repository(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	if seq <= p.seq {
		return nil
	}
	p.graph = nil
	r.fold(p, seq, changes)
	for _, c := range changes {
		if c.Kind == events.ImageCreated && !r.store.has(digest(c.Digest)) {
			return fmt.Errorf("%w: %s/%s@%s", ErrBytesMissing, k.registry, k.name, c.Digest)
		}
	}
	return nil
}

// commit puts the changes on record and makes them true. The repository's lock is held, and nothing has changed on an error.
func (r *Registry) commit(ctx context.Context, p *repository, changes []events.Change) error {
	now := r.opts.Clock.Now()
	for i := range changes {
		c := &changes[i]
		c.Registry, c.Repository, c.At = p.key.registry, p.key.name, now
		if m, ok := p.images[digest(c.Digest)]; ok && c.MediaType == "" {
			c.MediaType, c.Size = m.mediaType, m.size
		}
	}
	seq, err := r.opts.Commit(ctx, changes)
	if err != nil {
		if diskFull(err) {
			return err
		}
		return fail(http.StatusServiceUnavailable, codeUnavailable, "the change could not be put on record: %v", err)
	}
	r.fold(p, seq, changes)
	return nil
}

func (r *Registry) fold(p *repository, seq uint64, changes []events.Change) {
	if !p.listed() {
		p.created = changes[0].At
	}
	for _, c := range changes {
		p.fold(c, r.store.pin, r.discard)
	}
	p.seq = seq
	for last := r.last.Load(); seq > last && !r.last.CompareAndSwap(last, seq); last = r.last.Load() {
	}
}

// discard takes over the pin of a deleted image.
func (r *Registry) discard(d digest) {
	r.goneMu.Lock()
	defer r.goneMu.Unlock()
	r.gone = append(r.gone, d)
}

// repository returns the repository, new when there is none.
func (r *Registry) repository(k key) *repository {
	if p := r.lookup(k); p != nil {
		return p
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.repositories[k]
	if !ok {
		p = newRepository(k)
		r.repositories[k] = p
	}
	return p
}

// lookup returns the repository or nil: reading creates nothing.
func (r *Registry) lookup(k key) *repository {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.repositories[k]
}

// all lists the repositories in no order.
func (r *Registry) all() []*repository {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*repository, 0, len(r.repositories))
	for _, p := range r.repositories {
		out = append(out, p)
	}
	return slices.Clip(out)
}
