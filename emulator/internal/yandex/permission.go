package yandex

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/events"
)

// StepUnpermitted is what a step says of something that went through and that the cloud would have refused for want of a role.
const StepUnpermitted = "unpermitted"

// The roles that calls need.
const (
	roleBroadcast       = "api-gateway.websocketBroadcaster"
	roleInvokeFunction  = "functions.functionInvoker"
	roleInvokeContainer = "serverless-containers.containerInvoker"
	roleWriteSockets    = "api-gateway.websocketWriter"
)

// The kinds of resources that Options.Permit is asked about.
const (
	kindGateway   = "gateway"
	kindFunction  = "function"
	kindContainer = "container"
)

// permission is what a service account needs for a call: a role on a resource.
type permission struct{ account, role, kind, id string }

// permits asks who may do what, at each call.
type permits struct {
	ask    func(serviceAccountID, role, kind, id string) error // nil: everybody may
	strict bool
	clock  clock.Clock
	note   func(events.Step)

	mu   sync.Mutex
	told map[string]bool // what calls of gateways lacked and was told of, so that it is told once
}

// toldSize bounds what permits remembers; when it is full, all is told of anew.
const toldSize = 1000

// check says why a call must not be made. When roles are not enforced every call may, and tell gets the step that says what the cloud
// would do; the step lacks who calls, and for which events.
func (p *permits) check(need permission, tell func(events.Step)) error {
	if p.ask == nil {
		return nil
	}
	err := p.ask(need.account, need.role, need.kind, need.id)
	if err == nil || p.strict {
		return err
	}
	tell(events.Step{At: p.clock.Now(), What: StepUnpermitted, Text: fmt.Sprintf("%v; the cloud would refuse it", err),
		Data: map[string]any{"service_account_id": need.account, "role": need.role, need.kind + "_id": need.id}})
	return nil
}

// once tells whether something is said for the first time.
func (p *permits) once(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[what] {
		return false
	}
	if len(p.told) >= toldSize || p.told == nil {
		p.told = make(map[string]bool)
	}
	p.told[what] = true
	return true
}

// permitted says why a gateway must not make a call; nil: it may.
func (d *door) permitted(c call, need permission) *failure {
	err := d.permits.check(need, func(s events.Step) {
		s.Room, s.Who = "gateway", key(c.gateway, c.resource)
		if d.permits.once(fmt.Sprintf("%s %v", s.Who, need)) {
			d.note(s)
		}
	})
	if err == nil {
		return nil
	}
	return &failure{status: http.StatusForbidden, kind: clientError, text: "permission denied: " + err.Error()}
}
