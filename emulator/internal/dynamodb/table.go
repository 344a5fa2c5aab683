package dynamodb

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/google/btree"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// row is an item at its place in the order of the primary keys. It is not changed: a write makes another.
type row struct {
	at   string
	item document.Item
	size int
}

// entry is a row in the order of a table's keys or of an index's.
type entry struct {
	at  string
	row *row
}

// end is when a row expires.
type end struct {
	second int64
	at     string
}

type table struct {
	spec       Table
	arn, id    string
	created    time.Time
	throughput *throughput // nil: billing by request
	lazy       bool

	byClient bool // a client has made or changed it; under DB.changing

	mu      sync.RWMutex // of what follows, and of spec.TTL
	rows    *btree.BTreeG[entry]
	indexes []*btree.BTreeG[entry] // as spec.Indexes
	ends    *btree.BTreeG[end]
	bytes   int64
}

// degree of the trees: nodes of 64 entries fit a few cache lines.
const degree = 32

func newTable(spec Table, lazy bool) *table {
	spec.Keys, spec.Indexes = slices.Clone(spec.Keys), slices.Clone(spec.Indexes)
	for i, index := range spec.Indexes {
		if index.Projection == "" {
			spec.Indexes[i].Projection = "ALL"
		}
	}
	t := &table{spec: spec, lazy: lazy, rows: newOrder()}
	for range spec.Indexes {
		t.indexes = append(t.indexes, newOrder())
	}
	t.ends = newEnds()
	return t
}

func newOrder() *btree.BTreeG[entry] {
	return btree.NewG(degree, func(a, b entry) bool { return a.at < b.at })
}

func newEnds() *btree.BTreeG[end] {
	return btree.NewG(degree, func(a, b end) bool { return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.at, b.at)) < 0 })
}

// lock locks the table for writing and removes what has expired by now. The caller unlocks mu.
func (t *table) lock(now time.Time) {
	t.mu.Lock()
	for t.overdue(now) {
		first, _ := t.ends.Min()
		t.remove(first.at)
	}
}

// rlock locks the table for reading, when nothing in it is expired. The caller unlocks mu.
func (t *table) rlock(now time.Time) {
	t.mu.RLock()
	for t.overdue(now) {
		t.mu.RUnlock()
		t.lock(now)
		t.mu.Unlock()
		t.mu.RLock()
	}
}

func (t *table) overdue(now time.Time) bool {
	if t.lazy {
		now = now.Add(-lazy)
	}
	first, any := t.ends.Min()
	return any && first.second <= now.Unix()
}

// endOf is when the item expires. What ended more than five years ago never does: AWS takes that for a mistake.
func (t *table) endOf(item document.Item, now time.Time) (int64, bool) {
	v := item[t.spec.TTL]
	if t.spec.TTL == "" || v.Kind != document.Number {
		return 0, false
	}
	second, ok := v.Decimal.Seconds()
	return second, ok && second > now.AddDate(-5, 0, 0).Unix()
}

// schedule makes the ends anew, after TTL has changed.
func (t *table) schedule(now time.Time) {
	t.ends = newEnds()
	t.rows.Ascend(func(e entry) bool {
		if second, ok := t.endOf(e.row.item, now); ok {
			t.ends.ReplaceOrInsert(end{second, e.at})
		}
		return true
	})
}

// get is the item at a place; nil when there is none.
func (t *table) get(at string) document.Item {
	if e, there := t.rows.Get(entry{at: at}); there {
		return e.row.item
	}
	return nil
}

// put puts the item, or removes what is there when it is nil.
func (t *table) put(at string, item document.Item, now time.Time) {
	t.remove(at)
	if item == nil {
		return
	}
	r := &row{at: at, item: item, size: item.Size()}
	t.rows.ReplaceOrInsert(entry{at, r})
	t.bytes += int64(r.size)
	for i, index := range t.spec.Indexes {
		if there, ok := place(index.Keys, item); ok {
			t.indexes[i].ReplaceOrInsert(entry{there + at, r})
		}
	}
	if second, ok := t.endOf(item, now); ok {
		t.ends.ReplaceOrInsert(end{second, at})
	}
}

func (t *table) remove(at string) {
	e, there := t.rows.Delete(entry{at: at})
	if !there {
		return
	}
	t.bytes -= int64(e.row.size)
	for i, index := range t.spec.Indexes {
		if there, ok := place(index.Keys, e.row.item); ok {
			t.indexes[i].Delete(entry{at: there + at})
		}
	}
	if v := e.row.item[t.spec.TTL]; v.Kind == document.Number {
		if second, ok := v.Decimal.Seconds(); ok {
			t.ends.Delete(end{second, at})
		}
	}
}

// project is the part of an item that an index holds.
func (t *table) project(index Index, item document.Item) document.Item {
	if index.Projection == "ALL" {
		return item
	}
	out := document.Item{}
	take := func(name string) {
		if v, there := item[name]; there {
			out[name] = v
		}
	}
	for _, k := range t.spec.Keys {
		take(k.Name)
	}
	for _, k := range index.Keys {
		take(k.Name)
	}
	for _, name := range index.Attributes {
		take(name)
	}
	return out
}

// holds says whether an index holds the attribute.
func (t *table) holds(index Index, name string) bool {
	if index.Projection == "ALL" {
		return true
	}
	named := func(k Key) bool { return k.Name == name }
	return slices.ContainsFunc(t.spec.Keys, named) || slices.ContainsFunc(index.Keys, named) || slices.Contains(index.Attributes, name)
}
