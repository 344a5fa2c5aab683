package template

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

func (b *builder) readRules() {
	for _, res := range b.of("AWS::Events::Rule") {
		o := b.properties(res).takes("Name", "Description", "EventBusName", "EventPattern", "ScheduleExpression", "State", "Targets", "RoleArn", "Tags")
		rule := Rule{LogicalID: res.id, Name: b.physical(res), ARN: b.arnFor(res), At: res.place(b.doc.file), Bus: b.bus(res),
			Schedule: o.get("ScheduleExpression").text(),
			Enabled:  o.get("State").choice("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") != "DISABLED"}
		pattern := o.get("EventPattern")
		switch {
		case pattern.given():
			rule.Pattern = b.pattern(pattern)
			b.checkPattern(pattern)
		case rule.Schedule == "":
			pattern.refuse("got nothing, want an event pattern, or a ScheduleExpression")
		}
		targets := o.get("Targets").items()
		if len(targets) == 0 && !o.get("Targets").broken() {
			b.doc.notice(res.at, "the rule %s has no targets: its events go nowhere", res.id)
		}
		seen := make(map[string]bool)
		for _, f := range targets {
			t := b.target(f, rule)
			if seen[t.ID] {
				f.refuse("got the target id %s twice, want it once", quote(t.ID))
			}
			seen[t.ID] = true
			rule.Targets = append(rule.Targets, t)
		}
		b.plan.Rules = append(b.plan.Rules, rule)
	}
}

func (b *builder) target(f field, rule Rule) Target {
	o := f.object().takes("Id", "Arn", "Input", "InputPath", "InputTransformer", "RetryPolicy", "DeadLetterConfig", "SqsParameters", "RoleArn",
		"EcsParameters", "BatchParameters", "KinesisParameters", "HttpParameters", "RunCommandParameters", "RedshiftDataParameters",
		"SageMakerPipelineParameters", "AppSyncParameters")
	t := Target{ID: o.get("Id").required("an id").text(), ARN: o.get("Arn").required("the ARN of a queue or function").text()}
	if i := o.get("Input"); i.given() {
		text := i.text()
		t.Input = &text
	}
	t.InputPath = o.get("InputPath").text()
	if x := o.get("InputTransformer"); x.given() {
		p := x.object().only("InputPathsMap", "InputTemplate")
		for _, m := range p.get("InputPathsMap").members() {
			if t.InputPaths == nil {
				t.InputPaths = make(map[string]string)
			}
			t.InputPaths[m.key] = m.text()
		}
		text := p.get("InputTemplate").required("a template").text()
		t.InputTemplate = &text
	}
	if inputs := slices.DeleteFunc([]string{"Input", "InputPath", "InputTransformer"}, func(k string) bool { return !o.get(k).given() }); len(inputs) > 1 {
		f.refuse("got %s, want at most one of them", strings.Join(inputs, " and "))
	}
	p := o.get("RetryPolicy").object().only("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
	t.Retries = p.get("MaximumRetryAttempts").number(185, 0, 185)
	t.MaxAge = p.get("MaximumEventAgeInSeconds").seconds(86400, 60, 86400)
	t.DeadLetter = o.get("DeadLetterConfig").object().only("Arn").get("Arn").text()
	t.MessageGroup = o.get("SqsParameters").object().only("MessageGroupId").get("MessageGroupId").text()
	b.permit(f, o, rule, &t)
	return t
}

// permit says what the cloud would not deliver for want of a permission.
func (b *builder) permit(f field, o object, rule Rule, t *Target) {
	if dead := b.queue(t.DeadLetter); dead != nil && !b.maySend(*dead, rule.ARN) {
		f.notice("no AWS::SQS::QueuePolicy lets %s send to the dead letter queue %s for this rule: AWS drops what fails", eventsService, dead.LogicalID)
	} else if dead == nil && t.DeadLetter != "" {
		f.notice("the dead letter queue %s is not in this template; what fails is dropped", quote(t.DeadLetter))
	}
	if function := b.function(t.ARN); function != "" && strings.Contains(t.ARN, ":function:") {
		if !b.mayCall(function, eventsService, rule.ARN) {
			t.Denied = "no AWS::Lambda::Permission lets " + eventsService + " call " + function + " for the rule " + rule.LogicalID
		}
	} else if q := b.queue(t.ARN); q != nil {
		if q.FIFO && t.MessageGroup == "" {
			f.refuse("the queue %s is FIFO, want SqsParameters with a MessageGroupId", q.LogicalID)
		}
		if !b.maySend(*q, rule.ARN) && !o.get("RoleArn").given() {
			t.Denied = "no AWS::SQS::QueuePolicy lets " + eventsService + " send to " + q.LogicalID + " for the rule " + rule.LogicalID
		}
	} else if !o.get("Arn").broken() && t.ARN != "" {
		o.get("Arn").notice("not emulated: the target %s, which is no queue or function of this template; nothing is delivered to it", quote(t.ARN))
	}
	if t.Denied != "" {
		f.notice("%s: AWS would deliver nothing and say nothing; regcast delivers", t.Denied)
	}
}

func (b *builder) queue(arn string) *Queue {
	i := slices.IndexFunc(b.plan.Queues, func(q Queue) bool { return q.ARN == arn })
	if i < 0 {
		return nil
	}
	return &b.plan.Queues[i]
}

// checkPattern says of a pattern about registries why it can match nothing.
func (b *builder) checkPattern(f field) {
	o := b.parsed(f).object()
	if f.broken() || o.got() != "a mapping" {
		return
	}
	has := func(key, word string) bool {
		v := o.get(key)
		return v.given() && v.value().Kind == yaml.SequenceNode && slices.ContainsFunc(v.value().Content, func(c *yaml.Node) bool { return c.Value == word })
	}
	if !has("source", "aws.ecr") {
		return
	}
	detail := o.get("detail")
	if detail.got() != "a mapping" {
		return
	}
	known := []string{"action-type", "repository-name", "result", "image-digest", "image-tag", "manifest-media-type", "artifact-media-type",
		"target-storage-class", "last-activated-at", "$or"}
	for _, m := range detail.members() {
		if has("detail-type", "ECR Image Action") && !slices.Contains(known, m.key) {
			m.notice("an ECR Image Action has no %s, %s", quote(m.key), suggest(m.key, known))
		}
	}
}
