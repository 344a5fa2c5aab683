package rerun_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// part is a recording that began when two sockets were open, one of which goes later, and one had come and gone.
func part(t *testing.T) (run []byte, own func(*emulator.Config)) {
	own = func(cfg *emulator.Config) { inProcess(t, cfg) }
	cfg := emulator.Config{
		Triggers: []emulator.File{{Name: "invoking.yaml", Data: []byte(invoking)}},
		Gateways: []emulator.Gateway{{ID: "d5dposts", File: emulator.File{Name: "posts.yaml", Data: []byte(gatewaySpec)}}},
	}
	own(&cfg)
	var out bytes.Buffer
	record(t, cfg, func(em *emulatortest.Emulator) {
		dial := func(query string) *emulatortest.Socket {
			s := em.Dial(strings.Replace(em.URL(), "http", "ws", 1) + "/gw/d5dposts/ws" + query)
			em.Flush()
			return s
		}
		push := func(reference string) {
			em.Push(reference)
			em.Flush()
			advance(t, em, 20*time.Second)
		}
		leave(t, em, dial("?who=gone").Close)
		a := dial("?who=a")
		b := dial("?who=b")
		push("team/app:before")
		advance(t, em, time.Minute)
		begin := em.ClockState().Now
		advance(t, em, 5*time.Minute)
		push("team/app:v1")
		a.Write([]byte("hello"))
		em.Flush()
		c := dial("?who=c")
		push("team/app:v2")
		leave(t, em, a.Close)
		push("team/app:v3")
		if err := em.Export(t.Context(), &out, emulator.ExportOptions{From: begin}); err != nil {
			t.Fatal(err)
		}
		b.Close()
		c.Close()
	})
	return out.Bytes(), own
}

// Who was connected when a recording began is connected before the new one begins: what came of connecting then is in neither.
func TestSocketsThatWereOpenWhenTheRecordingBegan(t *testing.T) {
	is := is.New(t)
	run, own := part(t)
	today := again(t, run, own)
	is.Equal(frames(t, today), frames(t, run))
	want, err := recording.NewReader(bytes.NewReader(run))
	is.NoErr(err)
	got, err := recording.NewReader(bytes.NewReader(today))
	is.NoErr(err)
	report, err := diff.Compare(want, got, diff.Options{})
	is.NoErr(err)
	var text strings.Builder
	is.NoErr(report.Text(&text))
	if !report.Same() || !strings.Contains(text.String(), "same: 3 sockets, 2 functions") {
		t.Error(text.String())
	}
}

// What goes wrong on purpose does so from where the recording begins.
func TestFaultsBeginWithTheRecording(t *testing.T) {
	is := is.New(t)
	run, own := part(t)
	r, err := recording.NewReader(bytes.NewReader(run))
	is.NoErr(err)
	cfg, _ := rerun.Config(r.Header().Configuration, nil)
	cfg = local(cfg)
	own(&cfg)
	cfg.Faults = []emulator.Fault{{Step: emulator.FaultConnection, Action: emulator.FaultError, Code: "503", Next: 1}}
	var opened, refused []string
	_, err = rerun.Run(t.Context(), r, cfg, rerun.Options{
		Begun:  func() { refused = append(refused, "begun") },
		Opened: func(recorded, _ string) { opened = append(opened, recorded) },
		Notice: func(s string) { refused = append(refused, s) },
	})
	is.NoErr(err)
	is.Equal(len(opened), 2) // a and b, who were there
	is.Equal(len(refused), 2)
	is.Equal(refused[0], "begun")
	is.True(strings.Contains(refused[1], "/ws?who=c was let in then and is not now: answered 5"))
}
