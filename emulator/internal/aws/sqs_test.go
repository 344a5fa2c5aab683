package aws_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/aws"
	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/queue"
)

// sdkConfig is what SDK clients of a test server are made of. They try once, and keep no connection.
func sdkConfig() sdk.Config {
	return sdk.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("regcast", "regcast", ""), RetryMaxAttempts: 1,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// mailroom is SQS behind a listener, with a client that knows nothing of regcast.
type mailroom struct {
	*sqs.Client
	queues *queue.Queues
	clock  *clock.Manual
	server *httptest.Server
}

func openMailroom(t *testing.T, defs ...queue.Queue) *mailroom {
	t.Helper()
	c := clock.NewManual(start)
	m := &mailroom{queues: openQueues(t, c, defs...), clock: c}
	m.server = httptest.NewServer(&aws.SQS{
		Account: account, Region: "us-east-1", Queues: m.queues, ContentDedup: func(name string) bool { return name == "content.fifo" },
	})
	t.Cleanup(m.server.Close)
	m.Client = sqs.NewFromConfig(sdkConfig(), func(o *sqs.Options) { o.BaseEndpoint = sdk.String(m.server.URL) })
	return m
}

func openQueues(t *testing.T, c clock.Clock, defs ...queue.Queue) *queue.Queues {
	t.Helper()
	q, err := queue.New(queue.Options{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, def := range defs {
		if err := q.Set(def); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

func (m *mailroom) url(name string) *string {
	return sdk.String(m.server.URL + "/" + account + "/" + name)
}

// codeOf is the code of an error as the SDK tells it.
func codeOf(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint("no API error: ", err)
}

func TestSQSMessagesGoThrough(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t, queue.Queue{Name: "q", Visibility: time.Minute})
	// The SDK compares the sums of what it sent and received with those that it is told.
	sent, err := m.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: m.url("q"), MessageBody: sdk.String(`{"a":"<ü>"}`),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"Text":   {DataType: sdk.String("String.mine"), StringValue: sdk.String("x")},
			"Number": {DataType: sdk.String("Number"), StringValue: sdk.String("1.5")},
			"Bytes":  {DataType: sdk.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		},
	})
	is.NoErr(err)
	is.Equal(*sent.MD5OfMessageBody, "f36fc7a56559dc24d2fb1f4a7f3c120e")
	is.Equal(*sent.MD5OfMessageAttributes, "15a3aa2778e9be8c125a1edcd01efd54")
	m.clock.Advance(1500 * time.Millisecond)
	got, err := m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: m.url("q"), MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
	})
	is.NoErr(err)
	is.Equal(len(got.Messages), 1)
	x := got.Messages[0]
	is.Equal(*x.Body, `{"a":"<ü>"}`)
	is.Equal(*x.MessageId, *sent.MessageId)
	is.Equal(*x.MD5OfMessageAttributes, *sent.MD5OfMessageAttributes)
	is.Equal(x.MessageAttributes["Bytes"].BinaryValue, []byte{0, 1, 255})
	is.Equal(*x.MessageAttributes["Text"].DataType, "String.mine")
	is.Equal(x.Attributes, map[string]string{
		"ApproximateReceiveCount": "1", "SentTimestamp": "1790295749887", "SenderId": x.Attributes["SenderId"], "ApproximateFirstReceiveTimestamp": "1790295751387",
	})

	attributes, err := m.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: m.url("q"), AttributeNames: []types.QueueAttributeName{"All"}})
	is.NoErr(err)
	is.Equal(attributes.Attributes, map[string]string{
		"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "VisibilityTimeout": "60", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "MaximumMessageSize": "1048576",
		"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "0",
	})
	_, err = m.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: m.url("q"), ReceiptHandle: x.ReceiptHandle, VisibilityTimeout: 0})
	is.NoErr(err)
	_, err = m.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: m.url("q"), ReceiptHandle: x.ReceiptHandle, VisibilityTimeout: 0})
	is.True(errors.As(err, new(*types.MessageNotInflight)))
	_, err = m.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: m.url("q"), ReceiptHandle: x.ReceiptHandle})
	is.NoErr(err)
	got, err = m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: m.url("q")})
	is.NoErr(err)
	is.Equal(len(got.Messages), 0)
}

func TestSQSOnlyTheAttributesAskedFor(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t, queue.Queue{Name: "q", MaxReceives: 1, DeadLetter: "dlq"}, queue.Queue{Name: "dlq"})
	text := types.MessageAttributeValue{DataType: sdk.String("String"), StringValue: sdk.String("x")}
	_, err := m.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: m.url("q"), MessageBody: sdk.String("a"),
		MessageAttributes: map[string]types.MessageAttributeValue{"a.b": text, "a.c": text, "ab": text}})
	is.NoErr(err)
	got, err := m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: m.url("q"), MessageAttributeNames: []string{"a.*"}})
	is.NoErr(err)
	is.Equal(len(got.Messages[0].MessageAttributes), 2)
	is.Equal(len(got.Messages[0].Attributes), 0)
	m.clock.Advance(queue.Visibility)
	dead, err := m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: m.url("dlq"), MessageSystemAttributeNames: []types.MessageSystemAttributeName{"DeadLetterQueueSourceArn"}})
	is.NoErr(err)
	is.Equal(dead.Messages[0].Attributes, map[string]string{"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:q"})
	redrive, err := m.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: m.url("q"), AttributeNames: []types.QueueAttributeName{"RedrivePolicy"}})
	is.NoErr(err)
	is.Equal(redrive.Attributes, map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dlq","maxReceiveCount":1}`})
}

func TestSQSBatches(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t, queue.Queue{Name: "q"})
	sent, err := m.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: m.url("q"), Entries: []types.SendMessageBatchRequestEntry{
		{Id: sdk.String("1"), MessageBody: sdk.String("a")}, {Id: sdk.String("2"), MessageBody: sdk.String("\x00")}, {Id: sdk.String("3"), MessageBody: sdk.String("c")},
	}})
	is.NoErr(err)
	is.Equal(len(sent.Successful), 2)
	is.Equal(*sent.Failed[0].Id, "2")
	is.Equal(*sent.Failed[0].Code, "InvalidMessageContents")
	got, err := m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: m.url("q"), MaxNumberOfMessages: 10})
	is.NoErr(err)
	is.Equal(len(got.Messages), 2)
	changed, err := m.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: m.url("q"), Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: sdk.String("1"), ReceiptHandle: got.Messages[0].ReceiptHandle, VisibilityTimeout: 100}, {Id: sdk.String("2"), ReceiptHandle: sdk.String("nonsense"), VisibilityTimeout: 1},
	}})
	is.NoErr(err)
	is.Equal(len(changed.Successful), 1)
	is.Equal(*changed.Failed[0].Code, "ReceiptHandleIsInvalid")
	deleted, err := m.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: m.url("q"), Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: sdk.String("1"), ReceiptHandle: got.Messages[0].ReceiptHandle}, {Id: sdk.String("2"), ReceiptHandle: got.Messages[1].ReceiptHandle},
	}})
	is.NoErr(err)
	is.Equal(len(deleted.Successful), 2)
	counts, err := m.queues.Counts("q")
	is.NoErr(err)
	is.Equal(counts, queue.Counts{})

	for code, entries := range map[string][]types.SendMessageBatchRequestEntry{
		"EmptyBatchRequest":            {},
		"BatchEntryIdsNotDistinct":     {{Id: sdk.String("1"), MessageBody: sdk.String("a")}, {Id: sdk.String("1"), MessageBody: sdk.String("a")}},
		"InvalidBatchEntryId":          {{Id: sdk.String("!"), MessageBody: sdk.String("a")}},
		"TooManyEntriesInBatchRequest": make([]types.SendMessageBatchRequestEntry, 11),
		"BatchRequestTooLong":          {{Id: sdk.String("1"), MessageBody: sdk.String(strings.Repeat("x", 600_000))}, {Id: sdk.String("2"), MessageBody: sdk.String(strings.Repeat("x", 600_000))}},
	} {
		for i := range entries {
			if entries[i].Id == nil {
				entries[i] = types.SendMessageBatchRequestEntry{Id: sdk.String(fmt.Sprint(i)), MessageBody: sdk.String("a")}
			}
		}
		_, err := m.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: m.url("q"), Entries: entries})
		is.True(strings.HasSuffix(codeOf(err), code)) // the code that the batch is refused with
	}
}

func TestSQSRefusals(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t, queue.Queue{Name: "q"}, queue.Queue{Name: "q.fifo", FIFO: true}, queue.Queue{Name: "content.fifo", FIFO: true})
	for _, c := range []struct {
		queue string
		in    sqs.SendMessageInput
		code  string
	}{
		{"q", sqs.SendMessageInput{MessageBody: sdk.String("")}, "MissingParameter"},
		{"q", sqs.SendMessageInput{MessageBody: sdk.String(strings.Repeat("x", 1<<20+1))}, "InvalidParameterValue"},
		{"q", sqs.SendMessageInput{MessageBody: sdk.String("\x01")}, "InvalidMessageContents"},
		{"q", sqs.SendMessageInput{MessageBody: sdk.String("a"), DelaySeconds: 901}, "InvalidParameterValue"},
		{"q", sqs.SendMessageInput{MessageBody: sdk.String("a"), MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: sdk.String("Bool")}}}, "InvalidParameterValue"},
		{"q.fifo", sqs.SendMessageInput{MessageBody: sdk.String("a")}, "MissingParameter"},
		{"q.fifo", sqs.SendMessageInput{MessageBody: sdk.String("a"), MessageGroupId: sdk.String("g")}, "InvalidParameterValue"},
		{"q.fifo", sqs.SendMessageInput{MessageBody: sdk.String("a"), MessageGroupId: sdk.String("g"), MessageDeduplicationId: sdk.String("d"), DelaySeconds: 1}, "InvalidParameterValue"},
		{"none", sqs.SendMessageInput{MessageBody: sdk.String("a")}, "AWS.SimpleQueueService.NonExistentQueue"},
	} {
		c.in.QueueUrl = m.url(c.queue)
		_, err := m.SendMessage(t.Context(), &c.in)
		is.Equal(codeOf(err), c.code)
	}
	_, err := m.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: m.url("content.fifo"), MessageBody: sdk.String("a"), MessageGroupId: sdk.String("g")})
	is.NoErr(err) // the body tells it apart
	_, err = m.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: sdk.String("none")})
	is.True(errors.As(err, new(*types.QueueDoesNotExist)))
	_, err = m.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: m.url("q"), ReceiptHandle: sdk.String("?")})
	is.True(errors.As(err, new(*types.ReceiptHandleIsInvalid)))
	_, err = m.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: m.url("q"), MaxNumberOfMessages: 11})
	is.Equal(codeOf(err), "InvalidParameterValue")
	_, err = m.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: m.url("q"), AttributeNames: []types.QueueAttributeName{"Size"}})
	is.True(errors.As(err, new(*types.InvalidAttributeName)))
	_, err = m.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: sdk.String("new")})
	is.True(strings.Contains(err.Error(), "StatusCode: 501"))
	is.True(strings.Contains(err.Error(), "not emulated: sqs.CreateQueue"))
}

func TestSQSQueuesByName(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t, queue.Queue{Name: "b"}, queue.Queue{Name: "a1"}, queue.Queue{Name: "a2"}, queue.Queue{Name: "async:f"})
	all, err := m.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	is.NoErr(err)
	is.Equal(all.QueueUrls, []string{*m.url("a1"), *m.url("a2"), *m.url("b")}) // the house's own are none of SQS
	pages := sqs.NewListQueuesPaginator(m, &sqs.ListQueuesInput{QueueNamePrefix: sdk.String("a"), MaxResults: sdk.Int32(1)})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		is.NoErr(err)
		names = append(names, page.QueueUrls...)
	}
	is.Equal(names, []string{*m.url("a1"), *m.url("a2")})
	url, err := m.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: sdk.String("b")})
	is.NoErr(err)
	is.Equal(*url.QueueUrl, *m.url("b"))
	_, err = m.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: m.url("b"), MessageBody: sdk.String("a")})
	is.NoErr(err)
	_, err = m.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: m.url("b")})
	is.NoErr(err)
	counts, err := m.queues.Counts("b")
	is.NoErr(err)
	is.Equal(counts, queue.Counts{})
}

// Both headers of an error are there: the SDKs of before the JSON protocol go by the one, later ones by the other.
func TestSQSErrorsOnTheWire(t *testing.T) {
	is := is.New(t)
	m := openMailroom(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.server.URL, strings.NewReader(`{"QueueUrl":"http://x/1/none"}`))
	is.NoErr(err)
	r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	is.NoErr(err)
	body, err := io.ReadAll(res.Body)
	is.NoErr(err)
	is.NoErr(res.Body.Close())
	is.Equal(res.StatusCode, 400)
	is.Equal(res.Header.Get("x-amzn-query-error"), "AWS.SimpleQueueService.NonExistentQueue;Sender")
	is.Equal(string(body), `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`)
}
