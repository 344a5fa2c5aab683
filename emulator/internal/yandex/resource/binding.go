package resource

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
)

// Bindings are the access bindings of all resources: who has which role on what.
type Bindings struct {
	mu sync.Mutex // round a change
	on *Collection[*access.SetAccessBindingsRequest]
}

// OpenBindings reads the bindings.
func OpenBindings(ctx context.Context, s *Store) (*Bindings, error) {
	none := func(*access.SetAccessBindingsRequest) string { return "" }
	on, err := Open(ctx, s, Kind[*access.SetAccessBindingsRequest]{
		Name: "access-bindings", Folder: none, Label: none,
		ID: func(m *access.SetAccessBindingsRequest) string { return m.ResourceId },
	})
	return &Bindings{on: on}, err
}

// Of returns the bindings of a resource; none when nothing is known of it.
func (b *Bindings) Of(resourceID string) []*access.AccessBinding {
	it, err := b.on.Get(resourceID)
	if err != nil {
		return nil
	}
	return it.Message.AccessBindings
}

// Any tells whether one of the bindings of a resource is as is says, which must neither change nor keep it.
func (b *Bindings) Any(resourceID string, is func(*access.AccessBinding) bool) bool {
	found := false
	b.on.Look(resourceID, func(m *access.SetAccessBindingsRequest) { found = slices.ContainsFunc(m.AccessBindings, is) })
	return found
}

// List answers ListAccessBindings for a resource; whether it is there is the service's to ask. The bindings are in the order of their
// roles, then of whom they are for: a page token, which is the last of a page, stays good while others come and go.
func (b *Bindings) List(r *access.ListAccessBindingsRequest) (*access.ListAccessBindingsResponse, error) {
	size, err := pageSize(r)
	if err != nil {
		return nil, err
	}
	all := b.Of(r.ResourceId)
	slices.SortFunc(all, func(a, b *access.AccessBinding) int { return strings.Compare(rank(a), rank(b)) })
	if r.PageToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(r.PageToken)
		if err != nil || bytes.Count(last, []byte{0}) != 2 {
			return nil, unknownToken()
		}
		all = slices.DeleteFunc(all, func(a *access.AccessBinding) bool { return rank(a) <= string(last) })
	}
	if len(all) <= size {
		return &access.ListAccessBindingsResponse{AccessBindings: all}, nil
	}
	return &access.ListAccessBindingsResponse{
		AccessBindings: all[:size], NextPageToken: base64.RawURLEncoding.EncodeToString([]byte(rank(all[size-1]))),
	}, nil
}

// rank is what bindings are listed by. No two of a resource have the same.
func rank(a *access.AccessBinding) string {
	return a.GetRoleId() + "\x00" + a.GetSubject().GetType() + "\x00" + a.GetSubject().GetId()
}

// Set replaces the bindings of a resource.
func (b *Bindings) Set(ctx context.Context, resourceID string, bindings []*access.AccessBinding) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set(ctx, resourceID, bindings)
}

func (b *Bindings) set(ctx context.Context, resourceID string, bindings []*access.AccessBinding) error {
	var unique []*access.AccessBinding
	for _, binding := range bindings {
		if !slices.ContainsFunc(unique, func(u *access.AccessBinding) bool { return proto.Equal(u, binding) }) {
			unique = append(unique, binding)
		}
	}
	return b.on.Put(ctx, Item[*access.SetAccessBindingsRequest]{
		Message: &access.SetAccessBindingsRequest{ResourceId: resourceID, AccessBindings: unique},
	})
}

// Update adds and removes bindings, and returns what of it changed anything: adding what is there is no change, nor is removing what
// is not.
func (b *Bindings) Update(ctx context.Context, resourceID string, deltas []*access.AccessBindingDelta) ([]*access.AccessBindingDelta, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.Of(resourceID)
	var effective []*access.AccessBindingDelta
	for i, d := range deltas {
		there := slices.IndexFunc(all, func(a *access.AccessBinding) bool { return proto.Equal(a, d.AccessBinding) })
		switch d.Action {
		case access.AccessBindingAction_ADD:
			if there < 0 {
				all, effective = append(all, d.AccessBinding), append(effective, d)
			}
		case access.AccessBindingAction_REMOVE:
			if there >= 0 {
				all, effective = slices.Delete(all, there, there+1), append(effective, d)
			}
		default:
			return nil, Invalid(fmt.Sprintf("access_binding_deltas[%d].action", i), "got none, want ADD or REMOVE")
		}
	}
	if len(effective) == 0 {
		return nil, nil
	}
	return effective, b.set(ctx, resourceID, all)
}

// Answer is what the operation of a change of bindings says of what it has changed: Nothing or Effective, as the service's proto has it.
type Answer func([]*access.AccessBindingDelta) proto.Message

// Nothing is the Answer of a service's resources.
func Nothing([]*access.AccessBindingDelta) proto.Message { return &emptypb.Empty{} }

// Effective is the Answer of clouds, folders and service accounts.
func Effective(changed []*access.AccessBindingDelta) proto.Message {
	return &access.AccessBindingsOperationResult{EffectiveDeltas: changed}
}

// ServeSet answers SetAccessBindings; whether there is such a resource, and whether the caller may, is the service's to ask, under the
// lock that it deletes resources under.
func (b *Bindings) ServeSet(ctx context.Context, r *access.SetAccessBindingsRequest, answer Answer) (*operation.Operation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.Of(r.ResourceId)
	if err := b.set(ctx, r.ResourceId, r.AccessBindings); err != nil {
		return nil, err
	}
	after := b.Of(r.ResourceId)
	changed := append(deltas(access.AccessBindingAction_REMOVE, before, after), deltas(access.AccessBindingAction_ADD, after, before)...)
	return b.on.store.Done(ctx, r.ResourceId, "Set access bindings", &access.SetAccessBindingsMetadata{ResourceId: r.ResourceId}, answer(changed))
}

// ServeUpdate answers UpdateAccessBindings as ServeSet does.
func (b *Bindings) ServeUpdate(ctx context.Context, r *access.UpdateAccessBindingsRequest, answer Answer) (*operation.Operation, error) {
	changed, err := b.Update(ctx, r.ResourceId, r.AccessBindingDeltas)
	if err != nil {
		return nil, err
	}
	return b.on.store.Done(ctx, r.ResourceId, "Update access bindings", &access.UpdateAccessBindingsMetadata{ResourceId: r.ResourceId}, answer(changed))
}

// deltas says of each binding that is here and not there what was done to it.
func deltas(action access.AccessBindingAction, here, there []*access.AccessBinding) []*access.AccessBindingDelta {
	var out []*access.AccessBindingDelta
	for _, b := range here {
		if !slices.ContainsFunc(there, func(other *access.AccessBinding) bool { return proto.Equal(b, other) }) {
			out = append(out, &access.AccessBindingDelta{Action: action, AccessBinding: b})
		}
	}
	return out
}

// Forget drops the bindings of a resource that is deleted.
func (b *Bindings) Forget(ctx context.Context, resourceID string) error {
	if _, err := b.on.Get(resourceID); err != nil {
		return nil // it has none
	}
	return b.on.Delete(ctx, resourceID)
}

// ForgetSubject drops the bindings that name somebody who is deleted.
func (b *Bindings) ForgetSubject(ctx context.Context, subjectID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	is := func(a *access.AccessBinding) bool { return a.GetSubject().GetId() == subjectID }
	for _, m := range b.on.Messages(func(m *access.SetAccessBindingsRequest) bool { return slices.ContainsFunc(m.AccessBindings, is) }) {
		if err := b.set(ctx, m.ResourceId, slices.DeleteFunc(m.AccessBindings, is)); err != nil {
			return err
		}
	}
	return nil
}

// Bind adds bindings that exist without any set-up, unless a client has changed those of the resource.
func (b *Bindings) Bind(resourceID string, bindings ...*access.AccessBinding) {
	b.on.DeclareDefault(Item[*access.SetAccessBindingsRequest]{
		Message: &access.SetAccessBindingsRequest{ResourceId: resourceID, AccessBindings: bindings},
	})
}
