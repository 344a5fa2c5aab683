package registry

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The snapshot is lines of JSON: a head, then a line for each repository.

const (
	snapshotName    = "snapshot.json"
	snapshotVersion = 1
)

type snapshotHead struct {
	Version int    `json:"version"`
	From    uint64 `json:"from"`  // every record up to here is in the snapshot
	Links   int    `json:"links"` // the first file of links that is not
}

type snapshotRepository struct {
	Registry string            `json:"registry"`
	Name     string            `json:"name"`
	Seq      uint64            `json:"seq"`
	Dropped  uint64            `json:"dropped,omitempty"`
	Created  time.Time         `json:"created,omitzero"`
	Images   []snapshotImage   `json:"images"`
	Tags     map[string]digest `json:"tags"`
	Blobs    []digest          `json:"blobs"`
}

type snapshotImage struct {
	Digest    digest    `json:"digest"`
	MediaType string    `json:"media_type"`
	Size      int64     `json:"size"`
	Silent    bool      `json:"silent,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Changed   time.Time `json:"changed,omitzero"`
}

// Snapshot writes what the registry knows, so that the next start has less to replay, and removes the bytes of deleted images. It
// may run beside requests; each repository is held for as long as it takes to copy. The file is replaced as a whole or not at all.
func (r *Registry) Snapshot() error {
	r.snapshots.Lock()
	defer r.snapshots.Unlock()
	r.goneMu.Lock()
	gone := r.gone
	r.gone = nil
	r.goneMu.Unlock()
	if err := r.snapshot(); err != nil {
		r.goneMu.Lock()
		r.gone = append(r.gone, gone...)
		r.goneMu.Unlock()
		return fmt.Errorf("registry: snapshot: %w", err)
	}
	for _, d := range gone {
		r.store.release(d)
	}
	if !r.serving.Load() {
		return nil // what has no pin may be that of a record still to be applied
	}
	if err := r.store.compact(); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

func (r *Registry) snapshot() error {
	// In this order: whoever was told a lower number than From, or wrote to a file before Links, holds the lock of a repository that
	// is listed below until what it did can be copied.
	from := r.last.Load()
	files, err := r.links.rotate()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(r.store.temp, "snapshot-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // in vain once it is renamed
	buffered := bufio.NewWriter(writerFunc(func(p []byte) (int, error) { return r.store.write(f, p) }))
	enc := json.NewEncoder(buffered)
	err = enc.Encode(snapshotHead{snapshotVersion, from, files})
	for _, p := range r.all() {
		if err == nil {
			err = enc.Encode(p.snapshot())
		}
	}
	// The files of links go when this one stands, so this one must stand.
	if err = errors.Join(err, buffered.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(r.opts.Dir, snapshotName)); err != nil {
		return err
	}
	return r.links.drop(files)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (p *repository) snapshot() snapshotRepository {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := snapshotRepository{
		Registry: p.key.registry, Name: p.key.name, Seq: p.seq, Dropped: p.dropped, Created: p.created,
		Tags: make(map[string]digest, len(p.tags)),
	}
	for d, m := range p.images {
		s.Images = append(s.Images, snapshotImage{d, m.mediaType, m.size, m.silent, m.created, m.changed})
	}
	for tag, d := range p.tags {
		s.Tags[tag] = d
	}
	for d := range p.blobs {
		s.Blobs = append(s.Blobs, d)
	}
	return s
}

// restore reads the snapshot, if there is one, and the links since.
func (r *Registry) restore() error {
	head, err := r.readSnapshot(filepath.Join(r.opts.Dir, snapshotName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("snapshot: %w", err)
	}
	r.from = head.From
	r.last.Store(head.From)
	if r.links, err = openLinks(r.opts.Dir, head.Links, r.store.write); err != nil {
		return err
	}
	err = r.links.replay(head.Links, func(l link) {
		p := r.repository(l.key)
		switch {
		case l.what == linkDropped:
			p.dropped = max(p.dropped, l.seq)
			clear(p.blobs)
		case l.what == linkRemoved:
			delete(p.blobs, l.digest)
		case r.store.hasBlob(l.digest): // else it was killed between the line and the file
			p.blobs[l.digest] = struct{}{}
		}
	})
	if err != nil {
		return errors.Join(err, r.links.close())
	}
	// Only now: a blob that one line lets go may be held by a later one.
	for _, p := range r.repositories {
		for d := range p.blobs {
			r.store.pin(d)
		}
	}
	return nil
}

func (r *Registry) readSnapshot(path string) (snapshotHead, error) {
	var head snapshotHead
	f, err := os.Open(path)
	if err != nil {
		return head, err
	}
	defer f.Close()
	dec := json.NewDecoder(bufio.NewReader(f))
	if err := dec.Decode(&head); err != nil {
		return head, err
	}
	if head.Version != snapshotVersion {
		return head, fmt.Errorf("version %d, want %d", head.Version, snapshotVersion)
	}
	for {
		var s snapshotRepository
		switch err := dec.Decode(&s); err {
		case nil:
			r.restoreRepository(s)
		case io.EOF:
			return head, nil
		default:
			return head, err
		}
	}
}

func (r *Registry) restoreRepository(s snapshotRepository) {
	p := r.repository(key{s.Registry, s.Name})
	p.seq, p.dropped, p.created = s.Seq, s.Dropped, s.Created
	if len(s.Images) > 0 {
		p.graph = nil
	}
	for _, m := range s.Images {
		p.images[m.Digest] = &image{mediaType: m.MediaType, size: m.Size, silent: m.Silent, created: m.Created, changed: m.Changed}
		r.store.pin(m.Digest)
	}
	for tag, d := range s.Tags {
		if m, ok := p.images[d]; ok {
			p.tags[tag] = d
			m.tags = append(m.tags, tag)
		}
	}
	for _, m := range p.images {
		slices.Sort(m.tags)
	}
	for _, d := range s.Blobs {
		p.blobs[d] = struct{}{}
	}
}
