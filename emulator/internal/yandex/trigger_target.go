package yandex

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

// target puts an action's targets round one another: the call, the permission, several attempts, a dead letter.
func (a Action) target(w wiring, t Trigger) trigger.Target {
	who := cmp.Or(t.Name, t.ID)
	guard := func(call trigger.Target, need permission) trigger.Target {
		return &permitted{call, w.permits, need, t.ID, who}
	}
	var call trigger.Target
	var need permission
	switch {
	case a.Broadcast != nil:
		return guard(&broadcast{w, a.Broadcast.GatewayID, a.Broadcast.Path},
			permission{a.Broadcast.ServiceAccountID, roleBroadcast, kindGateway, a.Broadcast.GatewayID})
	case a.Invoke != nil:
		call = &invoke{w.functions, w.clock, a.Invoke.FunctionID, a.Invoke.Tag, a.Invoke.name()}
		need = permission{a.Invoke.ServiceAccountID, roleInvokeFunction, kindFunction, a.Invoke.FunctionID}
	default:
		call = &post{w, a.Post.ContainerID, a.Post.Path}
		need = permission{a.Post.ServiceAccountID, roleInvokeContainer, kindContainer, a.Post.ContainerID}
	}
	if w.permits.strict { // each attempt is refused
		call = guard(call, need)
	}
	again := &retry{target: call, wiring: w, attempts: a.Recovery.Attempts, interval: a.Recovery.Interval, triggerID: t.ID, who: who}
	queue := ""
	if a.Recovery.DeadLetter != nil {
		queue = a.Recovery.DeadLetter.QueueID
	}
	all := &deadLetters{again, w.deadLetter, queue}
	if w.permits.strict {
		return all
	}
	return guard(all, need) // it is told once, however many attempts there are
}

// permitted asks for a trigger's permission at each delivery.
type permitted struct {
	target         trigger.Target
	permits        *permits
	need           permission
	triggerID, who string
}

func (p *permitted) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	err := p.permits.check(p.need, func(s events.Step) {
		s.Room, s.Who = "trigger", p.who
		s.Data["trigger_id"] = p.triggerID
		for _, d := range ds {
			s.Events = idsOf(d)
			p.permits.note(s)
		}
	})
	if err == nil {
		return p.target.Deliver(ctx, ds)
	}
	out := make([]trigger.Outcome, len(ds))
	for i := range out {
		out[i] = trigger.Outcome{Lost: true, Text: fmt.Sprintf("%d permission denied: %v", http.StatusForbidden, err),
			Data: map[string]any{"service_account_id": p.need.account, "role": p.need.role, p.need.kind + "_id": p.need.id}}
	}
	return out
}

// name is the function's id, and its tag unless that is of the newest version.
func (a *Invoke) name() string {
	if a.Tag == "" || a.Tag == latest {
		return a.FunctionID
	}
	return a.FunctionID + ":" + a.Tag
}

// CheckTargets says which gateways, functions and containers of a trigger are not there. The error is a *FileError. Path keys and
// tags are not looked at: the cloud takes any path, and a version may follow its trigger.
func (c *Cloud) CheckTargets(t Trigger) error {
	if problems := t.missing(c.wiring); len(problems) > 0 {
		return refused(problems)
	}
	return nil
}

func (t Trigger) missing(w wiring) []remark {
	var out []remark
	for _, a := range t.Actions {
		switch {
		case a.Broadcast != nil:
			if _, there := w.paths(a.Broadcast.GatewayID); !there {
				out = append(out, remark{a.Broadcast.gatewayAt, w.noGateway(a.Broadcast.GatewayID)})
			}
		case a.Invoke != nil:
			if !w.functions.has(a.Invoke.FunctionID) {
				out = append(out, remark{a.Invoke.functionAt, w.functions.missing(a.Invoke.FunctionID)})
			}
		default:
			if _, err := w.containers.url(a.Post.ContainerID); err != nil {
				out = append(out, remark{a.Post.containerAt, err.Error()})
			}
		}
	}
	return out
}

func (w wiring) noGateway(id string) string {
	return fmt.Sprintf("got %s, which is no gateway here; want %s", quote(id), oneOf(w.gateways()))
}

// astray finds the path keys that their gateways do not have, and the tags that no version has.
func (t Trigger) astray(w wiring) []remark {
	var out []remark
	for _, a := range t.Actions {
		if b := a.Broadcast; b != nil {
			if paths, there := w.paths(b.GatewayID); there && !slices.Contains(paths, b.Path) {
				out = append(out, remark{b.pathAt, fmt.Sprintf("got %s, which is no path key of the gateway %s; want %s",
					quote(b.Path), b.GatewayID, oneOf(paths))})
			}
		}
		if i := a.Invoke; i != nil && i.Tag != "" && i.Tag != latest && w.functions.has(i.FunctionID) {
			if _, _, err := w.functions.version(i.FunctionID, i.Tag); err != nil {
				out = append(out, remark{i.tagAt, err.Error()})
			}
		}
	}
	return out
}
