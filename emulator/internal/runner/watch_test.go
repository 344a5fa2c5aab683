//go:build unix

package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/events"
)

func TestAChangeIsSwappedIn(t *testing.T) {
	notes := make(chan events.Step, 8)
	h := open(t, func(o *runner.Options) {
		o.Watch = true
		o.Note = func(s events.Step) {
			if s.What != runner.StepFailed {
				notes <- s
			}
		}
	})
	self, err := os.Executable()
	h.is.NoErr(err)
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	write := func(program string) { // as a compiler does: the file that runs is not written to
		h.is.NoErr(os.WriteFile(bootstrap+".new", []byte("#!/bin/sh\n_HANDLER='"+program+"' exec "+self+"\n"), 0o700))
		h.is.NoErr(os.Rename(bootstrap+".new", bootstrap))
	}
	write("hang")
	h.set("f", func(f *runner.Function) { f.Executables = []string{bootstrap} })
	hanging := h.invoking("f", `"hang"`)
	h.log.wait("hanging")

	write("fail")
	step := <-notes
	h.is.Equal(step.What, runner.StepSwapped)
	h.is.Equal(step.Who, "f")
	kind, _ := h.failed(h.invoke("f", `1`))
	h.is.Equal(kind, "badOrder") // the new one
	h.clock.Advance(3 * time.Second)
	kind, _ = h.failed(<-hanging)
	h.is.Equal(kind, "Sandbox.Timedout") // the old one was left to end

	h.is.NoErr(os.Remove(bootstrap))
	step = <-notes
	h.is.Equal(step.What, runner.StepUnbuilt)
	h.is.True(strings.HasPrefix(step.Text, "f has changed and cannot be built; the old one goes on: "))
	h.is.True(strings.Contains(step.Text, bootstrap))

	write("echo")
	h.is.Equal((<-notes).What, runner.StepSwapped)
	h.is.Equal(string(h.invoke("f", `1`).Payload), "1")
	h.is.NoErr(h.Remove("f"))
}

// What a script runs lies beside it: another file there is another program.
func TestAChangeBesideAScriptIsSwappedIn(t *testing.T) {
	notes := make(chan events.Step, 8)
	h := open(t, func(o *runner.Options) {
		o.Watch = true
		o.Note = func(s events.Step) {
			if s.What != runner.StepFailed {
				notes <- s
			}
		}
	})
	self, err := os.Executable()
	h.is.NoErr(err)
	dir := t.TempDir()
	bootstrap := filepath.Join(dir, "bootstrap")
	h.is.NoErr(os.Mkdir(filepath.Join(dir, "lib"), 0o700))
	write := func(program string) {
		part := filepath.Join(t.TempDir(), "part") // so that it is one change
		h.is.NoErr(os.WriteFile(part, []byte(program), 0o600))
		h.is.NoErr(os.Rename(part, filepath.Join(dir, "lib", "program")))
	}
	write("echo")
	h.is.NoErr(os.WriteFile(bootstrap, []byte("#!/bin/sh\n_HANDLER=$(cat lib/program) exec "+self+"\n"), 0o700))
	h.set("f", func(f *runner.Function) { f.Executables = []string{bootstrap} })
	h.is.Equal(string(h.invoke("f", `1`).Payload), "1")
	h.is.Equal(string(h.invoke("f", `2`).Payload), "2") // warm

	write("fail")
	step := <-notes
	h.is.Equal(step.What, runner.StepSwapped)
	kind, _ := h.failed(h.invoke("f", `1`))
	h.is.Equal(kind, "badOrder") // by a process that has read it
}
