package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// call runs a handler in this process for one invocation, with the limits and the log of a process. A handler cannot be killed: one that
// does not heed its context goes on behind its answer, and counts until it ends or its time is up.
func (p *pool) call(d *definition, in *invocation) {
	defer p.runner.owners.Done()
	clk := p.runner.o.Clock
	out := &output{clock: clk, emit: func(line []byte) { p.runner.o.Log(d.Name, line) }}
	ended, cancel := context.WithCancelCause(p.runner.dead)
	defer cancel(nil)
	ctx := limited{ended, time.Now().Add(d.timeout)}
	limit := clk.NewTimer(d.timeout)
	defer limit.Stop()
	slow := p.patience(d, d.timeout)
	defer slow.Stop()
	var fail *failure
	in.began, in.given, in.settles = clk.Now(), time.Now(), func() { // all is told of it before anything comes of the answer
		p.answers(in)
		out.end(in, report{took: in.response.Duration, memory: d.memory, fail: fail})
		p.told(in)
	}
	p.runner.flights.add(d.Name, in)
	out.begin(in, d.Version)

	returned := make(chan func(), 1) // gives the answer
	p.runner.handlers.Add(1)
	p.working.Add(1)
	go func() {
		defer p.runner.handlers.Done()
		defer p.working.Add(-1)
		payload, wrong := invoke(about(ctx, d, in), d.Handler, in.Payload)
		returned <- func() {
			if wrong == nil {
				in.answer(clk, payload, "")
				return
			}
			body := wrong.body()
			out.tell("%s", body)
			in.answer(clk, body, unhandled)
		}
	}()
	due := clk.Now().Add(d.timeout)
	for over := false; !over; {
		over = true
		select {
		case answer := <-returned:
			if clk.Now().Sub(in.began) >= d.timeout { // it was its context's end that made it return
				fail = timedOut(d.timeout)
			} else if in.Crash {
				fail = crashed()
			} else {
				answer()
			}
		case <-slow.C():
			over = false
			p.hangs(in, due)
		case <-limit.C():
			cancel(context.DeadlineExceeded)
			fail = timedOut(d.timeout)
		case <-p.runner.dead.Done():
			fail = closed()
		}
	}
	if fail != nil {
		in.answer(clk, fail.body(in.ID), unhandled)
	}
	p.done(in)
}

// limited is a handler's context. It ends by the house's clock, and tells the machine's time for that, as processes are told.
type limited struct {
	context.Context
	deadline time.Time
}

func (l limited) Deadline() (time.Time, bool) { return l.deadline, true }

func (l limited) Err() error {
	if err := l.Context.Err(); err == nil || context.Cause(l.Context) != context.DeadlineExceeded {
		return err
	}
	return context.DeadlineExceeded
}

// about puts into ctx what aws-lambda-go puts there.
func about(ctx context.Context, d *definition, in *invocation) context.Context {
	about := &lambdacontext.LambdaContext{AwsRequestID: in.ID, InvokedFunctionArn: d.ARN}
	if in.ClientContext != "" {
		_ = json.Unmarshal([]byte(in.ClientContext), &about.ClientContext) // what cannot be read is left out
	}
	//lint:ignore SA1029 the key is aws-lambda-go's
	return context.WithValue(lambdacontext.NewContext(ctx, about), "x-amzn-trace-id", in.TraceID)
}

// wrong is what a handler failed with.
type wrong struct {
	value any // an error, or what it panicked with
	stack []frame
}

func invoke(ctx context.Context, h Invoker, payload []byte) (answer []byte, failed *wrong) {
	defer func() {
		if value := recover(); value != nil {
			answer, failed = nil, &wrong{value: value, stack: stack()}
		}
	}()
	answer, err := h.Invoke(ctx, payload)
	if err != nil {
		return nil, &wrong{value: err}
	}
	return answer, nil
}

// body words it as aws-lambda-go does: errorType is the Go type's name. An error that is such a document itself goes out as it is.
func (w *wrong) body() []byte {
	kind := reflect.TypeOf(w.value)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind.Name() == "InvokeResponse_Error" {
		if body, err := json.Marshal(w.value); err == nil {
			return body
		}
	}
	message := fmt.Sprintf("%v", w.value)
	if err, ok := w.value.(error); ok {
		message = err.Error()
	}
	body, _ := json.Marshal(errorDocument{Message: message, Type: kind.Name(), Stack: w.stack}) // strings and numbers cannot fail
	return body
}

// stack is where a panic came from, with paths and names as aws-lambda-go shortens them.
func stack() []frame {
	pcs := make([]uintptr, 32)
	pcs = pcs[:runtime.Callers(4, pcs)] // without Callers, stack, the deferred func and the panic itself
	var list []frame
	for frames := runtime.CallersFrames(pcs); ; {
		f, more := frames.Next()
		label := f.Function[strings.LastIndex(f.Function, "/")+1:]
		_, label, _ = strings.Cut(label, ".")
		parts := strings.Split(f.File, "/")
		path := strings.Join(parts[max(0, len(parts)-strings.Count(f.Function, "/")-2):], "/")
		list = append(list, frame{Path: path, Line: f.Line, Label: label})
		if !more {
			return list
		}
	}
}
