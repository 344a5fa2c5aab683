package runner

import (
	"bytes"
	"context"
	"fmt"
)

// oneByOne is a handler that lambda.NewHandler has made. It writes every answer into the buffer of the one before, since on Lambda an
// environment takes one invocation at a time: so does it here, and its answers are copied.
type oneByOne struct {
	turn chan struct{} // one place: who is in has it
	Invoker
}

// safe makes a handler of aws-lambda-go one that may be invoked several times at once.
func safe(h Invoker) Invoker {
	if fmt.Sprintf("%T", h) != "*lambda.handlerOptions" {
		return h
	}
	return &oneByOne{make(chan struct{}, 1), h}
}

func (o *oneByOne) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	answer, err := o.Invoker.Invoke(ctx, payload)
	return bytes.Clone(answer), err
}
