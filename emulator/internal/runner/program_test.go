package runner_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type handler func(context.Context, []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// badOrder is an error with a type of its own.
type badOrder struct{ number string }

func (b *badOrder) Error() string { return "no order " + b.number }

func forever() { <-make(chan struct{}, 1+len(os.Args)) }

// program is what the test binary does as a function.
func program(name string) {
	switch name {
	case "echo":
		lambda.Start(handler(echo))
	case "about": // what it was told
		lambda.Start(func(ctx context.Context) (map[string]any, error) {
			about, _ := lambdacontext.FromContext(ctx)
			deadline, _ := ctx.Deadline()
			dir, err := os.Getwd()
			return map[string]any{
				"id": about.AwsRequestID, "arn": about.InvokedFunctionArn, "client": about.ClientContext.Client.AppTitle,
				"left": time.Until(deadline).Seconds(), "env": os.Environ(), "dir": dir, "trace": os.Getenv("_X_AMZN_TRACE_ID"), "pid": os.Getpid(),
			}, err
		})
	case "say":
		lambda.Start(func(text string) {
			fmt.Println("out", text)
			fmt.Fprintln(os.Stderr, "err", text)
			fmt.Print("no end ", text)
		})
	case "lines": // so many of that length
		lambda.Start(func(many [2]int) {
			for range many[0] {
				fmt.Println(strings.Repeat("x", many[1]))
			}
		})
	case "fail":
		lambda.Start(handler(func(context.Context, []byte) ([]byte, error) { return nil, &badOrder{"7"} }))
	case "panic":
		lambda.Start(handler(func(context.Context, []byte) ([]byte, error) { panic("out of cheese") }))
	case "exit":
		lambda.Start(func(code int) { os.Exit(code) })
	case "signal":
		lambda.Start(func() {
			self, err := os.FindProcess(os.Getpid())
			must(err)
			must(self.Kill())
			forever()
		})
	case "hang":
		lambda.Start(handler(func(_ context.Context, payload []byte) ([]byte, error) {
			if string(payload) == `"hang"` {
				fmt.Println("hanging", os.Getpid())
				forever()
			}
			return payload, nil
		}))
	case "tmp": // counts the invocations in a file of /tmp
		lambda.Start(handler(func(_ context.Context, payload []byte) ([]byte, error) {
			file := filepath.Join(os.TempDir(), "seen")
			seen, _ := os.ReadFile(file)
			if err := os.WriteFile(file, append(seen, 'x'), 0o600); err != nil {
				return nil, err
			}
			if string(payload) == `"exit"` {
				os.Exit(1)
			}
			return fmt.Appendf(nil, "%d", len(seen)), nil
		}))
	case "big":
		lambda.Start(func(size int) (io.Reader, error) { return strings.NewReader(strings.Repeat("x", size)), nil })
	case "cut": // a stream that fails when it has begun
		lambda.Start(func() (io.Reader, error) {
			return io.MultiReader(strings.NewReader("so far so good"), broken{&badOrder{"8"}}), nil
		})
	case "sigterm":
		lambda.StartWithOptions(handler(echo), lambda.WithEnableSIGTERM(func() {
			fmt.Println("asked to end")
			os.Exit(0)
		}))
	case "stubborn": // registers for SIGTERM and does not heed it
		lambda.StartWithOptions(handler(echo), lambda.WithEnableSIGTERM(func() { fmt.Println("asked to end, and will not") }))
	case "unasked": // would tell of a SIGTERM, but does not register for one
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		go func() { fmt.Println(<-c, "SIGTERM") }()
		lambda.Start(handler(echo))
	case "parent": // leaves a child that would live for long
		child := exec.Command("sleep", "1000")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		must(child.Start())
		lambda.Start(func() (int, error) { return child.Process.Pid, nil })
	case "init exit":
		fmt.Println("no config")
		os.Exit(3)
	case "init silent exit":
	case "init hang":
		fmt.Println("thinking", os.Getpid())
		forever()
	case "init slow once": // hangs in its first init only
		file := filepath.Join(os.TempDir(), "again")
		if _, err := os.Stat(file); err != nil {
			must(os.WriteFile(file, nil, 0o600))
			fmt.Println("thinking")
			forever()
		}
		lambda.Start(handler(echo))
	case "init error":
		post("/runtime/init/error", nil, `{"errorMessage":"no module app","errorType":"Runtime.ImportModuleError","stackTrace":[]}`)
		os.Exit(1)
	case "plain server": // no Lambda at all: the yardstick of the benchmarks
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		fmt.Println(listener.Addr())
		must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body) // an echo
		})))
	default:
		rude(name)
	}
}

func echo(_ context.Context, payload []byte) ([]byte, error) { return payload, nil }

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func must(err error) {
	if err != nil {
		fmt.Println("program:", err)
		os.Exit(9)
	}
}
