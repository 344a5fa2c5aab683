package queue

import "container/heap"

// pile is a heap of entries. An entry knows its places, so that it can leave from the middle.
type pile struct {
	slot    slot
	less    func(a, b *entry) bool
	entries []*entry
}

// slot is which of an entry's places belongs to a pile.
type slot int

const (
	byTurn slot = iota // of those that can be taken
	byTime             // until they are visible
	byAge              // of those that are visible
	slots
)

func (p *pile) Len() int           { return len(p.entries) }
func (p *pile) Less(i, j int) bool { return p.less(p.entries[i], p.entries[j]) }
func (p *pile) Swap(i, j int) {
	p.entries[i], p.entries[j] = p.entries[j], p.entries[i]
	p.entries[i].place[p.slot], p.entries[j].place[p.slot] = i+1, j+1
}

// Push and Pop are for package heap.
func (p *pile) Push(x any) {
	e := x.(*entry)
	p.entries = append(p.entries, e)
	e.place[p.slot] = len(p.entries)
}

func (p *pile) Pop() any {
	last := len(p.entries) - 1
	e := p.entries[last]
	p.entries[last] = nil
	p.entries = p.entries[:last]
	e.place[p.slot] = 0
	return e
}

func (p *pile) put(e *entry) {
	if !p.has(e) {
		heap.Push(p, e)
	}
}

func (p *pile) drop(e *entry) {
	if p.has(e) {
		heap.Remove(p, e.place[p.slot]-1)
	}
}

func (p *pile) has(e *entry) bool { return e.place[p.slot] > 0 }

// first is nil when the pile is empty.
func (p *pile) first() *entry {
	if len(p.entries) == 0 {
		return nil
	}
	return p.entries[0]
}
