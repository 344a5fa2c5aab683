package diff

// memory is a map that forgets: it keeps the last capacity keys at least, twice as many at most.
type memory[V any] struct {
	capacity   int
	young, old map[uint64]V
}

func newMemory[V any](capacity int) memory[V] { return memory[V]{capacity: capacity} }

func (m *memory[V]) get(k uint64) (V, bool) {
	v, ok := m.young[k]
	if ok {
		return v, true
	}
	if v, ok = m.old[k]; ok {
		m.put(k, v) // what is used stays
	}
	return v, ok
}

func (m *memory[V]) put(k uint64, v V) {
	if m.young == nil {
		m.young = make(map[uint64]V)
	}
	if len(m.young) >= m.capacity {
		m.old, m.young = m.young, make(map[uint64]V)
	}
	m.young[k] = v
}

// remembered is how many ids are known at least.
const remembered = 131_072

// bijection says which value of one run is which of the other.
type bijection struct {
	there, back memory[uint64] // hashes of values
}

func newBijection() bijection {
	return bijection{there: newMemory[uint64](remembered), back: newMemory[uint64](remembered)}
}

// bind says whether want may be got, and that it is from now on.
func (b *bijection) bind(want, got uint64) bool {
	g, known := b.there.get(want)
	w, knownBack := b.back.get(got)
	if known && g != got || knownBack && w != want {
		return false
	}
	if !known || !knownBack {
		b.there.put(want, got)
		b.back.put(got, want)
	}
	return true
}

// peek is get without keeping the key from being forgotten.
func (m *memory[V]) peek(k uint64) V {
	if v, ok := m.young[k]; ok {
		return v
	}
	return m.old[k]
}
