package runner

import (
	"io"
	"os"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tree is a job object. Its processes end when its last handle does: with the emulator at the latest, however that ends.
type tree struct{ job windows.Handle }

func (t *tree) start(cmd *exec.Cmd) error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return os.NewSyscallError("CreateJobObject", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	if _, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits))); err != nil {
		_ = windows.CloseHandle(job)
		return os.NewSyscallError("SetInformationJobObject", err)
	}
	if err = cmd.Start(); err == nil {
		if err = assign(job, cmd.Process.Pid); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return err
	}
	t.job = job
	return nil
}

func assign(job windows.Handle, pid int) error {
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return os.NewSyscallError("OpenProcess", err)
	}
	defer func() { _ = windows.CloseHandle(process) }()
	return os.NewSyscallError("AssignProcessToJobObject", windows.AssignProcessToJobObject(job, process))
}

func (t *tree) kill(*exec.Cmd) { _ = windows.TerminateJobObject(t.job, 1) }

// terminate is kill: Windows has no SIGTERM.
func (t *tree) terminate(cmd *exec.Cmd) { t.kill(cmd) }

func (t *tree) close(pipe *os.File, read <-chan struct{}) {
	_ = windows.CloseHandle(t.job)
	<-read // first: Close does not end a Read
	_ = pipe.Close()
}

func awaitZombie(int) bool { return false }

// follow reads the pipe into out until all who write to it are gone. What is in the pipe cannot be told from what is not: there is
// nothing to drain, and a last line may come after the REPORT line.
func follow(pipe *os.File, out *output, done chan struct{}) (drain func()) {
	go func() {
		defer close(done)
		_, _ = io.Copy(out, pipe)
	}()
	return func() {}
}

func peakOf(*os.ProcessState) int64 { return 0 }

func peakNow(int) int64 { return 0 }
