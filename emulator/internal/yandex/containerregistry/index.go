package containerregistry

import (
	"crypto/sha256"
	"encoding/base32"
	"sync"

	words "github.com/regcast/regcast/events/yandex"

	"github.com/regcast/regcast/emulator/internal/registry"
)

// repositoryName names a repository.
type repositoryName struct{ registry, name string }

// String is the name as the cloud has it.
func (n repositoryName) String() string { return n.registry + "/" + n.name }

// id is always the same for the same name.
func (n repositoryName) id() string { return idOf("repository", n.registry, n.name) }

// idOf makes an id of what it stands for: the room gives none, and a client must find the same one after a restart.
func idOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	text := base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil))
	return prefix + text[:17]
}

// target is what an id stands for; of a repository it has no digest.
type target struct {
	repository repositoryName
	digest     string
}

// index finds repositories and images of the room by their ids, which tell nothing of the way back. It learns when it is asked: what it
// has found stays true, for ids are made of names; for an id that it does not know it asks all repositories how far they are, and those
// that have changed since for their images. So a call costs a look at a map; a miss a look at every repository and at each image of those
// that have changed, and one hash for each image that is new.
type index struct {
	room *registry.Registry

	mu    sync.Mutex
	found map[string]target
	seen  map[repositoryName]known
}

// known is what the index has of a repository.
type known struct {
	seq uint64            // it is the state after this record
	ids map[string]string // of the images, by digest; that of the repository by ""
}

// find says what an id stands for, or stood for: the room knows whether it is still there.
func (x *index) find(id string) (target, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t, ok := x.found[id]
	if !ok {
		x.learn()
		t, ok = x.found[id]
	}
	return t, ok
}

// learn makes the index what the room is now. The lock is held.
func (x *index) learn() {
	if x.found == nil {
		x.found, x.seen = make(map[string]target), make(map[repositoryName]known)
	}
	listed := make(map[repositoryName]bool)
	for _, p := range x.room.Repositories("") {
		name := repositoryName{p.Registry, p.Name}
		listed[name] = true
		if old, ok := x.seen[name]; !ok || old.seq != p.Seq {
			x.seen[name] = known{p.Seq, x.look(name, old.ids)}
		}
	}
	for name, old := range x.seen {
		if !listed[name] {
			x.forget(old.ids)
			delete(x.seen, name)
		}
	}
}

// look returns the ids of a repository and its images, and forgets the old ones that are no more.
func (x *index) look(name repositoryName, old map[string]string) map[string]string {
	refs := x.room.Images(name.registry, name.name)
	ids := make(map[string]string, len(refs)+1)
	keep := func(digest string, hash func() string) {
		id, ok := old[digest]
		if !ok {
			id = hash()
			x.found[id] = target{name, digest}
		}
		delete(old, digest)
		ids[digest] = id
	}
	keep("", name.id)
	for _, ref := range refs {
		keep(ref.Digest, func() string { return words.ImageID(name.registry, name.name, ref.Digest) })
	}
	x.forget(old)
	return ids
}

func (x *index) forget(ids map[string]string) {
	for _, id := range ids {
		delete(x.found, id)
	}
}
