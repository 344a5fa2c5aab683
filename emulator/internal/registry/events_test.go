package registry_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/events"
)

func lines(s ...string) string { return strings.Join(s, "\n") }

func TestEachRequestTellsWhatItChanged(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	a, b := index("a"), index("b")
	da, db := digestOf(a), digestOf(b)
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"new image with tag", func() { h.push("ubuntu", "v1", a) },
			lines("image-created v1 "+da, "tag-attached v1 "+da)},
		{"the same again", func() { h.push("ubuntu", "v1", a) }, ""},
		{"the same by its registry's id", func() { h.push(defaultID+"/ubuntu", "v1", a) }, ""},
		{"a further tag", func() { h.push("ubuntu", "v2", a) }, "tag-attached v2 " + da},
		{"a tag that moves to a new image", func() { h.push("ubuntu", "v1", b) },
			lines("image-created v1 "+db, "tag-detached v1 "+da, "tag-attached v1 "+db)},
		{"by digest, known", func() { h.push("ubuntu", da, a) }, ""},
		{"by digest with tags", func() {
			got := h.push("ubuntu", da+"?tag=x&tag=v1", a)
			is.Equal(got.header.Values("OCI-Tag"), []string{"x", "v1"})
		}, lines("tag-attached x "+da, "tag-detached v1 "+db, "tag-attached v1 "+da)},
		{"delete a tag", func() { h.want(202, "DELETE", "ubuntu/manifests/x", "") }, "tag-detached x " + da},
		{"delete a tag that is not there", func() { h.want(404, "DELETE", "ubuntu/manifests/x", "") }, ""},
		{"delete an image with its tags", func() { h.want(202, "DELETE", "ubuntu/manifests/"+da, "") },
			lines("tag-detached v1 "+da, "tag-detached v2 "+da, "image-deleted "+da)},
		{"delete it again", func() { h.want(404, "DELETE", "ubuntu/manifests/"+da, "") }, ""},
		{"push it again", func() { h.push("ubuntu", da, a) }, "image-created " + da},
		{"into another repository", func() { h.push("debian", "v1", a) }, lines("image-created v1 "+da, "tag-attached v1 "+da)},
	} {
		step.do()
		is.Equal(h.journal.take(), step.want) // step.name
	}
}

func TestOneRequestIsOneRecordWithEverythingFilledIn(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	a, b := index("a"), index("a longer one")
	h.push("team/app", "v1", a)
	h.push(otherID+"/team/app", "v1", a)
	h.push("team/app", "v1", b)
	is.Equal(len(h.journal.records), 3)
	is.Equal(h.journal.records[1][0].Registry, otherID)
	is.Equal(h.journal.records[1][0].Repository, "team/app")
	at := events.Change{
		Kind: events.ImageCreated, Registry: defaultID, Repository: "team/app", Tag: "v1", Digest: digestOf(b), MediaType: indexType,
		Size: int64(len(b)), At: start,
	}
	detached, attached := at, at
	detached.Kind, detached.Digest, detached.Size = events.TagDetached, digestOf(a), int64(len(a))
	attached.Kind = events.TagAttached
	is.Equal(h.journal.records[2], []events.Change{at, detached, attached})
}

func TestChildrenOfAnIndexCanBeQuiet(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{}, func(o *registry.Options) { o.QuietChildren = true })
	h.push("app", digestOf(index("child")), index("child"))
	is.True(h.journal.records[0][0].Silent)
	h.push("app", "now", index("child"))
	is.Equal(len(h.journal.records[1]), 2)
	is.True(!h.journal.records[1][0].Silent)
}

func TestAnIndexGoesAlone(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	child := digestOf(index("child"))
	parent := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"digest":%q}]}`, indexType, child)
	h.push("app", child, index("child"))
	h.push("app", "v1", parent)
	is.Equal(h.journal.take(), lines("image-created "+child, "image-created v1 "+digestOf(parent), "tag-attached v1 "+digestOf(parent)))
	h.want(202, "DELETE", "app/manifests/"+digestOf(parent), "")
	is.Equal(h.journal.take(), lines("tag-detached v1 "+digestOf(parent), "image-deleted "+digestOf(parent)))
	h.want(200, "GET", "app/manifests/"+child, "")
}

// What cannot be put on record has not happened.
func TestAFailedCommitChangesNothing(t *testing.T) {
	is := is.New(t)
	h := open(t, t.TempDir(), &journal{})
	h.push("app", "v1", index("a"))
	before := h.want(200, "GET", "app/tags/list", "").body
	for _, tc := range []struct {
		err    error
		status int
	}{
		{errors.New("the journal is gone"), 503},
		{fmt.Errorf("append: %w", syscall.ENOSPC), 507},
	} {
		h.journal.fail(tc.err)
		for _, a := range []answer{
			h.want(tc.status, "PUT", "app/manifests/v2", index("b")),
			h.want(tc.status, "PUT", "new/manifests/v2", index("b")),
			h.want(tc.status, "DELETE", "app/manifests/v1", ""),
			h.want(tc.status, "DELETE", "app/manifests/"+digestOf(index("a")), ""),
		} {
			is.Equal(a.code(), "UNAVAILABLE")
		}
	}
	is.Equal(h.want(200, "GET", "app/tags/list", "").body, before)
	h.want(404, "GET", "app/manifests/"+digestOf(index("b")), "")
	h.want(200, "GET", "app/manifests/v1", "")
	is.Equal(h.want(200, "GET", "_catalog", "").body, `{"repositories":["app"]}`)
	h.journal.fail(nil)
	h.push("app", "v2", index("b"))
}
