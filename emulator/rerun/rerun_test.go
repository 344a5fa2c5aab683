package rerun_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const batched = `
name: batched
rule:
  container_registry:
    event_type: [CONTAINER_REGISTRY_EVENT_TYPE_CREATE_IMAGE_TAG]
    registry_id: crpregcastregistry00
    batch_settings: {size: "3", cutoff: 10s}
    gateway_websocket_broadcast: {gateway_id: d5dregcastgateway000, path: /ws, service_account_id: ajeregcastaccount000}
`

// recorded is a run of an hour: pushes now and then, batches that fill and batches whose time comes, sockets that come and go.
func recorded(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	em, err := emulator.New(emulator.Config{
		Record: &out, Frozen: true, InMemory: true, Triggers: []emulator.File{{Name: "batched.yaml", Data: []byte(batched)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- em.Serve(context.Background()) }()
	house := emulatortest.Attach(t, em)
	first := house.Dial("/ws")
	for i := range 40 {
		house.Push("team/app:v" + string(rune('a'+i%26)))
		if i == 10 {
			house.Flush() // who opens while a frame is on its way gets it or not
			house.Dial("/ws?late=1").Write([]byte("hello"))
		}
		switch {
		case i == 30:
			first.Close()
		case i < 30:
			first.Write([]byte("still here"))
		}
		gap := time.Second
		if i%7 == 0 {
			gap = 5 * time.Minute
		}
		if err := em.Advance(t.Context(), gap); err != nil {
			t.Fatal(err)
		}
	}
	if err := em.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// frames are what sockets got: the bytes, how many took them, and when.
func frames(t *testing.T, run []byte) (out []string) {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	for line, err := range r.Lines() {
		if err != nil {
			t.Fatal(err)
		}
		if f := line.Frame; f != nil && !f.In {
			out = append(out, strings.Join([]string{line.At.Format(time.RFC3339Nano), f.Gateway, f.Path, string(rune('0' + f.Sent)), string(f.Data)}, " "))
		}
	}
	return out
}

// What is recorded in one process is, byte for byte and second for second, what every replay gives.
func TestRerunGivesTheSameFrames(t *testing.T) {
	is := is.New(t)
	golden := recorded(t)
	want := frames(t, golden)
	is.True(len(want) > 15)
	for range 10 {
		r, err := recording.NewReader(bytes.NewReader(golden))
		is.NoErr(err)
		cfg, notices := rerun.Config(r.Header().Configuration, nil)
		is.Equal(len(notices), 0)
		cfg.InMemory = true
		var out bytes.Buffer
		_, err = rerun.Run(t.Context(), r, cfg, rerun.Options{Out: &out, Notice: func(s string) { t.Error(s) }})
		is.NoErr(err)
		got := frames(t, out.Bytes())
		is.Equal(len(got), len(want))
		for i := range want {
			if got[i] != want[i] {
				_ = os.WriteFile("/tmp/lead5/golden.jsonl", golden, 0o644)
				_ = os.WriteFile("/tmp/lead5/out.jsonl", out.Bytes(), 0o644)
				t.Fatalf("frame %d:\n got %s\nwant %s", i, got[i], want[i])
			}
		}
	}
}
