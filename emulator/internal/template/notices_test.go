package template_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

func TestNoticesSayWhatTheCloudOrRegcastWouldNotDo(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		want           []string
	}{
		{"policy that ends with the folder", "/prod/POST/@connections/*", "/prod/POST/@connections", []string{
			`t.yaml:26: Resources.Hello.Properties.Policies[0].Statement[0].Resource: "arn:aws:execute-api:us-east-1:123456789012:uz9nmrdamt/prod/POST/@connections" allows no call of @connections: AWS compares it with …/prod/POST/@connections/{connectionId}, the last part being that very text and no id; want it to end in /@connections/* or /prod/*`}},
		{"policy of one id", "/prod/POST/@connections/*", "/prod/POST/@connections/abc=", []string{
			`t.yaml:26: Resources.Hello.Properties.Policies[0].Statement[0].Resource: "arn:aws:execute-api:us-east-1:123456789012:uz9nmrdamt/prod/POST/@connections/abc=" allows no call of @connections: AWS compares it with …/prod/POST/@connections/{connectionId}, the last part being that very text and no id; want it to end in /@connections/* or /prod/*`}},
		{"policy of another stage", "/prod/POST/@connections/*", "/test/*", []string{
			`t.yaml:26: Resources.Hello.Properties.Policies[0].Statement[0].Resource: "arn:aws:execute-api:us-east-1:123456789012:uz9nmrdamt/test/*" allows no call of @connections: AWS compares it with …/prod/POST/@connections/{connectionId}, the last part being that very text and no id; want it to end in /@connections/* or /prod/*`}},
		{"policy of a stage", "/prod/POST/@connections/*", "/prod/*", nil},
		{"policy of all", "/prod/POST/@connections/*", "/*", nil},
		{"events", "        Work:\n          Type: SQS\n", "        Web:\n          Type: Api\n          Properties: {Path: /, Method: get}\n        Work:\n          Type: SQS\n", []string{
			`t.yaml:28: Resources.Hello.Properties.Events.Web: not emulated: Api event; nothing will call Hello through it`}},
		{"others", "  Table:\n    Type", "  Bucket: {Type: AWS::S3::Bucket}\n  Files: {Type: AWS::S3::Bucket}\n  Log: {Type: AWS::Logs::LogGroup}\n  Alarm: {Type: AWS::CloudWatch::Alarm}\n  Topic: {Type: AWS::SNS::Topic}\n  Mine: {Type: Custom::Mine}\n  Table:\n    Type", []string{
			`t.yaml:34: Resources: not emulated: AWS::S3::Bucket (Bucket, Files); nothing is made of it; what calls it fails`,
			`t.yaml:36: Resources: accepted and without effect here: Log (AWS::Logs::LogGroup), Alarm (AWS::CloudWatch::Alarm)`,
			`t.yaml:38: Resources: not emulated: AWS::SNS::Topic (Topic); what is published to it goes nowhere`,
			`t.yaml:39: Resources: not emulated: Custom::Mine (Mine); its function is not called, so its attributes are made up`}},
		{"no queue policy", "Queues: [!Ref Queue]", `Queues: ["https://sqs.us-east-1.amazonaws.com/1/other"]`, []string{
			`t.yaml:49: Resources.Rule.Properties.Targets[0]: no AWS::SQS::QueuePolicy lets events.amazonaws.com send to Queue for the rule Rule: AWS would deliver nothing and say nothing; regcast delivers`}},
		{"queue policy of another rule", "            Action: sqs:SendMessage", "            Action: sqs:SendMessage\n            Condition: {ArnEquals: {aws:SourceArn: arn:aws:events:us-east-1:123456789012:rule/other}}", []string{
			`t.yaml:49: Resources.Rule.Properties.Targets[0]: no AWS::SQS::QueuePolicy lets events.amazonaws.com send to Queue for the rule Rule: AWS would deliver nothing and say nothing; regcast delivers`}},
		{"queue policy of the rule", "            Action: sqs:SendMessage", "            Action: sqs:*\n            Condition: {ArnLike: {aws:SourceArn: !GetAtt Rule.Arn}}", nil},
		{"queue policy of all", "Principal: {Service: events.amazonaws.com}", `Principal: "*"`, nil},
		{"rule to a function", "Arn: !GetAtt Queue.Arn\n  Policy", "Arn: !GetAtt Hello.Arn\n  Policy", []string{
			`t.yaml:49: Resources.Rule.Properties.Targets[0]: no AWS::Lambda::Permission lets events.amazonaws.com call Hello for the rule Rule: AWS would deliver nothing and say nothing; regcast delivers`}},
		{"pattern by resource", "source: [aws.ecr]", "source: [aws.ecr]\n        detail-type: [ECR Image Action]\n        resources: [x]\n        detail: {image-tags: [v1]}", []string{
			`t.yaml:50: Resources.Rule.Properties.EventPattern.detail.image-tags: an ECR Image Action has no "image-tags", want image-tag`}},
		{"property", "      VisibilityTimeout: 25", "      VisibilityTimeout: 25\n      Brandnew: 1", []string{
			`t.yaml:43: Resources.Queue.Properties.Brandnew: not emulated: Brandnew; regcast knows no such property`}},
		{"layers", "      MemorySize: 128", "      Layers: [a]\n      FunctionUrlConfig: {AuthType: NONE}", []string{
			`t.yaml:18: Resources.Hello.Properties.Layers: not emulated: Layers; the function runs without its layers`,
			`t.yaml:19: Resources: not emulated: AWS::Lambda::Url (HelloUrl); nothing will call the function through it`}},
		{"policy template", "        - Statement:", "        - NoSuchPolicy: {}\n        - S3ReadPolicy: {BucketName: b}\n        - SomeManagedPolicy\n        - Statement:", []string{
			`t.yaml:23: Resources.Hello.Properties.Policies[0].NoSuchPolicy: regcast does not know SAM's policy template "NoSuchPolicy"; what the function may do is not checked`,
			`t.yaml:25: Resources.Hello.Properties.Policies[2]: regcast does not know what the policy "SomeManagedPolicy" allows; what the function may do is not checked`}},
		{"no code", "      CodeUri: hello/\n", "", []string{
			`t.yaml:13: Resources.Hello.Properties.CodeUri: got nothing: the code is the template's own folder, as AWS's tools have it`}},
		{"twice", "      Timeout: 4", "      Timeout: 5\n      Timeout: 4", []string{
			`t.yaml:18: Resources.Hello.Properties.Timeout: it stands here twice, the first time in line 17; AWS's tools take the last`}},
		{"macro where nothing is made", "  Table:\n    Type", "  Web: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionBody: {Fn::Transform: {Name: AWS::Include}}}}\n  Table:\n    Type", []string{
			`t.yaml:34: Resources: not emulated: AWS::Serverless::Api (Web); regcast serves WebSocket APIs; nothing answers its plain HTTP routes`}},
		{"a list that nobody knows", "Outputs:", "  Net: {Type: AWS::EC2::VPCEndpoint}\nOutputs:\n  Host: {Value: !Select [1, !Split [/, !GetAtt Net.Hosts]]}", []string{
			`t.yaml:69: Resources: not emulated: AWS::EC2::VPCEndpoint (Net); nothing is made of it; what calls it fails`,
			`t.yaml:71: Outputs.Host.Value.Fn::Select[1].Fn::Split[1]: not emulated: Hosts of AWS::EC2::VPCEndpoint; "regcast-Net-FIUSZXDCJFDT.hosts" is made up`}},
		{"secret", "          TABLE: !Ref Table", "          TABLE: !Sub \"{{resolve:ssm:${Table}}}\"", []string{
			`t.yaml:21: Resources.Hello.Properties.Environment.Variables.TABLE.Fn::Sub: not emulated: dynamic references; {{resolve:…}} stays as it is written`}},
		{"assertions", "Conditions:", "Rules: {R: {Assertions: []}}\nConditions:", []string{
			`t.yaml:8: Rules: not emulated: Rules; nothing of it is checked`}},
		{"attribute of a resource", "  Table:\n    Type", "  Table:\n    Description: d\n    Colour: red\n    Type", []string{
			`t.yaml:36: Resources.Table.Colour: not emulated: Colour; regcast knows no such property`}},
		{"dead letter elsewhere", "      VisibilityTimeout: 25", "      VisibilityTimeout: 25\n      RedrivePolicy: {deadLetterTargetArn: arn:x, maxReceiveCount: 1}", []string{
			`t.yaml:39: Resources.Queue: the dead letter queue "arn:x" is not in this template; messages that fail too often are dropped`}},
		{"no advice", "VisibilityTimeout: 25", "VisibilityTimeout: 24", []string{
			`t.yaml:39: Resources.Queue: the queue hides messages for 24s; AWS advises 6 times the timeout of the function Hello and the batching window: at least 25s`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			is.True(strings.Contains(small, tc.old)) // the test's own
			is.Equal(parse(t, strings.Replace(small, tc.old, tc.new, 1), template.Options{}).Notices, tc.want)
		})
	}
}
