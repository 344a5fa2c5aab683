package resource_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// house is a store of triggers, and of secrets, that remembers what it was told of.
type house struct {
	*resource.Store
	triggers, secrets *resource.Collection[*triggers.Trigger]
	news              []string
}

func newHouse(t *testing.T) *house {
	h := &house{}
	h.Store = resource.New(resource.Options{Values: keep(t), Changed: func(name string, was, now []byte) {
		h.news = append(h.news, fmt.Sprintf("%s: %d → %d", name, min(len(was), 1), min(len(now), 1)))
	}})
	var err error
	h.triggers, err = resource.Open(t.Context(), h.Store, resource.Kind[*triggers.Trigger]{Name: "trigger"})
	is.New(t).NoErr(err)
	h.secrets, err = resource.Open(t.Context(), h.Store, resource.Kind[*triggers.Trigger]{Name: "secret", Private: true})
	is.New(t).NoErr(err)
	return h
}

// What clients have made, changed and deleted in one store is so in another, and secrets stay where they are.
func TestWhatIsKeptIsMadeElsewhere(t *testing.T) {
	is, here, there := is.New(t), newHouse(t), newHouse(t)
	declare := func(h *house) {
		h.triggers.DeclareDefault(item{Message: made("a1s1", "b1g1", "default", 0)})
		h.triggers.DeclareDefault(item{Message: made("a1s2", "b1g1", "unwanted", 0)})
		is.NoErr(h.triggers.Declare(item{Message: made("a1s3", "b1g1", "by-file", 0), File: "a.yaml"}))
	}
	declare(here)
	is.Equal(len(here.Kept()), 0)
	put(t, here.secrets, made("a1s9", "b1g1", "secret", 0))
	is.NoErr(here.triggers.Put(t.Context(), item{Message: made("Odd id", "b1g1", "new", 0), Extra: []byte("text")}))
	is.NoErr(here.triggers.Put(t.Context(), item{Message: made("a1s5", "b1g1", "bytes", 0), Extra: []byte("\xff")}))
	changed, err := here.triggers.Get("a1s3")
	is.NoErr(err)
	changed.Message.Description = "changed"
	is.NoErr(here.triggers.Put(t.Context(), changed))
	is.NoErr(here.triggers.Delete(t.Context(), "a1s2"))
	is.NoErr(here.triggers.Delete(t.Context(), "a1s5"))
	is.Equal(here.news, []string{"resource.trigger.x-4f6464206964: 0 → 1", "resource.trigger.a1s5: 0 → 1", "resource.trigger.a1s3: 1 → 1",
		"resource.trigger.a1s2: 1 → 1", "resource.trigger.a1s5: 1 → 0"})
	kept := here.Kept()
	is.Equal(len(kept), 3)
	is.True(strings.Contains(string(kept["resource.trigger.x-4f6464206964"]), `"text":"text"`)) // where secrets are seen

	var fed []string
	there.triggers.Feed(func(it item) error { fed = append(fed, it.Message.Id); return nil },
		func(id string) error { fed = append(fed, "-"+id); return nil })
	for _, name := range []string{"resource.trigger.a1s2", "resource.trigger.a1s3", "resource.trigger.x-4f6464206964"} {
		is.NoErr(there.Keep(t.Context(), name, kept[name]))
	}
	is.Equal(fed, []string{"a1s3", "Odd id"})
	there.triggers.DeclareDefault(item{Message: made("a1s2", "b1g1", "unwanted", 0)})
	is.Equal(ids(there.triggers.Messages(nil)), []string{"Odd id", "a1s3"})
	got, err := there.triggers.Get("Odd id")
	is.NoErr(err)
	is.Equal(string(got.Extra), "text")
	is.Equal(there.Kept(), kept)

	is.NoErr(there.Keep(t.Context(), "resource.trigger.a1s3", nil))
	is.NoErr(there.Keep(t.Context(), "resource.trigger.a1s3", nil)) // it is not there, as was asked for
	is.Equal(fed[2:], []string{"-a1s3"})
}

func TestWhatCannotBeKept(t *testing.T) {
	is, h := is.New(t), newHouse(t)
	for name, value := range map[string]string{
		"resource.secret.a1s9": `{"message":{}}`, "resource.nothing.a1s9": `{}`, "trigger.a1s9": `{}`, "resource.trigger": `{}`,
		"resource.trigger.x-zz": `{}`, "resource.trigger.a1s9": `{"message":{"id":"a1s8"}}`, "resource.trigger.a1s7": `{"message":{"id":7}}`,
		"resource.trigger.a1s6": `{`,
	} {
		err := h.Keep(t.Context(), name, []byte(value))
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), name[strings.LastIndex(name, ".")+1:])) // says which
	}
	is.Equal(len(h.Kept()), 0)
	is.Equal(h.news, nil)
}
