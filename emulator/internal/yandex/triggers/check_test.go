package triggers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/events"
)

// fields are those that an error names in google.rpc.BadRequest.
func fields(err error) []string {
	var out []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				out = append(out, v.Field)
			}
		}
	}
	return out
}

func TestWrongRulesOfV1(t *testing.T) {
	h := build(t, targets)
	for _, tc := range []struct {
		name  string
		wrong func(*v1.Trigger_ContainerRegistry)
		field string
	}{
		{"cutoff", func(r *v1.Trigger_ContainerRegistry) { r.BatchSettings.Cutoff = seconds(61) }, "rule.container_registry.batch_settings.cutoff"},
		{"no time", func(r *v1.Trigger_ContainerRegistry) { r.BatchSettings.Cutoff = seconds(0) }, "rule.container_registry.batch_settings.cutoff"},
		{"size", func(r *v1.Trigger_ContainerRegistry) { r.BatchSettings.Size = 1001 }, "rule.container_registry.batch_settings.size"},
		{"type", func(r *v1.Trigger_ContainerRegistry) { r.EventType[0] = 0 }, "rule.container_registry.event_type[0]"},
		{"unheard of type", func(r *v1.Trigger_ContainerRegistry) { r.EventType[0] = 9 }, "rule.container_registry.event_type[0]"},
		{"no type", func(r *v1.Trigger_ContainerRegistry) { r.EventType = nil }, "rule.container_registry.event_type"},
		{"no registry", func(r *v1.Trigger_ContainerRegistry) { r.RegistryId = "" }, "rule.container_registry.registry_id"},
		{"FIFO", invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function, DeadLetterQueue: &v1.PutQueueMessage{QueueId: dead + ".fifo", ServiceAccountId: agent}}),
			"rule.container_registry.invoke_function.dead_letter_queue.queue_id"},
		{"attempts", invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: function, RetrySettings: &v1.RetrySettings{RetryAttempts: 6, Interval: seconds(10)}}),
			"rule.container_registry.invoke_function.retry_settings.retry_attempts"},
		{"no such function", invokeV1(&v1.InvokeFunctionWithRetry{FunctionId: "d4egone"}), "rule.container_registry.invoke_function.function_id"},
		{"no such gateway", func(r *v1.Trigger_ContainerRegistry) { r.GetGatewayWebsocketBroadcast().GatewayId = "d5dgone" },
			"rule.container_registry.gateway_websocket_broadcast.gateway_id"},
		{"no such container", func(r *v1.Trigger_ContainerRegistry) {
			r.Action = &v1.Trigger_ContainerRegistry_InvokeContainer{InvokeContainer: &v1.InvokeContainerWithRetry{ContainerId: "bbagone"}}
		}, "rule.container_registry.invoke_container.container_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			_, err := h.v1.Create(t.Context(), &v1.CreateTriggerRequest{FolderId: folder, Rule: ruleV1(tc.wrong)})
			is.Equal(status.Code(err), codes.InvalidArgument)
			is.Equal(fields(err), []string{tc.field})
		})
	}
	is.New(t).Equal(len(h.engine.Triggers()), 0)
}

func TestWrongTriggersOfV2(t *testing.T) {
	h := build(t, targets)
	jq := broadcastV2("/lobby")
	jq.Filter = &v2.Filter{Condition: &v2.Filter_Jq{Jq: ".a =="}}
	worse := broadcastV2("/lobby")
	worse.Transformer = &v2.Transformer{Transformer: &v2.Transformer_Jq{Jq: "nothing"}}
	empty := sourceV2(0)
	for _, tc := range []struct {
		name   string
		r      *v2.CreateTriggerRequest
		fields []string
	}{
		{"jq", &v2.CreateTriggerRequest{Name: "jqs", Source: sourceV2(1), Action: []*v2.Action{jq, worse}}, []string{"action[0].filter.jq", "action[1].transformer.jq"}},
		{"no bound", &v2.CreateTriggerRequest{Name: "boundless", Source: empty, Action: []*v2.Action{broadcastV2("/lobby")}},
			[]string{"source.container_registry.batch_settings"}},
		{"no name", &v2.CreateTriggerRequest{Source: sourceV2(1), Action: []*v2.Action{broadcastV2("/lobby")}}, []string{"name"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			tc.r.FolderId = folder
			_, err := h.v2.Create(t.Context(), tc.r)
			is.Equal(status.Code(err), codes.InvalidArgument)
			is.Equal(fields(err), tc.fields)
		})
	}
	is := is.New(t)
	id := h.createV2("my-trigger", sourceV2(1), broadcastV2("/lobby"))
	_, err := h.v2.Update(t.Context(), &v2.UpdateTriggerRequest{TriggerId: id, Name: "my-trigger", Action: []*v2.Action{broadcastV2("/lobby")}})
	is.Equal(fields(err), []string{"source"}) // without a mask everything is replaced
	_, err = h.v2.Update(t.Context(), &v2.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("status", "source.container_registry.size")})
	is.Equal(status.Code(err), codes.InvalidArgument)
	got, err := h.v2.Get(t.Context(), &v2.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	same(t, got.Source, sourceV2(1)) // nothing came of them
}

func TestWhatIsNotEmulatedIsSaid(t *testing.T) {
	h := build(t)
	for want, rule := range map[string]*v1.Trigger_Rule{
		"not emulated: timer triggers (rule.timer)": {Rule: &v1.Trigger_Rule_Timer{Timer: &v1.Trigger_Timer{CronExpression: "* * * * ? *",
			Action: &v1.Trigger_Timer_InvokeFunctionWithRetry{InvokeFunctionWithRetry: &v1.InvokeFunctionWithRetry{FunctionId: "d4e"}}}}},
		"not emulated: start_workflow (rule.container_registry.start_workflow)": ruleV1(func(r *v1.Trigger_ContainerRegistry) {
			r.Action = &v1.Trigger_ContainerRegistry_StartWorkflow{StartWorkflow: &v1.StartWorkflowWithRetry{WorkflowId: "dfq"}}
		}),
	} {
		_, err := h.v1.Create(t.Context(), &v1.CreateTriggerRequest{FolderId: folder, Rule: rule})
		refused(t, err, codes.Unimplemented, want)
	}
	flow := &v2.Action{Action: &v2.Action_StartWorkflow{StartWorkflow: &v2.StartWorkflow{WorkflowId: "dfq"}}}
	for want, r := range map[string]*v2.CreateTriggerRequest{
		"not emulated: timer triggers (source.timer)": {Source: &v2.Source{Source: &v2.Source_Timer{Timer: &v2.Timer{CronExpression: "* * * * ? *"}}},
			Action: []*v2.Action{broadcastV2("/lobby")}},
		"not emulated: start_workflow (action[1].start_workflow)": {Source: sourceV2(1), Action: []*v2.Action{broadcastV2("/lobby"), flow}},
	} {
		r.FolderId, r.Name = folder, "my-trigger"
		_, err := h.v2.Create(t.Context(), r)
		refused(t, err, codes.Unimplemented, want)
	}
}

func TestANameIsOfOneTrigger(t *testing.T) {
	is := is.New(t)
	h := build(t)
	h.createV1("", broadcastV1(1))
	h.createV1("", broadcastV1(1)) // nobody has the empty one
	first := h.createV1("my-trigger", broadcastV1(1))
	_, err := h.v2.Create(t.Context(), &v2.CreateTriggerRequest{FolderId: folder, Name: "my-trigger", Source: sourceV2(1), Action: []*v2.Action{broadcastV2("/lobby")}})
	refused(t, err, codes.AlreadyExists, "Trigger with name my-trigger already exists: "+first)
	second := h.createV2("other", sourceV2(1), broadcastV2("/lobby"))
	_, err = h.v2.Update(t.Context(), &v2.UpdateTriggerRequest{TriggerId: second, UpdateMask: mask("name"), Name: "my-trigger"})
	refused(t, err, codes.AlreadyExists, "my-trigger")
	_, err = h.v2.Create(t.Context(), &v2.CreateTriggerRequest{FolderId: "b1gother", Name: "my-trigger", Source: sourceV2(1), Action: []*v2.Action{broadcastV2("/lobby")}})
	is.NoErr(err) // in another folder
}

// The cloud takes any path; what comes of it is told at delivery. So is a gateway that goes later, and a trigger of it can be renamed.
func TestAPathIsLookedUpAtDelivery(t *testing.T) {
	is := is.New(t)
	h := build(t)
	id := h.createV1("", ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.GetGatewayWebsocketBroadcast().Path = "/nowhere" }))
	is.True(strings.HasSuffix(h.warns[len(h.warns)-1],
		`rule.container_registry.gateway_websocket_broadcast.path: got "/nowhere", which is no path key of the gateway d5dmine; want one of /lobby, /rooms/{room}`))
	h.push("1")
	h.handled(1)
	is.NoErr(h.cloud.RemoveGateway(gate))
	_, err := h.v1.Update(t.Context(), &v1.UpdateTriggerRequest{TriggerId: id, UpdateMask: mask("name"), Name: "renamed"})
	is.NoErr(err)
	h.push("2")
	h.handled(1)
	is.Equal(h.told(events.StepLost), []string{`the gateway d5dmine has no path key "/nowhere"; it has /lobby, /rooms/{room}`, "there is no gateway d5dmine"})
}

func TestFiltersThatCanNeverMatchAreWarnedOf(t *testing.T) {
	is := is.New(t)
	h := build(t)
	rule := ruleV1(func(r *v1.Trigger_ContainerRegistry) {
		r.EventType, r.Tag = []v1.Trigger_ContainerRegistryEventType{v1.Trigger_CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE}, "1"
	})
	h.createV1("my-trigger", rule)
	is.True(strings.HasPrefix(h.warns[len(h.warns)-1], "the trigger my-trigger: rule.container_registry.tag: can never fire: "))
}

// A registry may be made by its first push, so a trigger may come before it.
func TestATriggerOfARegistryThatIsNotThereIsWarnedOf(t *testing.T) {
	is := is.New(t)
	h := build(t, func(p *plan) { p.options.Known = func(id string) bool { return id == registry } })
	before := len(h.warns)
	h.createV1("first", ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.RegistryId = registry }))
	h.createV1("second", ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.RegistryId = "crptypo" }))
	is.Equal(h.warns[before:], []string{
		`the trigger second: registry_id: got "crptypo", which is no registry here yet; it tells of nothing until it is made or pushed to`})
}

func TestWhoMay(t *testing.T) {
	is := is.New(t)
	var asked []string
	refuse := ""
	h := build(t, func(p *plan) {
		p.options.Authorize = func(_ context.Context, role string, on ...string) error {
			asked = append(asked, role+" "+strings.Join(on, " "))
			if role == refuse {
				return status.Error(codes.PermissionDenied, "Permission denied")
			}
			return nil
		}
		p.options.Folder = func(_ context.Context, id string) error {
			if id != folder {
				return status.Errorf(codes.NotFound, "Folder %s not found", id)
			}
			return nil
		}
		p.options.ServiceAccount = func(_ context.Context, id string) error {
			if id != agent {
				return errors.New("there is none")
			}
			return nil
		}
	})
	ctx := t.Context()
	_, err := h.v1.Create(ctx, &v1.CreateTriggerRequest{FolderId: "b1gother", Rule: broadcastV1(1)})
	refused(t, err, codes.NotFound, "Folder b1gother not found")
	_, err = h.v1.List(ctx, &v1.ListTriggersRequest{FolderId: "b1gother"})
	refused(t, err, codes.NotFound, "Folder b1gother not found")
	stranger := ruleV1(func(r *v1.Trigger_ContainerRegistry) { r.GetGatewayWebsocketBroadcast().ServiceAccountId = "ajegone" })
	_, err = h.v1.Create(ctx, &v1.CreateTriggerRequest{FolderId: folder, Rule: stranger})
	refused(t, err, codes.InvalidArgument, "service account ajegone is not available")
	is.Equal(fields(err), []string{"rule.container_registry.gateway_websocket_broadcast.service_account_id"})

	asked = nil
	id := h.createV1("", broadcastV1(1))
	is.Equal(asked, []string{"functions.editor b1gmine", "iam.serviceAccounts.user ajemine b1gmine", "container-registry.images.puller crpmine b1gmine"})
	asked = nil
	_, err = h.v2.Get(ctx, &v2.GetTriggerRequest{TriggerId: id})
	is.NoErr(err)
	_, err = h.v1.Pause(ctx, &v1.PauseTriggerRequest{TriggerId: id})
	is.NoErr(err)
	is.Equal(asked, []string{"functions.viewer " + id + " b1gmine", "functions.editor " + id + " b1gmine"})

	for _, refuse = range []string{"functions.editor", "iam.serviceAccounts.user", "container-registry.images.puller"} {
		_, err = h.v1.Create(ctx, &v1.CreateTriggerRequest{FolderId: folder, Rule: broadcastV1(1)})
		refused(t, err, codes.PermissionDenied, "Permission denied")
	}
	refuse = "functions.viewer"
	_, err = h.v1.Get(ctx, &v1.GetTriggerRequest{TriggerId: id})
	refused(t, err, codes.PermissionDenied, "")
	_, err = h.v2.List(ctx, &v2.ListTriggersRequest{FolderId: folder})
	refused(t, err, codes.PermissionDenied, "")
	refuse = "functions.editor"
	_, err = h.v2.Delete(ctx, &v2.DeleteTriggerRequest{TriggerId: id})
	refused(t, err, codes.PermissionDenied, "")
	is.True(slices.ContainsFunc(asked, func(s string) bool { return strings.HasPrefix(s, "functions.viewer b1gmine") }))
	is.Equal(len(h.engine.Triggers()), 1)
}
