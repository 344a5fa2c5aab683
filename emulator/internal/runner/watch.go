package runner

import (
	"fmt"

	"github.com/regcast/regcast/emulator/internal/runner/build"
)

// watch rebuilds a function when its source has changed. It outlives the definitions that come of it.
type watch struct{ watcher *build.Watcher }

// watch returns nil when there is nothing to watch.
func (r *Runner) watch(f Function) (*watch, error) {
	if !r.o.Watch || f.Handler != nil {
		return nil, nil
	}
	w := &watch{}
	o := r.builds()
	o.Warn = func(err error) { r.note(f.Name, StepNotice, err.Error(), nil) }
	watcher, err := build.Watch(r.closing, o, source(f), func() { r.rebuild(f.Name, w) })
	if err != nil {
		return nil, err
	}
	w.watcher = watcher
	return w, nil
}

// close ends the watch and waits for a rebuild that is under way: the caller holds no lock.
func (w *watch) close() {
	if w != nil {
		_ = w.watcher.Close() // what was to be told is told
	}
}

// rebuild puts what has changed in the place of what it was. Set waits for it, and it for Set.
func (r *Runner) rebuild(name string, w *watch) {
	r.setting.Lock()
	defer r.setting.Unlock()
	r.mu.RLock()
	p := r.pools[name]
	stale := r.closed || p == nil || p.watch != w
	r.mu.RUnlock()
	if stale {
		return
	}
	before := p.definition()
	d, err := r.define(r.closing, before.Function)
	if err != nil {
		if r.closing.Err() == nil {
			r.note(name, StepUnbuilt, fmt.Sprintf("%s has changed and cannot be built; the old one goes on: %v", name, err), nil)
		}
		return
	}
	if d.sum == before.sum {
		return
	}
	if r.swap(p, w, d) {
		r.note(name, StepSwapped, name+" has changed; new invocations go to "+d.path, map[string]any{"executable": d.path})
	}
}

// swap puts d in place unless the watch that saw the change is over.
func (r *Runner) swap(p *pool, w *watch, d *definition) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed || p.watch != w {
		return false
	}
	p.define(d)
	return true
}

func (p *pool) definition() *definition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.def
}
