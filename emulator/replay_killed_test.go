package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

// pushes is a recording of n pushes, of which some are out of order by two gaps.
func pushes(n int, gap time.Duration) func(func(recording.Line, error) bool) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return func(yield func(recording.Line, error) bool) {
		for i := range n {
			at := start.Add(time.Duration(i) * gap)
			if i%10 == 5 {
				at = at.Add(-2 * gap)
			}
			r := events.Record{Origin: events.OriginRegistry, At: at, Changes: []events.Change{{
				Kind: events.TagAttached, Repository: "team/app", Tag: fmt.Sprint("v", i), Digest: "sha256:" + strings.Repeat("0", 64), At: at, Rev: uint64(i + 1),
			}}}
			if !yield(recording.Line{At: at, Record: &r}, nil) {
				return
			}
		}
	}
}

// onRecord counts the events of the journal by their ids.
func onRecord(t *testing.T, em *emulatortest.Emulator) map[string]int {
	t.Helper()
	var ids = map[string]int{}
	for line, err := range exported(t, em).Lines() {
		if err != nil {
			t.Fatal(err)
		}
		if line.Record != nil {
			for _, ev := range line.Record.Events {
				ids[ev.ID]++
			}
		}
	}
	return ids
}

func exported(t *testing.T, em *emulatortest.Emulator) *recording.Reader {
	t.Helper()
	var out strings.Builder
	if err := em.Export(t.Context(), &out, emulator.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := recording.NewReader(strings.NewReader(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A replay that is killed goes on where it was: afterwards every event is on record once.
func TestAReplaySurvivesKill9(t *testing.T) {
	is := is.New(t)
	if data := os.Getenv(victim); data != "" {
		em := emulatortest.Start(t, emulator.Config{Data: data})
		_, err := em.Replay(t.Context(), pushes(2000, time.Minute), emulator.ReplayOptions{Eager: true, Progress: func(p emulator.ReplayProgress) {
			if p.Records == 700 {
				self, err := os.FindProcess(os.Getpid())
				is.NoErr(err)
				is.NoErr(self.Kill())
				select {}
			}
		}})
		is.NoErr(err)
		return
	}
	data := t.TempDir()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), victim+"="+data)
	out, err := c.CombinedOutput()
	if died := (*exec.ExitError)(nil); !errors.As(err, &died) {
		t.Fatalf("it lives: %v\n%s", err, out)
	}
	em := emulatortest.Start(t, emulator.Config{Data: data})
	s, err := em.Replay(t.Context(), pushes(2000, time.Minute), emulator.ReplayOptions{})
	is.NoErr(err)
	is.Equal(s.Records+s.Known, int64(2000))
	is.True(s.Known > 0 && s.Known <= 700)
	ids := onRecord(t, em)
	is.Equal(len(ids), 2000)
	for id, n := range ids {
		if n != 1 {
			t.Errorf("%s is on record %d times", id, n)
		}
	}
}

// A replay that is ended keeps what it has done and goes on later, while clients push and a hundred sockets hear of all.
func TestAReplayIsEndedWhileOthersPush(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{InMemory: true})
	for range 100 {
		em.Dial("/ws")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var pushing sync.WaitGroup
	pushing.Go(func() {
		for i := range 20 {
			_, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "other", Tag: fmt.Sprint("w", i), Digest: "sha256:" + strings.Repeat("1", 64)})
			is.NoErr(err)
		}
	})
	s, err := em.Replay(ctx, pushes(200, time.Second), emulator.ReplayOptions{Virtual: true, Progress: func(p emulator.ReplayProgress) {
		if p.Records == 50 {
			cancel()
		}
	}})
	is.True(errors.Is(err, context.Canceled))
	is.Equal(s.Records, int64(50))
	s, err = em.Replay(t.Context(), pushes(200, time.Second), emulator.ReplayOptions{Virtual: true})
	is.NoErr(err)
	is.Equal(s.Known, int64(50))
	is.Equal(s.Records, int64(150))
	pushing.Wait()
	em.Flush()
	is.Equal(len(onRecord(t, em)), 220)
	sent := 0
	for line, err := range exported(t, em).Lines() {
		is.NoErr(err)
		if line.Frame != nil {
			is.Equal(line.Frame.Sent, 100)
			sent += len(line.Frame.Events)
		}
	}
	is.Equal(sent, 220)
}

// What others have recorded keeps its words, byte for byte but for space between them, whatever regcast would say in their place.
func TestForeignEventsKeepTheirWords(t *testing.T) {
	is := is.New(t)
	first, _ := firstOf(t, pushes(1, 0))
	word := func() events.Record {
		em := emulatortest.Start(t, emulator.Config{InMemory: true})
		_, err := em.Replay(t.Context(), pushes(1, 0), emulator.ReplayOptions{})
		is.NoErr(err)
		for line, err := range exported(t, em).Lines() {
			is.NoErr(err)
			if line.Record != nil {
				return *line.Record
			}
		}
		t.Fatal("nothing is on record")
		return events.Record{}
	}()
	word.Origin = events.OriginForeign
	word.Events[0].ID = "crpsomebodyelses0000"
	word.Events[0].Body = []byte(`{"event_metadata":{"event_id":"crpsomebodyelses0000","created_at":"2025-01-01T00:00:00Z"},"details":{"more":"than <we> & \u00e4 know","tag":"v0"}}`)
	first.Record = &word
	em := emulatortest.Start(t, emulator.Config{InMemory: true})
	one := func(yield func(recording.Line, error) bool) {
		_ = yield(recording.Line{At: first.At}, nil) && yield(first, nil) // a line of a kind that nobody knows does nothing
	}
	for _, want := range []int64{1, 0} {
		s, err := em.Replay(t.Context(), one, emulator.ReplayOptions{})
		is.NoErr(err)
		is.Equal(s.Records, want)
	}
	for line, err := range exported(t, em).Lines() {
		is.NoErr(err)
		if line.Record != nil {
			is.Equal(line.Record.Events[0].ID, word.Events[0].ID)
			is.Equal(string(line.Record.Events[0].Body), string(word.Events[0].Body))
		}
	}
}

func firstOf(t *testing.T, lines func(func(recording.Line, error) bool)) (recording.Line, error) {
	t.Helper()
	for line, err := range lines {
		return line, err
	}
	t.Fatal("there is no line")
	return recording.Line{}, nil
}
