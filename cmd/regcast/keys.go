package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// keys are what a person at the terminal says to a replay: space pauses and resumes, s lets one record through, q ends it. Where there is no
// terminal nobody says anything.
type keys struct {
	tell    func(paused, step bool) // hears of each key
	restore func()
	once    sync.Once

	mu     sync.Mutex
	cond   sync.Cond
	paused bool
	single int // records to let through while paused
}

// newKeys listens at the terminal, if there is one and it does not hold the recording. stop is called when the person ends the replay, tell
// at once, and when it is paused, goes on, or lets one record through.
func newKeys(env environment, file string, step bool, stop func(), tell func(paused, step bool)) *keys {
	k := &keys{paused: step, restore: func() {}, tell: tell}
	k.cond.L = &k.mu
	tell(step, false)
	in, ok := env.stdin.(*os.File)
	if !ok || file == "-" {
		return k
	}
	restore, err := takeKeys(in)
	if err != nil {
		return k // no keys then
	}
	k.restore = restore
	go k.listen(in, stop) // it ends with the process: a read of a terminal cannot be broken off
	return k
}

// checkStep tells whether there is a key to wait for.
func checkStep(step bool, file string, env environment) error {
	switch {
	case step && file == "-":
		return usageError("--step: standard input is the recording: there is no key to wait for; give the file's name")
	case step && !isTerminal(env.stdin):
		return usageError("--step: standard input is no terminal: there is no key to wait for")
	}
	return nil
}

func (k *keys) listen(in io.Reader, stop func()) {
	var b [1]byte
	for {
		_, err := in.Read(b[:])
		if errors.Is(err, syscall.EIO) { // another job has the terminal for now
			time.Sleep(keysAgain)
			continue
		}
		if err != nil {
			return
		}
		k.press(b[0], stop)
	}
}

// keysAgain is how often somebody looks whether the terminal is ours again.
const keysAgain = 200 * time.Millisecond

func (k *keys) press(key byte, stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch key {
	case ' ', 'p':
		k.paused = !k.paused
		k.single = 0
	case 's', '\r', '\n':
		k.paused = true
		k.single++
	case 'q', 3, 4: // Ctrl-C where it is no signal, Ctrl-D
		stop()
	default:
		return
	}
	k.tell(k.paused, key == 's' || key == '\r' || key == '\n')
	k.cond.Broadcast()
}

// wait returns when the next record may go.
func (k *keys) wait(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.cond.Broadcast()
	})()
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.paused && k.single == 0 && ctx.Err() == nil {
		k.cond.Wait()
	}
	if k.paused && ctx.Err() == nil {
		k.single--
	}
	return ctx.Err()
}

// close gives the terminal back, as it was. Further calls do nothing.
func (k *keys) close() { k.once.Do(k.restore) }
