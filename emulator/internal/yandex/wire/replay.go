package wire

import (
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/regcast/regcast/emulator/internal/clock"
)

const (
	// Answers are kept for a day, and the last 10,000; the oldest are forgotten.
	replayAge  = 24 * time.Hour
	replayKeys = 10_000
)

// replays keeps the answers of mutating calls by idempotency key.
type replays struct {
	clock clock.Clock
	mu    sync.Mutex
	by    map[replayKey]*replay
	order list.List // of replayKey, answered ones only, oldest first
}

type replayKey struct {
	method, key string
	caller      [sha256.Size]byte
}

type replay struct {
	request  [sha256.Size]byte
	done     chan struct{} // closed when answered or failed
	answered time.Time
	response proto.Message // nil while running and when failed
}

func newReplays(c clock.Clock) *replays {
	return &replays{clock: c, by: map[replayKey]*replay{}}
}

// do calls once for a key: who comes with it later, or meanwhile, gets the same answer. A failed call is not kept, and who waited for it
// calls anew. The same key with another request is INVALID_ARGUMENT.
func (r *replays) do(ctx context.Context, c *call, m *method, request proto.Message, handle func() (any, error)) (any, error) {
	if len(c.key) > 256 {
		return nil, status.Errorf(codes.InvalidArgument, "idempotency-key: got %d characters, want at most 256", len(c.key))
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("idempotency-key: %w", err)
	}
	key := replayKey{m.name, c.key, sha256.Sum256([]byte(c.authorization))}
	mine := &replay{request: sha256.Sum256(body), done: make(chan struct{})}
	for {
		other := r.claim(key, mine)
		if other == nil {
			break
		}
		if other.request != mine.request {
			return nil, status.Errorf(codes.InvalidArgument,
				"idempotency-key: %q was used for another request to %s; take a new key for a new request", c.key, m.name)
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		if other.response != nil {
			return other.response, nil
		}
	}
	response, err := handle()
	r.finish(key, mine, response, err)
	return response, err
}

// claim enters mine, or returns who was there before.
func (r *replays) claim(key replayKey, mine *replay) *replay {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for e := r.order.Front(); e != nil; e = r.order.Front() {
		oldest := e.Value.(replayKey)
		if r.order.Len() <= replayKeys && now.Sub(r.by[oldest].answered) < replayAge {
			break
		}
		delete(r.by, oldest)
		r.order.Remove(e)
	}
	if other := r.by[key]; other != nil {
		return other
	}
	r.by[key] = mine
	return nil
}

func (r *replays) finish(key replayKey, mine *replay, response any, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if message, ok := response.(proto.Message); ok && err == nil {
		mine.response = proto.Clone(message) // the service may go on with its own
		mine.answered = r.clock.Now()
		r.order.PushBack(key)
	} else {
		delete(r.by, key)
	}
	close(mine.done)
}
