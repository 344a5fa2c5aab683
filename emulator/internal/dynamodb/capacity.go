package dynamodb

import (
	"maps"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// capacity is what an operation is counted to cost, by the rules of AWS's documentation.
type capacity struct {
	TableName              string           `json:",omitempty"`
	CapacityUnits          float64          `json:",omitempty"`
	Table                  *units           `json:",omitempty"`
	GlobalSecondaryIndexes map[string]units `json:",omitempty"`
	LocalSecondaryIndexes  map[string]units `json:",omitempty"`
}

type units struct{ CapacityUnits float64 }

// blocks is how many blocks of so many KB the bytes need, at least one.
func blocks(bytes, kb int) float64 {
	return float64(max(1, (bytes+kb<<10-1)/(kb<<10)))
}

func newCapacity(t *table) *capacity {
	return &capacity{TableName: t.spec.Name, Table: &units{}, GlobalSecondaryIndexes: map[string]units{}, LocalSecondaryIndexes: map[string]units{}}
}

func (c *capacity) charge(index *Index, n float64) {
	c.CapacityUnits += n
	switch {
	case index == nil:
		c.Table.CapacityUnits += n
	case index.Local:
		c.LocalSecondaryIndexes[index.Name] = units{c.LocalSecondaryIndexes[index.Name].CapacityUnits + n}
	default:
		c.GlobalSecondaryIndexes[index.Name] = units{c.GlobalSecondaryIndexes[index.Name].CapacityUnits + n}
	}
}

func (c *capacity) add(other *capacity) {
	c.CapacityUnits += other.CapacityUnits
	c.Table.CapacityUnits += other.Table.CapacityUnits
	for name, u := range other.GlobalSecondaryIndexes {
		c.GlobalSecondaryIndexes[name] = units{c.GlobalSecondaryIndexes[name].CapacityUnits + u.CapacityUnits}
	}
	for name, u := range other.LocalSecondaryIndexes {
		c.LocalSecondaryIndexes[name] = units{c.LocalSecondaryIndexes[name].CapacityUnits + u.CapacityUnits}
	}
}

// as is c in the detail that ReturnConsumedCapacity asks for; nil when it asks for none.
func (c *capacity) as(detail string) *capacity {
	switch detail {
	case "TOTAL":
		return &capacity{TableName: c.TableName, CapacityUnits: c.CapacityUnits}
	case "INDEXES":
		return c
	}
	return nil
}

// readCost counts 4 KB a unit, half of it unless the read is consistent.
func (t *table) readCost(bytes int, consistent bool) *capacity {
	c := newCapacity(t)
	c.charge(nil, readUnits(bytes, consistent))
	return c
}

func readUnits(bytes int, consistent bool) float64 {
	if consistent {
		return blocks(bytes, 4)
	}
	return blocks(bytes, 4) / 2
}

// cost counts 1 KB a unit for the larger of the item before and after, and the same for each index whose entry changes.
func (w *write) cost(old, next document.Item, times float64) *capacity {
	c := newCapacity(w.table)
	c.charge(nil, times*blocks(max(old.Size(), next.Size()), 1))
	if w.verb == checkVerb {
		return c
	}
	for i := range w.table.spec.Indexes {
		index := &w.table.spec.Indexes[i]
		before, was := place(index.Keys, old)
		after, is := place(index.Keys, next)
		a, b := w.table.project(*index, old), w.table.project(*index, next)
		switch {
		case !was && !is, was && is && before == after && maps.EqualFunc(a, b, document.Value.Equal):
		case was && is && before != after: // one entry goes, one comes
			c.charge(index, times*(blocks(a.Size(), 1)+blocks(b.Size(), 1)))
		default:
			c.charge(index, times*blocks(max(a.Size(), b.Size()), 1))
		}
	}
	return c
}

// bill gathers the costs of a request by table, in the order in which tables come.
type bill struct{ list []*capacity }

func (b *bill) add(c *capacity) {
	for _, there := range b.list {
		if there.TableName == c.TableName {
			there.add(c)
			return
		}
	}
	b.list = append(b.list, c)
}

func (b *bill) as(detail string) []*capacity {
	var out []*capacity
	for _, c := range b.list {
		if c = c.as(detail); c != nil {
			out = append(out, c)
		}
	}
	return out
}
