package broadcast_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/broadcast"
)

// The three shapes bring the same.
func TestShapes(t *testing.T) {
	is := is.New(t)
	e := action("e1", "PUSH", "team/app", "v1")
	want := `{"messages":[{"event_metadata":{"cloud_id":"123456789012","created_at":"2026-09-25T01:02:03Z","event_id":"e1",` +
		`"event_type":"yandex.cloud.events.containerregistry.CreateImageTag","folder_id":""},` +
		`"details":{"image_digest":"sha256:ab","image_id":"","registry_id":"123456789012","repository_name":"team/app","tag":"v1"}}]}`
	for _, payload := range []string{e, queued(e), queued(e, e)} {
		r := wanting("image=team%2Fapp&tag=v%2A&events=create-image-tag")
		run := newRun(t, r, nil)
		answer, err := run.Invoke(t.Context(), []byte(payload))
		is.NoErr(err)
		if strings.Contains(payload, "Records") {
			is.Equal(string(answer), `{"batchItemFailures":[]}`)
		}
		is.Equal(run.endpoint.got, map[string][]string{"0": {want}})
		is.Equal(r.asked, []string{"team/app"})
	}
}

func TestTypesOfECR(t *testing.T) {
	for _, test := range []struct{ action, tag, want string }{
		{"PUSH", "v1", "create-image-tag"}, {"PUSH", "", "create-image"}, {"DELETE", "v1", "delete-image-tag"}, {"DELETE", "", "delete-image"},
	} {
		is := is.New(t)
		run := newRun(t, wanting("events="+test.want), nil)
		is.Equal(run.summary(t, action("e1", test.action, "a", test.tag)).Posts, 1)
	}
}

// What is an image action, and nothing that a wish can mean, is no error: it would only come again.
func TestIgnored(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting(""), nil)
	is.Equal(run.summary(t, action("e1", "UPDATE_STORAGE_CLASS", "a", "")), broadcast.Summary{Ignored: 1})
	failed := strings.Replace(action("e2", "PUSH", "a", "v1"), "SUCCESS", "FAILED", 1)
	is.Equal(run.summary(t, failed), broadcast.Summary{Ignored: 1})
}

func TestUnknownShapes(t *testing.T) {
	for payload, want := range map[string]string{
		`[1]`:                    `batch: want a JSON object, found "[1]"`,
		``:                       `batch: want a JSON object, found ""`,
		`{}`:                     `batch: an object with no keys: want messages (a Yandex trigger's batch), detail-type (an event of EventBridge) or Records (a batch of SQS)`,
		`{"httpMethod":1,"a":2}`: `batch: an object with the keys "a", "httpMethod": want messages`,
		`{"Records":[{"eventSource":"aws:s3","s3":{}}]}`:        `batch: Records[0]: eventSource "aws:s3", messageId "": want those of SQS (aws:sqs)`,
		`{"Records":[{"EventSource":"aws:sns","messageId":1}]}`: `batch: Records: want those of SQS`,
		`{"messages":{}}`: `batch: messages: want a list`,
		`{"messages":[{"event_metadata":{"event_type":"x.TimerMessage"}}]}`:                 `batch: messages[0]: event_type "x.TimerMessage" is no Container Registry event`,
		messages(strings.Replace(message("e", "CreateImage", "a", ""), "crpmine/a", "", 1)): `batch: messages[0]: details.repository_name is missing`,
		`{"detail-type":"ECR Image Scan","source":"aws.ecr","id":"i","detail":{}}`:          `batch: event "i": detail-type "ECR Image Scan" of source "aws.ecr": want "ECR Image Action" of "aws.ecr"`,
		`{"detail-type":"Scheduled Event","source":"aws.events","id":"i","detail":{}}`:      `batch: event "i": detail-type "Scheduled Event" of source "aws.events"`,
	} {
		is := is.New(t)
		run := newRun(t, wanting(""), nil)
		_, err := run.Invoke(t.Context(), []byte(payload))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n%v\nwant %s", payload, err, want)
		}
		is.Equal(len(run.endpoint.got), 0)
	}
}

// A message of the queue that cannot be read fails alone.
func TestPoison(t *testing.T) {
	is := is.New(t)
	run := newRun(t, wanting(""), nil)
	answer, err := run.Invoke(t.Context(), []byte(queued(action("e0", "PUSH", "a", "v1"), "hello", `{"x":1}`, action("e3", "PUSH", "a", "v2"))))
	is.NoErr(err)
	is.Equal(string(answer), `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"}]}`)
	is.Equal(len(run.endpoint.got["0"]), 1)
	is.True(strings.Contains(run.log.String(), `Records[1].body: want a JSON object, found \"hello\"`) || strings.Contains(run.log.String(), `found \\\"hello\\\"`))
}
