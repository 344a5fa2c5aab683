package yandex

import (
	"context"
	"fmt"
	"net/http"

	"github.com/regcast/regcast/emulator/internal/trigger"
	"github.com/regcast/regcast/events"
)

const (
	roleBroadcast = "api-gateway.websocketBroadcaster"
	kindGateway   = "gateway"
)

// permission is what a trigger's service account needs for an action. Who has it is asked at each delivery.
type permission struct {
	permits        *permits
	triggerID, who string
	account, role  string
	kind, id       string
}

// needed fails deliveries that are not permitted as the cloud does, each attempt of them, when roles are enforced.
func (p permission) needed(t trigger.Target) trigger.Target {
	if p.permits.ask == nil || !p.permits.strict {
		return t
	}
	return &denial{p, t}
}

// told tells of deliveries that the cloud would have refused, once each, when roles are not enforced.
func (p permission) told(t trigger.Target) trigger.Target {
	if p.permits.ask == nil || p.permits.strict {
		return t
	}
	return &notice{p, t}
}

func (p permission) data() map[string]any {
	return map[string]any{"service_account_id": p.account, "role": p.role, p.kind + "_id": p.id}
}

type denial struct {
	permission
	target trigger.Target
}

func (r *denial) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	err := r.permits.ask(r.account, r.role, r.kind, r.id)
	if err == nil {
		return r.target.Deliver(ctx, ds)
	}
	out := make([]trigger.Outcome, len(ds))
	for i := range out {
		out[i] = trigger.Outcome{Lost: true, Text: fmt.Sprintf("%d permission denied: %v", http.StatusForbidden, err), Data: r.data()}
	}
	return out
}

type notice struct {
	permission
	target trigger.Target
}

func (n *notice) Deliver(ctx context.Context, ds []trigger.Delivery) []trigger.Outcome {
	if err := n.permits.ask(n.account, n.role, n.kind, n.id); err != nil {
		data := n.data()
		data["trigger_id"] = n.triggerID
		for _, d := range ds {
			n.permits.note(events.Step{At: n.permits.clock.Now(), Events: idsOf(d), Room: "trigger", What: StepUnpermitted, Who: n.who,
				Text: fmt.Sprintf("%v; the cloud would refuse it", err), Data: data})
		}
	}
	return n.target.Deliver(ctx, ds)
}
