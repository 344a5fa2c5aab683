package wire_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
)

func TestIdempotencyKey(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	h := open(t, wire.Options{Clock: now})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	keyed := func(key, authorization string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", key, "authorization", authorization)
	}
	create := func(ctx context.Context, name string) string {
		op, err := client.Create(ctx, pushes(name))
		h.is.NoErr(err)
		return op.GetId()
	}
	first := create(keyed("k1", "me"), "one")
	h.is.Equal(create(keyed("k1", "me"), "one"), first)
	// REST is the same method and the same key.
	rest := h.rest(t, "POST", "/triggers/v1/triggers", created, "Idempotency-Key: k2", "Authorization: me")
	h.is.Equal(rest.code, 200)
	h.is.Equal(create(keyed("k2", "me"), "pushes"), rest.body["id"])
	h.is.Equal(h.triggers.made, 2)

	_, err := client.Create(keyed("k1", "me"), pushes("other"))
	h.is.Equal(status.Code(err), codes.InvalidArgument)
	h.is.Equal(status.Convert(err).Message(),
		`idempotency-key: "k1" was used for another request to yandex.cloud.serverless.triggers.v1.TriggerService/Create; take a new key for a new request`)
	// Another caller's key is another key, and so is another method's.
	h.is.True(create(keyed("k1", "you"), "one") != first)
	op, err := client.Delete(keyed("k1", "me"), &triggers.DeleteTriggerRequest{TriggerId: "a1s3"})
	h.is.NoErr(err)
	h.is.True(op.GetId() != first)
	// What only reads is not kept.
	_, err = client.Get(keyed("k3", "me"), &triggers.GetTriggerRequest{TriggerId: "a1s1"})
	h.is.NoErr(err)
	_, err = client.Get(keyed("k3", "me"), &triggers.GetTriggerRequest{TriggerId: "a1s3"})
	h.is.Equal(status.Code(err), codes.NotFound)

	now.Advance(24*time.Hour - time.Second)
	h.is.Equal(create(keyed("k1", "me"), "one"), first)
	now.Advance(time.Second)
	h.is.True(create(keyed("k1", "me"), "one") != first)
	_, err = client.Create(keyed(fmt.Sprintf("%0257d", 1), "me"), pushes("one"))
	h.is.Equal(status.Code(err), codes.InvalidArgument)
}

func TestFailureIsNotKept(t *testing.T) {
	h := open(t, wire.Options{})
	answer := status.Error(codes.Unavailable, "later")
	h.triggers.creating = func(context.Context, *triggers.CreateTriggerRequest) error { return answer }
	h.fails(h.rest(t, "POST", "/triggers/v1/triggers", created, "Idempotency-Key: k"), 503, codes.Unavailable)
	answer = nil
	h.is.Equal(h.rest(t, "POST", "/triggers/v1/triggers", created, "Idempotency-Key: k").code, 200)
}

// Duplicates that come while the first is served wait for it, and one of them takes over when it fails.
func TestDuplicatesWait(t *testing.T) {
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	entered, release := make(chan struct{}), make(chan error)
	h.triggers.creating = func(context.Context, *triggers.CreateTriggerRequest) error {
		entered <- struct{}{}
		return <-release
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", "k")
	type result struct {
		id  string
		err error
	}
	results := make(chan result, 4)
	create := func(ctx context.Context) {
		op, err := client.Create(ctx, pushes("one"))
		results <- result{op.GetId(), err}
	}
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() { create(ctx) })
	}
	<-entered
	release <- errors.New("the first fails")
	<-entered // another has taken over
	release <- nil
	running.Wait()
	close(results)
	var failed int
	for r := range results {
		if r.err != nil {
			failed++
			continue
		}
		h.is.Equal(r.id, "opa1s1")
	}
	h.is.Equal(failed, 1)
	h.is.Equal(h.triggers.made, 1)
}

// Who waits for another's answer need not wait for ever.
func TestDuplicateGivesUp(t *testing.T) {
	is := is.New(t)
	replays := wire.NewReplays(clock.Real{})
	entered, release := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		_, err := replays.Do(t.Context(), "k", func() (any, error) {
			close(entered)
			<-release
			return &triggers.Trigger{}, nil
		})
		is.NoErr(err)
	})
	<-entered
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := replays.Do(gone, "k", func() (any, error) { return nil, errors.New("called twice") })
	is.Equal(status.Code(err), codes.Canceled)
	close(release)
	running.Wait()
}

// The service may go on with what it answered; the kept answer stays.
func TestKeptAnswerIsACopy(t *testing.T) {
	is := is.New(t)
	h := open(t, wire.Options{})
	client := triggers.NewTriggerServiceClient(h.dial(t))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", "k")
	first, err := client.Create(ctx, pushes("one"))
	is.NoErr(err)
	h.triggers.last.Description = "changed"
	again, err := client.Create(ctx, pushes("one"))
	is.NoErr(err)
	is.True(proto.Equal(first, again))
}

func TestKeysAreBounded(t *testing.T) {
	is := is.New(t)
	replays := wire.NewReplays(clock.Real{})
	calls := 0
	create := func(key string) {
		_, err := replays.Do(t.Context(), key, func() (any, error) { calls++; return &triggers.Trigger{}, nil })
		is.NoErr(err)
	}
	create("oldest")
	for i := range 9_999 {
		create(fmt.Sprint(i))
	}
	create("oldest")
	is.Equal(calls, 10_000)
	create("one more")
	create("oldest") // forgotten
	is.Equal(calls, 10_002)
}
