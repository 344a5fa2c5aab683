package template_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/template"
)

// Each case adds lines to a template with a function F, a queue Q and a FIFO queue O. What is said of them, problems or else notices,
// is given without file, line and path.
func TestDetails(t *testing.T) {
	const base = `Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: f/, Handler: bootstrap, Runtime: provided.al2023}
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q, VisibilityTimeout: 18}}
  O: {Type: AWS::SQS::Queue, Properties: {QueueName: o.fifo, FifoQueue: true, VisibilityTimeout: 18}}
`
	function := func(properties string) string {
		return "  G: {Type: AWS::Serverless::Function, Properties: {CodeUri: g/, Handler: bootstrap, Runtime: provided.al2023, " + properties + "}}\n"
	}
	rule := func(properties string) string {
		return "  R: {Type: AWS::Events::Rule, Properties: {" + properties + "}}\n"
	}
	mapping := func(properties string) string {
		return "  M: {Type: AWS::Lambda::EventSourceMapping, Properties: {" + properties + "}}\n"
	}
	queue := func(properties string) string {
		return "  P: {Type: AWS::SQS::Queue, Properties: {" + properties + "}}\n"
	}
	statement := func(s string) string { return function("Policies: [{Statement: [" + s + "]}]") }
	policy := func(s string) string {
		return rule("EventPattern: {source: [x]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]") +
			"  S: {Type: AWS::SQS::QueuePolicy, Properties: {Queues: [!Ref Q], PolicyDocument: {Statement: [" + s + "]}}}\n"
	}
	const denied = "no AWS::SQS::QueuePolicy lets events.amazonaws.com send to Q for the rule R: AWS would deliver nothing and say nothing; regcast delivers"
	for _, tc := range []struct{ lines, want string }{
		{function(`FunctionName: a b`), `got "a b", want letters, digits, - and _, at most 64`},
		{function(`Architectures: [x86_64, arm64]`), `got 2 architectures, want one`},
		{function(`Architectures: [arm]`), `got "arm", want arm64`},
		{function(`Environment: {Variables: {A-B: x}}`), `got the name "A-B", want a letter, then letters, digits and _, at least 2`},
		{function(`Environment: {Variables: {AA: ` + strings.Repeat("x", 5000) + `}}`), `got 5002 bytes of variables, want at most 4096`},
		{function(`ReservedConcurrentExecutions: -1`), `got "-1", want a whole number from 0 to 1000`},
		{function(`AutoPublishAlias: !GetAtt Q.Arn`), `got a mapping, want the alias's name, or a Ref to a parameter`},
		{function(`DeadLetterQueue: {Type: SNZ, TargetArn: x}`), `got "SNZ", want SNS`},
		{function(`EventInvokeConfig: {MaximumRetryAttempts: 3}`), `got "3", want a whole number from 0 to 2`},
		{function(`EventInvokeConfig: {DestinationConfig: {OnFail: {Type: SQS}}}`), `unknown field, want OnFailure`},
		{function(`EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: Lambda}}}`), `got nothing, want the ARN of the destination`},
		{function(`Events: {E: {Type: SQS}}`), `got nothing, want the Queue`},
		{function(`Events: {E: {Type: EventBridgeRule, Properties: {Pattern: {source: [x]}, DeadLetterConfig: {Arn: x, Type: SQS}}}}`), `got Arn and Type, want one of them`},
		{function(`Events: {E: {Type: EventBridgeRule}}`), `got nothing, want an event pattern, or a ScheduleExpression`},
		{statement(`{Effect: Allow, NotAction: a, Resource: b}`), `not emulated: NotAction and NotResource; what the function may do is not checked`},
		{statement(`{Effect: Deny, Action: a, Resource: b, Condition: {Bool: {x: y}}}`), `not emulated: conditions; this Deny is without effect`},
		{statement(`{Effect: Allow, Action: a, Resource: b, Condition: {Bool: {x: y}}}`), `not emulated: conditions; regcast allows it without them`},
		{function(`Policies: [{A: {}, B: {}}]`), `got a mapping, want a policy's name, a Statement, or one of SAM's policy templates`},
		{function(`Policies: [DynamoDBCrudPolicy: {}]`), `got nothing, want a value`},
		{rule(`Targets: []`), `got nothing, want an event pattern, or a ScheduleExpression`},
		{rule(`EventPattern: {source: [x]}`), `the rule R has no targets: its events go nowhere`},
		{rule(`EventPattern: {}, Targets: []`), `got an empty mapping, want at least one field`},
		{rule(`EventPattern: {source: []}, Targets: []`), `got an empty list, want the values it may have`},
		{rule(`EventPattern: {$or: [{source: x}, {source: [y]}]}, Targets: []`), `got "x", want a list of the values it may have, such as ["x"]`},
		{rule(`EventPattern: "{", Targets: []`), `got "{", want a mapping, or JSON`},
		{rule(`EventPattern: '{"source": ["x"]}', State: ON, Targets: []`), `got "true", want one of ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`},
		{rule(`EventPattern: {source: [x]}, Targets: [{Id: a, Arn: !GetAtt O.Arn}]`), `the queue O is FIFO, want SqsParameters with a MessageGroupId`},
		{rule(`EventPattern: {source: [x]}, Targets: [{Id: a, Arn: "arn:aws:sns:us-east-1:1:t"}]`), `not emulated: the target "arn:aws:sns:us-east-1:1:t", which is no queue or function of this template; nothing is delivered to it`},
		{rule(`EventPattern: {source: [x]}, Targets: [{Id: a, Arn: "arn:aws:sns:us-east-1:1:t", Input: a, InputPath: b}]`), `got Input and InputPath, want at most one of them`},
		{queue(`QueueName: a.fifo`), `got the name "a.fifo", want .fifo at its end if FifoQueue is true, and only then`},
		{queue(`ContentBasedDeduplication: true`), `got true, want it with FifoQueue: true`},
		{queue(`RedrivePolicy: {deadLetterTargetArn: !GetAtt O.Arn, maxReceiveCount: 3}`), `the dead letter queue O wants to be FIFO exactly if this queue is`},
		{queue(`DelaySeconds: soon`), `got "soon", want a whole number from 0 to 900`},
		{mapping(`FunctionName: !Ref F, EventSourceArn: "arn:aws:kinesis:us-east-1:1:stream/s"`), `not emulated: "arn:aws:kinesis:us-east-1:1:stream/s" as a source of events; nothing will call F through it`},
		{mapping(`FunctionName: !Ref F, EventSourceArn: "arn:aws:sqs:us-east-1:1:s"`), `the queue "arn:aws:sqs:us-east-1:1:s" is not in this template; nothing will come from it`},
		{mapping(`FunctionName: other, EventSourceArn: !GetAtt Q.Arn`), `the function "other" is not in this template; nothing is delivered to it`},
		{mapping(`FunctionName: !Ref F, EventSourceArn: !GetAtt O.Arn, MaximumBatchingWindowInSeconds: 1`), `got a window, want none: the queue is FIFO`},
		{mapping(`FunctionName: !Ref F, EventSourceArn: !GetAtt O.Arn, BatchSize: 11`), `got "11", want a whole number from 1 to 10`},
		{mapping(`FunctionName: !Ref F, EventSourceArn: !GetAtt Q.Arn, ScalingConfig: {MaximumConcurrency: 1}`), `got "1", want a whole number from 2 to 1000`},
		{policy(`{Effect: Allow, Principal: {AWS: "*"}, Action: ["SQS:Send*"], Resource: "*"}`), `-`},
		{policy(`{Effect: Allow, Principal: "*", Action: "*", Resource: !GetAtt Q.Arn, Condition: {StringEquals: {aws:SourceAccount: "123456789012"}}}`), `-`},
		{policy(`{Effect: Allow, Principal: "*", Action: "*", Resource: !GetAtt Q.Arn, Condition: {StringEquals: {aws:SourceAccount: "999999999999"}}}`), denied},
		{policy(`{Effect: Allow, Principal: "*", Action: "*", Resource: "*"}, {Effect: Deny, Principal: "*", Action: "sqs:*", Resource: "*"}`), denied},
		{policy(`{Effect: Allow, Principal: "*", Action: "*", Resource: "*"}, {Effect: Deny, Principal: "*", Action: "sqs:*", Resource: "*", Condition: {Bool: {aws:SecureTransport: "false"}}}`), `-`},
		{policy(`{Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: "sqs:SendMessage", Resource: "*"}`), denied},
		{policy(`{Effect: Allow, Principal: "*", Action: "sqs:ReceiveMessage", Resource: "*"}`), denied},
		{policy(`{Effect: Allow, Principal: "*", Action: "sqs:SendMessage", Resource: !GetAtt O.Arn}`), denied},
	} {
		t.Run(tc.want, func(t *testing.T) {
			is := is.New(t)
			p, err := template.Parse("t.yaml", []byte(base+tc.lines), template.Options{})
			var said []string
			var fe *template.FileError
			if errors.As(err, &fe) {
				said = fe.Problems
			} else {
				is.NoErr(err)
				said = p.Notices
			}
			for i, s := range said {
				_, s, _ = strings.Cut(s, ": ")
				_, said[i], _ = strings.Cut(s, ": ")
			}
			is.Equal(strings.Join(append(said, "-")[:max(1, len(said))], "\n"), tc.want)
		})
	}
}
