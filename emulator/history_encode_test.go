package emulator_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/recording"
)

// What is written by hand reads as what encoding/json writes.
func FuzzEncodeFrame(f *testing.F) {
	f.Add("d5d", "/ws", "c1", "", []byte(`{"messages":[]}`), 2, true, false, int64(1))
	f.Add("d5d\xff", "/{a}", "", "gone", []byte("\x00\x1f\n\t\"\\\u2028é<\x7f"), 0, false, true, int64(0))
	f.Add("", "", "", "", []byte("\xff\xfe"), -1, false, false, int64(1e18))
	f.Fuzz(func(t *testing.T, gateway, path, connection, wrong string, data []byte, sent int, in, binary bool, at int64) {
		l := recording.Line{At: time.Unix(0, at).UTC(), Frame: &recording.Frame{
			Gateway: gateway, Path: path, Connection: connection, Error: wrong, Data: data, Sent: sent, In: in, Binary: binary,
		}}
		if in {
			l.Frame.Events, l.Frame.During = []string{gateway, path}, []string{connection}
		}
		want, err := l.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var a, b recording.Line
		if err := json.Unmarshal(want, &a); err != nil {
			t.Fatal(err)
		}
		got := emulator.EncodeFrame(l)
		if err := json.Unmarshal(got, &b); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		again, err := json.Marshal(b.Frame)
		if err != nil {
			t.Fatal(err)
		}
		if once, err := json.Marshal(a.Frame); err != nil || !bytes.Equal(once, again) || !a.At.Equal(b.At) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// What is more than the journal takes in one entry is left out, and told.
func TestAGreatInvocationIsShortened(t *testing.T) {
	is := is.New(t)
	quotes := []byte(strings.Repeat(`"`, 5<<20)) // twice as much as JSON
	data, err := emulator.EncodeLine(recording.Line{Invocation: &recording.Invocation{ID: "1", Input: []byte(`{}`), Output: quotes}})
	is.NoErr(err)
	var l recording.Line
	is.NoErr(json.Unmarshal(data, &l))
	is.Equal(l.Invocation.Omitted, len(quotes))
	is.Equal(string(l.Invocation.Input), `{}`)
	is.Equal(len(l.Invocation.Output), 0)
}
