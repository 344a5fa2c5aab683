package events_test

import (
	"encoding/json"
	"slices"
	"sort"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
)

// repo is a repository's state, and the reader's model of it: apply folds changes as a consumer would.
type repo struct {
	images map[string]bool // digest → silent
	tags   map[string]string
}

func newRepo() *repo { return &repo{images: map[string]bool{}, tags: map[string]string{}} }

func (r *repo) Image(d string) (bool, bool) { s, ok := r.images[d]; return s, ok }
func (r *repo) Tag(t string) (string, bool) { d, ok := r.tags[t]; return d, ok }
func (r *repo) Tags(d string) []string {
	var out []string
	for t, td := range r.tags {
		if td == d {
			out = append(out, t)
		}
	}
	sort.Strings(out)
	return out
}

func (r *repo) apply(t *testing.T, cs []events.Change) {
	t.Helper()
	for _, c := range cs {
		switch c.Kind {
		case events.ImageCreated:
			r.images[c.Digest] = c.Silent
		case events.TagAttached:
			if _, ok := r.images[c.Digest]; !ok {
				t.Fatalf("tag %s attached to %s, which does not exist", c.Tag, c.Digest)
			}
			if old, ok := r.tags[c.Tag]; ok {
				t.Fatalf("tag %s attached while still on %s", c.Tag, old)
			}
			r.tags[c.Tag] = c.Digest
		case events.TagDetached:
			if r.tags[c.Tag] != c.Digest {
				t.Fatalf("tag %s detached from %s, is on %q", c.Tag, c.Digest, r.tags[c.Tag])
			}
			delete(r.tags, c.Tag)
		case events.ImageDeleted:
			if left := r.Tags(c.Digest); len(left) > 0 {
				t.Fatalf("image %s deleted while it has %v", c.Digest, left)
			}
			delete(r.images, c.Digest)
		}
	}
}

func words(cs []events.Change) []string {
	var out []string
	for _, c := range cs {
		w := string(c.Kind)
		if c.Tag != "" {
			w += " " + c.Tag
		}
		w += " " + c.Digest
		if c.Silent {
			w += " silent"
		}
		out = append(out, w)
	}
	return out
}

// The table of yandex.md §1.4, row by row, in the order of the rows: each case goes on from the state the last one left.
func TestDerivationFollowsTheCloudsTable(t *testing.T) {
	r := newRepo()
	for _, tc := range []struct {
		name string
		do   func() []events.Change
		want []string
	}{
		{"new image with tag", func() []events.Change { return events.Push(r, "A", []string{"v1"}, false) },
			[]string{"image-created v1 A", "tag-attached v1 A"}},
		{"same digest, same tag", func() []events.Change { return events.Push(r, "A", []string{"v1"}, false) }, nil},
		{"known digest, further tag", func() []events.Change { return events.Push(r, "A", []string{"v2"}, false) },
			[]string{"tag-attached v2 A"}},
		{"tag moved to a new digest", func() []events.Change { return events.Push(r, "B", []string{"v1"}, false) },
			[]string{"image-created v1 B", "tag-detached v1 A", "tag-attached v1 B"}},
		{"tag moved back to a known digest", func() []events.Change { return events.Push(r, "A", []string{"v1"}, false) },
			[]string{"tag-detached v1 B", "tag-attached v1 A"}},
		{"push by digest", func() []events.Change { return events.Push(r, "C", nil, false) }, []string{"image-created C"}},
		{"several tags at once, one of them twice", func() []events.Change { return events.Push(r, "D", []string{"a", "b", "a"}, false) },
			[]string{"image-created a D", "tag-attached a D", "tag-attached b D"}},
		{"child of an index, quiet", func() []events.Change { return events.Push(r, "E", nil, true) }, []string{"image-created E silent"}},
		{"quiet again", func() []events.Change { return events.Push(r, "E", nil, true) }, nil},
		{"its first tag", func() []events.Change { return events.Push(r, "E", []string{"e"}, true) },
			[]string{"image-created e E", "tag-attached e E"}},
		{"delete a tag", func() []events.Change { return events.Untag(r, "e") }, []string{"tag-detached e E"}},
		{"delete a tag that is not there", func() []events.Change { return events.Untag(r, "e") }, nil},
		{"delete an image with two tags", func() []events.Change { return events.Delete(r, "A") },
			[]string{"tag-detached v1 A", "tag-detached v2 A", "image-deleted A"}},
		{"delete an image that is not there", func() []events.Change { return events.Delete(r, "A") }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			got := tc.do()
			is.True(slices.Equal(words(got), tc.want)) // the changes, in order
			r.apply(t, got)
		})
	}
}

func TestRecordSurvivesTheJournal(t *testing.T) {
	is := is.New(t)
	in := events.Record{
		Origin:  events.OriginRegistry,
		Changes: []events.Change{{Kind: events.ImageCreated, Digest: "A"}, {Kind: events.TagAttached, Digest: "A", Tag: "t"}},
		Events:  []events.Event{{ID: "1\x01\"é\U000e0001", Source: "s", Type: "x", Of: 1, Body: json.RawMessage(`{"a":1}`)}}, // recorded elsewhere
	}
	data, err := in.Encode()
	is.NoErr(err)
	same, err := json.Marshal(in)
	is.NoErr(err)
	is.Equal(string(data), string(same)) // Encode is json.Marshal, cheaper
	out, err := events.DecodeRecord(data)
	is.NoErr(err)
	is.Equal(out.Events[0].Change, in.Changes[1]) // the event knows its change
	again, err := json.Marshal(out)
	is.NoErr(err)
	is.Equal(string(again), string(data))
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(`{"origin":"registry","changes":[{"kind":"image-created"}],"events":[{"id":"1","of":0,"body":{}}]}`))
	f.Add([]byte(`{"events":[{"of":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := events.DecodeRecord(data)
		if err != nil {
			return
		}
		for _, e := range r.Events {
			if e.Change != r.Changes[e.Of] {
				t.Fatal("an event does not know its change")
			}
		}
	})
}
