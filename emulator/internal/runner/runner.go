// Package runner runs functions: processes that speak the Lambda runtime API, and handlers in this process.
//
// One environment takes one invocation at a time; more are started under load up to the function's limit and kept warm. Doors in: Set,
// Remove, Invoke. Doors out: the funcs of Options.
package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// Options are the runner's doors. Log, Note and Invoked are called from several goroutines at once. The zero value runs functions.
type Options struct {
	// Clock drives the limits: timeouts, init phase, idle environments. A process has the machine's clock and is told its deadline by it.
	Clock clock.Clock // nil: clock.Real
	// Limit is how many invocations of one function there are at once, waiting ones included, before ErrThrottled. 0: 1000.
	Limit int
	// Processes is how many environments one function has at once; further invocations wait for one, first come first served, and the
	// wait is not on their time. 0: 4 for each processor, at least 16.
	Processes  int
	Idle       time.Duration // a warm environment that is not used for so long is ended; 0: 10 minutes
	Dir        string        // for builds and every environment's /tmp; empty: a temporary folder that Close removes
	Cache      string        // folder that outlives this process, where built functions are found again; empty: none
	TrustCache bool          // what is there is run, whatever has changed since
	Region     string        // AWS_REGION, unless Env tells another; empty: us-east-1
	// Host is the environment of this machine, as "K=V". Only the few variables without which programs do not start reach processes;
	// never credentials or profiles.
	Host []string
	// Env is what the house gives to every process: credentials, endpoints, proxy. Without it credentials are "test".
	Env  func(Function) map[string]string
	Log  func(function string, line []byte) // one line without its end, valid during the call
	Note func(events.Step)                  // it must not call Set, Remove or Close
	// Invoked hears of every invocation once, when its REPORT line is out, and of those that were throttled. Quiet and Close wait for it.
	// Of a handler it hears before the caller has the answer; of a process, whose log must be complete, behind that. The bytes must not
	// change. Nil: nobody does.
	Invoked func(Invocation)
	// Pause tells who waits for an Invoke with this ctx that it hangs: until due, or until resume is called, he only waits for his time.
	// Nil: nobody hears of it. It must not call the runner.
	Pause func(ctx context.Context, due time.Time) (resume func())
	// Through stands before every Invoke, which is what run does: it may wait, call run twice or not at all, and answer itself. So things
	// go wrong on purpose. Nil: nothing does.
	Through func(ctx context.Context, name string, q Request, run func(context.Context, Request) (Response, error)) (Response, error)
	Watch   bool // rebuild and swap a function when its source, its executable or what lies beside its script changes
}

// Runner runs functions. All methods may be called at once.
type Runner struct {
	o       Options
	limit   int
	procs   int
	dir     string          // Options.Dir, absolute; set by the first Set
	temp    bool            // dir is ours to remove
	closing context.Context // ends when Close begins
	stop    context.CancelFunc
	dead    context.Context // ends when Close runs out of time: nothing may go on
	kill    context.CancelFunc
	setting sync.Mutex // one Set at a time: builds are heavy
	starter starter
	flights flights

	// Goroutines. Add is called under mu or by one that is counted.
	owners   sync.WaitGroup
	handlers sync.WaitGroup // of functions in this process: they cannot be killed

	begun atomic.Uint64 // invocations taken

	mu     sync.RWMutex
	pools  map[string]*pool
	closed bool
}

// New returns a runner without functions.
func New(o Options) *Runner {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Log == nil {
		o.Log = func(string, []byte) {}
	}
	if o.Note == nil {
		o.Note = func(events.Step) {}
	}
	if o.Env == nil {
		o.Env = func(Function) map[string]string { return nil }
	}
	o.Idle = cmp.Or(o.Idle, 10*time.Minute)
	o.Region = cmp.Or(o.Region, "us-east-1")
	r := &Runner{o: o, limit: cmp.Or(o.Limit, 1000), procs: cmp.Or(o.Processes, max(16, 4*runtime.GOMAXPROCS(0))), pools: map[string]*pool{}}
	r.closing, r.stop = context.WithCancel(context.Background())
	r.dead, r.kill = context.WithCancel(context.Background())
	return r
}

// Set adds a function, or replaces the one of the same name: invocations in flight end on the old definition, those that wait and new
// ones go to the new. It builds what is to be built; when that fails the old definition stays. It starts no process.
func (r *Runner) Set(ctx context.Context, f Function) error {
	before, err := r.set(ctx, f)
	before.close()
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("runner: set %s: %w", f.Name, err)
	}
	return err
}

// set returns the watch that nobody needs any more.
func (r *Runner) set(ctx context.Context, f Function) (*watch, error) {
	r.setting.Lock()
	defer r.setting.Unlock()
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.owners.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.closing, cancel)()
	w, err := r.watch(f) // before the build: nothing that changes in the meantime is missed
	if err != nil {
		return nil, err
	}
	d, err := r.define(ctx, f)
	if err != nil {
		return w, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return w, ErrClosed
	}
	p := r.pools[f.Name]
	if p == nil {
		p = newPool(r, f.Name)
		r.pools[f.Name] = p
	}
	p.define(d)
	w, p.watch = p.watch, w
	return w, nil
}

// enter makes the folder for builds and temporary files, and the caller an owner, whom Close waits for.
func (r *Runner) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.dir == "" {
		dir, err := r.o.Dir, error(nil)
		if dir == "" {
			dir, err = os.MkdirTemp("", "regcast-runner-")
			r.temp = err == nil
		} else if err = os.MkdirAll(dir, 0o700); err == nil {
			dir, err = filepath.Abs(dir)
		}
		if err != nil {
			return fmt.Errorf("folder: %w", err)
		}
		r.dir = dir
	}
	r.owners.Add(1)
	return nil
}

// Remove takes a function away. Invocations that it has taken, waiting ones included, are carried through.
func (r *Runner) Remove(name string) error {
	r.mu.Lock()
	p := r.pools[name]
	if p == nil {
		r.mu.Unlock()
		return fmt.Errorf("%w: %q", ErrNoFunction, name)
	}
	delete(r.pools, name)
	p.retire()
	w := p.watch
	p.watch = nil
	r.mu.Unlock()
	w.close()
	return nil
}

// Invoke runs a function and returns what it answered as soon as the answer is in. An end of ctx ends only the wait: what has been
// taken goes on and counts until its timeout at the latest, as on Lambda.
func (r *Runner) Invoke(ctx context.Context, name string, q Request) (Response, error) {
	if len(q.Payload) > MaxPayload {
		return Response{}, fmt.Errorf("%w: %s: got %d bytes, want at most %d", ErrTooBig, name, len(q.Payload), MaxPayload)
	}
	if r.o.Through != nil {
		return r.o.Through(ctx, name, q, func(ctx context.Context, q Request) (Response, error) { return r.invoke(ctx, name, q) })
	}
	return r.invoke(ctx, name, q)
}

func (r *Runner) invoke(ctx context.Context, name string, q Request) (Response, error) {
	q.ID = cmp.Or(q.ID, newID())
	if q.TraceID == "" {
		q.TraceID = newTrace(r.o.Clock.Now())
	}
	in := newInvocation(q)
	if r.o.Invoked != nil {
		in.log = &invocationLog{}
	}
	if r.o.Pause != nil {
		in.rest = func(due time.Time) func() { return r.o.Pause(ctx, due) }
	}
	if err := r.accept(name, in); err != nil {
		r.tellThrottled(name, in, err)
		return Response{}, err
	}
	done := in.answered
	if q.Tail {
		done = in.over
	}
	select {
	case <-done:
	case <-ctx.Done():
		in.left()
		return Response{ID: q.ID}, fmt.Errorf("runner: invoke %s: %w", name, context.Cause(ctx))
	}
	response := in.response
	if q.Tail {
		response.Log = in.tail
	}
	return response, nil
}

// Timeout returns how long an invocation of a function may take; 0: there is no such function.
func (r *Runner) Timeout(name string) time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p := r.pools[name]
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.def.timeout
}

// Begun grows with all that is begun: between two calls that return the same no function was invoked.
func (r *Runner) Begun() uint64 { return r.begun.Load() }

// Quiet returns when every invocation is over: it has been answered and its REPORT line is logged. Environments are idle then, or gone. It
// returns ctx's error.
func (r *Runner) Quiet(ctx context.Context) error {
	return r.await(ctx, "quiet", (*pool).quiet)
}

func (r *Runner) accept(name string, in *invocation) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return ErrClosed
	}
	p := r.pools[name]
	if p == nil {
		return fmt.Errorf("%w: %q", ErrNoFunction, name)
	}
	r.begun.Add(1)
	return p.accept(in)
}

// Info is a function and what it does.
type Info struct {
	Name         string
	Executable   string // empty for a function in this process
	Environments int    // processes, starting and ending ones included
	Warm         int    // of these, waiting for work
	InFlight     int    // invocations taken and not over, waiting ones included
	Invocations  uint64 // taken since the function was added
	Errors       uint64 // of these, answered with a function error
	Throttled    uint64
}

// Functions returns all functions by name.
func (r *Runner) Functions() []Info {
	r.mu.RLock()
	defer r.mu.RUnlock()
	infos := make([]Info, 0, len(r.pools))
	for _, p := range r.pools {
		infos = append(infos, p.info())
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// Close takes no more invocations, lets those in flight end until ctx does, then kills. It returns when no process is left and no
// goroutine of the runner, except those of handlers in this process that do not heed their context; it names them in its error.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	var watches []*watch
	if !r.closed {
		r.closed = true
		r.stop()
		for _, p := range r.pools {
			p.retire()
			watches = append(watches, p.watch)
		}
	}
	r.mu.Unlock()
	for _, w := range watches {
		w.close()
	}

	gone, idle := make(chan struct{}), make(chan struct{})
	go func() {
		r.owners.Wait()
		close(gone)
		r.handlers.Wait()
		close(idle)
	}()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		r.kill()
		<-gone
		select { // handlers that heed their context need a moment to say so
		case <-idle:
		case <-time.After(time.Second):
			err = fmt.Errorf("runner: close: %w; handlers that are still at work: %s", context.Cause(ctx), strings.Join(r.stuck(), ", "))
		}
	}
	r.kill()
	r.starter.stop()
	if r.temp {
		err = errors.Join(err, os.RemoveAll(r.dir))
	}
	return err
}

// stuck names the functions with handlers at work.
func (r *Runner) stuck() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for name, p := range r.pools {
		if n := p.working.Load(); n > 0 {
			names = append(names, fmt.Sprintf("%s (%d)", name, n))
		}
	}
	slices.Sort(names)
	return names
}
