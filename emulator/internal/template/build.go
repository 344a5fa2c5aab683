package template

import (
	"slices"
	"strings"
)

// plan reads what the long form says. By now every name is there and there are no circles.
func (r *reader) plan(plan *Plan) {
	b := &builder{reader: r, plan: plan, functions: make(map[string]string), statements: make(map[string][]Statement), unknown: make(map[string][]remark)}
	for _, res := range r.of("AWS::Lambda::Function") {
		b.functions[r.arnFor(res)] = res.id
	}
	b.readTables()
	b.readQueues()
	b.readRepositories()
	b.readRoles()
	b.readPermissions()
	b.readFunctions()
	b.readInvokeConfigs()
	b.readRules()
	b.readMappings()
	b.readAPIs()
	b.checkManagement()
	b.checkNames()
	b.readRest()
}

type builder struct {
	*reader
	plan       *Plan
	functions  map[string]string      // logical ids by ARN
	statements map[string][]Statement // by a role's ARN
	unknown    map[string][]remark    // what is not known of a role's policies, by its ARN
	grants     []grant
	policies   []queuePolicy
	management []field // resources of statements that allow @connections
}

// function finds the function that an ARN, a name or an ARN with a qualifier names, by its logical id; empty: none of this template.
func (b *builder) function(name string) string {
	if !strings.HasPrefix(name, "arn:") {
		name, _, _ = strings.Cut(name, ":")
		name = b.arn("lambda", "function:"+name)
	}
	return b.functions[unqualified(name)]
}

// checkNames refuses two resources of one name: the cloud would make only one.
func (b *builder) checkNames() {
	seen := make(map[string]*resource)
	for _, res := range b.of("AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::ECR::Repository", "AWS::Events::Rule", "AWS::IAM::Role") {
		arn := b.arnFor(res)
		if first := seen[arn]; first != nil {
			b.doc.refuse(res.at, "it has the name %s, which %s in line %d has too; want another", quote(b.physical(res)), first.id, first.at.line)
		}
		seen[arn] = res
	}
}

func (b *builder) at(f field) Place { return Place{File: b.doc.file, Line: f.at.line} }

// harmless are kinds that may be left out without anybody noticing on one machine.
func harmless(kind string) bool {
	for _, prefix := range []string{"AWS::Logs::", "AWS::CloudWatch::", "AWS::XRay::", "AWS::KMS::", "AWS::Budgets::",
		"AWS::ApplicationAutoScaling::", "AWS::CodeDeploy::", "AWS::SSM::Document", "AWS::ApiGatewayV2::Model",
		"AWS::ApiGateway::Account", "AWS::CDK::Metadata", "AWS::CloudFormation::WaitCondition", "AWS::ECR::RepositoryPolicy",
		"AWS::ECR::LifecyclePolicy", "AWS::ECR::RegistryPolicy", "AWS::ServiceCatalogAppRegistry::", "AWS::ResourceGroups::"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}

func emulated() []string {
	return []string{"AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::Lambda::Permission",
		"AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy",
		"AWS::DynamoDB::Table", "AWS::ECR::Repository", "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy",
		"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration",
		"AWS::ApiGatewayV2::RouteResponse", "AWS::ApiGatewayV2::IntegrationResponse", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Deployment", "AWS::ApiGatewayV2::Stage"}
}

// readRest lists, kind by kind, what is not made.
func (b *builder) readRest() {
	var kinds []string
	ids := make(map[string][]string)
	first := make(map[string]place)
	for _, id := range b.order {
		res := b.resources[id]
		if !res.enabled || slices.Contains(emulated(), res.kind) || res.made && (harmless(res.kind) || strings.HasPrefix(res.kind, "AWS::ApiGateway::")) {
			continue
		}
		kind := res.kind
		if harmless(kind) {
			kind = ""
		}
		if ids[kind] == nil {
			kinds = append(kinds, kind)
			first[kind] = res.at
		}
		name := res.id
		if kind == "" {
			name += " (" + res.kind + ")"
		}
		ids[kind] = append(ids[kind], name)
	}
	for _, kind := range kinds {
		list := clip(strings.Join(ids[kind], ", "))
		if kind == "" {
			b.doc.notice(place{first[kind].line, "Resources"}, "accepted and without effect here: %s", list)
			continue
		}
		b.doc.notice(place{first[kind].line, "Resources"}, "not emulated: %s (%s); %s", clip(kind), list, meaning(kind))
	}
}

// meaning says what it means that a kind is not emulated.
func meaning(kind string) string {
	switch {
	case strings.HasPrefix(kind, "AWS::ApiGateway::"), kind == "AWS::Serverless::Api", kind == "AWS::Serverless::HttpApi":
		return "regcast serves WebSocket APIs; nothing answers its plain HTTP routes"
	case strings.HasPrefix(kind, "AWS::SNS::"):
		return "what is published to it goes nowhere"
	case kind == "AWS::Events::EventBus", kind == "AWS::Events::EventBusPolicy":
		return "events of registries come on the bus \"default\"; rules of another bus get none"
	case strings.HasPrefix(kind, "AWS::Scheduler::"), strings.HasPrefix(kind, "AWS::Pipes::"):
		return "nothing will be called by it"
	case strings.HasPrefix(kind, "AWS::CloudFormation::Stack"), kind == "AWS::Serverless::Application":
		return "the nested template is not read; run it by itself"
	case strings.HasPrefix(kind, "Custom::"), kind == "AWS::CloudFormation::CustomResource":
		return "its function is not called, so its attributes are made up"
	case kind == "AWS::ApiGatewayV2::DomainName", kind == "AWS::ApiGatewayV2::ApiMapping", strings.HasPrefix(kind, "AWS::Route53::"):
		return "the API answers at regcast's own address"
	case kind == "AWS::Lambda::LayerVersion", kind == "AWS::Serverless::LayerVersion":
		return "functions run without it"
	case kind == "AWS::Lambda::Url":
		return "nothing will call the function through it"
	}
	return "nothing is made of it; what calls it fails"
}

func (b *builder) readRepositories() {
	for _, res := range b.of("AWS::ECR::Repository") {
		o := b.properties(res).takes("RepositoryName", "EmptyOnDelete", "EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability",
			"ImageTagMutabilityExclusionFilters", "LifecyclePolicy", "RepositoryPolicyText", "Tags")
		if m := o.get("ImageTagMutability"); m.given() && m.choice("MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION") != "MUTABLE" {
			m.notice("not emulated: immutable tags; a tag may be pushed again")
		}
		name := b.physical(res)
		if name != strings.ToLower(name) {
			o.get("RepositoryName").refuse("got %s, want lower case", quote(name))
		}
		b.plan.Repositories = append(b.plan.Repositories, Repository{LogicalID: res.id, Name: name, ARN: b.arnFor(res),
			URI: b.repositoryURI(name), At: res.place(b.doc.file)})
	}
}

func (b *builder) readTables() {
	for _, res := range b.of("AWS::DynamoDB::Table") {
		o := b.properties(res).takes("TableName", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes",
			"TimeToLiveSpecification", "BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "SSESpecification",
			"PointInTimeRecoverySpecification", "StreamSpecification", "KinesisStreamSpecification", "ContributorInsightsSpecification",
			"ImportSourceSpecification", "DeletionProtectionEnabled", "ResourcePolicy", "TableClass", "Tags")
		t := Table{LogicalID: res.id, Name: b.physical(res), ARN: b.arnFor(res), At: res.place(b.doc.file)}
		if name := o.get("TableName"); name.given() {
			tableName(name)
		}
		types := make(map[string]string)
		used := make(map[string]bool)
		defs := o.get("AttributeDefinitions").required("the attributes of the keys")
		for _, item := range defs.items() {
			a := item.object().only("AttributeName", "AttributeType")
			types[a.get("AttributeName").required("a name").text()] = a.get("AttributeType").required("S, N or B").choice("S", "N", "B")
		}
		t.Keys = keys(o.get("KeySchema").required("a HASH key"), types, used)
		for _, section := range []string{"GlobalSecondaryIndexes", "LocalSecondaryIndexes"} {
			for _, item := range o.get(section).items() {
				g := item.object().takes("IndexName", "KeySchema", "Projection", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "ContributorInsightsSpecification")
				p := g.get("Projection").required("ProjectionType: ALL, KEYS_ONLY or INCLUDE").object().only("ProjectionType", "NonKeyAttributes")
				t.Indexes = append(t.Indexes, Index{Name: tableName(g.get("IndexName").required("a name")), Local: section[0] == 'L',
					Keys:       keys(g.get("KeySchema").required("a HASH key"), types, used),
					Projection: p.get("ProjectionType").choice("ALL", "KEYS_ONLY", "INCLUDE"), Attributes: p.get("NonKeyAttributes").texts()})
			}
		}
		for name := range types {
			if !used[name] {
				defs.refuse("the attribute %s is in no key, want here the attributes of keys only", name)
			}
		}
		if ttl := o.get("TimeToLiveSpecification").object().only("AttributeName", "Enabled"); ttl.given() && ttl.get("Enabled").required("true or false").truth(false) {
			t.TTL = ttl.get("AttributeName").required("the attribute").text()
		}
		if s := o.get("StreamSpecification"); s.given() {
			s.notice("not emulated: streams of tables; nothing reads the table's changes")
		}
		b.plan.Tables = append(b.plan.Tables, t)
	}
}

func tableName(f field) string {
	const low, high = 3, 255
	s := f.text()
	if s != "" && (len(s) < low || len(s) > high || strings.Trim(s, letters+"._-") != "") {
		f.refuse("got %s, want %d to %d letters, digits, dots, _ and -", quote(s), low, high)
	}
	return s
}

func keys(f field, types map[string]string, used map[string]bool) []Key {
	var out []Key
	for _, item := range f.items() {
		k := item.object().only("AttributeName", "KeyType")
		name := k.get("AttributeName").required("a name").text()
		if types[name] == "" && name != "" {
			k.get("AttributeName").refuse("got %s, which is not in AttributeDefinitions", quote(name))
		}
		used[name] = true
		out = append(out, Key{Name: name, Type: types[name], Sort: k.get("KeyType").required("HASH or RANGE").choice("HASH", "RANGE") == "RANGE"})
	}
	if f.got() == "a list" && (len(out) == 0 || len(out) > 2 || out[0].Sort || len(out) == 2 && !out[1].Sort) {
		f.refuse("got %s, want one HASH key and then at most one RANGE key", plural(len(out), "key"))
	}
	return out
}

// lack says of properties that are given and not emulated what that means.
func lack(o object, what map[string]string) {
	for _, m := range o.members() {
		if meaning, ok := what[m.key]; ok && m.given() {
			m.notice("not emulated: %s; %s", m.key, meaning)
		}
	}
}
