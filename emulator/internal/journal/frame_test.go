package journal_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/journal"
)

func TestFrame(t *testing.T) {
	is := is.New(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	lines := [][]byte{[]byte("a"), nil, bytes.Repeat([]byte("b"), 1000)}
	entries, err := journal.Unframe(journal.Frame(at, lines))
	is.NoErr(err)
	is.Equal(len(entries), len(lines))
	for i, e := range entries {
		is.Equal(e.At, at)
		is.True(bytes.Equal(e.Data, lines[i]))
	}
}

func FuzzUnframe(f *testing.F) {
	f.Add(journal.Frame(time.Unix(1, 2), [][]byte{[]byte("one"), []byte("two")}))
	f.Add([]byte("1234567"))
	f.Add([]byte("12345678\x05abc"))
	f.Add([]byte("12345678\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := journal.Unframe(data)
		if err != nil || len(entries) == 0 {
			return
		}
		var lines [][]byte
		for _, e := range entries {
			lines = append(lines, e.Data)
		}
		again, err := journal.Unframe(journal.Frame(entries[0].At, lines))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries, then %d, %v", len(entries), len(again), err)
		}
		for i := range again {
			if !bytes.Equal(again[i].Data, entries[i].Data) {
				t.Fatalf("entry %d: %q, then %q", i, entries[i].Data, again[i].Data)
			}
		}
	})
}

func FuzzUnmix(f *testing.F) {
	f.Add(journal.MixedFrame(time.Unix(1, 2), journal.Entry{Topic: "a", Data: []byte("one")}, journal.Entry{Topic: "bc"}))
	f.Add([]byte("12345678\x01\x05"))
	f.Add([]byte("12345678\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := journal.Unmix(data)
		if err != nil || len(entries) == 0 {
			return
		}
		again, err := journal.Unmix(journal.MixedFrame(entries[0].At, entries...))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries, then %d, %v", len(entries), len(again), err)
		}
		for i := range again {
			if again[i].Topic != entries[i].Topic || !bytes.Equal(again[i].Data, entries[i].Data) {
				t.Fatalf("entry %d: %v, then %v", i, entries[i], again[i])
			}
		}
	})
}
