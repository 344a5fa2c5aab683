package runner

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// pool is one name: its definition, its environments, and the invocations that wait for one.
type pool struct {
	runner  *Runner
	name    string
	working atomic.Int64 // handlers in this process
	watch   *watch       // over its source; nil: none; under runner.mu

	mu          sync.Mutex
	def         *definition
	all         map[*environment]bool // alive, of all definitions
	alive       int                   // of the current definition
	idle        []*environment        // of the current definition; the last was used last
	settling    int                   // of the current definition, that have answered and will ask for the next any moment
	waiting     []*invocation         // first come, first served; bounded by the limit
	slots       map[int]bool          // in use
	inFlight    int
	busy        int           // environments, of all definitions, that are not idle with their time running
	calm        chan struct{} // closed when there is neither; nil until somebody waits
	hung        int           // of inFlight, those that hang; see hang.go
	stuck       int           // of busy, those with such an invocation
	still       chan struct{} // closed when there are no others; nil until somebody waits
	hasHung     bool          // the invocation before
	invocations uint64
	errors      uint64
	throttled   uint64
}

// definition is a Function that can run.
type definition struct {
	Function
	path      string // the executable; empty for a handler
	dir       string // where it starts
	timeout   time.Duration
	memory    int
	limit     int // invocations at once
	processes int
	sum       string        // of the executable
	debugger  string        // dlv, when there is one
	listen    string        // where the debugger listens
	retired   chan struct{} // closed when another took its place
}

func newPool(r *Runner, name string) *pool {
	return &pool{runner: r, name: name, all: map[*environment]bool{}, slots: map[int]bool{}}
}

// define puts d in the place of the definition before. Idle environments leave, busy ones when they are free.
func (p *pool) define(d *definition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.def != nil {
		close(p.def.retired)
	}
	p.def, p.alive, p.idle, p.settling = d, 0, nil, 0
	p.fill()
}

// retire lets idle environments leave; others go on while there is work. Called once, when nothing more is accepted.
func (p *pool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.def.retired)
}

// accept takes an invocation or refuses it. The caller holds the runner's lock.
func (p *pool) accept(in *invocation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight >= p.def.limit {
		p.throttled++
		return fmt.Errorf("%w: %s: limit %d", ErrThrottled, p.name, max(0, p.def.limit))
	}
	p.inFlight++
	p.invocations++
	p.place(in)
	return nil
}

// place finds an environment for in. The caller holds mu, and is counted by the runner or holds its lock.
func (p *pool) place(in *invocation) {
	if last := len(p.idle) - 1; last >= 0 {
		e := p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		e.taken = true
		e.assigned <- in // has room: an idle environment has nothing assigned
		return
	}
	p.waiting = append(p.waiting, in)
	p.fill()
}

// fill starts environments for those that wait, as far as there is room, and as others do not become free at once. The caller holds mu.
func (p *pool) fill() {
	if p.def.Handler != nil {
		for in := p.next(); in != nil; in = p.next() {
			p.runner.owners.Add(1)
			go p.call(p.def, in)
		}
	}
	for len(p.waiting) > p.settling && p.alive < p.def.processes {
		e := newEnvironment(p, p.def, p.slot())
		p.all[e] = true
		p.busy++
		p.alive++
		p.runner.owners.Add(1)
		go e.run(p.next())
	}
}

// answers counts an answer before the caller has it.
func (p *pool) answers(in *invocation) {
	p.wakes(in, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if in.response.FunctionError != "" {
		p.errors++
	}
}

// quiet returns nil when every invocation is over and every environment idle, and else what is closed then.
func (p *pool) quiet() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight == 0 && p.busy == 0 {
		return nil
	}
	if p.calm == nil {
		p.calm = make(chan struct{})
	}
	return p.calm
}

// stand is quiet but for what hangs.
func (p *pool) stand() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight == p.hung && p.busy == p.stuck {
		return nil
	}
	if p.still == nil {
		p.still = make(chan struct{})
	}
	return p.still
}

// settles notes that e has answered: it is about to be free.
func (p *pool) settles(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.def == p.def {
		e.settling = true
		p.settling++
	}
}

// settled notes that e is free, or no more, or busy behind its answer. The caller holds mu.
func (p *pool) settled(e *environment) {
	if e.settling && e.def == p.def {
		p.settling--
	}
	e.settling = false
}

// lingers notes that e goes on working behind its answer: nobody should wait for it.
func (p *pool) lingers(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled(e)
	p.fill()
}

// next returns the invocation that waited longest, nil when none does. The caller holds mu.
func (p *pool) next() *invocation {
	if len(p.waiting) == 0 {
		return nil
	}
	in := p.waiting[0]
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	return in
}

// rest returns the next invocation for e, or makes e idle.
func (p *pool) rest(e *environment) (in *invocation, stay bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled(e)
	if e.def != p.def {
		return nil, false
	}
	if in := p.next(); in != nil {
		return in, true
	}
	e.taken = false
	p.idle = append(p.idle, e)
	return nil, true
}

// rise takes e off the idle ones, unless work has been assigned to it.
func (p *pool) rise(e *environment) (taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.idle {
		if other == e {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	return e.taken
}

// again finds another environment for what was assigned to one that is no more.
func (p *pool) again(in *invocation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.place(in)
}

// left forgets an environment that has ended.
func (p *pool) left(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	defer p.rested()
	delete(p.all, e)
	delete(p.slots, e.slot)
	p.settled(e)
	if e.def == p.def {
		p.alive--
		p.fill()
	}
}

// told has an invocation told whose REPORT line is out.
func (p *pool) told(in *invocation) {
	p.runner.flights.remove(in.ID)
	p.runner.tellInvoked(p.name, in)
}

// done counts an invocation as over: it has been answered, and told.
func (p *pool) done(in *invocation) {
	p.mu.Lock()
	p.inFlight--
	p.rested()
	p.mu.Unlock()
	close(in.over)
}

// count adds to the environments that are not idle.
func (p *pool) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy += n
	p.rested()
}

// rested tells those who wait that all is quiet. The caller holds mu.
func (p *pool) rested() {
	if p.inFlight == 0 && p.busy == 0 && p.calm != nil {
		close(p.calm)
		p.calm = nil
	}
	if p.inFlight == p.hung && p.busy == p.stuck && p.still != nil {
		close(p.still)
		p.still = nil
	}
}

// slot returns the smallest free number; it names the environment's /tmp. The caller holds mu.
func (p *pool) slot() int {
	n := 0
	for p.slots[n] {
		n++
	}
	p.slots[n] = true
	return n
}

func (p *pool) info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Info{
		Name: p.name, Executable: p.def.path, Environments: len(p.all), Warm: len(p.idle), InFlight: p.inFlight,
		Invocations: p.invocations, Errors: p.errors, Throttled: p.throttled,
	}
}
