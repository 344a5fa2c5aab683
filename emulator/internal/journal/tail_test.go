package journal_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

// Two writers at once: the second's message is there, the first's is about to come.
func TestReaderOfAMessageThatWasOvertaken(t *testing.T) {
	is := is.New(t)
	s := openStream(t, t.TempDir(), 0)
	var seqs []uint64
	for _, text := range []string{"a", "b", "c"} {
		seqs = append(seqs, appendTo(t, s, journal.Changes, text))
	}
	coming, bring := s.Overtaken(seqs[1])
	wait := coming()
	is.True(wait != nil)                                   // a reader waits for it,
	is.Equal(texts(all(t, s, 1)), []string{"a", "b", "c"}) // and has it from the engine when its writer is slow
	bring()
	<-wait
	is.Equal(coming(), nil)
	is.Equal(texts(all(t, s, 1)), []string{"a", "b", "c"})
}

// What no writer will bring is not waited for.
func TestReaderAtTheEndOfTheTail(t *testing.T) {
	is := is.New(t)
	s := openStream(t, t.TempDir(), 0)
	coming, _ := s.Overtaken(appendTo(t, s, journal.Changes, "the last one"))
	is.Equal(coming(), nil)
	is.Equal(texts(all(t, s, 1)), []string{"the last one"})
}

// Who follows the changes alone does not ask the engine, however much is noted between them.
func TestChangesAreReadFromMemory(t *testing.T) {
	is := is.New(t)
	s := openStream(t, t.TempDir(), 0)
	entries, _ := follow(t.Context(), s, 1, journal.Changes)
	note := bytes.Repeat([]byte("x"), 100<<10)
	before := s.Asked()
	for range 10 {
		appendTo(t, s, journal.Changes, "a change")
		for range 100 { // 10 MB: more than is kept in memory of all together
			s.Note(journal.Frames, note)
		}
		is.NoErr(s.Sync(t.Context()))
		is.Equal(string((<-entries).Data), "a change")
	}
	is.Equal(len(all(t, s, 1, journal.Changes)), 10)
	is.Equal(s.Asked(), before)
}

// What memory does not hold, or not for sure, comes from the engine, once and in its order.
func TestChangesThatMemoryHasNot(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	s := openStream(t, dir, 0)
	first := appendTo(t, s, journal.Changes, "before")
	is.NoErr(s.Close())
	s = openStream(t, dir, 0)
	var want []string
	var seqs []uint64
	add := func(text string) {
		want = append(want, text)
		seqs = append(seqs, appendTo(t, s, journal.Changes, text))
		s.Note(journal.Steps, []byte("a note"))
		is.NoErr(s.Sync(t.Context()))
	}
	check := func() {
		t.Helper()
		is.Equal(texts(all(t, s, first+1, journal.Changes)), want)
		for i, seq := range seqs {
			is.Equal(texts(all(t, s, seq, journal.Changes)), want[i:])
			is.Equal(len(all(t, s, seq+1, journal.Changes)), len(want)-i-1)
		}
	}
	add("a")
	s.Unsure()
	check()
	add("b")
	check()
	for i := range 30 {
		add(string(bytes.Repeat([]byte{byte('a' + i)}, 200<<10)))
	}
	check()
	is.Equal(texts(all(t, s, 1, journal.Changes))[0], "before")
	asked := s.Asked()
	is.Equal(len(all(t, s, seqs[len(seqs)-5], journal.Changes)), 5)
	is.Equal(s.Asked(), asked) // the last are in memory again
}

// Changes are written by one after another, and notes are not.
func TestChangesAreNotNoted(t *testing.T) {
	engines(t, func(t *testing.T, open func(int64) journal.Journal) {
		is, j := is.New(t), open(0)
		for _, topic := range []journal.Topic{journal.Steps, journal.Changes, journal.Steps} {
			j.Note(topic, []byte(topic))
		}
		is.True(errors.Is(j.Sync(t.Context()), journal.ErrName))
		is.Equal(texts(all(t, j, 1)), slices.Repeat([]string{string(journal.Steps)}, 2))
	})
}
