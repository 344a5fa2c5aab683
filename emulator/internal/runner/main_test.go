package runner_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"go.uber.org/goleak"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/runner"
)

// The test binary is the functions' bootstrap too: see program_test.go.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		program(os.Getenv("_HANDLER"))
		return
	}
	goleak.VerifyTestMain(m)
}

// house is a runner on a clock that stands still, and its log.
type house struct {
	*runner.Runner
	t     *testing.T
	is    *is.I
	clock *watchedClock
	log   *lines
}

// watchedClock stands still and tells which timers there have been.
type watchedClock struct {
	*clock.Manual
	made *lines
}

func (c *watchedClock) NewTimer(d time.Duration) clock.Timer {
	defer c.made.add("", []byte(d.String()))
	return c.Manual.NewTimer(d)
}

func open(t *testing.T, change ...func(*runner.Options)) *house {
	t.Helper()
	h := &house{t: t, is: is.New(t), log: newLines()}
	h.clock = &watchedClock{clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), newLines()}
	o := runner.Options{Clock: h.clock, Dir: t.TempDir(), Log: h.log.add, Host: os.Environ()}
	for _, f := range change {
		f(&o)
	}
	h.Runner = runner.New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

// set adds the program of that name as a function of the same name.
func (h *house) set(name string, change ...func(*runner.Function)) {
	h.t.Helper()
	self, err := os.Executable()
	h.is.NoErr(err)
	f := runner.Function{Name: name, HandlerName: name, Executables: []string{self}, ARN: "arn:aws:lambda:us-east-1:000000000000:function:" + name}
	f.Env = map[string]string{"GORACE": "atexit_sleep_ms=0"} // a program under the race detector takes a second to end otherwise
	for _, c := range change {
		c(&f)
	}
	h.is.NoErr(h.Set(h.t.Context(), f))
}

func (h *house) invoke(name, payload string) runner.Response {
	h.t.Helper()
	response, err := h.Invoke(h.t.Context(), name, runner.Request{Payload: []byte(payload)})
	h.is.NoErr(err)
	return response
}

// invoking invokes and gives the response when it is there.
func (h *house) invoking(name, payload string) <-chan runner.Response {
	c := make(chan runner.Response, 1)
	go func() {
		response, err := h.Invoke(context.Background(), name, runner.Request{Payload: []byte(payload)})
		if err != nil {
			response.FunctionError = err.Error()
		}
		c <- response
	}()
	return c
}

func (h *house) info(name string) runner.Info {
	h.t.Helper()
	for _, info := range h.Functions() {
		if info.Name == name {
			return info
		}
	}
	h.t.Fatalf("no function %s", name)
	return runner.Info{}
}

// lines is a log that can be waited for.
type lines struct {
	mu   sync.Mutex
	more sync.Cond
	all  []string
}

func newLines() *lines {
	l := &lines{}
	l.more.L = &l.mu
	return l
}

func (l *lines) add(_ string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(bytes.Clone(line)))
	l.more.Broadcast()
}

// wait returns the nth line, from 1, that holds text.
func (l *lines) wait(text string, nth ...int) string {
	want := append(nth, 1)[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		seen := 0
		for _, line := range l.all {
			if strings.Contains(line, text) {
				if seen++; seen == want {
					return line
				}
			}
		}
		l.more.Wait()
	}
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }
