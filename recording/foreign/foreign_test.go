package foreign_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/recording/foreign"
)

func push(id, tag, digest string) string {
	if tag != "" {
		tag = fmt.Sprintf(`,"image-tag":%q`, tag)
	}
	return fmt.Sprintf(`{"version":"0","id":%q,"detail-type":"ECR Image Action","source":"aws.ecr","account":"210987654321","time":"2026-03-04T05:06:07Z",`+
		`"region":"eu-north-1","resources":[],"detail":{"result":"SUCCESS","repository-name":"team/app","image-digest":%q,"action-type":"PUSH"%s}}`, id, digest, tag)
}

func said(id, kind, tag, digest string, ms int) string {
	if tag != "" {
		tag = fmt.Sprintf(`,"tag":%q`, tag)
	}
	return fmt.Sprintf(`{"event_metadata":{"cloud_id":"b1gmine","created_at":"2026-03-04T05:06:07.%03dZ","event_id":%q,`+
		`"event_type":"yandex.cloud.events.containerregistry.%s","folder_id":"b1gours"},"details":{"image_digest":%q,"image_id":"crpimage",`+
		`"registry_id":"crpmine","repository_name":"crpmine/team/app"%s}}`, ms, id, kind, digest, tag)
}

func notified(id, action, mediaType, tag, digest string) string {
	return fmt.Sprintf(`{"id":%q,"timestamp":"2026-03-04T05:06:07.5Z","action":%q,"target":{"mediaType":%q,"digest":%q,"size":7,"repository":"team/app","tag":%q},`+
		`"request":{"id":"r1","host":"registry.example:5000"},"actor":{},"source":{}}`, id, action, mediaType, digest, tag)
}

func batch(messages ...string) string { return `{"messages":[` + strings.Join(messages, ",") + `]}` }

func quote(s string) string { return string(must(json.Marshal(s))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func zipped(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	must(io.WriteString(z, s))
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// spell says what an item is in one line: place | what | changes | events, or place | what | skipped.
func spell(i foreign.Item) string {
	parts := []string{i.Place.String()}
	for _, p := range i.And {
		parts[0] += " + " + p.String()
	}
	parts = append(parts, i.What)
	if i.Skipped != "" {
		return strings.Join(append(parts, "skipped: "+i.Skipped), " | ")
	}
	var changes, told []string
	for _, c := range i.Recorded.Record.Changes {
		changes = append(changes, strings.Join(strings.Fields(fmt.Sprintf("%s %s/%s %s %s", c.Kind, c.Registry, c.Repository, c.Tag, c.Digest)), " "))
	}
	for _, e := range i.Recorded.Record.Events {
		told = append(told, fmt.Sprintf("%s %s %s of %d", e.Source, e.ID, e.Type, e.Of))
	}
	return strings.Join(append(parts, strings.Join(changes, ", "), strings.Join(told, ", ")), " | ")
}

func read(t testing.TB, text string) (spelled []string, items []foreign.Item) {
	t.Helper()
	for i, err := range foreign.Read(strings.NewReader(text), foreign.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		spelled, items = append(spelled, spell(i)), append(items, i)
	}
	return spelled, items
}

const (
	pushed  = "image-created 210987654321/team/app v1 sha256:aa, tag-attached 210987654321/team/app v1 sha256:aa | aws e1 PUSH of 1"
	created = "image-created crpmine/team/app sha256:aa | yandex y1 create-image of 0"
)

// Each shape that people have, with an event in it.
func TestWhatIsRecognised(t *testing.T) {
	e, y := push("e1", "v1", "sha256:aa"), said("y1", "CreateImage", "", "sha256:aa", 0)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(e), "", "  "); err != nil {
		t.Fatal(err)
	}
	subscription := `{"messageType":"DATA_MESSAGE","logGroup":"g","logStream":"s","logEvents":[{"id":"3","timestamp":1772600767000,"message":` + quote(e) + `}]}`
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"an event":             {e, []string{"line 1 | ECR event | " + pushed}},
		"with a mark":          {"\ufeff" + e, []string{"line 1 | ECR event | " + pushed}},
		"printed over lines":   {"\n" + pretty.String(), []string{"line 2 | ECR event | " + pushed}},
		"a list":               {"[\n" + e + ",\n" + y + "]", []string{"line 2, [0] | ECR event | " + pushed, "line 3, [1] | Yandex trigger message | " + created}},
		"lines":                {e + "\r\n" + y + "\n", []string{"line 1 | ECR event | " + pushed, "line 2 | Yandex trigger message | " + created}},
		"one after another":    {e + y, []string{"line 1 | ECR event | " + pushed, "line 1 | Yandex trigger message | " + created}},
		"a list of strings":    {"[" + quote(e) + "]", []string{"line 1, [0] | ECR event | " + pushed}},
		"lines of strings":     {quote(e) + "\n", []string{"line 1 | ECR event | " + pushed}},
		"gzip":                 {string(zipped(e)), []string{"line 1 | ECR event | " + pushed}},
		"a trigger's batch":    {batch(y), []string{"line 1, messages[0] | Yandex trigger message | " + created}},
		"a list of batches":    {"[" + batch(y) + "]", []string{"line 1, [0].messages[0] | Yandex trigger message | " + created}},
		"a Lambda payload":     {`{"Records":[{"messageId":"m","eventSource":"aws:sqs","body":` + quote(e) + `}]}`, []string{"line 1, Records[0].body | ECR event in an SQS record | " + pushed}},
		"sqs receive-message":  {`{"Messages":[{"MessageId":"m","Body":` + quote(batch(y)) + `}]}`, []string{"line 1, Messages[0].Body.messages[0] | Yandex trigger message in an SQS record | " + created}},
		"SNS inside SQS":       {`{"Records":[{"messageId":"m","body":` + quote(`{"Type":"Notification","TopicArn":"t","Message":`+quote(e)+`}`) + `}]}`, []string{"line 1, Records[0].body.Message | ECR event in an SNS notification in an SQS record | " + pushed}},
		"SNS to Lambda":        {`{"Records":[{"EventSource":"aws:sns","Sns":{"Type":"Notification","Message":` + quote(e) + `}}]}`, []string{"line 1, Records[0].Sns.Message | ECR event in an SNS notification in an SNS notification | " + pushed}},
		"filter-log-events":    {`{"events":[{"logStreamName":"s","timestamp":1772600767000,"message":"START\n","eventId":"1"},` + "\n" + `{"timestamp":1772600768000,"message":` + quote("got "+e+"\n") + `}],"searchedLogStreams":[]}`, []string{`line 1, events[0] |  | skipped: a log line without an event: "START\n"`, "line 2, events[1].message | ECR event in a CloudWatch log line | " + pushed}},
		"SQS in a log line":    {`{"events":[{"timestamp":1,"message":` + quote(`{"Records":[{"messageId":"m","body":`+quote(e)+`}]}`) + `}]}`, []string{"line 1, events[0].message.Records[0].body | ECR event in an SQS record in a CloudWatch log line | " + pushed}},
		"logs tail":            {"2026-03-04T05:06:08.120000+00:00 2026/03/04/[$LATEST]abc START RequestId: 1\n2026-03-04T05:06:08.120000+00:00 2026/03/04/[$LATEST]abc " + e + "\n", []string{`line 1 |  | skipped: no event in "2026-03-04T05:06:08.120000+00:00 2026/03/04/[$LATEST]abc STA"…`, "line 2 | ECR event in a line of text | " + pushed}},
		"logs tail as JSON":    {"2026-03-04T05:06:08+00:00 stream\n" + pretty.String() + "\n", []string{`line 1 |  | skipped: no event in "2026-03-04T05:06:08+00:00 stream"`, "line 2 | ECR event | " + pushed}},
		"an export to S3":      {"2026-03-04T05:06:08.120Z " + e + "\n2026-03-04T05:06:08.120Z END\n", []string{"line 1 | ECR event in a line of text | " + pushed, `line 2 |  | skipped: no event in "2026-03-04T05:06:08.120Z END"`}},
		"a quoted attribute":   {"time=1 level=INFO event=" + quote(e) + "\n", []string{"line 1 | ECR event in a line of text | " + pushed}},
		"a structured log":     {`{"level":"INFO","msg":"got it","event":` + e + "}", []string{"line 1, event | ECR event | " + pushed}},
		"a subscription":       {subscription, []string{"line 1, logEvents[0].message | ECR event in a CloudWatch log line | " + pushed}},
		"a packed one":         {`{"awslogs":{"data":"` + base64.StdEncoding.EncodeToString(zipped(subscription)) + `"}}`, []string{"line 1, awslogs.data.logEvents[0].message | ECR event in a CloudWatch log line in base64 in a CloudWatch Logs subscription | " + pushed}},
		"Yandex logs":          {`[{"uid":"1","resource":{"type":"serverless.function","id":"d4e"},"timestamp":"2026-03-04T05:06:09Z","level":"INFO","message":"m","json_payload":{"event":` + y + `}},` + `{"timestamp":"2026-03-04T05:06:10Z","level":"INFO","message":` + quote("batch "+batch(said("y2", "DeleteImageTag", "v1", "sha256:aa", 0))) + `}]`, []string{"line 1, [0].json_payload.event | Yandex trigger message in a Yandex log line | " + created, "line 1, [1].message.messages[0] | Yandex trigger message in a Yandex log line | tag-detached crpmine/team/app v1 sha256:aa | yandex y2 delete-image-tag of 0"}},
		"a log trigger":        {batch(`{"event_metadata":{"event_type":"yandex.cloud.events.serverless.triggers.LoggingMessageBatch"},"details":{"messages":[{"message":` + quote(y) + `,"timestamp":"2026-03-04T05:06:10Z","level":"INFO"}]}}`), []string{"line 1, messages[0].details.messages[0].message | Yandex trigger message in a Yandex log line in a Yandex trigger message of another kind | " + created}},
		"a CloudEvent":         {`{"specversion":"1.0","id":"c","source":"s","type":"regcast.create-image","data":` + y + `}`, []string{"line 1, data | Yandex trigger message in a CloudEvent | " + created}},
		"a batch of them":      {`[{"specversion":"1.0","id":"c","source":"s","type":"t","data":` + e + `}]`, []string{"line 1, [0].data | ECR event in a CloudEvent | " + pushed}},
		"with base64":          {`{"specversion":"1.0","id":"c","source":"s","type":"t","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(e)) + `"}`, []string{"line 1, data_base64 | ECR event in base64 in a CloudEvent | " + pushed}},
		"its binary form":      {`{"headers":{"ce-specversion":"1.0","ce-type":"t","Content-Type":"application/json"},"body":` + quote(e) + `}`, []string{"line 1, body | ECR event in a CloudEvent in binary form | " + pushed}},
		"notifications":        {`{"events":[` + notified("n1", "pull", "application/vnd.oci.image.manifest.v1+json", "v1", "sha256:aa") + "," + notified("n2", "push", "application/octet-stream", "", "sha256:bb") + "," + notified("n3", "mount", "application/octet-stream", "", "sha256:bb") + "," + notified("n4", "push", "application/vnd.oci.image.index.v1+json", "v1", "sha256:aa") + `]}`, []string{"line 1, events[0] | notification of a distribution registry | skipped: pull changes no image: want push or delete", "line 1, events[1] | notification of a distribution registry | skipped: a push of application/octet-stream: a part of an image, not an image", "line 1, events[2] | notification of a distribution registry | skipped: mount changes no image: want push or delete", "line 1, events[3] | notification of a distribution registry | image-created /team/app v1 sha256:aa, tag-attached /team/app v1 sha256:aa | "}},
		"a journal's line":     {`{"seq":3,"at":"2026-03-04T05:06:07Z","record":{"origin":"registry","changes":[{"kind":"tag-attached","registry_id":"crpmine","repository":"team/app","tag":"v1","at":"2026-03-04T05:06:07Z","rev":1}],"events":[{"id":"y9","source":"yandex","type":"create-image-tag","of":0,"body":{}}]}}`, []string{"line 1 | line of regcast's journal | tag-attached crpmine/team/app v1 | yandex y9 create-image-tag of 0"}},
		"two in a deep object": {`{"a":{"b":[{"c":` + e + `}]},"d":` + quote("x "+y) + `}`, []string{"line 1, a.b[0].c | ECR event | " + pushed, "line 1, d | Yandex trigger message | " + created}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			got, _ := read(t, test.text)
			is.Equal(got, test.want)
		})
	}
}

// What is no event is told of with the reason.
func TestWhatIsSkipped(t *testing.T) {
	e := push("e1", "v1", "sha256:aa")
	change := func(old, new string) string { return strings.Replace(e, old, new, 1) }
	for text, want := range map[string][]string{
		"":                        nil,
		" \n\t\r\n":               nil,
		"hello {world} [INFO] []": {`line 1 |  | skipped: no event in "hello {world} [INFO]"`},
		`{"seq":1,"at":"2026-03-04T05:06:07Z","invocation":{"id":"i","input":` + quote(e) + `}}`: {"line 1 | line of regcast's journal | skipped: a line with no record: a replay makes what follows from records anew"},
		"[]":                  {"line 1 |  | skipped: an empty list"},
		"[1,2]":               {"line 1 |  | skipped: a list without objects"},
		`["hi"]`:              {`line 1, [0] |  | skipped: no event in "hi"`},
		`{"Records":[]}`:      {"line 1, Records |  | skipped: an empty list"},
		`{"b":1,"a":{"c":2}}`: {`line 1 |  | skipped: no event that regcast knows: an object with the keys "a", "b"`},
		"{}":                  {"line 1 |  | skipped: no event that regcast knows: an object with no keys"},
		`{"source":"aws.s3","detail-type":"Object Created","detail":{}}`:                              {"line 1 |  | skipped: an EventBridge event of aws.s3 (Object Created): want one of aws.ecr"},
		change("ECR Image Action", "ECR Image Scan"):                                                  {"line 1 | ECR event | skipped: an ECR Image Scan changes no image: want ECR Image Action"},
		change("SUCCESS", "FAILED"):                                                                   {`line 1 | ECR event | skipped: event e1: result is "FAILED": nothing happened`},
		change(`"PUSH"`, `"UPDATE_STORAGE_CLASS"`):                                                    {"line 1 | ECR event | skipped: event e1: UPDATE_STORAGE_CLASS changes no image and no tag: want PUSH or DELETE"},
		change("team/app", ""):                                                                        {"line 1 | ECR event | skipped: event e1: change: repository is empty"},
		change(`"2026-03-04T05:06:07Z"`, `"yesterday"`):                                               {`line 1 | ECR event | skipped: ecr: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
		`{"messages":[{"event_metadata":{"event_type":"yandex.cloud.events.storage.ObjectCreate"}}]}`: {"line 1, messages[0] |  | skipped: a Yandex trigger message of type yandex.cloud.events.storage.ObjectCreate: want yandex.cloud.events.containerregistry.…"},
		batch(said("y1", "SignImage", "", "sha256:aa", 0)):                                            {`line 1, messages[0] | Yandex trigger message | skipped: event_type "yandex.cloud.events.containerregistry.SignImage": want one of create-image, delete-image, create-image-tag, delete-image-tag`},
		`{"push_data":{"tag":"v1"},"repository":{"repo_name":"a/b"}}`:                                 {"line 1 | webhook of Docker Hub or Alibaba Cloud | skipped: not read: webhook of Docker Hub or Alibaba Cloud; say the same by hand, as in: regcast emit create-image-tag --image team/app --tag v1"},
		`{"specversion":"1.0","type":"harbor.artifact.pushed","source":"/p","data":{}}`:               {"line 1 | Harbor webhook | skipped: not read: Harbor webhook; say the same by hand, as in: regcast emit create-image-tag --image team/app --tag v1"},
		e + "\n" + e: {"line 1 | ECR event | " + pushed, "line 2 | ECR event | skipped: event e1 again: first at line 1"},
		// Broken off, broken, and whole again.
		"[" + e + ",\n" + e[:40]: {"line 1, [0] | ECR event | " + pushed, "line 1 |  | skipped: cut off: the text ends in the middle of JSON"},
		`{"a":1,b` + "\n" + e:    {"line 1 |  | skipped: broken JSON: line 1: found 'b', want '\"'; read on from there", "line 2 | ECR event | " + pushed},
		"{\"a\":1,\"text\n" + e:  {"line 1 |  | skipped: broken JSON: line 1: found '\\n', want the end of a string; read on from there", "line 2 | ECR event | " + pushed},
		`{"a":1,"b":` + strings.Repeat("[", 600) + "]" + "\n" + e: {"line 1 |  | skipped: broken JSON: line 1: nested deeper than 500; read on from there", "line 1 |  | skipped: broken JSON: line 2: found '{', want a comma or ']'; read on from there", "line 2 | ECR event | " + pushed},
		`{"a":1.2.3}` + e: {"line 1 |  | skipped: broken JSON: invalid character '.' after object key:value pair", "line 1 | ECR event | " + pushed},
	} {
		t.Run(text[:min(len(text), 30)], func(t *testing.T) {
			is := is.New(t)
			got, _ := read(t, text)
			is.Equal(got, want)
		})
	}
}

// One request is one record, as the registry that it happened in would have it.
func TestJoin(t *testing.T) {
	y := func(id, kind, tag, digest string, ms int) string { return said(id, kind, tag, digest, ms) }
	for name, test := range map[string]struct {
		text string
		want []string // changes and events of each record
	}{
		"a push": {batch(y("1", "CreateImage", "", "B", 0), y("2", "CreateImageTag", "v1", "B", 3)),
			[]string{"image-created v1 B, tag-attached v1 B | 1 of 0, 2 of 1"}},
		"in batches of one, in a log": {batch(y("1", "CreateImage", "", "B", 0)) + "\nEND\n" + batch(y("2", "CreateImageTag", "v1", "B", 3)),
			[]string{"image-created v1 B, tag-attached v1 B | 1 of 0, 2 of 1", "skipped"}},
		"a tag moves": {batch(y("1", "CreateImage", "", "B", 0), y("2", "DeleteImageTag", "v1", "A", 0), y("3", "CreateImageTag", "v1", "B", 0)),
			[]string{"image-created v1 B, tag-detached v1 A, tag-attached v1 B | 1 of 0, 2 of 1, 3 of 2"}},
		"told in another order": {batch(y("3", "CreateImageTag", "v1", "B", 0), y("1", "CreateImage", "", "B", 0)),
			[]string{"image-created v1 B, tag-attached v1 B | 3 of 1, 1 of 0"}},
		"a deletion": {batch(y("1", "DeleteImage", "", "A", 0), y("2", "DeleteImageTag", "v1", "A", 0), y("3", "DeleteImageTag", "v2", "A", 0)),
			[]string{"tag-detached v1 A, tag-detached v2 A, image-deleted A | 1 of 2, 2 of 0, 3 of 1"}},
		"two pushes": {batch(y("1", "CreateImage", "", "B", 0), y("2", "CreateImageTag", "v1", "B", 0), y("3", "CreateImageTag", "v2", "B", 0)),
			[]string{"image-created v1 B, tag-attached v1 B | 1 of 0, 2 of 1", "tag-attached v2 B | 3 of 0"}},
		"another image": {batch(y("1", "CreateImage", "", "B", 0), y("2", "CreateImageTag", "v1", "C", 0)), []string{"image-created B | 1 of 0", "tag-attached v1 C | 2 of 0"}},
		"too late":      {batch(y("1", "CreateImage", "", "B", 0), strings.Replace(y("2", "CreateImageTag", "v1", "B", 1), ":07.", ":08.", 1)), []string{"image-created B | 1 of 0", "tag-attached v1 B | 2 of 0"}},
		"another place": {batch(y("1", "CreateImage", "", "B", 0), strings.ReplaceAll(y("2", "CreateImageTag", "v1", "B", 0), "team/app", "team/b")), []string{"image-created B | 1 of 0", "tag-attached v1 B | 2 of 0"}},
		"one stands between": {batch(y("1", "CreateImage", "", "B", 0)) + push("e1", "v1", "C") + batch(y("2", "CreateImageTag", "v1", "B", 0)),
			[]string{"image-created B | 1 of 0", "image-created v1 C, tag-attached v1 C | e1 of 1", "tag-attached v1 B | 2 of 0"}},
		"a tag goes, an image comes": {batch(y("1", "DeleteImageTag", "v1", "B", 0), y("2", "CreateImage", "", "B", 0)), []string{"tag-detached v1 B | 1 of 0", "image-created B | 2 of 0"}},
		"deleted at a distribution": {`{"events":[` + notified("n1", "delete", "", "", "A") + "," + notified("n2", "delete", "", "v1", "") + `]}`,
			[]string{"tag-detached v1 A, image-deleted A | "}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, items := read(t, test.text)
			var got []string
			for _, i := range items {
				if i.Skipped != "" {
					got = append(got, "skipped")
					continue
				}
				var changes, told []string
				for _, c := range i.Recorded.Record.Changes {
					changes = append(changes, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", c.Kind, c.Tag, c.Digest)), " "))
				}
				for _, e := range i.Recorded.Record.Events {
					told = append(told, fmt.Sprintf("%s of %d", e.ID, e.Of))
					is.Equal(e.Change, i.Recorded.Record.Changes[e.Of])
				}
				is.Equal(len(i.And), max(0, len(told)-1)*1+map[bool]int{true: len(changes) - 1, false: 0}[len(told) == 0])
				got = append(got, strings.Join(changes, ", ")+" | "+strings.Join(told, ", "))
			}
			is.Equal(got, test.want)
		})
	}
}

// What a registry that regcast knows nothing of had before is taken from the file itself.
func TestPushesKnowWhatCameBefore(t *testing.T) {
	is := is.New(t)
	_, items := read(t, strings.Join([]string{push("1", "v1", "A"), push("2", "v2", "A"), push("3", "v1", "B"), push("4", "v1", "B"), push("5", "", "B"), push("6", "", "C"), push("7", "v3", "")}, "\n"))
	var got []string
	for _, i := range items {
		var all []string
		for _, c := range i.Recorded.Record.Changes {
			all = append(all, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", c.Kind, c.Tag, c.Digest)), " "))
		}
		got = append(got, strings.Join(all, ", "))
	}
	is.Equal(got, []string{"image-created v1 A, tag-attached v1 A", "tag-attached v2 A", "image-created v1 B, tag-detached v1 A, tag-attached v1 B",
		"tag-attached v1 B", "image-created B", "image-created C", "tag-attached v3"})
}

// A record worded again says what its event said.
func TestRecordsWordThemselvesAgain(t *testing.T) {
	is := is.New(t)
	aws, cloud := ecr.Wording{Account: "210987654321", Region: "eu-north-1"}, yandex.Wording{CloudID: "b1gmine", FolderID: "b1gours"}
	for _, text := range []string{push("1", "v1", "A"), push("2", "v1", "B"), push("3", "", "C"), strings.Replace(push("4", "v1", "B"), "PUSH", "DELETE", 1), strings.Replace(push("5", "", "B"), "PUSH", "DELETE", 1)} {
		_, items := read(t, text)
		r := items[0].Recorded.Record
		is.Equal(string(r.Events[0].Body), text)
		worded := aws.Word(r.Changes)
		is.Equal(len(worded), 1) // one event, one event
		is.Equal(worded[0].Of, r.Events[0].Of)
		is.Equal(string(bytes.ReplaceAll(worded[0].Body, []byte(worded[0].ID), []byte(r.Events[0].ID))), text)
		_, again := read(t, text)
		is.Equal(r, again[0].Recorded.Record) // so what is worded anew has the same ids in every replay
	}
	for _, kind := range []string{"CreateImage", "CreateImageTag", "DeleteImage", "DeleteImageTag"} {
		tag := ""
		if strings.HasSuffix(kind, "Tag") {
			tag = "v1"
		}
		_, items := read(t, said("y1", kind, tag, "A", 250))
		c := items[0].Recorded.Record.Changes[0]
		is.Equal(c.At, time.Date(2026, 3, 4, 5, 6, 7, 250e6, time.UTC))
		is.Equal(items[0].Recorded.At, c.At)
		worded, ok := cloud.Word(0, c)
		is.True(ok)
		is.Equal(worded.Type, items[0].Recorded.Record.Events[0].Type)
		var was, now yandex.Message
		is.NoErr(json.Unmarshal(items[0].Recorded.Record.Events[0].Body, &was))
		is.NoErr(json.Unmarshal(worded.Body, &now))
		now.EventMetadata.EventID, now.EventMetadata.TracingContext, now.Details.ImageID = was.EventMetadata.EventID, nil, was.Details.ImageID
		is.Equal(was, now)
	}
}

// Where an event does not say when it was, what it is wrapped in does.
func TestTimes(t *testing.T) {
	is := is.New(t)
	timeless := func(id string) string {
		return strings.Replace(notified(id, "push", "application/vnd.oci.image.manifest.v1+json", "v1", "A"), `"timestamp":"2026-03-04T05:06:07.5Z",`, "", 1)
	}
	_, items := read(t, timeless("1")+"\n2026-03-04T01:00:00+01:00 got "+timeless("2")+"\n"+
		`{"timestamp":1772600767000,"message":`+quote(timeless("3"))+`}`+"\n"+
		`{"timestamp":"2026-03-04T02:00:00Z","level":"INFO","message":`+quote(timeless("4"))+`}`)
	var got []time.Time
	for _, i := range items {
		is.Equal(i.Recorded.At, i.Recorded.Record.At)
		got = append(got, i.Recorded.At)
	}
	is.Equal(got, []time.Time{{}, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), time.UnixMilli(1772600767000).UTC(), time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)})
}

func TestOptions(t *testing.T) {
	is := is.New(t)
	text := notified("n", "push", "application/vnd.oci.image.manifest.v1+json", "", "A") + `{"a":"` + strings.Repeat("x", 2000) + `"}["` + strings.Repeat("x", 2000) + `"]` + push("e1", "", "A")
	var got []string
	for i, err := range foreign.Read(strings.NewReader(text), foreign.Options{Registry: "crpmine", MaxValue: 1000}) {
		is.NoErr(err)
		got = append(got, spell(i))
	}
	is.Equal(got, []string{"line 1 | notification of a distribution registry | image-created crpmine/team/app A | ", "line 1 |  | skipped: an object over 1000 bytes",
		"line 1, [0] |  | skipped: a string over 1000 bytes", "line 1 | ECR event | image-created 210987654321/team/app A | aws e1 PUSH of 0"})
}

func TestReadersErrors(t *testing.T) {
	is := is.New(t)
	broken := errors.New("the disk is gone")
	var last error
	n := 0
	for i, err := range foreign.Read(io.MultiReader(strings.NewReader(push("e1", "", "A")+"\n"), iotest.ErrReader(broken)), foreign.Options{}) {
		if last = err; err == nil {
			n++
			is.Equal(i.Skipped, "")
		}
	}
	is.Equal(n, 1)
	is.True(errors.Is(last, broken))
	for _, text := range []string{"\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}"} {
		for _, err := range foreign.Read(strings.NewReader(text), foreign.Options{}) {
			is.True(errors.Is(err, foreign.ErrEncoding))
		}
	}
	whole := zipped(strings.Repeat(push("e1", "", "A")+"\n", 3))
	for _, err := range foreign.Read(bytes.NewReader(whole[:len(whole)-5]), foreign.Options{}) {
		last = err
	}
	is.True(errors.Is(last, io.ErrUnexpectedEOF)) // a part of a .gz is told of
}

// Who has seen enough stops, and is not called again.
func TestStop(t *testing.T) {
	is := is.New(t)
	n := 0
	for range foreign.Read(strings.NewReader("["+push("1", "", "A")+","+push("2", "", "A")+"]"+push("3", "", "A")+"\ntext\n{\"a\":1}"), foreign.Options{}) {
		n++
		break
	}
	is.Equal(n, 1)
}

func TestRecognise(t *testing.T) {
	is := is.New(t)
	for text, want := range map[string]bool{
		`{"format":"regcast.recording","version":1}` + "\n":                              true,
		"\ufeff\n" + `{"configuration":{},"created":"x", "format": "regcast.recording"}`: true,
		"\x28\xb5\x2f\xfd": true,
		"":                 false,
		push("e", "", "A"): false,
		`{"a":1}` + "\n" + `{"format":"regcast.recording"}`:                  false,
		`{"seq":3,"at":"2026-03-04T05:06:07Z","socket":{"what":"open"}}`:     true,
		`{"seq":3,"record":{"body":"` + strings.Repeat("x", 100_000) + `"}}`: true,
		`{"data":"` + strings.Repeat("x", 100_000) + `"}`:                    false,
		`{"at":"2026-03-04T05:06:07Z","message":"record"}`:                   false,
		`"regcast.recording"`: false,
	} {
		ok, rest, err := foreign.Recognise(iotest.OneByteReader(strings.NewReader(text)))
		is.NoErr(err)
		is.Equal(ok, want)
		all, err := io.ReadAll(rest)
		is.NoErr(err)
		is.Equal(string(all), text)
	}
	_, _, err := foreign.Recognise(iotest.ErrReader(io.ErrClosedPipe))
	is.True(errors.Is(err, io.ErrClosedPipe))
}

func FuzzRead(f *testing.F) {
	e, y := push("e1", "v1", "sha256:aa"), said("y1", "CreateImage", "", "sha256:aa", 0)
	for _, text := range []string{e, "[" + y + "]", batch(y), "x " + quote(e), `{"Records":[{"body":` + quote(e) + `}]}`, "{\"a\":[{\"events\":[1,", "\xff\xfe", string(zipped(e)),
		notified("n", "delete", "", "v1", ""), `{"data":"` + base64.StdEncoding.EncodeToString(zipped(e)) + `"}`, `"{\"a\":` + "\n", strings.Repeat(`{"messages":[`, 80)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		line := 1
		for i, err := range foreign.Read(bytes.NewReader(data), foreign.Options{MaxValue: 4096}) {
			if err != nil {
				return
			}
			if (i.Recorded.Record == nil) != (i.Skipped != "") {
				t.Fatalf("neither or both: %+v", i)
			}
			if i.Line < line {
				t.Fatalf("line %d after %d", i.Line, line)
			}
			line = i.Line
			if r := i.Recorded.Record; r != nil {
				encoded, err := r.Encode()
				if err != nil {
					t.Fatal(err)
				}
				again, err := events.DecodeRecord(encoded)
				if err != nil {
					t.Fatalf("%s: %v", encoded, err)
				}
				if len(again.Changes) != len(r.Changes) || len(again.Events) != len(r.Events) || bytes.ContainsRune(encoded, '\n') {
					t.Fatalf("%s became %+v", encoded, again)
				}
			}
		}
	})
}
