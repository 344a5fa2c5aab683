package main

import (
	"errors"
	"testing"

	"github.com/matryer/is"
)

func TestReadyFramesAreAsLongAsAskedFor(t *testing.T) {
	for _, length := range []int{2, 3, 127, 130, 632, 4 + 0xffff, 10 + 0x10000} {
		is := is.New(t)
		f := readyFrame(length)
		is.Equal(len(f), length)
		var got frames
		n, err := got.feed(append(f, f...))
		is.NoErr(err)
		is.Equal(n, 2)
		is.Equal(got.count, 2)
		is.Equal(got.length, length)
	}
}

func TestFramesInPieces(t *testing.T) {
	is := is.New(t)
	stream := append(readyFrame(632), readyFrame(20)...)
	got := frames{keep: true}
	for i := range stream {
		n, err := got.feed(stream[i : i+1])
		is.NoErr(err)
		last := i == 631 || i == len(stream)-1
		is.Equal(n == 1, last)
	}
	is.Equal(got.count, 2)
	is.Equal(string(got.payload), "xxxxxxxxxxxxxxxxxx") // of the last message only
}

func TestFramesThatAreNoMessages(t *testing.T) {
	is := is.New(t)
	var f frames
	n, err := f.feed([]byte{0x89, 1, 'p', 0x8a, 0, 0x81, 0})
	is.NoErr(err)
	is.Equal(n, 1) // neither the ping nor the pong

	_, err = f.feed([]byte{0x88, 6, 0x03, 0xf1, 'l', 'o', 'n', 'g'})
	is.Equal(err.Error(), "the server closed the socket with code 1009 long")

	for name, c := range map[string]struct {
		wire []byte
		want error
	}{
		"first part": {[]byte{0x01, 1, 'a'}, errSplit},
		"next part":  {[]byte{0x80, 1, 'a'}, errSplit},
		"masked":     {[]byte{0x81, 0x81, 0, 0, 0, 0, 'a'}, errMasked},
	} {
		t.Run(name, func(t *testing.T) {
			var f frames
			if _, err := f.feed(c.wire); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

// However the bytes are cut, the count is the same.
func FuzzFrames(f *testing.F) {
	f.Add(append(readyFrame(200), readyFrame(3)...), 4)
	f.Add([]byte{0x88, 2, 0x03, 0xe8}, 3)
	f.Add([]byte{0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 'a'}, 10)
	f.Fuzz(func(t *testing.T, wire []byte, cut int) {
		if cut < 0 || cut > len(wire) {
			return
		}
		var whole, parts frames
		n, errWhole := whole.feed(wire)
		a, errParts := parts.feed(wire[:cut])
		b := 0
		if errParts == nil {
			b, errParts = parts.feed(wire[cut:])
		}
		if n != a+b || (errWhole == nil) != (errParts == nil) {
			t.Fatalf("whole: %d %v; cut at %d: %d + %d %v", n, errWhole, cut, a, b, errParts)
		}
		if n != whole.count || n > len(wire)/2 {
			t.Fatalf("%d messages in %d bytes, count %d", n, len(wire), whole.count)
		}
	})
}
