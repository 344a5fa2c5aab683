package rerun_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// What happened within a moment is done in the order in which it had consequences: who opened before a frame was sent gets it, also when
// the push was before that, and who opened after it does not.
func TestASocketThatOpensWhileAFrameIsOnItsWay(t *testing.T) {
	whole := string(record(t, emulator.Config{}, func(em *emulatortest.Emulator) {
		em.Push("team/app:v1")
		em.Flush()
		em.Dial("/ws").Close()
	}))
	var header, push, frame, open, end string
	for line := range strings.Lines(whole) {
		switch {
		case header == "":
			header = line
		case strings.Contains(line, `"record":{`):
			push = line
		case strings.Contains(line, `"frame":{`) && frame == "":
			frame = line
		case strings.Contains(line, `"what":"open"`):
			open = line
		case strings.Contains(line, `"closing"`) && end == "":
			end = line
		}
	}
	for want, order := range map[string][]string{
		"1 1": {push, open, frame, end}, // the frame is of the first of two events, whose batches go one by one
		"0 0": {push, frame, open, end},
	} {
		is := is.New(t)
		var sent []string
		r, err := recording.NewReader(bytes.NewReader(again(t, []byte(header+strings.Join(order, "")), nil)))
		is.NoErr(err)
		for line, err := range r.Lines() {
			is.NoErr(err)
			if line.Frame != nil {
				sent = append(sent, fmt.Sprint(line.Frame.Sent))
			}
		}
		is.Equal(strings.Join(sent, " "), want)
	}
}

// An hour's batches are the same however fast the hour goes: at its own pace, at ten times that, and as fast as it can.
func TestAnHoursBatchesAreTheSameAtAnySpeed(t *testing.T) {
	var want string
	for name, o := range map[string]emulator.ReplayOptions{
		"1x": {Speed: 1}, "10x": {Speed: 10}, "max": {Virtual: true}, "watched": {Virtual: true, Speed: 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			is := is.New(t)
			em := emulatortest.Start(t, emulator.Config{
				Listener: emulatortest.NewNetwork(), Triggers: []emulator.File{{Name: "batched.yaml", Data: []byte(batched)}},
			})
			em.Dial("ws://d5dregcastgateway000.apigw.localhost/ws")
			began := time.Now()
			if o.Speed == 10 { // gaps that are a tenth must be in a house whose time goes ten times as fast
				is.NoErr(em.SetSpeed(10))
				o.Speed = 1
			}
			s, err := em.Replay(t.Context(), hour, o)
			is.NoErr(err)
			is.Equal(s.Records, int64(120))
			took := time.Since(began)
			switch name {
			case "1x":
				is.True(took >= 59*time.Minute)
			case "10x":
				is.True(took >= 5*time.Minute && took < 10*time.Minute)
			case "max":
				is.True(took < time.Minute)
			}
			var out bytes.Buffer
			is.NoErr(em.Export(t.Context(), &out, emulator.ExportOptions{}))
			r, err := recording.NewReader(&out)
			is.NoErr(err)
			var batches []string
			for line, err := range r.Lines() {
				is.NoErr(err)
				if f := line.Frame; f != nil {
					batches = append(batches, fmt.Sprint(f.Sent, f.Events))
				}
			}
			is.True(len(batches) >= 40)
			if got := strings.Join(batches, "\n"); want == "" {
				want = got
			} else if got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		})
	}
}

// hour is 120 pushes over about an hour, in bursts that fill batches and with gaps that do not.
func hour(yield func(recording.Line, error) bool) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for n := range 120 {
		at = at.Add([]time.Duration{time.Second, 3 * time.Second, 85 * time.Second, 20 * time.Second, 40 * time.Second}[n%5])
		r := events.Record{Origin: events.OriginRegistry, At: at, Changes: []events.Change{{
			Kind: events.TagAttached, Repository: "team/app", Tag: fmt.Sprint("v", n), At: at, Rev: uint64(n + 1),
			Digest: "sha256:" + strings.Repeat("0", 64),
		}}}
		if !yield(recording.Line{At: at, Record: &r}, nil) {
			return
		}
	}
}
