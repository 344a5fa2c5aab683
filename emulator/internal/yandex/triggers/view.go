package triggers

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	v1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	v2 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
)

// form is a trigger in the message of the version that made it.
func form(it item) (proto.Message, error) {
	if it.Extra == nil {
		return it.Message, nil
	}
	return asV1(it)
}

// asV1 is a trigger as v1 shows it: NOT_FOUND for one that v1 cannot express.
func asV1(it item) (*v1.Trigger, error) {
	m := it.Message
	out := &v1.Trigger{
		Id: m.Id, FolderId: m.FolderId, CreatedAt: m.CreatedAt, Name: m.Name, Description: m.Description, Labels: m.Labels,
		Status: v1.Trigger_ACTIVE, Rule: &v1.Trigger_Rule{},
	}
	if m.Status != v2.Trigger_ACTIVE {
		out.Status = v1.Trigger_PAUSED
	}
	if it.Extra != nil {
		if err := proto.Unmarshal(it.Extra, out.Rule); err != nil {
			return nil, status.Errorf(codes.Internal, "trigger %s: the kept rule cannot be read: %v", m.Id, err)
		}
		return out, nil
	}
	rule := ruleOf(m)
	if rule == nil {
		return nil, status.Errorf(codes.NotFound,
			"Trigger %s not found: it is of the API v2, and v1 has neither several actions nor filters and transformers", m.Id)
	}
	out.Rule.Rule = &v1.Trigger_Rule_ContainerRegistry{ContainerRegistry: rule}
	return out, nil
}

// ofV1 is the trigger that a message of v1 declares.
func ofV1(t *v1.Trigger) (item, error) {
	rule, err := proto.Marshal(t.GetRule())
	if err != nil {
		return item{}, status.Errorf(codes.InvalidArgument, "rule: %v", err)
	}
	out := &v2.Trigger{
		Id: t.Id, FolderId: t.FolderId, CreatedAt: t.CreatedAt, Name: t.Name, Description: t.Description, Labels: t.Labels,
		Status: v2.Trigger_Status(t.Status), // 1 and 2 are the same
	}
	if cr := t.GetRule().GetContainerRegistry(); cr != nil {
		out.Source, out.Action = sourceOf(cr), []*v2.Action{actionOf(cr)}
	}
	return item{Message: out, Extra: append([]byte{}, rule...)}, nil // never nil
}

func sourceOf(r *v1.Trigger_ContainerRegistry) *v2.Source {
	cr := &v2.ContainerRegistry{RegistryId: r.RegistryId, ImageName: r.ImageName, Tag: r.Tag}
	for _, e := range r.EventType {
		cr.EventType = append(cr.EventType, v2.ContainerRegistryEventType(e))
	}
	if b := r.BatchSettings; b != nil {
		cr.BatchSettings = &v2.BatchSettings{MaxCount: max(1, b.Size), Cutoff: b.Cutoff}
	}
	return &v2.Source{Source: &v2.Source_ContainerRegistry{ContainerRegistry: cr}}
}

func actionOf(r *v1.Trigger_ContainerRegistry) *v2.Action {
	out := &v2.Action{}
	recovery := func(again *v1.RetrySettings, dead *v1.PutQueueMessage) {
		if again != nil {
			out.RetryPolicy = &v2.RetryPolicy{RetryAttempts: again.RetryAttempts, Interval: again.Interval}
		}
		if dead != nil {
			out.DeadLetter = &v2.DeadLetter{DeadLetter: &v2.DeadLetter_DeadLetterQueue{
				DeadLetterQueue: &v2.PutQueueMessage{QueueArn: dead.QueueId, ServiceAccountId: dead.ServiceAccountId}}}
		}
	}
	switch {
	case r.GetGatewayWebsocketBroadcast() != nil:
		b := r.GetGatewayWebsocketBroadcast()
		out.Action = &v2.Action_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &v2.GatewayWebsocketBroadcast{
			GatewayId: b.GatewayId, Path: b.Path, ServiceAccountId: b.ServiceAccountId}}
	case r.GetInvokeFunction() != nil:
		f := r.GetInvokeFunction()
		out.Action = &v2.Action_InvokeFunction{InvokeFunction: &v2.InvokeFunction{
			FunctionId: f.FunctionId, FunctionTag: f.FunctionTag, ServiceAccountId: f.ServiceAccountId}}
		recovery(f.RetrySettings, f.DeadLetterQueue)
	case r.GetInvokeContainer() != nil:
		c := r.GetInvokeContainer()
		out.Action = &v2.Action_InvokeContainer{InvokeContainer: &v2.InvokeContainer{
			ContainerId: c.ContainerId, Path: c.Path, ServiceAccountId: c.ServiceAccountId}}
		recovery(c.RetrySettings, c.DeadLetterQueue)
	}
	return out
}

// ruleOf is v1's rule of a trigger that v2 made; nil: v1 cannot express it.
func ruleOf(t *v2.Trigger) *v1.Trigger_ContainerRegistry {
	cr := t.GetSource().GetContainerRegistry()
	if cr == nil || len(t.Action) != 1 || t.Action[0].Filter != nil || t.Action[0].Transformer != nil {
		return nil
	}
	out := &v1.Trigger_ContainerRegistry{RegistryId: cr.RegistryId, ImageName: cr.ImageName, Tag: cr.Tag}
	for _, e := range cr.EventType {
		out.EventType = append(out.EventType, v1.Trigger_ContainerRegistryEventType(e))
	}
	if b := cr.BatchSettings; b != nil {
		out.BatchSettings = &v1.BatchSettings{Size: b.MaxCount, Cutoff: b.Cutoff}
		if b.MaxCount == 0 { // bytes alone bound it
			out.BatchSettings.Size = 1000
		}
	}
	a := t.Action[0]
	var again *v1.RetrySettings
	if p := a.RetryPolicy; p != nil {
		again = &v1.RetrySettings{RetryAttempts: p.RetryAttempts, Interval: p.Interval}
	}
	var dead *v1.PutQueueMessage
	if q := a.DeadLetter.GetDeadLetterQueue(); q != nil {
		dead = &v1.PutQueueMessage{QueueId: q.QueueArn, ServiceAccountId: q.ServiceAccountId}
	}
	switch {
	case a.GetGatewayWebsocketBroadcast() != nil:
		b := a.GetGatewayWebsocketBroadcast()
		out.Action = &v1.Trigger_ContainerRegistry_GatewayWebsocketBroadcast{GatewayWebsocketBroadcast: &v1.GatewayWebsocketBroadcast{
			GatewayId: b.GatewayId, Path: b.Path, ServiceAccountId: b.ServiceAccountId}}
	case a.GetInvokeFunction() != nil:
		f := a.GetInvokeFunction()
		out.Action = &v1.Trigger_ContainerRegistry_InvokeFunction{InvokeFunction: &v1.InvokeFunctionWithRetry{
			FunctionId: f.FunctionId, FunctionTag: f.FunctionTag, ServiceAccountId: f.ServiceAccountId,
			RetrySettings: again, DeadLetterQueue: dead}}
	case a.GetInvokeContainer() != nil:
		c := a.GetInvokeContainer()
		out.Action = &v1.Trigger_ContainerRegistry_InvokeContainer{InvokeContainer: &v1.InvokeContainerWithRetry{
			ContainerId: c.ContainerId, Path: c.Path, ServiceAccountId: c.ServiceAccountId,
			RetrySettings: again, DeadLetterQueue: dead}}
	default:
		return nil
	}
	return out
}
