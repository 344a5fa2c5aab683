package emulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator"
	"github.com/regcast/regcast/emulator/emulatortest"
	"github.com/regcast/regcast/emulator/testdata/errand"
)

// patience bounds every wait. It is the time after which a test is wrong, not a time that tests take.
const patience = 2 * time.Minute

// head begins the templates of these tests: their functions run errands, in processes that are built from source.
const head = `
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: provided.al2023, Handler: bootstrap, CodeUri: probe, Timeout: 60}}
Resources:
`

// logs are the lines that functions log, in the order of each function.
type logs struct {
	t     *testing.T
	lines chan [2]string
}

func newLogs(t *testing.T) *logs { return &logs{t, make(chan [2]string, 100_000)} }

func (l *logs) add(function, line string) {
	l.t.Logf("%s | %s", function, line)
	select {
	case l.lines <- [2]string{function, line}:
	default: // more than any test looks at
	}
}

// stack is a template of these resources, with the logs of its functions. A test may change the configuration.
func stack(t *testing.T, resources string, changes ...func(*emulator.Config)) (*emulatortest.Emulator, *logs) {
	t.Helper()
	l := newLogs(t)
	cfg := emulator.Config{
		Template:    &emulator.Template{File: emulator.File{Name: "template.yaml", Data: []byte(head + resources)}, Dir: "testdata"},
		FunctionLog: l.add,
	}
	for _, change := range changes {
		change(&cfg)
	}
	return emulatortest.Start(t, cfg), l
}

// wait returns the next line of a function that has a text in it.
func (l *logs) wait(function, text string) string {
	l.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case line := <-l.lines:
			if line[0] == function && strings.Contains(line[1], text) {
				return line[1]
			}
		case <-limit.C:
			l.t.Fatalf("%s never logged %q", function, text)
		}
	}
}

// function is a function in this process.
type function func(ctx context.Context, payload []byte) ([]byte, error)

func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return f(ctx, payload) }

// ask invokes a function, which must succeed, and reads its answer.
func ask[T any](t *testing.T, em *emulatortest.Emulator, id, payload string) (answer T) {
	t.Helper()
	data, err := em.Invoke(t.Context(), id, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("%s answered %s: %v", id, data, err)
	}
	return answer
}

// A process and a handler in this process are the same function to everybody else.
func TestAProcessAndAHandlerAreInterchangeable(t *testing.T) {
	type outcome struct {
		answer  string
		failure map[string]any
	}
	outcomes := map[string]map[string]outcome{}
	begun := make(chan struct{}, 10)
	run := lambda.NewHandler(errand.Run)
	for kind, functions := range map[string]map[string]emulator.Function{
		"process": nil,
		"handler": {"Probe": function(func(ctx context.Context, payload []byte) ([]byte, error) {
			begun <- struct{}{}
			return run.Invoke(ctx, payload)
		})},
	} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			clock := emulatortest.NewClock()
			em, logs := stack(t, "  Probe: {Type: AWS::Serverless::Function}\n", func(cfg *emulator.Config) {
				cfg.Clock, cfg.Functions = clock, functions
			})
			outcomes[kind] = map[string]outcome{}
			for _, do := range []string{"echo", "fail", "panic", "hang", "nonsense"} {
				type result struct {
					data []byte
					err  error
				}
				ended := make(chan result, 1)
				go func() {
					data, err := em.Invoke(t.Context(), "Probe", []byte(`{"do":"`+do+`","text":"äöü"}`))
					ended <- result{data, err}
				}()
				if do == "hang" {
					if kind == "process" {
						logs.wait("Probe", "hanging")
					} else { // what it prints is this process's
						<-begun
					}
					clock.Advance(time.Minute)
				}
				r := <-ended
				if kind == "handler" && do != "hang" {
					<-begun
				}
				o := outcome{answer: string(r.data)}
				if r.err != nil {
					var failed *emulator.FunctionError
					is.True(errors.As(r.err, &failed))
					is.NoErr(json.Unmarshal(failed.Payload, &o.failure))
				}
				outcomes[kind][do] = o
			}
			is.True(em.Functions()[0].Invocations == 5)
			is.Equal(em.Functions()[0].Errors, uint64(4))
			is.Equal(em.Functions()[0].Executable != "", kind == "process")
		})
	}
	is := is.New(t)
	for do, want := range outcomes["process"] {
		got := outcomes["handler"][do]
		if do == "hang" { // the text begins with the request's id
			is.True(strings.HasSuffix(want.failure["errorMessage"].(string), " Task timed out after 60.00 seconds"))
			is.True(strings.HasSuffix(got.failure["errorMessage"].(string), " Task timed out after 60.00 seconds"))
			delete(want.failure, "errorMessage")
			delete(got.failure, "errorMessage")
		}
		// A stack of another process has other lines.
		is.Equal(want.failure["stackTrace"] != nil, got.failure["stackTrace"] != nil)
		delete(want.failure, "stackTrace")
		delete(got.failure, "stackTrace")
		is.Equal(got, want)
	}
	is.Equal(outcomes["process"]["echo"].answer, `{"do":"echo","text":"äöü"}`)
	is.Equal(outcomes["process"]["fail"].failure, map[string]any{"errorMessage": "no order 7", "errorType": "NoOrder"})
	is.Equal(outcomes["process"]["panic"].failure["errorMessage"], "out of cheese")
}
