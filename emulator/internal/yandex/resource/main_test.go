package resource_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// newStore opens a store over what is kept; the store before it has simply stopped, as after a kill -9.
func newStore(values resource.Values) *resource.Store {
	return resource.New(resource.Options{Clock: clock.NewManual(noon), Values: values})
}

func openTriggers(t *testing.T, values resource.Values) *resource.Collection[*triggers.Trigger] {
	t.Helper()
	c, err := resource.Open(t.Context(), newStore(values), resource.Kind[*triggers.Trigger]{Name: "trigger"})
	is.New(t).NoErr(err)
	return c
}

func keep(t *testing.T) *journal.Memory {
	j := journal.NewMemory(journal.MemoryOptions{})
	t.Cleanup(func() { is.New(t).NoErr(j.Close()) })
	return j
}

// made is a trigger that was made some seconds after noon.
func made(id, folder, name string, after int) *triggers.Trigger {
	return &triggers.Trigger{Id: id, FolderId: folder, Name: name, CreatedAt: timestamppb.New(noon.Add(time.Duration(after) * time.Second))}
}

func put(t *testing.T, c *resource.Collection[*triggers.Trigger], ms ...*triggers.Trigger) {
	t.Helper()
	for _, m := range ms {
		is.New(t).NoErr(c.Put(t.Context(), resource.Item[*triggers.Trigger]{Message: m}))
	}
}

func ids(ms []*triggers.Trigger) []string {
	out := []string{}
	for _, m := range ms {
		out = append(out, m.Id)
	}
	return out
}

// wrong checks that an error names exactly these fields of a request.
func wrong(t *testing.T, err error, fields ...string) {
	t.Helper()
	is := is.New(t)
	is.Equal(status.Code(err), codes.InvalidArgument)
	var got []string
	for _, d := range status.Convert(err).Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range bad.FieldViolations {
				got = append(got, v.Field)
			}
		}
	}
	is.Equal(got, fields)
}

// broken refuses to keep anything.
type broken struct{ *journal.Memory }

var errFull = errors.New("disk full")

func (broken) Put(context.Context, string, []byte) error { return errFull }
func (broken) Remove(context.Context, string) error      { return errFull }
