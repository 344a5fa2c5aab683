package triggers_test

import (
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
)

// Every change takes effect on the next event.
func TestAV1TriggerRunsAtOnce(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ctx := t.Context()
	lobby, room := h.socket("/lobby"), h.socket("/rooms/1")

	made := &v1.Trigger{}
	op, err := h.v1.Create(ctx, &v1.CreateTriggerRequest{FolderId: folder, Name: "my-trigger", Description: "mine",
		Labels: map[string]string{"team": "blue"}, Rule: broadcastV1(1)})
	id := finished(t, op, err, "Create trigger", &v1.CreateTriggerMetadata{}, made)
	is.Equal(made.Status, v1.Trigger_ACTIVE)
	is.Equal(made.Id, id)
	same(t, made.Rule, broadcastV1(1))
	got, err := h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	same(t, got, made)
	h.arrives(lobby, "1")

	// As Terraform does: without a mask.
	moved := broadcastV1(1)
	moved.GetContainerRegistry().GetGatewayWebsocketBroadcast().Path = "/rooms/{room}"
	op, err = h.v1.Update(ctx, &v1.UpdateTriggerRequest{TriggerId: id, Name: "my-trigger", Rule: moved})
	changed := &v1.Trigger{}
	finished(t, op, err, "Update trigger", &v1.UpdateTriggerMetadata{}, changed)
	same(t, changed, &v1.Trigger{Id: id, FolderId: folder, CreatedAt: made.CreatedAt, Name: "my-trigger", Rule: moved, Status: v1.Trigger_ACTIVE})
	h.arrives(room, "2")

	// Deep masks change what they name.
	for _, r := range []*v1.UpdateTriggerRequest{
		{UpdateMask: mask("rule.container_registry.gateway_websocket_broadcast.path"), Rule: broadcastV1(5)},
		{UpdateMask: mask("rule.container_registry.tag", "description"), Description: "again", Rule: &v1.Trigger_Rule{
			Rule: &v1.Trigger_Rule_ContainerRegistry{ContainerRegistry: &v1.Trigger_ContainerRegistry{Tag: "wanted"}}}},
	} {
		r.TriggerId = id
		op, err = h.v1.Update(ctx, r)
		finished(t, op, err, "Update trigger", &v1.UpdateTriggerMetadata{}, changed)
	}
	want := broadcastV1(1)
	want.GetContainerRegistry().Tag = "wanted"
	same(t, changed.Rule, want)
	is.Equal([]string{changed.Name, changed.Description}, []string{"my-trigger", "again"})
	h.push("other")
	h.arrives(lobby, "wanted")

	for range 2 { // one that is paused already stays so
		op, err = h.v1.Pause(ctx, &v1.PauseTriggerRequest{TriggerId: id})
		finished(t, op, err, "Pause trigger", &v1.PauseTriggerMetadata{}, changed)
		is.Equal(changed.Status, v1.Trigger_PAUSED)
	}
	h.push("wanted") // lost
	is.NoErr(h.engine.Quiet(ctx, 5))
	for range 2 {
		op, err = h.v1.Resume(ctx, &v1.ResumeTriggerRequest{TriggerId: id})
		finished(t, op, err, "Resume trigger", &v1.ResumeTriggerMetadata{}, changed)
		is.Equal(changed.Status, v1.Trigger_ACTIVE)
	}
	h.arrives(lobby, "wanted") // and not the one before

	ops, err := h.v1.ListOperations(ctx, &v1.ListTriggerOperationsRequest{TriggerId: id, PageSize: 3})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 3)
	is.Equal(ops.Operations[0].Description, "Resume trigger") // the last first
	rest, err := h.v1.ListOperations(ctx, &v1.ListTriggerOperationsRequest{TriggerId: id, PageToken: ops.NextPageToken})
	is.NoErr(err)
	is.Equal(len(rest.Operations), 5)

	op, err = h.v1.Delete(ctx, &v1.DeleteTriggerRequest{TriggerId: id})
	finished(t, op, err, "Delete trigger", &v1.DeleteTriggerMetadata{}, &emptypb.Empty{})
	_, err = h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	refused(t, err, codes.NotFound, "Trigger "+id+" not found")
	is.Equal(len(h.engine.Triggers()), 0)
}

func TestAV2TriggerRunsAtOnce(t *testing.T) {
	is := is.New(t)
	h := build(t)
	ctx := t.Context()
	lobby, room := h.socket("/lobby"), h.socket("/rooms/1")

	filtered := broadcastV2("/rooms/{room}")
	filtered.Filter = &v2.Filter{Condition: &v2.Filter_Jq{Jq: `.details.tag != "1"`}}
	filtered.Transformer = &v2.Transformer{Transformer: &v2.Transformer_Jq{Jq: "[.messages[].details.tag]"}}
	made := &v2.Trigger{}
	op, err := h.v2.Create(ctx, &v2.CreateTriggerRequest{FolderId: folder, Name: "my-trigger", Description: "é\u0080\u2028😀 \"", Source: sourceV2(1),
		Action: []*v2.Action{broadcastV2("/lobby"), filtered}})
	id := finished(t, op, err, "Create trigger", &v2.CreateTriggerMetadata{}, made)
	want := &v2.Trigger{Id: id, FolderId: folder, CreatedAt: made.CreatedAt, Name: "my-trigger", Description: "é\u0080\u2028😀 \"", Source: sourceV2(1),
		Action: []*v2.Action{broadcastV2("/lobby"), filtered}, Status: v2.Trigger_ACTIVE}
	same(t, made, want) // in order, and nothing is filled in
	one, two := h.push("1"), h.push("2")
	is.Equal([]string{h.frame(lobby), h.frame(lobby), h.frame(room)}, []string{message(one), message(two), `["2"]`})

	// As Terraform does: nested paths.
	op, err = h.v2.Update(ctx, &v2.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("source.container_registry.batch_settings.max_count", "action", "labels"),
		Labels: map[string]string{"a": "b"}, Source: sourceV2(2), Action: []*v2.Action{broadcastV2("/lobby")}})
	changed := &v2.Trigger{}
	finished(t, op, err, "Update trigger", &v2.UpdateTriggerMetadata{}, changed)
	want.Labels, want.Source, want.Action = map[string]string{"a": "b"}, sourceV2(2), []*v2.Action{broadcastV2("/lobby")}
	same(t, changed, want)
	one, two = h.push("1"), h.push("2")
	is.Equal(h.frame(lobby), message(one, two))

	op, err = h.v2.Pause(ctx, &v2.PauseTriggerRequest{TriggerId: id})
	finished(t, op, err, "Pause trigger", &v2.PauseTriggerMetadata{}, changed)
	is.Equal(changed.Status, v2.Trigger_PAUSED)
	op, err = h.v2.Resume(ctx, &v2.ResumeTriggerRequest{TriggerId: id})
	finished(t, op, err, "Resume trigger", &v2.ResumeTriggerMetadata{}, changed)
	is.Equal(changed.Status, v2.Trigger_ACTIVE)
	ops, err := h.v2.ListOperations(ctx, &v2.ListTriggerOperationsRequest{TriggerId: id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 4)
	polled, err := h.ops.Get(ctx, opID(ops.Operations[0].Id))
	is.NoErr(err)
	is.True(proto.Equal(polled, ops.Operations[0]))

	op, err = h.v2.Delete(ctx, &v2.DeleteTriggerRequest{TriggerId: id})
	finished(t, op, err, "Delete trigger", &v2.DeleteTriggerMetadata{}, &emptypb.Empty{})
	_, err = h.v2.Pause(ctx, &v2.PauseTriggerRequest{TriggerId: id})
	refused(t, err, codes.NotFound, "not found")
}

// What has gathered goes out by the definition that it was gathered for, whatever becomes of the trigger.
func TestAChangeLosesNoOpenBatch(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*house, string) error
	}{
		{"update", func(h *house, id string) error {
			r := broadcastV1(3)
			r.GetContainerRegistry().GetGatewayWebsocketBroadcast().Path = "/rooms/{room}"
			_, err := h.v1.Update(h.t.Context(), &v1.UpdateTriggerRequest{TriggerId: id, Rule: r})
			return err
		}},
		{"pause", func(h *house, id string) error {
			_, err := h.v1.Pause(h.t.Context(), &v1.PauseTriggerRequest{TriggerId: id})
			return err
		}},
		{"delete", func(h *house, id string) error {
			_, err := h.v2.Delete(h.t.Context(), &v2.DeleteTriggerRequest{TriggerId: id})
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			h := build(t)
			lobby := h.socket("/lobby")
			id := h.createV1("", broadcastV1(3))
			one, two := h.push("1"), h.push("2")
			is.NoErr(h.engine.Quiet(t.Context(), 2))
			is.Equal(h.engine.Triggers()[0].Waiting, 2)
			is.NoErr(tc.change(h, id))
			is.Equal(h.frame(lobby), message(one, two)) // and no time has passed
			h.handled(2)
		})
	}
}
