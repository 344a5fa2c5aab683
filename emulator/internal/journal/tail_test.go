package journal_test

import (
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
