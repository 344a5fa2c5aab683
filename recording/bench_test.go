package recording_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/recording"
)

// Reading and writing 10,000 lines of each kind, beside a bufio.Scanner that only looks for the lines' ends.
func BenchmarkRead(b *testing.B) {
	const n = 10000
	for _, f := range formats {
		data := f.write(b, n)
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(formats[0].write(b, n))))
			b.ReportAllocs()
			for b.Loop() {
				r, err := recording.NewReader(bytes.NewReader(data))
				is.New(b).NoErr(err)
				for _, err := range r.Lines() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
	b.Run("bufio.Scanner", func(b *testing.B) {
		data := formats[0].write(b, n)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			s := bufio.NewScanner(bytes.NewReader(data))
			for s.Scan() {
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	})
}

func BenchmarkWrite(b *testing.B) {
	const n = 10000
	lines := make([]recording.Line, n)
	for i := range lines {
		lines[i] = sample(i)
	}
	_, read, _ := read(b, formats[0].write(b, n))
	size := int64(len(formats[0].write(b, n)))
	for _, f := range formats {
		for _, from := range []struct {
			name  string
			lines []recording.Line
		}{{"new", lines}, {"copied", read}} {
			b.Run(f.name+"/"+from.name, func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					w, err := f.new(io.Discard, header)
					is.New(b).NoErr(err)
					for _, l := range from.lines[:n] {
						if err := w.Write(l); err != nil {
							b.Fatal(err)
						}
					}
					is.New(b).NoErr(w.Close())
				}
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			})
		}
	}
}

// A recording of 1 GB is opened, and its first line after a time is read: at the start, in the middle, at the end.
func BenchmarkSeekGigabyte(b *testing.B) {
	for _, f := range formats {
		b.Run(f.name, func(b *testing.B) {
			is := is.New(b)
			path := filepath.Join(b.TempDir(), "run")
			file, err := os.Create(path)
			is.NoErr(err)
			w, err := f.new(file, header)
			is.NoErr(err)
			const size = 16 << 10
			noise := rand.NewChaCha8([32]byte{1})
			data, half := bytes.Repeat([]byte("event "), size/6), make([]byte, size/4)
			var lines int
			for total := 0; total < 1<<30; total += size + 200 {
				_, _ = noise.Read(half)
				hex.Encode(data, half) // of which zstd makes about a third
				is.NoErr(w.Write(recording.Line{Seq: uint64(lines + 1), At: day.Add(time.Duration(lines) * time.Second), Frame: &recording.Frame{Gateway: "g", Data: data}}))
				lines++
			}
			is.NoErr(w.End(day.Add(time.Duration(lines) * time.Second)))
			info, err := file.Stat()
			is.NoErr(err)
			is.NoErr(file.Close())
			for i, name := range []string{"start", "middle", "end"} {
				b.Run(name, func(b *testing.B) {
					at := day.Add(time.Duration(lines*i/2)*time.Second - time.Millisecond)
					for b.Loop() {
						f, err := recording.Open(path)
						is.NoErr(err)
						for l, err := range f.From(at) {
							is.NoErr(err)
							is.True(l.At.Sub(at) == time.Millisecond)
							break
						}
						is.NoErr(f.Close())
					}
					b.ReportMetric(float64(info.Size())/(1<<20), "MB")
				})
			}
			if f.name != "plain" {
				return
			}
			b.Run("scanner", func(b *testing.B) { // what it costs to find the middle without
				for b.Loop() {
					f, err := os.Open(path)
					is.NoErr(err)
					s := bufio.NewScanner(io.LimitReader(f, info.Size()/2))
					for s.Scan() {
					}
					is.NoErr(f.Close())
				}
			})
		})
	}
}
