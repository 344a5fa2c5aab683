package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// environment is a process and its runtime API, one invocation at a time. The goroutine of run owns it.
type environment struct {
	pool     *pool
	runner   *Runner
	def      *definition
	slot     int
	out      *output
	assigned chan *invocation // room for one
	taken    bool             // something is assigned; under pool.mu
	settling bool             // it has answered and has not asked for the next; under pool.mu

	api  *api // of the process; nil before the first
	proc *process
}

func newEnvironment(p *pool, d *definition, slot int) *environment {
	e := &environment{pool: p, runner: p.runner, def: d, slot: slot, assigned: make(chan *invocation, 1)}
	e.out = &output{clock: p.runner.o.Clock, emit: func(line []byte) { p.runner.o.Log(d.Name, line) }}
	return e
}

// run serves invocations until there is no use for the environment.
func (e *environment) run(in *invocation) {
	defer e.runner.owners.Done()
	defer e.pool.left(e)
	reason := "spindown"
	for in != nil {
		if fail := e.serve(in); fail != nil {
			reason = "failure"
			if fail.status == "timeout" {
				reason = "timeout"
			}
			break
		}
		in = e.rest()
	}
	e.end(reason)
	if reason == "spindown" {
		_ = os.RemoveAll(e.tmp()) // after a failure the next environment finds it, as on Lambda
	}
}

// serve carries one invocation through. A failure means that the process is of no more use.
func (e *environment) serve(in *invocation) *failure {
	clk := e.runner.o.Clock
	var broken *failure
	in.process = true
	e.runner.flights.add(e.def.Name, in)
	if e.proc == nil {
		starts := time.Now()
		in.init, broken = e.initialize(in)
		in.starting = max(time.Since(starts), 1)
	}
	began, limit := clk.Now(), e.limited(in, e.def.timeout)
	defer limit.Stop()
	deadline := time.Now().Add(e.def.timeout) // the process goes by the machine's clock
	if e.def.Debug {
		deadline = deadline.Add(24 * time.Hour)
	}
	in.began, in.given, in.settles = began, time.Now(), func() {
		e.pool.answers(in)
		e.pool.settles(e)
	}
	e.out.begin(in, e.def.Version)
	if broken != nil { // the init runs again, now on the invocation's time
		in.init, in.starting = 0, 0
		e.end("failure")
		if broken = e.start(limit); broken != nil {
			e.out.initReport(clk.Now().Sub(began), "invoke", broken)
		}
	}
	if broken == nil {
		e.api.give(in, deadline)
		broken = e.watch(in, limit)
	}
	e.finish(in, broken)
	return broken
}

// settleTime is how long an environment that has answered may take to ask for the next invocation before others are started for those
// that wait. It is real time: the process has no other.
const settleTime = 50 * time.Millisecond

// watch waits until the invocation is over, and answers it when the process does not.
func (e *environment) watch(in *invocation, limit *limit) *failure {
	answered := in.answered
	var late <-chan time.Time
	for {
		select {
		case <-in.released:
			return nil
		case <-answered:
			answered = nil
			timer := time.NewTimer(settleTime)
			defer timer.Stop()
			late = timer.C
		case <-late:
			e.pool.lingers(e)
		case f := <-e.api.broken:
			return f
		case <-e.proc.exited:
			e.api.settle() // an answer may still be on its way through the handler
			select {
			case f := <-e.api.broken: // it was to be killed
				return f
			default:
				return e.proc.failure()
			}
		case <-limit.slow.C():
			limit.hangs()
		case <-limit.C():
			return timedOut(e.def.timeout)
		case <-e.runner.dead.Done():
			return closed()
		}
	}
}

// finish answers what is not answered, and writes the END and REPORT lines.
func (e *environment) finish(in *invocation, broken *failure) {
	took := e.runner.o.Clock.Now().Sub(in.began)
	if broken != nil {
		e.proc.kill()
		if !in.answer(e.runner.o.Clock, broken.body(in.ID), unhandled) && broken.status == "error" {
			broken = &failure{} // it had answered: to the caller all is well
		}
	}
	if e.proc != nil {
		if broken != nil {
			<-e.proc.exited
		}
		e.proc.drain()
	}
	if broken != nil && broken.status != "" {
		e.runner.note(e.def.Name, StepFailed, e.def.Name+": "+broken.text(in.ID), map[string]any{"request": in.ID, "type": broken.kind})
	}
	e.out.end(in, report{took: took, init: in.init, memory: e.def.memory, used: e.proc.peak(), fail: broken})
	e.pool.told(in)
	e.pool.done(in)
}

// rest waits for the next invocation; nil: the environment is to end.
func (e *environment) rest() *invocation {
	in, stay := e.pool.rest(e)
	if in != nil || !stay {
		return in
	}
	idle := e.timer(e.runner.o.Idle)
	defer idle.Stop()
	e.pool.count(-1) // not before its time runs: whoever is told that all is quiet may move the clock
	defer e.pool.count(1)
	var next *invocation
	select {
	case next = <-e.assigned:
	case <-idle.C():
	case <-e.def.retired:
	case <-e.proc.exited:
		e.runner.note(e.def.Name, StepFailed, e.def.Name+": a process ended while it was idle: "+e.proc.failure().message, nil)
	case <-e.api.broken:
		e.proc.kill()
		<-e.proc.exited
	}
	if next == nil {
		if !e.pool.rise(e) {
			return nil
		}
		next = <-e.assigned // it came at the same moment
	}
	select {
	case <-e.proc.exited:
		e.pool.again(next)
		return nil
	default:
		return next
	}
}

// initialize is the init phase: it starts the process and lets it come to its first next.
func (e *environment) initialize(in *invocation) (time.Duration, *failure) {
	clk := e.runner.o.Clock
	began, limit := clk.Now(), e.limited(in, InitLimit)
	defer limit.Stop()
	defer e.pool.wakes(in, false)
	e.out.say("INIT_START Runtime Version: regcast")
	fail := e.start(limit)
	took := clk.Now().Sub(began)
	if fail != nil {
		e.out.initReport(took, "init", fail)
	}
	return max(took, 1), fail // 0 would mean warm
}

// start makes a process and waits until it is ready.
func (e *environment) start(limit *limit) *failure {
	broken := func(err error) *failure {
		return &failure{kind: "Runtime.InvalidEntrypoint", message: err.Error(), status: "error"}
	}
	err := os.MkdirAll(e.tmp(), 0o700)
	if err != nil {
		return broken(err)
	}
	if e.api, err = newAPI(e.def, e.runner.o.Clock); err != nil {
		return broken(err)
	}
	command, err := e.command()
	if err == nil {
		e.proc, err = e.runner.starter.start(command, e.out)
	}
	if err != nil {
		e.api.close()
		e.proc = nil
		return broken(err)
	}
	for {
		select {
		case <-e.api.ready:
			return nil
		case fail := <-e.api.broken:
			return fail
		case <-e.proc.exited:
			e.api.settle()
			select {
			case fail := <-e.api.broken: // it said why before it went
				return fail
			default:
				return e.proc.failure()
			}
		case <-limit.slow.C():
			limit.hangs()
		case <-limit.C():
			return timedOut(limit.within)
		case <-e.runner.dead.Done():
			return closed()
		}
	}
}

// end ends the process: at once, or after SIGTERM and a grace when an extension asked for that, as Lambda does.
func (e *environment) end(reason string) {
	if e.proc == nil {
		return
	}
	grace := e.api.shutdown(reason)
	if e.def.Debug {
		grace = 2 * time.Second // the debugger has a process of its own to end
	}
	if grace > 0 && reason == "spindown" {
		e.proc.terminate()
		// Real time: the process has no other, and a clock that stands still must not keep it alive.
		timer := time.NewTimer(grace)
		select {
		case <-e.proc.exited:
		case <-timer.C:
		case <-e.runner.dead.Done():
		}
		timer.Stop()
	}
	e.proc.kill()
	<-e.proc.exited
	e.proc.close()
	e.api.close()
	e.out.flush()
	e.proc = nil
}

// tmp is the environment's /tmp.
func (e *environment) tmp() string {
	return filepath.Join(e.runner.dir, "tmp", fileName(e.def.Name), strconv.Itoa(e.slot))
}

// timer returns an alarm d from now; none when a debugger may hold everything up.
func (e *environment) timer(d time.Duration) alarm {
	if e.def.Debug {
		return never{}
	}
	return e.runner.o.Clock.NewTimer(d)
}

// alarm is what environments use of clock.Timer.
type alarm interface {
	C() <-chan time.Time
	Stop()
}

type never struct{}

func (never) C() <-chan time.Time { return nil }
func (never) Stop()               {}

// fileName makes a function's name fit for a folder.
func fileName(name string) string {
	safe := []byte(name)
	for i, c := range safe {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			safe[i] = '_'
		}
	}
	if string(safe) != name || name == "" {
		return fmt.Sprintf("%s-%x", safe, name)
	}
	return name
}
