package yandex

import (
	"fmt"
	"sync"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// StepUnpermitted is what a step says of something that went through and that the cloud would have refused for want of a role.
const StepUnpermitted = "unpermitted"

// The roles that calls need.
const (
	roleInvokeFunction  = "functions.functionInvoker"
	roleInvokeContainer = "serverless-containers.containerInvoker"
	roleWriteSockets    = "api-gateway.websocketWriter"
)

// The kinds of resources that Options.Permit is asked about.
const (
	kindFunction  = "function"
	kindContainer = "container"
)

// permits asks who may do what.
type permits struct {
	ask    func(serviceAccountID, role, kind, id string) error // nil: everybody may
	strict bool
	clock  clock.Clock
	note   func(events.Step)

	mu   sync.Mutex
	told map[string]bool // what is missing and was told of, so that it is told once
}

// toldSize bounds what permits remembers; when it is full, all is told of anew.
const toldSize = 1000

// check refuses what is not permitted, or only tells of it. who is named in the step: a trigger, or a gateway and its path.
func (p *permits) check(who, serviceAccountID, role, kind, id string) error {
	if p.ask == nil {
		return nil
	}
	err := p.ask(serviceAccountID, role, kind, id)
	if err == nil || p.strict {
		return err
	}
	key := who + "\n" + serviceAccountID + "\n" + role + "\n" + id
	p.mu.Lock()
	known := p.told[key]
	if len(p.told) >= toldSize || p.told == nil {
		p.told = make(map[string]bool)
	}
	p.told[key] = true
	p.mu.Unlock()
	if !known {
		p.note(events.Step{At: p.clock.Now(), Room: "gateway", What: StepUnpermitted, Who: who,
			Text: fmt.Sprintf("%v; the cloud would refuse it", err),
			Data: map[string]any{"service_account_id": serviceAccountID, "role": role, "kind": kind, "id": id}})
	}
	return nil
}
