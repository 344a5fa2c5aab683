package resource_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func get(t *testing.T, s *resource.Store, id string) *operation.Operation {
	t.Helper()
	op, err := s.Operations().Get(t.Context(), &operation.GetOperationRequest{OperationId: id})
	is.New(t).NoErr(err)
	return op
}

func TestAnOperationThatIsDone(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	ctx := resource.WithCaller(t.Context(), resource.Caller{ID: "aje1", Type: "userAccount"})
	op, err := s.Done(ctx, "a1s1", "Delete trigger", &triggers.DeleteTriggerMetadata{TriggerId: "a1s1"}, &emptypb.Empty{})
	is.NoErr(err)
	is.True(strings.HasPrefix(op.Id, "a1s"))
	is.True(op.Done)
	is.Equal(op.Description, "Delete trigger")
	is.Equal(op.CreatedBy, "aje1")
	is.Equal(op.CreatedAt.AsTime(), noon)
	is.Equal(op.Metadata.TypeUrl, "type.googleapis.com/yandex.cloud.serverless.triggers.v2.DeleteTriggerMetadata")
	is.Equal(op.GetResponse().TypeUrl, "type.googleapis.com/google.protobuf.Empty")
	is.True(proto.Equal(get(t, s, op.Id), op))
	op.Description = "changed"
	is.Equal(get(t, s, op.Id).Description, "Delete trigger") // it was a copy
	is.Equal(len(s.OperationsOn("a1s1")), 1)
	is.Equal(len(s.OperationsOn("a1s2")), 0)

	_, err = s.Operations().Get(t.Context(), &operation.GetOperationRequest{OperationId: "a1s404"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = s.Operations().Cancel(t.Context(), &operation.CancelOperationRequest{OperationId: "a1s404"})
	is.Equal(status.Code(err), codes.NotFound)
	canceled, err := s.Operations().Cancel(t.Context(), &operation.CancelOperationRequest{OperationId: op.Id})
	is.NoErr(err)
	is.True(canceled.GetError() == nil)
	_, err = s.Done(ctx, "a1s1", "", &triggers.DeleteTriggerMetadata{}, nil)
	is.Equal(status.Code(err), codes.Internal)
}

func TestAnOperationThatGoesOn(t *testing.T) {
	for _, test := range []struct {
		name     string
		response proto.Message
		err      error
		code     codes.Code
	}{
		{"well", &triggers.Trigger{Id: "a1s1"}, nil, codes.OK},
		{"with a status", nil, status.Error(codes.FailedPrecondition, "no"), codes.FailedPrecondition},
		{"with an error", nil, errors.New("no"), codes.Unknown},
		{"with nothing", nil, nil, codes.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			is, s := is.New(t), newStore(nil)
			release := make(chan struct{})
			caller, hangUp := context.WithCancel(t.Context())
			op, err := s.Begin(caller, "a1s1", "Create", &triggers.CreateTriggerMetadata{TriggerId: "a1s1"},
				func(ctx context.Context) (proto.Message, error) {
					<-release
					if ctx.Err() != nil {
						return nil, ctx.Err()
					}
					return test.response, test.err
				})
			is.NoErr(err)
			is.True(!op.Done)
			hangUp() // who began it need not wait for it
			is.True(!get(t, s, op.Id).Done)
			close(release)
			is.NoErr(s.Wait(t.Context(), op.Id))
			s.Close()
			over := get(t, s, op.Id)
			is.True(over.Done)
			is.Equal(codes.Code(over.GetError().GetCode()), test.code)
			is.Equal(over.GetResponse() != nil, test.code == codes.OK)
			is.True(!op.Done) // what was returned is the caller's
		})
	}
}

func TestCancel(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	op, err := s.Begin(t.Context(), "a1s1", "Create", &triggers.CreateTriggerMetadata{}, func(ctx context.Context) (proto.Message, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("build: %w", ctx.Err())
	})
	is.NoErr(err)
	_, err = s.Operations().Cancel(t.Context(), &operation.CancelOperationRequest{OperationId: op.Id})
	is.NoErr(err)
	is.NoErr(s.Wait(t.Context(), op.Id))
	over := get(t, s, op.Id)
	is.True(over.Done)
	is.Equal(codes.Code(over.GetError().GetCode()), codes.Canceled)
}

func TestCloseEndsWhatRuns(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	op, err := s.Begin(t.Context(), "a1s1", "Create", &triggers.CreateTriggerMetadata{}, func(ctx context.Context) (proto.Message, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	is.NoErr(err)
	s.Close()
	is.Equal(codes.Code(get(t, s, op.Id).GetError().GetCode()), codes.Canceled)
}

func TestTheOldestOperationsAreForgotten(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	release := make(chan struct{})
	running, err := s.Begin(t.Context(), "a1srunning", "Create", &triggers.CreateTriggerMetadata{}, func(context.Context) (proto.Message, error) {
		<-release
		return &triggers.Trigger{}, nil
	})
	is.NoErr(err)
	var first, second string
	for i := range 10_000 {
		op, err := s.Done(t.Context(), "a1s1", "", &triggers.PauseTriggerMetadata{}, &triggers.Trigger{})
		is.NoErr(err)
		switch i {
		case 0:
			first = op.Id
		case 1:
			second = op.Id
		}
	}
	is.True(!get(t, s, running.Id).Done) // the oldest of all, but it runs
	_, err = s.Operations().Get(t.Context(), &operation.GetOperationRequest{OperationId: first})
	is.Equal(status.Code(err), codes.NotFound)
	get(t, s, second)
	all := s.OperationsOn("a1s1")
	is.Equal(len(all), 9_999)
	is.Equal(all[len(all)-1].Id, second) // the last first
	close(release)
	s.Close()
}

func TestAuthorize(t *testing.T) {
	is := is.New(t)
	var nobody resource.Authorize
	is.NoErr(nobody.Check(t.Context(), "viewer", "b1g1"))
	refuse := resource.Authorize(func(_ context.Context, role string, on ...string) error {
		return status.Error(codes.PermissionDenied, role+" on "+strings.Join(on, ", "))
	})
	err := refuse.Check(t.Context(), "viewer", "a1s1", "b1g1")
	is.Equal(status.Convert(err).Message(), "viewer on a1s1, b1g1")
	is.Equal(resource.CallerOf(t.Context()), resource.Caller{})
}

func TestListOperations(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	for i := range 5 {
		_, err := s.Done(t.Context(), "a1s1", fmt.Sprint(i), &triggers.PauseTriggerMetadata{}, &triggers.Trigger{})
		is.NoErr(err)
	}
	list := func(r *triggers.ListTriggerOperationsRequest) (text, next string) {
		t.Helper()
		page, next, err := resource.List(s.OperationsOn("a1s1"), r)
		is.NoErr(err)
		for _, op := range page {
			text += op.Description
		}
		return text, next
	}
	page, next := list(&triggers.ListTriggerOperationsRequest{PageSize: 2})
	is.Equal(page, "43") // the last first, also those of one moment
	_, err := s.Done(t.Context(), "a1s1", "5", &triggers.PauseTriggerMetadata{}, &triggers.Trigger{})
	is.NoErr(err)
	page, next = list(&triggers.ListTriggerOperationsRequest{PageSize: 2, PageToken: next})
	is.Equal(page, "21")
	page, next = list(&triggers.ListTriggerOperationsRequest{PageSize: 2, PageToken: next})
	is.Equal(page, "0")
	is.Equal(next, "")
	page, next = list(&triggers.ListTriggerOperationsRequest{PageSize: 1, Filter: `description IN ("4", "1")`})
	is.Equal(page, "4")
	page, next = list(&triggers.ListTriggerOperationsRequest{PageSize: 1, Filter: `description IN ("4", "1")`, PageToken: next})
	is.Equal(page, "1")
	is.Equal(next, "")
	_, _, err = resource.List(s.OperationsOn("a1s1"), &triggers.ListTriggerOperationsRequest{PageToken: "a1snone"})
	wrong(t, err, "page_token")
	_, _, err = resource.List(s.OperationsOn("a1s1"), &triggers.ListTriggerOperationsRequest{Filter: "x"})
	wrong(t, err, "filter")
	is.NoErr(s.Wait(t.Context(), "a1snone")) // what is not there is not waited for
}

// BenchmarkDone is an operation more when as many are remembered as ever are.
func BenchmarkDone(b *testing.B) {
	s := newStore(nil)
	for range 10_000 {
		if _, err := s.Done(b.Context(), "a1s1", "", &triggers.PauseTriggerMetadata{}, &triggers.Trigger{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Done(b.Context(), "a1s1", "", &triggers.PauseTriggerMetadata{}, &triggers.Trigger{}); err != nil {
			b.Fatal(err)
		}
	}
}
