package emulator_test

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/coder/websocket"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
)

// A clean end of the deployment: its clients are told, and each of them is forgotten by the process of $disconnect, whose calls are
// still answered.
func TestCloseLetsTheDeploymentForgetItsClients(t *testing.T) {
	is := is.New(t)
	logs := newLogs(t)
	em := emulatortest.Start(t, emulator.Config{
		Template: &emulator.Template{File: read(t, "../template.yaml"), Dir: ".."}, FunctionLog: logs.add, StrictAuth: true,
	})
	const many = 10
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var clients []*websocket.Conn
	for range many {
		client, _, err := websocket.Dial(ctx, em.APIs()[0].URLs[0]+"?image=team/*", nil)
		is.NoErr(err)
		defer client.CloseNow()
		clients = append(clients, client)
	}
	ended := make(chan websocket.StatusCode, many)
	for _, client := range clients {
		go func() {
			_, _, err := client.Read(ctx)
			ended <- websocket.CloseStatus(err)
		}()
	}
	is.NoErr(em.Close(ctx))
	for range many {
		is.Equal(<-ended, websocket.StatusGoingAway)
	}
	invocations := 0
	for len(logs.lines) > 0 {
		line := <-logs.lines
		if line[0] != "Disconnect" {
			continue
		}
		if strings.HasPrefix(line[1], "REPORT") {
			invocations++
		}
		if strings.Contains(strings.ToLower(line[1]), "error") {
			t.Error(line[1])
		}
	}
	is.Equal(invocations, many)
}

// backlog is a function at work and a batch that waits for company.
const backlog = `
  Soon: {Type: AWS::SQS::Queue, Properties: {QueueName: soon, VisibilityTimeout: 3600}}
  Later: {Type: AWS::SQS::Queue, Properties: {QueueName: later, VisibilityTimeout: 1800}}
  Hang:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {DO: hang}}, Events: {Soon: {Type: SQS, Properties: {Queue: !GetAtt Soon.Arn}}}}
  Log:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {DO: log}}
      Events: {Later: {Type: SQS, Properties: {Queue: !GetAtt Later.Arn, BatchSize: 10, MaximumBatchingWindowInSeconds: 300}}}
`

// busy is an emulator with all of that in flight.
func busy(t *testing.T, changes ...func(*emulator.Config)) (em *emulatortest.Emulator, logs *logs, hanging string) {
	t.Helper()
	em, logs = stack(t, backlog, changes...)
	queues := sqs.NewFromConfig(user(t, em))
	for _, q := range em.Queues() {
		if _, err := queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: aws.String("in " + q.Name)}); err != nil {
			t.Fatal(err)
		}
	}
	return em, logs, logs.wait("Hang", "hanging")
}

// An end waits for the function that is at work. The batch that waits for company is not lost: after a restart it is there.
func TestCloseWaitsForAFunctionAndKeepsABatch(t *testing.T) {
	is := is.New(t)
	clock, data := emulatortest.NewClock(), t.TempDir()
	em, logs, _ := busy(t, func(cfg *emulator.Config) { cfg.Clock, cfg.Data = clock, data })
	res, err := em.Client().Get(em.URL() + "/_regcast/journal?follow=true")
	is.NoErr(err)
	defer res.Body.Close()
	closed := make(chan error, 1)
	go func() { closed <- em.Close(context.Background()) }()
	_, _ = io.Copy(io.Discard, res.Body) // it is cut off when the end has begun
	clock.Advance(time.Minute)           // the function's time is up
	is.NoErr(<-closed)
	logs.wait("Hang", "Task timed out")
	for len(logs.lines) > 0 {
		line := <-logs.lines
		is.True(line[0] != "Log")
	}

	em, logs = stack(t, backlog, func(cfg *emulator.Config) { cfg.Clock, cfg.Data = clock, data })
	em.Flush()
	clock.Advance(5 * time.Minute)
	is.True(strings.Contains(logs.wait("Log", "got "), `"body":"in later"`))
}

// An end with a limit cuts off a function that does not end, and leaves no process. It is no failure of the function: after a restart
// the message comes again at once.
func TestCloseCutsOffAFunction(t *testing.T) {
	is := is.New(t)
	data := t.TempDir()
	em, _, hanging := busy(t, func(cfg *emulator.Config) { cfg.Data = data })
	pid, err := strconv.Atoi(hanging[strings.LastIndexByte(hanging, ' ')+1:])
	is.NoErr(err)
	process, err := os.FindProcess(pid)
	is.NoErr(err)
	defer func() { _ = process.Release() }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	is.NoErr(em.Close(ctx))
	is.True(time.Since(began) < 10*time.Second) // the function would have gone on for a minute
	is.True(process.Signal(syscall.Signal(0)) != nil)

	em, logs := stack(t, backlog, func(cfg *emulator.Config) { cfg.Data = data })
	logs.wait("Hang", "hanging")
	now, end := context.WithCancel(t.Context())
	end()
	is.NoErr(em.Close(now))
}
