// Package aws runs the functions on Lambda. The folders below it are one executable each.
package aws

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/regcast/regcast/functions/config"
	"github.com/regcast/regcast/functions/socket"
)

type handler func(context.Context, []byte) ([]byte, error)

// Invoke makes a handler a lambda.Handler: it takes the payload as it is, where lambda.Start would decode it first.
func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// ServeSocket serves one of socket.Handler's methods. It returns if the configuration has errors.
func ServeSocket(method func(*socket.Handler, context.Context, []byte) ([]byte, error)) error {
	c, err := config.Load(config.AWS, config.Sockets)
	if err != nil {
		return err
	}
	h := c.Sockets(c.Log(os.Stderr), requestID)
	lambda.Start(handler(func(ctx context.Context, payload []byte) ([]byte, error) { return method(h, ctx, payload) }))
	return nil
}

// ServeBroadcast serves broadcasts. It returns if the configuration has errors.
func ServeBroadcast() error {
	c, err := config.Load(config.AWS, config.Broadcasts)
	if err != nil {
		return err
	}
	b, err := c.Broadcast(c.Log(os.Stderr), requestID)
	if err != nil {
		return err
	}
	lambda.Start(b)
	return nil
}

// ServeCapture serves captures. It returns if the configuration has errors.
func ServeCapture() error {
	c, err := config.Load(config.AWS, config.Captures)
	if err != nil {
		return err
	}
	h, err := c.Capture(os.Stdout)
	if err != nil {
		return err
	}
	lambda.Start(h)
	return nil
}

func requestID(ctx context.Context) string {
	if c, ok := lambdacontext.FromContext(ctx); ok {
		return c.AwsRequestID
	}
	return ""
}
