package wish_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/functions/wish"
)

func query(t *testing.T, s string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestFromQuery(t *testing.T) {
	for s, want := range map[string]wish.Wish{
		"":                    {},
		"token=secret":        {},
		"image=team/app":      {Images: []string{"team/app"}},
		"image=b&image=a,b,a": {Images: []string{"a", "b"}},
		"tag=v*,+latest&events=delete-image,create-image-tag": {Tags: []string{"latest", "v*"}, Events: []string{"create-image-tag", "delete-image"}},
	} {
		is := is.New(t)
		got, err := wish.FromQuery(query(t, s))
		is.NoErr(err)
		is.True(reflect.DeepEqual(got, want)) // as lists in one order
		again, err := wish.Parse(got.String())
		is.NoErr(err)
		is.Equal(again, got)
	}
}

func TestRefusals(t *testing.T) {
	for s, want := range map[string]string{
		"image=Team/app":                    `image: "Team/app": "T" cannot stand in a pattern; allowed: a-z 0-9 . _ - / and * ?`,
		"tag=v[1]":                          `tag: "v[1]": "[" cannot stand in a pattern; allowed: A-Z a-z 0-9 . _ - and * ?`,
		"tag=a/b":                           `tag: "a/b": "/" cannot stand in a pattern; allowed: A-Z a-z 0-9 . _ - and * ?`,
		"events=push":                       `events: no event type "push"; allowed: create-image, delete-image, create-image-tag, delete-image-tag`,
		"image=":                            `image: empty; leave it out to mean all`,
		"events=,":                          `events: empty; leave it out to mean all`,
		"events=" + long(21):                `events: 21 of them; at most 20`,
		"images=a&event=b":                  "event: no such key; say events\nimages: no such key; say image",
		"tag=%ff&image=A":                   "image: \"A\": \"A\" cannot stand in a pattern; allowed: a-z 0-9 . _ - / and * ?\ntag: \"\\xff\": \"�\" cannot stand in a pattern; allowed: A-Z a-z 0-9 . _ - and * ?",
		"tag=" + long(21):                   `tag: 21 of them; at most 20`,
		"image=" + strings.Repeat("a", 301): `image: "` + strings.Repeat("a", 60) + `…": 301 bytes; at most 300`,
	} {
		is := is.New(t)
		_, err := wish.FromQuery(query(t, s))
		is.True(err != nil)
		is.Equal(err.Error(), want)
	}
}

func long(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "v" + strings.Repeat("1", i)
	}
	return strings.Join(tags, ",")
}

func TestMatch(t *testing.T) {
	tagged := wish.Event{Repository: "team/app", Registry: "crp1", Tag: "v1.2", Type: "create-image-tag"}
	untagged := wish.Event{Repository: "ubuntu", Type: "create-image"}
	for _, test := range []struct {
		wish  string
		event wish.Event
		want  bool
	}{
		{"", tagged, true},
		{"", untagged, true},
		{"image=team/app", tagged, true},
		{"image=crp1/team/app", tagged, true}, // the cloud's own spelling
		{"image=crp2/team/app", tagged, false},
		{"image=app", tagged, false},
		{"image=team/*", tagged, true},
		{"image=*", tagged, true},
		{"image=*app", tagged, true},
		{"image=t*/a*p", tagged, true},
		{"image=t*/a*q", tagged, false},
		{"image=team/ap?", tagged, true},
		{"image=team/app?", tagged, false},
		{"image=crp1/*", tagged, true},
		{"image=crp1/*", untagged, false},
		{"image=/ubuntu", untagged, false}, // no registry is no empty registry
		{"image=other,team/app", tagged, true},
		{"tag=v*", tagged, true},
		{"tag=v1.?", tagged, true},
		{"tag=latest", tagged, false},
		{"tag=*", untagged, false},
		{"events=create-image", tagged, false},
		{"events=create-image,create-image-tag", tagged, true},
		{"image=team/app&tag=v*&events=delete-image", tagged, false},
	} {
		w, err := wish.Parse(test.wish)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Match(test.event); got != test.want {
			t.Errorf("%q of %+v: got %t", test.wish, test.event, got)
		}
	}
}

// What is accepted can be written down and read back to the same, and matches without hanging.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "image=a/b,c*&tag=v?&events=delete-image", "image=********************b", "tag=%2a", "image=a;b"} {
		f.Add(s, "a/b")
	}
	f.Fuzz(func(t *testing.T, s, repository string) {
		w, err := wish.Parse(s)
		if err != nil {
			return
		}
		again, err := wish.Parse(w.String())
		if err != nil || !reflect.DeepEqual(again, w) {
			t.Fatalf("%q: %v: %+v, was %+v", w.String(), err, again, w)
		}
		e := wish.Event{Repository: repository, Tag: repository, Type: "create-image"}
		if w.Match(e) != again.Match(e) {
			t.Fatalf("%q matches otherwise", s)
		}
		if len(w.Images) == 1 && !wish.IsPattern(w.Images[0]) && len(w.Tags) == 0 && len(w.Events) == 0 && w.Match(e) != (w.Images[0] == repository) {
			t.Fatalf("%q: a plain image matches other than itself", s)
		}
	})
}
