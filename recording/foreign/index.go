package foreign

// remembered is how many images and how many tags an index knows, and how many ids of events are kept: the last ones.
const (
	remembered    = 16_384
	rememberedIDs = 65_536
)

// ring is a map that forgets its oldest keys.
type ring[V any] struct {
	values map[string]V
	order  []string // a ring, once it is full
	next   int
	size   int
}

func newRing[V any](size int) *ring[V] { return &ring[V]{values: map[string]V{}, size: size} }

func (r *ring[V]) set(key string, v V) {
	if _, known := r.values[key]; !known {
		if len(r.order) < r.size {
			r.order = append(r.order, key)
		} else {
			delete(r.values, r.order[r.next])
			r.order[r.next] = key
			r.next = (r.next + 1) % r.size
		}
	}
	r.values[key] = v
}

// seen knows where the last ids were met.
type seen struct{ ids *ring[Place] }

func newSeen() *seen { return &seen{newRing[Place](rememberedIDs)} }

// add returns the place where the id was met before.
func (s *seen) add(id string, at Place) (first Place, again bool) {
	if first, again = s.ids.values[id]; !again {
		s.ids.set(id, at)
	}
	return first, again
}

// index knows which images and tags a file has told of, the last 16,384 of each. What is forgotten, or was there before the file
// begins, is taken for new: a push of it then says create-image where the cloud would not have.
type index struct {
	images *ring[bool]
	tags   *ring[string]
}

func newIndex() *index { return &index{newRing[bool](remembered), newRing[string](remembered)} }

// repository is an events.Index.
type repository struct {
	*index
	name string
}

func (x *index) of(registry, name string) repository {
	return repository{x, registry + "\x00" + name + "\x00"}
}

func (r repository) Image(digest string) (silent, ok bool) {
	return false, r.images.values[r.name+digest]
}

func (r repository) Tag(tag string) (string, bool) {
	digest := r.tags.values[r.name+tag]
	return digest, digest != ""
}

// Tags is what only deletions ask, which are not derived here.
func (r repository) Tags(string) []string { return nil }

func (r repository) push(digest, tag string) {
	if digest != "" {
		r.images.set(r.name+digest, true)
	}
	if tag != "" {
		r.tags.set(r.name+tag, digest)
	}
}

func (r repository) remove(tag, digest string) {
	if tag != "" {
		r.tags.set(r.name+tag, "")
	} else if digest != "" {
		r.images.set(r.name+digest, false)
	}
}
