package emulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events/ecr"
)

// Every kind of timer in the house obeys the clock that `regcast clock` moves: advance, quiet, look.

// retrying has a function tried three times, 30 s apart.
var retrying = emulator.File{Name: "retry.yaml", Data: []byte(`
id: a1sretry000000000000
name: retry
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: 10, cutoff: 10s}
    invoke_function:
      function_id: d4efails000000000000
      service_account_id: ajeregcastaccount000
      retry_settings: {retry_attempts: 2, interval: 30s}
status: ACTIVE
`)}

func TestCutoffObeys(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Frozen: true, Triggers: []emulator.File{trigger(100, "60s")}})
	ws := em.Dial("/ws")
	em.Push("team/app:v1")
	move(t, em, `{"advance":"59.999s"}`)
	is.Equal(em.Triggers()[0].Waiting, 2)
	move(t, em, `{"advance":"1ms"}`)
	is.Equal(em.Triggers()[0].Waiting, 0)
	ws.Expect("create-image", "create-image-tag")
}

func TestIdleSocketsObey(t *testing.T) {
	is := is.New(t)
	gone := make(chan string, 10)
	em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) { cfg.Frozen = true })
	for _, path := range []string{"/ws", "/live"} {
		ws := em.Dial(path)
		move(t, em, `{"advance":"9m59s"}`)
		is.Equal(len(em.Connections()), 1)
		move(t, em, `{"advance":"1s"}`)
		is.Equal(len(em.Connections()), 0)
		is.Equal(websocket.CloseStatus(ws.Ended()), websocket.StatusGoingAway)
	}
	<-gone // $disconnect
}

func TestOldSocketsObey(t *testing.T) {
	is := is.New(t)
	gone := make(chan string, 10)
	em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) { cfg.Frozen = true })
	for path, life := range map[string]time.Duration{"/ws": time.Hour, "/live": 2 * time.Hour} {
		ws, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(em.URL(), "http")+path, nil)
		is.NoErr(err)
		ended := ws.CloseRead(t.Context())
		since := em.ClockState().Now
		for left := life; left > 0; left -= 5 * time.Minute { // it is never idle
			is.Equal(len(em.Connections()), 1)
			is.NoErr(ws.Ping(t.Context()))
			move(t, em, `{"advance":"5m"}`)
		}
		is.Equal(em.ClockState().Now.Sub(since), life)
		is.Equal(len(em.Connections()), 0)
		<-ended.Done()
	}
	<-gone
}

func TestRetriesOfTriggersObey(t *testing.T) {
	is := is.New(t)
	calls := 0
	cfg := emulator.Config{Frozen: true, Triggers: []emulator.File{retrying}}
	cfg.Functions = map[string]emulator.Function{"d4efails000000000000": function(func(context.Context, []byte) ([]byte, error) {
		if calls++; calls < 3 {
			return nil, fmt.Errorf("not the %d. time", calls)
		}
		return []byte(`{}`), nil
	})}
	em := emulatortest.Start(t, cfg)
	em.Push("team/app:v1")
	move(t, em, `{"advance":"10s"}`)
	is.Equal(calls, 1)
	quiet(t, em) // which does not wait for the retry
	move(t, em, `{"advance":"29s"}`)
	is.Equal(calls, 1)
	move(t, em, `{"advance":"1s"}`)
	is.Equal(calls, 2)
	move(t, em, `{"advance":"30s"}`)
	is.Equal(calls, 3)
	quiet(t, em)
	is.Equal([]any{em.Triggers()[0].Delivered, em.Triggers()[0].Lost}, []any{uint64(1), uint64(0)})
}

func TestQueuesObey(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, `
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: q, DelaySeconds: 60, VisibilityTimeout: 30, MessageRetentionPeriod: 3600}}
`, func(cfg *emulator.Config) { cfg.Frozen = true })
	client := sqs.NewFromConfig(user(t, em))
	made, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	is.NoErr(err)
	receive := func() (n int) {
		t.Helper()
		got, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl})
		is.NoErr(err)
		return len(got.Messages)
	}
	_, err = client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("x")})
	is.NoErr(err)
	move(t, em, `{"advance":"59s"}`)
	is.Equal(receive(), 0) // delayed
	move(t, em, `{"advance":"1s"}`)
	is.Equal(receive(), 1)
	move(t, em, `{"advance":"29s"}`)
	is.Equal(receive(), 0) // in flight
	move(t, em, `{"advance":"1s"}`)
	is.Equal(receive(), 1)
	move(t, em, `{"advance":"58m"}`) // an hour less ten seconds
	move(t, em, `{"advance":"20s"}`)
	is.Equal(receive(), 1)
	move(t, em, `{"advance":"40s"}`)
	is.Equal(receive(), 0) // too old
	counts, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	is.NoErr(err)
	is.Equal(counts.Attributes["ApproximateNumberOfMessagesNotVisible"], "0")
}

func TestExpiryOfItemsObeys(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Frozen: true})
	client := dynamodb.NewFromConfig(user(t, em))
	name := aws.String("items")
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name, BillingMode: dynamodbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamodbtypes.AttributeDefinition{{AttributeName: aws.String("k"), AttributeType: "S"}},
		KeySchema:            []dynamodbtypes.KeySchemaElement{{AttributeName: aws.String("k"), KeyType: "HASH"}},
	})
	is.NoErr(err)
	_, err = client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: name,
		TimeToLiveSpecification: &dynamodbtypes.TimeToLiveSpecification{AttributeName: aws.String("gone"), Enabled: aws.Bool(true)}})
	is.NoErr(err)
	gone := em.ClockState().Now.Add(time.Hour).Unix()
	_, err = client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: name, Item: map[string]dynamodbtypes.AttributeValue{
		"k": &dynamodbtypes.AttributeValueMemberS{Value: "x"}, "gone": &dynamodbtypes.AttributeValueMemberN{Value: fmt.Sprint(gone)},
	}})
	is.NoErr(err)
	count := func() int32 {
		out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: name})
		is.NoErr(err)
		return out.Count
	}
	move(t, em, `{"advance":"59m"}`)
	is.Equal(count(), int32(1))
	move(t, em, `{"advance":"1m1s"}`)
	is.Equal(count(), int32(0))
}

func TestExpiryOfTokensObeys(t *testing.T) {
	is := is.New(t)
	h := openRights(t, emulator.Config{Frozen: true, StrictAuth: true})
	_, authorization := h.account("robot")
	ask := func() int {
		code, _ := h.ask("GET", "/iam/v1/serviceAccounts?folderId=b1gnone", authorization, "")
		return code
	}
	move(t, h.Emulator, `{"advance":"11h59m"}`)
	is.Equal(ask(), http.StatusNotFound) // who asks is known, the folder is not
	move(t, h.Emulator, `{"advance":"1m"}`)
	is.Equal(ask(), http.StatusUnauthorized)
}

func TestDecisionsOfAuthorizersObey(t *testing.T) {
	is := is.New(t)
	asked := 0
	em := emulatortest.Start(t, emulator.Config{Frozen: true,
		Gateways: []emulator.Gateway{{ID: "d5dguarded0000000000", File: emulator.File{Name: "spec.yaml", Data: []byte(`openapi: 3.0.0
paths:
  /in: {get: {security: [{guard: []}], x-yc-apigateway-integration: {type: dummy, content: {'*': in}}}}
components:
  securitySchemes:
    guard: {type: http, scheme: basic, x-yc-apigateway-authorizer: {type: function, function_id: d4eguard, authorizer_result_ttl_in_seconds: 300}}
`)}}},
		Functions: map[string]emulator.Function{"d4eguard": function(func(context.Context, []byte) ([]byte, error) {
			asked++
			return []byte(`{"isAuthorized":true}`), nil
		})},
	})
	enter := func() int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, em.URL()+"/gw/d5dguarded0000000000/in", nil)
		is.NoErr(err)
		req.SetBasicAuth("me", "x")
		code, text := do(t, em.Client(), req)
		is.Equal([]any{code, text}, []any{http.StatusOK, "in"})
		return asked
	}
	is.Equal(enter(), 1)
	move(t, em, `{"advance":"299s"}`)
	is.Equal(enter(), 1)
	move(t, em, `{"advance":"1s"}`)
	is.Equal(enter(), 2)
}

func TestRetriesOfAsynchronousInvocationsObey(t *testing.T) {
	is := is.New(t)
	var em *emulatortest.Emulator
	var at []time.Duration
	var began time.Time
	em, _ = stack(t, `
  Pushes: {Type: AWS::Events::Rule, Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: f, Arn: !GetAtt Fail.Arn}]}}
  May:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref Fail, Principal: events.amazonaws.com, SourceArn: !GetAtt Pushes.Arn}
  Fail: {Type: AWS::Serverless::Function}
`, func(cfg *emulator.Config) {
		cfg.Frozen = true
		cfg.Functions = map[string]emulator.Function{"Fail": function(func(context.Context, []byte) ([]byte, error) {
			at = append(at, em.ClockState().Now.Sub(began))
			return nil, fmt.Errorf("no")
		})}
	})
	began = em.ClockState().Now
	em.Push("team/app:v1")
	quiet(t, em)
	is.Equal(at, []time.Duration{0})
	move(t, em, `{"advance":"1h"}`)
	is.Equal(at, []time.Duration{0, time.Minute, 3 * time.Minute})
}

// A process that is not used is ended, and one that hangs has its time limit.
func TestEnvironmentsObey(t *testing.T) {
	is := is.New(t)
	em, logs := stack(t, `
  Echo: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: echo}}}}
  Hang: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: hang}}}}
`, func(cfg *emulator.Config) { cfg.Frozen = true })
	_, err := em.Invoke(t.Context(), "Echo", []byte(`{}`))
	is.NoErr(err)
	quiet(t, em)
	environments := func() int { return em.Functions()[0].Processes }
	is.Equal(environments(), 1)
	move(t, em, `{"advance":"9m59s"}`)
	is.Equal(environments(), 1)
	move(t, em, `{"advance":"1s"}`)
	is.Equal(environments(), 0)

	failed := make(chan error, 1)
	go func() {
		_, err := em.Invoke(t.Context(), "Hang", []byte(`{}`))
		failed <- err
	}()
	logs.wait("Hang", "hanging")
	move(t, em, `{"advance":"1m"}`) // which waits for it in vain for a while
	is.True(strings.Contains((<-failed).Error(), "Task timed out after 60.00 seconds"))
}

func TestUploadsObey(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Frozen: true})
	res, err := em.Client().Post(em.URL()+"/v2/team/app/blobs/uploads/", "", nil)
	is.NoErr(err)
	res.Body.Close()
	is.Equal(res.StatusCode, http.StatusAccepted)
	ask := func() int {
		code, _ := request(t, em, http.MethodGet, res.Header.Get("Location"), "")
		return code
	}
	move(t, em, `{"advance":"59m"}`)
	is.Equal(ask(), http.StatusNoContent)
	move(t, em, `{"advance":"1h"}`)
	is.Equal(ask(), http.StatusNotFound)
}

// Clients sign by the machine's clock, the only one they have: a house that is a day ahead takes what they sign.
func TestSignaturesGoByTheMachine(t *testing.T) {
	is := is.New(t)
	gone := make(chan string, 10)
	em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) { cfg.StrictAuth, cfg.Frozen = true, true })
	move(t, em, `{"advance":"24h"}`)
	api := apigatewaymanagementapi.NewFromConfig(user(t, em), address(em))
	ws := em.Dial("/live")
	_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: aws.String(em.Connections()[0].ID), Data: []byte("hello")})
	is.NoErr(err)
	is.Equal(string(ws.Read()), "hello")
}

// What is on record says when it was by the house's clock.
func TestRecordsTellTheHousesTime(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Frozen: true, Start: time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)})
	now := move(t, em, `{"advance":"1h"}`).Now
	em.Push("team/app:v1")
	quiet(t, em)
	for _, l := range history(t, em, "?topic=record,step") {
		is.True(l.At.Equal(now))
		if l.Record != nil {
			for _, c := range l.Record.Changes {
				is.True(c.At.Equal(now))
			}
			for _, ev := range l.Record.Events {
				var text struct{ Time time.Time }
				if ev.Source == ecr.Source && json.Unmarshal(ev.Body, &text) == nil {
					is.Equal(text.Time, now.Truncate(time.Second))
				}
			}
		}
	}
}
