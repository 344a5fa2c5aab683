package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server under measurement.
type process struct {
	cmd *exec.Cmd
	id  int // of one that another has started, which has no cmd
}

func (p *process) pid() int {
	if p.cmd == nil {
		return p.id
	}
	return p.cmd.Process.Pid
}

// cpu returns the CPU time that the process has used, in user and kernel, of all threads that it has or had: the process's own
// CPU clock, which counts nanoseconds where /proc/PID/stat counts hundredths of a second.
func (p *process) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED; the id is what clock_getcpuclockid(3) makes
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.pid())<<3|schedClock, &t); err != nil {
		return 0, fmt.Errorf("CPU clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// A server is quiet when it uses less than a fiftieth of a processor.
const (
	quietSpan  = 20 * time.Millisecond
	quietLimit = 3 * time.Second
)

// quiet waits until the process rests and returns its CPU time, so that what it does behind a delivery counts as well.
func (p *process) quiet(ctx context.Context) (time.Duration, error) {
	for end := time.Now().Add(quietLimit); ; {
		before, err := p.cpu()
		if err != nil {
			return 0, err
		}
		if err := pause(ctx, quietSpan); err != nil {
			return 0, err
		}
		after, err := p.cpu()
		if err != nil || after-before < quietSpan/50 || time.Now().After(end) {
			return after, err
		}
	}
}

// resident returns the bytes of memory that the process holds.
func (p *process) resident() (int64, error) { return p.memory("smaps_rollup", "Rss:") }

// peak returns the most that it has held so far.
func (p *process) peak() (int64, error) { return p.memory("status", "VmHWM:") }

func (p *process) memory(file, field string) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid(), file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == field {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s: no %s", file, field)
}

// Memory is settled when for settleSpan it moves by less than settleShare of itself.
const (
	settleStep  = 200 * time.Millisecond
	settleSpan  = 3 * time.Second
	settleShare = 0.005
	settleLimit = 30 * time.Second
)

// settled samples the memory until it stays the same and returns it; nothing is done to make the server let go of any.
func (p *process) settled(ctx context.Context) (bytes int64, took time.Duration, err error) {
	start := time.Now()
	var least, most int64
	since := start
	for {
		now, err := p.resident()
		if err != nil {
			return 0, 0, err
		}
		if least, most = min(least, now), max(most, now); least == 0 || float64(most-least) > settleShare*float64(most) {
			least, most, since = now, now, time.Now()
		}
		if time.Since(since) >= settleSpan || time.Since(start) > settleLimit {
			return now, time.Since(start), nil
		}
		if err := pause(ctx, settleStep); err != nil {
			return 0, 0, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// regcast is a running emulator.
type regcast struct {
	process
	addr    netip.AddrPort
	started time.Time     // just before exec
	ready   time.Duration // exec to the first 200 of its health
	version string
	said    bytes.Buffer // standard error
	cancel  context.CancelFunc
	killed  bool
}

// startRegcast starts the emulator on a free port and waits until it is healthy. Temporary files go to b.dir.
func startRegcast(ctx context.Context, b *bench, args ...string) (*regcast, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &regcast{addr: addr, cancel: cancel}
	r.cmd = exec.CommandContext(ctx, b.regcast, append([]string{"up", "--addr", addr.String()}, args...)...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+b.dir)
	r.cmd.Stderr = &r.said
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(os.Interrupt) }
	r.cmd.WaitDelay = patience
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.started = time.Now()
	if err := r.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("regcast: %w", err)
	}
	if err := r.awaitHealth(ctx); err != nil {
		r.stop()
		return nil, fmt.Errorf("regcast: not ready: %w\n%s", err, r.said.Bytes())
	}
	return r, nil
}

// awaitHealth knocks every half millisecond, which costs next to nothing while nobody listens, and asks once.
func (r *regcast) awaitHealth(ctx context.Context) error {
	var c *client
	for end := time.Now().Add(patience); c == nil; {
		var err error
		if c, err = dialHTTP(r.addr); err == nil {
			break
		}
		if time.Now().After(end) || r.gone() {
			return err
		}
		if err := pause(ctx, 500*time.Microsecond); err != nil {
			return err
		}
	}
	defer c.close()
	a, err := c.do(200, "GET", "/_regcast/health", "application/json", nil)
	if err != nil {
		return err
	}
	r.ready = time.Since(r.started)
	var health struct{ Version string }
	err = json.Unmarshal(a.body, &health)
	r.version = health.Version
	return err
}

// gone tells whether the process has ended; nobody has waited for it yet, so it is a zombie then.
func (r *regcast) gone() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return err != nil || bytes.HasPrefix(state, []byte("Z"))
}

// stop ends it as Ctrl-C does, and waits. What it said is shown when it did not end well.
func (r *regcast) stop() {
	r.cancel()
	if err := r.cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) && !r.killed {
		fmt.Fprintf(os.Stderr, "bench: regcast: stop: %v\n%s", err, r.said.Bytes())
	}
}

// kill ends it at once; stop is still to be called.
func (r *regcast) kill() {
	r.killed = true
	_ = r.cmd.Process.Kill() // it fails when the process is gone, which is as good
}

// open connects n sockets to path /ws of the default gateway.
func (r *regcast) open(ctx context.Context, n int) (*sockets, error) {
	return open(ctx, r.addr, "/ws", n)
}

func freePort() (netip.AddrPort, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return netip.ParseAddrPort(l.Addr().String())
}
