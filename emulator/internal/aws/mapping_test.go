package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
)

var (
	mapped       = template.Mapping{LogicalID: "M", At: template.Place{File: "t.yaml", Line: 9}, Function: "F", Queue: queueARN("q")}
	mappedTo     = template.Function{LogicalID: "F", Name: "f", Timeout: 5 * time.Second}
	mappedFrom   = template.Queue{LogicalID: "Q", Name: "q", ARN: queueARN("q"), At: template.Place{File: "t.yaml", Line: 4}, Visibility: 30 * time.Second}
	firstReceipt = []queue.Received{{Message: queue.Message{ID: "one"}}, {Message: queue.Message{ID: "two"}}}
)

type invoker = func(context.Context, string, runner.Request) (runner.Response, error)

func answering(payload string) invoker {
	return func(context.Context, string, runner.Request) (runner.Response, error) {
		return runner.Response{Payload: []byte(payload)}, nil
	}
}

func compileMapping(t *testing.T, m template.Mapping, invoke invoker) queue.Consumer {
	t.Helper()
	c, err := aws.CompileMapping(m, mappedTo, mappedFrom, "us-east-1", invoke)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMappingEvent(t *testing.T) {
	is := is.New(t)
	c := clock.NewManual(start)
	q := openQueues(t, c, queue.Queue{Name: "q"}, queue.Queue{Name: "q.fifo", FIFO: true})
	var payload string
	x := compileMapping(t, mapped, func(_ context.Context, name string, r runner.Request) (runner.Response, error) {
		is.Equal(name, "f")
		payload = string(r.Payload)
		return runner.Response{}, nil
	})
	handle := func(name string, ms ...queue.Message) []queue.Received {
		_, err := q.Send(t.Context(), name, ms)
		is.NoErr(err)
		c.Advance(time.Second)
		rs, err := q.Receive(t.Context(), name, 10, 0, -1)
		is.NoErr(err)
		_, err = x.Handle(t.Context(), rs)
		is.NoErr(err)
		return rs
	}
	rs := handle("q", queue.Message{Body: []byte(`{"a":"<é>"}`)}, queue.Message{Body: []byte("b")})
	one := func(r queue.Received, body, sum, middle, attributes string) string {
		return `{"messageId":"` + r.ID + `","receiptHandle":"` + r.Receipt + `","body":` + body + `,"attributes":{"ApproximateReceiveCount":"1",` + middle +
			`"messageAttributes":` + attributes + `,"md5OfBody":"` + sum
	}
	tail := `","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:q","awsRegion":"us-east-1"}`
	times := `"SentTimestamp":"1790295749887","SenderId":"AIDAREGCASTREGCASTREG","ApproximateFirstReceiveTimestamp":"1790295750887"},`
	is.Equal(payload, `{"Records":[`+one(rs[0], `"{\"a\":\"<é>\"}"`, "b92ba41755973cd1c20e9fd4c0173ab3", times, `{}`)+tail+`,`+
		one(rs[1], `"b"`, "92eb5ffee6ae2fec3ad71c777531578f", times, `{}`)+tail+`]}`)

	rs = handle("q.fifo", queue.Message{Body: []byte("b"), Group: "g", Dedup: "d", Attributes: map[string]queue.Attribute{
		"N": {Type: "Number", Value: []byte("1")}, "B": {Type: "Binary", Value: []byte{255}},
	}})
	times = `"SentTimestamp":"1790295750887","SequenceNumber":"` + rs[0].Sequence + `","MessageGroupId":"g","SenderId":"AIDAREGCASTREGCASTREG",` +
		`"MessageDeduplicationId":"d","ApproximateFirstReceiveTimestamp":"1790295751887"},`
	is.Equal(payload, `{"Records":[`+one(rs[0], `"b"`, `92eb5ffee6ae2fec3ad71c777531578f","md5OfMessageAttributes":"aa3c53234736a063f45bc5eeb240c4ff`, times,
		`{"B":{"binaryValue":"/w==","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},`+
			`"N":{"stringValue":"1","stringListValues":[],"binaryListValues":[],"dataType":"Number"}}`)+tail+`]}`)

	var decoded events.SQSEvent // as a function reads it
	is.NoErr(json.Unmarshal([]byte(payload), &decoded))
	is.Equal(decoded.Records[0].MessageAttributes["B"].BinaryValue, []byte{255})
	is.Equal(decoded.Records[0].Attributes["MessageGroupId"], "g")
}

func TestMappingAnswers(t *testing.T) {
	for _, c := range []struct{ answer, want string }{
		{``, ""}, {`null`, ""}, {`{}`, ""}, {`{"batchItemFailures":[]}`, ""}, {`{"batchItemFailures":null}`, ""}, {`{"statusCode":200}`, ""},
		{`{"batchItemFailures":[{"itemIdentifier":"two"}]}`, "two"},
		{`{"batchItemFailures":[{"itemIdentifier":"two"},{"itemIdentifier":"one"}]}`, "two one"},
		{`{"batchItemFailures":[`, "all"},
		{`"ok"`, "all"},
		{`{"batchItemFailures":"two"}`, "all"},
		{`{"batchItemFailures":[{"itemIdentifier":""}]}`, "all"},
		{`{"batchItemFailures":[{"itemIdentifier":null}]}`, "all"},
		{`{"batchItemFailures":[{"itemIdentifier":2}]}`, "all"},
		{`{"batchItemFailures":[{"ItemIdentifier":"two"}]}`, "all"},
		{`{"batchItemFailures":[{"itemIdentifier":"two"},{"itemIdentifier":"three"}]}`, "all"},
	} {
		is := is.New(t)
		m := mapped
		m.PartialFailures = true
		failed, err := compileMapping(t, m, answering(c.answer)).Handle(t.Context(), firstReceipt)
		got := strings.Join(failed, " ")
		if err != nil {
			got = "all"
		}
		is.Equal(got, c.want) // what has failed by the answer
		failed, err = compileMapping(t, mapped, answering(c.answer)).Handle(t.Context(), firstReceipt)
		is.NoErr(err) // nobody looks at it without ReportBatchItemFailures
		is.Equal(len(failed), 0)
	}
}

func TestMappingFailures(t *testing.T) {
	is := is.New(t)
	_, err := compileMapping(t, mapped, func(context.Context, string, runner.Request) (runner.Response, error) { return unhandled("boom") }).
		Handle(t.Context(), firstReceipt)
	is.Equal(err.Error(), "the function failed: Exception: boom")
	_, err = compileMapping(t, mapped, func(context.Context, string, runner.Request) (runner.Response, error) {
		return runner.Response{}, runner.ErrThrottled
	}).Handle(t.Context(), firstReceipt)
	is.True(errors.Is(err, runner.ErrThrottled))
}

func TestMappingBounds(t *testing.T) {
	for _, c := range []struct {
		change func(*template.Mapping, *template.Function, *template.Queue)
		want   string
	}{
		{func(m *template.Mapping, _ *template.Function, _ *template.Queue) { m.BatchSize = 11 }, "t.yaml:9: M: got BatchSize 11, which needs MaximumBatchingWindowInSeconds of at least 1"},
		{func(m *template.Mapping, _ *template.Function, _ *template.Queue) {
			m.BatchSize, m.Window = 10_001, time.Second
		}, "got BatchSize 10001, want 1 to 10000"},
		{func(m *template.Mapping, _ *template.Function, _ *template.Queue) { m.Window = 301 * time.Second }, "got MaximumBatchingWindowInSeconds 301, want 0 to 300"},
		{func(m *template.Mapping, _ *template.Function, _ *template.Queue) { m.MaxConcurrency = 1 }, "got MaximumConcurrency 1, want 2 to 1000"},
		{func(m *template.Mapping, _ *template.Function, q *template.Queue) { m.BatchSize, q.FIFO = 11, true }, "got BatchSize 11, want 1 to 10"},
		{func(m *template.Mapping, _ *template.Function, q *template.Queue) {
			m.Window, q.FIFO = time.Second, true
		}, "which a FIFO queue does not have"},
		{func(_ *template.Mapping, f *template.Function, _ *template.Queue) { f.Timeout = 31 * time.Second }, "hides messages for 30s, less than the 31s that the function F may take"},
		{func(m *template.Mapping, _ *template.Function, _ *template.Queue) {
			m.Filters = []json.RawMessage{json.RawMessage(`{"body":1}`)}
		}, "t.yaml:9: filter 1 of M: "},
	} {
		is := is.New(t)
		m, f, q := mapped, mappedTo, mappedFrom
		c.change(&m, &f, &q)
		_, err := aws.CompileMapping(m, f, q, "us-east-1", answering(""))
		is.True(err != nil && strings.Contains(err.Error(), c.want)) // what is wrong, and where
	}
}

func TestMappingFilters(t *testing.T) {
	is := is.New(t)
	m := mapped
	m.Filters = []json.RawMessage{json.RawMessage(`{"body":{"detail":{"image-tag":[{"prefix":"v"}]}}}`), json.RawMessage(`{"body":["plain"]}`)}
	keep := compileMapping(t, m, answering("")).Filter
	for body, want := range map[string]bool{
		`{"detail":{"image-tag":"v1"}}`: true, `{"detail":{"image-tag":"latest"}}`: false, `{"detail":{}}`: false, `plain`: true, `other`: false, `[1]`: false, `{"broken`: false,
	} {
		ok, why := keep(queue.Received{Message: queue.Message{ID: "x", Body: []byte(body)}})
		is.Equal(ok, want)        // whether the record passes
		is.Equal(why == "", want) // and if not, why
	}
	is.True(compileMapping(t, mapped, answering("")).Filter == nil)
}

// The walk of a batch: from the queue to the function, the failed ones again, and what fails always to the dead-letter queue.
func TestMappingAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		q, err := queue.New(queue.Options{})
		is.NoErr(err)
		defer func() { is.NoErr(q.Close(context.Background())) }()
		is.NoErr(q.Set(queue.Queue{Name: "q", Visibility: 30 * time.Second, MaxReceives: 2, DeadLetter: "dlq"}))
		is.NoErr(q.Set(queue.Queue{Name: "dlq"}))
		m := mapped
		m.PartialFailures, m.BatchSize, m.Window = true, 100, time.Second
		var batches []string
		_, err = q.Consume(func() queue.Consumer {
			c, err := aws.CompileMapping(m, mappedTo, mappedFrom, "us-east-1", func(_ context.Context, _ string, r runner.Request) (runner.Response, error) {
				var e events.SQSEvent
				is.NoErr(json.Unmarshal(r.Payload, &e))
				batches = append(batches, fmt.Sprintf("%d of %d bytes", len(e.Records), len(r.Payload)))
				is.True(len(r.Payload) <= 6<<20)
				var answer events.SQSEventResponse
				for _, record := range e.Records {
					if record.Body == "bad" {
						answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
					}
				}
				payload, err := json.Marshal(answer)
				return runner.Response{Payload: payload}, err
			})
			is.NoErr(err)
			return c
		}())
		is.NoErr(err)
		send := func(bodies ...string) {
			var ms []queue.Message
			for _, body := range bodies {
				ms = append(ms, queue.Message{Body: []byte(body)})
			}
			_, err := q.Send(t.Context(), "q", ms)
			is.NoErr(err)
		}
		send("good", "bad", "good")
		after(2 * time.Minute)
		is.Equal(len(batches), 2) // all, then the bad one
		dead, err := q.Receive(t.Context(), "dlq", 10, 0, -1)
		is.NoErr(err)
		is.Equal(len(dead), 1)
		is.Equal(string(dead[0].Body), "bad")

		batches = nil
		quotes := strings.Repeat(`"`, 1<<20) // two bytes each on the wire
		send(quotes, quotes, quotes, quotes)
		after(2 * time.Minute)
		is.Equal(len(batches), 2) // three do not fit in six megabytes
	})
}

// Whatever a function answers, what is failed is in the batch, or all of it is.
func FuzzMappingAnswer(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"two"}]}`))
	f.Add([]byte(`{"batchItemFailures":[{}]}`))
	f.Add([]byte(`null`))
	m := mapped
	m.PartialFailures = true
	f.Fuzz(func(t *testing.T, answer []byte) {
		failed, err := compileMapping(t, m, answering(string(answer))).Handle(t.Context(), firstReceipt)
		for _, id := range failed {
			if err != nil || id != "one" && id != "two" {
				t.Errorf("%q failed %q, %v", answer, failed, err)
			}
		}
	})
}
