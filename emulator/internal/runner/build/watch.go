package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// Watcher tells when a source has changed.
type Watcher struct {
	o       Options
	s       Source
	changed func()
	fs      *fsnotify.Watcher
	stop    context.CancelFunc
	done    sync.WaitGroup
	inputs  inputs
}

// Watch calls changed some time (Options.Quiet) after something has changed that Build would look at: an executable has come, gone or
// been written, or anything in the folder of one that is a #! script (see Result.Sum); a Go file, an embedded file or the go.mod of the
// package or of a local one that it imports. Not every call means another program: Result.Sum tells. Nothing that changes after Watch
// has returned is missed, so Build after it. Calls come one at a time from one goroutine, until ctx ends or Close.
func Watch(ctx context.Context, o Options, s Source, changed func()) (*Watcher, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	w := &Watcher{o: o, s: s, changed: changed, fs: fs, stop: stop}
	if w.inputs, err = inputsOf(ctx, o, s, inputs{}); err == nil {
		err = w.arm()
	}
	if err != nil {
		stop()
		_ = fs.Close() // it never fails, and there is an error to tell
		return nil, fmt.Errorf("watch: %w", err)
	}
	w.done.Go(func() { w.run(ctx) })
	return w, nil
}

// Close ends the watching and waits for a call of changed that is under way; so changed must not call it.
func (w *Watcher) Close() error {
	w.stop()
	w.done.Wait()
	return w.fs.Close()
}

func (w *Watcher) run(ctx context.Context) {
	var c clock.Clock = clock.Real{}
	if w.o.Clock != nil {
		c = w.o.Clock
	}
	quiet := cmp.Or(w.o.Quiet, 200*time.Millisecond)
	timer := c.NewTimer(quiet)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-w.fs.Events:
			if !ok {
				return
			}
			if !w.inputs.concern(event) {
				continue
			}
			if event.Op&^(fsnotify.Write|fsnotify.Chmod) != 0 { // a folder may have come or gone
				w.warn(w.arm())
			}
			timer.Reset(quiet)
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.warn(err)
			timer.Reset(quiet) // events may be lost: look
		case <-timer.C():
			// What the package imports may be other packages now. Listing goes first: the build that follows sees what comes meanwhile.
			next, err := inputsOf(ctx, w.o, w.s, w.inputs)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				w.inputs = next
				err = w.arm()
			}
			w.warn(err)
			w.changed()
		}
	}
}

func (w *Watcher) warn(err error) {
	if err != nil && w.o.Warn != nil {
		w.o.Warn(fmt.Errorf("watch: %w", err))
	}
}

// arm watches the folders of the inputs, and in place of one that is missing the nearest above it.
func (w *Watcher) arm() error {
	for {
		wanted := w.inputs.folders()
		fresh := false
		watched := map[string]bool{}
		for _, dir := range w.fs.WatchList() {
			watched[dir] = true
			if !wanted[dir] {
				_ = w.fs.Remove(dir) // it may be gone by itself
			}
		}
		for dir := range wanted {
			if watched[dir] {
				continue
			}
			if err := w.fs.Add(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // gone since the look: look again
				return fmt.Errorf("%s: %w", filepath.Clean(dir), err)
			}
			fresh = true
		}
		if !fresh { // what came between the look and the watch would be missed: look again
			return nil
		}
	}
}
