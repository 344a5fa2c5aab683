package resource

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Kind describes the resources of a Collection. The funcs that are nil read the message's fields of the same meaning.
type Kind[M proto.Message] struct {
	Name   string         // in persisted names, of [a-z0-9-], and in messages: "trigger"
	ID     func(M) string // nil: the field id
	Folder func(M) string // names are unique within one; nil: the field folder_id
	Label  func(M) string // the resource's name, which may be empty; nil: the field name
	// Private resources are secrets, or of no use elsewhere: Store.Kept and Changed do not tell of them.
	Private bool
}

// Item is a resource with what its service keeps beside it.
type Item[M proto.Message] struct {
	Message M
	Extra   []byte // what is no part of the message: a specification, a secret
	// File declares the resource: it is not persisted, and as the file says at the next start. Empty: a client made it.
	File string

	changed bool // by a client, since it was declared
}

// Collection is the resources of one kind. Its methods may be called at once; what they return is the caller's own copy. Reading,
// deciding and putting is not one step: a service has its own lock round that.
type Collection[M proto.Message] struct {
	store *Store
	kind  Kind[M]

	changing sync.Mutex // round a change, before mu: readers do not wait for the disk

	mu       sync.RWMutex
	items    map[string]Item[M]
	defaults map[string]bool // ids that exist without any set-up
	gone     map[string]bool // of these, the ones that a client deleted

	set    func(Item[M]) error // of Feed
	remove func(id string) error
}

// value is what is persisted of an item.
type value struct {
	Message json.RawMessage `json:"message,omitempty"`
	Extra   []byte          `json:"extra,omitempty"`
	Deleted bool            `json:"deleted,omitempty"` // the item was a default one
}

// Open reads the resources of a kind.
func Open[M proto.Message](ctx context.Context, s *Store, k Kind[M]) (*Collection[M], error) {
	c := &Collection[M]{store: s, kind: k, items: make(map[string]Item[M]),
		defaults: make(map[string]bool), gone: make(map[string]bool)}
	if k.ID == nil {
		c.kind.ID = func(m M) string { return field(m, "id") }
	}
	if k.Folder == nil {
		c.kind.Folder = func(m M) string { return field(m, "folder_id") }
	}
	if k.Label == nil {
		c.kind.Label = func(m M) string { return field(m, "name") }
	}
	kept, err := s.kept(ctx, k.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Name, err)
	}
	for key, data := range kept {
		if err := c.restore(key, data); err != nil {
			return nil, fmt.Errorf("%s: the kept value %s.%s cannot be read: %w", k.Name, c.under(), key, err)
		}
	}
	if !k.Private {
		s.opened.Lock()
		defer s.opened.Unlock()
		s.kinds[k.Name] = c
	}
	return c, nil
}

func (c *Collection[M]) under() string { return root + "." + c.kind.Name }

func (c *Collection[M]) restore(key string, data []byte) error {
	var v value
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	if v.Deleted {
		id, err := idOf(key)
		c.gone[id] = true
		return err
	}
	it, err := read[M](v)
	if err == nil {
		c.items[c.kind.ID(it.Message)] = it
	}
	return err
}

// read makes an item of what is persisted of it.
func read[M proto.Message](v value) (Item[M], error) {
	var none M
	m := none.ProtoReflect().New().Interface().(M)
	err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(v.Message, m)
	return Item[M]{Message: m, Extra: v.Extra, changed: true}, err
}

// escape begins the key of an id that the journal's names cannot hold as it is.
const escape = "x-"

func plain(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func (c *Collection[M]) key(id string) string {
	if plain(id) {
		return c.under() + "." + id
	}
	return c.under() + "." + escape + hex.EncodeToString([]byte(id))
}

func idOf(key string) (string, error) {
	if coded, escaped := strings.CutPrefix(key, escape); escaped {
		id, err := hex.DecodeString(coded)
		return string(id), err
	}
	return key, nil
}

// Get returns a resource, or NOT_FOUND.
func (c *Collection[M]) Get(id string) (Item[M], error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	it, ok := c.items[id]
	if !ok {
		return Item[M]{}, status.Errorf(codes.NotFound, "%s %s not found", c.title(), id)
	}
	return it.clone(), nil
}

// Look shows a resource without a copy, to those who ask often: see must neither change nor keep it. It tells whether it is there.
func (c *Collection[M]) Look(id string, see func(M)) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	it, ok := c.items[id]
	if ok {
		see(it.Message)
	}
	return ok
}

// Each shows all resources without copies, in no order, until see says that it has seen enough: it must neither change nor keep them, nor
// ask the collection for more.
func (c *Collection[M]) Each(see func(M) (more bool)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, it := range c.items {
		if !see(it.Message) {
			return
		}
	}
}

// title is the kind at the beginning of a sentence.
func (c *Collection[M]) title() string {
	return strings.ToUpper(c.kind.Name[:1]) + strings.ReplaceAll(c.kind.Name[1:], "-", " ")
}

func (it Item[M]) clone() Item[M] {
	it.Message = proto.CloneOf(it.Message)
	return it
}

// All returns every resource of which keep says yes (nil: all), in the order of creation.
func (c *Collection[M]) All(keep func(M) bool) []Item[M] {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []Item[M]
	for _, it := range c.items {
		if keep == nil || keep(it.Message) {
			out = append(out, it.clone())
		}
	}
	slices.SortFunc(out, func(a, b Item[M]) int {
		return cmp.Or(created(a.Message).Compare(created(b.Message)), strings.Compare(c.kind.ID(a.Message), c.kind.ID(b.Message)))
	})
	return out
}

// Messages is All without what services keep beside.
func (c *Collection[M]) Messages(keep func(M) bool) []M {
	items := c.All(keep)
	out := make([]M, len(items))
	for i, it := range items {
		out[i] = it.Message
	}
	return out
}

// Free says ALREADY_EXISTS when another resource of the folder than the one with this id has the name. Nobody has the empty one.
func (c *Collection[M]) Free(folder, name, id string) error {
	if name == "" {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for other, it := range c.items {
		if other != id && c.kind.Folder(it.Message) == folder && c.kind.Label(it.Message) == name {
			return status.Errorf(codes.AlreadyExists, "%s with name %s already exists: %s", c.title(), name, other)
		}
	}
	return nil
}

// Put adds or replaces a resource. When it returns nil the resource is kept, also over a kill -9, unless a file declares it.
func (c *Collection[M]) Put(ctx context.Context, it Item[M]) error {
	it = it.clone()
	it.changed = true
	id := c.kind.ID(it.Message)
	c.changing.Lock()
	defer c.changing.Unlock()
	if it.File == "" {
		if err := c.keep(ctx, id, it); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.told(id)
	c.items[id] = it
	delete(c.gone, id)
	c.tell(id, was)
	return nil
}

func (c *Collection[M]) keep(ctx context.Context, id string, it Item[M]) error {
	if c.store.values == nil {
		return nil
	}
	m, err := protojson.Marshal(it.Message)
	if err != nil {
		return status.Errorf(codes.Internal, "%s %s: %v", c.kind.Name, id, err)
	}
	return c.write(ctx, id, value{Message: m, Extra: it.Extra})
}

func (c *Collection[M]) write(ctx context.Context, id string, v value) error {
	data, err := json.Marshal(v)
	if err == nil {
		// A client that hangs up must not leave the question open whether its call did something.
		err = c.store.values.Put(context.WithoutCancel(ctx), c.key(id), data)
	}
	if err != nil {
		return status.Errorf(codes.Internal, "%s %s cannot be kept: %v", c.kind.Name, id, err)
	}
	return nil
}

// Delete forgets a resource; a default one is not declared again.
func (c *Collection[M]) Delete(ctx context.Context, id string) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.mu.RLock()
	it, ok := c.items[id]
	byDefault := c.defaults[id]
	c.mu.RUnlock()
	if !ok {
		return status.Errorf(codes.NotFound, "%s %s not found", c.title(), id)
	}
	switch {
	case c.store.values == nil || it.File != "":
	case byDefault:
		if err := c.write(ctx, id, value{Deleted: true}); err != nil {
			return err
		}
	default:
		if err := c.store.values.Remove(context.WithoutCancel(ctx), c.key(id)); err != nil {
			return status.Errorf(codes.Internal, "%s %s cannot be forgotten: %v", c.kind.Name, id, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.told(id)
	delete(c.items, id)
	if byDefault && it.File == "" {
		c.gone[id] = true
	}
	c.tell(id, was)
	return nil
}

// ErrDeclared is returned by Declare for an id that another file has declared.
var ErrDeclared = errors.New("declared twice")

// Declare adds a resource of a file, in the place of one that is kept. Nothing is persisted.
func (c *Collection[M]) Declare(it Item[M]) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.kind.ID(it.Message)
	if there, ok := c.items[id]; ok && there.File != "" {
		return fmt.Errorf("%s %s: %w, in %s and in %s", c.kind.Name, id, ErrDeclared, there.File, it.File)
	}
	it.changed = false
	c.items[id] = it.clone()
	return nil
}

// DeclareDefault adds a resource that exists without any set-up, unless it is there or a client has deleted it. It returns the one
// that is there now, and false when there is none.
func (c *Collection[M]) DeclareDefault(it Item[M]) (Item[M], bool) {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.kind.ID(it.Message)
	c.defaults[id] = true
	if _, ok := c.items[id]; !ok {
		if c.gone[id] {
			return Item[M]{}, false
		}
		it.changed = false
		c.items[id] = it.clone()
	}
	return c.items[id].clone(), true
}

// field reads a string of a message; empty when it has no such field.
func field(m proto.Message, name protoreflect.Name) string {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName(name); f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
		return r.Get(f).String()
	}
	return ""
}

// created is when a resource was made; zero when its message does not tell.
func created(m proto.Message) time.Time {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("created_at"); f != nil && f.Message() != nil && r.Has(f) {
		if t, ok := r.Get(f).Message().Interface().(*timestamppb.Timestamp); ok {
			return t.AsTime()
		}
	}
	return time.Time{}
}
