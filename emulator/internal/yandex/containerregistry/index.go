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
// that have changed since for their images. So a call costs a look at a map; a miss a look at every repository and one hash for each
// image of those that have changed.
type index struct {
	room *registry.Registry

	mu    sync.Mutex
	found map[string]target
	seen  map[repositoryName]known
}

// known is what the index has of a repository.
type known struct {
	seq uint64 // what it has is the state after this record
	ids []string
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
	there := x.room.Repositories("")
	for _, p := range there {
		name := repositoryName{p.Registry, p.Name}
		if old, ok := x.seen[name]; !ok || old.seq != p.Seq {
			x.forget(name)
			x.seen[name] = known{p.Seq, x.add(name)}
		}
	}
	if len(x.seen) == len(there) {
		return
	}
	listed := make(map[repositoryName]bool, len(there))
	for _, p := range there {
		listed[repositoryName{p.Registry, p.Name}] = true
	}
	for name := range x.seen {
		if !listed[name] {
			x.forget(name)
		}
	}
}

func (x *index) add(name repositoryName) []string {
	ids := []string{name.id()}
	x.found[ids[0]] = target{repository: name}
	for _, ref := range x.room.Images(name.registry, name.name) {
		id := words.ImageID(name.registry, name.name, ref.Digest)
		x.found[id] = target{name, ref.Digest}
		ids = append(ids, id)
	}
	return ids
}

func (x *index) forget(name repositoryName) {
	for _, id := range x.seen[name].ids {
		delete(x.found, id)
	}
	delete(x.seen, name)
}
