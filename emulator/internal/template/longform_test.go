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
		`t.yaml:39: Resources.MockCall.Properties.IntegrationType: not emulated: integrations of type MOCK; messages of the route "mock" get an error`})
}

func TestWhatIsWrongWithALongForm(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           []string // problems, or else notices
	}{
		{"no permission", "SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*", "SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/$connect", []string{}},
		{"deployment", "DependsOn: [Connect, Default, Mock]", "DependsOn: [Connect]", []string{}},
		{"no deployment", ", DeploymentId: !Ref Deployment", "", []string{}},
		{"no reply", "RouteId: !Ref Default", "RouteId: !Ref Mock", []string{}},
		{"authorizer elsewhere", "AuthorizerId: !Ref Guard", "AuthorizerId: abc", []string{}},
		{"authorizer of HTTP", "      AuthorizerType: REQUEST", "      AuthorizerType: REQUEST\n      AuthorizerResultTtlInSeconds: 3", []string{}},
		{"identity source", "[route.request.querystring.token]", "[$request.header.token]", []string{}},
		{"guard on another route", "      RouteResponseSelectionExpression: $default\n", "      AuthorizationType: AWS_IAM\n", []string{}},
		{"target", "Target: !Sub integrations/${Call}", "Target: !Ref Call", []string{}},
		{"target elsewhere", "Target: !Sub integrations/${Call}", "Target: integrations/abc", []string{}},
		{"function elsewhere", "[!Sub \"arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/\", !GetAtt Fn.Arn, /invocations]", "[arn:aws:apigateway:r:lambda:path/x/functions/arn:aws:lambda:us-east-1:1:function:f/invocations]", []string{}},
		{"timeout", "TimeoutInMillis: 2000", "TimeoutInMillis: 30000", []string{}},
		{"stage name", "Default: prod", "Default: a/b", []string{}},
		{"plain HTTP", "ProtocolType: WEBSOCKET", "ProtocolType: HTTP", []string{}},
		{"route twice", "RouteKey: mock", "RouteKey: $default", []string{}},
		{"global section", "Parameters:", "Globals: {Function: {Timeout: 3}}\nParameters:", []string{}},
		{"role elsewhere", "Role: !GetAtt Role.Arn", "Role: arn:aws:iam::1:role/r", []string{}},
		{"no handler", "      Handler: bootstrap\n", "", []string{}},
		{"code with a policy", "Role, Properties: {AssumeRolePolicyDocument: {}}", "Role, Properties: {Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-18, Statement: [{Effect: Alow, Action: a, Resource: b}]}}]}", []string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.True(strings.Contains(long, tc.old)) // the test's own
			p, err := template.Parse("t.yaml", []byte(strings.Replace(long, tc.old, tc.new, 1)), template.Options{})
			var fe *template.FileError
			if errors.As(err, &fe) {
				println("@@" + tc.name)
				for _, n := range fe.Problems {
					println("::" + n)
				}
				return
			}
			is.NoErr(err)
			const usual = `t.yaml:39: Resources.MockCall.Properties.IntegrationType: not emulated: integrations of type MOCK; messages of the route "mock" get an error`
			var more []string
			for _, n := range p.Notices {
				if n != usual {
					more = append(more, n)
				}
			}
			println("@@" + tc.name)
			for _, n := range more {
				println("::" + n)
			}
		})
	}
}
