package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// room is a package whose own benchmarks are measured where nothing outside can see as much. Its tests are compiled once, so that its
// rounds can take turns.
type room struct{ folder, tests string }

func (b *bench) room(ctx context.Context, folder string) (room, error) {
	r := room{folder, filepath.Join(b.dir, filepath.Base(folder)+".test")}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", r.tests, "./"+folder).CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("go test -c ./%s: %w\n%s", folder, err, out)
	}
	return r, nil
}

// metrics are what benchmarks reported, by name and unit.
type metrics map[string]map[string]float64

func (m metrics) of(name, unit string) (float64, error) {
	value, ok := m[name][unit]
	if !ok {
		return 0, fmt.Errorf("%s: got %v, want a figure in %s", name, m[name], unit)
	}
	return value, nil
}

// bench runs the benchmarks of a pattern once, times as often as go test's -benchtime says.
func (r room) bench(ctx context.Context, pattern, times string) (metrics, error) {
	c := exec.CommandContext(ctx, r.tests, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", times)
	c.Dir = r.folder
	c.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(r.tests))
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s -bench %s: %w\n%s", r.folder, pattern, err, out)
	}
	return parseMetrics(out), nil
}

// parseMetrics reads what go test -bench prints: BenchmarkName-PROCS, a count, and pairs of a value and its unit.
func parseMetrics(out []byte) metrics {
	m := metrics{}
	for line := range bytes.Lines(out) {
		f := strings.Fields(string(line))
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := f[0]
		if dash := strings.LastIndex(name, "-"); dash > 0 {
			if _, err := strconv.Atoi(name[dash+1:]); err == nil {
				name = name[:dash]
			}
		}
		m[name] = map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			if value, err := strconv.ParseFloat(f[i], 64); err == nil {
				m[name][f[i+1]] = value
			}
		}
	}
	return m
}
