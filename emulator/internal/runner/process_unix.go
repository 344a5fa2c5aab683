//go:build unix

package runner

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// tree is a process group.
type tree struct{}

func (tree) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	return cmd.Start()
}

func (tree) kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH: they are gone
}

func (tree) terminate(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }

func (tree) close(pipe *os.File, read <-chan struct{}) {
	_ = pipe.Close() // first: who left the group may still hold the other end
	<-read
}

// follow reads the pipe into out until it is closed, then closes done. The func that it returns reads what is in the pipe already: what
// the process wrote before it answered is in the log before the REPORT line.
func follow(pipe *os.File, out *output, done chan struct{}) (drain func()) {
	raw, err := pipe.SyscallConn()
	if err != nil { // never: it is open
		close(done)
		return func() {}
	}
	empty := func(fd uintptr) (end bool) {
		out.reading.Lock()
		defer out.reading.Unlock()
		if out.buffer == nil {
			out.buffer = make([]byte, 16<<10)
		}
		for {
			n, err := syscall.Read(int(fd), out.buffer)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return false
			case err != nil || n == 0:
				return true
			}
			_, _ = out.Write(out.buffer[:n]) // never fails
		}
	}
	go func() {
		defer close(done)
		_ = raw.Read(empty)
	}()
	return func() { _ = raw.Control(func(fd uintptr) { empty(fd) }) }
}

// peakOf returns the most memory of a process that has ended.
func peakOf(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
