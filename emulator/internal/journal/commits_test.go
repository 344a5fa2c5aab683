package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

// press is what commits write to: each message waits until the test lets it go.
type press struct {
	append func(journal.Topic, ...[]byte) (uint64, error)
	msgs   chan message
	wg     sync.WaitGroup
}

type message struct {
	topic journal.Topic
	lines [][]byte
	took  chan answer
}

type answer struct {
	seq uint64
	err error
}

func newPress() *press {
	p := &press{msgs: make(chan message)}
	p.append = journal.Commits(func(_ context.Context, topic journal.Topic, lines [][]byte) (uint64, error) {
		m := message{topic: topic, lines: lines, took: make(chan answer)}
		p.msgs <- m
		a := <-m.took
		return a.seq, a.err
	})
	return p
}

// enter begins an Append, which is under way when enter returns. It works in a bubble only.
func (p *press) enter(topic journal.Topic, data []byte) <-chan answer {
	done := make(chan answer, 1)
	p.wg.Go(func() {
		seq, err := p.append(topic, data)
		done <- answer{seq, err}
	})
	synctest.Wait()
	return done
}

// busy has a message on its way, and returns it.
func (p *press) busy(t *testing.T) message {
	t.Helper()
	p.enter(journal.Changes, []byte("lone"))
	select {
	case m := <-p.msgs:
		return m
	default:
		t.Fatal("an append with nothing before it waits")
		return message{}
	}
}

func (m message) String() string {
	var sizes []string
	for _, line := range m.lines {
		sizes = append(sizes, fmt.Sprint(len(line)))
	}
	return string(m.topic) + " " + strings.Join(sizes, "+")
}

func TestCommitsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is, p := is.New(t), newPress()
		first := p.busy(t)
		var waiting []<-chan answer
		for i := range 10 {
			waiting = append(waiting, p.enter(journal.Changes, fmt.Append(nil, i)))
		}
		select {
		case <-p.msgs:
			t.Fatal("a second message is on its way")
		default:
		}
		first.took <- answer{seq: 7}
		m := <-p.msgs
		is.Equal(string(bytes.Join(m.lines, nil)), "0123456789") // all who waited, in their order
		late := p.enter(journal.Changes, []byte("late"))
		m.took <- answer{seq: 8}
		for _, w := range waiting {
			is.Equal(<-w, answer{seq: 8})
		}
		m = <-p.msgs
		is.Equal(m.String(), "change 4")
		m.took <- answer{seq: 9}
		is.Equal(<-late, answer{seq: 9})
		p.wg.Wait()
		p.busy(t).took <- answer{} // nobody is thought to write any more
		p.wg.Wait()
	})
}

func TestCommitsLimitAMessage(t *testing.T) {
	const k = 1 << 10
	type entry struct {
		topic journal.Topic
		size  int
	}
	for _, tc := range []struct {
		name    string
		entries []entry
		want    []string
	}{
		{"big ones are parted", []entry{{"a", 200 * k}, {"a", 40 * k}, {"a", 100 * k}, {"a", 100 * k}, {"a", 100 * k}},
			[]string{"a 204800+40960", "a 102400+102400", "a 102400"}},
		{"bigger than a message alone", []entry{{"a", 1}, {"a", journal.PackBytes + 1}, {"a", 0}, {"a", journal.MaxEntry}, {"a", 2}, {"a", 3}},
			[]string{"a 1", "a 262145", "a 0", "a 8323072", "a 2+3"}},
		{"heads count", []entry{{"a", journal.PackBytes - 10}, {"a", 0}, {"a", 0}, {"a", 0}}, []string{"a 262134+0+0", "a 0"}},
		{"topics are parted, none overtakes", []entry{{"a", 1}, {"a", 2}, {"b", 3}, {"a", 4}, {"b", 5}, {"b", 6}},
			[]string{"a 1+2", "b 3", "a 4", "b 5+6"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is, p := is.New(t), newPress()
				first := p.busy(t)
				for _, e := range tc.entries {
					p.enter(e.topic, make([]byte, e.size))
				}
				first.took <- answer{}
				var got []string
				for range tc.want {
					m := <-p.msgs
					got = append(got, m.String())
					m.took <- answer{}
				}
				is.Equal(got, tc.want)
				p.wg.Wait() // nothing else was written
			})
		})
	}
}

// Whoever is in a message that cannot be written is told; those behind it have their own try.
func TestCommitsTellAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is, p, broken := is.New(t), newPress(), errors.New("broken")
		first := p.busy(t)
		a1, a2, b := p.enter("a", []byte("1")), p.enter("a", []byte("2")), p.enter("b", nil)
		first.took <- answer{err: broken}
		(<-p.msgs).took <- answer{err: broken}
		is.Equal((<-a1).err, broken)
		is.Equal((<-a2).err, broken)
		(<-p.msgs).took <- answer{seq: 1}
		is.Equal(<-b, answer{seq: 1})
		p.wg.Wait()
	})
}

func TestTheLargestEntryFitsInAMessage(t *testing.T) {
	is := is.New(t)
	const engine = 4 << 10 // more than what the engine adds
	big := [][]byte{make([]byte, journal.MaxEntry)}
	is.True(len(journal.Frame(time.Now(), big))+engine <= journal.MaxPayload)
	many := make([][]byte, 65_536) // notes that can wait
	many[0] = make([]byte, journal.PackBytes)
	is.True(len(journal.Frame(time.Now(), many))+engine <= journal.MaxPayload)
}

// appendMany has writers append their entries all at once: w/i of topic i%2.
func appendMany(t *testing.T, s *journal.Stream, writers, each int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Append(t.Context(), topicOf(i), fmt.Appendf(nil, "%d/%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func topicOf(i int) journal.Topic { return []journal.Topic{journal.Changes, journal.Steps}[i%2] }

// once checks that entries are those of one topic of appendMany, each once, and each writer's in order.
func once(is *is.I, entries []journal.Entry, topic journal.Topic, writers, each int) {
	is.Helper()
	is.Equal(len(entries), writers*each/2)
	last := map[int]int{}
	for _, e := range entries {
		var w, i int
		_, err := fmt.Sscanf(string(e.Data), "%d/%d", &w, &i)
		is.NoErr(err)
		is.Equal(e.Topic, topic)
		is.Equal(topicOf(i), topic)
		if before, ok := last[w]; ok {
			is.Equal(i, before+2)
		} else {
			is.Equal(topicOf(0) == topic, i == 0)
		}
		last[w] = i
	}
}

func TestCursorAndFollowersWhileManyAppend(t *testing.T) {
	const writers, each = 32, 60
	is, dir := is.New(t), t.TempDir()
	s := openStream(t, dir, 0)
	cursors := map[journal.Topic]*journal.Cursor{}
	got := map[journal.Topic][]journal.Entry{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 2 {
		topic := topicOf(i)
		c := openCursor(t, s, string(topic), topic)
		cursors[topic] = c
		followed, _ := follow(t.Context(), s, 1, topic)
		wg.Go(func() {
			var mine []journal.Entry
			for range writers * each / 2 {
				e, err := c.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mine = append(mine, e)
				if f := <-followed; f.Seq != e.Seq || f.More != e.More || !bytes.Equal(f.Data, e.Data) {
					t.Errorf("the follower has %d %s, the cursor %d %s", f.Seq, f.Data, e.Seq, e.Data)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			got[topic] = mine
		})
	}
	appendMany(t, s, writers, each)
	wg.Wait()
	for topic, entries := range got {
		once(is, entries, topic, writers, each)
		is.Equal(texts(entries), texts(all(t, s, 1, topic)))
	}

	// One entry of a position that others share stays unfinished.
	changes, c := got[journal.Changes], cursors[journal.Changes]
	shared, size := 0, 0
	for i, e := range changes {
		if size = countOf(changes, e.Seq); size > 1 {
			shared = i
			break
		}
	}
	is.True(size > 1) // 32 writers do not all write alone
	for i, e := range changes {
		if i != shared {
			c.Done(e.Seq)
		}
	}
	for _, e := range got[journal.Steps] {
		cursors[journal.Steps].Done(e.Seq)
	}
	reopen := func() {
		for _, c := range cursors {
			is.NoErr(c.Close())
		}
		is.NoErr(s.Close())
		s = openStream(t, dir, 0)
		for topic := range cursors {
			cursors[topic] = openCursor(t, s, string(topic), topic)
		}
	}
	reopen()
	c = cursors[journal.Changes]
	is.Equal(c.Behind(), changes[shared].Seq)
	for i := range size { // all of that position come again
		e := nextEntry(t, c)
		is.Equal(e.Seq, changes[shared].Seq)
		is.Equal(string(e.Data), string(changes[shared+i].Data))
		c.Done(e.Seq)
	}
	reopen()
	for topic, c := range cursors { // and then none
		is.Equal(c.Behind(), uint64(0))
		appendTo(t, s, topic, "new "+string(topic))
		e := nextEntry(t, c)
		is.Equal(string(e.Data), "new "+string(topic))
		c.Done(e.Seq)
	}
}

func TestBigEntriesAtOnce(t *testing.T) {
	is, s := is.New(t), openStream(t, t.TempDir(), 0)
	sizes := []int{0, 1, 100 << 10, 200 << 10, journal.PackBytes, journal.PackBytes + 1}
	var wg sync.WaitGroup
	write := func(size int) {
		wg.Go(func() {
			if _, err := s.Append(t.Context(), journal.Changes, make([]byte, size)); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
		})
	}
	write(journal.MaxEntry)
	for range 20 {
		for _, size := range sizes {
			write(size)
		}
	}
	write(journal.MaxEntry)
	wg.Wait()
	count, bySeq, in := map[int]int{}, map[uint64]int{}, map[uint64]int{}
	for _, e := range all(t, s, 1) {
		count[len(e.Data)]++
		in[e.Seq]++
		bySeq[e.Seq] += len(e.Data)
	}
	is.Equal(count[journal.MaxEntry], 2)
	for _, size := range sizes {
		is.Equal(count[size], 20)
	}
	for seq, bytes := range bySeq {
		is.True(bytes <= journal.PackBytes || in[seq] == 1)
	}
}

// Nobody hangs when the engine can write no more, however many wait.
func TestAFullDiskIsToldToAllWhoWait(t *testing.T) {
	const writers = 64
	is := is.New(t)
	s, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: t.TempDir()})
	is.NoErr(err)
	var begun, ended sync.WaitGroup
	begun.Add(writers)
	taken := make([][]string, writers)
	for w := range writers {
		ended.Go(func() {
			for i := range math.MaxInt {
				text := fmt.Sprintf("%d/%d", w, i)
				_, err := s.Append(t.Context(), journal.Changes, []byte(text))
				if i == 0 {
					begun.Done()
				}
				if err != nil {
					if !errors.Is(err, syscall.ENOSPC) {
						t.Error(err)
					}
					return
				}
				taken[w] = append(taken[w], text)
			}
		})
	}
	begun.Wait()
	s.EngineSays("Filestore [REGCAST] Critical write error: write /d/1.blk: no space left on device")
	ended.Wait()
	there := map[string]bool{}
	for _, text := range texts(all(t, s, 1)) {
		there[text] = true
	}
	for _, mine := range taken {
		is.True(len(mine) > 0)
		for _, text := range mine {
			is.True(there[text]) // what was acknowledged can be read
		}
	}
	is.NoErr(s.Close())
	_, err = s.Append(t.Context(), journal.Changes, nil)
	is.Equal(err, journal.ErrClosed)
}
