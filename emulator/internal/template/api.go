package template

import (
	"slices"
	"strings"
	"time"
)

func (b *builder) readAPIs() {
	for _, res := range b.of("AWS::ApiGatewayV2::Api") {
		o := b.properties(res).takes("Name", "ProtocolType", "RouteSelectionExpression", "ApiKeySelectionExpression", "Description",
			"DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType", "Tags", "CorsConfiguration", "Body", "BodyS3Location",
			"Target", "RouteKey", "CredentialsArn", "FailOnWarnings", "BasePath", "Version")
		kind := o.get("ProtocolType")
		if !o.get("Body").given() && !o.get("BodyS3Location").given() {
			kind.required("WEBSOCKET")
		}
		if kind.text() != "WEBSOCKET" {
			kind.notice("not emulated: the HTTP API %s; regcast serves WebSocket APIs", res.id)
			continue
		}
		api := API{LogicalID: res.id, ID: b.refOf(res), Name: o.get("Name").required("a name").text(), At: res.place(b.doc.file),
			RouteSelection: o.get("RouteSelectionExpression").required("an expression such as $request.body.action").text()}
		b.readStages(&api)
		b.readRoutes(&api)
		if len(api.Stages) == 0 {
			b.doc.notice(res.at, "the API %s has no stage, so AWS would not serve it", res.id)
		}
		if len(api.Routes) == 0 {
			b.doc.notice(res.at, "the API %s has no routes", res.id)
		}
		b.plan.APIs = append(b.plan.APIs, api)
	}
	b.checkStrays()
}

// belongs lists the resources of a kind that an API has.
func (b *builder) belongs(api *API, kind string) []*resource {
	return slices.DeleteFunc(b.of(kind), func(res *resource) bool { return b.properties(res).get("ApiId").text() != api.ID })
}

// checkStrays says which parts belong to no API of the template.
func (b *builder) checkStrays() {
	for _, res := range b.of("AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage") {
		id := b.properties(res).get("ApiId").required("an API, such as !Ref Api")
		known := slices.ContainsFunc(b.of("AWS::ApiGatewayV2::Api"), func(api *resource) bool { return b.refOf(api) == id.text() })
		if !known && id.text() != "" {
			id.notice("the API %s is not in this template; this is without effect", quote(id.text()))
		}
	}
}

func (b *builder) readStages(api *API) {
	for _, res := range b.belongs(api, "AWS::ApiGatewayV2::Stage") {
		o := b.properties(res).takes("ApiId", "StageName", "StageVariables", "AutoDeploy", "DeploymentId", "Description", "AccessLogSettings",
			"AccessPolicyId", "ClientCertificateId", "DefaultRouteSettings", "RouteSettings", "Tags")
		s := Stage{Name: o.get("StageName").required("a name").text()}
		if s.Name == "$default" {
			o.get("StageName").refuse("got \"$default\", want another name: a WebSocket API has no stage $default")
		} else if s.Name != "" && strings.Trim(s.Name, letters+"-_") != "" {
			o.get("StageName").refuse("got %s, want letters, digits, - and _", quote(s.Name))
		}
		for _, m := range o.get("StageVariables").members() {
			if s.Variables == nil {
				s.Variables = make(map[string]string)
			}
			s.Variables[m.key] = m.text()
		}
		if !o.get("DeploymentId").given() && !o.get("AutoDeploy").truth(false) {
			b.doc.notice(res.at, "the stage %s has neither DeploymentId nor AutoDeploy: AWS would serve no routes on it", quote(s.Name))
		}
		b.checkDeployment(api, o.get("DeploymentId"))
		for _, key := range []string{"DefaultRouteSettings", "RouteSettings"} {
			if f := o.get(key); f.given() && strings.Contains(string(f.json()), `"Throttling`) {
				f.notice("not emulated: throttling; no message is refused for coming too fast")
			}
		}
		api.Stages = append(api.Stages, s)
	}
}

// checkDeployment says which routes a deployment may miss, since it does not wait for them.
func (b *builder) checkDeployment(api *API, f field) {
	if !f.scalar() {
		return
	}
	for _, res := range b.belongs(api, "AWS::ApiGatewayV2::Deployment") {
		if b.refOf(res) != f.text() {
			continue
		}
		var missed []string
		for _, route := range b.belongs(api, "AWS::ApiGatewayV2::Route") {
			if !slices.Contains(res.needs, route.id) {
				missed = append(missed, route.id)
			}
		}
		if len(missed) > 0 {
			b.doc.notice(res.at, "the deployment does not wait for the routes %s: AWS may serve the stage without them; want DependsOn", clip(strings.Join(missed, ", ")))
		}
	}
}

func (b *builder) readRoutes(api *API) {
	answered := make(map[string]bool) // ids of routes with a RouteResponse
	for _, res := range b.belongs(api, "AWS::ApiGatewayV2::RouteResponse") {
		o := b.properties(res).takes("ApiId", "RouteId", "RouteResponseKey", "ModelSelectionExpression", "ResponseModels", "ResponseParameters")
		o.get("RouteResponseKey").required("$default").choice("$default")
		answered[o.get("RouteId").required("a route, such as !Ref Route").text()] = true
	}
	seen := make(map[string]bool)
	for _, res := range b.belongs(api, "AWS::ApiGatewayV2::Route") {
		o := b.properties(res).takes("ApiId", "RouteKey", "AuthorizationType", "AuthorizerId", "AuthorizationScopes", "ApiKeyRequired", "Target",
			"RouteResponseSelectionExpression", "ModelSelectionExpression", "OperationName", "RequestModels", "RequestParameters")
		route := Route{Key: o.get("RouteKey").required("a route key, such as $connect").text(), At: res.place(b.doc.file),
			Reply: answered[b.refOf(res)], APIKey: o.get("ApiKeyRequired").truth(false), Timeout: 29 * time.Second}
		if seen[route.Key] {
			o.get("RouteKey").refuse("got the route %s twice, want it once", quote(route.Key))
		}
		seen[route.Key] = true
		if e := o.get("RouteResponseSelectionExpression"); e.given() {
			e.choice("$default")
			if !route.Reply {
				e.notice("the route %s has no AWS::ApiGatewayV2::RouteResponse, so what its function returns goes nowhere", quote(route.Key))
			}
		}
		b.authorize(api, o, &route)
		b.integrate(api, res, o, &route)
		lack(o, map[string]string{"RequestModels": "messages are not validated", "AuthorizationScopes": "no scopes are asked for"})
		api.Routes = append(api.Routes, route)
	}
}

func (b *builder) authorize(api *API, o object, route *Route) {
	kind := o.get("AuthorizationType")
	word := kind.choice("NONE", "AWS_IAM", "CUSTOM")
	if word != "NONE" && route.Key != "$connect" {
		kind.refuse("got %s on %s, want it on $connect only", word, quote(route.Key))
		return
	}
	route.IAM = word == "AWS_IAM"
	if word != "CUSTOM" {
		return
	}
	id := o.get("AuthorizerId").required("an authorizer, such as !Ref Authorizer")
	for _, res := range b.belongs(api, "AWS::ApiGatewayV2::Authorizer") {
		if b.refOf(res) != id.text() {
			continue
		}
		a := b.properties(res).takes("ApiId", "Name", "AuthorizerType", "AuthorizerUri", "IdentitySource", "AuthorizerCredentialsArn",
			"AuthorizerResultTtlInSeconds", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "IdentityValidationExpression", "JwtConfiguration")
		a.get("AuthorizerType").required("REQUEST").choice("REQUEST")
		for _, key := range []string{"AuthorizerResultTtlInSeconds", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses", "JwtConfiguration"} {
			if a.get(key).given() {
				a.get(key).notice("authorizers of WebSocket APIs have no %s; AWS ignores or refuses it", key)
			}
		}
		uri := a.get("AuthorizerUri").required("the function's invocation URI")
		route.Authorizer = &Authorizer{Name: a.get("Name").required("a name").text(), Function: b.invoked(uri), IdentitySources: a.get("IdentitySource").texts()}
		for _, s := range a.get("IdentitySource").some() {
			known := []string{"route.request.header.", "route.request.querystring.", "context.", "stageVariables."}
			if !s.broken() && !slices.ContainsFunc(known, func(p string) bool { return strings.HasPrefix(s.text(), p) && len(s.text()) > len(p) }) {
				s.refuse("got %s, want route.request.header.NAME, route.request.querystring.NAME, context.NAME or stageVariables.NAME", s.got())
			}
		}
		if route.Authorizer.Function == "" && uri.text() != "" {
			uri.notice("the authorizer's function %s is not in this template; every connection is refused", quote(uri.text()))
		} else if !a.get("AuthorizerCredentialsArn").given() && uri.text() != "" &&
			!b.mayCall(route.Authorizer.Function, gatewayService, b.arn("execute-api", api.ID+"/authorizers/"+b.refOf(res))) {
			b.doc.notice(res.at, "no %s lets %s call %s as an authorizer: AWS would refuse every connection", permissionKind, gatewayService, route.Authorizer.Function)
		}
		return
	}
	if id.text() != "" {
		id.refuse("got %s, which is no authorizer of this API", id.got())
	}
}

const gatewayService = "apigateway.amazonaws.com"

// invoked finds the function in …/functions/ARN/invocations, by its logical id.
func (b *builder) invoked(uri field) string {
	_, rest, _ := strings.Cut(uri.text(), "/functions/")
	name, _, _ := strings.Cut(rest, "/invocations")
	if strings.Contains(name, "${stageVariables.") {
		uri.notice("not emulated: stage variables in a function's name")
		return ""
	}
	if name == "" {
		return ""
	}
	return b.function(name)
}

// integrate finds what a route calls.
func (b *builder) integrate(api *API, res *resource, o object, route *Route) {
	target := o.get("Target")
	if !target.given() {
		b.doc.notice(res.at, "the route %s has no target: %s", quote(route.Key), route.failure())
		return
	}
	id, ok := strings.CutPrefix(target.text(), "integrations/")
	if !ok {
		target.refuse("got %s, want integrations/ and an integration, such as !Sub integrations/${Integration}", target.got())
		return
	}
	for _, ig := range b.belongs(api, "AWS::ApiGatewayV2::Integration") {
		if b.refOf(ig) == id {
			b.integration(api, ig, route)
			return
		}
	}
	target.refuse("got %s, which is no integration of this API", target.got())
}

func (b *builder) integration(api *API, res *resource, route *Route) {
	o := b.properties(res).takes("ApiId", "IntegrationType", "IntegrationUri", "IntegrationMethod", "TimeoutInMillis", "CredentialsArn", "Description",
		"ConnectionId", "ConnectionType", "ContentHandlingStrategy", "IntegrationSubtype", "PassthroughBehavior", "PayloadFormatVersion",
		"RequestParameters", "RequestTemplates", "ResponseParameters", "TemplateSelectionExpression", "TlsConfig")
	route.Integration = o.get("IntegrationType").required("AWS_PROXY").choice("AWS_PROXY", "AWS", "HTTP", "HTTP_PROXY", "MOCK")
	route.Timeout = time.Duration(o.get("TimeoutInMillis").number(29000, 50, 29000)) * time.Millisecond
	if route.Integration == "MOCK" {
		if route.Mock = b.mock(api, res, o, route); route.Mock == nil {
			o.get("IntegrationType").notice("not emulated: MOCK integrations whose answer is not constant; %s", route.failure())
		}
		return
	}
	if route.Integration != "AWS_PROXY" {
		o.get("IntegrationType").notice("not emulated: %s integrations; %s", route.Integration, route.failure())
		return
	}
	uri := o.get("IntegrationUri").required("the function's invocation URI")
	route.Function = b.invoked(uri)
	switch {
	case uri.broken() || uri.text() == "":
	case route.Function == "":
		uri.notice("the function in %s is not in this template; %s", quote(uri.text()), route.failure())
	case !o.get("CredentialsArn").given() && !b.routePermitted(api, *route):
		b.doc.notice(route.at(), "no %s lets %s call %s for the route %s: AWS would answer \"Internal server error\"", permissionKind, gatewayService, route.Function, quote(route.Key))
	}
}

// failure says what it means that a route calls nothing.
func (r Route) failure() string {
	switch r.Key {
	case "$connect":
		return "every connection is refused"
	case "$disconnect":
		return "nothing hears that a connection has ended"
	}
	return "a message of the route " + quote(r.Key) + " gets an error"
}

func (r Route) at() place { return place{line: r.At.Line, path: "route " + r.Key} }

func (b *builder) routePermitted(api *API, route Route) bool {
	for _, stage := range api.Stages {
		if !b.mayCall(route.Function, gatewayService, b.arn("execute-api", api.ID+"/"+stage.Name+"/"+route.Key)) {
			return false
		}
	}
	return true
}
