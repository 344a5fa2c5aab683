package triggers

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// first is the TriggerService of v1. Triggers that v1 cannot express are not there for it.
type first struct {
	v1.UnimplementedTriggerServiceServer
	service *Service
}

var _ v1.TriggerServiceServer = first{}

// view is what clients see of a trigger. v1 has no word for one that is broken: it is paused.
func (f first) view(it item) (*v1.Trigger, error) {
	t, err := asV1(it)
	if err == nil && f.service.broken[it.Message.Id] {
		t.Status = v1.Trigger_PAUSED
	}
	return t, err
}

func (f first) shown(it item) error {
	_, err := asV1(it)
	return err
}

// Get returns a trigger.
func (f first) Get(ctx context.Context, r *v1.GetTriggerRequest) (*v1.Trigger, error) {
	s := f.service
	s.mu.RLock()
	defer s.mu.RUnlock()
	it, err := s.get(ctx, viewer, r.TriggerId)
	if err != nil {
		return nil, err
	}
	return f.view(it)
}

// List returns a page of the triggers of a folder.
func (f first) List(ctx context.Context, r *v1.ListTriggersRequest) (*v1.ListTriggersResponse, error) {
	s := f.service
	s.mu.RLock()
	defer s.mu.RUnlock()
	items, err := s.list(ctx, r.FolderId)
	if err != nil {
		return nil, err
	}
	var all []*v1.Trigger
	for _, it := range items {
		if t, err := f.view(it); err == nil {
			all = append(all, t)
		}
	}
	page, next, err := resource.List(all, r)
	return &v1.ListTriggersResponse{Triggers: page, NextPageToken: next}, err
}

// Create keeps and runs a new trigger.
func (f first) Create(ctx context.Context, r *v1.CreateTriggerRequest) (*operation.Operation, error) {
	it, err := ofV1(&v1.Trigger{FolderId: r.FolderId, Name: r.Name, Description: r.Description, Labels: r.Labels, Rule: r.Rule})
	if err == nil {
		it, err = f.service.create(ctx, it)
	}
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Create trigger", &v1.CreateTriggerMetadata{TriggerId: it.Message.Id})
}

// Update changes a trigger: all of it when there is no mask.
func (f first) Update(ctx context.Context, r *v1.UpdateTriggerRequest) (*operation.Operation, error) {
	aimed := resource.Named(r.UpdateMask, "rule")
	it, err := f.service.update(ctx, r.TriggerId, aimed, func(it *item) error {
		t, err := asV1(*it)
		if err != nil {
			return err
		}
		fields := []string{"name", "description", "labels", "rule"}
		if !aimed {
			return resource.Update(it.Message, r, r.UpdateMask, fields...)
		}
		if err := resource.Update(t, r, r.UpdateMask, fields...); err != nil {
			return err
		}
		changed, err := ofV1(t)
		it.Message, it.Extra = changed.Message, changed.Extra
		return err
	})
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Update trigger", &v1.UpdateTriggerMetadata{TriggerId: r.TriggerId})
}

// Delete forgets a trigger.
func (f first) Delete(ctx context.Context, r *v1.DeleteTriggerRequest) (*operation.Operation, error) {
	if err := f.service.remove(ctx, r.TriggerId, f.shown); err != nil {
		return nil, err
	}
	return f.service.o.Store.Done(ctx, r.TriggerId, "Delete trigger", &v1.DeleteTriggerMetadata{TriggerId: r.TriggerId}, &emptypb.Empty{})
}

// Pause has a trigger lose what comes.
func (f first) Pause(ctx context.Context, r *v1.PauseTriggerRequest) (*operation.Operation, error) {
	it, err := f.service.turn(ctx, r.TriggerId, v2.Trigger_PAUSED, f.shown)
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Pause trigger", &v1.PauseTriggerMetadata{TriggerId: r.TriggerId})
}

// Resume has a trigger hand on what comes from now on.
func (f first) Resume(ctx context.Context, r *v1.ResumeTriggerRequest) (*operation.Operation, error) {
	it, err := f.service.turn(ctx, r.TriggerId, v2.Trigger_ACTIVE, f.shown)
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Resume trigger", &v1.ResumeTriggerMetadata{TriggerId: r.TriggerId})
}

// ListOperations returns what was done to a trigger, through whichever version.
func (f first) ListOperations(ctx context.Context, r *v1.ListTriggerOperationsRequest) (*v1.ListTriggerOperationsResponse, error) {
	it, err := f.service.get(ctx, viewer, r.TriggerId)
	if err == nil {
		err = f.shown(it)
	}
	if err != nil {
		return nil, err
	}
	page, next, err := resource.List(f.service.o.Store.OperationsOn(r.TriggerId), r)
	return &v1.ListTriggerOperationsResponse{Operations: page, NextPageToken: next}, err
}

// done is the operation of a change that is over. A trigger that was just changed is not broken.
func (f first) done(ctx context.Context, it item, what string, metadata proto.Message) (*operation.Operation, error) {
	t, err := asV1(it)
	if err != nil {
		return nil, err
	}
	return f.service.o.Store.Done(ctx, t.Id, what, metadata, t)
}
