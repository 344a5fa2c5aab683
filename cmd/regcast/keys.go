package main

import (
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// keys are what a person at the terminal says to a replay: space pauses and resumes, s lets one record through, q and Ctrl-C end it.
// Where there is no terminal nobody says anything.
type keys struct {
	restore func()

	mu     sync.Mutex
	cond   sync.Cond
	paused bool
	single int // records to let through while paused
	raw    bool
}

// newKeys listens at the terminal, if there is one. stop is called when the person ends the replay.
func newKeys(env environment, step bool, stop func()) *keys {
	k := &keys{paused: step, restore: func() {}}
	k.cond.L = &k.mu
	in, ok := env.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return k
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return k // no keys then; Ctrl-C is a signal as ever
	}
	k.raw = true
	k.restore = func() { _ = term.Restore(int(in.Fd()), old) }
	go k.listen(in, stop) // it ends with the process: a read of a terminal cannot be broken off
	return k
}

func (k *keys) listen(in io.Reader, stop func()) {
	var b [1]byte
	for {
		if _, err := in.Read(b[:]); err != nil {
			return
		}
		k.mu.Lock()
		switch b[0] {
		case ' ', 'p':
			k.paused = !k.paused
		case 's', '\r', '\n':
			k.paused = true
			k.single++
		case 'q', 3, 4: // Ctrl-C, Ctrl-D
			stop()
		}
		k.cond.Broadcast()
		k.mu.Unlock()
	}
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
	for k.paused && k.single == 0 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.cond.Wait()
	}
	if k.paused {
		k.single--
	}
	return ctx.Err()
}

// eager tells that somebody may pause: then nothing may wait in a buffer.
func (k *keys) eager() bool { return k.raw }

func (k *keys) isPaused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.paused
}

func (k *keys) close() { k.restore() }
