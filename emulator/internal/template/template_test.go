package template_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

// small is a template in SAM's form that asks for one of each; tests change a line of it.
const small = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String, Default: team, AllowedPattern: "[a-z]*", MaxLength: 8}
  Batch:
    Type: Number
    Default: 10
    MaxValue: 50
Conditions:
  Big: !Equals [!Ref Batch, 50]
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello/
      Handler: bootstrap
      Runtime: provided.al2023
      Timeout: 4
      MemorySize: 128
      Environment:
        Variables:
          TABLE: !Ref Table
      Policies:
        - Statement:
            - Effect: Allow
              Action: execute-api:ManageConnections
              Resource: !Sub arn:aws:execute-api:us-east-1:123456789012:${Ws}/prod/POST/@connections/*
      Events:
        Work:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            BatchSize: !Ref Batch
            MaximumBatchingWindowInSeconds: 1
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 25
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        source: [aws.ecr]
      Targets:
        - Id: queue
          Arn: !GetAtt Queue.Arn
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Queue.Arn
  Ws:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      StageName: prod
      RouteSelectionExpression: $request.body.action
      Routes:
        $connect: {FunctionArn: !GetAtt Hello.Arn}
        talk: {FunctionArn: !GetAtt Hello.Arn}
Outputs:
  Url: {Value: !Sub "${Ws.ApiEndpoint}/prod"}
`

func parse(t *testing.T, text string, o template.Options) *template.Plan {
	t.Helper()
	p, err := template.Parse("t.yaml", []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASmallTemplateIsReadWhole(t *testing.T) {
	is := is.New(t)
	p := parse(t, small, template.Options{Stack: "shop", Region: "eu-west-1", Account: "000000000001"})
	is.Equal(len(p.Notices), 0)
	f := p.Functions[0]
	is.Equal(f.LogicalID, "Hello")
	is.True(strings.HasPrefix(f.Name, "shop-Hello-"))
	is.Equal(f.ARN, "arn:aws:lambda:eu-west-1:000000000001:function:"+f.Name)
	is.Equal(f.At, template.Place{File: "t.yaml", Line: 11})
	is.Equal(f.CodeURI, "hello/")
	is.Equal([]time.Duration{f.Timeout, f.MaxAge}, []time.Duration{4 * time.Second, 6 * time.Hour})
	is.Equal(f.Retries, 2)
	is.Equal(f.Env, map[string]string{"TABLE": p.Tables[0].Name})
	is.Equal(f.Statements[0].Actions, []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}) // SAM adds it
	is.Equal(f.Statements[1].At.Line, 24)
	is.Equal(f.Statements[1].Actions, []string{"execute-api:ManageConnections"})
	is.Equal(f.Statements[1].Resources, []string{"arn:aws:execute-api:us-east-1:123456789012:" + p.APIs[0].ID + "/prod/POST/@connections/*"})
	is.Equal(p.APIs[0].Stages, []template.Stage{{Name: "prod"}})
	is.Equal(p.APIs[0].Routes[1], template.Route{Key: "talk", At: template.Place{File: "t.yaml", Line: 68}, Function: "Hello",
		Integration: "AWS_PROXY", Timeout: 29 * time.Second})
	q := p.Queues[0]
	is.Equal(q.URL, "https://sqs.eu-west-1.amazonaws.com/000000000001/"+q.Name)
	is.Equal(string(p.Rules[0].Pattern), `{"source":["aws.ecr"]}`)
	is.Equal(p.Rules[0].Targets[0], template.Target{ID: "queue", ARN: q.ARN, Retries: 185, MaxAge: 24 * time.Hour})
	is.Equal(p.Mappings[0], template.Mapping{LogicalID: "HelloWork", At: template.Place{File: "t.yaml", Line: 30}, Function: "Hello", Queue: q.ARN,
		BatchSize: 10, Window: time.Second, Enabled: true})
	is.Equal(p.Outputs, []template.Output{{Name: "Url", Value: "wss://" + p.APIs[0].ID + ".execute-api.eu-west-1.amazonaws.com/prod"}})
}

func TestNamesAreStableAndTheStacksOwn(t *testing.T) {
	is := is.New(t)
	a, b, c := parse(t, small, template.Options{}), parse(t, small, template.Options{}), parse(t, small, template.Options{Stack: "other"})
	is.Equal(a, b)
	is.True(a.APIs[0].ID != c.APIs[0].ID)
	is.Equal(len(a.APIs[0].ID), 10)
	is.True(strings.Trim(a.APIs[0].ID[:1], "abcdefghijklmnopqrstuvwxyz") == "")
	is.True(strings.Trim(a.APIs[0].ID, "abcdefghijklmnopqrstuvwxyz0123456789") == "")
	tail := a.Queues[0].Name[len("regcast-Queue-"):]
	is.Equal(len(tail), 12)
	is.Equal(tail, strings.ToUpper(tail))
}

func TestPlanFindsFunctionsAndQueues(t *testing.T) {
	is := is.New(t)
	p := parse(t, small, template.Options{})
	for _, name := range []string{"Hello", p.Functions[0].Name, p.Functions[0].ARN, p.Functions[0].ARN + ":live"} {
		f, ok := p.Function(name)
		is.True(ok)
		is.Equal(f.LogicalID, "Hello")
	}
	for _, name := range []string{"Queue", p.Queues[0].Name, p.Queues[0].ARN, p.Queues[0].URL} {
		q, ok := p.Queue(name)
		is.True(ok)
		is.Equal(q.LogicalID, "Queue")
	}
	_, ok := p.Function("nobody")
	is.True(!ok)
	_, ok = p.Queue("none")
	is.True(!ok)
}

func TestWrongTemplatesAreRefusedWithFileAndLine(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           []string
	}{
		{"no transform", "Transform: AWS::Serverless-2016-10-31\n", "", []string{
			`t.yaml:11: Resources.Hello.Type: got AWS::Serverless::Function, want Transform: AWS::Serverless-2016-10-31 at the top of the template`,
			`t.yaml:61: Resources.Ws.Type: got AWS::Serverless::WebSocketApi, want Transform: AWS::Serverless-2016-10-31 at the top of the template`}},
		{"macro", "Transform: AWS::Serverless-2016-10-31", "Transform: [AWS::Serverless-2016-10-31, Mine]", []string{
			`t.yaml:1: Transform[1]: not emulated: the transform "Mine"; emulated: AWS::Serverless-2016-10-31, AWS::LanguageExtensions`}},
		{"section", "Outputs:", "Output:", []string{`t.yaml:69: Output: unknown field, want Outputs`}},
		{"property", "MemorySize: 128", "MemorySice: 128", []string{`t.yaml:18: Resources.Hello.Properties.MemorySice: unknown property, want MemorySize`}},
		{"timeout", "Timeout: 4", "Timeout: 901", []string{
			`t.yaml:17: Resources.Hello.Properties.Timeout: got "901", want a whole number from 1 to 900`}},
		{"memory", "MemorySize: 128", "MemorySize: 64", []string{
			`t.yaml:18: Resources.Hello.Properties.MemorySize: got "64", want a whole number from 128 to 10240`}},
		{"reserved variable", "TABLE: !Ref", "AWS_REGION: !Ref", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.AWS_REGION: AWS sets AWS_REGION itself, want another name`}},
		{"ref", "TABLE: !Ref Table", "TABLE: !Ref Tabel", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: Ref: there is no "Tabel"; want Table`}},
		{"attribute", "Queue: !GetAtt Queue.Arn", "Queue: !GetAtt Queue.Url", []string{
			`t.yaml:31: Resources.Hello.Properties.Events.Work.Properties.Queue: Fn::GetAtt: AWS::SQS::Queue has no attribute "Url"; want Arn`}},
		{"resource", "Queue: !GetAtt Queue.Arn", "Queue: !GetAtt Quue.Arn", []string{
			`t.yaml:31: Resources.Hello.Properties.Events.Work.Properties.Queue: Fn::GetAtt: there is no resource "Quue"; want Queue`}},
		{"sub", "${Ws}/prod", "${Wss}/prod", []string{
			`t.yaml:26: Resources.Hello.Properties.Policies[0].Statement[0].Resource: Fn::Sub: there is no "Wss"; want Ws, or ${!Wss} for the text itself`}},
		{"tag", "TABLE: !Ref Table", "TABLE: !Reff Table", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: got the tag !Reff, want Ref`}},
		{"function", "TABLE: !Ref Table", "TABLE: {Fn::Subb: x}", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: there is no function Fn::Subb; want Fn::Sub`}},
		{"include", "TABLE: !Ref Table", "TABLE: {Fn::Transform: {Name: AWS::Include}}", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: not emulated: Fn::Transform (macros, AWS::Include); put what it brings into the template`}},
		{"loop", "  Queue:\n    Type", "  Fn::ForEach::Queues: []\n  Queue:\n    Type", []string{
			`t.yaml:39: Resources.Fn::ForEach::Queues: not emulated: Fn::ForEach; write out what it makes`}},
		{"language", "TABLE: !Ref Table", "TABLE: !Length [1, 2]", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: Fn::Length: want Transform: AWS::LanguageExtensions at the top of the template`}},
		{"condition", "    Type: AWS::DynamoDB::Table", "    Condition: Bigg\n    Type: AWS::DynamoDB::Table", []string{
			`t.yaml:35: Resources.Table.Condition: got "Bigg", which is no condition here; want Big`}},
		{"if", "TABLE: !Ref Table", "TABLE: !If [Small, a, b]", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: Fn::If: "Small" is no condition here; want Big`}},
		{"circle of conditions", "Big: !Equals [!Ref Batch, 50]", "Big: !Not [!Condition Huge]\n  Huge: !Not [!Condition Big]", []string{
			`t.yaml:9: Conditions.Big: the condition Big depends on itself, want no circle`}},
		{"condition of nothing", "!Equals [!Ref Batch, 50]", "!Or [!Condition Huge]", []string{
			`t.yaml:9: Conditions.Big.Fn::Or: got 1 entry, want 2 to 10`}},
		{"what is not made", "    Type: AWS::DynamoDB::Table", "    Condition: Big\n    Type: AWS::DynamoDB::Table", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE: Table is not made, since its condition Big does not hold; use it under Fn::If with that condition`}},
		{"circle of resources", "      KeySchema", "      TableName: !Ref Hello\n      KeySchema", []string{
			`t.yaml:11: Resources.Hello: these resources need one another, so none can be made first: Hello → Table → Hello`}},
		{"DependsOn", "    Type: AWS::DynamoDB::Table", "    DependsOn: [Queues]\n    Type: AWS::DynamoDB::Table", []string{
			`t.yaml:35: Resources.Table.DependsOn[0]: got "Queues", which is no resource here; want Queue`}},
		{"default", "Default: team", "Default: Team", []string{
			`t.yaml:3: Parameters.Prefix.Default: got "Team", want what matches [a-z]*`}},
		{"no value", "    Default: 10\n", "", []string{
			`t.yaml:4: Parameters.Batch: the parameter has no default and no value; give one: --parameter-overrides Batch=…`}},
		{"too much", "Default: 10", "Default: 51", []string{`t.yaml:6: Parameters.Batch.Default: got "51", want at most 50`}},
		{"batch without window", "BatchSize: !Ref Batch\n            MaximumBatchingWindowInSeconds: 1", "BatchSize: 11", []string{
			`t.yaml:32: Resources.Hello.Properties.Events.Work.Properties.BatchSize: got 11, want at most 10, or MaximumBatchingWindowInSeconds of at least 1`}},
		{"stage", "StageName: prod", "StageName: $default", []string{
			`t.yaml:64: Resources.Ws.Properties.StageName: got "$default", want another name: a WebSocket API has no stage $default`}},
		{"route key", "        talk:", "        talk-to:", []string{
			`t.yaml:68: Resources.Ws.Properties.Routes.talk-to: the route key "talk-to" wants letters and digits only, or $connect, $disconnect, $default`}},
		{"routes of one name", "        talk:", "        Talk: {FunctionArn: !GetAtt Hello.Arn}\n        talk:", []string{
			`t.yaml:69: Resources.Ws.Properties.Routes.talk: the routes Talk and talk have the same name to SAM (Talk), want another`}},
		{"auth without connect", "Routes:\n        $connect: {FunctionArn: !GetAtt Hello.Arn}", "Auth: {AuthType: AWS_IAM}\n      Routes:", []string{
			`t.yaml:66: Resources.Ws.Properties.Auth: got Auth and no route $connect, want the route that it guards`}},
		{"key type", "KeyType: HASH}]", "KeyType: RANGE}]", []string{
			`t.yaml:38: Resources.Table.Properties.KeySchema: got 1 key, want one HASH key and then at most one RANGE key`}},
		{"key without definition", "KeySchema: [{AttributeName: pk", "KeySchema: [{AttributeName: id", []string{
			`t.yaml:37: Resources.Table.Properties.AttributeDefinitions: the attribute pk is in no key, want here the attributes of keys only`,
			`t.yaml:38: Resources.Table.Properties.KeySchema[0].AttributeName: got "id", which is not in AttributeDefinitions`}},
		{"two of one name", "  Rule:\n    Type: AWS::Events::Rule", "  One: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}\n  Two: {Type: AWS::SQS::Queue, Properties: {QueueName: q}}\n  Rule:\n    Type: AWS::Events::Rule", []string{
			`t.yaml:44: Resources.Two: it has the name "q", which One in line 43 has too; want another`}},
		{"visibility", "VisibilityTimeout: 25", "VisibilityTimeout: 3", []string{
			`t.yaml:30: Resources.Hello.Properties.Events.Work.Properties: the queue Queue hides messages for 3s and the function Hello may run 4s; want VisibilityTimeout at least that, better 6 times`}},
		{"pattern", "source: [aws.ecr]", "source: aws.ecr", []string{
			`t.yaml:47: Resources.Rule.Properties.EventPattern.source: got "aws.ecr", want a list of the values it may have, such as ["aws.ecr"]`}},
		{"policy of a queue's ARN", "Queues: [!Ref Queue]", "Queues: [!GetAtt Queue.Arn]", []string{
			`t.yaml:54: Resources.Policy.Properties.Queues[0]: got "arn:aws:sqs:us-east-1:123456789012:regcast-Queue-O1HQ7SNXUWOW", want a queue's URL, such as !Ref Queue`}},
		{"no template", "Resources:", "Recources:", []string{`t.yaml:1: got no Resources, want a template of CloudFormation or SAM`}},
		{"no YAML", "Outputs:", "Outputs: [", []string{
			`t.yaml:71: got what is neither YAML nor JSON: did not find expected ',' or ']'`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.True(strings.Contains(small, tc.old)) // the test's own
			_, err := template.Parse("t.yaml", []byte(strings.Replace(small, tc.old, tc.new, 1)), template.Options{})
			var fe *template.FileError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Problems, tc.want)
		})
	}
}

func TestOverridesAreHeldAgainstTheParameters(t *testing.T) {
	is := is.New(t)
	_, err := template.Parse("t.yaml", []byte(small), template.Options{Parameters: map[string]string{"Prefix": "LOUD", "Bach": "3", "Batch": "x"}})
	is.Equal(strings.Split(err.Error(), "\n"), []string{
		`t.yaml:2: Parameters: the override "Bach" names no parameter of this template; want Batch`,
		`t.yaml:3: Parameters.Prefix: got "LOUD", want what matches [a-z]*`,
		`t.yaml:4: Parameters.Batch: got "x", want a number`,
	})
	p := parse(t, small, template.Options{Parameters: map[string]string{"Batch": "20"}})
	is.Equal(p.Mappings[0].BatchSize, 20)
}

func TestPatternsKeepTheirTypes(t *testing.T) {
	is := is.New(t)
	p := parse(t, strings.Replace(small, "source: [aws.ecr]", `source: [aws.ecr, 1, 1.5, true, null, "1", "true", !Ref Batch]`, 1), template.Options{})
	is.True(json.Valid(p.Rules[0].Pattern))
	is.Equal(string(p.Rules[0].Pattern), `{"source":["aws.ecr",1,1.5,true,null,"1","true","10"]}`)
}
