package runner_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/runner"
)

func bench(b *testing.B) (*runner.Runner, func(handler string) runner.Function) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	r := runner.New(runner.Options{Dir: b.TempDir()})
	b.Cleanup(func() {
		if err := r.Close(b.Context()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	return r, func(handler string) runner.Function {
		return runner.Function{Name: handler, HandlerName: handler, Executables: []string{self}, Timeout: time.Minute}
	}
}

// percentiles reports p50 and p99 of took.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

var payload = []byte(`{"messages":[{"details":{"tag":"v1"}}]}` + strings.Repeat(" ", 1000))

// A warm invocation, whole, from Invoke to its return: one after another. Loopback is what it is measured against.
func BenchmarkWarm(b *testing.B) {
	r, program := bench(b)
	if err := r.Set(b.Context(), program("echo")); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		response, err := r.Invoke(b.Context(), "echo", runner.Request{Payload: payload})
		if err != nil || response.FunctionError != "" {
			b.Fatal(response, err)
		}
		if i > 0 {
			took = append(took, time.Since(began))
		}
	}
	percentiles(b, append(took, 0))
}

// The yardstick of BenchmarkWarm: one POST over loopback to a plain HTTP server in another process, and its answer.
func BenchmarkLoopback(b *testing.B) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API=none", "_HANDLER=plain server")
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	address := make([]byte, 64)
	n, err := out.Read(address)
	if err != nil {
		b.Fatal(err)
	}
	url := "http://" + strings.TrimSpace(string(address[:n]))
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		response, err := http.Post(url, "application/json", bytes.NewReader(payload))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			b.Fatal(err)
		}
		_ = response.Body.Close()
		took = append(took, time.Since(began))
	}
	percentiles(b, append(took, 0))
}

// A cold invocation: a process is started, comes to its first next and answers.
func BenchmarkCold(b *testing.B) {
	r, program := bench(b)
	var took []time.Duration
	for b.Loop() {
		if err := r.Set(b.Context(), program("echo")); err != nil { // what was warm is replaced
			b.Fatal(err)
		}
		began := time.Now()
		response, err := r.Invoke(b.Context(), "echo", runner.Request{Payload: payload})
		if err != nil || response.FunctionError != "" || response.Init == 0 {
			b.Fatal(response, err)
		}
		took = append(took, time.Since(began))
	}
	percentiles(b, append(took, 0))
}

// A handler in this process, beside BenchmarkWarm.
func BenchmarkHandler(b *testing.B) {
	r, _ := bench(b)
	if err := r.Set(b.Context(), runner.Function{Name: "echo", Handler: handler(echo)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.Invoke(b.Context(), "echo", runner.Request{Payload: payload}); err != nil {
			b.Fatal(err)
		}
	}
}
