package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner/build"
	"github.com/regcast/regcast/events"
)

// What a runner's steps say.
const (
	StepNotice   = "notice"   // something about a function that a person should know
	StepSwapped  = "swapped"  // a changed function took its predecessor's place
	StepUnbuilt  = "unbuilt"  // a changed function could not be built: its predecessor goes on
	StepFailed   = "failed"   // a process gave no answer: it ended, hung or could not start
	StepDebugger = "debugger" // a process waits for a debugger
)

func (r *Runner) note(name, what, text string, data map[string]any) {
	r.o.Note(events.Step{At: r.o.Clock.Now(), Room: "runner", What: what, Who: name, Text: text, Data: data})
}

// define makes f runnable: it finds or builds its executable.
func (r *Runner) define(ctx context.Context, f Function) (*definition, error) {
	d := &definition{
		Function: f, timeout: cmp.Or(f.Timeout, 3*time.Second), memory: cmp.Or(f.Memory, 128), limit: cmp.Or(f.Limit, r.limit),
		retired: make(chan struct{}),
	}
	d.Version = cmp.Or(f.Version, "$LATEST")
	d.processes = max(1, min(r.procs, d.limit))
	hasCode := len(f.Executables) > 0 || f.Package != ""
	switch {
	case f.Name == "":
		return nil, errors.New("no Name")
	case f.Handler == nil && !hasCode:
		return nil, errors.New("nothing to run: want a Handler, Executables or a Package")
	case f.Handler != nil && hasCode:
		return nil, errors.New("got a Handler and Executables or a Package, want one of them")
	case f.Timeout < 0:
		return nil, fmt.Errorf("got Timeout %v, want more than 0", f.Timeout)
	case f.Handler != nil:
		d.Handler = safe(f.Handler)
		return d, nil
	}
	if f.Debug {
		if err := d.debug(); err != nil {
			return nil, err
		}
	}
	result, err := build.Build(ctx, r.builds(), source(f))
	if err != nil {
		return nil, err
	}
	for _, notice := range result.Notices {
		r.note(f.Name, StepNotice, notice, nil)
	}
	d.path, d.dir, d.sum = result.Path, result.Dir, result.Sum
	if f.Dir != "" {
		if d.dir, err = filepath.Abs(f.Dir); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// builds are in real time: files and compilers have no other.
func (r *Runner) builds() build.Options {
	return build.Options{Dir: filepath.Join(r.dir, "build"), Cache: r.o.Cache, Trust: r.o.TrustCache}
}

func source(f Function) build.Source {
	return build.Source{Executables: f.Executables, Package: f.Package, Entry: f.Entry, Debug: f.Debug}
}

// debug makes ready for a debugger: one process, at an address that stays.
func (d *definition) debug() error {
	var err error
	if d.debugger, err = exec.LookPath("dlv"); err != nil {
		return fmt.Errorf("debug: %w; install it: go install github.com/go-delve/delve/cmd/dlv@latest", err)
	}
	listener, err := net.Listen("tcp", cmp.Or(d.DebugListen, "127.0.0.1:0"))
	if err != nil {
		return fmt.Errorf("debug: the debugger's address: %w", err)
	}
	d.listen, d.processes = listener.Addr().String(), 1
	return listener.Close()
}

// command is the process of an environment; its API is listening.
func (e *environment) command() (*exec.Cmd, error) {
	cmd := exec.Command(e.def.path)
	if e.def.Debug {
		cmd = exec.Command(e.def.debugger, "exec", "--headless", "--accept-multiclient", "--api-version=2", "--listen="+e.def.listen, e.def.path)
		e.runner.note(e.def.Name, StepDebugger, fmt.Sprintf("%s waits for a debugger: dlv connect %s", e.def.Name, e.def.listen),
			map[string]any{"listen": e.def.listen})
	}
	cmd.Dir = e.def.dir
	cmd.Env = e.variables()
	return cmd, cmd.Err
}
