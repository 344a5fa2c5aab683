package report

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/recording"
)

// A frame on the page is what was sent alike: a function that posts one message to each of a hundred connections has sent one frame to a
// hundred.
type frame struct {
	number      int
	first, last time.Time
	gateway     string
	path        string
	in, binary  bool
	broadcast   bool
	data        payload
	events      []string
	during      []string
	failure     string
	sent        int      // connections that took it
	tried       int      // lines
	connections []string // the first few

	key     uint64
	matters bool
	guessed bool // its events are those of what ran when it was sent
	dropped bool
}

const maxConnections = 20 // named of one frame

// frames keeps those that concern an event that is shown or were not taken, and the latest of the others. What a function sends is
// noted before the invocation is, so it waits among the others until its event is known.
type frames struct {
	limit   int
	seed    maphash.Seed
	alike   map[uint64]*frame // that may still grow
	kept    []*frame
	others  []*frame
	waiting map[string][]*frame // of others, by the invocation that may have sent them
	left    int
}

func newFrames(limit int) frames {
	return frames{limit: limit, seed: maphash.MakeSeed(), alike: make(map[uint64]*frame), waiting: make(map[string][]*frame)}
}

// sentTo is how many connections took a frame.
func sentTo(f *recording.Frame) int {
	if f.Sent == 0 && f.Connection != "" && f.Error == "" {
		return 1
	}
	return f.Sent
}

func (fs *frames) add(at time.Time, f *recording.Frame, matters bool) {
	key := fs.keyOf(f)
	g := fs.alike[key]
	if g != nil && (f.In || f.Connection == "") {
		g = nil // each message of a client, and each broadcast, is its own
	}
	if g == nil {
		if matters && len(fs.kept) >= fs.limit {
			fs.left++
			return
		}
		g = &frame{first: at, gateway: f.Gateway, path: f.Path, in: f.In, binary: f.Binary, broadcast: f.Connection == "", data: newPayload(f.Data),
			events: f.Events, during: f.During, failure: f.Error, key: key, matters: matters}
		fs.alike[key] = g
		if matters {
			fs.kept = append(fs.kept, g)
			fs.expect(g)
		} else {
			fs.wait(g)
		}
	}
	g.last, g.sent, g.tried = at, g.sent+sentTo(f), g.tried+1
	if f.Connection != "" && len(g.connections) < maxConnections {
		g.connections = append(g.connections, f.Connection)
	}
	if len(fs.alike) > 2*fs.limit {
		clear(fs.alike)
	}
}

func (fs *frames) keyOf(f *recording.Frame) uint64 {
	var h maphash.Hash
	h.SetSeed(fs.seed)
	for _, s := range []string{f.Gateway, f.Path, f.Error, strings.Join(f.Events, "\n"), strings.Join(f.During, "\n")} {
		_, _ = h.WriteString(s) // it never fails
		_ = h.WriteByte(0)
	}
	if f.In {
		_ = h.WriteByte('i')
	}
	if f.Binary {
		_ = h.WriteByte('b')
	}
	_, _ = h.Write(f.Data)
	return h.Sum64()
}

func (fs *frames) wait(g *frame) {
	if len(fs.others) >= 2*fs.limit {
		old := fs.others[:fs.limit]
		for _, f := range old {
			if f.matters {
				continue
			}
			f.dropped = true
			fs.left++
			for _, id := range f.during {
				delete(fs.waiting, id)
			}
			if fs.alike[f.key] == f {
				delete(fs.alike, f.key)
			}
		}
		n := copy(fs.others, fs.others[fs.limit:])
		clear(fs.others[n:])
		fs.others = fs.others[:n]
	}
	fs.others = append(fs.others, g)
	fs.expect(g)
}

// expect has a frame wait for what may have sent it.
func (fs *frames) expect(g *frame) {
	if len(g.events) > 0 || len(fs.waiting) > 4*fs.limit {
		return
	}
	for _, id := range g.during {
		fs.waiting[id] = append(fs.waiting[id], g)
	}
}

// during tells of an invocation that worked on events which are shown: what was sent meanwhile may be theirs.
func (fs *frames) during(id string, events []string) {
	for _, f := range fs.waiting[id] {
		if f.dropped {
			continue
		}
		if !f.matters && len(fs.kept) >= fs.limit {
			continue
		}
		f.guessed = true
		for _, e := range events {
			if !slices.Contains(f.events, e) {
				f.events = append(f.events, e)
			}
		}
		if !f.matters {
			f.matters = true
			fs.kept = append(fs.kept, f)
		}
	}
	delete(fs.waiting, id)
}

// forget tells of an invocation that worked on nothing that is shown.
func (fs *frames) forget(id string) { delete(fs.waiting, id) }

// settle returns what is shown, in order.
func (fs *frames) settle() []*frame {
	room := fs.limit - len(fs.kept)
	for i := len(fs.others) - 1; i >= 0; i-- {
		f := fs.others[i]
		if f.matters {
			continue
		}
		if room <= 0 {
			fs.left++
			continue
		}
		room--
		fs.kept = append(fs.kept, f)
	}
	fs.others, fs.waiting, fs.alike = nil, nil, nil
	slices.SortStableFunc(fs.kept, func(a, b *frame) int { return a.first.Compare(b.first) })
	for i, f := range fs.kept {
		f.number = i + 1
	}
	return fs.kept
}
