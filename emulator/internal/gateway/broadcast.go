package gateway

import (
	"context"
	"slices"
	"sync"
)

// passSize is how much of waiting broadcasts goes out in one pass over the connections.
const passSize = 1 << 20

// Sent says what became of a message of a broadcast.
type Sent struct {
	Connections int   // that took it
	TooBig      bool  // over Limits.Message: sent to nobody
	Err         error // it went wrong on purpose: see Faults
}

// Broadcast queues messages, in order, for every connection of a path. Broadcasts to a path go out in the order of the calls; those
// that wait for their turn leave together, in one write to each connection. A connection that comes meanwhile gets all of the
// messages or none. When ctx ends before its turn, nothing is sent.
func (g *Gateway) Broadcast(ctx context.Context, key string, ms []Message) []Sent {
	if through := g.options.Faults.Broadcast; through != nil {
		return through(ctx, key, ms, func(ctx context.Context, ms []Message) []Sent { return g.broadcast(ctx, key, ms) })
	}
	return g.broadcast(ctx, key, ms)
}

func (g *Gateway) broadcast(ctx context.Context, key string, ms []Message) []Sent {
	out := make([]Sent, len(ms))
	fit := make([]Message, 0, len(ms))
	for i, m := range ms {
		out[i].TooBig = len(m.Data) > g.limits.Message
		if !out[i].TooBig {
			fit = append(fit, m)
		} else {
			g.tellSent(SentFrame{Path: key, Message: m, Err: ErrTooBig})
		}
	}
	if len(fit) == 0 || ctx.Err() != nil {
		return out
	}
	told := func(n int) {
		for _, m := range fit {
			g.tellSent(SentFrame{Path: key, Message: m, Connections: n})
		}
	}
	g.mu.RLock()
	p := g.paths[key]
	if p == nil {
		told(0) // before anybody can come
	}
	g.mu.RUnlock()
	if p == nil {
		return out
	}
	n := p.broadcast(ctx, g.encode(fit), told)
	for i := range out {
		if !out[i].TooBig {
			out[i].Connections = n
		}
	}
	return out
}

// path is the connections that one broadcast reaches.
type path struct {
	turn chan struct{} // holds a token while somebody writes

	mu      sync.Mutex
	members []*conn // each knows its place
	waiting []*turn // broadcasts, in order

	round []*conn // members at the start of a pass; belongs to the holder of turn

	news teller
}

// turn is a broadcast that waits.
type turn struct {
	frames      []byte
	told        func(connections int)
	connections int
	done        chan struct{}
}

func newPath() *path { return &path{turn: make(chan struct{}, 1)} }

func (p *path) add(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.path, c.slot, c.had = p, len(p.members), p.news.pass
	p.members = append(p.members, c)
}

// remove returns how many are left.
func (p *path) remove(c *conn) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.members) - 1
	p.members[c.slot] = p.members[last]
	p.members[c.slot].slot = c.slot
	p.members[last] = nil
	p.members = p.members[:last]
	return last
}

// broadcast waits until the frames have gone out, whoever writes them, and returns to how many.
func (p *path) broadcast(ctx context.Context, frames []byte, told func(connections int)) int {
	t := &turn{frames: frames, told: told, done: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, t)
	p.mu.Unlock()
	for {
		select {
		case <-t.done:
			return t.connections
		case p.turn <- struct{}{}:
			p.pass()
			<-p.turn
		case <-ctx.Done():
			if p.withdraw(t) {
				return 0
			}
			<-t.done // it is being sent
			return t.connections
		}
	}
}

func (p *path) withdraw(t *turn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, t)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// pass writes the broadcasts that wait, or as many as fit, to everybody.
func (p *path) pass() {
	turns, pass := p.begin()
	if len(turns) == 0 {
		return
	}
	frames := turns[0].frames
	if len(turns) > 1 {
		all := make([][]byte, len(turns))
		for i, t := range turns {
			all[i] = t.frames
		}
		frames = slices.Concat(all...)
	}
	took := 0
	for _, c := range p.round {
		if c.cast(frames, pass) {
			took++
		}
	}
	clear(p.round)
	p.news.end(func() {
		for _, t := range turns {
			t.told(took)
		}
	})
	for _, t := range turns {
		t.connections = took
		close(t.done)
	}
}

// begin returns the broadcasts of a pass, none when none waits, and its number.
func (p *path) begin() (turns []*turn, pass uint32) {
	p.news.mu.Lock()
	defer p.news.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.waiting) && (n == 0 || size+len(p.waiting[n].frames) <= passSize) {
		size += len(p.waiting[n].frames)
		n++
	}
	if n == 0 {
		return nil, 0
	}
	turns = slices.Clone(p.waiting[:n])
	p.waiting = slices.Delete(p.waiting, 0, n)
	p.round = append(p.round[:0], p.members...)
	p.news.running = true
	p.news.pass++
	return turns, p.news.pass
}
