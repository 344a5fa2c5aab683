package emulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

// standing is a writer that stands still at the first record until it may go on.
type standing struct {
	bytes.Buffer
	goOn  chan struct{}
	stood bool
}

func (s *standing) Write(p []byte) (int, error) {
	if !s.stood && bytes.Contains(p, []byte(`"record":`)) {
		s.stood = true
		<-s.goOn
	}
	return s.Buffer.Write(p)
}

// A message of the journal has several entries. A recording that is ended in the middle of one has the others too, and each once.
func TestARecordingEndsInTheMiddleOfAMessage(t *testing.T) {
	is := is.New(t)
	const n = 50
	run := record(t, emulator.Config{}, func(em *emulatortest.Emulator) {
		for i := range n {
			em.Push(fmt.Sprintf("team/app:v%d", i))
		}
	})

	out := standing{goOn: make(chan struct{})}
	em, err := emulator.New(emulator.Config{Record: &out, Data: t.TempDir()})
	is.NoErr(err)
	em.WhenRecordEnds(func() { close(out.goOn) })
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	replay(t, emulatortest.Attach(t, em), run, emulator.ReplayOptions{Virtual: true}) // many in one message
	is.NoErr(em.EndRecord())
	is.NoErr(errors.Join(em.Close(t.Context()), <-served))

	got := map[string]int{}
	r, err := recording.NewReader(&out.Buffer)
	is.NoErr(err)
	for line, err := range r.Lines() {
		is.NoErr(err)
		if line.Record != nil {
			got[line.Record.Events[0].ID]++
		}
	}
	is.Equal(len(got), n) // none is missing
	for id, times := range got {
		if times != 1 {
			t.Errorf("%s is recorded %d times", id, times)
		}
	}
}

// A part of the history begins with the sockets that are open there.
func TestAPartOfTheHistoryBeginsWithItsSockets(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Frozen: true})
	em.Dial("/ws?gone=1").Close()
	em.Flush()
	stays := em.Dial("/ws?stays=1")
	is.NoErr(em.Advance(t.Context(), time.Minute))
	begin := em.ClockState().Now

	ctx, end := context.WithCancel(t.Context())
	pipe, followed := io.Pipe()
	var exported sync.WaitGroup
	exported.Go(func() {
		is.NoErr(em.Export(ctx, followed, emulator.ExportOptions{Follow: true}))
		is.NoErr(followed.Close())
	})
	live, err := recording.NewReader(pipe) // it has begun
	is.NoErr(err)
	em.Push("team/app:v1")
	em.Flush()
	stays.Close()
	em.Flush()
	var out bytes.Buffer
	is.NoErr(em.Export(t.Context(), &out, emulator.ExportOptions{From: begin}))
	part, err := recording.NewReader(&out)
	is.NoErr(err)
	for name, run := range map[string]*recording.Reader{"followed": live, "from a time": part} {
		var sockets []string
		pushed := false
		for line, err := range run.Lines() {
			is.NoErr(err)
			pushed = pushed || line.Record != nil
			if line.Socket == nil {
				continue
			}
			sockets = append(sockets, line.Socket.What+" "+line.Socket.URL)
			is.Equal(line.At, begin) // where the part begins; the clock stands still
			if line.Socket.What == recording.Opened {
				is.Equal(line.Socket.Since, begin.Add(-time.Minute))
			}
			is.Equal(pushed, line.Socket.What == recording.Closed)
			if line.Socket.What == recording.Closed {
				end()
			}
		}
		if got, want := strings.Join(sockets, ", "), "open /ws?stays=1, close "; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	end()
	exported.Wait()
}
