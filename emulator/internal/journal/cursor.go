package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	maxUnfinished = 100_000
	// savePause lies between two saves, so that a cursor that moves ten thousand times a second does not save as often. It is the
	// machine's time: how much a crash repeats has nothing to do with the clock that people move.
	savePause   = 10 * time.Millisecond
	saveTimeout = 30 * time.Second
)

// Cursor is a durable reader of one topic: it remembers under a name, through Put, which entries are done.
//
// Notes made before Done are written before an entry is remembered as done; of those that are lost, the journal's Sync or Close tells.
// What it remembers is a few milliseconds behind what it was told. So after a kill -9 the entries that were done last come again, and
// none is left out: at least once. After Close none comes again. Entries that share a position are done together: all of them come
// again unless all of them were done.
//
// A cursor with a new name starts at the oldest kept entry. Entries that retention took before they were read are passed over: Next
// goes on with the oldest kept one. At most 100,000 entries are unfinished at a time; Next waits while there are as many.
type Cursor struct {
	j       Journal
	key     string
	entries chan Entry
	stop    context.CancelFunc // ends the reading and the saving
	dirty   chan struct{}      // there is something to save
	behind  uint64
	tasks   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ended  error          // why entries was closed
	floor  uint64         // highest position that is done
	todo   []uint64       // unfinished positions up to floor that an earlier run left behind and this one has not read yet
	open   map[uint64]int // positions that were read: how many of their entries are unfinished
	count  int            // sum of open
	// partial is a position of which some entries are yet to be read. It counts one more in open, so that it cannot be done by then.
	partial uint64
	room    chan struct{} // closed when count falls below the limit; nil when nobody waits for that
}

// cursorState is what a cursor saves: everything up to Floor is done, but for Open.
type cursorState struct {
	Floor uint64   `json:"floor"`
	Open  []uint64 `json:"open,omitempty"` // ascending
}

// OpenCursor returns the cursor of that name, of [a-z0-9.-], where it was left. There must be one at a time.
func OpenCursor(ctx context.Context, j Journal, name string, topic Topic) (*Cursor, error) {
	c := &Cursor{
		j: j, key: "cursor." + name,
		entries: make(chan Entry, 64),
		dirty:   make(chan struct{}, 1),
		open:    map[uint64]int{},
	}
	if err := c.load(ctx); err != nil {
		return nil, fmt.Errorf("cursor %s: open: %w", name, err)
	}
	from := c.floor + 1
	if len(c.todo) > 0 {
		from = c.todo[0]
	}
	if err := c.measure(ctx, topic); err != nil {
		return nil, fmt.Errorf("cursor %s: open: %w", name, err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.tasks.Go(func() { c.read(running, from, topic) })
	c.tasks.Go(func() { c.keepSaving(running) })
	return c, nil
}

// Behind returns the position of the last entry that was there when the cursor was opened and not done: 0 when there was none.
func (c *Cursor) Behind() uint64 { return c.behind }

func (c *Cursor) measure(ctx context.Context, topic Topic) error {
	if len(c.todo) > 0 {
		c.behind = c.todo[len(c.todo)-1]
	}
	for e, err := range c.j.Read(ctx, c.floor+1, topic) {
		if err != nil {
			return err
		}
		c.behind = e.Seq
	}
	return nil
}

func (c *Cursor) load(ctx context.Context) error {
	first, last, err := c.j.Bounds(ctx)
	if err != nil {
		return err
	}
	data, err := c.j.Get(ctx, c.key)
	if err != nil || data == nil {
		return err
	}
	var state cursorState
	if err := json.Unmarshal(data, &state); err != nil {
		return err
	}
	// A journal that lost its end to a damaged disk gives positions a second time.
	c.floor = min(state.Floor, last)
	c.todo = slices.DeleteFunc(state.Open, func(seq uint64) bool { return seq < first || seq > last })
	return nil
}

// Next returns the next entry that is not done, in order. Done must be called for each.
func (c *Cursor) Next(ctx context.Context) (Entry, error) {
	select {
	case e, ok := <-c.entries:
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.closed:
			return Entry{}, ErrClosed
		case !ok:
			return Entry{}, c.ended
		}
		return e, nil
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}

// Done says that an entry that Next returned will not be needed any more. The order does not matter.
func (c *Cursor) Done(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[seq] == 0 {
		return
	}
	c.finish(seq)
	if c.room != nil && c.count < maxUnfinished {
		close(c.room)
		c.room = nil
	}
	select {
	case c.dirty <- struct{}{}:
	default: // a save is due already
	}
}

// finish needs the lock.
func (c *Cursor) finish(seq uint64) {
	c.count--
	if c.open[seq]--; c.open[seq] == 0 {
		delete(c.open, seq)
		c.floor = max(c.floor, seq)
	}
}

// Close saves and ends every Next with ErrClosed. What is unfinished comes again when the cursor is opened again.
func (c *Cursor) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.tasks.Wait()
	return c.save()
}

// read fills entries. An entry is open before anybody has it: so whatever is done, nothing before it is forgotten.
func (c *Cursor) read(ctx context.Context, from uint64, topic Topic) {
	defer close(c.entries)
	old := c.floor // of the earlier run
	for e, err := range c.j.Follow(ctx, from, topic) {
		if err != nil {
			c.end(err)
			return
		}
		if e.Seq <= old && !c.isTodo(e.Seq) {
			continue
		}
		for wait := c.take(e); wait != nil; wait = c.take(e) {
			select {
			case <-wait:
			case <-ctx.Done():
				c.end(ctx.Err())
				return
			}
		}
		select {
		case c.entries <- e:
		case <-ctx.Done():
			c.end(ctx.Err())
			return
		}
	}
}

func (c *Cursor) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
}

// isTodo also forgets the positions before seq: retention has taken them.
func (c *Cursor) isTodo(seq uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, found := slices.BinarySearch(c.todo, seq)
	c.todo = c.todo[i:]
	return found
}

// take makes e open, or returns what to wait for.
func (c *Cursor) take(e Entry) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count >= maxUnfinished {
		if c.room == nil {
			c.room = make(chan struct{})
		}
		return c.room
	}
	if e.More && c.partial != e.Seq {
		c.partial = e.Seq
		c.open[e.Seq]++
		c.count++
	}
	c.open[e.Seq]++
	c.count++
	if e.More {
		return nil
	}
	if c.partial == e.Seq {
		c.partial = 0
		c.finish(e.Seq)
	}
	if len(c.todo) > 0 && c.todo[0] == e.Seq {
		c.todo = c.todo[1:]
	}
	return nil
}

// keepSaving saves at once, then at most once in a pause; what is done meanwhile is saved together.
func (c *Cursor) keepSaving(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-c.dirty:
		case <-ctx.Done():
			return
		}
		_ = c.save() // tried again with the next Done, and by Close, which tells
		pause.Reset(savePause)
	}
}

func (c *Cursor) save() error {
	c.mu.Lock()
	state := cursorState{Floor: c.floor, Open: slices.Clone(c.todo)}
	for seq := range c.open {
		if seq < c.floor {
			state.Open = append(state.Open, seq)
		}
	}
	c.mu.Unlock()
	slices.Sort(state.Open)
	state.Open = slices.Compact(state.Open)
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("cursor: save: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	// Put waits for what was noted of an entry before it was done: it must be there when the entry does not come again.
	if err := c.j.Put(ctx, c.key, data); err != nil {
		return fmt.Errorf("cursor: save: %w", err)
	}
	return nil
}
