//go:build unix

package runner_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/events"
)

func TestNoDebugger(t *testing.T) {
	h := open(t)
	self, err := os.Executable()
	h.is.NoErr(err)
	t.Setenv("PATH", t.TempDir())
	err = h.Set(t.Context(), runner.Function{Name: "f", Executables: []string{self}, Debug: true})
	h.is.True(err != nil && strings.Contains(err.Error(), "go install github.com/go-delve/delve/cmd/dlv@latest"))
}

// How a debugger is started, and that nothing hurries who uses it. What stands for dlv here runs the program at once.
func TestADebugger(t *testing.T) {
	notes := make(chan events.Step, 1)
	h := open(t, func(o *runner.Options) { o.Note = func(s events.Step) { notes <- s } })
	bin := t.TempDir()
	h.is.NoErr(os.WriteFile(filepath.Join(bin, "dlv"), []byte("#!/bin/sh\necho dlv \"$@\"\nfor program; do :; done\nexec \"$program\"\n"), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	h.set("hang", func(f *runner.Function) { f.Debug = true })
	hanging := h.invoking("hang", `"hang"`)
	step := <-notes
	h.is.Equal(step.What, runner.StepDebugger)
	listen, _ := step.Data["listen"].(string)
	h.is.Equal(step.Text, "hang waits for a debugger: dlv connect "+listen)
	self, err := os.Executable()
	h.is.NoErr(err)
	h.log.wait("dlv exec --headless --accept-multiclient --api-version=2 --listen=" + listen + " " + self)
	h.log.wait("hanging")
	h.is.Equal(h.log.count("dlv connect"), 0) // the step says it
	h.clock.Advance(24 * time.Hour)
	h.is.Equal(h.info("hang").Environments, 1)
	h.set("about", func(f *runner.Function) { f.Debug, f.DebugListen = true, "127.0.0.1:0" })
	var about struct{ Left float64 }
	h.is.NoErr(json.Unmarshal(h.invoke("about", "null").Payload, &about))
	h.is.True(about.Left > 3600) // nor is the handler's context in a hurry
	h.is.Equal((<-notes).Who, "about")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.is.NoErr(h.Close(ctx))
	h.is.True(strings.Contains(string((<-hanging).Payload), "the emulator was closed"))
}
