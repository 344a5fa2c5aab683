package triggers

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// second is the TriggerService of v2, which shows every trigger.
type second struct {
	v2.UnimplementedTriggerServiceServer
	service *Service
}

var _ v2.TriggerServiceServer = second{}

// view is what clients see of a trigger.
func (f second) view(it item) *v2.Trigger {
	if f.service.broken[it.Message.Id] {
		it.Message.Status = v2.Trigger_ERROR
	}
	return it.Message
}

func (f second) shown(item) error { return nil }

// Get returns a trigger.
func (f second) Get(ctx context.Context, r *v2.GetTriggerRequest) (*v2.Trigger, error) {
	s := f.service
	s.mu.RLock()
	defer s.mu.RUnlock()
	it, err := s.get(ctx, viewer, r.TriggerId)
	if err != nil {
		return nil, err
	}
	return f.view(it), nil
}

// List returns a page of the triggers of a folder.
func (f second) List(ctx context.Context, r *v2.ListTriggersRequest) (*v2.ListTriggersResponse, error) {
	s := f.service
	s.mu.RLock()
	defer s.mu.RUnlock()
	items, err := s.list(ctx, r.FolderId)
	if err != nil {
		return nil, err
	}
	all := make([]*v2.Trigger, len(items))
	for i, it := range items {
		all[i] = f.view(it)
	}
	page, next, err := resource.List(all, r)
	return &v2.ListTriggersResponse{Triggers: page, NextPageToken: next}, err
}

// Create keeps and runs a new trigger.
func (f second) Create(ctx context.Context, r *v2.CreateTriggerRequest) (*operation.Operation, error) {
	it, err := f.service.create(ctx, item{Message: &v2.Trigger{
		FolderId: r.FolderId, Name: r.Name, Description: r.Description, Labels: r.Labels, Source: r.Source, Action: r.Action,
	}})
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Create trigger", &v2.CreateTriggerMetadata{TriggerId: it.Message.Id})
}

// Update changes a trigger: all of it when there is no mask.
func (f second) Update(ctx context.Context, r *v2.UpdateTriggerRequest) (*operation.Operation, error) {
	aimed := resource.Named(r.UpdateMask, "source") || resource.Named(r.UpdateMask, "action")
	it, err := f.service.update(ctx, r.TriggerId, aimed, func(it *item) error {
		if aimed {
			it.Extra = nil
		}
		return resource.Update(it.Message, r, r.UpdateMask, "name", "description", "labels", "source", "action")
	})
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Update trigger", &v2.UpdateTriggerMetadata{TriggerId: r.TriggerId})
}

// Delete forgets a trigger.
func (f second) Delete(ctx context.Context, r *v2.DeleteTriggerRequest) (*operation.Operation, error) {
	if err := f.service.remove(ctx, r.TriggerId, f.shown); err != nil {
		return nil, err
	}
	return f.service.o.Store.Done(ctx, r.TriggerId, "Delete trigger", &v2.DeleteTriggerMetadata{TriggerId: r.TriggerId}, &emptypb.Empty{})
}

// Pause has a trigger lose what comes.
func (f second) Pause(ctx context.Context, r *v2.PauseTriggerRequest) (*operation.Operation, error) {
	it, err := f.service.turn(ctx, r.TriggerId, v2.Trigger_PAUSED, f.shown)
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Pause trigger", &v2.PauseTriggerMetadata{TriggerId: r.TriggerId})
}

// Resume has a trigger hand on what comes from now on.
func (f second) Resume(ctx context.Context, r *v2.ResumeTriggerRequest) (*operation.Operation, error) {
	it, err := f.service.turn(ctx, r.TriggerId, v2.Trigger_ACTIVE, f.shown)
	if err != nil {
		return nil, err
	}
	return f.done(ctx, it, "Resume trigger", &v2.ResumeTriggerMetadata{TriggerId: r.TriggerId})
}

// ListOperations returns what was done to a trigger, through whichever version.
func (f second) ListOperations(ctx context.Context, r *v2.ListTriggerOperationsRequest) (*v2.ListTriggerOperationsResponse, error) {
	if _, err := f.service.get(ctx, viewer, r.TriggerId); err != nil {
		return nil, err
	}
	page, next, err := resource.List(f.service.o.Store.OperationsOn(r.TriggerId), r)
	return &v2.ListTriggerOperationsResponse{Operations: page, NextPageToken: next}, err
}

// done is the operation of a change that is over.
func (f second) done(ctx context.Context, it item, what string, metadata proto.Message) (*operation.Operation, error) {
	return f.service.o.Store.Done(ctx, it.Message.Id, what, metadata, it.Message)
}
