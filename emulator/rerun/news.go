package rerun

import (
	"context"
	"fmt"
	"sync"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// news is what the house has noticed of its sockets: later than clients know.
type news struct {
	following sync.WaitGroup

	mu      sync.Mutex
	live    map[string]bool // connections that are open
	opened  []recording.Socket
	ended   bool          // no more will come
	changed chan struct{} // closed when anything above changes
}

// follow begins to listen. It ends with the house.
func follow(em *emulator.Emulator) (*news, error) {
	lines, err := em.Follow(context.Background(), "socket")
	if err != nil {
		return nil, err
	}
	n := &news{live: map[string]bool{}, changed: make(chan struct{})}
	n.following.Go(func() {
		for line, err := range lines {
			if err != nil {
				break
			}
			if line.Socket != nil {
				n.change(func() { n.take(*line.Socket) })
			}
		}
		n.change(func() { n.ended = true })
	})
	return n, nil
}

func (n *news) take(s recording.Socket) {
	if s.What == recording.Opened {
		n.live[s.Connection] = true
		n.opened = append(n.opened, s)
		return
	}
	delete(n.live, s.Connection)
}

func (n *news) change(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
	close(n.changed)
	n.changed = make(chan struct{})
}

// wait returns when done does, which is asked under the lock.
func (n *news) wait(ctx context.Context, done func() bool) error {
	for {
		n.mu.Lock()
		ok, ended, changed := done(), n.ended, n.changed
		n.mu.Unlock()
		switch {
		case ok:
			return nil
		case ended:
			return fmt.Errorf("the emulator has ended")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// newcomer returns the connection that was opened at a gateway by a URL. One dials at a time.
func (n *news) newcomer(ctx context.Context, gateway, url string) (id string, err error) {
	err = n.wait(ctx, func() bool {
		for _, s := range n.opened {
			if s.Gateway == gateway && s.URL == url {
				id = s.Connection
			}
		}
		n.opened = nil // others are not ours
		return id != ""
	})
	return id, err
}

// gone returns when a connection is no more.
func (n *news) gone(ctx context.Context, id string) error {
	return n.wait(ctx, func() bool { return !n.live[id] })
}

func (n *news) isGone(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.live[id]
}
