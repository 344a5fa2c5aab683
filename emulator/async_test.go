package emulator_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
)

// A rule that invokes a function itself: a failure is tried again after one minute and after two more, and then told where the template
// says. The processes are real, the minutes are not, and whoever pushes hears of nothing.
func TestARuleInvokesAFunction(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em, logs := stack(t, `
  Pushes:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ecr], detail-type: [ECR Image Action], detail: {action-type: [PUSH], image-tag: [{exists: true}]}}
      Targets: [{Id: function, Arn: !GetAtt Fail.Arn}]
  May:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref Fail, Principal: events.amazonaws.com, SourceArn: !GetAtt Pushes.Arn}
  Failed: {Type: AWS::SQS::Queue}
  Dead: {Type: AWS::SQS::Queue}
  Fail:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {DO: fail}}
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Dead.Arn}
      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}}
Outputs:
  Failed: {Value: !Ref Failed}
  Dead: {Value: !Ref Dead}
`, func(cfg *emulator.Config) { cfg.Clock = clock })
	digest := em.Push("team/app:v1") // succeeds, whatever functions do
	first := event(t, strings.TrimPrefix(logs.wait("Fail", "failing "), "failing "))
	is.Equal(first.Image.Tag, "v1")
	is.Equal(first.Image.Digest, digest)
	for n, pause := range []time.Duration{time.Minute, 2 * time.Minute} {
		em.Flush()
		is.Equal(em.Functions()[0].Invocations, uint64(n+1))
		clock.Advance(pause - time.Millisecond)
		em.Flush()
		is.Equal(em.Functions()[0].Invocations, uint64(n+1)) // not yet
		clock.Advance(time.Millisecond)
		again := event(t, strings.TrimPrefix(logs.wait("Fail", "failing "), "failing "))
		is.Equal(again.ID, first.ID)
	}
	em.Flush()
	is.Equal(em.Functions()[0].Errors, uint64(3))
	queues := sqs.NewFromConfig(user(t, em))
	receive := func(output string) string {
		t.Helper()
		got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(em.Outputs()[output]), WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
		})
		is.NoErr(err)
		is.Equal(len(got.Messages), 1)
		if output == "Dead" {
			is.Equal(*got.Messages[0].MessageAttributes["ErrorMessage"].StringValue, "no order 7")
		}
		return *got.Messages[0].Body
	}
	var told struct {
		RequestContext struct {
			Condition              string
			ApproximateInvokeCount int
		}
		RequestPayload  json.RawMessage
		ResponsePayload struct{ ErrorType string }
	}
	is.NoErr(json.Unmarshal([]byte(receive("Failed")), &told))
	is.Equal(told.RequestContext.Condition, "RetriesExhausted")
	is.Equal(told.RequestContext.ApproximateInvokeCount, 3)
	is.Equal(told.ResponsePayload.ErrorType, "NoOrder")
	is.Equal(event(t, string(told.RequestPayload)).ID, first.ID)
	is.Equal(event(t, receive("Dead")).ID, first.ID)

	trace, err := em.Trace(t.Context(), first.ID)
	is.NoErr(err)
	lost := 0
	for _, s := range trace.Steps {
		if s.What == events.StepLost {
			lost++
		}
	}
	is.Equal(lost, 1) // once, at the end
}

// event reads an event of ECR.
func event(t *testing.T, text string) ecr.Event {
	t.Helper()
	e, err := ecr.Decode([]byte(text))
	if err != nil || e.Image == nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

// SAM points a function's events at the alias that it publishes, which here is the function itself.
func TestARuleInvokesAnAlias(t *testing.T) {
	is := is.New(t)
	got := make(chan string, 1)
	em, _ := stack(t, `
  F:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      Events: {Pushes: {Type: EventBridgeRule, Properties: {Pattern: {source: [aws.ecr]}}}}
`, func(cfg *emulator.Config) {
		cfg.Functions = map[string]emulator.Function{"F": function(func(_ context.Context, payload []byte) ([]byte, error) {
			got <- string(payload)
			return []byte("null"), nil
		})}
	})
	em.Push("team/app:v1")
	em.Flush()
	is.Equal(len(got), 1)
	is.True(strings.Contains(<-got, `"team/app"`))
}
