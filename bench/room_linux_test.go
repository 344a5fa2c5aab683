package main

import (
	"testing"

	"github.com/matryer/is"
)

func TestParseMetrics(t *testing.T) {
	is := is.New(t)
	m := parseMetrics([]byte("goos: linux\nBenchmarkWarm-2  \t    1000\t    431042 ns/op\t       420.0 p50-µs\t      1380 p99-µs\n" +
		"BenchmarkFanOut/loop-64-at-once-16 \t 1\t 5 ns/op\t +Inf ×loop\nBenchmarkAlone 1 7 ns/op\nPASS\n"))
	is.Equal(len(m), 3)
	is.Equal(m["BenchmarkWarm"], map[string]float64{"ns/op": 431042, "p50-µs": 420, "p99-µs": 1380})
	value, err := m.of("BenchmarkFanOut/loop-64-at-once", "ns/op") // only the processors' number is cut off
	is.NoErr(err)
	is.Equal(value, 5.0)
	_, err = m.of("BenchmarkAlone", "p50-µs")
	is.Equal(err.Error(), "BenchmarkAlone: got map[ns/op:7], want a figure in p50-µs")
}

func TestChoose(t *testing.T) {
	is := is.New(t)
	all, err := choose("")
	is.NoErr(err)
	is.Equal(len(all), len(figures()))
	chosen, err := choose("functions,idle")
	is.NoErr(err)
	is.Equal(chosen[0].name, "idle") // in the order of the table
	for _, f := range chosen[1:] {
		is.True(f.functions)
	}
	is.True(len(chosen) > 5)
	_, err = choose("idle,speed")
	is.True(err != nil)
}
