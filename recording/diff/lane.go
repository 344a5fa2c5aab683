package diff

import "slices"

const (
	// window is how many items of each run are looked at together where they do not correspond one by one.
	window = 128
	// limbo is how many items of a lane wait, behind the window, for one that comes out of its order; the oldest then counts as lost.
	limbo = 512
)

// lane is a sequence whose order counts: the broadcasts on a path, the messages to a socket, or those from it.
type lane struct {
	c       *comparison
	salt    uint64 // tells its messages from those of other lanes
	verdict verdict
	queue   [2]queue
	astray  [2][]*item // passed over
	rows    int        // pairs in order so far
	renamed bool       // ids are not the same in both runs
	recent  [64][]string
}

// verdict says what a lane's news mean. Either of a pair is nil when it has no counterpart.
type verdict func(kind pairing, want, got *item)

type pairing int

const (
	paired  pairing = iota // same place, same message
	edited                 // same place or same events, another message
	moved                  // same message, another place
	twice                  // only in got, as one before
	unequal                // in one run only
)

// queue holds items that are not placed yet, and marks between them.
type queue struct {
	entries []entry
	head    int
	items   int
}

type entry struct {
	item *item
	mark *mark
}

func (q *queue) push(e entry) {
	if q.head > 64 && q.head*2 > len(q.entries) {
		n := copy(q.entries, q.entries[q.head:])
		clear(q.entries[n:])
		q.entries, q.head = q.entries[:n], 0
	}
	q.entries = append(q.entries, e)
	if e.item != nil {
		q.items++
	}
}

// front is the next item, without what marks stand before it.
func (q *queue) front() *item {
	for _, e := range q.entries[q.head:] {
		if e.item != nil {
			return e.item
		}
	}
	return nil
}

// first returns up to n items without taking them.
func (q *queue) first(n int) []*item {
	out := make([]*item, 0, min(n, q.items))
	for _, e := range q.entries[q.head:] {
		if len(out) == n {
			break
		}
		if e.item != nil {
			out = append(out, e.item)
		}
	}
	return out
}

// mark is a place between the items of a lane, known by the pairs before it once they are found.
type mark struct {
	row   int
	known bool
	then  func() // when it is known
}

// add takes an item of its side in.
func (l *lane) add(it *item) {
	l.c.hold(it)
	l.queue[it.side.index].push(entry{item: it})
	l.advance()
}

// place puts a mark behind what came so far.
func (l *lane) place(side int, m *mark) {
	l.queue[side].push(entry{mark: m})
	l.marks(side)
	for q := &l.queue[side]; len(q.entries)-q.head > crowd; {
		l.resolve(false)
	}
}

// marks settles those before the next item.
func (l *lane) marks(side int) {
	q := &l.queue[side]
	for q.head < len(q.entries) && q.entries[q.head].item == nil {
		m := q.entries[q.head].mark
		q.entries[q.head] = entry{}
		q.head++
		m.row, m.known = l.rows, true
		if m.then != nil {
			m.then()
		}
	}
}

func (l *lane) take(side int) *item {
	l.marks(side)
	q := &l.queue[side]
	it := q.entries[q.head].item
	q.entries[q.head] = entry{}
	q.head++
	q.items--
	l.c.release(it)
	return it
}

func (l *lane) advance() {
	for l.queue[0].items > 0 && l.queue[1].items > 0 {
		a, b := l.queue[0].front(), l.queue[1].front()
		if !match(a, b) || !l.c.ids.compatible(a, b) || !l.plainly(a, b) {
			break
		}
		l.pair()
	}
	for l.queue[0].items >= window && l.queue[1].items >= window {
		l.resolve(false)
	}
}

// plainly says whether two messages that may be each other's are so without a look at what is around them. Others may look like them:
// where both runs use the same ids those must be the same, and the same must have come before them, at about the same time.
func (l *lane) plainly(a, b *item) bool {
	if a.mark != nil && a.mark.known && b.mark.known && a.mark.row != b.mark.row {
		return false
	}
	return a.exact == b.exact || l.renamed && l.c.timely(a, b)
}

func (l *lane) pair() {
	a, b := l.take(0), l.take(1)
	l.renamed = l.renamed || a.exact != b.exact
	l.recent[l.rows%len(l.recent)] = b.events
	l.rows++
	l.c.seen(l.salt, a)
	l.verdict(paired, a, b)
	l.marks(0)
	l.marks(1)
}

// resolve aligns the windows. Unless all is there, what is close to their ends stays for the next.
func (l *lane) resolve(all bool) {
	w, g := l.queue[0].first(window), l.queue[1].first(window)
	pairs := l.c.align(w, g)
	keep := func(n int) int {
		if all && n < window {
			return n
		}
		return n * 3 / 4
	}
	toW, toG := max(1, keep(len(w))), max(1, keep(len(g)))
	n := 0
	for n < len(pairs) && pairs[n].w < toW && pairs[n].g < toG {
		n++
	}
	endW, endG := toW, toG
	switch {
	case n == len(pairs):
	case n == 0: // the first pair is far off in one of them
		endW, endG = min(endW, pairs[0].w), min(endG, pairs[0].g)
	default:
		endW, endG = pairs[n-1].w+1, pairs[n-1].g+1
	}
	var leftW, leftG []*item
	var gaps [][2][]*item
	atW, atG := 0, 0
	skip := func(w, g int) {
		var gap [2][]*item
		for ; atW < w; atW++ {
			gap[0] = append(gap[0], l.take(0))
		}
		for ; atG < g; atG++ {
			gap[1] = append(gap[1], l.take(1))
		}
		leftW, leftG = append(leftW, gap[0]...), append(leftG, gap[1]...)
		gaps = append(gaps, gap)
	}
	for _, p := range pairs[:n] {
		skip(p.w, p.g)
		l.pair()
		atW++
		atG++
	}
	skip(min(endW, len(w)), min(endG, len(g)))
	l.settle(leftW, leftG, gaps)
}

// settle says what became of items that are in no place that corresponds: first what is there elsewhere, then what came twice, then what
// was changed where it stands.
func (l *lane) settle(leftW, leftG []*item, gaps [][2][]*item) {
	l.astray[0] = append(l.astray[0], leftW...)
	l.astray[1] = append(l.astray[1], leftG...)
	done := map[*item]bool{}
	for _, g := range l.astray[1] {
		if i := slices.IndexFunc(l.astray[0], func(w *item) bool { return !done[w] && match(w, g) && l.c.ids.compatible(w, g) }); i >= 0 {
			done[l.astray[0][i]], done[g] = true, true
			l.c.seen(l.salt, g)
			l.verdict(moved, l.astray[0][i], g)
		}
	}
	for _, g := range leftG {
		if !done[g] && l.c.wasSeen(l.salt, g) {
			done[g] = true
			l.verdict(twice, nil, g)
		}
	}
	edit := func(w, g *item) {
		done[w], done[g] = true, true
		l.verdict(edited, w, g)
	}
	for _, g := range l.astray[1] {
		if done[g] || g.names == 0 {
			continue
		}
		if i := slices.IndexFunc(l.astray[0], func(w *item) bool { return !done[w] && share(w, g) }); i >= 0 {
			edit(l.astray[0][i], g)
		}
	}
	for _, gap := range gaps {
		open := func(it *item) bool { return done[it] || it.names != 0 }
		w, g := slices.DeleteFunc(gap[0], open), slices.DeleteFunc(gap[1], open)
		if len(w) == len(g) {
			for i := range w {
				edit(w[i], g[i])
			}
			continue
		}
		for _, g := range g { // some are lost or extra: those that are built alike are the same one
			if i := slices.IndexFunc(w, func(w *item) bool { return !done[w] && alike(w, g) }); i >= 0 {
				edit(w[i], g)
			}
		}
	}
	for side := range l.astray {
		l.astray[side] = slices.DeleteFunc(l.astray[side], func(it *item) bool { return done[it] })
		if n := len(l.astray[side]) - limbo; n > 0 {
			l.give(side, n)
		}
	}
}

// give gives the oldest of what is astray up.
func (l *lane) give(side, n int) {
	for _, it := range l.astray[side][:n] {
		switch {
		case side == 0:
			l.verdict(unequal, it, nil)
		case l.c.wasSeen(l.salt, it):
			l.verdict(twice, nil, it)
		default:
			l.verdict(unequal, nil, it)
		}
	}
	l.astray[side] = slices.Delete(l.astray[side], 0, n)
}

// shed makes room by settling half of what waits though the other run may not have come so far.
func (l *lane) shed() {
	for half := (l.queue[0].items + l.queue[1].items) / 2; l.queue[0].items+l.queue[1].items > half; {
		l.resolve(false)
	}
}

func (l *lane) oldest() int64 {
	oldest := int64(-1)
	for i := range l.queue {
		if it := l.queue[i].front(); it != nil && (oldest < 0 || it.line < oldest) {
			oldest = it.line
		}
	}
	return oldest
}

// finish settles everything: nothing comes any more.
func (l *lane) finish() {
	l.advance()
	for l.queue[0].items > 0 || l.queue[1].items > 0 {
		l.resolve(true)
		l.advance()
	}
	l.marks(0)
	l.marks(1)
	for side := range l.astray {
		l.give(side, len(l.astray[side]))
	}
}
