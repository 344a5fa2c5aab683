package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// What clients have made is told to recordings, and made again from them, as a name and a value each: root, kind and key with dots between
// them, and the JSON below.

// told is a resource as recordings have it. A specification is a text there, that secrets in it are seen.
type told struct {
	value
	Text string `json:"text,omitempty"` // in the place of Extra
}

// keeper is a Collection of any kind.
type keeper interface {
	kept(all map[string][]byte)
	restoreAs(ctx context.Context, id string, data []byte) error
}

// Kept returns what clients have made and changed, and what they have deleted of the defaults, by name. What is as its file or a default
// says is left out.
func (s *Store) Kept() map[string][]byte {
	s.opened.Lock()
	defer s.opened.Unlock()
	all := make(map[string][]byte)
	for _, k := range s.kinds {
		k.kept(all)
	}
	return all
}

// Keep makes a resource that Kept or Options.Changed told of, or deletes it when data is nil, and has what runs it do so. What is there
// under its id it takes the place of.
func (s *Store) Keep(ctx context.Context, name string, data []byte) error {
	kind, key, _ := strings.Cut(strings.TrimPrefix(name, root+"."), ".")
	s.opened.Lock()
	k := s.kinds[kind]
	s.opened.Unlock()
	id, err := idOf(key)
	if k == nil || err != nil || id == "" || !strings.HasPrefix(name, root+".") {
		return fmt.Errorf("%q is no resource that can be kept", name)
	}
	if err := k.restoreAs(ctx, id, data); err != nil {
		return fmt.Errorf("%s %s: %w", kind, id, err)
	}
	return nil
}

// Feed has what Store.Keep makes and deletes handed on to what runs it, or keeps something of it beside.
func (c *Collection[M]) Feed(set func(Item[M]) error, remove func(id string) error) {
	c.set, c.remove = set, remove
}

func (c *Collection[M]) kept(all map[string][]byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, it := range c.items {
		if it.changed {
			all[c.key(id)] = c.told(id)
		}
	}
	for id := range c.gone {
		all[c.key(id)] = c.told(id)
	}
}

// told is an item as recordings have it; nil when there is none and none is expected. The caller holds mu.
func (c *Collection[M]) told(id string) []byte {
	it, there := c.items[id]
	switch {
	case c.kind.Private:
		return nil
	case there:
		return say(it)
	case c.gone[id]:
		data, _ := json.Marshal(told{value: value{Deleted: true}}) // plain values
		return data
	}
	return nil
}

func say[M proto.Message](it Item[M]) []byte {
	m, err := protojson.Marshal(it.Message)
	if err != nil {
		return nil // it could not have been kept either
	}
	t := told{value: value{Message: m, Extra: it.Extra}}
	if utf8.Valid(it.Extra) {
		t.Extra, t.Text = nil, string(it.Extra)
	}
	data, _ := json.Marshal(t) // plain values
	return data
}

// tell tells of a change. The caller holds mu.
func (c *Collection[M]) tell(id string, was []byte) {
	if !c.kind.Private {
		c.store.changed(c.key(id), was, c.told(id))
	}
}

func (c *Collection[M]) restoreAs(ctx context.Context, id string, data []byte) error {
	t := told{value: value{Deleted: true}}
	if data != nil {
		t.Deleted = false
		if err := json.Unmarshal(data, &t); err != nil {
			return err
		}
	}
	c.mu.RLock()
	there, ok := c.items[id]
	c.mu.RUnlock()
	switch {
	case !t.Deleted:
	case ok:
		if err := c.Delete(ctx, id); err != nil || c.remove == nil {
			return err
		}
		return c.remove(id)
	case data != nil: // a default, before it is declared
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gone[id] = true
		return nil
	default:
		return nil
	}
	if t.Text != "" {
		t.Extra = []byte(t.Text)
	}
	it, err := read[M](t.value)
	if err != nil {
		return err
	}
	if got := c.kind.ID(it.Message); got != id {
		return fmt.Errorf("it says that its id is %q", got)
	}
	it.File = there.File
	if err := c.Put(ctx, it); err != nil || c.set == nil {
		return err
	}
	return c.set(it)
}
