package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/events"
)

// A folder that somebody keeps is not taken for one that a killed emulator has left behind, whatever its name and place; one that
// was left behind goes.
func TestSweepTakesOnlyWhatIsTemporary(t *testing.T) {
	is := is.New(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp) // Windows
	kept := filepath.Join(tmp, "regcast-mine")
	em, err := emulator.New(emulator.Config{Data: kept})
	is.NoErr(err)
	is.NoErr(em.Close(t.Context()))
	left := filepath.Join(tmp, "regcast-123")
	is.NoErr(os.Mkdir(left, 0o700))
	is.NoErr(os.WriteFile(filepath.Join(left, "ephemeral"), nil, 0o600))
	old := time.Now().Add(-time.Hour)
	is.NoErr(os.Chtimes(filepath.Join(left, "ephemeral"), old, old))
	is.NoErr(os.Chtimes(filepath.Join(kept, "journal", "lock"), old, old))

	running, err := emulator.New(emulator.Config{})
	is.NoErr(err)
	second, err := emulator.New(emulator.Config{InMemory: true})
	is.NoErr(err)
	entries, err := filepath.Glob(filepath.Join(tmp, "regcast-*"))
	is.NoErr(err)
	is.Equal(len(entries), 3) // the kept one and those of the two that run
	is.True(slices.Contains(entries, kept))
	is.NoErr(running.Close(t.Context()))
	is.NoErr(second.Close(t.Context()))
	entries, err = filepath.Glob(filepath.Join(tmp, "regcast-*"))
	is.NoErr(err)
	is.Equal(entries, []string{kept})
}

// The same change, again and again over restarts, is another event each time.
func TestEventIDsAreNeverGivenTwice(t *testing.T) {
	is := is.New(t)
	data := t.TempDir()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 3 {
		em, err := emulator.New(emulator.Config{Data: data})
		is.NoErr(err)
		for range 50 {
			ids, err := em.Emit(t.Context(), events.Change{Kind: events.TagAttached, Repository: "a", Tag: "t", Digest: "sha256:0", At: at})
			is.NoErr(err)
			if seen[ids[0]] {
				t.Fatalf("event id %s was given before", ids[0])
			}
			seen[ids[0]] = true
		}
		is.NoErr(em.Close(t.Context()))
	}
}

// A client that stands still holds up an end without a limit, and Close with a limit ends that.
func TestCloseCutsAnEndShort(t *testing.T) {
	is := is.New(t)
	em, err := emulator.New(emulator.Config{})
	is.NoErr(err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- em.Serve(ctx) }()
	conn, err := net.Dial("tcp", em.Addr())
	is.NoErr(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "PUT /v2/app/manifests/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	is.NoErr(err)
	_, err = conn.Read(make([]byte, 1)) // 100 Continue: the request is being served
	is.NoErr(err)
	cancel()
	limit, end := context.WithCancel(context.Background())
	end()
	is.NoErr(em.Close(limit))
	is.NoErr(<-served)
}

// A follower that does not read must not hold up anything.
func TestCloseDoesNotWaitForAFollower(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{})
	conn, err := net.Dial("tcp", em.Addr())
	is.NoErr(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /_regcast/journal?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
	is.NoErr(err)
	_, err = conn.Read(make([]byte, 1)) // it is being served
	is.NoErr(err)
	changes := make([]events.Change, 20_000) // far more than the socket holds
	for i := range changes {
		changes[i] = events.Change{Kind: events.TagAttached, Repository: "a", Tag: fmt.Sprint(i), Digest: "sha256:0"}
	}
	_, err = em.Emit(t.Context(), changes...)
	is.NoErr(err)
	is.NoErr(em.Close(context.Background()))
}

func TestAFailedNewClosesTheListener(t *testing.T) {
	is := is.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	_, err = emulator.New(emulator.Config{Listener: l, Triggers: []emulator.File{{Name: "t.yaml", Data: []byte("rule: 7\n")}}})
	is.True(err != nil)
	_, err = l.Accept()
	is.True(errors.Is(err, net.ErrClosed))
}

// Pushes that are written to the journal together are one by one for those who wait for the house to be quiet.
func TestQuietAfterConcurrentEmits(t *testing.T) {
	is := is.New(t)
	em := emulatortest.Start(t, emulator.Config{Data: t.TempDir()})
	const emitters, each = 8, 25
	for round := range 5 {
		failed := make(chan error, emitters)
		for i := range emitters {
			go func() {
				var err error
				for n := 0; n < each && err == nil; n++ {
					_, err = em.Emit(t.Context(), events.Change{
						Kind: events.TagAttached, Repository: fmt.Sprintf("a%d", i), Tag: fmt.Sprint(n), Digest: "sha256:0",
					})
				}
				failed <- err
			}()
		}
		for range emitters {
			is.NoErr(<-failed)
		}
		em.Flush()
		is.Equal(em.Triggers()[0].Lost, uint64((round+1)*emitters*each)) // nobody listens: each is given up, none is forgotten
	}
}
