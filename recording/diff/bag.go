package diff

import (
	"cmp"
	"slices"
)

// crowd is how many items of a run wait in a bag; then the older half counts as having no counterpart.
const crowd = 65_536

// bag is a set whose order does not count: what ran at once ends in any order.
type bag struct {
	c     *comparison
	salt  uint64
	where string
	same  func(b *bag, want, got *item)
	left  func(b *bag, want, got []*item)
	wait  [2]map[uint64][]*item
	items [2]int
}

func (b *bag) add(it *item) {
	mine, other := it.side.index, 1-it.side.index
	key := it.strong()
	if o, sure := b.c.counterpart(it, b.wait[other][key]); o != nil && sure {
		b.remove(o, key)
		b.pair(it, o)
		return
	}
	if b.wait[mine] == nil {
		b.wait[mine] = map[uint64][]*item{}
	}
	b.c.hold(it)
	b.wait[mine][key] = append(b.wait[mine][key], it)
	b.items[mine]++
	if len(b.wait[mine][key]) > window && len(b.wait[other][key]) > window { // nothing will tell which is which
		it = b.wait[mine][key][0]
		o, _ := b.c.counterpart(it, b.wait[other][key])
		if o == nil {
			o = b.wait[other][key][0]
		}
		b.remove(it, key)
		b.remove(o, key)
		b.pair(it, o)
	}
	if b.items[mine] > crowd {
		b.shed()
	}
}

func (b *bag) pair(it, o *item) {
	var pair [2]*item
	pair[it.side.index], pair[o.side.index] = it, o
	b.c.seen(b.salt, it)
	b.same(b, pair[0], pair[1])
}

// counterpart is the first whose ids are no others in the other run. It is not sure where both are calls of no event and nothing tells yet
// what their ids are there: of what runs at once any may end first, and what a call has sent may show which one it is.
func (c *comparison) counterpart(it *item, found []*item) (o *item, sure bool) {
	for _, o := range found[:min(len(found), window)] {
		w, g := it, o
		if it.side.index == 1 {
			w, g = o, it
		}
		if c.ids.compatible(w, g) {
			return o, w.run == nil || w.names != 0 || w.exact == g.exact || !slices.ContainsFunc(w.leaves, func(l leaf) bool {
				return l.class == id && c.ids.there.peek(l.value) == 0
			})
		}
	}
	return nil, false
}

func (b *bag) remove(it *item, key uint64) {
	side := it.side.index
	rest := b.wait[side][key]
	if i := slices.Index(rest, it); i == 0 {
		rest = rest[1:]
	} else {
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		delete(b.wait[side], key)
	} else {
		b.wait[side][key] = rest
	}
	b.items[side]--
	b.c.release(it)
}

func (b *bag) all(side int) []*item {
	out := make([]*item, 0, b.items[side])
	for _, items := range b.wait[side] {
		out = append(out, items...)
	}
	slices.SortStableFunc(out, func(a, b *item) int { return cmp.Compare(a.line, b.line) })
	return out
}

// shed gives the older half of what waits up.
func (b *bag) shed() {
	var half [2][]*item
	for side := range half {
		all := b.all(side)
		half[side] = all[:(len(all)+1)/2]
		for _, it := range half[side] {
			b.remove(it, it.strong())
		}
	}
	b.left(b, half[0], half[1])
}

func (b *bag) oldest() int64 {
	if b.items[0] == 0 && b.items[1] == 0 {
		return -1
	}
	oldest := int64(-1)
	for side := range b.wait {
		for _, items := range b.wait[side] {
			if oldest < 0 || items[0].line < oldest {
				oldest = items[0].line
			}
		}
	}
	return oldest
}

func (b *bag) finish() {
	var all [2][]*item
	for side := range all {
		all[side] = b.all(side)
		for _, it := range all[side] {
			b.remove(it, it.strong())
		}
	}
	b.left(b, all[0], all[1])
}
