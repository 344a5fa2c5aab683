package emulator_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// history is the journal of an emulator that is quiet, as its API tells it.
func history(t *testing.T, em *emulatortest.Emulator, query string) (lines []recording.Line) {
	t.Helper()
	em.Flush()
	res, err := em.Client().Get(em.URL() + "/_regcast/journal" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for d := json.NewDecoder(res.Body); d.More(); {
		var line recording.Line
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// story words lines but steps, with names for ids: i1 is the first invocation's, c1 the first connection's, e1 the first event's.
func story(lines []recording.Line) string {
	names := map[string]string{}
	name := func(prefix, id string) string {
		if id != "" && names[prefix+id] == "" {
			n := 1
			for known := range names {
				if strings.HasPrefix(known, prefix) {
					n++
				}
			}
			names[prefix+id] = fmt.Sprint(prefix, n)
		}
		return names[prefix+id]
	}
	all := func(prefix string, ids []string) string {
		var out []string
		for _, id := range ids {
			out = append(out, name(prefix, id))
		}
		return strings.Join(out, ",")
	}
	data := func(p recording.Payload) string {
		if len(p) > 60 {
			return fmt.Sprintf("%d bytes", len(p))
		}
		return string(p)
	}
	var b strings.Builder
	for _, l := range lines {
		switch {
		case l.Record != nil:
			b.WriteString("record")
			for _, e := range l.Record.Events {
				b.WriteString(" " + name("e", e.ID))
			}
		case l.Invocation != nil:
			in := l.Invocation
			fmt.Fprintf(&b, "invocation %s %s [%s] %s", name("i", in.ID), in.Function, all("e", in.Events), in.Error)
		case l.Socket != nil && l.Socket.What == recording.Opened:
			s := l.Socket
			fmt.Fprintf(&b, "open %s %s %s %s", name("c", s.Connection), s.Gateway, s.Path, s.URL)
		case l.Socket != nil:
			s := l.Socket
			fmt.Fprintf(&b, "close %s %s %s %d %q by %s", name("c", s.Connection), s.Gateway, s.Path, s.Code, s.Reason, s.By)
		case l.Frame != nil && l.Frame.In:
			fmt.Fprintf(&b, "%s says %s", name("c", l.Frame.Connection), data(l.Frame.Data))
		case l.Frame != nil && l.Frame.Connection == "":
			f := l.Frame
			fmt.Fprintf(&b, "broadcast to %d of %s %s [%s]", f.Sent, f.Gateway, f.Path, all("e", f.Events))
		case l.Frame != nil:
			f := l.Frame
			fmt.Fprintf(&b, "frame to %s: %s %d %s (%s)", name("c", f.Connection), data(f.Data), f.Sent, f.Error, all("i", f.During))
		default:
			continue
		}
		b.WriteString("\n")
	}
	return b.String()
}

const (
	historyGateway = "d5dhistory0000000000"
	historySpec    = `
openapi: 3.0.0
paths:
  /live/{room}:
    parameters: [{name: room, in: path}]
    x-yc-apigateway-websocket-connect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: connect}}
    x-yc-apigateway-websocket-message: {x-yc-apigateway-integration: {type: cloud_functions, function_id: message}}
    x-yc-apigateway-websocket-disconnect: {x-yc-apigateway-integration: {type: cloud_functions, function_id: disconnect}}
`
	historyTriggers = `
name: broadcast
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    gateway_websocket_broadcast: {gateway_id: d5dhistory0000000000, path: "/live/{room}", service_account_id: ajeregcastaccount000}
---
name: invoke
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    invoke_function: {function_id: work, service_account_id: ajeregcastaccount000}
---
name: post
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_DELETE_IMAGE]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    invoke_container: {container_id: bbahistory, service_account_id: ajeregcastaccount000}
`
)

func TestHistoryOfYandexCloud(t *testing.T) {
	is := is.New(t)
	container := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }))
	defer container.Close()
	answers := func(body string) emulator.Function {
		return function(func(context.Context, []byte) ([]byte, error) {
			return fmt.Appendf(nil, `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":%q}`, body), nil
		})
	}
	clock := emulatortest.NewClock()
	var em *emulatortest.Emulator
	send := func(id, data string) int {
		body := fmt.Sprintf(`{"data":%q,"type":"TEXT"}`, base64.StdEncoding.EncodeToString([]byte(data)))
		res, err := em.Client().Post(em.URL()+"/apigateways/websocket/v1/connections/"+id+":send", "application/json", strings.NewReader(body))
		is.NoErr(err)
		res.Body.Close()
		return res.StatusCode
	}
	id, gone := "", make(chan struct{})
	em = emulatortest.Start(t, emulator.Config{
		Clock:      clock,
		Gateways:   []emulator.Gateway{{ID: historyGateway, File: emulator.File{Name: "spec.yaml", Data: []byte(historySpec)}}},
		Triggers:   []emulator.File{{Name: "triggers.yaml", Data: []byte(historyTriggers)}},
		Containers: []emulator.Container{{ID: "bbahistory", URL: container.URL}},
		Functions: map[string]emulator.Function{
			"connect": answers("hello"), "message": answers("back"),
			"disconnect": function(func(context.Context, []byte) ([]byte, error) {
				close(gone)
				return []byte(`{"statusCode":200}`), nil
			}),
			"work": function(func(context.Context, []byte) ([]byte, error) {
				send(id, "from work")
				return nil, errors.New("out of order")
			}),
		},
	})
	ws := em.Dial("ws" + strings.TrimPrefix(em.URL(), "http") + "/gw/" + historyGateway + "/live/7?who=me")
	id = ws.ID()
	is.Equal(string(ws.Read()), "hello")
	began := clock.Now()
	clock.Advance(time.Minute)
	emit := func(kind events.Kind) {
		em.Flush() // what is sent may be told behind a record that is younger by a moment
		_, err := em.Emit(t.Context(), events.Change{Kind: kind, Repository: "app", Tag: "v1", Digest: "sha256:0"})
		is.NoErr(err)
		em.Flush()
	}
	emit(events.TagAttached)
	ws.Expect("create-image-tag")
	is.Equal(send(id, "direct"), http.StatusOK)
	is.Equal(string(ws.Read()), "direct")
	ws.Write([]byte("up"))
	is.Equal(string(ws.Read()), "back")
	emit(events.TagDetached)
	is.Equal(string(ws.Read()), "from work")
	emit(events.ImageDeleted)
	is.Equal(send("nobody", "lost"), http.StatusNotFound)
	is.Equal(send(id, strings.Repeat("x", 128<<10+1)), http.StatusBadRequest)
	req, err := http.NewRequest(http.MethodDelete, em.URL()+"/apigateways/websocket/v1/connections/"+id, nil)
	is.NoErr(err)
	res, err := em.Client().Do(req)
	is.NoErr(err)
	res.Body.Close()
	clock.Advance(5 * time.Second) // the client does not answer
	<-gone
	lines := history(t, em, "")
	is.Equal(story(lines), strings.TrimLeft(`
invocation i1 connect [] 
open c1 d5dhistory0000000000 /live/{room} /live/7?who=me
frame to c1: hello 1  (i1)
record e1
broadcast to 1 of d5dhistory0000000000 /live/{room} [e1]
frame to c1: direct 1  ()
c1 says up
invocation i2 message [] 
frame to c1: back 1  (i2)
record e2
frame to c1: from work 1  (i3)
invocation i3 work [e2] Unhandled
record e3
invocation i4 container:bbahistory [e3] answered 418
frame to c2: lost 0 gone ()
frame to c1: 131073 bytes 0 too big ()
close c1 d5dhistory0000000000 /live/{room} 1000 "" by function
invocation i5 disconnect [] 
`, "\n"))
	for i, l := range lines {
		is.True(l.Seq > 0)
		if l.Record != nil || l.Frame != nil && l.Frame.Connection == "" {
			is.Equal(l.At, began.Add(time.Minute)) // the house's time
		}
		if i > 0 {
			is.True(l.Seq >= lines[i-1].Seq)
		}
	}
}

func TestATraceHasFramesAndInvocations(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{
		Triggers:  []emulator.File{trigger(1, "1s"), {Name: "invoke.yaml", Data: []byte(traceTrigger)}},
		Functions: map[string]emulator.Function{"work": function(func(context.Context, []byte) ([]byte, error) { return []byte(`"done"`), nil })},
	})
	ws := em.Dial("/ws")
	ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "a", Tag: "1"}, events.Change{Kind: events.TagAttached, Repository: "b", Tag: "1"})
	is.NoErr(err)
	ws.Expect("create-image-tag", "create-image-tag")
	em.Flush()
	trace, err := em.Trace(t.Context(), ids[1])
	is.NoErr(err)
	kinds, steps := map[string]int{}, []events.Step{}
	delivered := false
	for _, l := range trace.Lines {
		kinds[l.Kind()]++
		switch {
		case l.Step != nil:
			steps = append(steps, *l.Step)
			delivered = delivered || l.Step.What == events.StepDelivered && l.Step.Who == "test"
		case l.Frame != nil:
			is.True(!delivered) // that it is sent stands before the word that it is
			is.Equal(l.Frame.Events, ids[1:])
			is.Equal(l.Frame.Sent, 1)
		case l.Invocation != nil:
			is.Equal(string(l.Invocation.Output), `"done"`)
		}
	}
	is.True(delivered)
	is.Equal(kinds, map[string]int{"step": len(trace.Steps), "frame": 1, "invocation": 1})
	is.Equal(steps, trace.Steps)
}

const traceTrigger = `
name: invoke
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "1", cutoff: 1s}
    invoke_function: {function_id: work, service_account_id: ajeregcastaccount000}
`

// A function in a process is told by its trace id what others are not: that it was the one that sent.
func TestHistoryNamesTheSender(t *testing.T) {
	is := is.New(t)
	clock := emulatortest.NewClock()
	em, logs := stack(t, strings.Replace(sockets, "Default: {Type: AWS::Serverless::Function}",
		"Default: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: post}}, "+
			"Policies: [{Statement: [{Effect: Allow, Action: 'execute-api:ManageConnections', Resource: '*'}]}]}}\n"+
			"  Busy: {Type: AWS::Serverless::Function, Properties: {Environment: {Variables: {DO: hang}}}}", 1), handlers(make(chan string, 10)),
		func(cfg *emulator.Config) { delete(cfg.Functions, "Default"); cfg.Clock = clock })
	res, err := em.Client().Get(em.URL() + "/_regcast/journal?follow=true&topic=invocation")
	is.NoErr(err)
	defer res.Body.Close()
	told := json.NewDecoder(res.Body)
	invoked := func(function string) { // waits
		for got := ""; got != function; {
			var line recording.Line
			is.NoErr(told.Decode(&line))
			got = line.Invocation.Function
		}
	}
	busy := make(chan error, 1)
	go func() {
		_, err := em.Invoke(t.Context(), "Busy", []byte(`{}`))
		busy <- err
	}()
	logs.wait("Busy", "hanging")
	ws := em.Dial("/live")
	ws.Write([]byte("hi"))
	is.Equal(string(ws.Read()), "you said hi")
	invoked("Default") // a process is told of when its log is complete
	ws.Close()
	invoked("Disconnect")
	clock.Advance(time.Minute)
	var failed *emulator.FunctionError
	is.True(errors.As(<-busy, &failed))
	api := em.APIs()[0].ID
	is.Equal(story(history(t, em, "?topic=socket,frame,invocation")), strings.ReplaceAll(strings.TrimLeft(`
invocation i1 Connect [] 
open c1 API live /live
c1 says hi
frame to c1: you said hi 1  (i2)
invocation i2 Default [] 
close c1 API live 1000 "" by client
invocation i3 Disconnect [] 
invocation i4 Busy [] Unhandled
`, "\n"), "API", api))
}

// What goes wrong with frames and functions of AWS, and the events that go through a queue.
func TestHistoryOfAWS(t *testing.T) {
	is := is.New(t)
	em, _ := stack(t, sockets+`
  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}
  Rule:
    Type: AWS::Events::Rule
    Properties: {EventPattern: {source: [aws.ecr]}, Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]}
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}]}
  Work:
    Type: AWS::Serverless::Function
    Properties: {Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}}
  None: {Type: AWS::Serverless::Function, Properties: {ReservedConcurrentExecutions: 0}}
`, handlers(make(chan string, 10)), func(cfg *emulator.Config) {
		fine := cfg.Functions["Connect"]
		cfg.Functions["Work"], cfg.Functions["None"] = fine, fine
		cfg.Triggers = []emulator.File{trigger(1000, "60s")} // which keeps them
	})
	post := func(id string, body []byte) int {
		res, err := em.Client().Post(em.URL()+"/live/@connections/"+id, "text/plain", bytes.NewReader(body))
		is.NoErr(err)
		res.Body.Close()
		return res.StatusCode
	}
	ws := em.Dial("/live")
	id := em.Connections()[0].ID
	is.Equal(post(id, []byte("one")), http.StatusOK)
	is.Equal(string(ws.Read()), "one")
	is.Equal(post(id, make([]byte, 128<<10+1)), http.StatusRequestEntityTooLarge)
	ws.Close()
	em.Flush()
	is.Equal(post(id, []byte("two")), http.StatusGone)
	em.Push("team/app:v1")
	em.Flush()
	_, err := em.Invoke(t.Context(), "None", []byte(`{}`))
	is.True(err != nil)
	api := em.APIs()[0].ID
	is.Equal(story(history(t, em, "")), strings.ReplaceAll(strings.TrimLeft(`
invocation i1 Connect [] 
open c1 API live /live
frame to c1: one 1  ()
frame to c1: 131073 bytes 0 too big ()
close c1 API live 1000 "" by client
invocation i2 Disconnect [] 
frame to c1: two 0 gone ()
record e1 e2 e3
invocation i3 Work [e3] 
invocation i4 None [] throttled
`, "\n"), "API", api))
}

// However busy the journal is, who was connected when something was published stands before it.
func TestARecordStandsBehindWhatClientsDid(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Data: t.TempDir()})
	var want []string
	for i := range 30 {
		em.Dial("/ws")
		ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "app", Tag: fmt.Sprint(i), Digest: "sha256:0"})
		is.NoErr(err)
		want = append(want, "open", ids[0])
	}
	var got []string
	for _, l := range history(t, em, "?topic=record,socket") {
		if l.Socket != nil {
			got = append(got, l.Socket.What)
		} else {
			got = append(got, l.Record.Events[0].ID)
		}
	}
	is.Equal(got, want)
}
