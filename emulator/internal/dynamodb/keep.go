package dynamodb

import (
	"encoding/json"
	"fmt"
	"strings"
)

// kept is a table as recordings have it: what it is, without its items.
type kept struct {
	Table
	Throughput *throughput `json:",omitempty"`
}

// say is a table as recordings have it. The table is locked, or new.
func (t *table) say() []byte {
	data, _ := json.Marshal(kept{t.spec, t.throughput}) // plain values
	return data
}

// Kept returns the tables that clients have made, and those that they have changed, by name, in Keep's form.
func (d *DB) Kept() map[string][]byte {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := map[string][]byte{}
	for name, t := range d.tables {
		if t.byClient {
			t.mu.RLock()
			all[name] = t.say()
			t.mu.RUnlock()
		}
	}
	return all
}

// Keep makes a table that Kept or Options.Changed has told of, empty, or deletes it when data is nil. Of one that is there and has the same
// keys and indexes the attribute of TTL is changed, and its items stay.
func (d *DB) Keep(name string, data []byte) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.mu.RLock()
	t := d.tables[name]
	d.mu.RUnlock()
	var was []byte
	if t != nil {
		t.lock(d.now())
		defer t.mu.Unlock()
		was = t.say()
	}
	if data == nil {
		if t != nil {
			d.drop(t)
			d.options.Changed(name, was, nil)
		}
		return nil
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("table %q: %w", name, err)
	}
	if k.Name != name {
		return fmt.Errorf("table %q: it says that its name is %q", name, k.Name)
	}
	if why := k.check(); len(why) > 0 {
		return fmt.Errorf("table %q: %s", name, strings.Join(why, "; "))
	}
	if t != nil && t.like(k.Table) {
		t.spec.TTL = k.TTL
		t.schedule(d.now())
	} else {
		if t != nil {
			d.drop(t)
		}
		t, _ = d.create(k.Table, k.Throughput) // the name is free
	}
	t.byClient = true
	d.options.Changed(name, was, t.say())
	return nil
}

// like says whether the table is what a spec says, but for its TTL.
func (t *table) like(spec Table) bool {
	spec.TTL = t.spec.TTL
	a, _ := json.Marshal(newTable(spec, t.lazy).spec) // plain values
	b, _ := json.Marshal(t.spec)
	return string(a) == string(b)
}

// drop forgets a table.
func (d *DB) drop(t *table) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tables[t.spec.Name] == t {
		delete(d.tables, t.spec.Name)
	}
}
