package runner

import (
	"context"
	"errors"
	"time"
)

// Errors of Set, Remove and Invoke. What the function itself did wrong is no error: see Response.FunctionError.
var (
	ErrNoFunction = errors.New("runner: no such function")
	ErrThrottled  = errors.New("runner: too many invocations at once")
	ErrTooBig     = errors.New("runner: payload too big")
	ErrClosed     = errors.New("runner: closed")
)

// What Lambda allows.
const (
	MaxPayload  = 6 << 20          // bytes of a request
	MaxResponse = 6<<20 + 100      // bytes of a response
	MaxStream   = 20 << 20         // bytes of a response in streaming mode
	InitLimit   = 10 * time.Second // of the init phase
)

// Invoker is a function in this process: lambda.Handler of aws-lambda-go is one.
type Invoker interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Function is a definition. Name is unique.
type Function struct {
	Name string
	ARN  string // what Lambda-Runtime-Invoked-Function-Arn tells; empty: no such header

	// Exactly one of these says what runs. Executables are tried in order: the first that exists and that this host can run; when there
	// is none, Package, a folder of a Go main package, is built for the host. With Entry, "<file without .go>.<Name>", Package is a Yandex
	// Cloud Function.
	Handler     Invoker
	Executables []string
	Package     string
	Entry       string

	Dir         string            // where the process starts, and its LAMBDA_TASK_ROOT; empty: Package, or the executable's folder
	HandlerName string            // _HANDLER
	Version     string            // empty: $LATEST
	Env         map[string]string // the user's variables; they go over what Options.Env gives, but not over what Lambda reserves
	Memory      int               // MB; 0: 128. It is told and reported, not enforced
	Timeout     time.Duration     // of one invocation; 0: 3 s
	Limit       int               // invocations at once; 0: Options.Limit; negative: none, every invocation is throttled
	Debug       bool              // the process waits for a debugger, dlv of the PATH: one environment, no timeouts
	DebugListen string            // where dlv listens, host:port; empty: a free port of 127.0.0.1, see StepDebugger
}

// Request is one invocation.
type Request struct {
	ID            string // a UUID; empty: one is made
	Payload       []byte
	ClientContext string   // JSON
	TraceID       string   // empty: one is made
	Crash         bool     // its answer is lost, and its process killed in the middle of it: see Options.Through
	Events        []string // ids of the events inside, where they are known, for Options.Invoked
	Tail          bool     // Response.Log is wanted: Invoke then waits for the REPORT line
}

// Response is what an invocation came to.
type Response struct {
	ID      string
	Payload []byte
	// FunctionError is empty, or "Unhandled": then Payload is {"errorMessage", "errorType", …}.
	FunctionError string
	Log           []byte        // the last 4 KB of the invocation's log, START to REPORT, if asked for
	Duration      time.Duration // of the handler
	Init          time.Duration // of the environment's start; 0: it was warm
}
