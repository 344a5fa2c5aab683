package template

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

func (b *builder) readQueues() {
	for _, res := range b.of("AWS::SQS::Queue") {
		o := b.properties(res).takes("QueueName", "VisibilityTimeout", "DelaySeconds", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds",
			"MaximumMessageSize", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope",
			"FifoThroughputLimit", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "Tags")
		name := b.physical(res)
		q := Queue{LogicalID: res.id, Name: name, ARN: b.arnFor(res), URL: b.queueURL(name), At: res.place(b.doc.file),
			Visibility: o.get("VisibilityTimeout").seconds(30, 0, 43200), Delay: o.get("DelaySeconds").seconds(0, 0, 900),
			Retention: o.get("MessageRetentionPeriod").seconds(345600, 60, 1209600),
			Wait:      o.get("ReceiveMessageWaitTimeSeconds").seconds(0, 0, 20),
			FIFO:      o.get("FifoQueue").truth(false), ContentDedup: o.get("ContentBasedDeduplication").truth(false)}
		if q.FIFO != strings.HasSuffix(name, ".fifo") {
			o.get("QueueName").refuse("got the name %s, want .fifo at its end if FifoQueue is true, and only then", quote(name))
		}
		if q.ContentDedup && !q.FIFO {
			o.get("ContentBasedDeduplication").refuse("got true, want it with FifoQueue: true")
		}
		if r := b.parsed(o.get("RedrivePolicy")); r.given() {
			p := r.object().takes("deadLetterTargetArn", "maxReceiveCount")
			q.DeadLetter = p.get("deadLetterTargetArn").required("the ARN of a queue").text()
			q.MaxReceives = p.get("maxReceiveCount").required("a count").number(1, 1, 1000)
		}
		b.plan.Queues = append(b.plan.Queues, q)
	}
	for i := range b.plan.Queues {
		q := &b.plan.Queues[i]
		dead := slices.IndexFunc(b.plan.Queues, func(o Queue) bool { return o.ARN == q.DeadLetter })
		switch at := b.resources[q.LogicalID]; {
		case q.DeadLetter == "":
		case dead < 0:
			b.doc.notice(at.at, "the dead letter queue %s is not in this template; messages that fail too often are dropped", quote(q.DeadLetter))
		case b.plan.Queues[dead].FIFO != q.FIFO:
			b.doc.refuse(at.at, "the dead letter queue %s wants to be FIFO exactly if this queue is", b.plan.Queues[dead].LogicalID)
		}
	}
	for _, res := range b.of("AWS::SQS::QueuePolicy") {
		o := b.properties(res).takes("PolicyDocument", "Queues")
		p := queuePolicy{queues: o.get("Queues").required("the URLs of queues, such as !Ref Queue").texts()}
		for i, item := range o.get("Queues").items() {
			if !strings.HasPrefix(p.queues[i], "https://") && !item.broken() {
				item.refuse("got %s, want a queue's URL, such as !Ref Queue", item.got())
			}
		}
		for _, s := range b.parsed(o.get("PolicyDocument")).required("a policy document").object().get("Statement").required("a statement").some() {
			p.statements = append(p.statements, s.object())
		}
		b.policies = append(b.policies, p)
	}
}

// parsed reads what may be written as a mapping or as a text of JSON.
func (b *builder) parsed(f field) field {
	if !f.scalar() || f.broken() {
		return f
	}
	d := read(b.doc.file, []byte(f.text()))
	if !json.Valid([]byte(f.text())) || len(d.problems) > 0 {
		f.refuse("got %s, want a mapping, or JSON", f.got())
		return field{doc: f.doc, at: f.at, mute: true}
	}
	out := field{doc: b.doc, node: d.root, at: f.at}
	b.adopt(out, 0)
	return out
}

// adopt gives the nodes of a text's JSON the place of the text.
func (b *builder) adopt(f field, depth int) {
	b.doc.where[f.node] = f.at
	if depth > deepest {
		return
	}
	for _, c := range f.node.Content {
		c.Line = f.at.line
		b.adopt(field{doc: b.doc, node: c, at: f.at}, depth+1)
	}
}

type queuePolicy struct {
	queues     []string // URLs
	statements []object
}

const eventsService = "events.amazonaws.com"

// maySend tells whether EventBridge may send to a queue for a rule.
func (b *builder) maySend(q Queue, rule string) bool {
	allowed := false
	for _, p := range b.policies {
		if !slices.Contains(p.queues, q.URL) {
			continue
		}
		for _, s := range p.statements {
			if !b.aboutSending(s, q) {
				continue
			}
			holds, sure := b.sourceHolds(s.get("Condition"), rule)
			if s.get("Effect").text() == "Deny" {
				if holds && sure {
					return false
				}
				continue
			}
			allowed = allowed || holds
		}
	}
	return allowed
}

// aboutSending tells whether a statement speaks of EventBridge sending to the queue.
func (b *builder) aboutSending(s object, q Queue) bool {
	principal := s.get("Principal")
	services := principal.given() && principal.scalar() && principal.text() == "*"
	if principal.got() == "a mapping" {
		o := principal.object()
		services = slices.Contains(o.get("Service").texts(), eventsService) || slices.Contains(o.get("AWS").texts(), "*") ||
			slices.Contains(o.get("Service").texts(), "*")
	}
	action := slices.ContainsFunc(s.get("Action").texts(), func(a string) bool { return like(strings.ToLower(a), "sqs:sendmessage") })
	resource := !s.get("Resource").given() || slices.ContainsFunc(s.get("Resource").texts(), func(r string) bool { return like(r, q.ARN) })
	return services && action && resource
}

// sourceHolds evaluates a statement's condition for a rule; sure is false if there is more to it than regcast reads.
func (b *builder) sourceHolds(f field, rule string) (holds, sure bool) {
	holds, sure = true, true
	for _, operator := range f.members() {
		for _, m := range operator.members() {
			var got string
			switch strings.ToLower(m.key) {
			case "aws:sourcearn":
				got = rule
			case "aws:sourceaccount":
				got = b.opts.Account
			default:
				sure = false
				continue
			}
			name := strings.TrimSuffix(operator.key, "IfExists")
			switch {
			case name == "ArnLike" || name == "ArnEquals" || name == "StringLike":
				holds = holds && slices.ContainsFunc(m.texts(), func(p string) bool { return like(p, got) })
			case name == "StringEquals":
				holds = holds && slices.Contains(m.texts(), got)
			default:
				sure = false
			}
		}
	}
	return holds, sure
}

// grant is an AWS::Lambda::Permission.
type grant struct {
	function  string // logical id
	principal string
	source    string // pattern; empty: any
}

func (b *builder) readPermissions() {
	for _, res := range b.of(permissionKind) {
		o := b.properties(res).takes("Action", "FunctionName", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "FunctionUrlAuthType",
			"PrincipalOrgID", "InvokedViaFunctionUrl")
		action := o.get("Action").required("lambda:InvokeFunction").text()
		name := o.get("FunctionName").required("a function")
		g := grant{function: b.function(name.text()), principal: o.get("Principal").required("a service, such as events.amazonaws.com").text(),
			source: o.get("SourceArn").text()}
		if account := o.get("SourceAccount"); account.given() && account.text() != b.opts.Account {
			continue
		}
		if like(strings.ToLower(action), "lambda:invokefunction") {
			b.grants = append(b.grants, g)
		}
	}
}

// mayCall tells whether a service may call a function for a source.
func (b *builder) mayCall(function, service, source string) bool {
	return slices.ContainsFunc(b.grants, func(g grant) bool {
		return g.function == function && (g.principal == service || g.principal == "*") && (g.source == "" || like(g.source, source))
	})
}

func (b *builder) readMappings() {
	for _, res := range b.of("AWS::Lambda::EventSourceMapping") {
		o := b.properties(res).takes("FunctionName", "EventSourceArn", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes",
			"ScalingConfig", "FilterCriteria", "Enabled", "MetricsConfig", "ProvisionedPollerConfig", "KmsKeyArn", "Tags", "StartingPosition",
			"StartingPositionTimestamp", "BisectBatchOnFunctionError", "DestinationConfig", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts",
			"ParallelizationFactor", "TumblingWindowInSeconds", "Topics", "Queues", "SourceAccessConfigurations", "SelfManagedEventSource",
			"SelfManagedKafkaEventSourceConfig", "AmazonManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "LoggingConfig")
		name, source := o.get("FunctionName").required("a function"), o.get("EventSourceArn").required("the ARN of a queue")
		m := Mapping{LogicalID: res.id, At: res.place(b.doc.file), Function: b.function(name.text()), Queue: source.text(),
			Window: o.get("MaximumBatchingWindowInSeconds").seconds(0, 0, 300), Enabled: o.get("Enabled").truth(true)}
		at := slices.IndexFunc(b.plan.Queues, func(q Queue) bool { return q.ARN == m.Queue })
		switch {
		case source.broken() || name.broken() || m.Queue == "" || name.text() == "":
			continue
		case !strings.Contains(m.Queue, ":sqs:"):
			source.notice("not emulated: %s as a source of events; nothing will call %s through it", quote(m.Queue), cmp.Or(m.Function, name.text()))
			continue
		case at < 0:
			source.notice("the queue %s is not in this template; nothing will come from it", quote(m.Queue))
			continue
		case m.Function == "":
			name.notice("the function %s is not in this template; nothing is delivered to it", quote(name.text()))
			continue
		}
		q := b.plan.Queues[at]
		most := 10000
		if q.FIFO {
			most = 10
		}
		m.BatchSize = o.get("BatchSize").number(10, 1, most)
		if m.BatchSize > 10 && m.Window < 1 {
			o.get("BatchSize").refuse("got %d, want at most 10, or MaximumBatchingWindowInSeconds of at least 1", m.BatchSize)
		}
		if q.FIFO && m.Window > 0 {
			o.get("MaximumBatchingWindowInSeconds").refuse("got a window, want none: the queue is FIFO")
		}
		for _, item := range o.get("FunctionResponseTypes").items() {
			m.PartialFailures = item.choice("ReportBatchItemFailures") != ""
		}
		m.MaxConcurrency = o.get("ScalingConfig").object().only("MaximumConcurrency").get("MaximumConcurrency").number(0, 2, 1000)
		for _, item := range o.get("FilterCriteria").object().only("Filters").get("Filters").items() {
			pattern := item.object().only("Pattern").get("Pattern").required("a pattern as a text of JSON")
			if data := b.pattern(pattern); data != nil {
				m.Filters = append(m.Filters, data)
			}
		}
		f := b.plan.Functions[slices.IndexFunc(b.plan.Functions, func(f Function) bool { return f.LogicalID == m.Function })]
		switch {
		case q.Visibility < f.Timeout:
			b.doc.refuse(res.at, "the queue %s hides messages for %s and the function %s may run %s; want VisibilityTimeout at least that, better 6 times",
				q.LogicalID, q.Visibility, f.LogicalID, f.Timeout)
		case q.Visibility < 6*f.Timeout+m.Window:
			b.doc.notice(b.resources[q.LogicalID].at, "the queue hides messages for %s; AWS advises 6 times the timeout of the function %s and the batching window: at least %s",
				q.Visibility, f.LogicalID, 6*f.Timeout+m.Window)
		}
		lack(o, map[string]string{"ProvisionedPollerConfig": "regcast polls as much as it needs"})
		b.plan.Mappings = append(b.plan.Mappings, m)
	}
}

// pattern reads an event pattern, as a mapping or as JSON, and checks its form: objects whose leaves are lists.
func (b *builder) pattern(f field) json.RawMessage {
	const longest = 4096
	p := b.parsed(f)
	if !p.given() || p.broken() {
		return nil
	}
	if p.got() != "a mapping" {
		p.refuse("got %s, want a mapping", p.got())
		return nil
	}
	b.leaves(p, 0)
	data := p.json()
	if len(data) > longest {
		f.refuse("got a pattern of %d characters, want at most %d", len(data), longest)
	}
	return data
}

func (b *builder) leaves(f field, depth int) {
	ms := f.members()
	if len(ms) == 0 {
		f.refuse("got an empty mapping, want at least one field")
	}
	for _, m := range ms {
		switch got := m.got(); {
		case m.broken():
		case got == "a mapping":
			b.leaves(m.field, depth+1)
		case got == "a list" && len(m.value().Content) == 0:
			m.refuse("got an empty list, want the values it may have")
		case got == "a list" && m.key == "$or":
			for _, item := range m.items() {
				if item.got() == "a mapping" {
					b.leaves(item, depth+1)
				}
			}
		case got == "a list":
		default:
			m.refuse("got %s, want a list of the values it may have, such as [%s]", got, got)
		}
	}
}
