package recording_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
)

func open(t testing.TB, data []byte) *recording.SeekReader {
	t.Helper()
	is := is.New(t)
	path := filepath.Join(t.TempDir(), "run.regcast.jsonl")
	is.NoErr(os.WriteFile(path, data, 0o600))
	f, err := recording.Open(path)
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(f.Close()) })
	return f
}

const longLines = 1500

// long is a recording of a few MB, so that there is something to pass over.
func long(t testing.TB, f format) []byte {
	t.Helper()
	is := is.New(t)
	var b bytes.Buffer
	w, err := f.new(&b, header)
	is.NoErr(err)
	noise := rand.NewChaCha8([32]byte{1})
	for i := range longLines {
		l := sample(i)
		if l.Frame != nil {
			data := make([]byte, 5<<10)
			_, _ = noise.Read(data)
			l.Frame.Data = data
		}
		is.NoErr(w.Write(l))
	}
	is.NoErr(w.End(day.Add(time.Hour)))
	return b.Bytes()
}

// withoutTable cuts off the last frame, which is the table.
func withoutTable(data []byte) []byte {
	n := binary.LittleEndian.Uint32(data[len(data)-9:])
	return data[:len(data)-9-int(n)*8-8]
}

func seqs(t testing.TB, lines iter.Seq2[recording.Line, error]) []uint64 {
	t.Helper()
	var out []uint64
	for l, err := range lines {
		is.New(t).NoErr(err)
		out = append(out, l.Seq)
	}
	return out
}

// first wants the line of a position, and the next.
func first(t testing.TB, lines iter.Seq2[recording.Line, error], seq uint64) {
	t.Helper()
	is := is.New(t)
	var got []uint64
	for l, err := range lines {
		is.NoErr(err)
		if got = append(got, l.Seq); len(got) == 2 {
			break
		}
	}
	next := seq + 1
	if seq == longLines {
		next = 0 // the end
	}
	is.Equal(got, []uint64{seq, next})
}

func TestSeek(t *testing.T) {
	plain, packed := long(t, formats[0]), long(t, formats[1])
	other, err := zstd.NewWriter(nil)
	is.New(t).NoErr(err)
	half := len(plain)/2 + 7 // frames that do not begin with a line
	strange := other.EncodeAll(plain[half:], other.EncodeAll(plain[:half], nil))
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"plain", plain},
		{"zstd", packed},
		{"zstd without its table", withoutTable(packed)},
		{"zstd by others", other.EncodeAll(plain, nil)},
		{"zstd by others, frames that begin anywhere", strange},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			f := open(t, c.data)
			is.Equal(f.Header().Regcast, "test")
			for _, i := range []int{0, 1, 499, 1234, longLines - 1} {
				first(t, f.From(day.Add(time.Duration(i)*time.Second-time.Millisecond)), uint64(i+1))
				first(t, f.FromSeq(uint64(i+1)), uint64(i+1))
			}
			is.Equal(len(seqs(t, f.From(day.Add(1300*time.Second)))), 200+1) // with the end
			is.Equal(len(seqs(t, f.FromSeq(1001))), 500+1)
			first(t, f.From(time.Time{}), 1)
			first(t, f.FromSeq(0), 1)
			is.Equal(len(seqs(t, f.From(day.Add(time.Hour)))), 1) // the end alone
			is.Equal(len(seqs(t, f.From(day.Add(2*time.Hour)))), 0)
			is.Equal(len(seqs(t, f.FromSeq(5000))), 0)
			is.Equal(len(seqs(t, f.Lines())), longLines+1)
			first(t, f.Lines(), 1) // again
			last, err := f.Last()
			is.NoErr(err)
			is.Equal(last.End.Lines, int64(longLines))
		})
	}
}

// Lines of several journals' cursors come nearly in order.
func TestSeekNearlyInOrder(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			var b bytes.Buffer
			w, err := f.new(&b, header)
			is.NoErr(err)
			var at []time.Time
			for i := range 4000 {
				l := sample(i)
				l.At = l.At.Add(-time.Duration(i*7919%200) * time.Second)
				at = append(at, l.At)
				is.NoErr(w.Write(l))
			}
			is.NoErr(w.Close())
			file := open(t, b.Bytes())
			for _, i := range []int{0, 300, 1777, 3999} {
				from, want := day.Add(time.Duration(i)*time.Second), 0
				for _, a := range at {
					if !a.Before(from) {
						want++
					}
				}
				is.Equal(len(seqs(t, file.From(from))), want)
			}
		})
	}
}

func TestOpenWhatIsTornOff(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			data := long(t, f)
			file := open(t, data[:len(data)*2/3])
			n, torn := 0, 0
			for _, err := range file.From(day.Add(500 * time.Second)) {
				var tear *recording.TornError
				switch {
				case errors.As(err, &tear):
					torn++
				default:
					is.NoErr(err)
					n++
				}
			}
			is.Equal(torn, 1)
			is.True(n > 200)
			last, err := file.Last()
			is.NoErr(err)
			is.True(last.Seq > longLines/2)
		})
	}
}

func TestOpenErrors(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	_, err := recording.Open(filepath.Join(dir, "none"))
	is.True(errors.Is(err, os.ErrNotExist))
	_, err = recording.Open(dir)
	is.True(err != nil)
	path := filepath.Join(dir, "empty")
	is.NoErr(os.WriteFile(path, nil, 0o600))
	_, err = recording.Open(path)
	is.True(errors.Is(err, recording.ErrEmpty))
	f := open(t, formats[0].write(t, 0)[:len(formats[0].write(t, 0))-1])
	is.Equal(len(seqs(t, f.FromSeq(1))), 0)
}

func TestCreate(t *testing.T) {
	for _, name := range []string{"run.regcast.jsonl", "run.regcast.jsonl.zst"} {
		is := is.New(t)
		path := filepath.Join(t.TempDir(), name)
		w, err := recording.Create(path, header)
		is.NoErr(err)
		is.NoErr(w.Write(sample(0)))
		is.NoErr(w.Flush())
		f, err := recording.Open(path) // while it is written
		is.NoErr(err)
		n := 0
		for _, err := range f.Lines() {
			if err == nil {
				n++
			}
		}
		is.Equal(n, 1)
		is.NoErr(f.Close())
		is.NoErr(w.End(day))
		is.NoErr(os.Remove(path)) // nobody holds it any more, which Windows minds
	}
}

// A writer that is killed leaves what it had flushed.
func TestKilledWriter(t *testing.T) {
	for _, f := range formats {
		t.Run(f.name, func(t *testing.T) {
			is := is.New(t)
			var b bytes.Buffer
			w, err := f.new(&b, header)
			is.NoErr(err)
			for i := range 100 {
				is.NoErr(w.Write(sample(i)))
				is.NoErr(w.Flush())
				_, lines, _ := read(t, b.Bytes())
				is.Equal(len(lines), i+1)
			}
		})
	}
}

type broken struct{ after int }

func (b *broken) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriterTellsOfAFullDisk(t *testing.T) {
	for _, f := range formats {
		is := is.New(t)
		w, err := f.new(&broken{after: 300}, header)
		is.NoErr(err)
		for i := range 10 {
			is.NoErr(w.Write(sample(i)))
		}
		is.True(errors.Is(w.Flush(), io.ErrShortWrite))
		is.True(errors.Is(w.Write(sample(0)), io.ErrShortWrite))
		is.True(errors.Is(w.End(day), io.ErrShortWrite))
	}
}

const exes = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

// repeat is a line of n bytes that nobody has to keep.
type repeat struct{ n int64 }

func (r *repeat) Read(p []byte) (int, error) {
	if r.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), r.n))
	for rest := p[:n]; len(rest) > 0; { // by the byte it takes ten times as long under the race detector
		rest = rest[copy(rest, exes):]
	}
	r.n -= int64(n)
	return n, nil
}

func TestLongLines(t *testing.T) {
	is := is.New(t)
	head := formats[0].write(t, 0)
	head = head[:bytes.IndexByte(head, '\n')+1]
	// What is as long as may be is read, and found to be no JSON.
	line := func(n int64) io.Reader { return io.MultiReader(&repeat{n}, strings.NewReader("\n")) }
	good := `{"at":"2026-11-23T12:00:00Z","x":"` + strings.Repeat("x", 1<<20) + "\"}\n"
	r, err := recording.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader(good),
		line(recording.MaxLine), line(recording.MaxLine+10), line(3*recording.MaxLine), strings.NewReader(good)))
	is.NoErr(err)
	var got []string
	for l, err := range r.Lines() {
		var bad *recording.LineError
		switch {
		case errors.Is(err, recording.ErrTooLong) && errors.As(err, &bad):
			got = append(got, fmt.Sprint(bad.Line, " too long"))
		case errors.As(err, &bad):
			got = append(got, fmt.Sprint(bad.Line, " bad"))
		default:
			is.NoErr(err)
			got = append(got, l.At.Format(time.TimeOnly))
		}
	}
	is.Equal(got, []string{"12:00:00", "3 bad", "4 too long", "5 too long", "12:00:00"})
}
