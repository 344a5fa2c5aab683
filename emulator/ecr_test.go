package emulator_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/recording"
)

// everything is a rule that wants all of ECR, a queue, and a function behind it.
const everything = `
  Everything: {Type: AWS::Events::Rule, Properties: {Name: everything, EventPattern: {source: [aws.ecr]}, Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]}}
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}]}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: events, VisibilityTimeout: 360}}
  Work:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: work, Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 1}}}}
`

// listener is a function for everything; it gets the bodies of the messages.
func listener(got chan<- string) func(*emulator.Config) {
	return func(cfg *emulator.Config) {
		cfg.Functions = map[string]emulator.Function{"Work": lambda.NewHandler(func(_ context.Context, e lambdaevents.SQSEvent) error {
			for _, m := range e.Records {
				got <- m.Body
			}
			return nil
		})}
	}
}

// journalled are the events of AWS on record, in order.
func journalled(t *testing.T, em *emulatortest.Emulator) (all []ecr.Event) {
	t.Helper()
	res, err := em.Client().Get(em.URL() + "/_regcast/journal")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := json.NewDecoder(res.Body); ; {
		var line recording.Line
		switch err := lines.Decode(&line); {
		case err == io.EOF:
			return all
		case err != nil:
			t.Fatal(err)
		}
		if line.Record == nil {
			continue
		}
		for _, e := range line.Record.Events {
			if e.Source == ecr.Source {
				all = append(all, event(t, string(e.Body)))
			}
		}
	}
}

// What a registry does, in ECR's words: on record, and as a function gets it.
func TestECREventsOfEachRegistryAction(t *testing.T) {
	is := is.New(t)
	got := make(chan string, 100)
	em, _ := stack(t, everything, listener(got), func(cfg *emulator.Config) { cfg.Template.Region, cfg.Template.Account = "eu-central-1", "210987654321" })
	a := em.Push("team/app:v1")
	em.Tag("team/app:v2", a)
	em.Tag("team/app:v2", a)    // nothing changes
	b := em.Push("team/app:v1") // the tag moves
	c := em.Push("team/app")
	em.Delete("team/app:v2")
	em.Delete("team/app@" + b)
	em.Delete("team/app@" + a)
	ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "team/other", Tag: "v9", Digest: c})
	is.NoErr(err)
	em.Flush()

	all := journalled(t, em)
	var said []string
	names := strings.NewReplacer(a, "a", b, "b", c, "c")
	for _, e := range all {
		said = append(said, strings.TrimSpace(names.Replace(e.Image.Action+" "+e.Image.Repository+" "+e.Image.Digest+" "+e.Image.Tag)))
		is.Equal(e.DetailType, "ECR Image Action")
		is.Equal(e.Image.Result, "SUCCESS")
		is.Equal(e.Account, "210987654321")
		is.Equal(e.Region, "eu-central-1")
		is.Equal(len(e.Resources), 0)
	}
	is.Equal(said, []string{
		"PUSH team/app a v1", "PUSH team/app a v2", "PUSH team/app b v1", "PUSH team/app c",
		"DELETE team/app a v2", "DELETE team/app b v1", "DELETE team/app a", "PUSH team/other c v9",
	})
	is.True(slices.Contains(ids, all[len(all)-1].ID)) // of both clouds' events, emit tells

	is.Equal(len(got), len(all))
	known := map[string]bool{}
	for range all {
		known[event(t, <-got).ID] = true
	}
	for _, e := range all {
		is.True(known[e.ID])
	}
}

// The walk of an event of AWS: its rule, its queue, its function.
func TestTraceOfAnECREvent(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, everything, listener(make(chan string, 100)))
	em.Push("team/app:v1")
	em.Flush()
	trace, err := em.Trace(t.Context(), journalled(t, em)[0].ID)
	is.NoErr(err)
	is.Equal(trace.Event.Type, ecr.Push)
	is.Equal(trace.Change.Tag, "v1")
	var steps []string
	for _, s := range trace.Steps {
		steps = append(steps, s.Room+" "+s.What+" "+s.Who)
	}
	is.Equal(steps, []string{"trigger matched ", "trigger delivered everything", "queue delivered work"})
	for n, want := range []string{"wanted by everything", "to the queue events", "1 of 1 messages handled"} {
		is.True(strings.HasPrefix(trace.Steps[n].Text, want))
	}
}
