package template

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// expand enters what SAM makes of one of its resources, in the long form, so that there is one way to read a plan.
func (r *reader) expand(res *resource, globals map[string]object, ignore field) {
	res.props = r.globalised(res, globals[res.kind], ignore)
	switch res.kind {
	case "AWS::Serverless::Function":
		r.expandFunction(res)
	case "AWS::Serverless::WebSocketApi":
		r.expandSocket(res)
	case "AWS::Serverless::SimpleTable":
		r.expandTable(res)
	case "AWS::Serverless::StateMachine":
		o := r.raw(res)
		res.kind, res.props = "AWS::StepFunctions::StateMachine", r.doc.mapping(res.self, pair{"StateMachineName", o.get("Name").node})
		r.enter(res)
		if o.get("Events").given() {
			o.get("Events").notice("not emulated: state machines; nothing starts %s", res.id)
		}
		if !o.get("Role").given() {
			r.make(res, res.id+"Role", "AWS::IAM::Role", res.self, nil)
		}
	case "AWS::Serverless::Api", "AWS::Serverless::HttpApi":
		r.enter(res)
		given := r.raw(res).get("StageName")
		name, _ := r.early(given)
		stage := res.id + keep(name, letters) + "Stage"
		r.make(res, stage, "AWS::ApiGateway::Stage", res.self, r.doc.mapping(res.self, pair{"StageName", given.node}))
		r.nicknames[res.id+".Stage"] = stage
	default:
		r.enter(res)
	}
}

// raw reads properties before intrinsics are worked out.
func (r *reader) raw(res *resource) object {
	if res.props == nil {
		return field{doc: r.doc, at: place{res.at.line, join(res.at.path, "Properties")}}.object()
	}
	return r.doc.field(res.props).object()
}

// early works out what SAM itself must know: parameters it knows, resources it does not.
func (r *reader) early(f field) (s string, known bool) {
	if f.scalar() {
		return f.text(), true
	}
	name, arg := "", (*yaml.Node)(nil)
	if f.given() {
		name, arg = intrinsic(f.value())
	}
	if name == "Ref" && r.parameters[target(arg).Value] != nil {
		return r.evalField(f).text(), true
	}
	return "", false
}

func (r *reader) getAttNode(like *yaml.Node, id, attr string) *yaml.Node {
	return r.doc.mapping(like, pair{"Fn::GetAtt", r.doc.list(like, r.doc.text(like, id), r.doc.text(like, attr))})
}

func (r *reader) refNode(like *yaml.Node, id string) *yaml.Node {
	return r.doc.mapping(like, pair{"Ref", r.doc.text(like, id)})
}

// subNode is a Fn::Sub; values are the texts' own.
func (r *reader) subNode(like *yaml.Node, text string, values ...pair) *yaml.Node {
	return r.doc.mapping(like, pair{"Fn::Sub", r.doc.list(like, r.doc.text(like, text), r.doc.mapping(like, values...))})
}

func (r *reader) expandTable(res *resource) {
	o := r.raw(res).takes("PrimaryKey", "ProvisionedThroughput", "TableName", "Tags", "SSESpecification", "PointInTimeRecoverySpecification")
	key := o.get("PrimaryKey")
	name, kind := r.doc.text(res.self, "id"), "S"
	if key.given() {
		k := key.object().only("Name", "Type")
		if n := k.get("Name").required("the attribute's name").node; n != nil {
			name = n
		}
		switch t := k.get("Type").choice("String", "Number", "Binary"); t {
		case "Number", "Binary":
			kind = t[:1]
		}
	}
	like := res.self
	text := func(s string) *yaml.Node { return r.doc.text(like, s) }
	res.kind = "AWS::DynamoDB::Table"
	res.props = r.doc.mapping(like,
		pair{"TableName", o.get("TableName").node},
		pair{"AttributeDefinitions", r.doc.list(like, r.doc.mapping(like, pair{"AttributeName", name}, pair{"AttributeType", text(kind)}))},
		pair{"KeySchema", r.doc.list(like, r.doc.mapping(like, pair{"AttributeName", name}, pair{"KeyType", text("HASH")}))})
	r.enter(res)
}

const lambdaPath = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function}/invocations"

func (r *reader) expandSocket(res *resource) {
	o := r.raw(res).takes("Routes", "RouteSelectionExpression", "StageName", "StageVariables", "Auth", "AccessLogSettings",
		"DefaultRouteSettings", "RouteSettings", "ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint",
		"DisableSchemaValidation", "Domain", "FailOnWarnings", "IpAddressType", "Name", "PropagateTags", "Tags")
	d := r.doc
	routes := o.get("Routes").required("at least one route")
	o.get("RouteSelectionExpression").required("an expression such as $request.body.action")
	name := o.get("Name").node
	if name == nil {
		name = d.text(res.self, res.id)
	}
	api := *res
	api.kind = "AWS::ApiGatewayV2::Api"
	api.props = d.mapping(res.self, pair{"Name", name}, pair{"ProtocolType", d.text(res.self, "WEBSOCKET")},
		pair{"RouteSelectionExpression", o.get("RouteSelectionExpression").node},
		pair{"ApiKeySelectionExpression", o.get("ApiKeySelectionExpression").node},
		pair{"DisableExecuteApiEndpoint", o.get("DisableExecuteApiEndpoint").node},
		pair{"DisableSchemaValidation", o.get("DisableSchemaValidation").node})
	r.enter(&api)

	stage, literal := o.get("StageName"), "default"
	known := true
	stageNode := d.text(res.self, literal)
	if stage.given() {
		stageNode = stage.node
		literal, known = r.early(stage)
		if literal == "$default" {
			stage.refuse("got \"$default\", want another name: a WebSocket API has no stage $default")
		}
	}
	stageID := res.id + literal + "Stage"
	switch {
	case !known:
		stageID = res.id + "Stage"
	case literal == "default":
		stageID = res.id + "DefaultStage"
	}
	auth := o.get("Auth")
	seen := make(map[string]string)
	for _, m := range routes.members() {
		r.expandRoute(res, m, stageNode, auth, seen)
	}
	if auth.given() && seen["Connect"] == "" {
		auth.refuse("got Auth and no route $connect, want the route that it guards")
	}
	r.make(res, stageID, "AWS::ApiGatewayV2::Stage", d.text(stageNode, ""), d.mapping(stageNode, pair{"ApiId", r.refNode(res.self, res.id)},
		pair{"StageName", stageNode}, pair{"StageVariables", o.get("StageVariables").node},
		pair{"DefaultRouteSettings", o.get("DefaultRouteSettings").node}, pair{"RouteSettings", o.get("RouteSettings").node},
		pair{"AutoDeploy", d.text(stageNode, "true")}))
	r.nicknames[res.id+".Stage"] = stageID
	if domain := o.get("Domain"); domain.given() {
		r.make(res, res.id+"DomainName", "AWS::ApiGatewayV2::DomainName", domain.node, nil)
		r.nicknames[res.id+".DomainName"] = res.id + "DomainName"
	}
}

// expandRoute makes a route, its integration and the permission to call the function. seen holds the routes' names so far.
func (r *reader) expandRoute(res *resource, m member, stage *yaml.Node, auth field, seen map[string]string) {
	d := r.doc
	like := m.node
	o := m.object().only("FunctionArn", "IntegrationTimeout", "ApiKeyRequired", "ModelSelectionExpression", "OperationName",
		"RequestModels", "RequestParameters", "RouteResponseSelectionExpression")
	name := strings.TrimPrefix(m.key, "$")
	if strings.Trim(name, letters) != "" || name == "" || name != m.key && name != "connect" && name != "disconnect" && name != "default" {
		m.refuse("the route key %s wants letters and digits only, or $connect, $disconnect, $default", quote(m.key))
		return
	}
	name = capitalized(name)
	if other := seen[name]; other != "" {
		m.refuse("the routes %s and %s have the same name to SAM (%s), want another", other, m.key, name)
		return
	}
	seen[name] = m.key
	function := o.get("FunctionArn").required("a function's ARN, such as !GetAtt Function.Arn").node
	if function == nil {
		return
	}
	if p := o.get("RequestParameters"); p.given() && m.key != "$connect" {
		p.refuse("got request parameters, want them on $connect only")
	}
	base, apiID := res.id+name, pair{"ApiId", r.refNode(like, res.id)}
	kind, authorizer := (*yaml.Node)(nil), (*yaml.Node)(nil)
	if m.key == "$connect" && auth.given() {
		kind, authorizer = r.expandAuth(res, auth, apiID)
	}
	r.make(res, base+"Route", "AWS::ApiGatewayV2::Route", like, d.mapping(like, apiID, pair{"RouteKey", d.text(like, m.key)},
		pair{"AuthorizationType", kind}, pair{"AuthorizerId", authorizer}, pair{"ApiKeyRequired", o.get("ApiKeyRequired").node},
		pair{"RouteResponseSelectionExpression", o.get("RouteResponseSelectionExpression").node},
		pair{"RequestParameters", o.get("RequestParameters").node}, pair{"ModelSelectionExpression", o.get("ModelSelectionExpression").node},
		pair{"RequestModels", o.get("RequestModels").node}, pair{"OperationName", o.get("OperationName").node},
		pair{"Target", r.subNode(like, "integrations/${"+base+"Integration}")}))
	r.make(res, base+"Integration", "AWS::ApiGatewayV2::Integration", like, d.mapping(like, apiID,
		pair{"IntegrationType", d.text(like, "AWS_PROXY")}, pair{"IntegrationUri", r.subNode(function, lambdaPath, pair{"Function", function})},
		pair{"TimeoutInMillis", o.get("IntegrationTimeout").node}))
	r.make(res, base+"Permission", permissionKind, like, r.permission(like, function, "apigateway.amazonaws.com",
		r.subNode(like, "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${"+res.id+"}/${Stage}/"+m.key, pair{"Stage", stage})))
}

// expandAuth makes what Auth asks for.
func (r *reader) expandAuth(res *resource, auth field, apiID pair) (kind, authorizer *yaml.Node) {
	d := r.doc
	o := auth.object().only("AuthType", "AuthArn", "InvokeRole", "IdentitySource", "Name")
	word := strings.ToUpper(o.get("AuthType").required("CUSTOM, AWS_IAM or NONE").text())
	switch word {
	case "CUSTOM":
	case "AWS_IAM", "NONE":
		if len(o.members()) > 1 {
			auth.refuse("got more than AuthType %s, which takes nothing else", word)
		}
		return d.text(auth.node, word), nil
	default:
		o.get("AuthType").refuse("got %s, want CUSTOM, AWS_IAM or NONE", o.get("AuthType").got())
		return nil, nil
	}
	function := o.get("AuthArn").required("the ARN of the authorizer function").node
	if function == nil {
		return nil, nil
	}
	id := res.id + "ConnectAuthorizer"
	name := o.get("Name").node
	if name == nil {
		name = d.text(auth.node, id)
	}
	r.make(res, id, "AWS::ApiGatewayV2::Authorizer", auth.node, d.mapping(auth.node, apiID, pair{"Name", name},
		pair{"AuthorizerType", d.text(auth.node, "REQUEST")}, pair{"IdentitySource", o.get("IdentitySource").node},
		pair{"AuthorizerCredentialsArn", o.get("InvokeRole").node},
		pair{"AuthorizerUri", r.subNode(function, lambdaPath, pair{"Function", function})}))
	if !o.get("InvokeRole").given() {
		r.make(res, res.id+"AuthorizerPermission", permissionKind, auth.node, r.permission(auth.node, function, "apigateway.amazonaws.com",
			r.subNode(auth.node, "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${"+res.id+"}/authorizers/*")))
	}
	return d.text(auth.node, "CUSTOM"), r.refNode(auth.node, id)
}

const permissionKind = "AWS::Lambda::Permission"

func (r *reader) permission(like, function *yaml.Node, principal string, source *yaml.Node) *yaml.Node {
	return r.doc.mapping(like, pair{"Action", r.doc.text(like, "lambda:InvokeFunction")}, pair{"FunctionName", function},
		pair{"Principal", r.doc.text(like, principal)}, pair{"SourceArn", source})
}

// capitalized is Python's str.capitalize, which SAM's logical ids are made with.
func capitalized(s string) string {
	out := []rune(strings.ToLower(s))
	if len(out) > 0 {
		out[0] = unicode.ToUpper(out[0])
	}
	return string(out)
}
