package aws

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/regcast/regcast/emulator/internal/queue"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/emulator/internal/trigger/pattern"
	"github.com/regcast/regcast/events"
)

// The bounds of an event source mapping of a queue.
const (
	mostBatch       = 10_000
	mostBatchFIFO   = 10
	mostWindow      = 300 * time.Second
	leastConcurrent = 2
	mostConcurrent  = 1000
	// pollers is how many batches a mapping without a bound handles at once: as many as Lambda begins with.
	pollers = 5
)

// eventHead and eventTail are what an SQS event has round its records.
const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

// CompileMapping makes the consumer that a mapping is: it words batches for the function and judges its answers. The error
// says what is wrong and where in the template.
func CompileMapping(m template.Mapping, f template.Function, q template.Queue, region string,
	invoke func(ctx context.Context, name string, r runner.Request) (runner.Response, error),
) (c queue.Consumer, err error) {
	if err := checkMapping(m, f, q); err != nil {
		return c, err
	}
	x := &mapping{Mapping: m, function: f.Name, arn: q.ARN, region: region, invoke: invoke}
	for i, text := range m.Filters {
		p, err := pattern.Parse(text)
		if err != nil {
			return c, fmt.Errorf("%s: filter %d of %s: %w", place(m.At), i+1, m.LogicalID, err)
		}
		x.filters = append(x.filters, p)
	}
	c = queue.Consumer{
		Name: f.Name, Queue: q.Name, Batch: cmp.Or(m.BatchSize, queue.Batch), Window: m.Window,
		Concurrency: cmp.Or(m.MaxConcurrency, pollers), Handle: x.handle,
		Bytes: maxPayload - len(eventHead) - len(eventTail),
		Size:  func(r queue.Received) int { return len(x.word(nil, r)) + spare },
	}
	if len(x.filters) > 0 {
		c.Filter = x.keep
	}
	return c, nil
}

// spare is for what a record grows by when it is received, and a comma.
const spare = 64

func checkMapping(m template.Mapping, f template.Function, q template.Queue) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s: %s", place(m.At), m.LogicalID, fmt.Sprintf(format, args...))
	}
	size := cmp.Or(m.BatchSize, queue.Batch)
	most := mostBatch
	if q.FIFO {
		most = mostBatchFIFO
	}
	switch {
	case size < 1 || size > most:
		return refuse("got BatchSize %d, want 1 to %d", size, most)
	case q.FIFO && m.Window > 0:
		return refuse("got MaximumBatchingWindowInSeconds %v, which a FIFO queue does not have; leave it out", m.Window.Seconds())
	case m.Window < 0 || m.Window > mostWindow:
		return refuse("got MaximumBatchingWindowInSeconds %v, want 0 to %v", m.Window.Seconds(), mostWindow.Seconds())
	case size > 10 && m.Window < time.Second:
		return refuse("got BatchSize %d, which needs MaximumBatchingWindowInSeconds of at least 1", size)
	case m.MaxConcurrency != 0 && (m.MaxConcurrency < leastConcurrent || m.MaxConcurrency > mostConcurrent):
		return refuse("got MaximumConcurrency %d, want %d to %d", m.MaxConcurrency, leastConcurrent, mostConcurrent)
	case q.Visibility < f.Timeout:
		return refuse("the queue %s hides messages for %v, less than the %v that the function %s may take; AWS refuses this",
			q.LogicalID, q.Visibility, f.Timeout, f.LogicalID)
	}
	return nil
}

// mapping is an event source mapping at work.
type mapping struct {
	template.Mapping
	function, arn, region string
	filters               []*pattern.Pattern
	invoke                func(ctx context.Context, name string, r runner.Request) (runner.Response, error)
}

// keep asks the filters, of which one must want the record.
func (m *mapping) keep(r queue.Received) (bool, string) {
	record := filtered(m.word(nil, r), r.Body)
	var first *events.Miss
	for _, p := range m.filters {
		miss := p.Match(record)
		if miss == nil {
			return true, ""
		}
		if first == nil {
			first = miss
		}
	}
	if len(m.filters) == 1 {
		return false, "the filter does not want it: " + first.String()
	}
	return false, fmt.Sprintf("none of %d filters wants it; the first: %v", len(m.filters), first)
}

// filtered is the record as filters see it: a body of JSON is JSON, any other is text.
func filtered(record, body []byte) []byte {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' && body[0] != '[' || !json.Valid(body) {
		return record
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(record, &fields) != nil {
		return record
	}
	fields["body"] = body
	return encode(fields)
}

// handle is one batch.
func (m *mapping) handle(ctx context.Context, batch []queue.Received) (failed []string, err error) {
	payload := []byte(eventHead)
	var ids []string
	for i, r := range batch {
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = m.word(payload, r)
		ids = append(ids, r.Events...)
	}
	payload = append(payload, eventTail...)
	a, err := m.invoke(ctx, m.function, runner.Request{Payload: payload, Events: ids})
	switch {
	case err != nil:
		return nil, err
	case a.FunctionError != "":
		return nil, functionFailure(a)
	case !m.PartialFailures:
		return nil, nil
	}
	return failedItems(a.Payload, batch)
}

// record is a message as Lambda words it, its keys in Lambda's order.
type record struct {
	MessageID         string                     `json:"messageId"`
	ReceiptHandle     string                     `json:"receiptHandle"`
	Body              string                     `json:"body"`
	Attributes        systemValues               `json:"attributes"`
	MessageAttributes map[string]recordAttribute `json:"messageAttributes"`
	MD5OfBody         string                     `json:"md5OfBody"`
	MD5OfAttributes   string                     `json:"md5OfMessageAttributes,omitempty"`
	EventSource       string                     `json:"eventSource"`
	EventSourceARN    string                     `json:"eventSourceARN"`
	AWSRegion         string                     `json:"awsRegion"`
}

// recordAttribute is a message attribute in a record.
type recordAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues []string `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// systemValues is an object whose keys stay in their order.
type systemValues []systemAttribute

// MarshalJSON is for package json.
func (l systemValues) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, a := range l {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, encode(a.name)...), ':'), encode(a.value)...)
	}
	return append(out, '}'), nil
}

// word appends the record of a message.
func (m *mapping) word(out []byte, r queue.Received) []byte {
	x := record{
		MessageID: r.ID, ReceiptHandle: r.Receipt, Body: string(r.Body), Attributes: systemAttributes(r),
		MessageAttributes: make(map[string]recordAttribute, len(r.Attributes)),
		MD5OfBody:         md5Hex(r.Body), MD5OfAttributes: md5OfAttributes(r.Attributes),
		EventSource: "aws:sqs", EventSourceARN: m.arn, AWSRegion: m.region,
	}
	for name, a := range r.Attributes {
		wire := onWire(a)
		x.MessageAttributes[name] = recordAttribute{wire.StringValue, wire.BinaryValue, []string{}, []string{}, a.Type}
	}
	return append(out, encode(x)...)
}

var errPartial = errors.New("the function's answer is no batch response")

// failedItems reads which messages of a batch the function says have failed. Nothing, null, an object without the list, and an empty
// list say that none has. An error says that all have: what is no JSON object, an identifier that is empty, null or under another
// key, and one that the batch does not have.
func failedItems(answer []byte, batch []queue.Received) ([]string, error) {
	answer = bytes.TrimSpace(answer)
	if len(answer) == 0 || string(answer) == "null" {
		return nil, nil
	}
	var response map[string]json.RawMessage
	if err := json.Unmarshal(answer, &response); err != nil {
		return nil, fmt.Errorf("%w: %w", errPartial, err)
	}
	var items []map[string]json.RawMessage
	if list, ok := response["batchItemFailures"]; ok {
		if err := json.Unmarshal(list, &items); err != nil {
			return nil, fmt.Errorf("%w: batchItemFailures: %w", errPartial, err)
		}
	}
	known := make(map[string]bool, len(batch))
	for _, r := range batch {
		known[r.ID] = true
	}
	failed := make([]string, 0, len(items))
	for i, item := range items {
		var id *string
		raw, ok := item["itemIdentifier"]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: batchItemFailures[%d] has no itemIdentifier", errPartial, i)
		case json.Unmarshal(raw, &id) != nil:
			return nil, fmt.Errorf("%w: batchItemFailures[%d].itemIdentifier is no string", errPartial, i)
		case id == nil || *id == "":
			return nil, fmt.Errorf("%w: batchItemFailures[%d].itemIdentifier is empty", errPartial, i)
		case !known[*id]:
			return nil, fmt.Errorf("%w: batchItemFailures[%d]: the batch has no message %q", errPartial, i, *id)
		}
		failed = append(failed, *id)
	}
	return failed, nil
}
