package resource

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
)

// maxOperations is how many operations are remembered; the oldest that are done are forgotten first.
const maxOperations = 10_000

type operations struct {
	operation.UnimplementedOperationServiceServer

	mu      sync.Mutex
	byID    map[string]*entry
	order   []*entry // by creation
	running sync.WaitGroup
}

type entry struct {
	op     *operation.Operation
	on     string             // id of the resource
	cancel context.CancelFunc // of one that has begun before it was over
	over   chan struct{}      // of the same: closed at its end
}

// Done makes the operation of a call that is over: on is the id of the resource it was about, in its metadata's words as well.
func (s *Store) Done(ctx context.Context, on, description string, metadata, response proto.Message) (*operation.Operation, error) {
	e, err := s.entry(ctx, on, description, metadata)
	if err != nil {
		return nil, err
	}
	if err := e.finish(response, nil); err != nil {
		return nil, err
	}
	s.operations.add(e)
	return proto.CloneOf(e.op), nil
}

// Begin makes the operation of a call that goes on, and runs it: do's ctx ends when the operation is cancelled, not when the call that
// began it is over. Close waits for do.
func (s *Store) Begin(ctx context.Context, on, description string, metadata proto.Message,
	do func(ctx context.Context) (response proto.Message, err error),
) (*operation.Operation, error) {
	e, err := s.entry(ctx, on, description, metadata)
	if err != nil {
		return nil, err
	}
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.over = make(chan struct{})
	begun := proto.CloneOf(e.op)
	s.operations.add(e)
	s.operations.running.Go(func() {
		defer e.cancel()
		defer close(e.over)
		response, err := do(ctx)
		s.operations.mu.Lock()
		defer s.operations.mu.Unlock()
		e.op.ModifiedAt = s.Now()
		if wrong := e.finish(response, err); wrong != nil {
			_ = e.finish(nil, wrong) // a status is always told
		}
	})
	return begun, nil
}

func (s *Store) entry(ctx context.Context, on, description string, metadata proto.Message) (*entry, error) {
	prefix := on[:min(3, len(on))]
	id, err := s.NewID(prefix)
	if err != nil {
		return nil, err
	}
	about, err := anypb.New(metadata)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "operation: %v", err)
	}
	now := s.Now()
	return &entry{on: on, op: &operation.Operation{
		Id: id, Description: description, CreatedAt: now, CreatedBy: CallerOf(ctx).ID, ModifiedAt: now, Metadata: about,
	}}, nil
}

func (e *entry) finish(response proto.Message, err error) error {
	e.op.Done = true
	if err != nil {
		if _, told := status.FromError(err); !told {
			err = status.FromContextError(err).Err()
		}
		e.op.Result = &operation.Operation_Error{Error: status.Convert(err).Proto()}
		return nil
	}
	told, err := anypb.New(response)
	if err != nil {
		return status.Errorf(codes.Internal, "operation: %v", err)
	}
	e.op.Result = &operation.Operation_Response{Response: told}
	return nil
}

func (o *operations) add(e *entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byID[e.op.Id] = e
	o.order = append(o.order, e)
	for i := 0; len(o.order) > maxOperations && i < len(o.order); {
		if !o.order[i].op.Done {
			i++
			continue
		}
		delete(o.byID, o.order[i].op.Id)
		copy(o.order[1:], o.order[:i]) // the few that run and are older: the many that are younger stay where they are
		o.order[0] = nil
		o.order = o.order[1:]
	}
}

// Operations is the cloud's OperationService over the operations of all services.
func (s *Store) Operations() operation.OperationServiceServer { return &s.operations }

// Get returns an operation.
func (o *operations) Get(_ context.Context, r *operation.GetOperationRequest) (*operation.Operation, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.byID[r.OperationId]
	if e == nil {
		return nil, status.Errorf(codes.NotFound, "Operation %s not found", r.OperationId)
	}
	return proto.CloneOf(e.op), nil
}

// Cancel ends an operation that runs, which then fails with CANCELLED; one that is done stays as it is.
func (o *operations) Cancel(ctx context.Context, r *operation.CancelOperationRequest) (*operation.Operation, error) {
	o.mu.Lock()
	if e := o.byID[r.OperationId]; e != nil && !e.op.Done {
		e.cancel()
	}
	o.mu.Unlock()
	return o.Get(ctx, &operation.GetOperationRequest{OperationId: r.OperationId})
}

// OperationsOn returns the operations about a resource, the last one first, as ListOperations calls want them; List makes pages of them.
func (s *Store) OperationsOn(on string) []*operation.Operation {
	s.operations.mu.Lock()
	defer s.operations.mu.Unlock()
	var out []*operation.Operation
	for i := len(s.operations.order) - 1; i >= 0; i-- {
		if e := s.operations.order[i]; e.on == on {
			out = append(out, proto.CloneOf(e.op))
		}
	}
	return out
}

// Wait returns when an operation is done, or with ctx's error.
func (s *Store) Wait(ctx context.Context, id string) error {
	s.operations.mu.Lock()
	e := s.operations.byID[id]
	s.operations.mu.Unlock()
	if e == nil || e.over == nil {
		return nil
	}
	select {
	case <-e.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
