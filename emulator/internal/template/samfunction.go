package template

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// samPolicies is the key under which a role that SAM makes keeps the function's Policies as they are written.
const samPolicies = "regcast::Policies"

func (r *reader) expandFunction(res *resource) {
	d := r.doc
	o := r.raw(res).takes(strings.Fields(functionProperties + " " + samFunctionProperties)...)
	function := *res
	function.kind, function.fromSAM = "AWS::Lambda::Function", true
	like := res.self
	if o.node != nil {
		like = o.node
	}
	props := d.mapping(like)
	set := func(key string, value *yaml.Node) {
		if value != nil {
			props.Content = append(props.Content, d.text(value, key), value)
		}
	}
	for _, m := range o.members() {
		switch m.key {
		case "Events", "Policies", "EventInvokeConfig", "AutoPublishAlias", "DeadLetterQueue":
		default:
			set(m.key, m.node)
		}
	}
	e := &expansion{reader: r, of: res, function: r.getAttNode(res.self, res.id, "Arn"), name: r.refNode(res.self, res.id)}
	if dlq := o.get("DeadLetterQueue"); dlq.given() {
		q := dlq.object().only("Type", "TargetArn")
		q.get("Type").required("SQS or SNS").choice("SQS", "SNS")
		target := q.get("TargetArn").required("the ARN of a queue").node
		set("DeadLetterConfig", d.mapping(dlq.node, pair{"TargetArn", target}))
		e.allow(target, "sqs:SendMessage")
	}
	if !o.get("Role").given() {
		set("Role", r.getAttNode(res.self, res.id+"Role", "Arn"))
	}
	function.props = props
	r.enter(&function)
	if alias := o.get("AutoPublishAlias"); alias.given() {
		e.publish(alias)
	}
	if c := o.get("EventInvokeConfig"); c.given() {
		e.invokeConfig(c)
	}
	for _, m := range o.get("Events").members() {
		e.event(m)
	}
	if url := o.get("FunctionUrlConfig"); url.given() {
		r.make(res, res.id+"Url", "AWS::Lambda::Url", url.node, nil)
	}
	if o.get("Role").given() {
		return
	}
	var managed *yaml.Node
	if e.polls {
		managed = d.list(res.self, d.text(res.self, "AWSLambdaSQSQueueExecutionRole"))
	}
	r.make(res, res.id+"Role", "AWS::IAM::Role", res.self, d.mapping(res.self, pair{samPolicies, o.get("Policies").node},
		pair{"Policies", d.list(res.self, e.allowed...)}, pair{"ManagedPolicyArns", managed}))
}

// expansion is a function while SAM's resources round it are made.
type expansion struct {
	*reader
	of             *resource
	function, name *yaml.Node // ARN and name, or the alias that SAM publishes
	qualifier      *yaml.Node
	allowed        []*yaml.Node // policies that SAM adds to the role
	polls          bool         // it has an SQS event
}

// allow adds a policy to the role.
func (e *expansion) allow(resource *yaml.Node, actions ...string) {
	if resource == nil {
		return
	}
	d := e.doc
	list := d.list(resource)
	for _, a := range actions {
		list.Content = append(list.Content, d.text(resource, a))
	}
	statement := d.mapping(resource, pair{"Effect", d.text(resource, "Allow")}, pair{"Action", list}, pair{"Resource", resource})
	e.allowed = append(e.allowed, d.mapping(resource, pair{"PolicyName", d.text(resource, "made")},
		pair{"PolicyDocument", d.mapping(resource, pair{"Statement", d.list(resource, statement)})}))
}

func (e *expansion) publish(alias field) {
	name, known := e.early(alias)
	if !known || name == "" {
		alias.refuse("got %s, want the alias's name, or a Ref to a parameter", alias.got())
		return
	}
	id, version := e.of.id+"Alias"+keep(name, letters), e.of.id+"Version"+strings.ToLower(e.token(e.of.id+"Version", 10))
	function := e.refNode(alias.node, e.of.id)
	e.make(e.of, version, "AWS::Lambda::Version", alias.node, e.doc.mapping(alias.node, pair{"FunctionName", function}))
	e.make(e.of, id, "AWS::Lambda::Alias", alias.node, e.doc.mapping(alias.node, pair{"FunctionName", function},
		pair{"Name", e.doc.text(alias.node, name)}, pair{"FunctionVersion", e.getAttNode(alias.node, version, "Version")}))
	e.nicknames[e.of.id+".Version"], e.nicknames[e.of.id+".Alias"] = version, id
	e.function, e.name, e.qualifier = e.refNode(alias.node, id), e.refNode(alias.node, id), e.doc.text(alias.node, name)
}

// keep leaves out of a text what is none of the letters.
func keep(s, letters string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(letters, r) {
			return r
		}
		return -1
	}, s)
}

func (e *expansion) invokeConfig(f field) {
	d := e.doc
	o := f.object().only("MaximumEventAgeInSeconds", "MaximumRetryAttempts", "DestinationConfig")
	destinations := d.mapping(f.node)
	for _, m := range o.get("DestinationConfig").members() {
		if m.key != "OnFailure" && m.key != "OnSuccess" {
			m.refuse("unknown field, %s", suggest(m.key, []string{"OnFailure", "OnSuccess"}))
			continue
		}
		g := m.object().only("Type", "Destination")
		kind := g.get("Type").choice("SQS", "SNS", "Lambda", "EventBridge", "S3Bucket")
		to := g.get("Destination").node
		if to == nil {
			switch kind {
			case "SQS", "SNS":
				id := e.of.id + "EventInvokeConfig" + m.key + map[string]string{"SQS": "Queue", "SNS": "Topic"}[kind]
				e.make(e.of, id, map[string]string{"SQS": "AWS::SQS::Queue", "SNS": "AWS::SNS::Topic"}[kind], m.node, nil)
				to = e.getAttNode(m.node, id, map[string]string{"SQS": "Arn", "SNS": "TopicArn"}[kind])
				e.nicknames[e.of.id+".Destination"+map[string]string{"SQS": "Queue", "SNS": "Topic"}[kind]] = id
			default:
				g.get("Destination").refuse("got nothing, want the ARN of the destination")
				continue
			}
		}
		e.allow(to, map[string]string{"SQS": "sqs:SendMessage", "SNS": "sns:Publish", "Lambda": "lambda:InvokeFunction",
			"EventBridge": "events:PutEvents", "S3Bucket": "s3:PutObject"}[kind])
		destinations.Content = append(destinations.Content, m.name, d.mapping(m.node, pair{"Destination", to}))
	}
	qualifier := e.qualifier
	if qualifier == nil {
		qualifier = d.text(f.node, "$LATEST")
	}
	e.make(e.of, e.of.id+"EventInvokeConfig", "AWS::Lambda::EventInvokeConfig", f.node, d.mapping(f.node,
		pair{"FunctionName", e.refNode(f.node, e.of.id)}, pair{"Qualifier", qualifier},
		pair{"MaximumEventAgeInSeconds", o.get("MaximumEventAgeInSeconds").node},
		pair{"MaximumRetryAttempts", o.get("MaximumRetryAttempts").node}, pair{"DestinationConfig", destinations}))
}

// event makes what calls the function.
func (e *expansion) event(m member) {
	o := m.object().only("Type", "Properties")
	kind := o.get("Type").required("EventBridgeRule, SQS or Schedule")
	props := o.get("Properties")
	at := props.node
	if at == nil {
		at = m.node
	}
	id := e.of.id + m.key
	switch kind.text() {
	case "":
	case "EventBridgeRule", "CloudWatchEvent", "Schedule":
		e.rule(id, kind.text(), at, props)
	case "SQS":
		if !props.given() {
			props.refuse("got nothing, want the Queue")
			return
		}
		e.mapping(id, at, props)
	default:
		m.notice("not emulated: %s event; nothing will call %s through it", clip(kind.text()), e.of.id)
		e.implicit(kind.text(), m, props)
	}
}

// implicit enters the API that SAM makes for events of plain HTTP, since outputs like to name it.
func (e *expansion) implicit(kind string, m member, props field) {
	id, long := "", ""
	switch kind {
	case "Api":
		id, long = "ServerlessRestApi", "AWS::ApiGateway::RestApi"
	case "HttpApi":
		id, long = "ServerlessHttpApi", "AWS::ApiGateway::HttpApi"
	}
	if id == "" || e.resources[id] != nil || props.given() && (props.object().get("RestApiId").given() || props.object().get("ApiId").given()) {
		return
	}
	api := &resource{enabled: true}
	e.make(api, id, long, m.node, nil)
	e.make(api, id+"ProdStage", "AWS::ApiGateway::Stage", m.node, e.doc.mapping(m.node, pair{"StageName", e.doc.text(m.node, "Prod")}))
	e.nicknames[id+".Stage"] = id + "ProdStage"
}

func (e *expansion) rule(id, kind string, at *yaml.Node, props field) {
	d := e.doc
	o := props.object().takes("Pattern", "EventBusName", "Input", "InputPath", "InputTransformer", "RetryPolicy", "DeadLetterConfig",
		"RuleName", "State", "Target", "Schedule", "Enabled", "Name", "Description", "RoleArn")
	name, state := o.get("RuleName").node, o.get("State").node
	if kind == "Schedule" {
		name = o.get("Name").node
		if enabled := o.get("Enabled"); enabled.given() {
			word := "ENABLED"
			if !e.evalField(enabled).truth(true) {
				word = "DISABLED"
			}
			state = d.text(enabled.node, word)
		}
	}
	targetID := o.get("Target").object().only("Id").get("Id").node
	if targetID == nil {
		targetID = d.text(at, id+"LambdaTarget")
	}
	to := d.mapping(at, pair{"Id", targetID}, pair{"Arn", e.function}, pair{"Input", o.get("Input").node},
		pair{"InputPath", o.get("InputPath").node}, pair{"InputTransformer", o.get("InputTransformer").node},
		pair{"RetryPolicy", o.get("RetryPolicy").node}, pair{"DeadLetterConfig", e.deadLetter(id, o.get("DeadLetterConfig"))})
	e.make(e.of, id, "AWS::Events::Rule", at, d.mapping(at, pair{"Name", name}, pair{"State", state},
		pair{"EventBusName", o.get("EventBusName").node}, pair{"EventPattern", o.get("Pattern").node},
		pair{"ScheduleExpression", o.get("Schedule").node}, pair{"Targets", d.list(at, to)}))
	e.make(e.of, id+"Permission", permissionKind, at, e.permission(at, e.function, "events.amazonaws.com", e.getAttNode(at, id, "Arn")))
}

// deadLetter makes the queue that DeadLetterConfig {Type: SQS} asks for, with the policy that lets the rule send to it.
func (e *expansion) deadLetter(id string, f field) *yaml.Node {
	if !f.given() {
		return nil
	}
	d := e.doc
	o := f.object().only("Arn", "Type", "QueueLogicalId")
	if o.get("Arn").given() {
		if o.get("Type").given() {
			f.refuse("got Arn and Type, want one of them")
		}
		return d.mapping(f.node, pair{"Arn", o.get("Arn").node})
	}
	o.get("Type").required("SQS, or Arn with the ARN of a queue").choice("SQS")
	queue := id + "Queue"
	if name := o.get("QueueLogicalId"); name.given() {
		queue = name.text()
	}
	e.make(e.of, queue, "AWS::SQS::Queue", f.node, nil)
	arn := e.getAttNode(f.node, queue, "Arn")
	source := d.mapping(f.node, pair{"aws:SourceArn", e.getAttNode(f.node, id, "Arn")})
	statement := d.mapping(f.node, pair{"Effect", d.text(f.node, "Allow")}, pair{"Action", d.text(f.node, "sqs:SendMessage")},
		pair{"Principal", d.mapping(f.node, pair{"Service", d.text(f.node, "events.amazonaws.com")})},
		pair{"Resource", arn}, pair{"Condition", d.mapping(f.node, pair{"ArnEquals", source})})
	e.make(e.of, queue+"Policy", "AWS::SQS::QueuePolicy", f.node, d.mapping(f.node,
		pair{"Queues", d.list(f.node, e.refNode(f.node, queue))},
		pair{"PolicyDocument", d.mapping(f.node, pair{"Statement", d.list(f.node, statement)})}))
	return d.mapping(f.node, pair{"Arn", arn})
}

func (e *expansion) mapping(id string, at *yaml.Node, props field) {
	d := e.doc
	o := props.object().takes("Queue", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig",
		"FilterCriteria", "Enabled", "MetricsConfig", "ProvisionedPollerConfig", "KmsKeyArn", "LoggingConfig")
	queue := o.get("Queue").required("the ARN of a queue, such as !GetAtt Queue.Arn").node
	pairs := []pair{{"EventSourceArn", queue}, {"FunctionName", e.name}}
	for _, m := range o.members() {
		if m.key != "Queue" {
			pairs = append(pairs, pair{m.key, m.node})
		}
	}
	e.make(e.of, id, "AWS::Lambda::EventSourceMapping", at, d.mapping(at, pairs...))
	e.polls = true
}
