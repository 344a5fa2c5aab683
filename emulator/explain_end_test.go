package emulator_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording/explain"
)

const queued = `
Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead}}
  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q, VisibilityTimeout: 30, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}}
  Pushes: {Type: AWS::Events::Rule, Properties: {Name: pushes, EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Q.Arn}]}}
  F:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: f, Runtime: provided.al2023, Handler: bootstrap, CodeUri: ., Events: {Q: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}}}
`

// The first sentence is about the end, whatever went wrong on the way: through a queue, and its dead letters.
func TestExplainBeginsWithTheEnd(t *testing.T) {
	is := is.New(t)
	var failures atomic.Int64
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{
		Clock:    clock,
		Template: &emulator.Template{File: emulator.File{Name: "t.yaml", Data: []byte(queued)}},
		Functions: map[string]emulator.Function{"F": function(func(context.Context, []byte) ([]byte, error) {
			if failures.Add(-1) >= 0 {
				return nil, errors.New("boom")
			}
			return nil, nil
		})},
	})
	ask := func() explain.Explanation {
		t.Helper()
		em.Flush()
		x, err := em.Explain(t.Context(), "last", "")
		is.NoErr(err)
		return x
	}
	failures.Store(1)
	em.Push("team/app:v1")
	x := ask()
	is.Equal(x.Outcome, explain.Waiting)
	is.Equal(x.Ends[0].Until, clock.Now().Add(30*time.Second))
	is.True(strings.HasPrefix(x.Answer, "pushes fired, and the event waits in the queue q for its next attempt, due in 30.0 s: f failed at attempt 1: "))
	is.True(strings.HasSuffix(x.Answer, "boom"))

	clock.Advance(30 * time.Second)
	x = ask()
	is.Equal([]any{x.Outcome, x.Ends[0].Attempt, x.Ends[0].Trigger, x.Ends[0].Who}, []any{explain.Delivered, 2, "pushes", "f"})
	is.True(strings.HasPrefix(x.Answer, "pushes fired: delivered to the queue q, and f handled it at attempt 2; before that it failed: "))

	failures.Store(2)
	em.Push("team/app:v2")
	em.Flush()
	clock.Advance(30 * time.Second)
	em.Flush()
	clock.Advance(30 * time.Second) // the queue gives up what is received once more
	x = ask()
	is.Equal([]any{x.Outcome, x.Ends[0].Attempt, x.Ends[0].DeadLetter}, []any{explain.DeadLettered, 2, "dead"})
	is.True(strings.HasPrefix(x.Answer, "pushes fired, and the event was given up, but the dead-letter queue dead has it: f: received 2 times in vain"))
}
