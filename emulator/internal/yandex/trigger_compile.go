package yandex

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/emulator/internal/trigger/jq"
	"github.com/regcast/regcast/events"
	words "github.com/regcast/regcast/events/yandex"
)

// wiring is what compiled triggers reach.
type wiring struct {
	// broadcast sends messages to every connection of a key; one Sent for each message.
	broadcast func(ctx context.Context, key string, ms []gateway.Message) []gateway.Sent
	// paths returns the path keys of a gateway, and false when there is no such gateway.
	paths func(gatewayID string) ([]string, bool)
	// gateways lists the ids of the gateways there are.
	gateways func() []string

	functions  *functions
	containers containers
	outward    outward
	permits    *permits
	// deadLetter takes what is given up; nil: there are no queues.
	deadLetter func(ctx context.Context, queueID string, body []byte, events []string) error
	clock      clock.Clock
	note       func(events.Step)
	closing    <-chan struct{} // closed when nothing may wait any more
}

// key is what the gateway room calls the connections of a path of a gateway. Paths start with "/", so keys do not clash.
func key(gatewayID, path string) string { return gatewayID + path }

// Compile makes the trigger that the engine runs. What its actions reach is looked up at each delivery, so it need not be there yet.
// The error is a *FileError when jq does not parse; ParseTriggers has found that already.
func (c *Cloud) Compile(t Trigger) (trigger.Trigger, error) { return compile(t, c.wiring) }

// CompileDry makes a trigger that reaches nothing, for asking it about events.
func CompileDry(t Trigger) (trigger.Trigger, error) {
	return compile(t, wiring{permits: &permits{}, functions: &functions{}})
}

func compile(t Trigger, w wiring) (trigger.Trigger, error) {
	out := trigger.Trigger{
		ID:   t.ID,
		Name: t.Name,
		Match: trigger.Match{
			Source:   words.Source,
			Registry: t.Source.RegistryID,
			Types:    slices.Clone(t.Source.Types),
			Accept:   t.Source.accept(),
			Doc:      docTrigger,
		},
		Window: trigger.Window{Count: t.Source.Count, Bytes: t.Source.Bytes, Cutoff: t.Source.Cutoff},
		Paused: t.Paused,
		About:  t.about(),
	}
	var problems []remark
	for _, a := range t.Actions {
		action, wrong := a.compile(w, t)
		problems = append(problems, wrong...)
		out.Actions = append(out.Actions, action)
		out.OneByOne = out.OneByOne || a.Broadcast == nil
	}
	if len(problems) > 0 {
		return trigger.Trigger{}, refused(problems)
	}
	return out, nil
}

// about says what a trigger does.
func (t Trigger) about() string {
	s := t.Source
	what := strings.Join(s.Types, ", ") + " of " + s.RegistryID
	if s.ImageName != "" {
		what += ", image " + s.ImageName
	}
	if s.Tag != "" {
		what += ", tag " + s.Tag
	}
	if s.Count > 1 {
		what += fmt.Sprintf(", up to %d at once within %v", s.Count, s.Cutoff)
	}
	var to []string
	for _, a := range t.Actions {
		switch {
		case a.Broadcast != nil:
			to = append(to, "the sockets of "+key(a.Broadcast.GatewayID, a.Broadcast.Path))
		case a.Invoke != nil:
			to = append(to, "the function "+a.Invoke.name())
		default:
			to = append(to, "the container "+a.Post.ContainerID+a.Post.Path)
		}
	}
	return what + " → " + strings.Join(to, ", ")
}

func (a Action) compile(w wiring, t Trigger) (trigger.Action, []remark) {
	out := trigger.Action{Pack: pack, Target: a.target(w, t)}
	var problems []remark
	refuse := func(at place, format string, args ...any) {
		problems = append(problems, remark{at, fmt.Sprintf(format, args...)})
	}
	if a.Filter != "" {
		program, err := jq.Compile(a.Filter)
		if err != nil {
			refuse(a.filterAt, "%s", wrongJQ(a.Filter, err))
		}
		out.Keep = keep(program)
	}
	if a.Transformer != "" {
		program, err := jq.Compile(a.Transformer)
		if err != nil {
			refuse(a.transformerAt, "%s", wrongJQ(a.Transformer, err))
		}
		out.Pack = transform(program)
	}
	return out, problems
}

func pack(es []events.Event) ([]byte, error) {
	bodies := make([]json.RawMessage, len(es))
	for i, e := range es {
		bodies[i] = e.Body
	}
	return words.Pack(bodies), nil
}

func transform(program *jq.Program) func([]events.Event) ([]byte, error) {
	return func(es []events.Event) ([]byte, error) {
		batch, err := pack(es)
		if err != nil {
			return nil, err
		}
		out, err := program.Transform(context.Background(), batch)
		if err != nil {
			return nil, fmt.Errorf("transformer.jq: %w", err)
		}
		return out, nil
	}
}
