package ecr_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/events/ecr"
)

// repo is a repository's state, for events.Push and its sisters.
type repo struct {
	silent map[string]bool
	tags   map[string]string
}

func (r repo) Image(d string) (bool, bool) { s, ok := r.silent[d]; return s, ok }
func (r repo) Tag(t string) (string, bool) { d, ok := r.tags[t]; return d, ok }
func (r repo) Tags(d string) []string {
	var out []string
	for t, td := range r.tags {
		if td == d {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

var at = time.Date(2026, 2, 3, 5, 5, 6, 789, time.FixedZone("", 3600))

func record(changes ...events.Change) []events.Change {
	for i := range changes {
		c := &changes[i]
		c.Registry, c.Repository, c.At, c.Rev = "crpmine", "team/app", at, uint64(i+1)
	}
	return changes
}

var wording = ecr.Wording{Account: "210987654321", Region: "eu-north-1"}

// words spells events as "PUSH v1 A", and checks that each is the event it says it is.
func words(t *testing.T, changes []events.Change) []string {
	t.Helper()
	is := is.New(t)
	out := []string{}
	for _, e := range wording.Word(changes) {
		d, err := ecr.Decode(e.Body)
		is.NoErr(err)
		is.Equal([]string{e.ID, e.Type, e.Source}, []string{d.ID, d.Image.Action, ecr.Source})
		is.Equal(e.Change, changes[e.Of])
		is.Equal(d.Image.Digest, changes[e.Of].Digest)
		out = append(out, strings.Join(strings.Fields(e.Type+" "+d.Image.Tag+" "+d.Image.Digest), " "))
	}
	return out
}

func TestWhatAWSSaysOfARequest(t *testing.T) {
	r := repo{
		silent: map[string]bool{"A": false, "Q": true, "N": false},
		tags:   map[string]string{"v1": "A", "v2": "A"},
	}
	for name, tc := range map[string]struct {
		changes []events.Change
		want    []string
	}{
		"new image with a tag":         {events.Push(r, "B", []string{"new"}, false), []string{"PUSH new B"}},
		"new image with tags":          {events.Push(r, "B", []string{"x", "y"}, false), []string{"PUSH x B", "PUSH y B"}},
		"known image, further tag":     {events.Push(r, "A", []string{"v3"}, false), []string{"PUSH v3 A"}},
		"tag moves to a new image":     {events.Push(r, "B", []string{"v1"}, false), []string{"PUSH v1 B"}},
		"tags move to a known image":   {events.Push(r, "N", []string{"v1", "v2"}, false), []string{"PUSH v1 N", "PUSH v2 N"}},
		"push by digest":               {events.Push(r, "B", nil, false), []string{"PUSH B"}},
		"the same again":               {events.Push(r, "A", []string{"v1"}, false), []string{}},
		"silent child":                 {events.Push(r, "B", nil, true), []string{}},
		"silent child's first tag":     {events.Push(r, "Q", []string{"q"}, true), []string{"PUSH q Q"}},
		"untag":                        {events.Untag(r, "v1"), []string{"DELETE v1 A"}},
		"delete an image with tags":    {events.Delete(r, "A"), []string{"DELETE v1 A", "DELETE v2 A"}},
		"delete an image without tags": {events.Delete(r, "N"), []string{"DELETE N"}},
		"delete a silent image":        {events.Delete(r, "Q"), []string{}},
		"a tag without an image": {[]events.Change{{Kind: events.TagDetached, Tag: "v9"}},
			[]string{"DELETE v9"}},
		"a kind that is yet unknown": {[]events.Change{{Kind: "image-signed", Digest: "A"}}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(words(t, record(tc.changes...)), tc.want)
		})
	}
}

// What happens to a tag or a digest in one repository hides nothing of another.
func TestRepositoriesOfARecordStandAlone(t *testing.T) {
	is := is.New(t)
	changes := record(
		events.Change{Kind: events.TagDetached, Tag: "v1", Digest: "A"},
		events.Change{Kind: events.TagAttached, Tag: "v1", Digest: "A"},
		events.Change{Kind: events.ImageDeleted, Digest: "A"},
	)
	changes[1].Repository = "team/other"
	changes[2].Repository = "team/third"
	is.Equal(words(t, changes), []string{"DELETE v1 A", "PUSH v1 A", "DELETE A"})
}

// An image that is created alone, as regcast emit does it, is told of with the tag it carries.
func TestAnImageCreatedAlone(t *testing.T) {
	is := is.New(t)
	created := events.Change{Kind: events.ImageCreated, Tag: "v1", Digest: "A"}
	is.Equal(words(t, record(created)), []string{"PUSH v1 A"})
	is.Equal(words(t, record(created, events.Change{Kind: events.TagAttached, Tag: "v1", Digest: "A"})), []string{"PUSH v1 A"}) // once
}

func TestBody(t *testing.T) {
	is := is.New(t)
	c := record(events.Change{Kind: events.TagAttached, Tag: "v1", Digest: "sha256:00", MediaType: "application/vnd.oci.image.index.v1+json"})
	e := wording.Word(c)[0]
	is.Equal(string(e.Body), `{"version":"0","id":"`+e.ID+`","detail-type":"ECR Image Action","source":"aws.ecr","account":"210987654321",`+
		`"time":"2026-02-03T04:05:06Z","region":"eu-north-1","resources":[],"detail":{"result":"SUCCESS","repository-name":"team/app",`+
		`"image-digest":"sha256:00","action-type":"PUSH","image-tag":"v1","manifest-media-type":"application/vnd.oci.image.index.v1+json"}}`)

	c[0].Digest, c[0].MediaType, c[0].Kind, c[0].Tag = "", "", events.TagDetached, "a<\"\\\u00e9\xff\n"
	body := string(wording.Word(c)[0].Body)
	is.True(strings.HasSuffix(body, `"repository-name":"team/app","action-type":"DELETE","image-tag":"a<\"\\é\ufffd\n"}}`)) // < stays

	c[0].At = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
	is.Equal(len(wording.Word(c)), 0) // a time that cannot be written
}

func TestIDsFollowFromTheChange(t *testing.T) {
	is := is.New(t)
	id := func(edit func(*events.Change)) string {
		c := record(events.Change{Kind: events.TagAttached, Tag: "v1", Digest: "sha256:00"})
		edit(&c[0])
		return wording.Word(c)[0].ID
	}
	same := id(func(*events.Change) {})
	is.True(regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(same))
	is.Equal(same, "991a0c68-ebbc-8ad9-946c-7eedde95be26") // recordings of today are replayed tomorrow
	is.Equal(id(func(c *events.Change) { c.At = c.At.UTC() }), same)
	seen := map[string]bool{same: true}
	for _, edit := range []func(*events.Change){
		func(c *events.Change) { c.Kind = events.TagDetached },
		func(c *events.Change) { c.Registry = "other" },
		func(c *events.Change) { c.Repository = "other" },
		func(c *events.Change) { c.Tag = "other" },
		func(c *events.Change) { c.Digest = "other" },
		func(c *events.Change) { c.Repository, c.Tag = "team/app\x00v", "1" },
		func(c *events.Change) { c.At = c.At.Add(time.Nanosecond) },
		func(c *events.Change) { c.Rev++ },
	} {
		other := id(edit)
		is.True(!seen[other]) // another change, another id
		seen[other] = true
	}
}

func BenchmarkWord(b *testing.B) {
	push := record(
		events.Change{Kind: events.ImageCreated, Tag: "v1", Digest: "sha256:" + strings.Repeat("0", 64), MediaType: "application/vnd.oci.image.manifest.v1+json"},
		events.Change{Kind: events.TagAttached, Tag: "v1", Digest: "sha256:" + strings.Repeat("0", 64), MediaType: "application/vnd.oci.image.manifest.v1+json"},
	)
	b.ReportAllocs()
	for b.Loop() {
		if len(wording.Word(push)) != 1 {
			b.Fatal("not one event")
		}
	}
}

// What is written by hand is JSON, whatever the strings are.
func FuzzWord(f *testing.F) {
	f.Add("team/app", "v1", "sha256:00", "application/json")
	f.Add("\xff", "\"", "\\", "\u2028")
	f.Fuzz(func(t *testing.T, repository, tag, digest, mediaType string) {
		c := record(events.Change{Kind: events.TagDetached, Tag: tag, Digest: digest, MediaType: mediaType})
		c[0].Repository = repository
		e := wording.Word(c)[0]
		d, err := ecr.Decode(e.Body)
		if err != nil {
			t.Fatalf("%s: %v", e.Body, err)
		}
		want, err := json.Marshal(ecr.ImageAction{Result: ecr.Success, Repository: repository, Digest: digest, Action: ecr.Delete, Tag: tag, ManifestMediaType: mediaType})
		if err != nil {
			t.Fatal(err)
		}
		equalJSON(t, d.Detail, want)
	})
}
