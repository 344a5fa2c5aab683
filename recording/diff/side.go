package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// maxSince is of how many sockets that were there before the recordings it is known when they were opened.
const maxSince = 1024

// side is one of the two runs as far as it is read.
type side struct {
	c     *comparison
	index int // 0: want, 1: got
	line  int64
	start time.Time // of the first line
	input time.Time // of the last input

	known  memory[known]
	turns  memory[int]        // how often something has happened: the turn is part of its name
	open   map[string]*socket // by connection
	shared map[string]int     // sockets open on a path

	waiting map[uint64][]wait // events, by their names
	end     time.Time         // of the last line
}

// known is what an id of this run stands for.
type known struct {
	name   uint64    // the same in both runs
	at     time.Time // of an event: when it was published; zero: this is no event
	pushed time.Time // and when it happened in the registry
}

func newSide(c *comparison, index int, h recording.Header) *side {
	return &side{c: c, index: index, start: h.Now, known: newMemory[known](remembered), turns: newMemory[int](remembered),
		open: map[string]*socket{}, shared: map[string]int{}, waiting: map[uint64][]wait{}}
}

func (s *side) String() string { return [2]string{"want", "got"}[s.index] }

func (s *side) hash(parts ...string) uint64 {
	h := uint64(len(parts))
	for _, p := range parts {
		h = mix(h, maphash.String(s.c.seed, p))
	}
	return h
}

// turn counts what has the same content.
func (s *side) turn(content uint64) int {
	n, _ := s.turns.get(content)
	s.turns.put(content, n+1)
	return n
}

// name is what an id is called in both runs.
func (s *side) name(text string) (uint64, bool) {
	if len(text) < 4 || len(text) > 128 {
		return 0, false
	}
	k, ok := s.known.get(maphash.String(s.c.seed, text))
	return k.name, ok
}

func (s *side) event(text string) (known, bool) {
	k, ok := s.known.get(maphash.String(s.c.seed, text))
	return k, ok && !k.at.IsZero()
}

func (s *side) learn(text string, k known) { s.known.put(maphash.String(s.c.seed, text), k) }

// read takes the next line in.
func (s *side) read(l recording.Line) {
	s.line++
	if s.line == 1 {
		s.start, s.input = l.At, l.At
	}
	s.end = l.At
	switch {
	case l.Record != nil:
		s.record(l.At, *l.Record)
	case l.Socket != nil && l.Socket.What == recording.Opened:
		s.input = l.At
		s.opened(l.Socket)
	case l.Socket != nil:
		s.closed(l.Socket)
	case l.Frame != nil:
		s.frame(l.At, l.Frame)
	case l.Invocation != nil:
		s.invocation(l.At, l.Invocation)
	case l.Step != nil:
		s.step(l.At, *l.Step)
	}
}

// item begins an item of this line.
func (s *side) item(at time.Time, ids []string) *item {
	it := &item{side: s, line: s.line, at: at, before: at.Sub(s.input), events: ids}
	for _, e := range ids {
		k, ok := s.event(e)
		if ok {
			it.names = mix(it.names+1, k.name)
		}
		it.each = append(it.each, k.name)
	}
	return it
}

// document gives it the bytes that it is about.
func (it *item) document(data []byte, binary bool) {
	it.data = data
	it.print = it.side.print(data, binary, it.at)
	it.size += len(data) + 24*len(it.leaves)
}

// record is an input: what was pushed, as far as it can be told without ids and times.
func (s *side) record(at time.Time, r events.Record) {
	s.input = at
	var text []string
	ids := make([]string, 0, len(r.Events))
	published := r.At
	if published.IsZero() {
		published = at
	}
	for _, c := range r.Changes {
		what := fmt.Sprintf("%s %s/%s", c.Kind, c.Registry, c.Repository)
		if c.Tag != "" {
			what += ":" + c.Tag
		}
		if c.Digest != "" {
			what += "@" + c.Digest
		}
		text = append(text, what)
	}
	for _, e := range r.Events {
		ids = append(ids, e.ID)
		if e.Of < 0 || e.Of >= len(r.Changes) {
			continue
		}
		if _, again := s.event(e.ID); again {
			continue // published again: it is the same event
		}
		content := s.hash("event", e.Source, e.Type, text[e.Of])
		s.learn(e.ID, known{name: mix(content, uint64(s.turn(content))), at: published, pushed: r.Changes[e.Of].At})
	}
	it := s.item(at, ids)
	it.document([]byte(strings.Join(text, "\n")), false)
	it.key = s.hash(string(it.data))
	it.exact, it.leaves = it.key, nil // the changes are the input; what the clouds make of them comes in frames
	s.c.lane("input", s.c.inputDiffers).add(it)
}

// frame is a message to all on a path, to one socket, or from one.
func (s *side) frame(at time.Time, f *recording.Frame) {
	if f.In {
		s.input = at
	}
	it := s.item(at, f.Events)
	it.frame = f
	it.document(f.Data, f.Binary)
	if f.Binary {
		it.key = mix(it.key, 2)
	}
	if f.Connection == "" {
		p := s.c.path(f.Gateway, f.Path)
		it.missed = max(0, s.shared[p.name]-f.Sent)
		p.add(it)
		return
	}
	if k := s.socket(f.Connection, f.Gateway, f.Path); k != nil {
		k.add(it)
	}
}

// socket finds the socket of a connection, nil when it is over in both runs. One that was open before the recording began is known from
// its first frame.
func (s *side) socket(connection, gateway, path string) *socket {
	if k := s.open[connection]; k != nil {
		return k
	}
	if name, ok := s.name(connection); ok {
		return s.c.sockets[name]
	}
	return s.begin(connection, gateway, path, "")
}

// begin names a socket by its turn on its path with its URL.
func (s *side) begin(connection, gateway, path, url string) *socket {
	x := scanner{side: s, near: s.start}
	content := mix(s.hash("socket", gateway, path), x.loose(1, url))
	n := s.turn(content)
	k := s.c.socket(mix(content, uint64(n)), gateway, path, url, n)
	k.met[s.index] = true
	s.learn(connection, known{name: k.name})
	s.open[connection] = k
	return k
}

func (s *side) opened(o *recording.Socket) {
	k := s.begin(o.Connection, o.Gateway, o.Path, o.URL)
	s.shared[k.path.name]++
	k.opened[s.index] = k.end(s, o)
	if w, g := k.opened[0], k.opened[1]; w != nil && g != nil && !w.socket.Since.IsZero() && !g.socket.Since.IsZero() && len(s.c.since) < maxSince {
		s.c.since = append(s.c.since, [2]int64{w.socket.Since.UnixNano(), g.socket.Since.UnixNano()})
	}
}

func (s *side) closed(o *recording.Socket) {
	k := s.socket(o.Connection, o.Gateway, o.Path)
	if k == nil || k.closed[s.index] != nil {
		return
	}
	if k.opened[s.index] != nil {
		s.shared[k.path.name]--
	}
	delete(s.open, o.Connection)
	k.closed[s.index] = k.end(s, o)
	k.settle(false)
}

func (s *side) invocation(at time.Time, r *recording.Invocation) {
	it := s.item(at, r.Events)
	it.run = r
	it.document(r.Input, false)
	it.size += len(r.Output)
	f := s.c.function(r.Function)
	f.took(s.index, r)
	f.bag.add(it)
}

// decision is what a step means to whoever waits for the event.
type decision struct {
	what     string
	action   string
	triggers []string // of a match
	near     map[string]string
	text     string
}

func (s *side) step(at time.Time, st events.Step) {
	it := s.item(at, st.Events)
	it.said = &decision{what: st.What, text: st.Text}
	it.size += len(st.Text)
	s.waits(it, st)
	x := scanner{side: s, near: at}
	switch st.What {
	case events.StepMatched, events.StepUnmatched:
		it.said.triggers, it.said.near = wanted(st.Data)
		it.print = print{key: mix(s.hash("match", st.Room), it.unknown())}
		s.c.bag("events", s.c.sameMatch, s.c.leftMatches).add(it)
		return
	case events.StepDelivered, events.StepLost, events.StepSkipped:
	default:
		return
	}
	if action, ok := st.Data["action"]; ok {
		it.said.action = fmt.Sprint(action)
	}
	it.key = mix(s.hash("decision", st.What, it.said.action), it.unknown())
	if len(st.Events) == 0 {
		if st.What != events.StepLost {
			return
		}
		it.key = mix(it.key, x.loose(1, st.Text))
	}
	where := cmp.Or(st.Who, st.Room)
	if st.Room != "trigger" {
		where = st.Room + " " + st.Who
	} else {
		where = "trigger " + where
	}
	s.c.bag(where, s.c.sameDecision, s.c.leftDecisions).add(it)
}

// unknown counts the events of which the recording does not tell what happened.
func (it *item) unknown() uint64 {
	n := uint64(0)
	for _, name := range it.each {
		if name == 0 {
			n++
		}
	}
	return n
}

// wanted reads which triggers wanted an event, and what kept others from it. Steps from a file hold JSON's types, those of a running
// house its own.
func wanted(data map[string]any) (triggers []string, near map[string]string) {
	read := func(from, into any) {
		if b, err := json.Marshal(from); err == nil {
			_ = json.Unmarshal(b, into) // of another shape: it says nothing that is known
		}
	}
	if from, ok := data["triggers"]; ok {
		read(from, &triggers)
	}
	slices.Sort(triggers)
	if from, ok := data["near"]; ok {
		var misses []struct{ Trigger, Why string }
		read(from, &misses)
		near = make(map[string]string, len(misses))
		for _, m := range misses {
			near[m.Trigger] = m.Why
		}
	}
	return triggers, near
}
