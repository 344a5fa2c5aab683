package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
)

// recorderTemplate is a rule with two targets: a queue with a function behind it, and a function.
const recorderTemplate = `
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    CodeUri: .
    Environment: {Variables: {TEST: %q, RECORD: %q, GORACE: atexit_sleep_ms=0}}
Resources:
  Pushes:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ecr], detail: {action-type: [PUSH]}}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}, {Id: function, Arn: !GetAtt Direct.Arn}]
  May:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}]}
  Queue: {Type: AWS::SQS::Queue}
  Behind:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {I_AM: behind}}, Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}}}
  Direct:
    Type: AWS::Serverless::Function
    Properties: {Environment: {Variables: {I_AM: direct}}}
`

// Whatever is killed when: each event of an acknowledged push reaches the function behind the queue and the one that the rule invokes,
// at least once, and no process of theirs outlives its emulator.
func TestKilledWhileFunctionsWork(t *testing.T) {
	const lives, pushers = 20, 2
	is := is.New(t)
	processes, err := listenToTheLiving()
	is.NoErr(err)
	defer processes.listener.Close()
	code, data := t.TempDir(), t.TempDir()
	self, err := os.Executable()
	is.NoErr(err)
	is.NoErr(os.Symlink(self, filepath.Join(code, "bootstrap")))
	record, template := filepath.Join(code, "record"), filepath.Join(code, "template.yaml")
	is.NoErr(os.WriteFile(template, fmt.Appendf(nil, recorderTemplate, processes.listener.Addr(), record), 0o600))
	up := func() *child {
		return start(t, "--addr", "127.0.0.1:0", "--data", data, "--template", template, "--no-watch")
	}

	alive := 0
	buried := func() { // all that have begun have ended
		t.Helper()
		limit := time.NewTimer(patience)
		defer limit.Stop()
		for {
			select {
			case <-processes.began:
				alive++
				continue
			default:
			}
			if alive == 0 {
				return
			}
			select {
			case <-processes.began:
				alive++
			case <-processes.ended:
				alive--
			case <-limit.C:
				t.Fatalf("%d processes of functions are still there", alive)
			}
		}
	}
	var mu sync.Mutex
	acknowledged := map[string]string{} // tag → digest
	for life := range lives {
		p := up()
		go func() { _, _ = io.Copy(io.Discard, p.stderr) }() // functions' logs
		var all sync.WaitGroup
		first := make(chan struct{})
		var once sync.Once
		for pusher := range pushers {
			all.Go(func() {
				for n := 0; ; n++ {
					tag := fmt.Sprintf("l%d-p%d-n%d", life, pusher, n)
					digest, err := tryPush(p.url, "app", tag)
					if err != nil {
						return // killed
					}
					mu.Lock()
					acknowledged[tag] = digest
					mu.Unlock()
					once.Do(func() { close(first) })
				}
			})
		}
		select {
		case <-first:
		case <-time.After(patience):
			t.Fatalf("life %d: no push was acknowledged", life)
		}
		<-time.After(rand.N(200 * time.Millisecond)) // the moment is the point of this test
		is.NoErr(p.cmd.Process.Kill())
		_ = p.cmd.Wait()
		all.Wait()
		buried()
	}

	p := up()
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	p.get(t, "/_regcast/quiet")
	ids := map[string]string{} // tag and digest → id of the event of AWS
	for lines := json.NewDecoder(bytes.NewReader(p.get(t, "/_regcast/journal"))); ; {
		var line recording.Line
		if err := lines.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if line.Record == nil {
			continue
		}
		for _, e := range line.Record.Events {
			if c := line.Record.Changes[e.Of]; e.Source == "aws" {
				ids[c.Tag+" "+c.Digest] = e.ID
			}
		}
	}
	is.NoErr(p.cmd.Process.Signal(os.Interrupt))
	is.NoErr(p.cmd.Wait())
	buried()
	text, err := os.ReadFile(record)
	is.NoErr(err)
	times := map[string]int{}
	for line := range strings.Lines(string(text)) {
		times[strings.TrimSpace(line)]++
	}
	again := 0
	for tag, digest := range acknowledged {
		id := ids[tag+" "+digest]
		if id == "" {
			t.Errorf("the push of %s is not on record", tag)
			continue
		}
		for _, who := range []string{"behind", "direct"} {
			switch n := times[who+" "+id]; {
			case n == 0:
				t.Errorf("%s never got the push of %s (%s)", who, tag, id)
			case n > 1:
				again++
			}
		}
	}
	t.Logf("%d pushes acknowledged in %d lives; %d deliveries were made more than once", len(acknowledged), lives, again)
}
