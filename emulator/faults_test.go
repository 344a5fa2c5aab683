package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
)

// tagged publishes tags and returns the ids of their events.
func tagged(t *testing.T, em *emulatortest.Emulator, tags ...string) []string {
	t.Helper()
	var ids []string
	for _, tag := range tags {
		status, text := request(t, em, "POST", "/_regcast/events", fmt.Sprintf(`{"kind":"tag","repository":"app","tag":%q}`, tag))
		var told struct {
			EventIDs []string `json:"event_ids"`
		}
		if err := json.Unmarshal([]byte(text), &told); err != nil || status != http.StatusAccepted {
			t.Fatal(status, text)
		}
		ids = append(ids, told.EventIDs...)
	}
	em.Flush()
	return ids
}

// gets reads frames with an event each, and wants these tags of them.
func gets(t *testing.T, ws *emulatortest.Socket, tags string) {
	t.Helper()
	var got []string
	for range strings.Fields(tags) {
		got = append(got, ws.Expect("create-image-tag")[0].Details.Tag)
	}
	if strings.Join(got, " ") != tags {
		t.Fatalf("got %v, want %s", got, tags)
	}
}

// Wherever events pass: what a fault does there is what a client sees.
func TestFaultsOnTheWalk(t *testing.T) {
	for _, step := range []emulator.FaultStep{emulator.FaultPublish, emulator.FaultMatch, emulator.FaultSend} {
		for _, tc := range []struct {
			fault      emulator.Fault
			want, late string
		}{
			{emulator.Fault{Action: emulator.FaultDrop, Next: 1, After: 1}, "a c", ""},
			{emulator.Fault{Action: emulator.FaultDuplicate, Next: 1}, "a a b c", ""},
			{emulator.Fault{Action: emulator.FaultReorder, Next: 1}, "b a c", ""},
			{emulator.Fault{Action: emulator.FaultReorder, Next: 1, After: 2, Delay: time.Minute}, "a b", "c"},
			{emulator.Fault{Action: emulator.FaultDelay, Delay: time.Minute, Next: 2}, "c", "a b"},
		} {
			t.Run(string(step)+" "+tc.fault.What(), func(t *testing.T) {
				is := is.New(t)
				clock := emulatortest.NewClock()
				em := emulatortest.Start(t, emulator.Config{Clock: clock})
				ws := em.Dial("/ws")
				tc.fault.Step = step
				id := em.Fault(tc.fault)
				ids := tagged(t, em, "a", "b", "c")
				gets(t, ws, tc.want)
				clock.Advance(time.Minute)
				em.Flush()
				gets(t, ws, tc.late)
				em.RemoveFault(id)
				ids = append(ids, tagged(t, em, "end")...)
				gets(t, ws, "end") // nothing was between

				// Each fault that happened is in the trace of its event.
				injected := 0
				for _, event := range ids {
					trace, err := em.Trace(t.Context(), event)
					is.NoErr(err)
					for _, s := range trace.Steps {
						if s.What == events.StepFault {
							injected++
							is.Equal(s.Room, "fault")
							is.Equal(s.Who, id)
							is.Equal(s.Data["step"], string(step))
							is.Equal(s.Data["action"], string(tc.fault.Action))
						}
					}
				}
				is.Equal(injected, tc.fault.Next)
			})
		}
	}
}

// A house that closes hands on what faults hold back, and closes though a fault has made a client slow.
func TestFaultsAtTheEnd(t *testing.T) {
	for _, step := range []emulator.FaultStep{emulator.FaultPublish, emulator.FaultMatch, emulator.FaultSend} {
		t.Run(string(step), func(t *testing.T) {
			is := is.New(t)
			em := emulatortest.Start(t, emulator.Config{Clock: emulatortest.NewClock(), Faults: []emulator.Fault{
				{Step: step, Action: emulator.FaultDelay, Delay: time.Hour},
			}})
			ws := em.Dial("/ws")
			tagged(t, em, "a", "b")
			closed := make(chan error, 1)
			go func() { closed <- em.Close(context.Background()) }()
			gets(t, ws, "a b")
			is.Equal(websocket.CloseStatus(ws.Ended()), websocket.StatusGoingAway)
			is.NoErr(<-closed)
		})
	}
	t.Run("slow", func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{Clock: emulatortest.NewClock()})
		ws := em.Dial("/ws")
		em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultSlow, Next: 1})
		tagged(t, em, "a", "b")
		closed := make(chan error, 1)
		go func() { closed <- em.Close(context.Background()) }()
		gets(t, ws, "a b")
		is.Equal(websocket.CloseStatus(ws.Ended()), websocket.StatusGoingAway)
		is.NoErr(<-closed)
	})
}

func TestFaultsOfFrames(t *testing.T) {
	t.Run("torn", func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{})
		ws := em.Dial("/ws")
		em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultTorn, Path: "/ws", After: 1, Next: 1})
		tagged(t, em, "a", "b")
		gets(t, ws, "a")
		err := ws.Ended()
		is.Equal(websocket.CloseStatus(err), websocket.StatusCode(-1)) // no close frame: it broke off
		is.True(strings.Contains(err.Error(), "EOF"))
	})
	t.Run("close", func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{})
		ws := em.Dial("/ws")
		em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultClose, Code: "1011", Next: 1})
		tagged(t, em, "a")
		is.Equal(websocket.CloseStatus(ws.Ended()), websocket.StatusInternalError)
	})
	t.Run("slow", func(t *testing.T) {
		em := emulatortest.Start(t, emulator.Config{})
		slow, fast := em.Dial("/ws"), em.Dial("/ws")
		id := em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultSlow, Next: 1})
		tagged(t, em, "a", "b") // and Flush does not wait for them
		request(t, em, "DELETE", "/_regcast/faults/"+id, "")
		gets(t, slow, "a b")
		gets(t, fast, "a b")
	})
	t.Run("error", func(t *testing.T) {
		is := is.New(t)
		em := emulatortest.Start(t, emulator.Config{})
		ws := em.Dial("/ws")
		em.Fault(emulator.Fault{Step: emulator.FaultSend, Action: emulator.FaultError, Code: "503", Next: 1})
		ids := tagged(t, em, "a", "b")
		gets(t, ws, "b")
		trace, err := em.Trace(t.Context(), ids[0])
		is.NoErr(err)
		last := trace.Steps[len(trace.Steps)-1]
		is.Equal(last.What, events.StepLost)
		is.True(strings.Contains(last.Text, "did not take it"))
	})
}

func TestFaultsOfConnections(t *testing.T) {
	start := func(t *testing.T, f emulator.Fault) (*emulatortest.Emulator, *emulatortest.Clock) {
		clock := emulatortest.NewClock()
		f.Step = emulator.FaultConnection
		return emulatortest.Start(t, emulator.Config{Clock: clock, Faults: []emulator.Fault{f}}), clock
	}
	t.Run("error", func(t *testing.T) {
		is := is.New(t)
		em, _ := start(t, emulator.Fault{Action: emulator.FaultError, Code: "429", Next: 1})
		_, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(em.URL(), "http")+"/ws", nil)
		is.True(err != nil)
		is.Equal(res.StatusCode, 429)
		em.Dial("/ws") // the next is let in
	})
	t.Run("timeout", func(t *testing.T) {
		is := is.New(t)
		em, _ := start(t, emulator.Fault{Action: emulator.FaultError, Code: emulator.FaultTimeout, Next: 1})
		ctx, cancel := context.WithCancel(t.Context())
		dialled := make(chan error)
		go func() {
			_, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(em.URL(), "http")+"/ws", nil)
			dialled <- err
		}()
		awaitFault(t, em)
		em.Dial("/ws") // others come in meanwhile
		cancel()
		is.True(errors.Is(<-dialled, context.Canceled))
	})
	t.Run("delay", func(t *testing.T) {
		em, clock := start(t, emulator.Fault{Action: emulator.FaultDelay, Delay: time.Minute, Next: 1})
		in := make(chan *emulatortest.Socket)
		go func() { in <- em.Dial("/ws") }()
		awaitFault(t, em)
		clock.Advance(time.Minute)
		<-in
	})
	t.Run("close later", func(t *testing.T) {
		is := is.New(t)
		em, clock := start(t, emulator.Fault{Action: emulator.FaultClose, Code: "4001", Delay: time.Minute})
		ws := em.Dial("/ws")
		tagged(t, em, "a")
		gets(t, ws, "a")
		clock.Advance(time.Minute)
		is.Equal(websocket.CloseStatus(ws.Ended()), websocket.StatusCode(4001))
	})
	t.Run("drop", func(t *testing.T) {
		is := is.New(t)
		em, _ := start(t, emulator.Fault{Action: emulator.FaultDrop})
		is.Equal(websocket.CloseStatus(em.Dial("/ws").Ended()), websocket.StatusCode(-1))
	})
	t.Run("torn", func(t *testing.T) {
		is := is.New(t)
		em, _ := start(t, emulator.Fault{Action: emulator.FaultTorn, Next: 1})
		torn, whole := em.Dial("/ws"), em.Dial("/ws")
		tagged(t, em, "a")
		is.True(strings.Contains(torn.Ended().Error(), "EOF"))
		gets(t, whole, "a")
	})
	t.Run("slow", func(t *testing.T) {
		em, _ := start(t, emulator.Fault{Action: emulator.FaultSlow, Next: 1})
		slow, fast := em.Dial("/ws"), em.Dial("/ws")
		tagged(t, em, "a")
		gets(t, fast, "a")
		em.ClearFaults()
		gets(t, slow, "a")
	})
	t.Run("late disconnect", func(t *testing.T) {
		is := is.New(t)
		gone := make(chan string, 10)
		clock := emulatortest.NewClock()
		em, _ := stack(t, sockets, handlers(gone), func(cfg *emulator.Config) { cfg.Clock = clock })
		em.Fault(emulator.Fault{Step: emulator.FaultConnection, Action: emulator.FaultLateDisconnect, Delay: time.Minute, Next: 1})
		late := em.Dial("/live")
		id := em.Connections()[0].ID
		punctual := em.Dial("/live")
		late.Close()
		punctual.Close()
		first := <-gone
		is.True(first != id) // it left first, and is not heard of
		em.ClearFaults()
		is.Equal(<-gone, id)
	})
}

// The management APIs of both clouds, as a function's SDK sees them.
func TestFaultsOfAPIs(t *testing.T) {
	em, _ := stack(t, sockets+`
  Table: {Type: AWS::DynamoDB::Table, Properties: {TableName: wishes, BillingMode: PAY_PER_REQUEST, AttributeDefinitions: [{AttributeName: id, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
`, handlers(make(chan string, 10)))
	cfg := user(t, em)
	cfg.RetryMaxAttempts = 1
	api := apigatewaymanagementapi.NewFromConfig(cfg, address(em))
	tables, queues := dynamodb.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	ws := em.Dial("/live")
	id := aws.String(em.Connections()[0].ID)
	post := func(text string) error {
		_, err := api.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte(text)})
		return err
	}
	put := func(string) error {
		_, err := tables.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String("wishes"), Item: map[string]dbtypes.AttributeValue{"id": &dbtypes.AttributeValueMemberS{Value: "1"}},
		})
		return err
	}
	send := func(text string) error {
		_, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(em.URL() + "/123456789012/jobs"), MessageBody: &text})
		return err
	}
	for _, tc := range []struct {
		fault emulator.Fault
		call  func(string) error
		code  string // empty: a broken connection
	}{
		{emulator.Fault{Step: emulator.FaultAPI, Code: "410", API: "connections.*"}, post, "GoneException"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "429", API: "connections.Post*"}, post, "LimitExceededException"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "403", Connection: *id}, post, "ForbiddenException"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "500"}, post, "InternalServerErrorException"},
		{emulator.Fault{Step: emulator.FaultSend, Code: "410"}, post, "GoneException"},
		{emulator.Fault{Step: emulator.FaultSend, Code: "429"}, post, "LimitExceededException"},
		{emulator.Fault{Step: emulator.FaultSend, Code: "500"}, post, "InternalServerErrorException"},
		{emulator.Fault{Step: emulator.FaultSend, Code: "503"}, post, "ServiceUnavailableException"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "429", API: "dynamodb.PutItem"}, put, "ProvisionedThroughputExceededException"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "500", API: "dynamodb.*"}, put, "InternalServerError"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "429", API: "sqs.*"}, send, "RequestThrottled"},
		{emulator.Fault{Step: emulator.FaultAPI, Code: "503", API: "sqs.SendMessage"}, send, "ServiceUnavailable"},
		{emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultDrop}, post, ""},
	} {
		t.Run(string(tc.fault.Step)+" "+tc.code+string(tc.fault.Code), func(t *testing.T) {
			is := is.New(t)
			if tc.fault.Action == "" {
				tc.fault.Action = emulator.FaultError
			}
			tc.fault.Next = 1
			em.Fault(tc.fault)
			err := tc.call("lost")
			var told smithy.APIError
			is.Equal(errors.As(err, &told), tc.code != "")
			if told != nil {
				is.Equal(told.ErrorCode(), tc.code)
			}
			is.True(err != nil)
			is.NoErr(tc.call("taken")) // the next is all right
			em.ClearFaults()
		})
	}
	is := is.New(t)
	var limit *apitypes.LimitExceededException
	em.Fault(emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultError, Code: "429", Next: 1})
	is.True(errors.As(post("lost"), &limit)) // the type that SDKs have for it
	em.Fault(emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultDuplicate, Next: 1})
	is.NoErr(post("twice"))
	for range 9 { // of the calls of post above that were taken
		is.Equal(string(ws.Read()), "taken")
	}
	is.Equal(string(ws.Read()), "twice")
	is.Equal(string(ws.Read()), "twice")

	// No answer until the caller gives up.
	em.Fault(emulator.Fault{Step: emulator.FaultAPI, Action: emulator.FaultError, Code: emulator.FaultTimeout, Next: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := api.PostToConnection(ctx, &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: id, Data: []byte("lost")})
	is.True(errors.Is(err, context.DeadlineExceeded))
}

func TestFaultsOfYandexConnections(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	path := "/apigateways/websocket/v1/connections/" + ws.ID() + ":send"
	for code, want := range map[string]struct{ status, grpc int }{"410": {404, 5}, "429": {429, 8}, "500": {500, 13}, "503": {503, 14}} {
		for _, step := range []emulator.FaultStep{emulator.FaultAPI, emulator.FaultSend} {
			f := emulator.Fault{Step: step, Action: emulator.FaultError, Next: 1}
			is.NoErr(json.Unmarshal([]byte(code), &f.Code))
			em.Fault(f)
			status, text := request(t, em, "POST", path, `{"data":"bG9zdA==","type":"TEXT"}`)
			var told struct{ Code int }
			is.NoErr(json.Unmarshal([]byte(text), &told))
			is.Equal(status, want.status)
			is.Equal(told.Code, want.grpc)
		}
	}
	status, _ := request(t, em, "POST", path, `{"data":"b2s=","type":"TEXT"}`)
	is.Equal(status, 200)
	is.Equal(string(ws.Read()), "ok")
}

func TestFaultsOfFunctions(t *testing.T) {
	is := is.New(t)
	calls := make(chan string, 10)
	clock := emulatortest.NewClock()
	em := emulatortest.Start(t, emulator.Config{Clock: clock, Functions: map[string]emulator.Function{
		"work": function(func(_ context.Context, payload []byte) ([]byte, error) {
			calls <- string(payload)
			return payload, nil
		}),
	}})
	invoke := func(payload string) (string, error) {
		answer, err := em.Invoke(t.Context(), "work", []byte(payload))
		return string(answer), err
	}
	for code, ran := range map[string]bool{"429": false, "500": false, "502": false, "503": false, "crash": true} {
		f := emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultError, Function: "wo*", Next: 1}
		if code == "crash" {
			f.Action = emulator.FaultCrash
		} else {
			is.NoErr(json.Unmarshal([]byte(code), &f.Code))
		}
		em.Fault(f)
		_, err := invoke(`"lost"`)
		is.True(err != nil)
		var failed *emulator.FunctionError
		is.Equal(errors.As(err, &failed), code == "502" || code == "crash")
		if ran {
			is.Equal(<-calls, `"lost"`) // it had done its work
		}
		answer, err := invoke(`"taken"`)
		is.NoErr(err)
		is.Equal(answer, `"taken"`)
		is.Equal(<-calls, `"taken"`)
	}
	em.Fault(emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultDuplicate, Next: 1})
	_, err := invoke(`"twice"`)
	is.NoErr(err)
	is.Equal(<-calls, `"twice"`)
	is.Equal(<-calls, `"twice"`)

	em.Fault(emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultError, Code: emulator.FaultTimeout, Next: 1})
	ended := make(chan error)
	go func() {
		_, err := invoke(`"never"`)
		ended <- err
	}()
	awaitFault(t, em, "timeout")
	clock.Advance(3 * time.Second)
	err = <-ended
	is.True(strings.Contains(err.Error(), "Task timed out after 3.00 seconds"))
}

// Whoever calls a function that is held back, the house is quiet meanwhile: it only waits for its time.
func TestFlushDoesNotWaitForFaults(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	done := make(chan string, 10)
	em, _ := stack(t, sockets+`
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, VisibilityTimeout: 360}}
  Worker: {Type: AWS::Serverless::Function, Properties: {Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}}}
`, handlers(make(chan string, 10)), func(cfg *emulator.Config) {
		cfg.Clock = clock
		work := function(func(context.Context, []byte) ([]byte, error) { done <- "done"; return []byte("{}"), nil })
		cfg.Functions["Worker"], cfg.Functions["Default"] = work, work
	})
	ws := em.Dial("/live")
	em.Fault(emulator.Fault{Step: emulator.FaultInvoke, Action: emulator.FaultDelay, Delay: time.Second})
	queues, text := sqs.NewFromConfig(user(t, em)), "job"
	_, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(em.URL() + "/123456789012/jobs"), MessageBody: &text})
	is.NoErr(err)
	ws.Write([]byte("hello"))
	awaitFault(t, em, "Worker")
	awaitFault(t, em, "Default")
	em.Flush()
	is.Equal(len(done), 0)
	clock.Advance(time.Second)
	is.Equal(<-done+<-done, "donedone")
	em.Flush()
}

// awaitFault returns when a fault has happened that says this.
func awaitFault(t *testing.T, em *emulatortest.Emulator, text ...string) {
	t.Helper()
	res, err := em.Client().Get(em.URL() + "/_regcast/journal?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := json.NewDecoder(res.Body); ; {
		var line struct{ Step *events.Step }
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if s := line.Step; s != nil && s.What == events.StepFault && strings.Contains(s.Text, strings.Join(text, "")) {
			return
		}
	}
}

func TestFaultsOfTheRegistry(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	em.Push("team/app:v1")
	for code, want := range map[string]string{
		"401": "UNAUTHORIZED", "403": "DENIED", "429": "TOOMANYREQUESTS", "500": "UNKNOWN", "503": "UNAVAILABLE",
	} {
		f := emulator.Fault{Step: emulator.FaultRegistry, Action: emulator.FaultError, Repository: "team/*", Next: 1}
		is.NoErr(json.Unmarshal([]byte(code), &f.Code))
		em.Fault(f)
		status, text := request(t, em, "GET", "/v2/team/app/manifests/v1", "")
		is.Equal(fmt.Sprint(status), code)
		is.True(strings.Contains(text, want))
		status, _ = request(t, em, "GET", "/v2/team/app/manifests/v1", "")
		is.Equal(status, 200)
	}
	em.Fault(emulator.Fault{Step: emulator.FaultRegistry, Action: emulator.FaultDrop, Repository: "team/app"})
	em.Push("other:v1") // another repository
	_, err := em.Client().Get(em.URL() + "/v2/" + em.Defaults().RegistryID + "/team/app/tags/list")
	is.True(err != nil) // no answer at all
}

func TestFaultsOverHTTP(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	status, text := request(t, em, "POST", "/_regcast/faults", `[{"step":"send","action":"error","code":429,"path":"/ws","next":2},{"id":"x","step":"match","action":"delay","delay":"2s"}]`)
	is.Equal(status, http.StatusCreated)
	is.Equal(strings.TrimSpace(text), `{"faults":[{"id":"f1","step":"send","action":"error","code":429,"path":"/ws","next":2},{"id":"x","step":"match","action":"delay","delay":"2s"}]}`)
	status, text = request(t, em, "GET", "/_regcast/faults", "")
	is.Equal(status, http.StatusOK)
	is.Equal(strings.TrimSpace(text), `{"faults":[{"id":"f1","step":"send","action":"error","code":429,"path":"/ws","next":2,"seen":0,"injected":0},{"id":"x","step":"match","action":"delay","delay":"2s","seen":0,"injected":0}]}`)
	for _, body := range []string{`{"step":"send","action":"explode"}`, `{"id":"x","step":"send","action":"drop"}`, `[`, ``, `[{"step":"send","action":"drop"},{"id":"x","step":"send","action":"drop"}]`} {
		status, text = request(t, em, "POST", "/_regcast/faults", body)
		is.Equal(status, http.StatusBadRequest)
		is.True(strings.Contains(text, `"error":`))
	}
	is.Equal(len(em.Faults()), 2) // all of a list or none
	status, _ = request(t, em, "DELETE", "/_regcast/faults/x", "")
	is.Equal(status, http.StatusNoContent)
	status, _ = request(t, em, "DELETE", "/_regcast/faults/x", "")
	is.Equal(status, http.StatusNotFound)
	status, _ = request(t, em, "DELETE", "/_regcast/faults", "")
	is.Equal(status, http.StatusNoContent)
	is.Equal(len(em.Faults()), 0)
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	is := is.New(t)
	_, err := emulator.New(emulator.Config{Faults: []emulator.Fault{{Step: emulator.FaultPublish, Action: emulator.FaultTorn}}})
	is.True(err != nil)
	is.Equal(err.Error(), `emulator: fault 1: fault: action: got "torn", want drop, delay, duplicate or reorder at the step publish`)
}

// What passes is known, so that each place for a fault can be tried.
func TestFaultSites(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	em.ObserveFaults(true)
	ws := em.Dial("/ws")
	ids := tagged(t, em, "a", "b")
	gets(t, ws, "a b")
	sites, counts := em.FaultSites()
	is.Equal(counts, map[emulator.FaultStep]int{emulator.FaultConnection: 1, emulator.FaultPublish: 2, emulator.FaultMatch: 2, emulator.FaultSend: 2})
	var sends []emulator.FaultSite
	for _, s := range sites {
		if s.Step == emulator.FaultSend {
			sends = append(sends, s)
		}
	}
	path := em.Defaults().GatewayID + "/ws"
	is.Equal(sends, []emulator.FaultSite{
		{Step: emulator.FaultSend, N: 1, Who: path, Events: ids[:1]}, {Step: emulator.FaultSend, N: 2, Who: path, Events: ids[1:]},
	})
}
