package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

func openCursor(t testing.TB, j journal.Journal, name string, topic journal.Topic) *journal.Cursor {
	t.Helper()
	c, err := journal.OpenCursor(t.Context(), j, name, topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, journal.ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

func next(t testing.TB, c *journal.Cursor) string {
	t.Helper()
	return string(nextEntry(t, c).Data)
}

func nextEntry(t testing.TB, c *journal.Cursor) journal.Entry {
	t.Helper()
	e, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCursorRepeatsWhatIsUnfinished(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		for i := range 10 {
			appendTo(t, j, journal.Changes, fmt.Sprint(i))
			appendTo(t, j, journal.Steps, "between")
		}
		c := openCursor(t, j, "a", journal.Changes)
		var seqs []uint64
		for i := range 8 {
			e := nextEntry(t, c)
			is.Equal(string(e.Data), fmt.Sprint(i))
			seqs = append(seqs, e.Seq)
		}
		for _, i := range []int{6, 0, 2, 3, 1, 0} { // in any order, one twice
			c.Done(seqs[i])
		}
		c.Done(999) // never read
		is.NoErr(c.Close())
		is.Equal(c.Close(), journal.ErrClosed)
		_, err := c.Next(t.Context())
		is.Equal(err, journal.ErrClosed)

		c = openCursor(t, j, "a", journal.Changes)
		for _, want := range []string{"4", "5", "7", "8", "9"} {
			e := nextEntry(t, c)
			is.Equal(string(e.Data), want)
			if want == "5" || want == "9" {
				c.Done(e.Seq)
			}
		}
		is.NoErr(c.Close())

		c = openCursor(t, j, "a", journal.Changes)
		for _, want := range []string{"4", "7", "8"} {
			e := nextEntry(t, c)
			is.Equal(string(e.Data), want)
			c.Done(e.Seq)
		}
		is.NoErr(c.Close())

		c = openCursor(t, j, "a", journal.Changes)
		appendTo(t, j, journal.Changes, "new")
		is.Equal(next(t, c), "new") // and nothing before it
		is.Equal(next(t, openCursor(t, j, "b", journal.Changes)), "0")
	})
}

// What a cursor was told is saved without Close, as after a kill nobody calls it.
func TestCursorSavesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is, j := is.New(t), journal.NewMemory(journal.MemoryOptions{})
		puts := &counter{Journal: j}
		for i := range 1000 {
			appendTo(t, j, journal.Changes, fmt.Sprint(i))
		}
		c := openCursor(t, puts, "a", journal.Changes)
		synctest.Wait()
		for range 400 {
			c.Done(nextEntry(t, c).Seq)
		}
		<-time.After(time.Second) // of the bubble
		synctest.Wait()
		is.Equal(next(t, openCursor(t, j, "a", journal.Changes)), "400")
		is.True(puts.n >= 1 && puts.n <= 2) // the first at once, the rest together
	})
}

type counter struct {
	journal.Journal
	n int
}

func (c *counter) Put(ctx context.Context, name string, value []byte) error {
	c.n++
	return c.Journal.Put(ctx, name, value)
}

func TestCursorTreatsNotesOfOnePositionTogether(t *testing.T) {
	is, j := is.New(t), openStream(t, t.TempDir(), 0)
	for i := range 50_000 { // so many wait that some are written together
		j.Note(journal.Steps, fmt.Append(nil, i))
	}
	is.NoErr(j.Sync(t.Context()))
	entries := all(t, j, 1)
	shared := slices.IndexFunc(entries, func(e journal.Entry) bool {
		return e.Seq > 1 && entries[len(entries)-1].Seq > e.Seq && countOf(entries, e.Seq) > 2
	})
	is.True(shared > 0)
	seq, size := entries[shared].Seq, countOf(entries, entries[shared].Seq)

	c := openCursor(t, j, "a", journal.Steps)
	for range shared + size - 1 { // all but one of that position
		c.Done(nextEntry(t, c).Seq)
	}
	is.NoErr(c.Close())
	c = openCursor(t, j, "a", journal.Steps)
	for i := range size {
		e := nextEntry(t, c)
		is.Equal(e.Seq, seq)
		is.Equal(e.Data, entries[shared+i].Data)
		c.Done(e.Seq)
	}
	is.NoErr(c.Close())
	c = openCursor(t, j, "a", journal.Steps)
	is.Equal(nextEntry(t, c).Seq, seq+1)
}

func countOf(entries []journal.Entry, seq uint64) (n int) {
	for _, e := range entries {
		if e.Seq == seq {
			n++
		}
	}
	return n
}

func TestCursorPassesOverWhatRetentionTook(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(100_000)
		appendTo(t, j, journal.Changes, "unfinished")
		appendTo(t, j, journal.Changes, "done")
		c := openCursor(t, j, "a", journal.Changes)
		next(t, c)
		c.Done(nextEntry(t, c).Seq)
		is.NoErr(c.Close())
		for range 300 {
			appendTo(t, j, journal.Changes, string(make([]byte, 1000)))
		}
		first, last, err := j.Bounds(t.Context())
		is.NoErr(err)
		c = openCursor(t, j, "a", journal.Changes)
		for seq := first; seq <= last; seq++ {
			is.Equal(nextEntry(t, c).Seq, seq)
		}
	})
}

func TestCursorBoundsTheUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		is, j := is.New(t), journal.NewMemory(journal.MemoryOptions{})
		for range limit + 10 {
			appendTo(t, j, journal.Changes, "x")
		}
		c := openCursor(t, j, "a", journal.Changes)
		for i := range limit {
			is.Equal(nextEntry(t, c).Seq, uint64(i+1))
		}
		var got []uint64
		var wg sync.WaitGroup
		wg.Go(func() { got = append(got, nextEntry(t, c).Seq) })
		synctest.Wait()
		is.Equal(len(got), 0) // it waits
		c.Done(70_000)
		wg.Wait()
		is.Equal(got, []uint64{limit + 1})
	})
}

func TestCursorNextEnds(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		c := openCursor(t, j, "a", journal.Changes)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := c.Next(ctx)
		is.Equal(err, context.Canceled)
		appendTo(t, j, journal.Changes, "a")
		c.Done(nextEntry(t, c).Seq)
		ended := make(chan error)
		go func() {
			_, err := c.Next(t.Context())
			ended <- err
		}()
		is.NoErr(c.Close())
		is.Equal(<-ended, journal.ErrClosed)

		c = openCursor(t, j, "b", journal.Changes)
		is.Equal(next(t, c), "a")
		is.NoErr(j.Close())
		_, err = c.Next(t.Context())
		is.Equal(err, journal.ErrClosed)
		is.True(errors.Is(c.Close(), journal.ErrClosed)) // it could not save

		_, err = journal.OpenCursor(t.Context(), j, "c", journal.Changes)
		is.True(errors.Is(err, journal.ErrClosed))
	})
}

// A save waits for the notes, but that some were lost is for others to hear.
func TestCursorLeavesLostNotesToBeTold(t *testing.T) {
	for _, tc := range []struct {
		name string
		tell func(context.Context, journal.Journal) error
	}{
		{"by Sync", func(ctx context.Context, j journal.Journal) error { return j.Sync(ctx) }},
		{"by Close", func(_ context.Context, j journal.Journal) error { return j.Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			engines(t, func(t *testing.T, open func(int64) journal.Journal) {
				is, j := is.New(t), open(0)
				appendTo(t, j, journal.Changes, "a")
				appendTo(t, j, journal.Changes, "b")
				c := openCursor(t, j, "a", journal.Changes)
				j.Note("no topic", nil)
				c.Done(nextEntry(t, c).Seq)
				is.NoErr(c.Close())
				c = openCursor(t, j, "a", journal.Changes)
				is.Equal(next(t, c), "b") // a lost note does not make entries come again for ever
				is.NoErr(c.Close())
				is.True(errors.Is(tc.tell(t.Context(), j), journal.ErrName))
			})
		})
	}
}

func TestCursorRefusesABadName(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		_, err := journal.OpenCursor(t.Context(), j, "a b", journal.Changes)
		is.True(errors.Is(err, journal.ErrName))
		is.NoErr(j.Put(t.Context(), "cursor.a", []byte("{")))
		_, err = journal.OpenCursor(t.Context(), j, "a", journal.Changes)
		is.True(err != nil) // what was saved is damaged
	})
}
