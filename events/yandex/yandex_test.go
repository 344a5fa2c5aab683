package yandex_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/yandex"
)

// sample is a batch in the documented shape, with values of our own. encoding/json escapes none of its characters.
const sample = `{"messages":[{"event_metadata":{"cloud_id":"b1gcloud","created_at":"2025-03-04T05:06:07Z","event_id":"crpevent",` +
	`"event_type":"yandex.cloud.events.containerregistry.CreateImageTag","folder_id":"b1gfolder",` +
	`"tracing_context":{"parent_span_id":"-1","span_id":"2","trace_id":"t3"}},` +
	`"details":{"image_digest":"sha256:00","image_id":"crpimage","registry_id":"crpmine","repository_name":"crpmine/ubuntu","tag":"22.04"}}]}`

func TestSampleSurvives(t *testing.T) {
	for name, text := range map[string]string{
		"all fields":                 sample,
		"no tag":                     strings.Replace(sample, `,"tag":"22.04"`, "", 1),
		"no tracing context":         strings.Replace(sample, `,"tracing_context":{"parent_span_id":"-1","span_id":"2","trace_id":"t3"}`, "", 1),
		"parts of a second":          strings.Replace(sample, "05:06:07Z", "05:06:07.123456789Z", 1),
		"a type that is yet unknown": strings.Replace(sample, "CreateImageTag", "SignImage", 1),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			b, err := yandex.DecodeBatch([]byte(text))
			is.NoErr(err)
			is.Equal(len(b.Messages), 1)
			out, err := json.Marshal(b)
			is.NoErr(err)
			is.Equal(string(out), text)
		})
	}
}

func TestBatchesOfOtherTriggersAreLeftAlone(t *testing.T) {
	for name, element := range map[string]string{
		"mail":        `{"received_at":"2025-03-04T05:06:07Z","headers":[{"name":"From","values":["a@b"]}],"attachments":{"keys":[]},"message":"hi"}`,
		"budget":      `{"details":{"billing_account_id":"dn2","budget_id":"b","threshold":80}}`,
		"logging":     `{"event_metadata":{"event_type":"yandex.cloud.events.serverless.triggers.LoggingMessageBatch","created_at":{"seconds":1,"nanos":2}},"details":{}}`,
		"data stream": `"cmF3"`,
		"number":      `17`,
		"null":        `null`,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			b, err := yandex.DecodeBatch([]byte(`{"messages":[` + element + `],"more":1}`))
			is.NoErr(err)
			is.Equal(len(b.Messages), 0)
			is.Equal(len(b.Others), 1)
			is.Equal(string(b.Others[0]), element)
		})
	}
	is := is.New(t)
	_, err := yandex.DecodeBatch([]byte(`[]`))
	is.True(err != nil) // no batch at all
	_, err = yandex.DecodeBatch([]byte(strings.Replace(sample, "2025-03-04T05:06:07Z", "yesterday", 1)))
	is.True(err != nil && strings.HasPrefix(err.Error(), "batch: message 0: ")) // an event, and broken
}

func change(kind events.Kind) events.Change {
	return events.Change{
		Kind: kind, Registry: "crpmine", Repository: "team/app", Tag: "v1", Digest: "sha256:00",
		At: time.Date(2025, 3, 4, 6, 6, 7, 0, time.FixedZone("", 3600)), Rev: 7,
	}
}

func read(t *testing.T, e events.Event) yandex.Message {
	t.Helper()
	b, err := yandex.DecodeBatch(yandex.Pack([]json.RawMessage{e.Body}))
	is.New(t).NoErr(err)
	return b.Messages[0]
}

func TestWording(t *testing.T) {
	w := yandex.Wording{CloudID: "b1gcloud", FolderID: "b1gfolder"}
	withTag := w
	withTag.TagOnCreateImage = true
	for _, tc := range []struct {
		name    string
		wording yandex.Wording
		kind    events.Kind
		short   string
		long    string
		tag     string
	}{
		{"image created", w, events.ImageCreated, "create-image", "CreateImage", ""},
		{"image created, tag switched on", withTag, events.ImageCreated, "create-image", "CreateImage", "v1"},
		{"tag attached", w, events.TagAttached, "create-image-tag", "CreateImageTag", "v1"},
		{"image deleted", w, events.ImageDeleted, "delete-image", "DeleteImage", ""},
		{"image deleted, the switch is of creation alone", withTag, events.ImageDeleted, "delete-image", "DeleteImage", ""},
		{"tag detached", w, events.TagDetached, "delete-image-tag", "DeleteImageTag", "v1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			c := change(tc.kind)
			e, ok := tc.wording.Word(3, c)
			is.True(ok)
			m := read(t, e)
			is.Equal([]any{e.Source, e.Type, e.Of, e.Change, e.ID}, []any{yandex.Source, tc.short, 3, c, m.EventMetadata.EventID})
			is.Equal(m.Details, yandex.Details{
				ImageDigest: "sha256:00", ImageID: yandex.ImageID("crpmine", "team/app", "sha256:00"),
				RegistryID: "crpmine", RepositoryName: "crpmine/team/app", Tag: tc.tag,
			})
			is.Equal(strings.Contains(string(e.Body), `"tag"`), tc.tag != "") // left out, not empty
			meta := m.EventMetadata
			is.Equal([]string{meta.CloudID, meta.FolderID, meta.EventType},
				[]string{"b1gcloud", "b1gfolder", "yandex.cloud.events.containerregistry." + tc.long})
			is.True(strings.Contains(string(e.Body), `"created_at":"2025-03-04T05:06:07Z"`)) // UTC
			is.True(meta.TracingContext != nil)
			is.Equal(yandex.ShortType(meta.EventType), tc.short)
		})
	}
}

func TestShortTypeOfAnythingElse(t *testing.T) {
	is := is.New(t)
	is.Equal(yandex.ShortType("yandex.cloud.events.storage.ObjectCreate"), "yandex.cloud.events.storage.ObjectCreate")
}

func TestNothingIsSaid(t *testing.T) {
	is := is.New(t)
	silent := change(events.ImageCreated)
	silent.Silent = true
	late := change(events.ImageCreated)
	late.At = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	for _, c := range []events.Change{silent, late, change("image-signed")} {
		_, ok := yandex.Wording{}.Word(0, c)
		is.True(!ok)
	}
}

func TestIDsFollowFromTheChange(t *testing.T) {
	is := is.New(t)
	id := func(edit func(*events.Change)) string {
		c := change(events.TagAttached)
		edit(&c)
		e, ok := yandex.Wording{}.Word(0, c)
		is.True(ok)
		return e.ID
	}
	same := id(func(*events.Change) {})
	is.Equal(same, "crpi7m9pg24d2s5rjelf") // recordings of today are replayed tomorrow
	is.Equal(id(func(c *events.Change) { c.At = c.At.UTC() }), same)
	seen := map[string]bool{same: true}
	for _, edit := range []func(*events.Change){
		func(c *events.Change) { c.Kind = events.TagDetached },
		func(c *events.Change) { c.Registry = "crpother" },
		func(c *events.Change) { c.Repository = "team/other" },
		func(c *events.Change) { c.Tag = "v2" },
		func(c *events.Change) { c.Digest = "sha256:01" },
		func(c *events.Change) { c.At = c.At.Add(1) },
		func(c *events.Change) { c.Rev++ },
	} {
		other := id(edit)
		is.True(!seen[other]) // another change, another id
		seen[other] = true
		is.Equal(len(other), 20)
	}
	is.Equal(yandex.ImageID("crpmine", "a", "sha256:00"), yandex.ImageID("crpmine", "a", "sha256:00"))
	is.True(yandex.ImageID("crpmine", "a", "sha256:00") != yandex.ImageID("crpmine", "b", "sha256:00"))
	is.Equal(yandex.ImageID("crpmine", "a", ""), "") // a tag whose image is not known
}

func TestNothingIsEscapedThatNeedsNot(t *testing.T) {
	is := is.New(t)
	c := change(events.TagAttached)
	c.Tag = "<a>&b"
	e, ok := yandex.Wording{}.Word(0, c)
	is.True(ok)
	is.True(strings.Contains(string(e.Body), `"tag":"<a>&b"`))
	is.True(!strings.HasSuffix(string(e.Body), "\n"))
}

func TestPack(t *testing.T) {
	is := is.New(t)
	for want, bodies := range map[string][]json.RawMessage{
		`{"messages":[]}`:                  nil,
		`{"messages":[{"a": 1}]}`:          {json.RawMessage(`{"a": 1}`)},
		`{"messages":[{"a": 1},"b",null]}`: {json.RawMessage(`{"a": 1}`), json.RawMessage(`"b"`), json.RawMessage(`null`)},
	} {
		is.Equal(string(yandex.Pack(bodies)), want) // byte for byte
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"messages":[{"received_at":"x"},17,null,{"event_metadata":{"created_at":{"seconds":1}}}]}`))
	f.Add([]byte(`{"messages":[{"event_metadata":{"event_type":"yandex.cloud.events.containerregistry.X"},"details":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := yandex.DecodeBatch(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(yandex.Batch{Messages: b.Messages})
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := yandex.DecodeBatch(out)
		if err != nil || len(again.Messages) != len(b.Messages) || len(again.Others) != 0 {
			t.Fatalf("read again: %d messages and %d others of %d, %v", len(again.Messages), len(again.Others), len(b.Messages), err)
		}
	})
}

func FuzzWord(f *testing.F) {
	f.Add("tag-attached", "crpmine", "team/app", "v1", "sha256:00", int64(0), uint64(1))
	f.Add("image-created", "", "\xff", "\x00", "\"", int64(1<<62), uint64(0))
	f.Fuzz(func(t *testing.T, kind, registry, repository, tag, digest string, at int64, rev uint64) {
		e, ok := yandex.Wording{TagOnCreateImage: true}.Word(0, events.Change{
			Kind: events.Kind(kind), Registry: registry, Repository: repository, Tag: tag, Digest: digest, At: time.Unix(at, 0), Rev: rev,
		})
		if !ok {
			return
		}
		b, err := yandex.DecodeBatch(yandex.Pack([]json.RawMessage{e.Body}))
		if err != nil || len(b.Messages) != 1 || b.Messages[0].EventMetadata.EventID != e.ID {
			t.Fatalf("%s does not read back: %v", e.Body, err)
		}
	})
}
