package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// figures lists everything that is measured, in the order of the table.
func figures() []figure {
	return []figure{
		{name: "one", measure: measureOne},
		{name: "burst", measure: measureBurst},
		{name: "idle", measure: measureIdle},
		{name: "latency", measure: measureLatency},
		{name: "blobs", measure: measureBlobs},
		{name: "manifests", measure: measureManifests},
		{name: "start", measure: measureStart},
		{name: "replay", measure: measureReplay},
		{name: "invoke", measure: measureInvoke, functions: true},
		{name: "together", measure: measureTogether, functions: true},
		{name: "cold", measure: measureCold, functions: true},
		{name: "chain", measure: measureChain, functions: true},
		{name: "posts", measure: measurePosts, functions: true},
		{name: "fanout", measure: measureFanOut, functions: true},
		{name: "bootstraps", measure: measureBootstraps, functions: true},
	}
}

// bench is a run of the harness.
type bench struct {
	config
	version string // of regcast, as its health tells
}

// run measures the figures, prints the table, and writes it to the file when it has a name. A figure that cannot be measured does
// not keep the others from being so.
func run(ctx context.Context, cfg config, chosen []figure, file string) error {
	var err error
	if cfg.regcast, err = filepath.Abs(cfg.regcast); err != nil {
		return err
	}
	if cfg.lambda, err = filepath.Abs(cfg.lambda); err != nil {
		return err
	}
	if _, err := os.Stat(cfg.regcast); err != nil {
		return fmt.Errorf("-regcast: %w; build it with `make build`", err)
	}
	if err := raiseFiles(max(cfg.connections*2, cfg.idle) + 200); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cfg.dir, "regcast-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	disk := diskOf(dir)
	cfg.dir = dir
	b := &bench{config: cfg}

	rep := report{At: time.Now(), Machine: machine(), Disk: disk, Load: [2]float64{loadAverage()}}
	var errs []error
	for _, f := range chosen {
		b.say("%s (load %.2f)", f.name, loadAverage())
		rows, err := f.measure(ctx, b)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.name, err))
			rows = append(rows, row{Figure: f.name + ": NOT MEASURED"})
		}
		rep.Rows = append(rep.Rows, rows...)
		if ctx.Err() != nil {
			break
		}
	}
	rep.Regcast, rep.Load[1] = b.version, loadAverage()
	errs = append(errs, rep.print(os.Stdout))
	if file != "" {
		data, err := json.MarshalIndent(rep, "", "  ")
		if err == nil {
			err = os.WriteFile(file, append(data, '\n'), 0o644)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// say tells how far the run is, on standard error.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// rounds lets the contestants take turns n times, in the other direction every other time, so that what drifts on the machine
// meets all of them.
func (b *bench) rounds(ctx context.Context, n int, contestants ...func() error) error {
	for i := range n {
		for j := range contestants {
			if err := ctx.Err(); err != nil {
				return err
			}
			if i%2 == 1 {
				j = len(contestants) - 1 - j
			}
			runtime.GC() // the load's own garbage is not to be collected while a server is measured
			if err := contestants[j](); err != nil {
				return fmt.Errorf("round %d: %w", i+1, err)
			}
		}
	}
	return nil
}

// start starts an emulator and remembers its version.
func (b *bench) start(ctx context.Context, args ...string) (*regcast, error) {
	r, err := startRegcast(ctx, b, args...)
	if err == nil {
		b.version = r.version
	}
	return r, err
}

// raiseFiles lets this process, and the servers that it starts, have n open files.
func raiseFiles(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("RLIMIT_NOFILE: %w", err)
	}
	if limit.Max < uint64(n) {
		return fmt.Errorf("RLIMIT_NOFILE: the hard limit is %d, want %d; raise it with ulimit -Hn, or lower -connections and -idle", limit.Max, n)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("RLIMIT_NOFILE: %w", err)
	}
	return nil
}

// machine names the processors, their number and the kernel.
func machine() string {
	model := "unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u)
	release, _, _ := bytes.Cut(u.Release[:], []byte{0})
	return fmt.Sprintf("%d × %s, Linux %s", runtime.NumCPU(), model, release)
}

// loadAverage is the machine's load average of the last minute: how many threads run or want to, others' as well as ours.
func loadAverage() float64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return math.NaN()
	}
	return float64(info.Loads[0]) / (1 << unix.SI_LOAD_SHIFT)
}

// diskOf names the file system of a folder: "on disk" means nothing in memory.
func diskOf(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err.Error()
	}
	known := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.TMPFS_MAGIC: "tmpfs (memory, not a disk: name another folder with -dir)",
	}
	name, ok := known[int64(s.Type)]
	if !ok {
		name = fmt.Sprintf("of type %#x", s.Type)
	}
	return name
}
