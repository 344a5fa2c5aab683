package triggers_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/runner"
)

const (
	function  = "d4emine"
	container = "bbamine"
	dead      = "yrn:yc:ymq:ru-central1:b1gmine:dead"
)

// targets has a function and a container to name.
func targets(p *plan) {
	p.cloud.Functions = func() []string { return []string{function} }
	p.cloud.Invoke = func(context.Context, string, runner.Request) (runner.Response, error) {
		return runner.Response{Payload: []byte("null")}, nil
	}
	p.cloud.Container = func(id string) (string, error) {
		if id != container {
			return "", fmt.Errorf("got %s, want %s", id, container)
		}
		return "http://127.0.0.1:1", nil
	}
}

func ruleV1(change func(*v1.Trigger_ContainerRegistry)) *v1.Trigger_Rule {
	r := broadcastV1(1)
	change(r.GetContainerRegistry())
	return r
}

func invokeV1(f *v1.InvokeFunctionWithRetry) func(*v1.Trigger_ContainerRegistry) {
	return func(r *v1.Trigger_ContainerRegistry) {
		r.Action = &v1.Trigger_ContainerRegistry_InvokeFunction{InvokeFunction: f}
	}
}

func TestV1EchoesWhatWasSentAndV2ShowsIt(t *testing.T) {
	again := &v1.RetrySettings{RetryAttempts: 2, Interval: seconds(10)}
	queue := &v1.PutQueueMessage{QueueId: dead, ServiceAccountId: agent}
	policy := &v2.RetryPolicy{RetryAttempts: 2, Interval: seconds(10)}
	letter := &v2.DeadLetter{DeadLetter: &v2.DeadLetter_DeadLetterQueue{DeadLetterQueue: &v2.PutQueueMessage{QueueArn: dead, ServiceAccountId: agent}}}
	call := &v2.Action_InvokeFunction{InvokeFunction: &v2.InvokeFunction{FunctionId: function}}
	for name, tc := range map[string]struct {
		rule   *v1.Trigger_Rule
		action *v2.Action
	}{
		"broadcast":     {broadcastV1(1), broadcastV2("/lobby")},
		"bare function": {ruleV1(invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function})), &v2.Action{Action: call}},
		"whole function": {ruleV1(invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function, FunctionTag: "$latest", ServiceAccountId: agent,
			RetrySettings: again, DeadLetterQueue: queue})),
			&v2.Action{RetryPolicy: policy, DeadLetter: letter, Action: &v2.Action_InvokeFunction{
				InvokeFunction: &v2.InvokeFunction{FunctionId: function, FunctionTag: "$latest", ServiceAccountId: agent}}}},
		"container": {ruleV1(func(r *v1.Trigger_ContainerRegistry) {
			r.Action = &v1.Trigger_ContainerRegistry_InvokeContainer{InvokeContainer: &v1.InvokeContainerWithRetry{ContainerId: container, Path: "/x",
				ServiceAccountId: agent, RetrySettings: again, DeadLetterQueue: queue}}
		}), &v2.Action{RetryPolicy: policy, DeadLetter: letter, Action: &v2.Action_InvokeContainer{
			InvokeContainer: &v2.InvokeContainer{ContainerId: container, Path: "/x", ServiceAccountId: agent}}}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h := build(t, targets)
			id := h.createV1("my-trigger", tc.rule)
			one, err := h.v1.Get(t.Context(), &v1.GetTriggerRequest{TriggerId: id})
			is.NoErr(err)
			same(t, one.Rule, tc.rule)
			two, err := h.v2.Get(t.Context(), &v2.GetTriggerRequest{TriggerId: id})
			is.NoErr(err)
			is.Equal(two.Source.GetContainerRegistry().BatchSettings.MaxCount, int64(1))
			is.Equal(len(two.Action), 1)
			same(t, two.Action[0], tc.action)

			// The same through v2 shows the same rule in v1.
			other := h.createV2("other", two.Source, tc.action)
			one, err = h.v1.Get(t.Context(), &v1.GetTriggerRequest{TriggerId: other})
			is.NoErr(err)
			same(t, one.Rule, tc.rule)
		})
	}
}

func TestV1DoesNotSeeWhatItCannotExpress(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ctx := t.Context()
	filtered := broadcastV2("/lobby")
	filtered.Filter = &v2.Filter{Condition: &v2.Filter_Jq{Jq: "true"}}
	transformed := broadcastV2("/lobby")
	transformed.Transformer = &v2.Transformer{Transformer: &v2.Transformer_Jq{Jq: "."}}
	simple := h.createV2("simple", sourceV2(1), broadcastV2("/lobby"))
	for i, actions := range [][]*v2.Action{{filtered}, {transformed}, {broadcastV2("/lobby"), broadcastV2("/lobby")}} {
		id := h.createV2(fmt.Sprintf("hidden-%d", i), sourceV2(1), actions...)
		_, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
		refused(t, err, codes.NotFound, "it is of the API v2")
		_, err = h.v1.Pause(ctx, &v1.PauseTriggerRequest{TriggerId: id})
		refused(t, err, codes.NotFound, "it is of the API v2")
		_, err = h.v1.Delete(ctx, &v1.DeleteTriggerRequest{TriggerId: id})
		refused(t, err, codes.NotFound, "it is of the API v2")
		_, err = h.v1.Update(ctx, &v1.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("name"), Name: "mine"})
		refused(t, err, codes.NotFound, "it is of the API v2")
		_, err = h.v1.ListOperations(ctx, &v1.ListTriggerOperationsRequest{TriggerId: id})
		refused(t, err, codes.NotFound, "it is of the API v2")
	}
	one, err := h.v1.List(ctx, &v1.ListTriggersRequest{FolderId: folder})
	is.NoErr(err)
	is.Equal(len(one.Triggers), 1)
	is.Equal(one.Triggers[0].Id, simple)
	two, err := h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder})
	is.NoErr(err)
	is.Equal(len(two.Triggers), 4)

	bytes := sourceV2(0)
	bytes.GetContainerRegistry().BatchSettings.MaxBytes = 100
	id := h.createV2("bytes", bytes, broadcastV2("/lobby"))
	shown, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	is.Equal(shown.Rule.GetContainerRegistry().BatchSettings.Size, int64(1000)) // only bytes bound it
}

func TestATriggerBecomesTheVersionsThatAimsItAnew(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ctx := t.Context()
	rule := ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.BatchSettings.Size = 0 }) // which v2 has no word for
	id := h.createV1("my-trigger", rule)
	_, err := h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("name", "description"), Name: "renamed", Description: "x"})
	is.NoErr(err)
	_, err = h.v2.Pause(ctx, &v2.PauseTriggerRequest{TriggerId: id})
	is.NoErr(err)
	one, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	is.True(proto.Equal(one.Rule, rule)) // as it was sent
	is.Equal([]any{one.Name, one.Description, one.Status}, []any{"renamed", "x", v1.Trigger_PAUSED})

	_, err = h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("source.container_registry.batch_settings"), Source: sourceV2(7)})
	is.NoErr(err)
	one, err = h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	is.True(proto.Equal(one.Rule, ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.BatchSettings.Size = 7 })))
	is.Equal(one.Status, v1.Trigger_PAUSED)
	is.Equal(h.engine.Triggers()[0].Trigger.Window.Count, 7)
	is.True(h.engine.Triggers()[0].Trigger.Paused)

	// And back; a name through v1 leaves v2's bytes alone, a rule does not.
	source := sourceV2(7)
	source.GetContainerRegistry().BatchSettings.MaxBytes = 100
	_, err = h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("source"), Source: source})
	is.NoErr(err)
	for _, bytes := range []int64{100, 0} {
		r := &v1.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("name"), Name: "again", Rule: broadcastV1(7)}
		if bytes == 0 {
			r.UpdateMask = mask("rule")
		}
		_, err = h.v1.Update(ctx, r)
		is.NoErr(err)
		two, err := h.v2.Get(ctx, &v2.GetTriggerRequest{TriggerId: id})
		is.NoErr(err)
		is.Equal(two.Source.GetContainerRegistry().BatchSettings.MaxBytes, bytes)
		is.Equal(two.Name, "again")
	}
}
