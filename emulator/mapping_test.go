package emulator_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events/ecr"
)

// A function behind a queue: batches by size and window; what fails alone comes again alone, and in the end to the dead letters, while
// nothing else is harmed.
func TestAFunctionBehindAQueue(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	batches := make(chan []string, 100)
	work := func(_ context.Context, e lambdaevents.SQSEvent) (out lambdaevents.SQSEventResponse, err error) {
		var bodies []string
		for _, m := range e.Records {
			bodies = append(bodies, m.Body)
			if strings.HasPrefix(m.Body, "poison") {
				out.BatchItemFailures = append(out.BatchItemFailures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			}
		}
		slices.Sort(bodies)
		batches <- bodies
		return out, nil
	}
	em, _ := stack(t, `
  Dead: {Type: AWS::SQS::Queue}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 9
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            BatchSize: 3
            MaximumBatchingWindowInSeconds: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
Outputs:
  Queue: {Value: !Ref Queue}
  Dead: {Value: !Ref Dead}
`, func(cfg *emulator.Config) {
		cfg.Clock, cfg.Functions = clock, map[string]emulator.Function{"Work": lambda.NewHandler(work)}
	})
	queues := sqs.NewFromConfig(user(t, em))
	send := func(bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			_, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(em.Outputs()["Queue"]), MessageBody: &body})
			is.NoErr(err)
		}
	}
	none := func() {
		t.Helper()
		em.Flush()
		is.Equal(len(batches), 0)
	}
	send("a", "b", "poison")
	is.Equal(<-batches, []string{"a", "b", "poison"}) // full: it does not wait
	none()
	send("c")
	none() // it waits
	clock.Advance(10*time.Second - time.Millisecond)
	none()
	clock.Advance(time.Millisecond)
	is.Equal(<-batches, []string{"c"})
	em.Flush()
	clock.Advance(50 * time.Second) // the poison is there again
	none()
	send("d")
	none()
	clock.Advance(10 * time.Second)
	is.Equal(<-batches, []string{"d", "poison"})
	em.Flush()
	clock.Advance(time.Minute)
	none()
	clock.Advance(10 * time.Second)
	is.Equal(<-batches, []string{"poison"}) // for the third and last time
	em.Flush()
	clock.Advance(time.Minute)
	none()
	got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(em.Outputs()["Dead"]), WaitTimeSeconds: 20})
	is.NoErr(err)
	is.Equal(len(got.Messages), 1)
	is.Equal(*got.Messages[0].Body, "poison")
	clock.Advance(10 * time.Minute)
	none()
	for _, q := range em.Queues() {
		if q.URL == em.Outputs()["Queue"] {
			is.Equal(q.Visible+q.InFlight+q.Delayed, 0)
		}
	}
}

// A whole batch fails when the function does, and comes again; a push tells of nothing of it.
func TestABatchFailsWithItsFunction(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	tries := make(chan []string, 10)
	fails := 1
	em, _ := stack(t, `
  Pushes:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ecr], detail: {action-type: [PUSH], image-tag: [{exists: true}]}}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}]}
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 10
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 10, MaximumBatchingWindowInSeconds: 5}}}
`, func(cfg *emulator.Config) {
		cfg.Clock = clock
		cfg.Functions = map[string]emulator.Function{"Work": function(func(_ context.Context, payload []byte) ([]byte, error) {
			var e lambdaevents.SQSEvent
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			var tags []string
			for _, m := range e.Records {
				told, err := ecr.Decode([]byte(m.Body))
				if err != nil {
					return nil, err
				}
				tags = append(tags, told.Image.Tag)
			}
			slices.Sort(tags)
			tries <- tags
			if fails--; fails >= 0 {
				panic("out of cheese")
			}
			return nil, nil
		})}
	})
	for _, tag := range []string{"v1", "v2", "v3"} {
		em.Push("team/app:" + tag)
	}
	em.Flush()
	clock.Advance(5 * time.Second)
	is.Equal(<-tries, []string{"v1", "v2", "v3"})
	em.Flush()
	clock.Advance(time.Minute)
	em.Flush()
	clock.Advance(5 * time.Second)
	is.Equal(<-tries, []string{"v1", "v2", "v3"})
	em.Flush()
	clock.Advance(10 * time.Minute)
	em.Flush()
	is.Equal(len(tries), 0)
}

// A process that dies over a batch, by itself or by a signal, takes nothing with it: the batch comes again, and what kills every
// process is a dead letter in the end.
func TestAProcessDiesOverABatch(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em, logs := stack(t, `
  Dead: {Type: AWS::SQS::Queue}
  Exits: {Type: AWS::SQS::Queue, Properties: {QueueName: exits, VisibilityTimeout: 60, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}}
  Hangs: {Type: AWS::SQS::Queue, Properties: {QueueName: hangs, VisibilityTimeout: 60, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}}
  Exit:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {DO: exit}}, Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Exits.Arn}}}}
  Hang:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {DO: hang}}, Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Hangs.Arn}}}}
Outputs:
  Dead: {Value: !Ref Dead}
`, func(cfg *emulator.Config) { cfg.Clock = clock })
	queues := sqs.NewFromConfig(user(t, em))
	for _, q := range em.Queues() {
		if q.URL != em.Outputs()["Dead"] {
			_, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String(q.Name)})
			is.NoErr(err)
		}
	}
	for range 2 {
		line := logs.wait("Hang", "hanging ")
		pid, err := strconv.Atoi(strings.TrimPrefix(line, "hanging "))
		is.NoErr(err)
		process, err := os.FindProcess(pid)
		is.NoErr(err)
		is.NoErr(process.Kill())
		_ = process.Release()
		em.Flush()
		clock.Advance(time.Minute)
	}
	em.Flush()
	var dead []string
	for range 2 {
		got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(em.Outputs()["Dead"]), WaitTimeSeconds: 20})
		is.NoErr(err)
		is.Equal(len(got.Messages), 1)
		dead = append(dead, *got.Messages[0].Body)
	}
	slices.Sort(dead)
	is.Equal(dead, []string{"exits", "hangs"})
	for _, f := range em.Functions() {
		is.Equal(f.Invocations, uint64(2))
		is.Equal(f.Errors, uint64(2))
	}
}
