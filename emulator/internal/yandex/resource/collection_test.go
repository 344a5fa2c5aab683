package resource_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

type item = resource.Item[*triggers.Trigger]

func TestResourcesSurviveARestart(t *testing.T) {
	is, j := is.New(t), keep(t)
	c := openTriggers(t, j)
	whole := made("a1s1", "b1g1", "one", 0)
	whole.Labels = map[string]string{"team": "a"}
	whole.Source = &triggers.Source{Source: &triggers.Source_ContainerRegistry{ContainerRegistry: &triggers.ContainerRegistry{RegistryId: "crp1",
		BatchSettings: &triggers.BatchSettings{MaxCount: 1 << 60}}}}
	is.NoErr(c.Put(t.Context(), item{Message: whole, Extra: []byte("secret\x00")}))
	put(t, c, made("a1s2", "b1g1", "two", 1), made("a_strange.ID", "b1g1", "three", 2))
	is.NoErr(c.Delete(t.Context(), "a1s2"))

	c = openTriggers(t, j)
	got, err := c.Get("a1s1")
	is.NoErr(err)
	is.True(proto.Equal(got.Message, whole))
	is.Equal(string(got.Extra), "secret\x00")
	is.Equal(ids(c.Messages(nil)), []string{"a1s1", "a_strange.ID"})
	is.NoErr(c.Delete(t.Context(), "a_strange.ID"))
	is.Equal(ids(openTriggers(t, j).Messages(nil)), []string{"a1s1"})
}

// Kinds whose names begin alike are kept apart.
func TestKindsAreKeptApart(t *testing.T) {
	is, j := is.New(t), keep(t)
	put(t, openTriggers(t, j), made("a1s1", "", "", 0))
	other, err := resource.Open(t.Context(), newStore(j), resource.Kind[*triggers.Trigger]{Name: "trigger-v1"})
	is.NoErr(err)
	is.Equal(len(other.All(nil)), 0)
	put(t, other, made("a1s9", "", "", 0))
	is.Equal(ids(openTriggers(t, j).Messages(nil)), []string{"a1s1"})
}

func TestWhatIsReturnedIsACopy(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	mine := made("a1s1", "b1g1", "one", 0)
	put(t, c, mine)
	mine.Name = "changed"
	got, err := c.Get("a1s1")
	is.NoErr(err)
	got.Message.Name = "changed"
	c.All(nil)[0].Message.Name = "changed"
	again, err := c.Get("a1s1")
	is.NoErr(err)
	is.Equal(again.Message.Name, "one")
}

func TestAnUnknownIDIsNotFound(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	_, err := c.Get("a1s404")
	is.Equal(status.Code(err), codes.NotFound)
	is.Equal(status.Convert(err).Message(), "Trigger a1s404 not found")
	is.Equal(status.Code(c.Delete(t.Context(), "a1s404")), codes.NotFound)
}

func TestWhatCannotBeKeptIsNotThere(t *testing.T) {
	is, j := is.New(t), keep(t)
	put(t, openTriggers(t, j), made("a1s1", "", "", 0))
	c := openTriggers(t, broken{j})
	err := c.Put(t.Context(), item{Message: made("a1s2", "", "", 0)})
	is.Equal(status.Code(err), codes.Internal)
	is.True(strings.Contains(err.Error(), errFull.Error()))
	is.Equal(status.Code(c.Delete(t.Context(), "a1s1")), codes.Internal)
	is.Equal(ids(c.Messages(nil)), []string{"a1s1"})
}

func TestAKeptValueThatCannotBeRead(t *testing.T) {
	for _, value := range []string{"{", `{"message":{"id":7}}`} {
		j := keep(t)
		is := is.New(t)
		is.NoErr(j.Put(t.Context(), "resource.trigger.a1s1", []byte(value)))
		_, err := resource.Open(t.Context(), newStore(j), resource.Kind[*triggers.Trigger]{Name: "trigger"})
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), "resource.trigger.a1s1")) // says which
	}
}

func TestNamesAreUniqueWithinAFolder(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	put(t, c, made("a1s1", "b1g1", "one", 0), made("a1s2", "b1g1", "", 0))
	is.Equal(status.Code(c.Free("b1g1", "one", "")), codes.AlreadyExists)
	is.Equal(status.Code(c.Free("b1g1", "one", "a1s2")), codes.AlreadyExists)
	is.NoErr(c.Free("b1g1", "one", "a1s1")) // its own
	is.NoErr(c.Free("b1g2", "one", ""))
	is.NoErr(c.Free("b1g1", "", ""))
}

func TestAFileDeclares(t *testing.T) {
	is, j := is.New(t), keep(t)
	put(t, openTriggers(t, j), made("a1s1", "b1g1", "by-client", 0))

	c := openTriggers(t, j)
	is.NoErr(c.Declare(item{Message: made("a1s1", "b1g1", "by-file", 0), File: "a.yaml"}))
	err := c.Declare(item{Message: made("a1s1", "b1g1", "by-file", 0), File: "b.yaml"})
	is.True(errors.Is(err, resource.ErrDeclared))
	is.True(strings.Contains(err.Error(), "in a.yaml and in b.yaml"))

	// What a client does to it lasts until the next start.
	it, err := c.Get("a1s1")
	is.NoErr(err)
	it.Message.Description = "changed"
	is.NoErr(c.Put(t.Context(), it))
	is.NoErr(c.Delete(t.Context(), "a1s1"))
	kept, err := openTriggers(t, j).Get("a1s1")
	is.NoErr(err)
	is.Equal(kept.Message.Name, "by-client")
	is.Equal(kept.Message.Description, "")
}

func TestDefaults(t *testing.T) {
	theDefault := item{Message: made("a1sdefault", "b1g1", "default", 0)}
	declare := func(t *testing.T, j *journal.Memory) (*resource.Collection[*triggers.Trigger], item, bool) {
		c := openTriggers(t, j)
		it, there := c.DeclareDefault(theDefault)
		return c, it, there
	}
	t.Run("untouched, it is declared anew", func(t *testing.T) {
		is, j := is.New(t), keep(t)
		_, it, there := declare(t, j)
		is.True(there)
		is.Equal(it.Message.Name, "default")
		is.Equal(len(openTriggers(t, j).All(nil)), 0) // nothing was persisted
	})
	t.Run("changed, it stays as changed", func(t *testing.T) {
		is, j := is.New(t), keep(t)
		c, it, _ := declare(t, j)
		it.Message.Name = "changed"
		is.NoErr(c.Put(t.Context(), it))
		_, it, there := declare(t, j)
		is.True(there)
		is.Equal(it.Message.Name, "changed")
	})
	t.Run("deleted, it stays away", func(t *testing.T) {
		is, j := is.New(t), keep(t)
		c, _, _ := declare(t, j)
		is.NoErr(c.Delete(t.Context(), "a1sdefault"))
		_, there := c.DeclareDefault(theDefault)
		is.True(!there) // nor in this life
		for range 2 {
			c, _, there = declare(t, j)
			is.True(!there)
			is.Equal(len(c.All(nil)), 0)
		}
	})
	t.Run("deleted and made again, it is there", func(t *testing.T) {
		is, j := is.New(t), keep(t)
		c, _, _ := declare(t, j)
		is.NoErr(c.Delete(t.Context(), "a1sdefault"))
		put(t, c, made("a1sdefault", "b1g1", "again", 0))
		it, there := c.DeclareDefault(theDefault)
		is.True(there)
		is.Equal(it.Message.Name, "again")
		_, it, there = declare(t, j)
		is.True(there)
		is.Equal(it.Message.Name, "again")
	})
	t.Run("a file has its place", func(t *testing.T) {
		is, j := is.New(t), keep(t)
		c := openTriggers(t, j)
		is.NoErr(c.Declare(item{Message: made("a1sdefault", "b1g1", "by-file", 0), File: "a.yaml"}))
		it, there := c.DeclareDefault(theDefault)
		is.True(there)
		is.Equal(it.File, "a.yaml")
		is.NoErr(c.Delete(t.Context(), "a1sdefault")) // the file's, not the default
		_, it, there = declare(t, j)
		is.True(there)
		is.Equal(it.Message.Name, "default")
	})
	t.Run("without a journal", func(t *testing.T) {
		is, c := is.New(t), openTriggers(t, nil)
		c.DeclareDefault(theDefault)
		is.NoErr(c.Delete(t.Context(), "a1sdefault"))
		_, there := c.DeclareDefault(theDefault)
		is.True(!there)
	})
}

func TestIDs(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	a, err := s.NewID("a1s")
	is.NoErr(err)
	b, err := s.NewID("a1s")
	is.NoErr(err)
	is.True(a != b)
	is.Equal(len(a), 20)
	is.True(strings.HasPrefix(a, "a1s"))
	is.Equal(strings.Trim(a, "0123456789abcdefghijklmnopqrstuv"), "")

	empty := resource.New(resource.Options{Random: strings.NewReader("")})
	_, err = empty.NewID("a1s")
	is.Equal(status.Code(err), codes.Internal)
}

// Names of values, and what they hold, are the journal's own: on disk as in memory.
func TestResourcesSurviveOnDisk(t *testing.T) {
	is, dir := is.New(t), t.TempDir()
	opened := func(do func(*resource.Collection[*triggers.Trigger])) {
		j, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: dir})
		is.NoErr(err)
		do(openTriggers(t, j))
		is.NoErr(j.Close())
	}
	odd := "An id_with/everything.in*it>"
	opened(func(c *resource.Collection[*triggers.Trigger]) {
		c.DeclareDefault(item{Message: made("a1sdefault", "", "", 0)})
		put(t, c, made("a1s1", "", "one", 1), made(odd, "", "", 2), made("a1s2", "", "", 3))
		is.NoErr(c.Delete(t.Context(), "a1s2"))
		is.NoErr(c.Delete(t.Context(), "a1sdefault"))
	})
	opened(func(c *resource.Collection[*triggers.Trigger]) {
		is.Equal(ids(c.Messages(nil)), []string{"a1s1", odd})
		_, there := c.DeclareDefault(item{Message: made("a1sdefault", "", "", 0)})
		is.True(!there)
	})
}

// slow is a disk that takes its time.
type slow struct {
	*journal.Memory
	begun, proceed chan struct{}
}

func (s slow) Put(ctx context.Context, name string, data []byte) error {
	s.begun <- struct{}{}
	<-s.proceed
	return s.Memory.Put(ctx, name, data)
}

// Every call asks for bindings and resources: it must not wait for the disk of another.
func TestReadersDoNotWaitForTheDisk(t *testing.T) {
	is, values := is.New(t), slow{keep(t), make(chan struct{}), make(chan struct{})}
	c := openTriggers(t, values)
	put := make(chan error)
	go func() { put <- c.Put(t.Context(), resource.Item[*triggers.Trigger]{Message: made("a1s1", "", "", 0)}) }()
	<-values.begun
	_, err := c.Get("a1s1")
	is.Equal(status.Code(err), codes.NotFound) // not before it is kept
	is.Equal(len(c.Messages(nil)), 0)
	close(values.proceed)
	is.NoErr(<-put)
	_, err = c.Get("a1s1")
	is.NoErr(err)
}

func TestEach(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	put(t, c, made("a1s1", "", "", 0), made("a1s2", "", "", 1))
	seen := map[string]bool{}
	c.Each(func(m *triggers.Trigger) bool { seen[m.Id] = true; return true })
	is.Equal(seen, map[string]bool{"a1s1": true, "a1s2": true})
	count := 0
	c.Each(func(*triggers.Trigger) bool { count++; return false })
	is.Equal(count, 1)
}
