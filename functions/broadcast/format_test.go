package broadcast_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events/ecr"
	"github.com/regcast/regcast/events/yandex"
	"github.com/regcast/regcast/functions/broadcast"
)

// received is the one message that a connection gets of payload.
func received(t *testing.T, format broadcast.Format, payload string) string {
	t.Helper()
	run := newRun(t, wanting(""), func(o *broadcast.Options) { o.Format = format })
	run.summary(t, payload)
	if len(run.endpoint.got["0"]) != 1 {
		t.Fatalf("got %v", run.endpoint.got)
	}
	return run.endpoint.got["0"][0]
}

// The envelope is the one that the cloud's own batches have, and what is in it reads back.
func TestAsYandex(t *testing.T) {
	is := is.New(t)
	own := []string{message("e1", "CreateImage", "a", ""), message("e2", "DeleteImageTag", "a", "v1")}
	is.Equal(received(t, broadcast.Yandex, messages(own...)), string(yandex.Pack([]json.RawMessage{json.RawMessage(own[0]), json.RawMessage(own[1])})))

	b, err := yandex.DecodeBatch([]byte(received(t, broadcast.Yandex, action("e1", "DELETE", "team/app", ""))))
	is.NoErr(err)
	is.Equal(len(b.Messages), 1)
	m := b.Messages[0]
	is.Equal(yandex.ShortType(m.EventMetadata.EventType), yandex.DeleteImage)
	is.Equal(m.EventMetadata.EventID, "e1")
	is.Equal(m.Details, yandex.Details{ImageDigest: "sha256:ab", RegistryID: "123456789012", RepositoryName: "team/app"})
}

func TestAsECR(t *testing.T) {
	for _, test := range []struct{ kind, action, tag string }{
		{"CreateImage", ecr.Push, ""}, {"CreateImageTag", ecr.Push, "v1"}, {"DeleteImage", ecr.Delete, ""}, {"DeleteImageTag", ecr.Delete, "v1"},
	} {
		is := is.New(t)
		var list []json.RawMessage
		is.NoErr(json.Unmarshal([]byte(received(t, broadcast.ECR, messages(message("e1", test.kind, "team/app", test.tag)))), &list))
		is.Equal(len(list), 1)
		e, err := ecr.Decode(list[0])
		is.NoErr(err)
		is.Equal(e.ID, "e1")
		is.Equal(e.Account, "b1gc")
		is.Equal(e.Time, time.Date(2026, 9, 25, 1, 2, 3, 0, time.UTC))
		is.Equal(*e.Image, ecr.ImageAction{Result: ecr.Success, Repository: "team/app", Digest: "sha256:ab", Action: test.action, Tag: test.tag})
	}
	is := is.New(t)
	own := action("e1", "PUSH", "a", "v1")
	is.Equal(received(t, broadcast.ECR, strings.Replace(own, `"version"`, ` "version"`, 1)), "["+strings.Replace(own, `"version"`, ` "version"`, 1)+"]")
}

func TestAsCloudEvents(t *testing.T) {
	is := is.New(t)
	own := action("e1", "PUSH", "team/app", "v1")
	is.Equal(received(t, broadcast.CloudEvents, own), `[{"specversion":"1.0","id":"e1","source":"arn:aws:ecr:eu-west-1:123456789012:repository/team/app",`+
		`"type":"regcast.create-image-tag","time":"2026-09-25T01:02:03Z","subject":"v1","datacontenttype":"application/json","data":`+own+`}]`)
	var list []struct{ Source, Type, Subject, Time string }
	is.NoErr(json.Unmarshal([]byte(received(t, broadcast.CloudEvents, messages(message("e2", "DeleteImage", "ubuntu", "")))), &list))
	is.Equal(len(list), 1)
	is.Equal(list[0].Source, "//cr.yandex/crpmine/ubuntu")
	is.Equal(list[0].Type, "regcast.delete-image")
	is.Equal(list[0].Subject, "sha256:ab")
	is.Equal(list[0].Time, "2026-09-25T01:02:03.5Z")
}

// Whatever comes: no panic, no message that is no JSON or over the limit, and no failure of a message that the queue did not send.
func FuzzInvoke(f *testing.F) {
	for _, s := range []string{
		messages(message("e1", "CreateImage", "a", ""), message("e1", "CreateImageTag", "a", "v1")), action("e1", "PUSH", "a", "v1"),
		queued(action("e1", "PUSH", "a", ""), "x", messages(message("e1", "DeleteImage", "a", ""))), `{"Records":[]}`, `{"messages":[null]}`, `{"detail-type":"x"}`,
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, payload []byte, format uint8) {
		taken := &texts{}
		b := broadcast.New(broadcast.Options{Store: wanting("", "events=create-image"), Gateway: taken, Format: broadcast.Formats()[format%3]})
		answer, err := b.Invoke(t.Context(), payload)
		for _, text := range taken.made {
			if !json.Valid(text) || len(text) > 128<<10 {
				t.Fatalf("a client receives %q", text)
			}
		}
		if err != nil {
			return
		}
		if !json.Valid(answer) {
			t.Fatalf("answer %q", answer)
		}
		var failures struct {
			BatchItemFailures []struct{ ItemIdentifier string }
		}
		if json.Unmarshal(answer, &failures) == nil {
			for _, failure := range failures.BatchItemFailures {
				if failure.ItemIdentifier == "" {
					t.Fatalf("answer %q fails the whole batch", answer)
				}
			}
		}
	})
}
