package aws_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
)

func queueARN(name string) string { return "arn:aws:sqs:us-east-1:" + account + ":" + name }

// office is asynchronous invocations on fake time: one function, of which tests say what it does.
type office struct {
	*aws.Async
	queues *queue.Queues
	do     func(r runner.Request) (runner.Response, error)

	mu    sync.Mutex
	began time.Time
	tries []string // when, and with what id
	warns []string
}

func inOffice(t *testing.T, f template.Function, test func(t *testing.T, o *office)) {
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.New(queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Set(queue.Queue{Name: "to", Retention: 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		o := &office{queues: q, began: time.Now()}
		o.Async = aws.NewAsync(aws.AsyncOptions{
			Queues: q,
			Invoke: func(_ context.Context, name string, r runner.Request) (runner.Response, error) {
				o.mu.Lock()
				o.tries = append(o.tries, fmt.Sprintf("%s %v", name, time.Since(o.began)))
				o.mu.Unlock()
				a, err := o.do(r)
				a.ID = r.ID
				return a, err
			},
			Send: func(ctx context.Context, arn string, m queue.Message) error {
				_, err := q.Send(ctx, arn[strings.LastIndex(arn, ":")+1:], []queue.Message{m})
				return err
			},
			Warn: func(text string) { o.warns = append(o.warns, text) },
		})
		f.Name, f.ARN, f.LogicalID, f.At = "f", functionARN+"f", "F", template.Place{File: "template.yaml", Line: 3}
		if err := o.Add(f); err != nil {
			t.Fatal(err)
		}
		defer func() {
			o.Close()
			if err := q.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		test(t, o)
	})
}

func (o *office) invoke(t *testing.T, payload string) string {
	t.Helper()
	id, err := o.Invoke(t.Context(), "f", runner.Request{Payload: []byte(payload), TraceID: "Root=1"}, []string{"e1"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (o *office) tried() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.tries, ", ")
}

// arrived is what is in the queue of the destination.
func (o *office) arrived(t *testing.T) []queue.Received {
	t.Helper()
	rs, err := o.queues.Receive(t.Context(), "to", 10, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func unhandled(message string) (runner.Response, error) {
	return runner.Response{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"` + message + `","errorType":"Exception"}`)}, nil
}

func TestAsyncTriesThreeTimes(t *testing.T) {
	inOffice(t, template.Function{Retries: 2, OnFailure: queueARN("to"), DeadLetter: queueARN("to")}, func(t *testing.T, o *office) {
		is := is.New(t)
		var ids []string
		o.do = func(r runner.Request) (runner.Response, error) {
			ids = append(ids, r.ID)
			is.Equal(r.TraceID, "Root=1")
			return unhandled("not me")
		}
		id := o.invoke(t, `{ "a": 1 }`)
		after(10 * time.Minute)
		is.Equal(o.tried(), "f 0s, f 1m0s, f 3m0s") // a minute, and two
		is.Equal(ids, []string{id, id, id})
		got := o.arrived(t)
		is.Equal(len(got), 2)
		is.Equal(string(got[0].Body), `{"version":"1.0","timestamp":"2000-01-01T00:03:00.000Z","requestContext":{"requestId":"`+id+
			`","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},`+
			`"requestPayload":{"a":1},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},`+
			`"responsePayload":{"errorMessage":"not me","errorType":"Exception"}}`)
		is.Equal(got[0].Events, []string{"e1"})     // the trace goes on
		is.Equal(string(got[1].Body), `{ "a": 1 }`) // as it came
		is.Equal(got[1].Attributes, map[string]queue.Attribute{
			"RequestID": {Type: "String", Value: []byte(id)}, "ErrorCode": {Type: "Number", Value: []byte("200")}, "ErrorMessage": {Type: "String", Value: []byte("not me")},
		})
	})
}

func TestAsyncWithoutRetries(t *testing.T) {
	inOffice(t, template.Function{Retries: 0}, func(t *testing.T, o *office) {
		is := is.New(t)
		o.do = func(runner.Request) (runner.Response, error) { return unhandled("no") }
		o.invoke(t, `{}`)
		after(10 * time.Minute)
		is.Equal(o.tried(), "f 0s")
		_, err := o.Invoke(t.Context(), "nobody", runner.Request{}, nil)
		is.True(errors.Is(err, runner.ErrNoFunction))
	})
}

func TestAsyncSuccess(t *testing.T) {
	inOffice(t, template.Function{Retries: 2, OnSuccess: queueARN("to"), OnFailure: queueARN("to")}, func(t *testing.T, o *office) {
		is := is.New(t)
		first := true
		o.do = func(runner.Request) (runner.Response, error) {
			if first {
				first = false
				return unhandled("at first")
			}
			return runner.Response{Payload: []byte(`"done"`)}, nil
		}
		id := o.invoke(t, `7`)
		after(10 * time.Minute)
		got := o.arrived(t)
		is.Equal(len(got), 1)
		is.Equal(string(got[0].Body), `{"version":"1.0","timestamp":"2000-01-01T00:01:00.000Z","requestContext":{"requestId":"`+id+
			`","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST","condition":"Success","approximateInvokeCount":2},`+
			`"requestPayload":7,"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":"done"}`)
	})
}

func TestAsyncEventsGrowTooOld(t *testing.T) {
	inOffice(t, template.Function{Retries: 2, MaxAge: 2 * time.Minute, OnFailure: queueARN("to")}, func(t *testing.T, o *office) {
		is := is.New(t)
		o.do = func(runner.Request) (runner.Response, error) { return unhandled("no") }
		o.invoke(t, `1`)
		after(time.Minute)
		is.Equal(o.tried(), "f 0s, f 1m0s")
		got := o.arrived(t) // the third try would come too late, so nothing is waited for
		is.Equal(len(got), 1)
		is.True(strings.Contains(string(got[0].Body), `"condition":"EventAgeExceeded","approximateInvokeCount":2}`))
	})
}

func TestAsyncThrottledEventsWait(t *testing.T) {
	inOffice(t, template.Function{Retries: 0, MaxAge: time.Hour, OnFailure: queueARN("to")}, func(t *testing.T, o *office) {
		is := is.New(t)
		o.do = func(runner.Request) (runner.Response, error) { return runner.Response{}, runner.ErrThrottled }
		o.invoke(t, `1`)
		after(70 * time.Second)
		is.Equal(o.tried(), "f 0s, f 1s, f 2s, f 4s, f 8s, f 16s, f 32s, f 1m4s") // each twice as long as before
		after(time.Hour)
		is.True(strings.HasSuffix(o.tried(), "f 48m32s, f 53m32s, f 58m32s")) // but not over five minutes
		got := o.arrived(t)
		is.Equal(len(got), 1)
		is.True(strings.Contains(string(got[0].Body), `"condition":"EventAgeExceeded"`))
		is.True(!strings.Contains(string(got[0].Body), "responseContext")) // the function never ran
	})
}

func TestAsyncHandsOverToAFunction(t *testing.T) {
	inOffice(t, template.Function{Retries: 0, OnFailure: functionARN + "g", OnSuccess: "arn:aws:sns:us-east-1:" + account + ":topic"}, func(t *testing.T, o *office) {
		is := is.New(t)
		is.Equal(len(o.warns), 1)
		is.True(strings.HasPrefix(o.warns[0], "template.yaml:3: OnSuccess of the function F: not emulated: arn:aws:sns:"))
		is.NoErr(o.Add(template.Function{Name: "g"}))
		var payload string
		o.do = func(r runner.Request) (runner.Response, error) {
			if string(r.Payload) == "1" {
				return unhandled("no")
			}
			payload = string(r.Payload)
			return runner.Response{}, nil
		}
		o.invoke(t, `1`)
		synctest.Wait()
		is.Equal(o.tried(), "f 0s, g 0s")
		is.True(strings.Contains(payload, `"condition":"RetriesExhausted"`))
	})
}
