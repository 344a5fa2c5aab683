package emulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/recording"
)

// steps follows what is decided from now on.
func steps(t *testing.T, em *emulatortest.Emulator) (wait func(what string) string) {
	t.Helper()
	res, err := em.Client().Get(em.URL() + "/_regcast/journal?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	lines := json.NewDecoder(res.Body)
	return func(what string) string {
		t.Helper()
		for {
			var line recording.Line
			if err := lines.Decode(&line); err != nil {
				t.Fatal(err)
			}
			if line.Step != nil && line.Step.What == what {
				return line.Step.Text
			}
		}
	}
}

// A function is rebuilt while it is at work: what is in flight ends on the old code, nothing is lost, and what comes then runs the new.
func TestAFunctionChangesWhileItIsAtWork(t *testing.T) {
	is := is.New(t)
	arrived, gate := make(chan bool, 100), make(chan bool)
	waiting := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- true
		<-gate
	}))
	defer waiting.Close()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		is.NoErr(os.WriteFile(filepath.Join(dir, name), read(t, "../"+name).Data, 0o600))
	}
	write := func(answer string) {
		t.Helper()
		is.NoErr(os.WriteFile(filepath.Join(dir, "main.go"), fmt.Appendf(nil, `package main

import (
	"net/http"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(wait bool) (string, error) {
		if !wait {
			return %[1]s, nil
		}
		_, err := http.Get(%[2]q)
		return %[1]s, err
	})
}
`, answer, waiting.URL), 0o600))
	}
	write(`"one"`)
	em, _ := stack(t, "  Probe: {Type: AWS::Serverless::Function, Properties: {CodeUri: .}}\n", func(cfg *emulator.Config) {
		cfg.Template.Dir, cfg.Watch = dir, true
	})
	next := steps(t, em)

	const inFlight = 5
	type result struct {
		data []byte
		err  error
	}
	results := make(chan result, inFlight)
	for range inFlight {
		go func() {
			data, err := em.Invoke(t.Context(), "Probe", []byte("true"))
			results <- result{data, err}
		}()
	}
	for range inFlight {
		<-arrived
	}
	// Beside them, others come and go all the time.
	stop, stopped := make(chan bool), make(chan error, 1)
	go func() {
		seen := []byte(`"one"`)
		for {
			data, err := em.Invoke(t.Context(), "Probe", []byte("false"))
			if err == nil && !bytes.Equal(data, seen) {
				if seen = []byte(`"two"`); !bytes.Equal(data, seen) {
					err = fmt.Errorf("got %s, want %s: no way back", data, seen)
				}
			}
			select {
			case <-stop:
				stopped <- err
				return
			default:
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	write(`two`) // which is no Go: what was goes on
	next("unbuilt")
	is.Equal(ask[string](t, em, "Probe", "false"), "one")
	write(`"two"`)
	next("swapped")
	is.Equal(ask[string](t, em, "Probe", "false"), "two")
	close(gate)
	for range inFlight {
		r := <-results
		is.NoErr(r.err)
		is.Equal(string(r.data), `"one"`)
	}
	close(stop)
	is.NoErr(<-stopped)
	is.Equal(em.Functions()[0].Errors, uint64(0))
}
