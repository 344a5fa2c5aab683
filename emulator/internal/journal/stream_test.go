package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

func TestStreamIsThereAgain(t *testing.T) {
	is, dir := is.New(t), t.TempDir()
	s := openStream(t, dir, 0)
	seq := appendTo(t, s, journal.Changes, "a")
	is.NoErr(s.Put(t.Context(), "name", []byte("value")))
	s.Note(journal.Steps, []byte("not yet written"))
	is.NoErr(s.Close())

	s = openStream(t, dir, 1<<20) // with another limit
	got := all(t, s, 1)
	is.Equal(texts(got), []string{"a", "not yet written"}) // Close has written it
	is.Equal(got[0].Seq, seq)
	v, err := s.Get(t.Context(), "name")
	is.NoErr(err)
	is.Equal(string(v), "value")
	is.True(appendTo(t, s, journal.Changes, "b") > got[1].Seq)
	for range 2000 {
		appendTo(t, s, journal.Changes, strings.Repeat("x", 1000))
	}
	first, _, err := s.Bounds(t.Context())
	is.NoErr(err)
	is.True(first > 1) // the new limit holds
}

func TestFolderHasOneOwner(t *testing.T) {
	is, dir := is.New(t), filepath.Join(t.TempDir(), "made", "on the way")
	s := openStream(t, dir, 0)
	_, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: dir})
	is.True(errors.Is(err, journal.ErrInUse))
	is.True(strings.Contains(err.Error(), dir))                       // it names the folder
	is.True(strings.Contains(err.Error(), strconv.Itoa(os.Getpid()))) // and the process
	appendTo(t, s, journal.Changes, "the first is not disturbed")
	is.NoErr(s.Close())
	openStream(t, dir, 0) // the folder is free again
}

func TestOpenSaysWhatIsWrongWithTheFolder(t *testing.T) {
	is, dir := is.New(t), t.TempDir()
	file := filepath.Join(dir, "file")
	is.NoErr(os.WriteFile(file, []byte("x"), 0o644))
	store := filepath.Join(dir, "store")
	is.NoErr(os.MkdirAll(store, 0o755))
	is.NoErr(os.WriteFile(filepath.Join(store, "jetstream"), []byte("x"), 0o644))
	for _, bad := range []string{file, filepath.Join(file, "below"), store} {
		_, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: bad})
		is.True(err != nil)
		t.Log(err)
		is.True(strings.Contains(err.Error(), bad))
		is.True(strings.Contains(err.Error(), "directory")) // it is none
	}
	is.NoErr(os.Remove(filepath.Join(store, "jetstream")))
	openStream(t, store, 0) // the failed attempt holds nothing
	_, err := journal.OpenStream(t.Context(), journal.StreamOptions{})
	is.True(err != nil)
}

func TestFiftyStreamsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 50 {
		s := openStream(t, t.TempDir(), 0)
		wg.Go(func() {
			for i := range 20 {
				if _, err := s.Append(t.Context(), journal.Changes, fmt.Append(nil, i)); err != nil {
					t.Error(err)
				}
			}
			n := 0
			for _, err := range s.Follow(t.Context(), 1) {
				if err != nil {
					t.Error(err)
				}
				if n++; n == 20 {
					break
				}
			}
			closeIt(t, s)
		})
	}
	wg.Wait()
}

// What a crash of the machine may leave behind: the journal opens, with what is whole, and works.
func TestDamagedFiles(t *testing.T) {
	const n = 100
	for _, tc := range []struct {
		name  string
		clean bool // the engine was closed before
		harm  func(data []byte) []byte
		keeps int // entries that must be left, at least

		silent bool // an empty file looks like a new one
	}{
		{"cut in the last entry", false, func(d []byte) []byte { return d[:len(d)-7] }, n - 1, false},
		{"cut to nothing", false, func([]byte) []byte { return nil }, 0, true},
		{"garbage behind the end", false, func(d []byte) []byte { return append(d, strings.Repeat("garbage!", 100)...) }, n, false},
		{"zeros behind the end", false, func(d []byte) []byte { return append(d, make([]byte, 4096)...) }, n, false},
		{"a byte changed in the last entry", false, func(d []byte) []byte { d[len(d)-20] ^= 1; return d }, n - 1, false},
		{"a byte changed in the middle", false, func(d []byte) []byte { d[len(d)/2] ^= 1; return d }, 0, false},
		{"garbage all over", false, func(d []byte) []byte { return []byte(strings.Repeat("garbage!", len(d)/8)) }, 0, false},
		{"cut after a clean end", true, func(d []byte) []byte { return d[:len(d)-7] }, n - 1, false},
		{"garbage after a clean end", true, func(d []byte) []byte { return []byte(strings.Repeat("garbage!", len(d)/8)) }, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is, dir := is.New(t), t.TempDir()
			s := openStream(t, dir, 0)
			for i := range n {
				appendTo(t, s, journal.Changes, strings.Repeat(fmt.Sprintf("%04d", i), 50))
			}
			c := openCursor(t, s, "a", journal.Changes)
			for range n {
				c.Done(nextEntry(t, c).Seq)
			}
			is.NoErr(c.Close())
			if !tc.clean { // as after a crash: the files as they are now
				now := t.TempDir()
				is.NoErr(os.CopyFS(now, os.DirFS(dir)))
				dir = now
			}
			is.NoErr(s.Close())
			blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", "REGCAST", "msgs", "*.blk"))
			is.NoErr(err)
			is.Equal(len(blocks), 1)
			data, err := os.ReadFile(blocks[0])
			is.NoErr(err)
			is.NoErr(os.WriteFile(blocks[0], tc.harm(data), 0o644))

			var told []string
			s, err = journal.OpenStream(t.Context(), journal.StreamOptions{Dir: dir, Warn: func(w string) { told = append(told, w) }})
			is.NoErr(err)
			defer func() { is.NoErr(s.Close()) }()
			got := all(t, s, 1)
			t.Logf("%d left; %q", len(got), told)
			is.True(len(got) >= tc.keeps)
			is.Equal(len(told) > 0, !tc.silent) // the damage is told
			for i, e := range got {
				is.Equal(string(e.Data), strings.Repeat(fmt.Sprintf("%04d", i), 50)) // what is left is right
			}
			c = openCursor(t, s, "a", journal.Changes) // it has done more positions than there are left
			seq := appendTo(t, s, journal.Changes, "new")
			is.Equal(nextEntry(t, c).Seq, seq)
			is.NoErr(c.Close())
			got = all(t, s, 1)
			is.Equal(got[len(got)-1].Seq, seq)
			is.Equal(string(got[len(got)-1].Data), "new")
		})
	}
}

// The engine does not answer a write that it could not make; its log is all that tells.
func TestAFullDiskIsAClearError(t *testing.T) {
	is := is.New(t)
	s, err := journal.OpenStream(t.Context(), journal.StreamOptions{Dir: t.TempDir()})
	is.NoErr(err)
	appendTo(t, s, journal.Changes, "before")
	s.EngineSays("Filestore [REGCAST] Critical write error: write /d/1.blk: no space left on device")
	_, err = s.Append(t.Context(), journal.Changes, []byte("after"))
	is.True(errors.Is(err, syscall.ENOSPC))
	is.True(strings.Contains(err.Error(), "/d/1.blk"))
	is.True(errors.Is(s.Put(t.Context(), "name", nil), syscall.ENOSPC))
	s.Note(journal.Steps, []byte("lost"))
	is.True(errors.Is(s.Sync(t.Context()), syscall.ENOSPC)) // told once
	is.NoErr(s.Close())
}
