package diff

import (
	"cmp"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"time"
)

// What may wait for its counterpart before the oldest is given up.
const (
	maxPending = 262_144
	maxBytes   = 64 << 20
)

// comparison is both runs as far as they are read.
type comparison struct {
	seed             maphash.Seed
	later            time.Duration
	ignore, volatile []pattern
	paths            bool // somebody asks for paths
	ids              bijection
	report           *collector

	pending [2]int // items that wait
	bytes   int

	lanes     map[string]*lane
	bags      map[string]*bag
	broadcast map[[2]string]*path
	sockets   map[uint64]*socket
	opened    int        // sockets so far
	since     [][2]int64 // when sockets were opened that were there when the recordings began: Unix nanoseconds in both runs
	functions map[string]*function
	sides     [2]*side
	ended     bool             // both are read
	did       memory[struct{}] // what has corresponded, to know what comes twice
	unfired   map[uint64]bool  // trigger and event of which it is said already that one did not fire, or did, for the other
}

func newComparison(o Options) (*comparison, error) {
	c := &comparison{
		seed: maphash.MakeSeed(), later: o.Later, ids: newBijection(), report: newCollector(o.Limit),
		lanes: map[string]*lane{}, bags: map[string]*bag{}, broadcast: map[[2]string]*path{}, sockets: map[uint64]*socket{},
		functions: map[string]*function{}, did: newMemory[struct{}](remembered), unfired: map[uint64]bool{},
	}
	if c.later == 0 {
		c.later = defaultLater
	}
	for from, into := range map[*[]string]*[]pattern{&o.Ignore: &c.ignore, &o.Volatile: &c.volatile} {
		for _, text := range *from {
			p, err := parsePattern(text)
			if err != nil {
				return nil, err
			}
			*into = append(*into, p)
		}
	}
	c.paths = len(c.ignore)+len(c.volatile) > 0
	return c, nil
}

func (c *comparison) hash(text string) uint64 { return maphash.String(c.seed, text) }

func (c *comparison) hold(it *item) {
	c.pending[it.side.index]++
	c.bytes += it.size
}

func (c *comparison) release(it *item) {
	c.pending[it.side.index]--
	c.bytes -= it.size
}

// seen remembers that an item has had its counterpart.
func (c *comparison) seen(salt uint64, it *item) {
	c.did.put(mix(salt, it.strong()), struct{}{})
	if it.run != nil && it.names != 0 {
		c.did.put(mix(salt, it.names), struct{}{}) // a retry's input may count the tries
	}
}

func (c *comparison) wasSeen(salt uint64, it *item) bool {
	if _, ok := c.did.get(mix(salt, it.strong())); ok {
		return true
	}
	if it.run == nil || it.names == 0 {
		return false
	}
	_, ok := c.did.get(mix(salt, it.names))
	return ok
}

func (c *comparison) newLane(name string, v verdict) *lane {
	return &lane{c: c, salt: c.hash("lane " + name), verdict: v}
}

func (c *comparison) lane(name string, v verdict) *lane {
	l := c.lanes[name]
	if l == nil {
		l = c.newLane(name, v)
		c.lanes[name] = l
	}
	return l
}

func (c *comparison) bag(where string, same func(*bag, *item, *item), left func(*bag, []*item, []*item)) *bag {
	b := c.bags[where]
	if b == nil {
		b = &bag{c: c, where: where, salt: c.hash("bag " + where), same: same, left: left}
		c.bags[where] = b
	}
	return b
}

// room is what waits in one lane or bag.
type room interface {
	oldest() int64 // line of what waits longest; -1: nothing
	shed()
}

// bound has what waits longest given up while too much waits.
func (c *comparison) bound() {
	for c.pending[0]+c.pending[1] > maxPending || c.bytes > maxBytes && c.pending[0]+c.pending[1] > 2*window {
		var oldest room
		at := int64(math.MaxInt64)
		for r := range c.rooms {
			if line := r.oldest(); line >= 0 && line < at {
				oldest, at = r, line
			}
		}
		if oldest == nil {
			return
		}
		oldest.shed()
	}
}

func (c *comparison) rooms(yield func(room) bool) {
	for _, l := range c.lanes {
		if !yield(l) {
			return
		}
	}
	for _, b := range c.bags {
		if !yield(b) {
			return
		}
	}
	for _, p := range c.broadcast {
		if !yield(p.lane) {
			return
		}
	}
	for _, k := range c.sockets {
		if !yield(k.in) || !yield(k.out) {
			return
		}
	}
}

// finish settles what is left, in an order that is the same each time: if not all can be listed, what sockets saw comes first.
func (c *comparison) finish() {
	c.ended = true
	for _, name := range slices.Sorted(maps.Keys(c.lanes)) {
		c.lanes[name].finish()
	}
	if b := c.bags[judgements]; b != nil {
		b.finish() // before the other bags: they need not say again what it says
	}
	paths := slices.SortedFunc(maps.Values(c.broadcast), func(a, b *path) int { return cmp.Compare(a.name, b.name) })
	for _, p := range paths {
		p.lane.finish()
	}
	sockets := slices.SortedFunc(maps.Values(c.sockets), func(a, b *socket) int { return a.number - b.number })
	for _, k := range sockets {
		k.settle(true)
	}
	for _, name := range slices.Sorted(maps.Keys(c.bags)) {
		if name != judgements {
			c.bags[name].finish()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.functions)) {
		c.functions[name].slower()
	}
}
