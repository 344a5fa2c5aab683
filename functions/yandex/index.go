// Package main is the functions for Yandex Cloud Functions, which builds it from source. The entry points are index.Connect,
// index.Message and index.Disconnect, for the operations of a gateway's path, and index.Broadcast and index.Capture for triggers that invoke
// a function.
//
// The cloud builds with Go 1.23, so nothing newer can be in this package and those that it imports: `make yandex` holds that.
package main

import (
	"context"
	"os"
	"sync"

	"github.com/regcast/regcast/functions/broadcast"
	"github.com/regcast/regcast/functions/capture"
	"github.com/regcast/regcast/functions/config"
	"github.com/regcast/regcast/functions/socket"
)

// The cloud calls package functions and gives them nothing to keep things in: what one call has made serves the next ones.
var (
	sockets    = sync.OnceValues(newSockets)
	broadcasts = sync.OnceValues(newBroadcast)
	captures   = sync.OnceValues(newCapture)
)

func newSockets() (*socket.Handler, error) {
	c, err := config.Load(config.Yandex, config.Sockets)
	if err != nil {
		return nil, err
	}
	return c.Sockets(c.Log(os.Stderr), requestID), nil
}

func newBroadcast() (*broadcast.Broadcast, error) {
	c, err := config.Load(config.Yandex, config.Broadcasts)
	if err != nil {
		return nil, err
	}
	return c.Broadcast(c.Log(os.Stderr), requestID)
}

func newCapture() (*capture.Capture, error) {
	c, err := config.Load(config.Yandex, config.Captures)
	if err != nil {
		return nil, err
	}
	return c.Capture(os.Stdout)
}

// Connect handles x-yc-apigateway-websocket-connect.
func Connect(ctx context.Context, payload []byte) ([]byte, error) {
	h, err := sockets()
	if err != nil {
		return nil, err
	}
	return h.Connect(ctx, payload)
}

// Message handles x-yc-apigateway-websocket-message.
func Message(ctx context.Context, payload []byte) ([]byte, error) {
	h, err := sockets()
	if err != nil {
		return nil, err
	}
	return h.Message(ctx, payload)
}

// Disconnect handles x-yc-apigateway-websocket-disconnect.
func Disconnect(ctx context.Context, payload []byte) ([]byte, error) {
	h, err := sockets()
	if err != nil {
		return nil, err
	}
	return h.Disconnect(ctx, payload)
}

// Broadcast handles a trigger's batch.
func Broadcast(ctx context.Context, payload []byte) ([]byte, error) {
	b, err := broadcasts()
	if err != nil {
		return nil, err
	}
	return b.Invoke(ctx, payload)
}

// Capture keeps a trigger's batch.
func Capture(ctx context.Context, payload []byte) ([]byte, error) {
	c, err := captures()
	if err != nil {
		return nil, err
	}
	return c.Invoke(ctx, payload)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value("lambdaRuntimeRequestID").(string)
	return id
}
