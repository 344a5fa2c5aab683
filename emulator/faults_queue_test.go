package emulator_test

import (
	"context"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events/ecr"
)

// What a rule puts into a queue, and what the queue hands to its function, comes twice, later or in another order, and nothing is lost.
func TestFaultsThroughAQueue(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault emulator.Fault
		calls string // the tags of each batch
	}{
		{"an event twice", emulator.Fault{Step: emulator.FaultMatch, Trigger: "*Pushes*", Action: emulator.FaultDuplicate, After: 1, Next: 2}, "a, b b, c c"},
		{"an event overtaken", emulator.Fault{Step: emulator.FaultMatch, Trigger: "*Pushes*", Action: emulator.FaultReorder, Delay: time.Hour}, "b a, c"},
		{"an event late", emulator.Fault{Step: emulator.FaultMatch, Trigger: "*Pushes*", Action: emulator.FaultDelay, Delay: 12 * time.Second}, "b, c a"},
		{"a record twice", emulator.Fault{Step: emulator.FaultPublish, Action: emulator.FaultDuplicate}, "a a, b, c"},
		{"a call twice", emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultDuplicate}, "a, a, b, c"},
		{"a call overtaken", emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultReorder, Delay: time.Hour}, "b, a, c"},
		{"a call overtaken by nobody", emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultReorder, After: 2, Delay: time.Minute}, "a, b, c"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			clock := emulatortest.NewClock()
			calls := make(chan string, 100)
			em, _ := stack(t, `
  Pushes: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 43200}}
  Work:
    Type: AWS::Serverless::Function
    Properties: {Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 100, MaximumBatchingWindowInSeconds: 5}}}}
`, func(cfg *emulator.Config) {
				tc.fault.Next = max(1, tc.fault.Next)
				cfg.Clock, cfg.Faults = clock, []emulator.Fault{tc.fault}
				cfg.Functions = map[string]emulator.Function{"Work": lambda.NewHandler(func(_ context.Context, e lambdaevents.SQSEvent) error {
					var tags []string
					for _, m := range e.Records {
						got, err := ecr.Decode([]byte(m.Body))
						if err != nil {
							return err
						}
						tags = append(tags, got.Image.Tag)
					}
					calls <- strings.Join(tags, " ")
					return nil
				})}
			})
			for _, tag := range []string{"a", "b", "c"} {
				tagged(t, em, tag)
				is.NoErr(em.Advance(t.Context(), 5*time.Second))
			}
			is.NoErr(em.Advance(t.Context(), time.Hour))
			var got []string
			for len(calls) > 0 {
				got = append(got, <-calls)
			}
			is.Equal(strings.Join(got, ", "), tc.calls)
			for _, q := range em.Queues() {
				is.Equal(q.Visible+q.InFlight+q.Delayed, 0)
			}
		})
	}
}
