package template_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

// long is a WebSocket API in CloudFormation's own form.
const long = `Parameters:
  Stage: {Type: String, Default: prod}
Resources:
  Fn:
    Type: AWS::Lambda::Function
    Metadata: {"aws:asset:path": asset.1, "aws:asset:property": Code}
    Properties:
      Code: {S3Bucket: b, S3Key: k}
      Handler: bootstrap
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {Name: chat, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action}
  Connect:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: $connect
      AuthorizationType: CUSTOM
      AuthorizerId: !Ref Guard
      Target: !Join [/, [integrations, !Ref Call]]
  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: $default
      RouteResponseSelectionExpression: $default
      Target: !Sub integrations/${Call}
  Reply:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: {ApiId: !Ref Api, RouteId: !Ref Default, RouteResponseKey: $default}
  Mock:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: mock, Target: !Sub "integrations/${MockCall}"}
  MockCall:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationType: MOCK}
  Call:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      TimeoutInMillis: 2000
      IntegrationUri: !Join ["", [!Sub "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/", !GetAtt Fn.Arn, /invocations]]
  Guard:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      Name: guard
      AuthorizerType: REQUEST
      IdentitySource: [route.request.querystring.token]
      AuthorizerUri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations
  Deployment:
    Type: AWS::ApiGatewayV2::Deployment
    DependsOn: [Connect, Default, Mock]
    Properties: {ApiId: !Ref Api}
  Live:
    Type: AWS::ApiGatewayV2::Stage
    Properties: {ApiId: !Ref Api, StageName: !Ref Stage, DeploymentId: !Ref Deployment}
  MayCall:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Fn
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*
`

func TestTheLongFormIsRead(t *testing.T) {
	is := is.New(t)
	p := parse(t, long, template.Options{})
	is.Equal(p.Functions[0].CodeURI, "asset.1")
	is.Equal(p.APIs[0].Name, "chat")
	is.Equal(p.APIs[0].Stages, []template.Stage{{Name: "prod"}})
	place := func(line int) template.Place { return template.Place{File: "t.yaml", Line: line} }
	is.Equal(p.APIs[0].Routes, []template.Route{
		{Key: "$connect", At: place(16), Function: "Fn", Integration: "AWS_PROXY", Timeout: 2 * time.Second,
			Authorizer: &template.Authorizer{Name: "guard", Function: "Fn", IdentitySources: []string{"route.request.querystring.token"}}},
		{Key: "$default", At: place(24), Function: "Fn", Integration: "AWS_PROXY", Timeout: 2 * time.Second, Reply: true},
		{Key: "mock", At: place(34), Integration: "MOCK", Timeout: 29 * time.Second},
	})
	is.Equal(p.Notices, []string{
		`t.yaml:39: Resources.MockCall.Properties.IntegrationType: not emulated: MOCK integrations whose answer is not constant; a message of the route "mock" gets an error`})
}

func TestWhatIsWrongWithALongForm(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           []string // problems, or else notices
	}{
		{"no permission", "SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*", "SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/$connect", []string{
			`t.yaml:24: route $default: no AWS::Lambda::Permission lets apigateway.amazonaws.com call Fn for the route "$default": AWS would answer "Internal server error"`,
			`t.yaml:47: Resources.Guard: no AWS::Lambda::Permission lets apigateway.amazonaws.com call Fn as an authorizer: AWS would refuse every connection`}},
		{"deployment", "DependsOn: [Connect, Default, Mock]", "DependsOn: [Connect]", []string{
			`t.yaml:55: Resources.Deployment: the deployment does not wait for the routes Default, Mock: AWS may serve the stage without them; want DependsOn`}},
		{"no deployment", ", DeploymentId: !Ref Deployment", "", []string{
			`t.yaml:59: Resources.Live: the stage "prod" has neither DeploymentId nor AutoDeploy: AWS would serve no routes on it`}},
		{"no reply", "RouteId: !Ref Default", "RouteId: !Ref Mock", []string{
			`t.yaml:29: Resources.Default.Properties.RouteResponseSelectionExpression: the route "$default" has no AWS::ApiGatewayV2::RouteResponse, so what its function returns goes nowhere`}},
		{"authorizer elsewhere", "AuthorizerId: !Ref Guard", "AuthorizerId: abc", []string{
			`t.yaml:22: Resources.Connect.Properties.AuthorizerId: got "abc", which is no authorizer of this API`}},
		{"authorizer of HTTP", "      AuthorizerType: REQUEST", "      AuthorizerType: REQUEST\n      AuthorizerResultTtlInSeconds: 3", []string{
			`t.yaml:53: Resources.Guard.Properties.AuthorizerResultTtlInSeconds: authorizers of WebSocket APIs have no AuthorizerResultTtlInSeconds; AWS ignores or refuses it`}},
		{"identity source", "[route.request.querystring.token]", "[$request.header.token]", []string{
			`t.yaml:53: Resources.Guard.Properties.IdentitySource[0]: got "$request.header.token", want route.request.header.NAME, route.request.querystring.NAME, context.NAME or stageVariables.NAME`}},
		{"guard on another route", "      RouteResponseSelectionExpression: $default\n", "      AuthorizationType: AWS_IAM\n", []string{
			`t.yaml:29: Resources.Default.Properties.AuthorizationType: got AWS_IAM on "$default", want it on $connect only`}},
		{"target", "Target: !Sub integrations/${Call}", "Target: !Ref Call", []string{
			`t.yaml:30: Resources.Default.Properties.Target: got "ncw6tfn", want integrations/ and an integration, such as !Sub integrations/${Integration}`}},
		{"target elsewhere", "Target: !Sub integrations/${Call}", "Target: integrations/abc", []string{
			`t.yaml:30: Resources.Default.Properties.Target: got "integrations/abc", which is no integration of this API`}},
		{"function elsewhere", "[!Sub \"arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/\", !GetAtt Fn.Arn, /invocations]", "[arn:aws:apigateway:r:lambda:path/x/functions/arn:aws:lambda:us-east-1:1:function:f/invocations]", []string{
			`t.yaml:46: Resources.Call.Properties.IntegrationUri: the function in "arn:aws:apigateway:r:lambda:path/x/functions/arn:aws:lambda:us-east-1:1:function:f/invocations" is not in this template; every connection is refused`,
			`t.yaml:46: Resources.Call.Properties.IntegrationUri: the function in "arn:aws:apigateway:r:lambda:path/x/functions/arn:aws:lambda:us-east-1:1:function:f/invocations" is not in this template; a message of the route "$default" gets an error`}},
		{"timeout", "TimeoutInMillis: 2000", "TimeoutInMillis: 30000", []string{
			`t.yaml:45: Resources.Call.Properties.TimeoutInMillis: got "30000", want a whole number from 50 to 29000`}},
		{"stage name", "Default: prod", "Default: a/b", []string{
			`t.yaml:61: Resources.Live.Properties.StageName: got "a/b", want letters, digits, - and _`}},
		{"plain HTTP", "ProtocolType: WEBSOCKET", "ProtocolType: HTTP", []string{
			`t.yaml:15: Resources.Api.Properties.ProtocolType: not emulated: the HTTP API Api; regcast serves WebSocket APIs`}},
		{"route twice", "RouteKey: mock", "RouteKey: $default", []string{
			`t.yaml:36: Resources.Mock.Properties.RouteKey: got the route "$default" twice, want it once`}},
		{"global section", "Parameters:", "Globals: {Function: {Timeout: 3}}\nParameters:", []string{
			`t.yaml:1: Globals: got Globals, want Transform: AWS::Serverless-2016-10-31 at the top of the template`}},
		{"role elsewhere", "Role: !GetAtt Role.Arn", "Role: arn:aws:iam::1:role/r", []string{
			`t.yaml:11: Resources.Fn.Properties.Role: the role "arn:aws:iam::1:role/r" is not in this template; what Fn may do is not checked`}},
		{"no handler", "      Handler: bootstrap\n", "", []string{
			`t.yaml:7: Resources.Fn.Properties.Handler: got nothing, want a handler; for Go it is bootstrap`}},
		{"code with a policy", "Role, Properties: {AssumeRolePolicyDocument: {}}", "Role, Properties: {Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-18, Statement: [{Effect: Alow, Action: a, Resource: b}]}}]}", []string{
			`t.yaml:12: Resources.Role.Properties.Policies[0].PolicyDocument.Version: got "2012-10-18", want "2012-10-17"`,
			`t.yaml:12: Resources.Role.Properties.Policies[0].PolicyDocument.Statement[0].Effect: got "Alow", want Allow`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.True(strings.Contains(long, tc.old)) // the test's own
			p, err := template.Parse("t.yaml", []byte(strings.Replace(long, tc.old, tc.new, 1)), template.Options{})
			var fe *template.FileError
			if errors.As(err, &fe) {
				is.Equal(fe.Problems, tc.want)
				return
			}
			is.NoErr(err)
			const usual = `t.yaml:39: Resources.MockCall.Properties.IntegrationType: not emulated: MOCK integrations whose answer is not constant; a message of the route "mock" gets an error`
			var more []string
			for _, n := range p.Notices {
				if n != usual {
					more = append(more, n)
				}
			}
			is.Equal(more, tc.want)
		})
	}
}
