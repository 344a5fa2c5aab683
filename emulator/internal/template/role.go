package template

import (
	"fmt"
	"slices"
	"strings"
)

// readRoles gathers what each role of the template may do: its own policies and those that name it.
func (b *builder) readRoles() {
	byName := make(map[string]string)
	for _, res := range b.of("AWS::IAM::Role") {
		arn := b.arnFor(res)
		byName[b.physical(res)] = arn
		b.statements[arn] = nil
		o := b.properties(res).takes("AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration", "Path",
			"PermissionsBoundary", "Policies", "RoleName", "Tags", samPolicies)
		for _, p := range o.get("ManagedPolicyArns").items() {
			b.managed(arn, p)
		}
		for _, p := range o.get("Policies").items() {
			b.document(arn, b.parsed(p.object().get("PolicyDocument")))
		}
		for _, p := range o.get(samPolicies).some() {
			b.samPolicy(arn, p)
		}
	}
	for _, res := range b.of("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy") {
		o := b.properties(res)
		for _, role := range slices.Concat(o.get("Roles").items(), o.get("RoleName").some()) {
			if arn := byName[role.text()]; arn != "" {
				b.document(arn, b.parsed(o.get("PolicyDocument")))
			}
		}
	}
}

// managed adds a policy of AWS's own, or one of the template, that a role names.
func (b *builder) managed(role string, f field) {
	name := f.text()
	for _, res := range b.of("AWS::IAM::ManagedPolicy") {
		if b.arnFor(res) == name {
			b.document(role, b.parsed(b.properties(res).get("PolicyDocument")))
			return
		}
	}
	name = name[strings.LastIndex(name, "/")+1:]
	actions, resource, known := managedPolicy(name)
	switch {
	case !known:
		b.doubt(role, f, "regcast does not know what the policy %s allows; what the function may do is not checked", quote(name))
	case len(actions) > 0:
		b.statements[role] = append(b.statements[role], Statement{Effect: "Allow", Actions: actions, Resources: []string{resource}, At: b.at(f)})
	}
}

// doubt keeps what is not known of a role. It is told if a function has the role.
func (b *builder) doubt(role string, f field, format string, args ...any) {
	b.unknown[role] = append(b.unknown[role], remark{f.at, fmt.Sprintf(format, args...)})
}

// managedPolicy is what AWS's own policies allow of what regcast emulates; none: nothing of that.
func managedPolicy(name string) (actions []string, resource string, known bool) {
	switch name {
	case "AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess",
		"CloudWatchLambdaInsightsExecutionRolePolicy", "CloudWatchLogsFullAccess", "CloudWatchFullAccess", "AmazonS3ReadOnlyAccess",
		"AmazonS3FullAccess", "AmazonSNSFullAccess", "AmazonSSMReadOnlyAccess", "SecretsManagerReadWrite", "AWSLambdaKinesisExecutionRole":
		return nil, "", true
	case "AWSLambdaSQSQueueExecutionRole":
		return []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, "*", true
	case "AWSLambdaDynamoDBExecutionRole":
		return []string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}, "*", true
	case "AWSLambdaRole":
		return []string{"lambda:InvokeFunction"}, "*", true
	case "AWSLambda_FullAccess":
		return []string{"lambda:*"}, "*", true
	case "AmazonDynamoDBFullAccess", "AmazonDynamoDBFullAccess_v2":
		return []string{"dynamodb:*"}, "*", true
	case "AmazonDynamoDBReadOnlyAccess":
		return []string{"dynamodb:BatchGetItem", "dynamodb:Describe*", "dynamodb:GetItem", "dynamodb:List*", "dynamodb:Query", "dynamodb:Scan"}, "*", true
	case "AmazonSQSFullAccess":
		return []string{"sqs:*"}, "*", true
	case "AmazonSQSReadOnlyAccess":
		return []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueues", "sqs:ListDeadLetterSourceQueues"}, "*", true
	case "AmazonEventBridgeFullAccess":
		return []string{"events:*"}, "*", true
	case "AmazonAPIGatewayInvokeFullAccess":
		return []string{"execute-api:Invoke", "execute-api:ManageConnections"}, "arn:aws:execute-api:*:*:*", true
	case "AdministratorAccess":
		return []string{"*"}, "*", true
	}
	return nil, "", false
}

// document adds the statements of a policy document.
func (b *builder) document(role string, f field) {
	o := f.required("a policy document").object().only("Version", "Id", "Statement")
	if v := o.get("Version"); v.given() && v.text() != "2012-10-17" && v.text() != "2008-10-17" {
		v.refuse("got %s, want \"2012-10-17\"", v.got())
	}
	for _, item := range o.get("Statement").required("a statement").some() {
		b.statement(role, item)
	}
}

func (b *builder) statement(role string, f field) {
	o := f.object().only("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if f.broken() || o.got() != "a mapping" {
		return
	}
	effect := o.get("Effect").required("Allow or Deny").choice("Allow", "Deny")
	if o.get("NotAction").given() || o.get("NotResource").given() {
		b.doubt(role, f, "not emulated: NotAction and NotResource; what the function may do is not checked")
		return
	}
	s := Statement{Effect: effect, Actions: o.get("Action").required("an action, such as execute-api:ManageConnections").texts(),
		Resources: o.get("Resource").required("a resource, such as \"*\"").texts(), At: b.at(f)}
	if c := o.get("Condition"); c.given() {
		if effect == "Deny" {
			c.notice("not emulated: conditions; this Deny is without effect")
			return
		}
		c.notice("not emulated: conditions; regcast allows it without them")
	}
	b.statements[role] = append(b.statements[role], s)
	if effect == "Allow" && slices.ContainsFunc(s.Actions, func(a string) bool {
		return strings.HasPrefix(strings.ToLower(a), "execute-api:") && like(strings.ToLower(a), "execute-api:manageconnections")
	}) {
		b.management = append(b.management, o.get("Resource").some()...)
	}
}

// samPolicy adds one entry of a SAM function's Policies: a managed policy's name, a document, or one of SAM's templates.
func (b *builder) samPolicy(role string, f field) {
	switch {
	case f.broken() || !f.given():
		return
	case f.scalar():
		b.managed(role, f)
		return
	}
	o := f.object()
	if o.get("Statement").given() {
		b.document(role, f)
		return
	}
	ms := o.members()
	if len(ms) != 1 {
		f.refuse("got %s, want a policy's name, a Statement, or one of SAM's policy templates", f.got())
		return
	}
	b.policyTemplate(role, ms[0])
}

// checkManagement finds statements about @connections that can allow nothing. AWS compares a policy's resource with the literal text
// {connectionId} where the id stands, so a policy that names an id never matches.
func (b *builder) checkManagement() {
	for _, f := range b.management {
		if resource := f.text(); resource != "*" && !b.manages(resource) {
			f.notice("%s allows no call of @connections: AWS compares it with …/%s/POST/@connections/{connectionId}, the last part being that very "+
				"text and no id; want it to end in /@connections/* or /%s/*", quote(resource), b.stage(), b.stage())
		}
	}
}

func (b *builder) stage() string {
	for _, api := range b.plan.APIs {
		for _, s := range api.Stages {
			return s.Name
		}
	}
	return "stage"
}

// manages tells whether a policy's resource matches a call of @connections of any API, of this template or another.
func (b *builder) manages(resource string) bool {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) < 6 {
		return strings.HasSuffix(resource, "*")
	}
	id, rest, _ := strings.Cut(parts[5], "/")
	stage, _, _ := strings.Cut(rest, "/")
	ids, stages := []string{id}, []string{stage, "stage"}
	if api := slices.IndexFunc(b.plan.APIs, func(a API) bool { return like(id, a.ID) }); api >= 0 {
		ids, stages = []string{b.plan.APIs[api].ID}, nil
		for _, s := range b.plan.APIs[api].Stages {
			stages = append(stages, s.Name)
		}
		if len(stages) == 0 {
			stages = []string{stage, "stage"}
		}
	}
	for _, id := range ids {
		for _, stage := range stages {
			for _, verb := range []string{"POST", "GET", "DELETE"} {
				if like(resource, strings.Join(parts[:5], ":")+":"+id+"/"+stage+"/"+verb+"/@connections/{connectionId}") {
					return true
				}
			}
		}
	}
	return false
}
