package emulatortest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/rerun"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/diff"
)

// GoldenOptions say how Golden compares. The zero value runs the recording's own configuration with today's files and code.
type GoldenOptions struct {
	// Config, if it is not nil, takes the place of the recording's configuration. What a run needs beside (Record, Start, Frozen) is set.
	Config *emulator.Config
	// Functions are the functions in this process, as in emulator.Config: a recording knows their names alone.
	Functions map[string]emulator.Function
	// Listener is where the emulator listens, for functions that must know it; see emulator.Config.
	Listener net.Listener
	// Header gives clients more headers: what was scrubbed from the recording, such as their authorization.
	Header map[string][]string
	// Secrets are what stood there, by the markers in its place (1a2b3c4d of [scrubbed:1a2b3c4d]): clients ask and say the same again. A
	// run that is accepted has markers of its own.
	Secrets map[string]string
	// Accept writes today's run over the recording when they differ, in place of failing: for a flag of the test, such as -accept.
	Accept bool
	// Diff says what counts as a difference.
	Diff diff.Options
}

// Golden replays a recording in an emulator of its own, under a clock that it moves, and fails the test when a user would notice a
// difference: a frame that is changed, lost, doubled, late or in another order, an invocation that now fails. Make recordings with
// `regcast record`, `regcast journal export` or emulator.Config.Record.
func Golden(t testing.TB, file string, options ...GoldenOptions) {
	t.Helper()
	var o GoldenOptions
	for _, given := range options {
		o = given
	}
	golden, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("emulatortest: golden: there is no %s; make it with `regcast record -o %s`", file, file)
	}
	if err != nil {
		t.Fatalf("emulatortest: golden: %v", err)
	}
	want, err := recording.NewReader(bytes.NewReader(golden))
	if err != nil {
		t.Fatalf("emulatortest: golden: %s: %v", file, err)
	}
	cfg := o.Config
	if cfg == nil {
		var notices []string
		var own emulator.Config
		own, notices = rerun.Config(want.Header().Configuration, os.ReadFile)
		cfg = &own
		for _, n := range notices {
			t.Logf("emulatortest: golden: %s", n)
		}
	}
	run := *cfg
	if o.Functions != nil {
		run.Functions = o.Functions
	}
	if o.Listener != nil {
		run.Listener = o.Listener
	}
	var missing []string
	for _, name := range want.Header().Configuration.InProcess {
		if run.Functions[name] == nil && o.Config == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("emulatortest: golden: %s: the functions %s ran in the process that made the recording: give them as GoldenOptions.Functions",
			file, strings.Join(missing, ", "))
	}
	complete(&run)
	var today bytes.Buffer
	if _, err := rerun.Run(context.Background(), want, run, rerun.Options{
		Out: &today, Header: o.Header, Secrets: o.Secrets, Instead: o.Config != nil, Dial: dial(run.Listener), Notice: func(s string) { t.Logf("emulatortest: golden: %s", s) },
	}); err != nil {
		t.Fatalf("emulatortest: golden: %s: %v", file, err)
	}
	report, err := compare(golden, today.Bytes(), o.Diff)
	if err != nil {
		t.Fatalf("emulatortest: golden: %s: %v", file, err)
	}
	if report.Same() {
		return
	}
	var text bytes.Buffer
	if err := report.Text(&text); err != nil {
		t.Fatalf("emulatortest: golden: %v", err)
	}
	if o.Accept {
		if err := os.WriteFile(file, today.Bytes(), 0o644); err != nil {
			t.Fatalf("emulatortest: golden: %v", err)
		}
		t.Logf("emulatortest: golden: %s is now today's run:\n%s", filepath.Base(file), &text)
		return
	}
	t.Errorf("emulatortest: golden: today's run differs from %s:\n%s", file, &text)
}

// dial reaches a listener that is no one of the network.
func dial(l net.Listener) func(context.Context) (net.Conn, error) {
	if n, ok := l.(*Network); ok {
		return n.DialContext
	}
	return nil
}

func compare(want, got []byte, o diff.Options) (diff.Report, error) {
	a, err := recording.NewReader(bytes.NewReader(want))
	if err != nil {
		return diff.Report{}, err
	}
	b, err := recording.NewReader(bytes.NewReader(got))
	if err != nil {
		return diff.Report{}, err
	}
	return diff.Compare(a, b, o)
}
