package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

// victimEnv names the folder for a process of this test binary that is there to be killed.
const victimEnv = "REGCAST_JOURNAL_VICTIM"

const victimWriters = 4

// victim writes until it is killed, and prints a line for everything that the journal has taken: what has been printed must be there
// afterwards.
func victim(dir string) int {
	ctx := context.Background()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := journal.OpenStream(ctx, journal.StreamOptions{Dir: dir})
	if err != nil {
		return fail(err)
	}
	_, base, err := s.Bounds(ctx) // tells this life from those before
	if err != nil {
		return fail(err)
	}
	cursor, err := journal.OpenCursor(ctx, s, "victim", journal.Changes)
	if err != nil {
		return fail(err)
	}
	// One write, so that a line is printed as a whole or not at all.
	say := func(format string, v ...any) { _, _ = os.Stdout.Write(fmt.Appendf(nil, format+"\n", v...)) }
	var wg sync.WaitGroup
	for w := range victimWriters {
		wg.Go(func() {
			for i := 0; ; i++ {
				seq, err := s.Append(ctx, journal.Changes, victimData(base, w, i))
				if err != nil {
					say("error %v", err)
					return
				}
				say("appended %d %d %d %d", seq, base, w, i)
				if i%3 == 0 {
					s.Note(journal.Steps, fmt.Appendf(nil, "%d %d/%d/%d;", seq, base, w, i))
				}
			}
		})
	}
	wg.Go(func() {
		for i := 0; ; i++ {
			if err := s.Put(ctx, "victim", fmt.Append(nil, i)); err != nil {
				say("error %v", err)
				return
			}
			say("put %d", i)
		}
	})
	wg.Go(func() {
		for {
			e, err := cursor.Next(ctx)
			if err != nil {
				say("error %v", err)
				return
			}
			if e.Seq%7 != 0 { // those stay unfinished
				say("done %d", e.Seq)
				cursor.Done(e.Seq)
			}
		}
	})
	wg.Wait()
	return 1
}

// victimData tells at every byte which entry it belongs to, and has lengths from 20 bytes to 20 KB.
func victimData(base uint64, w, i int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d/%d/%d;", base, w, i), 1<<((i*5+w)%10))
}

func TestWhatWasAcknowledgedSurvivesKill9(t *testing.T) {
	dir, done := t.TempDir(), map[uint64]bool{}
	for range 12 { // the same folder is killed again and again
		after := rand.IntN(1000)
		if !t.Run(fmt.Sprintf("after %d lines", after), func(t *testing.T) { killOne(t, dir, after, done) }) {
			return
		}
	}
}

func killOne(t *testing.T, dir string, after int, done map[uint64]bool) {
	is := is.New(t)
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), victimEnv+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	is.NoErr(err)
	is.NoErr(c.Start())
	acked, put, lines := map[string]uint64{}, -1, 0
	for in := bufio.NewScanner(out); in.Scan(); lines++ {
		if lines == 0 { // while it lives, the folder is its own
			_, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: dir})
			is.True(errors.Is(err, journal.ErrInUse))
			is.True(strings.Contains(err.Error(), fmt.Sprintf("process %d", c.Process.Pid)))
		}
		if lines == after {
			is.NoErr(c.Process.Kill())
		}
		var seq, base uint64
		var w, i int
		switch line := in.Text(); {
		case strings.HasPrefix(line, "appended "):
			_, err = fmt.Sscanf(line, "appended %d %d %d %d", &seq, &base, &w, &i)
			acked[string(victimData(base, w, i))] = seq
		case strings.HasPrefix(line, "put "):
			_, err = fmt.Sscanf(line, "put %d", &put)
		case strings.HasPrefix(line, "done "):
			_, err = fmt.Sscanf(line, "done %d", &seq)
			done[seq] = true
		default:
			t.Fatal(line)
		}
		is.NoErr(err)
	}
	is.True(c.Wait() != nil) // it was killed
	is.True(lines > after)

	s, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: dir, Warn: func(w string) { t.Log(w) }})
	is.NoErr(err)
	defer func() { is.NoErr(s.Close()) }()
	changes := all(t, s, 1, journal.Changes)
	kept, next := map[string]uint64{}, map[string]int{}
	for _, e := range changes {
		var base uint64
		var w, i int
		_, err := fmt.Sscanf(string(e.Data), "%d/%d/%d;", &base, &w, &i)
		is.NoErr(err)
		is.True(bytes.Equal(e.Data, victimData(base, w, i))) // untorn
		writer := fmt.Sprint(base, w)
		is.Equal(i, next[writer]) // in order, each once, none missing
		next[writer]++
		kept[string(e.Data)] = e.Seq
	}
	for text, seq := range acked {
		is.Equal(kept[text], seq) // where the writer was told
	}
	noted := map[string]bool{}
	for _, e := range all(t, s, 1, journal.Steps) {
		var seq, base uint64
		var w, i int
		_, err := fmt.Sscanf(string(e.Data), "%d %d/%d/%d;", &seq, &base, &w, &i)
		is.NoErr(err)
		is.True(!noted[string(e.Data)])                     // once
		is.Equal(kept[string(victimData(base, w, i))], seq) // never without what it is about
		is.True(e.Seq > seq)                                // and behind it
		noted[string(e.Data)] = true
	}
	v, err := s.Get(t.Context(), "victim")
	is.NoErr(err)
	if put >= 0 {
		var got int
		_, err = fmt.Sscan(string(v), &got)
		is.NoErr(err)
		is.True(got >= put)
	}

	// The cursor yields whatever is not done, and may yield some of what is.
	cursor := openCursor(t, s, "victim", journal.Changes)
	end := appendTo(t, s, journal.Changes, string(victimData(1<<40+uint64(len(changes)), 0, 0)))
	again := map[uint64]bool{}
	for e := nextEntry(t, cursor); e.Seq != end; e = nextEntry(t, cursor) {
		again[e.Seq] = true
	}
	repeated := 0
	for _, e := range changes {
		is.True(done[e.Seq] || again[e.Seq]) // none is left out
		if done[e.Seq] && again[e.Seq] {
			repeated++
		}
	}
	is.NoErr(cursor.Close())
	t.Logf("%d entries in all, %d acknowledged in this life, put %d, %d done ones come again", len(changes), len(acked), put, repeated)
}
