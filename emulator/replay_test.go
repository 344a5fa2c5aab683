package emulator_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

// record runs something in an emulator of its own and returns the recording.
func record(t *testing.T, cfg emulator.Config, run func(em *emulatortest.Emulator)) []byte {
	t.Helper()
	em := emulatortest.Start(t, cfg)
	run(em)
	em.Flush()
	var out bytes.Buffer
	if err := em.Export(context.Background(), &out, emulator.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func replay(t *testing.T, em *emulatortest.Emulator, run []byte, o emulator.ReplayOptions) emulator.ReplaySummary {
	t.Helper()
	r, err := recording.NewReader(bytes.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	s, err := em.Replay(context.Background(), r.Lines(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReplayIsIdempotent(t *testing.T) {
	is := is.New(t)
	run := record(t, emulator.Config{}, func(em *emulatortest.Emulator) {
		em.Push("team/app:v1")
		em.Push("team/app:v2")
	})

	em := emulatortest.Start(t, emulator.Config{})
	ws := em.Dial("/ws")
	s := replay(t, em, run, emulator.ReplayOptions{})
	is.Equal(s.Records, int64(2))
	is.Equal(s.Events, int64(4))
	is.Equal(s.Batches, int64(4))
	first := ws.Expect("create-image", "create-image-tag", "create-image", "create-image-tag")

	s = replay(t, em, run, emulator.ReplayOptions{})
	is.Equal(s.Records, int64(0)) // all is on record
	is.Equal(s.Known, int64(2))

	s = replay(t, em, run, emulator.ReplayOptions{Again: true})
	is.Equal(s.Records, int64(2))
	again := ws.Expect("create-image", "create-image-tag", "create-image", "create-image-tag")
	for i := range first {
		is.True(first[i].EventMetadata.EventID != again[i].EventMetadata.EventID) // new ids
		is.Equal(first[i].EventMetadata.CreatedAt, again[i].EventMetadata.CreatedAt)
		is.Equal(first[i].Details, again[i].Details)
	}
}
