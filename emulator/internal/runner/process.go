package runner

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// process is a running program. Its own children belong to it: they end with it.
type process struct {
	cmd    *exec.Cmd
	tree   tree
	guard  *guard
	pipe   *os.File // what it writes
	read   chan struct{}
	drain  func() // reads what it has written so far
	exited chan struct{}

	// What peak found last, for the environment's goroutine.
	used     int64
	measured time.Time

	mu    sync.Mutex // held while the process is taken off the system's table
	clean bool       // its children have been killed, and its ID may be another's
}

// starter starts processes. A parent-death signal is tied to the thread that forks, not to the process (golang/go#27505): so one thread
// forks for all, and lives until the last has ended.
type starter struct {
	begin, end sync.Once
	jobs       chan func() // nil: never begun
	done       chan struct{}
	guard      *guard
}

func (s *starter) do(job func()) {
	s.begin.Do(func() {
		s.jobs, s.done = make(chan func()), make(chan struct{})
		go func() {
			defer close(s.done)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			s.guard = newGuard()
			defer s.guard.close()
			for job := range s.jobs {
				job()
			}
		}()
	})
	s.jobs <- job
}

// stop ends the thread. Nothing is started afterwards.
func (s *starter) stop() {
	s.begin.Do(func() {}) // also orders the read of jobs after its making
	s.end.Do(func() {
		if s.jobs != nil {
			close(s.jobs)
			<-s.done
		}
	})
}

// start starts cmd; what it writes goes to out.
func (s *starter) start(cmd *exec.Cmd, out *output) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	p := &process{cmd: cmd, pipe: r, read: make(chan struct{}), exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = w, w // one pipe keeps the order between the two
	started := make(chan error)
	s.do(func() {
		err := p.tree.start(cmd)
		if err == nil {
			p.guard = s.guard
			p.guard.add(cmd.Process.Pid)
		}
		started <- err
	})
	err = <-started
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	p.drain = follow(r, out, p.read)
	go p.wait()
	return p, nil
}

// wait notes the end of the process and takes its children along, where the system allows that while its ID cannot be another's yet.
func (p *process) wait() {
	if awaitZombie(p.cmd.Process.Pid) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tree.kill(p.cmd)
		p.clean = true
	}
	_ = p.cmd.Wait() // its result is in cmd.ProcessState
	close(p.exited)
}

// kill ends the process and its children at once. A process that was not started needs none.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.clean {
		p.tree.kill(p.cmd)
	}
}

// terminate asks the process to end.
func (p *process) terminate() { p.tree.terminate(p.cmd) }

// close lets go of what the process left; it has exited.
func (p *process) close() {
	p.drain()
	p.guard.remove(p.cmd.Process.Pid)
	p.tree.close(p.pipe, p.read)
}

// failure tells why the process is no more; it has exited.
func (p *process) failure() *failure {
	f := &failure{kind: "Runtime.ExitError", message: "Runtime exited without providing a reason", status: "error"}
	if state := p.cmd.ProcessState; !state.Success() {
		f.message = "Runtime exited with error: " + state.String()
	}
	return f
}

// peak is the most memory that the process has had in RAM, in bytes; 0 when the system does not say.
func (p *process) peak() int64 {
	if p == nil {
		return 0
	}
	select {
	case <-p.exited:
		return peakOf(p.cmd.ProcessState)
	default:
		// Reading it takes longer than a short invocation.
		if now := time.Now(); now.Sub(p.measured) >= measureEvery {
			p.used, p.measured = peakNow(p.cmd.Process.Pid), now
		}
		return p.used
	}
}

// measureEvery is how old what is told of a process's memory may be.
const measureEvery = 100 * time.Millisecond
