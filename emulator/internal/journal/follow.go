package journal

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// A reader takes entries of some topics out of an engine in order, from a position on.
type reader interface {
	// next returns some entries, and whether there may be more at once.
	next(ctx context.Context) (entries []Entry, more bool, err error)
	close()
}

// read yields what is written up to a position.
func read(ctx context.Context, open func() (reader, error), to uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r, err := open()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer r.close()
		for more := true; more; {
			var entries []Entry
			if entries, more, err = r.next(ctx); err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				if e.Seq > to || !yield(e, nil) {
					return
				}
			}
		}
	}
}

// hub tells the followers of an engine what is written.
type hub struct {
	mu        sync.Mutex
	followers map[*follower]struct{}
	ending    chan struct{} // closed when the journal ends
}

// follower is one Follow that runs.
type follower struct {
	topics []Topic
	last   atomic.Uint64 // highest position that it was told of
	news   chan struct{} // last has moved
}

func newHub() *hub {
	return &hub{followers: map[*follower]struct{}{}, ending: make(chan struct{})}
}

// tell must be called after every write, in any order. It does not block.
func (h *hub) tell(topic Topic, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers {
		if seq <= f.last.Load() || len(f.topics) > 0 && !slices.Contains(f.topics, topic) {
			continue
		}
		f.last.Store(seq)
		select {
		case f.news <- struct{}{}:
		default: // it has not yet looked at the news before
		}
	}
}

// follow yields what is written and what will be. A follower reads by position when it hears that there is something to read; as
// nothing but the position says what comes next, the passage from old entries to new ones neither loses nor repeats any.
func (h *hub) follow(ctx context.Context, open func() (reader, error), topics []Topic) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f := &follower{topics: topics, news: make(chan struct{}, 1)}
		h.mu.Lock()
		h.followers[f] = struct{}{}
		h.mu.Unlock()
		defer func() {
			h.mu.Lock()
			delete(h.followers, f)
			h.mu.Unlock()
		}()
		r, err := open()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer r.close()
		for {
			seen := f.last.Load() // whatever it was told of by now, the next read finds
			entries, more, err := r.next(ctx)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				seen = max(seen, e.Seq)
				if !yield(e, nil) {
					return
				}
			}
			for !more && f.last.Load() <= seen {
				select {
				case <-f.news:
				case <-ctx.Done():
					yield(Entry{}, ctx.Err())
					return
				case <-h.ending:
					yield(Entry{}, ErrClosed)
					return
				}
			}
		}
	}
}
