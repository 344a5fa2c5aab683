package ecr_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events/ecr"
)

// Samples in the documented shapes, with values of our own.
const (
	push = `{"version":"0","id":"00000000-1111-4222-8333-444444444444","detail-type":"ECR Image Action","source":"aws.ecr",` +
		`"account":"210987654321","time":"2026-02-03T04:05:06Z","region":"eu-north-1","resources":[],` +
		`"detail":{"result":"SUCCESS","repository-name":"team/app","image-digest":"sha256:00","action-type":"PUSH","image-tag":"v1"}}`
	archive = `{"version":"0","id":"EXAMPLE","detail-type":"ECR Image Action","source":"aws.ecr",` +
		`"account":"210987654321","time":"2026-02-03T04:05:06Z","region":"eu-north-1","resources":[],` +
		`"detail":{"result":"SUCCESS","repository-name":"app","image-digest":"sha256:zz","action-type":"UPDATE_STORAGE_CLASS",` +
		`"manifest-media-type":"application/vnd.oci.image.manifest.v1+json","artifact-media-type":"text/x",` +
		`"target-storage-class":"STANDARD","last-activated-at":"2026-02-03T04:05:06.78Z"}}`
	scan = `{"version":"0","id":"1","detail-type":"ECR Image Scan","source":"aws.ecr",` +
		`"account":"210987654321","time":"2026-02-03T04:05:06Z","region":"eu-north-1",` +
		`"resources":["arn:aws:ecr:eu-north-1:210987654321:repository/app"],` +
		`"detail":{"scan-status":"COMPLETE","repository-name":"app","finding-severity-counts":{"HIGH":2},"image-digest":"sha256:00","image-tags":[]}}`
	replication = `{"version":"0","id":"2","detail-type":"ECR Replication Action","source":"aws.ecr",` +
		`"account":"210987654321","time":"2026-02-03T04:05:06Z","region":"eu-north-1",` +
		`"resources":["arn:aws:ecr:eu-north-1:210987654321:repository/app"],` +
		`"detail":{"result":"SUCCESS","repository-name":"app","image-digest":"sha256:00","source-account":"1","action-type":"REPLICATE",` +
		`"source-region":"eu-west-1","image-tag":"v1"}}`
)

func equalJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSampleSurvives(t *testing.T) {
	for name, text := range map[string]string{
		"push": push, "storage class": archive, "scan": scan, "replication": replication,
		"push by digest": strings.Replace(push, `,"image-tag":"v1"`, "", 1),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			e, err := ecr.Decode([]byte(text))
			is.NoErr(err)
			out, err := json.Marshal(e)
			is.NoErr(err)
			equalJSON(t, out, []byte(text))
			is.Equal(e.Image != nil, e.DetailType == ecr.ImageActionType)
			if e.Image != nil {
				detail, err := json.Marshal(e.Image)
				is.NoErr(err)
				equalJSON(t, detail, e.Detail)
			}
		})
	}
}

func TestDecodeIsTolerant(t *testing.T) {
	is := is.New(t)
	e, err := ecr.Decode([]byte(strings.Replace(strings.Replace(push, `"version"`, `"more":{"a":[]},"version"`, 1), `"result"`, `"new":1,"result"`, 1)))
	is.NoErr(err)
	is.Equal(*e.Image, ecr.ImageAction{Result: ecr.Success, Repository: "team/app", Digest: "sha256:00", Action: ecr.Push, Tag: "v1"})
}

func TestDecodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		text, want string
		other      bool
	}{
		"no JSON":           {`{`, "unexpected end", false},
		"a list":            {`[]`, "array", false},
		"another source":    {strings.Replace(push, "aws.ecr", "aws.s3", 1), `source is "aws.s3", want "aws.ecr"`, true},
		"no event at all":   {`{"Records":[]}`, `source is ""`, true},
		"no detail":         {`{"source":"aws.ecr","id":"7"}`, "event 7 has no detail", false},
		"detail of a shape": {strings.Replace(push, `"image-tag":"v1"`, `"image-tag":["v1"]`, 1), "detail of event 00000000-", false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := ecr.Decode([]byte(tc.text))
			is.True(err != nil)
			is.True(strings.Contains(err.Error(), tc.want)) // the reason
			is.Equal(errors.Is(err, ecr.ErrOther), tc.other)
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{push, archive, scan, `{"source":"aws.ecr","detail":null,"detail-type":"ECR Image Action"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ecr.Decode(data)
		if err != nil {
			return
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("what decoded does not encode: %v", err)
		}
		again, err := ecr.Decode(out)
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if !reflect.DeepEqual(again.Image, e.Image) || !again.Time.Equal(e.Time) || again.ID != e.ID || again.DetailType != e.DetailType {
			t.Fatalf("%+v became %+v", e, again)
		}
	})
}
