package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// uploads are the blobs that are on their way. There is a bound to how many, and to how long one may lie idle; a busy one is not
// idle, and is no longer busy when its body stalls.
type uploads struct {
	store  *store
	clock  clock.Clock
	limits Limits

	mu    sync.Mutex
	open  map[string]*upload
	timer clock.Timer // the janitor's
	armed bool

	done chan struct{}
	wait sync.WaitGroup
}

// upload is one blob on its way. Whoever writes to it has it busy.
type upload struct {
	id      string
	key     key
	file    string // comes to be with the first byte
	touched time.Time
	size    atomic.Int64

	busy      sync.Mutex
	algorithm string
	hash      hash.Hash // of the bytes so far; nil: they are to be read again
}

func newUploads(s *store, c clock.Clock, l Limits) *uploads {
	u := &uploads{
		store: s, clock: c, limits: l, open: map[string]*upload{}, timer: c.NewTimer(l.UploadLife), done: make(chan struct{}),
	}
	u.timer.Stop()
	u.wait.Go(u.janitor)
	return u
}

func (u *uploads) close() {
	close(u.done)
	u.wait.Wait()
}

// janitor removes uploads that have been idle for too long.
func (u *uploads) janitor() {
	defer u.timer.Stop()
	for {
		select {
		case <-u.done:
			return
		case <-u.timer.C():
			u.expire()
		}
	}
}

// expire removes what is due and sets the timer for the next.
func (u *uploads) expire() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.clock.Now()
	var next time.Time
	for _, x := range u.open {
		left := u.limits.UploadLife - now.Sub(x.touched)
		if left <= 0 {
			if x.busy.TryLock() {
				u.remove(x)
				x.busy.Unlock()
				continue
			}
			left = u.limits.UploadLife // something is coming for it
		}
		if due := now.Add(left); next.IsZero() || due.Before(next) {
			next = due
		}
	}
	u.armed = !next.IsZero()
	if u.armed {
		u.timer.ResetTo(next)
	} else {
		u.timer.Stop()
	}
}

// remove forgets an upload and its bytes. u's lock is held and x is busy.
func (u *uploads) remove(x *upload) {
	delete(u.open, x.id)
	_ = os.Remove(x.file) // there may be none
}

// start opens an upload, busy.
func (u *uploads) start(k key, algorithm string) (*upload, error) {
	id := rand.Text()
	x := &upload{
		id: id, key: k, file: filepath.Join(u.store.temp, id), touched: u.clock.Now(), algorithm: algorithm, hash: newHash(algorithm),
	}
	x.busy.Lock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.open) >= u.limits.MaxUploads {
		return nil, fail(http.StatusTooManyRequests, codeTooManyRequests,
			"%d uploads are open, which is the limit; finish or cancel one, or wait: an idle one ends after %v",
			len(u.open), u.limits.UploadLife)
	}
	u.open[id] = x
	if !u.armed {
		u.armed = true
		u.timer.ResetTo(x.touched.Add(u.limits.UploadLife))
	}
	return x, nil
}

// find returns an open upload, busy.
func (u *uploads) find(q *request) (*upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	x, ok := u.open[q.ref]
	if ok && x.key == q.key {
		if !x.busy.TryLock() {
			return nil, fail(http.StatusConflict, codeUploadInvalid, "another request is writing to upload %s", x.id)
		}
		now := u.clock.Now()
		if now.Sub(x.touched) < u.limits.UploadLife {
			x.touched = now
			return x, nil
		}
		u.remove(x)
		x.busy.Unlock()
	}
	return nil, fail(http.StatusNotFound, codeUploadUnknown, "repository %s has no upload %s; it may have ended or expired", q.name, q.ref)
}

// leave lets the next request have the upload.
func (u *uploads) leave(x *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	x.touched = u.clock.Now()
	x.busy.Unlock()
}

// end forgets a busy upload and its bytes.
func (u *uploads) end(x *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.remove(x)
	x.busy.Unlock()
}

// write appends a body, of which at most limit bytes are taken (negative: all of it). What a client sent before it broke off stays;
// what the disk could not take is as if it had never been sent.
func (u *uploads) write(x *upload, body io.Reader, limit int64) (n int64, err error) {
	f, err := os.OpenFile(x.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, fmt.Errorf("upload: %w", err)
	}
	seen := io.Writer(x.hash)
	if x.hash == nil {
		seen = io.Discard
	}
	n, client, disk := u.store.copy(f, seen, body, limit)
	if err := f.Close(); disk == nil {
		disk = err
	}
	if disk != nil {
		return 0, errors.Join(fmt.Errorf("upload: %w", disk), x.cut(x.size.Load()))
	}
	x.size.Add(n)
	if client != nil {
		return n, brokenBody(codeUploadInvalid, client)
	}
	return n, nil
}

// cut takes back what came after the first size bytes.
func (x *upload) cut(size int64) error {
	x.hash = nil
	x.size.Store(size)
	if err := os.Truncate(x.file, size); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return nil
}

// sum returns the digest of what came, by the algorithm that is asked for.
func (u *uploads) sum(x *upload, algorithm string) (digest, error) {
	if x.hash != nil && x.algorithm == algorithm {
		return digestOf(algorithm, x.hash), nil
	}
	f, err := os.Open(x.file)
	if err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	defer f.Close()
	h := newHash(algorithm)
	buf := u.store.buffers.Get().(*[bufferSize]byte)
	defer u.store.buffers.Put(buf)
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, buf[:]); err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	return digestOf(algorithm, h), nil
}
