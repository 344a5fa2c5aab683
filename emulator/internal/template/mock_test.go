package template_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

func TestMockIntegrations(t *testing.T) {
	text := func(s string) *string { return &s }
	const ok = `RequestTemplates: {"$default": '{"statusCode":200}'}`
	for name, tc := range map[string]struct {
		integration string // its properties
		response    string // properties of its integration response; empty: there is none
		reply       bool   // the route has a route response
		want        *template.Mock
	}{
		"the default template":     {ok, "", false, &template.Mock{Status: 200}},
		"by a static expression":   {`RequestTemplates: {"200": '{"statusCode": 200}', "$default": '{"statusCode": 500}'}, TemplateSelectionExpression: "200"`, "", false, &template.Mock{Status: 200}},
		"by an escaped expression": {`RequestTemplates: {"$default": '{"statusCode": "403"}', "x": ''}, TemplateSelectionExpression: '\$default'`, "", false, &template.Mock{Status: 403}},
		"the only one, as the CDK": {`RequestTemplates: {application/json: '{statusCode: 204}'}, TemplateSelectionExpression: '\$default'`, "", false, &template.Mock{Status: 204}},
		"a status and more":        {`RequestTemplates: {"$default": '{"a": {"statusCode": 1}, "statusCode": 201}'}`, "", false, &template.Mock{Status: 201}},
		"no template":              {`IntegrationMethod: POST`, "", false, nil},
		"none of several":          {`RequestTemplates: {a: '{"statusCode":200}', b: '{"statusCode":200}'}`, "", false, nil},
		"by the message":           {`RequestTemplates: {a: '{"statusCode":200}', b: '{"statusCode":200}'}, TemplateSelectionExpression: "$request.body.kind"`, "", false, nil},
		"not constant":             {`RequestTemplates: {"$default": '{"statusCode":200, "id": "$context.connectionId"}'}`, "", false, nil},
		"a directive":              {`RequestTemplates: {"$default": "#set($s = 200){\"statusCode\":200}"}`, "", false, nil},
		"no status":                {`RequestTemplates: {"$default": '{"status":200}'}`, "", false, nil},
		"no status at all":         {`RequestTemplates: {"$default": '{"statusCode":99}'}`, "", false, nil},

		"an answer that is not wanted": {ok, `IntegrationResponseKey: $default, ResponseTemplates: {"$default": hello}`, false, &template.Mock{Status: 200}},
		"an answer":                    {ok, `IntegrationResponseKey: $default, ResponseTemplates: {"$default": hello}`, true, &template.Mock{Status: 200, Body: text("hello")}},
		"an answer to its status":      {ok, `IntegrationResponseKey: /2\d\d/, ResponseTemplates: {"200": hello}, TemplateSelectionExpression: "200"`, true, &template.Mock{Status: 200, Body: text("hello")}},
		"an answer to another status":  {ok, `IntegrationResponseKey: /500/, ResponseTemplates: {"200": hello}`, true, nil},
		"an answer to part of it":      {ok, `IntegrationResponseKey: /20/, ResponseTemplates: {"200": hello}`, true, nil},
		"a broken key":                 {ok, `IntegrationResponseKey: "/(/", ResponseTemplates: {"200": hello}`, true, nil},
		"an answer of the message":     {ok, `IntegrationResponseKey: $default, ResponseTemplates: {"$default": "$input.body"}`, true, nil},
		"an answer without a template": {ok, `IntegrationResponseKey: $default`, true, nil},
		"no answer":                    {ok, "", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			text := strings.Replace(long, "{ApiId: !Ref Api, IntegrationType: MOCK}", "{ApiId: !Ref Api, IntegrationType: MOCK, "+tc.integration+"}", 1)
			if tc.response != "" {
				text += "  Answer: {Type: AWS::ApiGatewayV2::IntegrationResponse, Properties: {ApiId: !Ref Api, IntegrationId: !Ref MockCall, " + tc.response + "}}\n"
			}
			if tc.reply {
				text += "  Back: {Type: AWS::ApiGatewayV2::RouteResponse, Properties: {ApiId: !Ref Api, RouteId: !Ref Mock, RouteResponseKey: $default}}\n"
			}
			p := parse(t, text, template.Options{})
			r := p.APIs[0].Routes[2]
			is.Equal(r.Key, "mock")
			is.Equal(r.Mock, tc.want)
			told := strings.Contains(strings.Join(p.Notices, "\n"), `t.yaml:39: Resources.MockCall.Properties.IntegrationType: not emulated: MOCK integrations whose answer is not constant; a message of the route "mock" gets an error`)
			is.Equal(told, tc.want == nil)
			is.Equal(len(p.Notices) > 0, tc.want == nil)
		})
	}
}

// What a client is let in with needs no integration response.
func TestMockOfConnect(t *testing.T) {
	is := is.New(t)
	text := strings.Replace(long, "IntegrationType: MOCK", `IntegrationType: MOCK, RequestTemplates: {"200": '{"statusCode":200}'}, TemplateSelectionExpression: "200"`, 1)
	text = strings.Replace(text, "RouteKey: $connect\n      AuthorizationType: CUSTOM\n      AuthorizerId: !Ref Guard\n      Target: !Join [/, [integrations, !Ref Call]]",
		"RouteKey: $connect\n      Target: !Join [/, [integrations, !Ref MockCall]]", 1)
	text += "  Back: {Type: AWS::ApiGatewayV2::RouteResponse, Properties: {ApiId: !Ref Api, RouteId: !Ref Connect, RouteResponseKey: $default}}\n"
	p := parse(t, text, template.Options{})
	is.Equal(*p.APIs[0].Routes[0].Mock, template.Mock{Status: 200})
	is.Equal(len(p.Notices), 0)
}
