package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/journal"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		os.Exit(victim(os.Getenv(victimEnv)))
	}
	goleak.VerifyTestMain(m)
}

// engines runs a test on every engine: Memory inside a bubble, where everything it does must work.
func engines(t *testing.T, test func(t *testing.T, open func(maxBytes int64) journal.Journal)) {
	t.Run("stream", func(t *testing.T) {
		test(t, func(maxBytes int64) journal.Journal { return openStream(t, t.TempDir(), maxBytes) })
	})
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, func(maxBytes int64) journal.Journal {
				m := journal.NewMemory(journal.MemoryOptions{MaxBytes: maxBytes})
				t.Cleanup(func() { closeIt(t, m) })
				return m
			})
		})
	})
}

func openStream(t testing.TB, dir string, maxBytes int64) *journal.Stream {
	t.Helper()
	s, err := journal.OpenStream(t.Context(), journal.StreamOptions{
		Dir: dir, MaxBytes: maxBytes, Warn: func(s string) { t.Error("the engine complains: " + s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, s) })
	return s
}

func closeIt(t testing.TB, j journal.Journal) {
	if err := j.Close(); err != nil && !errors.Is(err, journal.ErrClosed) {
		t.Error(err)
	}
}

func appendTo(t testing.TB, j journal.Journal, topic journal.Topic, text string) uint64 {
	t.Helper()
	seq, err := j.Append(t.Context(), topic, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// all reads everything from a position on.
func all(t testing.TB, j journal.Journal, from uint64, topics ...journal.Topic) []journal.Entry {
	t.Helper()
	var out []journal.Entry
	for e, err := range j.Read(t.Context(), from, topics...) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func texts(entries []journal.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, string(e.Data))
	}
	return out
}

// follow sends what a Follow yields, and at last the error that ended it.
func follow(ctx context.Context, j journal.Journal, from uint64, topics ...journal.Topic) (<-chan journal.Entry, <-chan error) {
	entries, ended := make(chan journal.Entry), make(chan error, 1)
	go func() {
		defer close(entries)
		for e, err := range j.Follow(ctx, from, topics...) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case entries <- e:
			case <-ctx.Done():
				ended <- ctx.Err()
				return
			}
		}
	}()
	return entries, ended
}

func TestReadYieldsInOrder(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		first, last, err := j.Bounds(t.Context())
		is.NoErr(err)
		is.Equal([]uint64{first, last}, []uint64{1, 0}) // empty
		is.Equal(len(all(t, j, 1)), 0)

		var want []string
		for i := range 600 { // more than one chunk
			topic := journal.Changes
			if i%3 == 0 {
				topic = journal.Steps
			}
			text := fmt.Sprintf("%s %d", topic, i)
			want = append(want, text)
			is.Equal(appendTo(t, j, topic, text), uint64(i+1)) // positions grow by one
		}
		got := all(t, j, 0)
		is.Equal(texts(got), want)
		for i, e := range got {
			is.Equal(e.Seq, uint64(i+1))
			is.True(i == 0 || !e.At.Before(got[i-1].At))
			is.True(bytes.HasPrefix(e.Data, []byte(e.Topic)))
		}
		is.Equal(texts(all(t, j, 599)), want[598:])     // from the middle
		is.Equal(len(all(t, j, 601)), 0)                // from behind the end
		is.Equal(len(all(t, j, 1, journal.Steps)), 200) // one topic
		is.Equal(texts(all(t, j, 1, journal.Steps, journal.Changes)), want)
		is.Equal(len(all(t, j, 1, journal.Steps, "other")), 200)
		is.Equal(len(all(t, j, 1, "other")), 0)
		first, last, err = j.Bounds(t.Context())
		is.NoErr(err)
		is.Equal([]uint64{first, last}, []uint64{1, 600})
	})
}

func TestReadEndsAtTheCall(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		appendTo(t, j, journal.Changes, "a")
		appendTo(t, j, journal.Changes, "b")
		read := j.Read(t.Context(), 1)
		appendTo(t, j, journal.Changes, "c")
		n := 0
		for e, err := range read {
			is.NoErr(err)
			n++
			appendTo(t, j, journal.Changes, "later than "+string(e.Data))
		}
		is.Equal(n, 2)
		for range read { // a reader may stop
			break
		}
	})
}

func TestAppendSeveral(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j, ctx := is.New(t), open(0), t.Context()
		_, err := j.Append(ctx, journal.Changes)
		is.True(err != nil) // nothing to write
		_, err = j.Append(ctx, journal.Changes, []byte("a"))
		is.NoErr(err)
		big := bytes.Repeat([]byte("x"), 100<<10) // more than one message takes
		last, err := j.Append(ctx, journal.Changes, []byte("b"), big, big, big, []byte("c"))
		is.NoErr(err)
		var got []string
		var seq uint64
		for e, err := range j.Read(ctx, 1) {
			is.NoErr(err)
			got = append(got, string(e.Data[:1]))
			seq = e.Seq
		}
		is.Equal(got, []string{"a", "b", "x", "x", "x", "c"})
		is.Equal(seq, last) // the position of the last
	})
}

func TestConcurrentAppends(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		const writers, each, followers = 8, 250, 3
		is, j := is.New(t), open(0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := make(chan []journal.Entry)
		for i := range followers {
			topics := [][]journal.Topic{nil, {journal.Changes}, {journal.Changes, journal.Steps}}[i]
			entries, _ := follow(ctx, j, 1, topics...)
			go func() {
				var got []journal.Entry
				for e := range entries {
					if got = append(got, e); len(got) == writers*each {
						break
					}
				}
				seen <- got
			}()
		}
		seqs := make([][]uint64, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					seq, err := j.Append(t.Context(), journal.Changes, fmt.Appendf(nil, "%d/%d", w, i))
					if err != nil {
						t.Error(err)
					}
					seqs[w] = append(seqs[w], seq)
				}
			})
		}
		wg.Wait()
		got := all(t, j, 1)
		is.Equal(len(got), writers*each)
		at := map[string]uint64{}
		last := uint64(0)
		for i, e := range got {
			is.True(e.Seq == last+1 || e.Seq == last && got[i-1].More) // no position is left out
			is.Equal(e.More, i+1 < len(got) && got[i+1].Seq == e.Seq)
			at[string(e.Data)], last = e.Seq, e.Seq
		}
		for w := range writers {
			is.True(slices.IsSorted(seqs[w]))
			for i, seq := range seqs[w] {
				is.Equal(at[fmt.Sprintf("%d/%d", w, i)], seq) // each entry is where its writer was told
			}
		}
		for range followers {
			is.Equal(texts(<-seen), texts(got)) // all followers saw the same
		}
	})
}

func TestFollowGoesOnFromThePast(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		var want []string
		write := func(n int) {
			for range n {
				text := fmt.Sprint(len(want))
				want = append(want, text)
				appendTo(t, j, journal.Changes, text)
				appendTo(t, j, journal.Steps, "not for him")
			}
		}
		write(300)
		entries, ended := follow(t.Context(), j, 1, journal.Changes)
		for i := range want {
			is.Equal(string((<-entries).Data), want[i])
		}
		write(700) // he lags by more than a chunk, at the place where old and new meet
		for i := 300; i < 1000; i++ {
			is.Equal(string((<-entries).Data), want[i])
		}
		for i := 1000; i < 1050; i++ { // one by one
			write(1)
			is.Equal(string((<-entries).Data), want[i])
		}
		is.NoErr(j.Close())
		_, more := <-entries
		is.True(!more)
		is.Equal(<-ended, journal.ErrClosed) // the end of the journal is told
	})
}

func TestFollowWhileOthersWrite(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		const n = 3000
		is, j := is.New(t), open(0)
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			for i := range n {
				if _, err := j.Append(t.Context(), journal.Changes, fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
				j.Note(journal.Steps, fmt.Append(nil, i))
			}
		})
		entries, _ := follow(t.Context(), j, 1, journal.Changes)
		steps, _ := follow(t.Context(), j, 1, journal.Steps)
		for i := range n {
			is.Equal(string((<-entries).Data), fmt.Sprint(i))
			is.Equal(string((<-steps).Data), fmt.Sprint(i))
		}
	})
}

func TestFollowFromAPositionToCome(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		entries, _ := follow(t.Context(), j, 4)
		for _, s := range []string{"a", "b", "c", "d", "e"} {
			appendTo(t, j, journal.Changes, s)
		}
		is.Equal(string((<-entries).Data), "d")
		is.Equal(string((<-entries).Data), "e")
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		appendTo(t, j, journal.Changes, "a")
		ctx, cancel := context.WithCancel(t.Context())
		entries, ended := follow(ctx, j, 1)
		<-entries
		cancel()
		is.Equal(<-ended, context.Canceled)
		for _, err := range j.Read(ctx, 1) {
			is.True(errors.Is(err, context.Canceled))
		}
		_, err := j.Append(ctx, journal.Changes, []byte("b"))
		is.True(errors.Is(err, context.Canceled))
		appendTo(t, j, journal.Changes, "the journal lives on")
	})
}

func TestNotes(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		entries, _ := follow(t.Context(), j, 1, journal.Steps)
		seq := appendTo(t, j, journal.Changes, "cause")
		const n = 2000
		go func() {
			for i := range n {
				j.Note(journal.Steps, fmt.Append(nil, i))
			}
		}()
		for i := range n {
			e := <-entries
			is.Equal(string(e.Data), fmt.Sprint(i)) // in the order of the calls
			is.True(e.Seq > seq)                    // behind the entry that they are about
			is.Equal(e.Topic, journal.Steps)
		}
		j.Note(journal.Steps, []byte("last"))
		j.Note(journal.Clock, []byte("of another topic"))
		j.Note(journal.Steps, nil)
		is.NoErr(j.Sync(t.Context()))
		after := appendTo(t, j, journal.Changes, "after")
		got := all(t, j, 1)
		is.Equal(texts(got)[n+1:], []string{"last", "of another topic", "", "after"})
		is.True(slices.IsSortedFunc(got, func(a, b journal.Entry) int { return int(a.Seq) - int(b.Seq) }))
		is.Equal(got[len(got)-1].Seq, after)
	})
}

// Notes of several topics that leave together stay in their order, and who reads one topic gets that one.
func TestNotesOfSeveralTopics(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		frames, _ := follow(t.Context(), j, 1, journal.Frames)
		topics := []journal.Topic{journal.Steps, journal.Frames, journal.Frames, journal.Sockets}
		const n = 2000
		for i := range n {
			j.Note(topics[i%len(topics)], fmt.Append(nil, i))
		}
		is.NoErr(j.Sync(t.Context()))
		for i := range n {
			if topics[i%len(topics)] == journal.Frames {
				is.Equal(string((<-frames).Data), fmt.Sprint(i))
			}
		}
		got := all(t, j, 1)
		is.Equal(len(got), n)
		for i, e := range got {
			is.Equal(string(e.Data), fmt.Sprint(i))
			is.Equal(e.Topic, topics[i%len(topics)])
		}
		for _, some := range [][]journal.Topic{{journal.Frames}, {journal.Steps}, {journal.Sockets, journal.Steps}, {journal.Changes}} {
			read := all(t, j, 1, some...)
			for i, e := range read {
				is.True(slices.Contains(some, e.Topic))
				is.Equal(e.More, i < len(read)-1 && read[i+1].Seq == e.Seq) // of those that are yielded
			}
			is.Equal(len(read), len(slices.DeleteFunc(slices.Clone(got), func(e journal.Entry) bool { return !slices.Contains(some, e.Topic) })))
		}
	})
}

// An entry that cannot be written takes none of its neighbours with it.
func TestALostNoteIsAlone(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		for i, topic := range []journal.Topic{journal.Steps, journal.Frames, "No Topic", journal.Steps, "_mixed", journal.Frames} {
			j.Note(topic, fmt.Append(nil, i))
		}
		is.NoErr(j.Settle(t.Context())) // that one is lost is for Sync to tell
		is.True(errors.Is(j.Sync(t.Context()), journal.ErrName))
		is.Equal(texts(all(t, j, 1)), []string{"0", "1", "3", "5"})
	})
}

func TestNotesWait(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		const n = 150_000 // more than twice what may wait
		is, j := is.New(t), open(0)
		note := bytes.Repeat([]byte("x"), 100)
		for range n {
			j.Note(journal.Steps, note)
		}
		is.NoErr(j.Sync(t.Context()))
		got := 0
		for _, err := range j.Read(t.Context(), 1, journal.Steps) {
			is.NoErr(err)
			got++
		}
		is.Equal(got, n)
	})
}

func TestLostNotesAreTold(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		j.Note("no topic", nil)
		j.Note(journal.Steps, []byte("good"))
		is.True(errors.Is(j.Sync(t.Context()), journal.ErrName))
		is.NoErr(j.Sync(t.Context())) // once
		is.Equal(texts(all(t, j, 1)), []string{"good"})
	})
}

// A Sync that gives up leaves the loss to the next.
func TestLostNotesAreToldLater(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		j.Note("no topic", nil)
		is.True(errors.Is(errors.Join(j.Sync(ended), j.Sync(t.Context())), journal.ErrName))
	})
}

func TestPutKeepsBehindTheNotes(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		const n = 60
		is, j := is.New(t), open(0)
		note := make([]byte, 256<<10) // so that each is a message
		for range n {
			j.Note(journal.Steps, note)
		}
		is.NoErr(j.Put(t.Context(), "noted", nil))
		is.Equal(len(all(t, j, 1)), n)
	})
}

func TestValues(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		v, err := j.Get(t.Context(), "cursor.a-1")
		is.NoErr(err)
		is.True(v == nil)
		for _, want := range []string{"x", "yy", ""} {
			is.NoErr(j.Put(t.Context(), "cursor.a-1", []byte(want)))
			v, err = j.Get(t.Context(), "cursor.a-1")
			is.NoErr(err)
			is.True(v != nil)
			is.Equal(string(v), want)
		}
		for _, name := range []string{"", "A", "a b", "a*", ".a", "a.", "a..b", "a/b", "ä"} {
			is.True(errors.Is(j.Put(t.Context(), name, nil), journal.ErrName))
			_, err = j.Get(t.Context(), name)
			is.True(errors.Is(err, journal.ErrName))
		}
		_, last, err := j.Bounds(t.Context())
		is.NoErr(err)
		is.Equal(last, uint64(0)) // values are no entries
	})
}

func TestValuesUnderAName(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		under := func(name string) string {
			vs, err := j.Values(t.Context(), name)
			is.NoErr(err)
			var out []string
			for _, key := range slices.Sorted(maps.Keys(vs)) {
				out = append(out, key+"="+string(vs[key]))
			}
			return strings.Join(out, " ")
		}
		is.Equal(under("res"), "")
		for _, name := range []string{"res.a.1", "res.a.2", "res.b.1", "res", "resource.a"} {
			is.NoErr(j.Put(t.Context(), name, []byte(name[len(name)-1:])))
		}
		is.Equal(under("res"), "res.a.1=1 res.a.2=2 res.b.1=1")
		is.Equal(under("res.a"), "res.a.1=1 res.a.2=2")
		is.NoErr(j.Remove(t.Context(), "res.a.1"))
		is.NoErr(j.Remove(t.Context(), "res.a.1")) // which is not there any more
		is.NoErr(j.Remove(t.Context(), "res.never"))
		is.Equal(under("res"), "res.a.2=2 res.b.1=1")
		v, err := j.Get(t.Context(), "res.a.1")
		is.NoErr(err)
		is.True(v == nil)
		is.NoErr(j.Put(t.Context(), "res.a.1", []byte("again")))
		is.Equal(under("res.a"), "res.a.1=again res.a.2=2")
		_, err = j.Values(t.Context(), "res.")
		is.True(errors.Is(err, journal.ErrName))
		is.True(errors.Is(j.Remove(t.Context(), "A"), journal.ErrName))
	})
}

func TestBigEntries(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		big := bytes.Repeat([]byte("0123456789abcdef"), journal.MaxEntry/16)
		_, err := j.Append(t.Context(), journal.Changes, big)
		is.NoErr(err)
		for range 5 {
			_, err := j.Append(t.Context(), journal.Changes, big[:1<<20])
			is.NoErr(err)
			j.Note(journal.Steps, big[:1<<20])
		}
		is.NoErr(j.Put(t.Context(), "big", big))
		is.NoErr(j.Sync(t.Context()))
		n := 0
		for _, e := range all(t, j, 1) {
			is.True(bytes.Equal(e.Data, big[:len(e.Data)]))
			n += len(e.Data)
		}
		is.Equal(n, journal.MaxEntry+(10<<20))
		v, err := j.Get(t.Context(), "big")
		is.NoErr(err)
		is.True(bytes.Equal(v, big))
		_, err = j.Append(t.Context(), journal.Changes, append(big, 'x'))
		is.True(errors.Is(err, journal.ErrTooBig))
		is.True(errors.Is(j.Put(t.Context(), "big", append(big, 'x')), journal.ErrTooBig))
		_, err = j.Append(t.Context(), "", nil)
		is.True(errors.Is(err, journal.ErrName))
	})
}

func TestRetention(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(100_000)
		text := string(bytes.Repeat([]byte("x"), 1000))
		slow, _ := follow(t.Context(), j, 1)
		for range 300 {
			appendTo(t, j, journal.Changes, text)
		}
		first, last, err := j.Bounds(t.Context())
		is.NoErr(err)
		is.Equal(last, uint64(300))
		is.True(first > 200 && first < 220) // about 100,000 bytes are left
		got := all(t, j, 1)
		is.Equal(got[0].Seq, first) // from before the oldest: from the oldest
		is.Equal(len(got), int(last-first+1))
		late, _ := follow(t.Context(), j, 1)
		is.Equal((<-late).Seq, first)
		seen := uint64(0)
		for seen < last { // he was overtaken; he sees the rest in order
			e := <-slow
			is.True(e.Seq > seen)
			seen = e.Seq
		}
	})
}

func TestNothingWorksAfterClose(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		appendTo(t, j, journal.Changes, "a")
		read := j.Read(t.Context(), 1)
		is.NoErr(j.Close())
		_, err := j.Append(t.Context(), journal.Changes, nil)
		is.Equal(err, journal.ErrClosed)
		j.Note(journal.Steps, nil)
		is.Equal(j.Sync(t.Context()), journal.ErrClosed)
		is.Equal(j.Settle(t.Context()), journal.ErrClosed)
		_, _, err = j.Bounds(t.Context())
		is.Equal(err, journal.ErrClosed)
		is.Equal(j.Put(t.Context(), "a", nil), journal.ErrClosed)
		is.Equal(j.Remove(t.Context(), "a"), journal.ErrClosed)
		_, err = j.Values(t.Context(), "a")
		is.Equal(err, journal.ErrClosed)
		_, err = j.Get(t.Context(), "a")
		is.Equal(err, journal.ErrClosed)
		for _, err := range read {
			is.Equal(err, journal.ErrClosed)
		}
		n := 0
		for _, err := range j.Follow(t.Context(), 1) {
			is.Equal(err, journal.ErrClosed)
			n++
		}
		is.Equal(n, 1)
		is.Equal(j.Close(), journal.ErrClosed)
	})
}
