package yandex

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/trigger"
)

// MaxMessage is the largest message a socket takes, in bytes: 128 KB. A trigger's batch may be larger and is then lost.
const MaxMessage = 128 << 10

// broadcast is the target that sends each delivery, as one text message, to all connections of a path: one try, and whoever is not
// there has missed it.
type broadcast struct {
	wiring    wiring
	gatewayID string
	path      string
}

// Deliver answers one outcome for each delivery; those that are not too large go to the gateway together.
func (b *broadcast) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	out := make([]trigger.Outcome, len(ds))
	var ms []gateway.Message
	var of []int // of[i] is the delivery that message i belongs to
	for i, d := range ds {
		if len(d.Payload) > MaxMessage {
			out[i] = b.tooBig(d)
			continue
		}
		ms = append(ms, gateway.Message{Data: d.Payload, Events: idsOf(d)})
		of = append(of, i)
	}
	if len(ms) == 0 {
		return out
	}
	for i, sent := range b.wiring.broadcast(ctx, key(b.gatewayID, b.path), ms) {
		out[of[i]] = b.outcome(ctx, ds[of[i]], sent)
	}
	return out
}

func (b *broadcast) tooBig(d trigger.Delivery) trigger.Outcome {
	text := fmt.Sprintf("message of %d bytes is over %d", len(d.Payload), MaxMessage)
	return trigger.Outcome{Lost: true, Text: text, Data: b.data(map[string]any{"bytes": len(d.Payload)})}
}

func (b *broadcast) outcome(ctx context.Context, d trigger.Delivery, sent gateway.Sent) trigger.Outcome {
	switch {
	case sent.TooBig:
		return b.tooBig(d)
	case sent.Err != nil:
		return trigger.Outcome{Lost: true, Text: fmt.Sprintf("%s%s did not take it: %v", b.gatewayID, b.path, sent.Err), Data: b.data(map[string]any{})}
	case sent.Connections == 0 && ctx.Err() != nil:
		return trigger.Outcome{Lost: true, Text: fmt.Sprintf("broken off: %v", context.Cause(ctx)), Data: b.data(map[string]any{})}
	case sent.Connections == 0:
		return trigger.Outcome{Lost: true, Text: b.nobody(), Data: b.data(map[string]any{"connections": 0})}
	}
	noun := "connections"
	if sent.Connections == 1 {
		noun = "connection"
	}
	return trigger.Outcome{
		Text: fmt.Sprintf("to %d %s of %s%s", sent.Connections, noun, b.gatewayID, b.path),
		Data: b.data(map[string]any{"connections": sent.Connections}),
	}
}

// nobody says why there was no connection.
func (b *broadcast) nobody() string {
	paths, there := b.wiring.paths(b.gatewayID)
	switch {
	case !there:
		return fmt.Sprintf("there is no gateway %s", b.gatewayID)
	case !slices.Contains(paths, b.path):
		return fmt.Sprintf("the gateway %s has no path key %s; it has %s", b.gatewayID, quote(b.path), strings.Join(paths, ", "))
	}
	return fmt.Sprintf("nobody is connected to %s%s", b.gatewayID, b.path)
}

func (b *broadcast) data(m map[string]any) map[string]any {
	m["gateway_id"], m["path"] = b.gatewayID, b.path
	return m
}
