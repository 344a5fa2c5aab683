package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

const (
	coldRounds = 7
	initRounds = 15 // of each function
	pingEvent  = `{"requestContext":{"eventType":"MESSAGE","connectionId":"bench=="},"body":"ping"}`
)

// measureCold measures exec to the first healthy answer of an emulator with functions, and the first invocation of one.
func measureCold(ctx context.Context, b *bench) ([]row, error) {
	template, err := b.amazonFolder()
	if err != nil {
		return nil, err
	}
	var bare, shipped, source, first, second, idle []float64
	started := func(into *[]float64, args ...string) (*regcast, error) {
		r, err := b.start(ctx, args...)
		if err == nil {
			*into = append(*into, ms(r.ready))
		}
		return r, err
	}
	whole := func() error {
		r, err := started(&shipped, "--template", template)
		if err != nil {
			return err
		}
		defer r.stop()
		path, err := r.invocations("Default")
		if err != nil {
			return err
		}
		if len(idle) < memoryRounds {
			if err := pause(ctx, idleAfter); err != nil {
				return err
			}
			bytes, err := r.resident()
			if err != nil {
				return err
			}
			idle = append(idle, float64(bytes)/1e6)
		}
		c, err := dialHTTP(r.addr)
		if err != nil {
			return err
		}
		defer c.close()
		for _, into := range []*[]float64{&first, &second} {
			start := time.Now()
			a, err := c.do(200, "POST", path, "application/json", []byte(pingEvent))
			if err != nil {
				return err
			}
			*into = append(*into, ms(time.Since(start)))
			if len(a.field("X-Amz-Function-Error")) > 0 {
				return fmt.Errorf("ping: %.300s", a.body)
			}
		}
		return nil
	}
	alone := func(into *[]float64, args ...string) func() error {
		return func() error {
			r, err := started(into, args...)
			if err == nil {
				r.stop()
			}
			return err
		}
	}
	if err := alone(new([]float64), "--template", awsTemplate)(); err != nil { // builds what is not in the cache
		return nil, err
	}
	err = b.rounds(ctx, b.roundsOr(coldRounds), alone(&bare), whole, alone(&source, "--template", awsTemplate))
	return []row{
		{Figure: "start with template.yaml and its bootstraps: exec → first healthy answer", Unit: "ms", Yardstick: spreadOf(bare), Ours: spreadOf(shipped),
			Note: "what `make lambda` made, four functions; yardstick: regcast without a template"},
		{Figure: "start with template.yaml, functions from source", Unit: "ms", Yardstick: spreadOf(bare), Ours: spreadOf(source),
			Note: "after a start that filled the build cache"},
		{Figure: "resident memory with template.yaml 2 s after the start", Unit: "MB", Ours: spreadOf(idle), Note: "regcast's own; no function has been called"},
		{Figure: "first invoke of Default, cold", Unit: "ms", Yardstick: spreadOf(second), Ours: spreadOf(first),
			Note: "a ping through the Invoke API: process, init, answer; yardstick: the second one"},
	}, err
}

// measureBootstraps measures what is shipped: its size, and from exec to its first question for work.
func measureBootstraps(ctx context.Context, b *bench) ([]row, error) {
	functions := []string{"Broadcast", "Connect", "Default", "Disconnect"}
	var rows []row
	for _, architecture := range []string{"arm64", "x86_64"} {
		var largest *spread
		var name, note string
		for _, f := range functions {
			size, n, err := binarySize(filepath.Join(b.lambda, architecture, f, "bootstrap"))
			if err != nil {
				return nil, fmt.Errorf("-lambda: %w; build them with `make lambda`", err)
			}
			if largest == nil || size.Median > largest.Median {
				largest, name, note = size, f, n
			}
		}
		rows = append(rows, row{Figure: "largest bootstrap, " + architecture + ": " + name, Unit: "MB", Target: atMost(15), Ours: largest, Note: note})
	}

	api, err := newRuntimeAPI()
	if err != nil {
		return rows, err
	}
	defer api.close()
	var yard []float64
	cast := make([][]float64, len(functions))
	turns := []func() error{func() error {
		start := time.Now()
		y, err := startPlain()
		if err == nil {
			yard = append(yard, ms(time.Since(start)))
			y.stop()
		}
		return err
	}}
	for i, f := range functions {
		turns = append(turns, func() error {
			took, err := api.first(ctx, filepath.Join(b.lambda, lambdaArchitectures[runtime.GOARCH], f, "bootstrap"))
			cast[i] = append(cast[i], ms(took))
			return err
		})
	}
	err = b.rounds(ctx, b.roundsOr(initRounds), turns...)
	for i, f := range functions {
		r := row{Figure: "init of " + f + ": exec → first next", Unit: "ms", Target: atMost(60), Yardstick: spreadOf(yard), Ours: spreadOf(cast[i])}
		if i == 0 {
			r.Note = "the bootstrap of this machine's architecture, on a warm page cache; yardstick: this program to the line that names the port of its net/http"
		}
		rows = append(rows, r)
	}
	return rows, err
}

// runtimeAPI is Lambda's, as far as a function's first question for work.
type runtimeAPI struct {
	listener net.Listener
	server   *http.Server
	asked    chan time.Time
	served   chan error
}

func newRuntimeAPI() (*runtimeAPI, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &runtimeAPI{listener: l, asked: make(chan time.Time), served: make(chan error, 1)}
	r.server = &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		now := time.Now()
		select {
		case r.asked <- now:
		case <-q.Context().Done():
		}
		<-q.Context().Done() // there is no work: it is killed
	})}
	go func() { r.served <- r.server.Serve(l) }()
	return r, nil
}

func (r *runtimeAPI) close() {
	_ = r.server.Close()
	<-r.served
}

// first starts a function and returns how long it took to ask for work.
func (r *runtimeAPI) first(ctx context.Context, path string) (time.Duration, error) {
	c := exec.Command(path)
	c.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + r.listener.Addr().String(), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=bench",
		"AWS_SECRET_ACCESS_KEY=bench", "AWS_SESSION_TOKEN=bench", "REGCAST_TABLE=bench", "REGCAST_ENDPOINT=http://127.0.0.1:1"}
	c.Stderr = os.Stderr
	start := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed, which is an error
	}()
	select {
	case now := <-r.asked:
		return now.Sub(start), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(patience):
		return 0, errors.New(path + ": it asked for nothing")
	}
}
